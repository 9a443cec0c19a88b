"""The acts a file's journey is made of: claimed, planned, landed, indexed, stored; or refused.

All are hidden steps of the intake job; each leaves its audit line under the batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Any, Final

import polars as pl
from attrs import evolve, field, frozen

from loanhub import searching
from loanhub.acts import Act, Books, Facts
from loanhub.entities import Batch, Layout, Pending, Statement
from loanhub.records import Columns, Query, Test, moment
from loanhub.services.intake.said import OUTCOMES, last_said, statements, unpacked


@frozen
class Claim:
    """A file taken: its digest, name, and the drop folder and owner it came through."""

    sha256: str
    name: str
    folder: str
    owner: str


def claim(books: Books, request: Claim) -> Facts[Batch]:
    """The batch of a file: a new one, or the one that is not finished, or the one that stored it."""
    q = Query(Batch.KIND, (Test("sha256", "eq", request.sha256),))
    for known in books.find(q):
        if isinstance(known, Batch) and known.status not in {"undone", "refused"}:
            return Facts(known)
    batch = Batch(
        id=books.allot(Batch.KIND),
        sha256=request.sha256,
        name=request.name,
        folder=request.folder,
        owner=request.owner,
        received=books.now,
    )
    return Facts(batch, (batch,), about=f"batch:{batch.id}")


@frozen
class Change:
    """New values for a batch."""

    batch: int
    values: Mapping[str, Any] = field(repr=False)


def change(books: Books, request: Change) -> Facts[Batch]:
    """The batch with new values: its plan, its refusal, its end."""
    batch = evolve(books.get(Batch, request.batch), **request.values)
    return Facts(evolve(batch, version=batch.version + 1), (batch,), about=f"batch:{batch.id}")


@frozen
class Remember:
    """A mapping to be kept for a header layout."""

    fingerprint: str
    headers: tuple[str, ...]
    mapping: Mapping[str, Any]


def remember(books: Books, request: Remember) -> Facts[int]:
    """Keep the mapping; an older one of the same layout becomes history."""
    known = layout_of(books, request.fingerprint)
    layout = Layout(
        id=known.id if known else books.allot(Layout.KIND),
        version=known.version if known else 0,
        fingerprint=request.fingerprint,
        headers=list(request.headers),
        mapping=dict(request.mapping),
        decided_by=books.who.name,
    )
    return Facts(layout.id, (layout,), about=f"layout:{layout.id}")


def layout_of(books: Books, fingerprint: str) -> Layout | None:
    """The mapping remembered for a layout."""
    q = Query(Layout.KIND, (Test("fingerprint", "eq", fingerprint),))
    return next((e for e in books.find(q) if isinstance(e, Layout)), None)


@frozen
class Recall:
    """Ask for the mapping of a layout."""

    fingerprint: str


def recall(books: Books, request: Recall) -> Facts[dict[str, Any]]:
    """The mapping remembered for a layout, empty when there is none."""
    known = layout_of(books, request.fingerprint)
    return Facts({} if known is None else dict(known.mapping))


@frozen
class Said:
    """Ask what a source said last of some rows."""

    source: str
    keys: pl.Series = field(repr=False, eq=False)
    batch: int


def said(books: Books, request: Said) -> Facts[pl.DataFrame]:
    """What the source said last, as a frame by key."""
    return Facts(last_said(books, request.source, request.keys, request.batch))


@frozen
class Of:
    """A batch."""

    batch: int


@frozen
class SoFar:
    """What of a batch has landed: the rows of its chunks as kept, and ids by kind of the records it made."""

    chunks: Sequence[pl.DataFrame] = field(repr=False)
    made: Mapping[str, AbstractSet[int]] = field(repr=False)


def so_far(books: Books, request: Of) -> Facts[SoFar]:
    """What a batch that was stopped had landed."""
    landed = [unpacked(s.said) for s in statements(books, request.batch)]
    of_batch = (Test("batch_id", "eq", request.batch),)
    own = books.columns(Query(Statement.KIND, of_batch, fields=("line", "at")))
    return Facts(SoFar(landed, {kind: _made(books, kind, landed, own) for kind in searching.INDEXED}))


def _made(books: Books, kind: str, landed: Sequence[pl.DataFrame], own: pl.DataFrame) -> set[int]:
    """Of the records that rows are about those written by the batch's `own` lines, and not there before."""
    about = f"#{kind}"
    ids = {one for frame in landed if about in frame.columns for one in frame[about].drop_nulls()}
    if not ids:
        return set()
    mine = (Test("id", "in", sorted(ids)), Test("line", "in", own["line"].to_list()))
    written = books.columns(Query(kind, mine, fields=("id", "version")))
    again = Test("id", "in", written.filter(pl.col("version") > 1)["id"].to_list())
    first = moment(own["at"].min())  # type: ignore[arg-type]
    before = first - timedelta(microseconds=1) if first else None
    there = books.columns(Query(kind, (again,), as_of=before, fields=("id",)))
    return set(written["id"]) - set(there["id"])


def waiting(books: Books, request: Of) -> Facts[int]:
    """How many changes that a batch asked for wait for a person."""
    lines = books.columns(Query(Statement.KIND, (Test("batch_id", "eq", request.batch),)))["line"].to_list()
    return Facts(books.columns(Query(Pending.KIND, (Test("line", "in", lines),))).height)


def problems(books: Books, request: Of) -> Facts[pl.DataFrame]:
    """Every problem found in a batch."""
    found = [unpacked(s.problems) for s in statements(books, request.batch)]
    return Facts(pl.concat(found) if found else pl.DataFrame())


def made(books: Books, request: Of) -> Facts[Sequence[Columns]]:
    """Of all records that a batch made, what their search keys are made of: for after a long load."""
    ids: dict[str, set[int]] = {kind: set() for kind in searching.INDEXED}
    for statement in statements(books, request.batch):
        frame = unpacked(statement.said).filter(pl.col("outcome") != OUTCOMES["unchanged"])
        for kind in searching.INDEXED:
            if f"#{kind}" in frame.columns:
                ids[kind].update(frame[f"#{kind}"].drop_nulls().to_list())
    found = []
    for kind, wanted in ids.items():
        if wanted:
            span = (Test("id", "ge", min(wanted)), Test("id", "le", max(wanted)))
            found.append(
                Columns(kind, books.columns(Query(kind, span)).select("id", *searching.SOURCES[kind]))
            )
    return Facts(found)


@frozen
class Index:
    """Search keys to put, and how far the batch is then."""

    batch: int
    keys: pl.DataFrame = field(repr=False, eq=False)
    done: int


def index(books: Books, request: Index) -> Facts[int]:
    """Put a run of search keys."""
    batch = evolve(books.get(Batch, request.batch), indexed=request.done)
    about = f"batch:{request.batch}"
    return Facts(request.done, (searching.derived(request.keys), batch), about=about)


def show(books: Books, request: Of) -> Facts[Batch]:
    """The batch as it stands."""
    return Facts(books.get(Batch, request.batch))


@frozen
class Nothing:
    """A question without parameters."""


def unfinished(books: Books, _: Nothing) -> Facts[list[Batch]]:
    """Batches begun and not ended, oldest first."""
    q = Query(Batch.KIND, (Test("status", "in", ["claimed", "landing", "needs-mapping"]),))
    return Facts([b for b in books.find(q) if isinstance(b, Batch)])


NEEDS: Final = "batch.write"
CLAIM: Final = Act("batch.claim", Claim, NEEDS, claim, hidden=True)
PLAN: Final = Act("batch.plan", Change, NEEDS, change, hidden=True)
REFUSE: Final = Act("batch.refuse", Change, NEEDS, change, hidden=True)
FINISH: Final = Act("batch.finish", Change, NEEDS, change, hidden=True)
REMEMBER: Final = Act("mapping.remember", Remember, NEEDS, remember, hidden=True)
RECALL: Final = Act("mapping.recall", Recall, NEEDS, recall, writes=False, hidden=True)
SAID: Final = Act("batch.said", Said, NEEDS, said, writes=False, hidden=True)
SO_FAR: Final = Act("batch.so_far", Of, NEEDS, so_far, writes=False, hidden=True)
WAITING: Final = Act("batch.waiting", Of, NEEDS, waiting, writes=False, hidden=True)
PROBLEMS: Final = Act("batch.problems", Of, NEEDS, problems, writes=False, hidden=True)
MADE: Final = Act("batch.made", Of, NEEDS, made, writes=False, hidden=True)
SHOW: Final = Act("batch.one", Of, NEEDS, show, writes=False, hidden=True)
UNFINISHED: Final = Act("batch.unfinished", Nothing, NEEDS, unfinished, writes=False, hidden=True)
INDEX: Final = Act("batch.index", Index, NEEDS, index, hidden=True)
