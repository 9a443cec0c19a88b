"""Opens the encrypted file, the key before all else, and turns the driver's errors into the house's own."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlcipher3.dbapi2 as driver

from loanhub import Busy, Damaged, LoanHubError, Misconfigured, Stale

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from pathlib import Path

    from sqlite_utils import Database

T = TypeVar("T")

DriverError = driver.Error

KEY_LENGTH: Final = 32
PAUSE: Final = 0.002
GLANCE: Final = 0.003
"""Seconds SQLite itself waits for a lock. We ask again and again: its own pauses grow to 0.1 s, and a
writer that comes between the chunks of a long import would miss most gaps, which are of some milliseconds."""

SETTINGS: Final = (
    "synchronous = FULL",  # a commit that was answered survives a power cut
    "foreign_keys = ON",
    "recursive_triggers = ON",
    "temp_store = MEMORY",  # sorting must not leave plain rows in a temporary file
    "mmap_size = 0",
    "cache_size = -65536",  # KiB: 64 MB at most
)

BUSY, LOCKED, READONLY, IO, CORRUPT, FULL, CANNOT_OPEN, CONSTRAINT, NOT_A_DATABASE = (
    5,
    6,
    8,
    10,
    11,
    13,
    14,
    19,
    26,
)


def connect(path: Path, key: bytes, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection of one thread, in autocommit.

    Raises ValueError for a key that is not 32 bytes long, and the driver's own errors.
    """
    if len(key) != KEY_LENGTH:
        # SQLCipher would silently take it as a passphrase, and encrypt with another key.
        raise ValueError(f"the key of a database has {KEY_LENGTH} bytes, not {len(key)}")
    # For every None it binds the driver looks for an adapter by way of two exceptions, unless one is known.
    driver.register_adapter(type(None), {}.get)
    conn: sqlite3.Connection = driver.connect(
        str(path), timeout=GLANCE, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        conn.execute("PRAGMA cipher_log_level = NONE")  # a wrong key would print to stderr
        conn.set_key(f"x'{key.hex()}'")  # type: ignore[attr-defined]
        conn.execute("PRAGMA journal_mode = WAL")
        for setting in SETTINGS:
            conn.execute(f"PRAGMA {setting}")
        if read_only:
            conn.execute("PRAGMA query_only = ON")
    except BaseException:
        conn.close()
        raise
    return conn


class own_errors:  # noqa: N801 - reads as a word of the language: `with own_errors():`
    """Within it, errors of the driver come out as the house's own."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, driver.Error):
            raise translated(error) from error


def patiently(act: Callable[[], T], patience: float) -> T:
    """Do `act`, again and again while another process or thread holds the file, for `patience` seconds.

    Raises Busy("database-busy") when they are over, and the house's own errors.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            with own_errors():
                return act()
        except Busy as error:
            if error.code != "database-busy" or time.monotonic() >= deadline:
                raise
        time.sleep(PAUSE)


def translated(error: BaseException) -> LoanHubError:
    """What an error of the driver is in this house. Its words name tables and columns, never values."""
    code, words = _code(error), str(error)
    if code in (BUSY, LOCKED):
        return Busy("database-busy")
    if code == NOT_A_DATABASE:
        return Damaged("database-unreadable")
    if code == CORRUPT:
        return Damaged("database-damaged")
    if code == IO:  # most often there is no room for the files beside the database
        return Busy("database-disk-fails")
    if code == FULL:
        return Busy("database-disk-full")
    if code in (READONLY, CANNOT_OPEN):
        return Misconfigured("database-not-writable")
    if code == CONSTRAINT and words.startswith("UNIQUE constraint failed: "):
        return Stale("record-exists", kind=words.removeprefix("UNIQUE constraint failed: ").split(".")[0])
    if words.startswith("Cannot operate on a closed"):
        return LoanHubError("database-closed")
    return LoanHubError("database-fault", what=words)


def _code(error: BaseException) -> int:
    # Only the primary code is there, whatever the extended one was.
    return int(getattr(error, "sqlite_errorcode", None) or 0)


def toolbox(conn: sqlite3.Connection) -> Database:
    """sqlite-utils over one of our connections.

    It catches errors of the module it imported, so the driver must stand in that place; and other people's
    sqlite-utils plugins are not let near our connection.
    """
    import sqlite_utils.db
    import sqlite_utils.utils

    for module in (sqlite_utils.db, sqlite_utils.utils):
        names = {"sqlite3": driver, "dbapi2": driver, "OperationalError": driver.OperationalError}
        for name, ours in names.items():
            if hasattr(module, name):
                setattr(module, name, ours)
    return sqlite_utils.db.Database(conn, execute_plugins=False)


def rows_of(conn: sqlite3.Connection, pragma: str) -> list[tuple[Any, ...]]:
    """All rows a pragma answers."""
    with closing(conn.execute(f"PRAGMA {pragma}")) as cursor:
        return cursor.fetchall()
