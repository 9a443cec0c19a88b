"""What the store suite puts into a store: its tables and rows, a plain model of history, and what other
processes do to the same file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random
from typing import Any, Final

import polars as pl
from attrs import frozen

from loanhub.audit import Head, Line
from loanhub.kinds import Store, StoreKind, WriteTx
from loanhub.records import META, Columns, Order, Query, Record
from loanhub.schema import SEARCH_KEY, Column, Schema, Table

PERSON: Final = Table(
    "person",
    (
        Column("name", "text"),
        Column("born", "date"),
        Column("amount", "integer"),
        Column("active", "boolean"),
        Column("extra", "json"),
        Column("secret", "blob"),
    ),
    indexes=(("name",), ("active", "amount")),
)
LETTER: Final = Table("letter", (Column("state", "text"), Column("lease_until", "text")))
KEYS: Final = Table(
    SEARCH_KEY, (Column("token", "text"), Column("id", "integer")), key=("token", "id"), kept=False
)
SCHEMA: Final = Schema(1, (PERSON, LETTER, KEYS))

GROWN: Final = Schema(
    2,
    (
        Table(
            "person",
            (*PERSON.columns, Column("nickname", "text"), Column("photo", "blob")),
            indexes=(*PERSON.indexes, ("nickname",)),
        ),
        LETTER,
        KEYS,
        Table("pledge", (Column("person_id", "integer"),), indexes=(("person_id",),)),
    ),
)
"""The next release: two columns, an index and a table more."""

FRAMES: Final[Mapping[str, Any]] = {
    "id": pl.Int64,
    "version": pl.Int64,
    "name": pl.String,
    "born": pl.String,
    "amount": pl.Int64,
    "active": pl.Boolean,
    "extra": pl.String,
    "secret": pl.Binary,
}
FIELDS: Final = tuple(column.name for column in PERSON.columns)
Fields = Mapping[str, Any]
"""Values of a person by field; what is missing is null."""

START: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def after(seconds: float) -> datetime:
    """A moment of the story the tests tell."""
    return START + timedelta(seconds=seconds)


def people(rows: Iterable[Fields], *, gone: bool = False) -> Columns:
    """Persons as a store takes them; `version` 0 unless given."""
    whole = [{"version": 0, **dict.fromkeys(FIELDS), **row} for row in rows]
    frame = pl.DataFrame(whole, schema=dict(FRAMES)) if whole else pl.DataFrame(schema=dict(FRAMES))
    return Columns("person", frame, gone)


def fields(record: Record) -> Record:
    """A person without what the store itself adds."""
    return {name: value for name, value in record.items() if name not in META}


def save(store: Store, rows: Iterable[Fields], seconds: float, *, gone: bool = False) -> None:
    """Put persons in a transaction of their own."""
    with store.writing() as tx:
        tx.put(people(rows, gone=gone), at=after(seconds), line=1)


def stored(store: Store, kind: str = "person") -> list[Record]:
    """All records of a kind by id."""
    with store.reading() as tx:
        return list(tx.find(Query(kind)))


def logged(act: str, seconds: float, head: Head) -> Line:
    """An audit line that continues `head`."""
    digest = hashlib.sha256(head.hash + act.encode()).digest()
    return Line(
        seq=head.seq + 1,
        at=after(seconds),
        who="王会计",
        role="clerk",
        via="cli",
        act=act,
        object="person",
        fields=("name", "born"),
        reason="",
        outcome="done",
        counts={"new": 2},
        previous=head.hash,
        hash=digest,
    )


# -- history, as a plain model ------------------------------------------------------------------------


@frozen
class Step:
    """One person saved with these fields, or removed (None); one second each."""

    person: int
    fields: Fields | None


def some_steps(seed: int, length: int) -> list[Step]:
    """A story without luck: few persons and few values, so that they meet."""
    dice = Random(seed)
    values: dict[str, tuple[Any, ...]] = {
        "name": (None, "", "张三", 'O\'Brien\t"x"', "\U0010ffff"),
        "born": (None, "1990-01-31", "2000-12-01"),
        "amount": (None, 0, -1, 9_007_199_254_740_993),
        "active": (None, True, False),
        "extra": (None, '{"a":"\\u00e9"}'),
        "secret": (None, b"", b"\x00\xff"),
    }
    return [
        Step(
            dice.randint(1, 4),
            None if dice.random() < 0.25 else {name: dice.choice(among) for name, among in values.items()},
        )
        for _ in range(length)
    ]


@frozen
class Told:
    """What persons there are at a moment: by id their version and fields."""

    people: Mapping[int, tuple[int, Record]]

    def step(self, step: Step, last: int) -> Told:
        """After `step`; `last` is the last version the person ever had."""
        rest = {key: value for key, value in self.people.items() if key != step.person}
        if step.fields is None:
            return Told(rest)
        values = {**dict.fromkeys(FIELDS), **step.fields}
        before = self.people.get(step.person)
        if before is not None and before[1] == values:
            return self
        return Told({**rest, step.person: (last + 1, values)})


def check_history(store: Store, steps: Sequence[Step]) -> None:
    """Live through `steps`, then find every moment of them in the store as the model tells it."""
    told, moments, last = Told({}), [Told({})], dict[int, int]()
    for number, step in enumerate(steps):
        before = told.people.get(step.person)
        row = {**(step.fields or {}), "id": step.person, "version": before[0] if before else 0}
        if before or step.fields is not None:
            save(store, [row], number, gone=step.fields is None)
        told = told.step(step, last.get(step.person, 0))
        last.update({key: version for key, (version, _) in told.people.items()})
        moments.append(told)
    for number, early in product(range(len(moments)), (1, 0.5)):
        # From the very moment of a step on, and between it and the next.
        then = moments[number]
        with store.reading(as_of=after(number - early)) as tx:
            found = {r["id"]: (r["version"], fields(r)) for r in tx.find(Query("person"))}
            assert found == then.people, f"as of step {number}"
            for person in range(6):
                record = tx.get("person", person)
                assert (record and fields(record)) == then.people.get(person, (0, None))[1]
            for down in (False, True):
                rows = tx.columns(Query("person", order=Order("amount", down)))
                assert rows["id"].to_list() == in_order(then, "amount", down=down)


def in_order(told: Told, field: str, *, down: bool) -> list[int]:
    """Ids sorted by a field and then by id."""
    return sorted(told.people, key=lambda n: place(told.people[n][1][field], n), reverse=down)


def place(value: Any, number: int) -> tuple[bool, Any, int]:
    """Where a record stands in an order going up: NULLs first, ties by id."""
    return (value is not None, 0 if value is None else value, number)


# -- what other processes do ---------------------------------------------------------------------------

HELD: Final = range(1000, 1500)
CHUNK: Final = 200


def hold(kind: StoreKind, home: Path, key: bytes, line: Connection) -> None:
    """Write, say so, and commit only when told."""
    store = kind.open(home, key)
    store.migrate(SCHEMA)
    with store.writing() as tx:
        tx.put(people({"id": n, "name": "另一个"} for n in HELD), at=after(0), line=1)
        line.send("written")
        line.recv()
    store.close()
    line.send("done")


def write_chunks(kind: StoreKind, home: Path, key: bytes, line: Connection) -> None:
    """Chunk after chunk with an audit line each, saying so after every commit, for ever."""
    store = kind.open(home, key)
    store.migrate(SCHEMA)
    number = 0
    while True:
        with store.writing() as tx:
            _chunk(tx, number)
        number += 1
        line.send(number)


def _chunk(tx: WriteTx, number: int) -> None:
    rows = ({"id": number * CHUNK + n + 1, "name": f"客户{n}"} for n in range(CHUNK))
    tx.put(people(rows), at=after(number), line=number + 1)
    tx.append(lambda head: [logged("land", number, head)])
