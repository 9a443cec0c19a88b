"""Keeps the records of one institution in an encrypted SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loanhub import StoreKind, hookimpl

if TYPE_CHECKING:
    from pathlib import Path

    from loanhub_store_sqlite.store import SqliteStore

BUSY_TIMEOUT: Final = 10.0
"""Seconds a writer waits for another before it gives up."""


def open_store(home: Path, key: bytes, *, busy_timeout: float = BUSY_TIMEOUT) -> SqliteStore:
    """The store in `HOME/data/loanhub.db`, made when missing; `key` is 32 secret bytes.

    Raises Damaged("database-unreadable") for another key or a damaged first page: the file alone cannot
    tell them apart. Raises Misconfigured("database-not-writable") where nothing may be written.
    """
    from loanhub_store_sqlite.store import SqliteStore

    return SqliteStore.open(home / "data" / "loanhub.db", key, busy_timeout)


@hookimpl
def stores() -> list[StoreKind]:
    """The storage backend `sqlite`."""
    return [StoreKind("sqlite", open_store)]
