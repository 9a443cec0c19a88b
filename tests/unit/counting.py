"""A program that writes to a database for the tests of pages: every commit keeps all counters equal.

python -m tests.unit.counting PATH KEY MODE SEED        KEY: 64 hex digits or "-"; stops when its input ends
"""

from __future__ import annotations

import contextlib
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import sqlcipher3.dbapi2 as driver

ROWS = 300
CHECKPOINTS = ("PASSIVE", "FULL", "RESTART", "TRUNCATE")


def opened(path: Path, key: str = "-", mode: str = "wal", page_size: int = 4096) -> Any:
    """A connection in autocommit; the database is made if need be."""
    connection = driver.connect(str(path), isolation_level=None, timeout=20)
    if key != "-":
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute(f"PRAGMA key = \"x'{key}'\"")
        connection.execute(f"PRAGMA cipher_page_size = {page_size}")
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.execute(f"PRAGMA journal_mode = {mode}")
    return connection


def made(path: Path, key: str = "-", mode: str = "wal", page_size: int = 4096) -> Any:
    """A new database of counters, spread over many pages."""
    connection = opened(path, key, mode, page_size)
    connection.execute("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL, pad BLOB)")
    connection.execute("CREATE TABLE line (id INTEGER PRIMARY KEY, v BLOB)")
    rows = ((number, bytes(3000)) for number in range(ROWS))
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO counter VALUES (?, 0, ?)", rows)
    connection.execute("COMMIT")
    return connection


def count(connection: Any) -> None:
    """One commit."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE counter SET n = n + 1")
    connection.execute("INSERT INTO line (v) VALUES (randomblob(2000))")
    connection.execute("COMMIT")


def counted(connection: Any) -> int:
    """How many commits there were; proves that it is the state of one moment."""
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    least, most, rows = connection.execute("SELECT min(n), max(n), count(*) FROM counter").fetchone()
    (lines,) = connection.execute("SELECT count(*) FROM line").fetchone()
    assert (least, rows) == (most, ROWS)
    assert lines == most
    return int(most)


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main(path: str, key: str, mode: str, seed: str) -> None:
    chance, ended = random.Random(int(seed)), threading.Event()
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    connection = opened(Path(path), key, mode)
    print("ready", flush=True)
    while not ended.is_set():
        with contextlib.suppress(driver.OperationalError):
            count(connection)
            if chance.random() < 0.1:
                connection.execute("PRAGMA busy_timeout = 50")
                connection.execute(f"PRAGMA wal_checkpoint({chance.choice(CHECKPOINTS)})")
            if chance.random() < 0.02:
                connection.execute("VACUUM")
            if chance.random() < 0.05:
                connection.close()
                connection = opened(Path(path), key, mode)
        connection.execute("PRAGMA busy_timeout = 20000")
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        time.sleep(0.002)  # so that others get a turn without a log, too


if __name__ == "__main__":
    main(*sys.argv[1:])
