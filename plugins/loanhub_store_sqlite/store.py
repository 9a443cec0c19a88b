"""The encrypted SQLite file of one institution: a connection for each thread, one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakSet

from attrs import define, field

from loanhub import Damaged, LoanHubError, Misconfigured
from loanhub_store_sqlite.cipher import connect, own_errors, patiently, rows_of
from loanhub_store_sqlite.reading import Reading
from loanhub_store_sqlite.session import Session
from loanhub_store_sqlite.tables import migrate
from loanhub_store_sqlite.writing import Writing

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from loanhub import Schema, Table

CHECKS = ("integrity_check", "foreign_key_check", "cipher_integrity_check")


class _Here(threading.local):
    """This thread's sessions: what reads while something is written must not see half of it."""

    reader: Session | None = None
    writer: Session | None = None


@define(eq=False)
class SqliteStore:
    """A `Store`. All connections of all threads end with `close`."""

    path: Path
    _key: bytes = field(repr=False)
    busy_timeout: float
    _tables: dict[str, Table] = field(factory=dict, init=False, repr=False)
    _here: _Here = field(factory=_Here, init=False, repr=False)
    _sessions: WeakSet[Session] = field(factory=WeakSet, init=False, repr=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)
    _closed: bool = field(default=False, init=False)

    @classmethod
    def open(cls, path: Path, key: bytes, busy_timeout: float) -> SqliteStore:
        """The store of a file, made when missing. Raises as `open_store` says."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Misconfigured("database-not-writable") from error
        store = cls(path, key, busy_timeout)
        try:
            with store._reader().reading():
                pass
        except BaseException:
            store.close()
            raise
        return store

    def migrate(self, schema: Schema) -> None:
        """Bring the tables up to `schema`; what only a newer one has is added.

        Raises Misconfigured("home-too-new") for a home of a later program, Misconfigured("database-layout")
        where a column or key is of another type than the schema says.
        """
        migrate(self._writer(), schema)
        self._tables = {table.name: table for table in schema.tables}

    @contextmanager
    def reading(self, as_of: datetime | None = None) -> Iterator[Reading]:
        """A consistent view; inside this thread's own `writing` it sees what was written so far."""
        writer = self._here.writer
        session = writer if writer is not None and writer.depth else self._reader()
        with session.reading():
            tx = Reading(session, self._tables, as_of)
            try:
                yield tx
            finally:
                tx.end()

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """The one writer; waits for another up to the busy timeout, then raises Busy("database-busy")."""
        session = self._writer()
        with session.writing():
            tx = Writing(session, self._tables)
            try:
                yield tx
            finally:
                tx.end()

    def problems(self) -> list[str]:
        """Faults that SQLite's and SQLCipher's own checks find; reads the whole file."""
        found: list[str] = []
        for check in CHECKS:
            try:
                with own_errors():
                    rows = rows_of(self._reader().conn, check)
                found += [f"{check}: {row[0]}" for row in rows if row != ("ok",)]
            except Damaged as error:
                found.append(f"{check}: {error.code}")
        return found

    def checkpoint(self) -> tuple[int, int]:
        """Copy what can be copied from the log to the file without waiting for anybody (PASSIVE).

        Returns frames in the log and frames copied so far; equal when all of it is.
        """
        with own_errors():
            ((_, logged, copied),) = rows_of(self._writer().conn, "wal_checkpoint(PASSIVE)")
        return logged, copied

    def close(self) -> None:
        """Close all connections of all threads; what is not committed is undone."""
        with self._lock:
            self._closed = True
            for session in list(self._sessions):
                session.conn.close()

    def _reader(self) -> Session:
        if self._here.reader is None or self._here.reader.broken:
            self._here.reader = self._session(read_only=True)
        return self._here.reader

    def _writer(self) -> Session:
        if self._here.writer is None or self._here.writer.broken:
            self._here.writer = self._session(read_only=False)
        return self._here.writer

    def _session(self, *, read_only: bool) -> Session:
        if self._closed:
            raise LoanHubError("database-closed")
        conn = patiently(lambda: connect(self.path, self._key, read_only=read_only), self.busy_timeout)
        session = Session(conn, self.busy_timeout)
        with self._lock:
            self._sessions.add(session)
        return session
