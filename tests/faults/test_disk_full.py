"""A disk that fills up at any point of a batch: it is said, nothing is lost, and with room it goes on.

Most of it needs a small disk of its own: a tmpfs, which only root may mount. That every single step of a
file's journey may be the one for which there is no room is proven in `test_kill.py`.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from loanhub.errors import Busy, LoanHubError
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.records import Query
from loanhub.services.intake.spool import spool
from loanhub.services.intake.watching import Seen, take_once, watch_folders
from loanhub.settings import Intake
from loanhub.workbook import Workbook
from tests.faults.offices import PASSPHRASE, SETTINGS, loans, receipts, workbook

# Files of libraries that could not be written are closed too late.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SIZE = 24 << 20
PEOPLE = 150


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB."""
    if sys.platform == "win32" or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield place
    gc.collect()  # while what it finds may be ignored
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, left: int) -> Path:
    """Fill the disk up to `left` bytes."""
    told = os.statvfs(disk)
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(max(told.f_bavail * told.f_bsize - left, 0)))
    return filler


def day(home: Path) -> list[Seen]:
    """What the watcher says of one look at the drop folder; an exception would be its death."""
    with Institution.open(home, unlock=lambda: Secret(PASSPHRASE)) as house:
        return [seen for seen in take_once(house, "zh", Event()) if isinstance(seen, Seen)]


def lent(home: Path) -> int:
    with Institution.open(home, unlock=lambda: Secret(PASSPHRASE)) as house, house.store.reading() as tx:
        return tx.columns(Query("loan")).height


@pytest.mark.prove
@pytest.mark.parametrize("left", [0, 16, 64, 128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144])
def test_a_disk_that_fills_up_loses_nothing_and_is_gone_on_with(
    left: int, disk: Path, tmp_path: Path
) -> None:
    house, _ = Institution.create(disk / "home", Secret(PASSPHRASE), SETTINGS)
    house.close()
    home, book = disk / "home", workbook(tmp_path / "台账.xlsx", loans(PEOPLE, 1), receipts(30))
    (home / "drop" / book.name).write_bytes(book.read_bytes())
    filler = fill(disk, left << 10)
    try:
        said = day(home)
    except LoanHubError as error:  # the home itself cannot be opened: said in words as well
        said = [Seen(home, error=error)]
    errors = [seen.error.code for seen in said if seen.error]
    stored = [seen for seen in said if seen.batch and seen.batch.status == "stored"]
    assert errors or stored
    assert set(errors) <= {"disk-full", "database-disk-full", "database-disk-fails"}
    filler.unlink()
    day(home)
    day(home)
    assert lent(home) == PEOPLE
    assert list((home / "drop").iterdir()) == []
    assert [path for path in (home / "processing").iterdir() if path.is_file()] == []
    assert len(list((home / "archive").rglob("*.sealed"))) == 1


def test_a_service_takes_a_file_in_as_soon_as_there_is_room(disk: Path, tmp_path: Path) -> None:
    """It is told once, however often it is tried."""
    quick = {**SETTINGS, "intake": {**SETTINGS["intake"], "settle": 0.05, "every": 0.1}}
    house, _ = Institution.create(disk / "home", Secret(PASSPHRASE), quick)
    home, stop, said = disk / "home", Event(), list[str]()
    workbook(home / "drop" / "台账.xlsx", loans(PEOPLE, 1))
    filler, deadline = fill(disk, 300 << 10), time.monotonic() + 60
    with house:
        for seen in watch_folders(house, "zh", stop):
            if isinstance(seen, Seen) and seen.error is not None:
                said.append(seen.error.code)
                filler.unlink(missing_ok=True)
            if (isinstance(seen, Seen) and seen.batch is not None) or time.monotonic() > deadline:
                stop.set()
    assert len(said) == 1
    assert said[0] in {"disk-full", "database-disk-full", "database-disk-fails"}
    assert lent(home) == PEOPLE


def test_a_workbook_for_which_there_is_no_room_leaves_nothing_behind(disk: Path) -> None:
    filler = fill(disk, 64 << 10)
    with pytest.raises(Busy, match="disk-full"), Workbook.at(disk / "报告.xlsx") as book:
        sheet = book.sheet("清单")
        for number in range(20_000):
            sheet.row([f"第{number}行", number])
    assert list(disk.iterdir()) == [filler]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_no_room_for_what_is_read_out_of_a_file_is_no_fault_of_the_file(tmp_path: Path) -> None:
    book = workbook(tmp_path / "台账.xlsx", loans(5, 1))
    room = tmp_path / "room"
    room.mkdir()
    (room / "sheet-0-00000.arrow").symlink_to("/dev/full")
    with pytest.raises(Busy, match="disk-full"):
        spool(book, room, tmp_path / "plugins", [], Intake())


def test_the_small_disk_really_fills_up_somewhere_in_between(disk: Path) -> None:
    filler = fill(disk, 64 << 10)
    with pytest.raises(OSError, match="No space"), (disk / "more").open("wb") as file:
        file.write(bytes(1 << 20))
        file.flush()
    filler.unlink()
