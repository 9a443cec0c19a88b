"""The suite every store passes. A new backend's test is a class of it that names its kind:

    class TestMyStore(StoreSuite):
        kind = StoreKind("mine", open_mine)
        impatient = StoreKind("mine", partial(open_mine, busy_timeout=0.2))

`kind.open` must be importable by name: other processes open the same store.
"""

from __future__ import annotations

import threading
from pathlib import Path

import polars as pl

from loanhub.audit import Head
from loanhub.errors import Busy, LoanHubError, Misconfigured
from loanhub.records import Columns, Query, Test
from loanhub.testing.store_asking import ages, raises
from loanhub.testing.store_searching import SearchingSuite
from loanhub.testing.store_work import (
    CHUNK,
    GROWN,
    HELD,
    SCHEMA,
    after,
    hold,
    logged,
    people,
    save,
    stored,
    write_chunks,
)

TOGETHER = 4
"""Threads that read at once."""


class StoreSuite(SearchingSuite):
    """What a store promises (`loanhub.kinds.Store`), as tests: answers, transactions, log, leases, schema."""

    # -- transactions ----------------------------------------------------------------------------------

    def test_what_fails_leaves_nothing(self, tmp_path: Path) -> None:
        """Neither rows nor audit lines, and the next transaction works."""
        with self.store(tmp_path) as store:
            with raises(ZeroDivisionError), store.writing() as tx:
                tx.put(people([{"id": 1}]), at=after(0), line=1)
                tx.append(lambda head: [logged("save", 0, head)])
                raise ZeroDivisionError
            with store.reading() as reader:
                assert reader.get("person", 1) is None
                assert list(reader.lines()) == []
            save(store, [{"id": 1}], 1)
            assert len(stored(store)) == 1

    def test_a_savepoint_undone_leaves_the_outer_work(self, tmp_path: Path) -> None:
        """A writing inside a writing is all or nothing by itself, and goes with the outer one."""
        with self.store(tmp_path) as store:
            with store.writing() as outer:
                outer.put(people([{"id": 1}]), at=after(0), line=1)
                with raises(ZeroDivisionError), store.writing() as inner:
                    inner.put(people([{"id": 2}]), at=after(0), line=1)
                    with store.writing() as innermost:
                        innermost.put(people([{"id": 3}]), at=after(0), line=1)
                    raise ZeroDivisionError
                with store.writing() as inner:
                    inner.put(people([{"id": 4}]), at=after(0), line=1)
                outer.put(people([{"id": 5}]), at=after(0), line=1)
            assert [r["id"] for r in stored(store)] == [1, 4, 5]
            with raises(ZeroDivisionError), store.writing():
                save(store, [{"id": 6}], 1)
                raise ZeroDivisionError
            assert [r["id"] for r in stored(store)] == [1, 4, 5]

    def test_a_writer_reads_what_it_wrote_and_may_write_while_it_walks(self, tmp_path: Path) -> None:
        """What a find has begun to tell, a put does not change."""
        with self.store(tmp_path) as store:
            save(store, ({"id": n} for n in range(1, 1201)), 0)
            with store.writing() as tx:
                walked = 0
                for record in tx.find(Query("person")):
                    if walked % 100 == 0:
                        tx.put(people([{**record, "amount": 9}]), at=after(1), line=2)
                        tx.put(people([{"id": record["id"] + 5000}]), at=after(1), line=2)
                    walked += 1
                assert walked == 1200
                with store.reading() as inside:
                    assert inside.columns(Query("person")).height == 1212
                assert len(list(tx.find(Query("person", (Test("amount", "eq", 9),))))) == 12

    def test_a_view_stays_as_it_was_while_others_write(self, tmp_path: Path) -> None:
        """From its beginning, though nothing was read yet; in the middle of a stream too."""
        with self.store(tmp_path) as store:
            save(store, ({"id": n} for n in range(1, 2001)), 0)
            with store.reading() as tx:
                writer = threading.Thread(target=save, args=(store, [{"id": 3000}], 1))
                writer.start()
                writer.join()
                stream = tx.find(Query("person"))
                assert next(stream)["id"] == 1
                save(store, [{"id": 3001}], 2)
                assert len(list(stream)) == 1999
                abandoned = tx.find(Query("person"))
                next(abandoned)
            assert len(stored(store)) == 2002
            with raises(RuntimeError):
                list(abandoned)

    def test_a_transaction_that_is_over_takes_nothing(self, tmp_path: Path) -> None:
        """Otherwise a late put would be half of something."""
        with self.store(tmp_path) as store:
            with store.writing() as tx:
                pass
            with raises(RuntimeError):
                tx.put(people([{"id": 1}]), at=after(0), line=1)
            with raises(RuntimeError):
                tx.append(lambda head: [logged("late", 0, head)])
            with raises(RuntimeError):
                tx.find(Query("person"))
            assert stored(store) == []

    def test_threads_read_at_once(self, tmp_path: Path) -> None:
        """Each with a view of its own, all open at the same time."""
        seen: list[int] = []
        with self.store(tmp_path) as store:
            ages(store)
            together = threading.Barrier(TOGETHER, timeout=30)

            def look() -> None:
                with store.reading() as tx:
                    together.wait()
                    seen.append(tx.columns(Query("person")).height)

            threads = [threading.Thread(target=look) for _ in range(TOGETHER)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert seen == [6] * TOGETHER

    # -- other processes -------------------------------------------------------------------------------

    def test_a_writer_waits_for_another_process(self, tmp_path: Path) -> None:
        """And then sees what that one wrote; the impatient give up; who reads waits for nobody."""
        with self.elsewhere(tmp_path, hold) as (_, line):
            assert line.recv() == "written"
            with self.store(tmp_path, kind=self.impatient) as store:
                with raises(Busy, "database-busy"), store.writing():
                    pass
                assert stored(store) == []
            with self.store(tmp_path) as store:
                go_on = threading.Timer(0.3, line.send, ["go on"])
                go_on.start()
                with store.writing() as tx:
                    assert tx.columns(Query("person")).height == len(HELD)
                    tx.put(people([{"id": 1}]), at=after(1), line=2)
                go_on.join()
                assert line.recv() == "done"
                assert len(stored(store)) == len(HELD) + 1

    def test_a_writer_killed_in_the_middle_leaves_nothing(self, tmp_path: Path) -> None:
        """And holds up nobody."""
        with self.elsewhere(tmp_path, hold) as (process, line):
            assert line.recv() == "written"
            process.kill()
            process.join()
            with self.store(tmp_path, kind=self.impatient) as store:
                assert stored(store) == []
                save(store, [{"id": 1}], 0)
                assert store.problems() == []

    def test_a_writer_killed_at_any_moment_leaves_whole_chunks(self, tmp_path: Path) -> None:
        """All it was answered for, each chunk with its audit line, and at most one more."""
        with self.elsewhere(tmp_path, write_chunks) as (process, line):
            while (answered := line.recv()) < 5:
                pass
            process.kill()
            process.join()
            while line.poll():
                try:
                    answered = line.recv()
                except EOFError:
                    break
            with self.store(tmp_path) as store:
                with store.reading() as tx:
                    lines = list(tx.lines())
                    assert tx.columns(Query("person")).height == CHUNK * len(lines)
                assert len(lines) in (answered, answered + 1)
                assert store.problems() == []

    # -- audit log and leases --------------------------------------------------------------------------

    def test_audit_lines_come_back_as_they_were_and_continue_each_other(self, tmp_path: Path) -> None:
        """Also after the home was closed and opened."""
        written = []
        with self.store(tmp_path) as store, store.writing() as tx:
            head = Head(0, bytes(32))
            for act in ("save", "look", "撤销"):
                written.append(logged(act, 0.25, head))
                head = Head(written[-1].seq, written[-1].hash)
            assert tx.append(lambda found: written[:2] if found == Head(0, bytes(32)) else []).seq == 2
            assert tx.append(lambda found: written[2:] if found.seq == 2 else []) == head
        with self.store(tmp_path) as store, store.reading() as reader:
            assert list(reader.lines()) == written
            assert list(reader.lines(1, 1)) == written[1:2]
            assert list(reader.lines(3)) == []

    def test_an_audit_line_that_does_not_continue_the_log_is_refused(self, tmp_path: Path) -> None:
        """Wrong number or wrong hash before it; the lines with it neither."""
        empty = Head(0, bytes(32))
        first = logged("save", 0, empty)
        good = logged("look", 0, Head(1, first.hash))
        with self.store(tmp_path) as store:
            with store.writing() as tx:
                tx.append(lambda _: [first])
            for wrong in (
                first,
                logged("look", 0, Head(2, first.hash)),
                logged("look", 0, Head(1, bytes(32))),
            ):
                with raises(ValueError), store.writing() as tx:
                    tx.append(lambda _, wrong=wrong: [wrong])  # type: ignore[misc]
            with raises(ValueError), store.writing() as tx:
                tx.append(lambda _: [good, good])
            with store.reading() as reader:
                assert list(reader.lines()) == [first]

    def test_a_lease_is_given_to_one_and_runs_out(self, tmp_path: Path) -> None:
        """Pending ones only, oldest first; it is a change as any other."""
        states = ["pending", "sent", "pending", "pending"]
        rows = people([{"id": n} for n in range(1, 5)]).frame.select("id", "version")
        letters = rows.with_columns(state=pl.Series(states))
        with self.store(tmp_path) as store:
            with store.writing() as tx:
                tx.put(Columns("letter", letters), at=after(0), line=3)
            with store.writing() as tx:
                first = tx.lease("letter", 2, now=after(10), until=after(70))
                assert [(r["id"], r["version"], r["line"]) for r in first] == [(1, 2, 3), (3, 2, 3)]
                assert first[0]["lease_until"] == "2026-03-02T01:01:10.000000Z"
            with store.writing() as tx:
                assert [r["id"] for r in tx.lease("letter", 9, now=after(11), until=after(90))] == [4]
                assert tx.lease("letter", 9, now=after(70), until=after(90)) == []
            with store.writing() as tx:
                again = tx.lease("letter", 9, now=after(71), until=after(200))
                assert [(r["id"], r["version"]) for r in again] == [(1, 3), (3, 3)]
                assert tx.get("letter", 1) == again[0]
                with raises(ValueError):
                    tx.lease("person", 1, now=after(71), until=after(72))
            with store.reading(as_of=after(5)) as past:
                found = past.get("letter", 1)
                assert found is not None
                assert found["lease_until"] is None

    # -- schema and end --------------------------------------------------------------------------------

    def test_a_newer_schema_adds_to_an_older_home(self, tmp_path: Path) -> None:
        """Columns, tables and indexes; what was there and its history stay readable."""
        with self.store(tmp_path) as store:
            ages(store)
            save(store, [{"id": 1, "version": 1, "name": "张三三"}], 10)
        for _ in range(2):
            with self.store(tmp_path, GROWN) as store:
                assert len(stored(store)) == 6
                assert stored(store, "pledge") == []
                with store.reading(as_of=after(5)) as past:
                    found = past.get("person", 1)
                    assert found is not None
                    assert (found["name"], found["nickname"], found["photo"]) == ("张三", None, None)
        with self.store(tmp_path, GROWN) as store:
            frame = people([{"id": 1, "version": 2}]).frame.with_columns(nickname=pl.lit("小张"), photo=None)
            with store.writing() as tx:
                ((before, now),) = tx.put(Columns("person", frame), at=after(20), line=2).changed
            assert (before["nickname"], now["nickname"]) == (None, "小张")

    def test_a_home_of_a_later_program_is_refused(self, tmp_path: Path) -> None:
        """Before anything is touched."""
        with self.store(tmp_path, GROWN):
            pass
        store = self.kind.open(tmp_path, self.key)
        try:
            with raises(Misconfigured, "home-too-new"):
                store.migrate(SCHEMA)
        finally:
            store.close()
        with self.store(tmp_path, GROWN) as store:
            assert stored(store, "pledge") == []

    def test_a_whole_store_has_no_problems_and_a_closed_one_says_so(self, tmp_path: Path) -> None:
        """Closing twice is no mistake."""
        with self.store(tmp_path) as store:
            ages(store)
            assert store.problems() == []
            store.close()
            with raises(LoanHubError), store.reading():
                pass
            with raises(LoanHubError), store.writing():
                pass
