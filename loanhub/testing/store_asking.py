"""The half of the store suite that asks: rows, their history, and every question a Query can put."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from loanhub.errors import Stale
from loanhub.kinds import ReadTx, Store, StoreKind
from loanhub.records import Columns, Cursor, Order, Query, Record, Test
from loanhub.schema import Schema
from loanhub.testing.store_work import (
    SCHEMA,
    after,
    check_history,
    fields,
    people,
    place,
    save,
    some_steps,
    stored,
)

Work = Callable[[StoreKind, Path, bytes, Any], None]

PATIENCE = 60.0
"""Seconds another process may take to answer."""


@contextmanager
def raises(kind: type[Exception], code: str | None = None) -> Iterator[None]:
    """The inside must fail with this error and, if given, this code."""
    try:
        yield
    except kind as error:
        if code is not None and getattr(error, "code", None) != code:
            raise AssertionError(f"{error} where {code} was expected") from error
    else:
        raise AssertionError(f"{kind.__name__} was expected")


def ages(store: Store) -> None:
    """Six persons with ties and NULLs in every field."""
    rows: list[Record] = [
        {"id": 1, "name": "张三", "born": "1990-05-01", "amount": 300, "active": True, "secret": b"\x01"},
        {"id": 2, "name": "张三丰", "born": None, "amount": None, "active": None, "secret": None},
        {"id": 3, "name": None, "born": "1985-01-31", "amount": 300, "active": False, "secret": b"\x01\x02"},
        {"id": 4, "name": "李四", "born": "1990-05-01", "amount": -5, "active": True, "secret": b""},
        {"id": 5, "name": "", "born": None, "amount": None, "active": False, "secret": b"\x01"},
        {"id": 6, "name": "张", "born": "2001-12-31", "amount": 0, "active": None, "secret": None},
    ]
    save(store, rows, 0)


def paged(tx: ReadTx, order: Order, size: int = 2) -> list[int]:
    """All ids, asked for page by page."""
    ids: list[int] = []
    cursor: Cursor | None = None
    while page := list(tx.find(Query("person", order=order, after=cursor, limit=size))):
        assert len(page) <= size
        ids += [record["id"] for record in page]
        cursor = Cursor(page[-1][order.field], page[-1]["id"])
    return ids


class AskingSuite:
    """A store to test on, and what it answers."""

    kind: ClassVar[StoreKind]
    impatient: ClassVar[StoreKind]
    """The same, but gives up waiting for another writer within a second."""
    key: ClassVar[bytes] = bytes(range(32))

    @contextmanager
    def store(self, home: Path, schema: Schema = SCHEMA, kind: StoreKind | None = None) -> Iterator[Store]:
        """An open store, brought up to `schema`, closed at the end."""
        store = (kind or self.kind).open(home, self.key)
        try:
            store.migrate(schema)
            yield store
        finally:
            store.close()

    @contextmanager
    def elsewhere(self, home: Path, work: Work) -> Iterator[Any]:
        """Another process at the same store: (process, our end of the line to it)."""
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=work, args=(self.kind, home, self.key, theirs))
        process.start()
        theirs.close()
        try:
            assert ours.poll(PATIENCE), "the other process says nothing"
            yield process, ours
        finally:
            process.kill()
            process.join()
            process.close()
            ours.close()

    # -- rows ------------------------------------------------------------------------------------------

    def test_every_type_comes_back_as_it_was_stored(self, tmp_path: Path) -> None:
        """As a record and as a frame."""
        row: Record = {
            "id": 2**62,
            "name": '𠮷田 O\'Brien\n"x"\\',
            "born": "1990-05-01",
            "amount": -(2**62),
            "active": True,
            "extra": '{"一":[1,null]}',
            "secret": bytes(range(256)),
        }
        with self.store(tmp_path) as store:
            save(store, [row, {"id": 1, "active": False}], 5)
            with store.reading() as tx:
                record = tx.get("person", 2**62)
                frame = tx.columns(Query("person"))
        assert record == {**row, "version": 1, "at": "2026-03-02T01:00:05.000000Z", "line": 1}
        assert record is not None
        assert record["active"] is True
        assert frame.schema == {
            **{"id": pl.Int64, "version": pl.Int64, "at": pl.String, "line": pl.Int64},
            **{"name": pl.String, "born": pl.Date, "amount": pl.Int64, "active": pl.Boolean},
            **{"extra": pl.String, "secret": pl.Binary},
        }
        back = frame.with_columns(pl.col("born").cast(pl.String)).to_dicts()
        assert back[1] == record
        assert {name for name, value in back[0].items() if value is None} == {"name", "born", "amount"} | {
            "extra",
            "secret",
        }
        assert back[0]["active"] is False

    def test_an_empty_answer_is_a_typed_frame(self, tmp_path: Path) -> None:
        """So that what works on a frame works on nothing too."""
        with self.store(tmp_path) as store, store.reading() as tx:
            frame = tx.columns(Query("person"))
            assert frame.height == 0
            assert frame.schema["born"] == pl.Date
            assert tx.get("person", 1) is None

    def test_a_frame_that_was_read_may_be_put_back(self, tmp_path: Path) -> None:
        """With its days as `pl.Date` and the columns the store adds."""
        with self.store(tmp_path) as store:
            ages(store)
            with store.writing() as tx:
                frame = tx.columns(Query("person", (Test("id", "eq", 1),)))
                changed = frame.with_columns(pl.col("born").dt.offset_by("1d"))
                diff = tx.put(Columns("person", changed), at=after(1), line=2)
        assert [(b["born"], a["born"]) for b, a in diff.changed] == [("1990-05-01", "1990-05-02")]

    def test_a_new_row_may_lack_columns_a_changed_one_not(self, tmp_path: Path) -> None:
        """Nothing is nulled by an omission."""
        with self.store(tmp_path) as store, store.writing() as tx:
            bare = pl.DataFrame({"id": [1], "version": [0], "name": ["张三"]})
            assert tx.put(Columns("person", bare), at=after(0), line=1).new == (1,)
            with raises(ValueError):
                tx.put(Columns("person", bare.with_columns(pl.lit(1).alias("version"))), at=after(1), line=1)

    def test_what_does_not_fit_the_table_is_refused(self, tmp_path: Path) -> None:
        """Unknown columns, kinds and types; above all plain text where sealed bytes belong."""
        frames = [
            pl.DataFrame({"id": [1], "version": [0], "shoe_size": [43]}),
            pl.DataFrame({"id": [1], "version": [0], "secret": ["119999199001011234"]}),
            pl.DataFrame({"id": [1], "version": [0], "amount": ["much"]}),
            pl.DataFrame({"id": [1], "version": [0], "born": ["1990-02-30"]}),
            pl.DataFrame({"id": [None], "version": [0]}, schema={"id": pl.Int64, "version": pl.Int64}),
            pl.DataFrame({"id": [1]}),
        ]
        with self.store(tmp_path) as store:
            for frame in frames:
                with raises(ValueError), store.writing() as tx:
                    tx.put(Columns("person", frame), at=after(0), line=1)
            with raises(ValueError), store.reading() as reader:
                reader.columns(Query("stranger"))
            with raises(ValueError), store.reading() as reader:
                reader.columns(Query("person", (Test("shoe_size", "eq", 43),)))
            assert stored(store) == []

    def test_a_change_makes_a_version_and_says_before_and_after(self, tmp_path: Path) -> None:
        """What history and undo are made of."""
        with self.store(tmp_path) as store:
            save(store, [{"id": 7, "name": "张三", "amount": 1}], 0)
            with store.writing() as tx:
                rows = [{"id": 7, "version": 1, "name": "张三", "amount": 2}, {"id": 8, "name": "新"}]
                diff = tx.put(people(rows), at=after(60), line=9)
            assert diff.new == (8,)
            ((before, now),) = diff.changed
            assert (before["version"], before["amount"], before["line"]) == (1, 1, 1)
            assert (now["version"], now["amount"], now["line"]) == (2, 2, 9)
            with store.reading() as reader:
                assert reader.get("person", 7) == now
            with store.reading(as_of=after(59)) as past:
                assert past.get("person", 7) == before
                assert past.get("person", 8) is None

    def test_saving_the_same_again_is_no_change(self, tmp_path: Path) -> None:
        """No version, no history."""
        with self.store(tmp_path) as store:
            ages(store)
            before = stored(store)
            with store.writing() as tx:
                diff = tx.put(
                    people(fields(r) | {"id": r["id"], "version": 1} for r in before), at=after(1), line=2
                )
            assert (diff.new, diff.changed, diff.removed) == ((), (), ())
            assert stored(store) == before

    def test_a_change_of_what_others_changed_is_stale(self, tmp_path: Path) -> None:
        """And so is a removed record, and a new one where another is; nothing of the transaction stays."""
        with self.store(tmp_path) as store:
            save(store, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3}], 0)
            save(store, [{"id": 1, "version": 1, "name": "c"}], 1)
            save(store, [{"id": 3, "version": 1}], 1, gone=True)
            for late in (
                {"id": 1, "version": 1, "name": "d"},
                {"id": 3, "version": 1},
                {"id": 9, "version": 1},
            ):
                with raises(Stale, "record-changed"):
                    save(store, [{"id": 2, "version": 1, "name": "x"}, late], 2)
            with raises(Stale, "record-changed"):
                save(store, [{"id": 2, "version": 1}, {"id": 1, "version": 1}], 2, gone=True)
            with raises(Stale, "record-exists"):
                save(store, [{"id": 10}, {"id": 1}], 2)
            assert [(r["id"], r["version"], r["name"]) for r in stored(store)] == [(1, 2, "c"), (2, 1, "b")]

    # -- history ---------------------------------------------------------------------------------------

    def test_history_agrees_with_a_plain_model(self, tmp_path: Path) -> None:
        """Every moment of stories of saving, changing, removing and saving again."""
        for seed in range(6):
            with self.store(tmp_path / str(seed)) as store:
                check_history(store, some_steps(seed, 14))

    def test_a_removed_record_stays_in_history_and_may_return(self, tmp_path: Path) -> None:
        """Its versions go on counting."""
        with self.store(tmp_path) as store:
            save(store, [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], 0)
            with store.writing() as tx:
                removed = tx.put(people([{"id": 1, "version": 1}], gone=True), at=after(10), line=2).removed
            assert [r["name"] for r in removed] == ["a"]
            assert [r["id"] for r in stored(store)] == [2]
            save(store, [{"id": 1, "name": "again"}], 20)
            assert stored(store)[0]["version"] == 2
            for seconds, name in ((5, "a"), (15, None), (25, "again")):
                with store.reading(as_of=after(seconds)) as past:
                    found = past.get("person", 1)
                    assert (found and found["name"]) == name

    def test_a_past_view_answers_conditions_and_pages_as_of_then(self, tmp_path: Path) -> None:
        """By the values that stood then, not by today's."""
        with self.store(tmp_path) as store:
            ages(store)
            now = [{**fields(r), "id": r["id"], "version": 1, "amount": 7} for r in stored(store)]
            save(store, now, 10)
            where = (Test("amount", "eq", 300),)
            with store.reading(as_of=after(5)) as past:
                assert [r["id"] for r in past.find(Query("person", where))] == [1, 3]
                assert paged(past, Order("amount", down=True)) == [3, 1, 6, 4, 5, 2]
            with store.reading() as tx:
                assert list(tx.find(Query("person", where))) == []
                within = Test("id", "within", Query("person", where))  # asked of now, so there is none
                assert list(tx.find(Query("person", (within,), as_of=after(5)))) == []
                assert tx.columns(Query("person", where, as_of=after(5)))["id"].to_list() == [1, 3]

    # -- questions -------------------------------------------------------------------------------------

    def test_every_condition_means_what_it_says(self, tmp_path: Path) -> None:
        """NULL equals NULL, differs from all else, and is neither less nor greater than anything."""
        expected: list[tuple[Test, list[int]]] = [
            (Test("amount", "eq", 300), [1, 3]),
            (Test("amount", "eq", None), [2, 5]),
            (Test("amount", "ne", 300), [2, 4, 5, 6]),
            (Test("amount", "lt", 0), [4]),
            (Test("amount", "le", 0), [4, 6]),
            (Test("amount", "gt", 0), [1, 3]),
            (Test("amount", "ge", 0), [1, 3, 6]),
            (Test("amount", "in", [300, -5]), [1, 3, 4]),
            (Test("amount", "in", [0, None]), [2, 5, 6]),
            (Test("amount", "in", []), []),
            (Test("id", "in", list(range(2, 100_000))), [2, 3, 4, 5, 6]),
            (Test("name", "in", ["张", "李四", "'"]), [4, 6]),
            (Test("secret", "in", [b"\x01", b""]), [1, 4, 5]),
            (Test("secret", "eq", b"\x01"), [1, 5]),
            (Test("amount", "null"), [2, 5]),
            (Test("name", "not_null"), [1, 2, 4, 5, 6]),
            (Test("name", "prefix", "张三"), [1, 2]),
            (Test("name", "prefix", ""), [1, 2, 4, 5, 6]),
            (Test("born", "ge", "1990-05-01"), [1, 4, 6]),
            (Test("active", "eq", True), [1, 4]),
            (Test("active", "ne", True), [2, 3, 5, 6]),
            (Test("version", "eq", 1), [1, 2, 3, 4, 5, 6]),
            (Test("", "any", (Test("amount", "eq", 0), Test("name", "prefix", "张三"))), [1, 2, 6]),
            (Test("", "any", (Test("amount", "null"), Test("secret", "null"))), [2, 5, 6]),
            (Test("", "any", ()), []),
            (Test("amount", "within", Query("person", (Test("name", "eq", "张三"),))), []),
            (Test("version", "within", Query("person", (Test("name", "eq", "张三"),))), [1, 2, 3, 4, 5, 6]),
            (Test("id", "within", Query("person", (Test("amount", "ge", 0),))), [1, 3, 6]),
            (Test("id", "within", Query("person", ())), [1, 2, 3, 4, 5, 6]),
        ]
        with self.store(tmp_path) as store:
            ages(store)
            with store.reading() as tx:
                for test, ids in expected:
                    assert [r["id"] for r in tx.find(Query("person", (test,)))] == ids, test
                nested = Test("id", "within", Query("person", (Test("", "any", (Test("born", "null"),)),)))
                either = Test("", "any", (nested, Test("amount", "eq", 0)))
                assert [r["id"] for r in tx.find(Query("person", (either, Test("id", "gt", 2))))] == [5, 6]
                with raises(ValueError):
                    list(tx.find(Query("person", (Test("id", "within", Query("nobody", ())),))))
                both = (Test("active", "eq", True), Test("amount", "gt", 0))
                assert [r["id"] for r in tx.find(Query("person", both))] == [1]

    def test_pages_put_together_are_the_whole_order(self, tmp_path: Path) -> None:
        """Over NULLs and ties, up and down, by every column."""
        with self.store(tmp_path) as store:
            ages(store)
            with store.reading() as tx:
                whole = list(tx.find(Query("person")))
                for field in whole[0]:
                    for down in (False, True):
                        order = Order(field, down)
                        ids = [r["id"] for r in tx.find(Query("person", order=order))]
                        expected = sorted(whole, key=lambda r: place(r[field], r["id"]), reverse=down)
                        assert ids == [r["id"] for r in expected], order
                        assert paged(tx, order) == ids

    def test_columns_are_those_that_were_asked_for(self, tmp_path: Path) -> None:
        """In the order asked, of now and of the past, typed when nothing is found; no others exist."""
        asked = ("born", "id", "active")
        with self.store(tmp_path) as store:
            ages(store)
            with store.reading() as tx:
                whole = tx.columns(Query("person"))
                assert tx.columns(Query("person", fields=asked)).equals(whole.select(asked))
                assert tx.columns(Query("person", fields=asked, as_of=after(5))).equals(whole.select(asked))
                nobody = tx.columns(Query("person", (Test("id", "eq", 99),), fields=asked))
                assert nobody.schema == whole.select(asked).schema
                with raises(ValueError):
                    tx.columns(Query("person", fields=("id", "shoe_size")))
