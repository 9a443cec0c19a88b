"""One thread's connection and its transactions: begin patiently, nest by savepoint, leave nothing behind."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from attrs import define, field

from loanhub import LoanHubError
from loanhub_store_sqlite.cipher import DriverError, own_errors, patiently

if TYPE_CHECKING:
    import sqlite3


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the search for reference cycles: among a million rows of plain values it finds none."""
    wanted = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if wanted:
            gc.enable()


@define(eq=False, weakref_slot=True)
class Session:
    """A connection that belongs to one thread; `depth` counts the transactions open inside each other."""

    conn: sqlite3.Connection = field(repr=False)
    patience: float
    depth: int = 0
    broken: bool = False
    """A transaction could not be undone: the connection is closed and must not be used again."""

    def run(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement. Raises the house's own errors."""
        with own_errors():
            self._check()
            return self.conn.execute(sql, values)

    def run_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one statement for each row."""
        with own_errors(), uncollected():
            self._check()
            self.conn.executemany(sql, rows)

    def _check(self) -> None:
        # SQLite undoes a whole transaction on some faults (disk full). Who swallowed that error would go on
        # writing outside any transaction.
        if self.broken or (self.depth and not self.conn.in_transaction):
            raise LoanHubError("database-rolled-back")

    def begin(self, how: str) -> None:
        """Begin, asking again until `patience` is over. Raises Busy("database-busy")."""
        patiently(lambda: self._begin(how), self.patience)

    def _begin(self, how: str) -> None:
        if self.conn.in_transaction:  # a try before this one, or one cut off by Ctrl-C
            self.conn.execute("ROLLBACK")
        self.conn.execute(how)
        # A deferred transaction sees the moment of its first read: let that be now.
        self.conn.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """One consistent view, shared by those inside."""
        if not self.depth:
            self.begin("BEGIN DEFERRED")
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
            if not self.depth:
                self._undo("")

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All or nothing: a transaction, or a savepoint inside one."""
        mark = f"inside_{self.depth}" if self.depth else ""
        if mark:
            self.run(f"SAVEPOINT {mark}")
        else:
            self.begin("BEGIN IMMEDIATE")
        self.depth += 1
        try:
            yield
            self.run(f"RELEASE {mark}" if mark else "COMMIT")
        except BaseException:
            self._undo(mark)
            raise
        finally:
            self.depth -= 1

    def _undo(self, mark: str) -> None:
        try:
            if not self.conn.in_transaction:
                return
            if mark:
                self.conn.execute(f"ROLLBACK TO {mark}")
                self.conn.execute(f"RELEASE {mark}")
            else:
                self.conn.execute("ROLLBACK")
        except DriverError:
            # Closing undoes it as surely, and the next transaction gets a new connection.
            self.broken = True
            self.conn.close()
