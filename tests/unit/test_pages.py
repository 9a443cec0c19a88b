"""Databases are read at one moment while others write, in every mode, plain and encrypted, without a key."""

from __future__ import annotations

import random
import sqlite3
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub.errors import Busy
from loanhub.testing.remotes import MemoryRemote
from sync_agent import pages
from sync_agent.pages import GROUP, Image, PageSource, is_database
from sync_agent.restore import restore
from sync_agent.snapshots import Options, Problem, ls, take
from sync_agent.wal import HEADER_BYTES, read_log
from tests.unit.counting import count, counted, made, opened
from tests.unit.vaults import new_vault

KEY = "5e" * 32
SIZES = (1024, 4096, 65_536)
Opener = Callable[[Path], Any]


@contextmanager
def writers(
    path: Path, number: int, key: str = "-", mode: str = "wal"
) -> Iterator[list[subprocess.Popen[str]]]:
    """So many programs that write all the time; they end in peace."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.unit.counting", str(path), key, mode, str(seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for seed in range(number)
    ]  # fmt: skip
    try:
        for one in running:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        yield running
    finally:
        for one in running:
            assert one.stdin is not None
            one.stdin.close()
        for one in running:
            one.wait(30)
            assert one.stdout is not None
            one.stdout.close()


@contextmanager
def kept(path: Path, key: str = "-", mode: str = "delete") -> Iterator[None]:
    """Another program commits once, and then has the database for itself."""
    script = (
        "import sys; from pathlib import Path; from tests.unit.counting import *; "
        "c = opened(Path(sys.argv[1]), *sys.argv[2:]); count(c); c.execute('BEGIN EXCLUSIVE'); "
        "print(flush=True); input()"
    )
    command = [sys.executable, "-c", script, str(path), key, mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdin is not None
        assert one.stdout is not None
        assert one.stdout.readline() == "\n"
        yield
        one.stdin.write("\n")


def copied(source: PageSource, target: Path) -> Path:
    """What the source holds at this moment, as a file."""
    with source.held() as image:
        write(image, target)
        assert image.is_one_moment()
    return target


def write(image: Image, target: Path) -> None:
    groups = list(image.groups())
    assert all(len(group) == GROUP for group in groups[:-1])
    content = b"".join(groups)
    assert len(content) == image.size
    target.write_bytes(content)


def count_in(path: Path, key: str = "-", page_size: int = 4096) -> int:
    with closing(opened(path, key, page_size=page_size)) as connection:
        return counted(connection)


@pytest.fixture(params=["plain", "encrypted"])
def key(request: pytest.FixtureRequest) -> str:
    return "-" if request.param == "plain" else KEY


# One moment -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "turns"), [("wal", 20), ("delete", 6), ("truncate", 6)])
def test_snapshots_while_three_programs_write_are_each_of_one_moment(
    tmp_path: Path, key: str, mode: str, turns: int
) -> None:
    """The counters are all equal, and between what was committed before and after."""
    path, vault = tmp_path / "live" / "店.db", new_vault(MemoryRemote())
    path.parent.mkdir()
    made(path, key, mode).close()
    taken = []
    with writers(path, 3, key, mode), closing(opened(path, key, mode)) as asking:
        for _ in range(turns):
            before = asking.execute("SELECT n FROM counter LIMIT 1").fetchone()[0]
            one = take(vault, [path.parent], Options(databases={path: sqlite3.connect} if key != "-" else {}))
            after = asking.execute("SELECT n FROM counter LIMIT 1").fetchone()[0]
            assert one.problems == ()
            taken.append((before, one.snapshot, after))
    assert taken[-1][0] > taken[0][0]
    for number, (before, snapshot, after) in enumerate(taken):
        assert [one.path for one in ls(vault, snapshot, b"live")] == ["live/店.db".encode()]
        target = tmp_path / str(number)
        assert restore(vault, snapshot, target).problems == ()
        assert before <= count_in(target / "live" / "店.db", key) <= after


@pytest.mark.parametrize("page_size", SIZES)
def test_the_image_is_the_file_as_it_is_after_a_checkpoint(tmp_path: Path, key: str, page_size: int) -> None:
    path = tmp_path / "a.db"
    with closing(made(path, key, page_size=page_size)) as connection:
        for _ in range(5):
            count(connection)
        image = copied(PageSource(path), tmp_path / "image.db")
        assert (tmp_path / "a.db-wal").stat().st_size > 0
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        assert image.read_bytes() == path.read_bytes()
    assert count_in(image, key, page_size) == 5


@pytest.mark.parametrize("emptied", [False, True])
def test_what_is_committed_while_the_image_is_read_is_not_in_it_and_not_held_up(
    tmp_path: Path, key: str, emptied: bool
) -> None:
    """The log grows, a checkpoint copies nothing back, and both go on as ever afterwards."""
    path = tmp_path / "a.db"
    with closing(made(path, key)) as connection:
        count(connection)
        if emptied:
            assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        with PageSource(path).held() as image:
            groups = image.groups()
            first = next(groups)
            for _ in range(30):
                count(connection)
            connection.execute("PRAGMA busy_timeout = 0")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            connection.execute("PRAGMA wal_checkpoint(RESTART)")
            count(connection)
            (tmp_path / "b.db").write_bytes(b"".join([first, *groups]))
            assert image.is_one_moment()
        assert count_in(tmp_path / "b.db", key) == 1
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        assert counted(connection) == 32
        assert count_in(copied(PageSource(path), tmp_path / "c.db"), key) == 32


def test_a_log_that_was_begun_anew_is_not_taken_for_the_one_before(tmp_path: Path, key: str) -> None:
    """After a RESTART its old frames still stand in the file, whole, and will be overwritten."""
    path = tmp_path / "a.db"
    with closing(made(path, key)) as connection:
        for _ in range(3):
            count(connection)
        assert connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0
        with PageSource(path).held() as image:
            for _ in range(2):
                count(connection)
            write(image, tmp_path / "b.db")
        assert count_in(tmp_path / "b.db", key) == 3
        assert count_in(copied(PageSource(path), tmp_path / "c.db"), key) == 5


def test_a_database_nobody_uses_and_one_that_was_closed_well_are_read(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.db"
    connection = made(path, key)
    count(connection)
    connection.close()
    assert not (tmp_path / "a.db-wal").exists()
    assert count_in(copied(PageSource(path), tmp_path / "b.db"), key) == 1
    assert (tmp_path / "b.db").read_bytes() == path.read_bytes() or key == "-"


def test_a_user_who_comes_while_the_image_is_read_is_noticed(tmp_path: Path, key: str) -> None:
    """Then it is read again, under locks that keep him off."""
    path = tmp_path / "a.db"
    made(path, key).close()
    with PageSource(path).held() as image:
        groups = image.groups()
        next(groups)
        with closing(opened(path, key)) as connection:
            count(connection)
            list(groups)
            assert not image.is_one_moment()
            assert count_in(copied(PageSource(path), tmp_path / "b.db"), key) == 1


def crash(path: Path, key: str, mode: str) -> None:
    """A program commits seven times, and is killed in the middle of an eighth larger than its cache."""
    script = (
        "import os, sys; from pathlib import Path; from tests.unit.counting import *; "
        "c = opened(Path(sys.argv[1]), sys.argv[2], sys.argv[3]); [count(c) for _ in range(7)]; "
        "c.execute('PRAGMA cache_size = 5'); c.execute('BEGIN'); "
        "c.execute('UPDATE counter SET n = -1, pad = randomblob(3000)'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", script, str(path), key, mode], check=False)


# After a crash --------------------------------------------------------------------------------------------


def test_what_was_committed_before_a_crash_is_in_the_image(tmp_path: Path, key: str) -> None:
    """The log is there, its shared memory is left over, and nobody has recovered anything."""
    path = tmp_path / "a.db"
    made(path, key).close()
    crash(path, key, "wal")
    assert (tmp_path / "a.db-wal").stat().st_size > HEADER_BYTES
    before = path.read_bytes()
    assert count_in(copied(PageSource(path), tmp_path / "b.db"), key) == 7
    (tmp_path / "a.db-shm").write_bytes(bytes((tmp_path / "a.db-shm").stat().st_size))  # as a power cut may
    assert count_in(copied(PageSource(path), tmp_path / "c.db"), key) == 7
    (tmp_path / "a.db-shm").unlink()
    assert count_in(copied(PageSource(path), tmp_path / "d.db"), key) == 7
    assert path.read_bytes() == before


def test_a_journal_left_by_a_crash_is_rolled_back_first(tmp_path: Path, key: str) -> None:
    """The file itself is half of a transaction then; without its key, that is said."""
    path = tmp_path / "a.db"
    made(path, key, "delete").close()
    crash(path, key, "delete")
    assert (tmp_path / "a.db-journal").stat().st_size > 0
    if key != "-":
        with pytest.raises(Busy, match="pages-held"), PageSource(path).held():
            pass
    lent: Opener = lambda one: opened(one, key, "delete")  # noqa: E731
    assert count_in(copied(PageSource(path, lent), tmp_path / "b.db"), key) == 7
    assert count_in(path, key) == 7


# Locks ----------------------------------------------------------------------------------------------------


def test_a_database_somebody_has_for_himself_is_said_to_be_held(tmp_path: Path) -> None:
    path = tmp_path / "live" / "a.db"
    path.parent.mkdir()
    connection = made(path, mode="delete")
    with kept(path), pytest.raises(Busy, match="pages-held"), PageSource(path, patience=0.05).held():
        pass
    with closing(connection), PageSource(path, patience=0.05).held() as image:
        connection.execute("PRAGMA busy_timeout = 0")
        with pytest.raises(Exception, match="locked"):
            count(connection)
        write(image, tmp_path / "b.db")
    assert count_in(tmp_path / "b.db") == 1


def test_a_database_that_is_held_is_a_problem_of_the_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "live" / "a.db"
    path.parent.mkdir()
    (path.parent / "other").write_text("x")
    monkeypatch.setattr(PageSource.__init__, "__kwdefaults__", {"patience": 0.05})
    made(path, mode="delete").close()
    with kept(path):
        taken = take(new_vault(MemoryRemote()), [path.parent])
    assert taken.problems == (Problem("snapshot-database-held", str(path)),)
    assert taken.is_incomplete
    assert taken.snapshot.counts.files == 1


def test_several_may_take_the_same_database_at_once(tmp_path: Path, key: str) -> None:
    path = tmp_path / "a.db"
    made(path, key).close()
    with writers(path, 1, key), ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: copied(PageSource(path), tmp_path / f"b{number}.db"), range(4)))
    assert all(count_in(tmp_path / f"b{number}.db", key) >= 0 for number in range(4))


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_where_a_system_has_no_such_locks_a_connection_holds_the_moment(
    tmp_path: Path, key: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it cannot keep off, it notices; then it is read again."""
    monkeypatch.setattr(pages, "share_range", lambda *_, free=False: None)
    path = tmp_path / "a.db"
    made(path, key, mode).close()
    found = []
    with writers(path, 2, key, mode):
        for number in range(12):
            with PageSource(path, lambda one: opened(one, key, mode)).held() as image:
                write(image, tmp_path / f"b{number}.db")
                if image.is_one_moment():
                    found.append(tmp_path / f"b{number}.db")
    assert found
    counts = [count_in(one, key) for one in found]
    assert counts == sorted(counts)


def test_a_log_begun_anew_under_a_connection_is_noticed(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of a database whose log was copied back whole keeps nobody from writing over the log."""
    monkeypatch.setattr(pages, "share_range", lambda *_, free=False: None)
    path = tmp_path / "a.db"
    with closing(made(path, key)) as connection:
        count(connection)
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        with PageSource(path, lambda one: opened(one, key)).held() as image:
            assert image.is_one_moment()
            count(connection)
            assert not image.is_one_moment()


# Coming back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_what_lies_beside_a_later_state_does_not_spoil_a_database_that_comes_back(
    tmp_path: Path, key: str, mode: str
) -> None:
    """In place, after a crash: SQLite would lay log or journal over whatever file is there."""
    path, vault = tmp_path / "live" / "a.db", new_vault(MemoryRemote())
    path.parent.mkdir()
    made(path, key, mode).close()
    taken = take(vault, [path.parent])
    crash(path, key, mode)
    assert (tmp_path / "live" / "a.db-wal").exists() or (tmp_path / "live" / "a.db-journal").exists()
    assert restore(vault, taken.snapshot, tmp_path).problems == ()
    assert count_in(path, key) == 0


def test_a_database_that_is_open_is_not_replaced(tmp_path: Path, key: str) -> None:
    path, vault = tmp_path / "live" / "a.db", new_vault(MemoryRemote())
    path.parent.mkdir()
    made(path, key).close()
    taken = take(vault, [path.parent])
    with kept(path, key, "wal"):
        done = restore(vault, taken.snapshot, tmp_path)
    assert done.problems == (Problem("restore-in-use", str(path)),)
    assert count_in(path, key) == 1


# Recognising ----------------------------------------------------------------------------------------------


def test_a_database_is_known_by_its_content_or_its_log(tmp_path: Path) -> None:
    with closing(made(tmp_path / "plain", mode="delete")):
        assert is_database(tmp_path / "plain")
    with closing(made(tmp_path / "locked", KEY)):
        assert is_database(tmp_path / "locked")
    assert not is_database(tmp_path / "locked")
    (tmp_path / "text").write_text("SQLite format 3")
    (tmp_path / "text-wal").write_text("no log")
    assert not is_database(tmp_path / "text")


def test_files_beside_what_is_no_database_are_files_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "live"
    folder.mkdir()
    for name in ("book", "book-journal", "alone-wal", "notes-shm"):
        (folder / name).write_text(name)
    taken = take(new_vault(MemoryRemote()), [folder])
    assert taken.snapshot.counts.files == 4


def test_a_change_in_the_log_alone_is_a_change_of_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync_agent.snapshots.seen.GRANULE_NS", 0)
    path, vault = tmp_path / "live" / "a.db", new_vault(MemoryRemote())
    path.parent.mkdir()
    options = Options(cache=tmp_path / "cache")
    with closing(made(path)) as connection:
        take(vault, [path.parent], options)
        assert take(vault, [path.parent], options).snapshot.counts.read == 0
        before = path.stat().st_mtime_ns
        count(connection)
        assert path.stat().st_mtime_ns == before
        taken = take(vault, [path.parent], options)
        assert taken.snapshot.counts.read > 0
    restore(vault, taken.snapshot, tmp_path / "t")
    assert count_in(tmp_path / "t" / "live" / "a.db") == 1


def test_one_percent_of_the_pages_adds_few_groups(tmp_path: Path) -> None:
    path, vault = tmp_path / "live" / "a.db", new_vault(MemoryRemote())
    path.parent.mkdir()
    with closing(opened(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v BLOB)")
        connection.execute("BEGIN")
        connection.executemany("INSERT INTO t (v) VALUES (randomblob(?))", [(3900,)] * 4000)
        connection.execute("COMMIT")
        first = take(vault, [path.parent])
        connection.execute("BEGIN")
        for row in random.Random(3).sample(range(4000), 40):
            connection.execute("UPDATE t SET v = randomblob(3900) WHERE id = ?", (row,))
        connection.execute("COMMIT")
        second = take(vault, [path.parent])
    assert second.stored < 0.2 * first.stored


# The log --------------------------------------------------------------------------------------------------


def summed(content: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """The checksum as SQLite's documentation says it, word by word."""
    first, second = sums
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) % 2**32
        second = (second + two + first) % 2**32
    return first, second


def log_of(frames: list[tuple[int, int, bytes]], order: str, size: int = 512) -> bytes:
    """A log of these frames: page number, page count, page."""
    magic = 0x377F0682 + (order == ">")
    head = struct.pack(">6I", magic, 3007000, size, 0, 7, 8)
    sums = summed(head, order, (0, 0))
    out = head + struct.pack(">2I", *sums)
    for number, pages_now, page in frames:
        sums = summed(struct.pack(">2I", number, pages_now) + page, order, sums)
        out += struct.pack(">6I", number, pages_now, 7, 8, *sums) + page
    return out


@st.composite
def frames(draw: st.DrawFn) -> list[tuple[int, int, bytes]]:
    """Page number, page count where a commit ends, page."""
    numbers = draw(st.lists(st.integers(1, 9), max_size=12))
    return [
        (n, draw(st.sampled_from((0, 0, 5, 9))), bytes([draw(st.integers(0, 255))]) * 512) for n in numbers
    ]


@given(frames(), st.sampled_from("<>"), st.data())
def test_a_log_is_read_up_to_its_last_whole_commit(
    tmp_path_factory: pytest.TempPathFactory,
    some: list[tuple[int, int, bytes]],
    order: str,
    data: st.DataObject,
) -> None:
    """Wherever it is cut or flipped."""
    written = bytearray(log_of(some, order))
    good = len(some)
    if some and data.draw(st.sampled_from((True, False))):
        at = data.draw(st.integers(HEADER_BYTES, len(written) - 1))
        good = (at - HEADER_BYTES) // 536
        if data.draw(st.sampled_from((True, False))):
            del written[at:]
        else:
            written[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("log") / "x-wal"
    path.write_bytes(written)
    with path.open("rb") as stream:
        log = read_log(stream)
    assert log is not None
    ends = [n for n in range(good) if some[n][1]]
    if not ends:
        assert (log.count, log.pages) == (None, {})
        return
    assert log.count == some[ends[-1]][1]
    newest = {number: row for row, (number, _, _) in enumerate(some[: ends[-1] + 1])}
    expected = {n: HEADER_BYTES + row * 536 + 24 for n, row in newest.items() if n <= log.count}
    assert dict(log.pages) == expected


@given(st.binary(max_size=80))
def test_any_bytes_are_a_log_or_none(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("log") / "x-wal"
    for written in (content, b"\x37\x7f\x06\x82" + content):
        path.write_bytes(written)
        with path.open("rb") as stream:
            assert read_log(stream) is None
