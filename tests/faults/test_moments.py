"""Ten thousand files and an encrypted database at work: every snapshot is the state of its moment."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
import sqlcipher3.dbapi2 as driver
from attrs import frozen

from loanhub.testing.remotes import MemoryRemote
from sync_agent.restore import restore
from sync_agent.snapshots import Options, Snapshot, take
from sync_agent.snapshots.contents import Contents
from sync_agent.vault import Vault
from tests.faults.busy_office import CHANGING, DATABASE, FILES, Journal, content, furnish, name_of
from tests.unit.counting import counted, made, opened
from tests.unit.vaults import new_vault

KEY = "5e" * 32
SNAPSHOTS = 20


@frozen
class Moment:
    """A snapshot and the two moments between which it was taken."""

    begun: int
    snapshot: Snapshot
    ended: int


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "office"
    furnish(folder)
    made(folder / DATABASE, KEY).close()
    return folder


def taken_while_at_work(vault: Vault, folder: Path, number: int) -> tuple[list[Moment], Journal]:
    """So many snapshots while another process works in the folder, and what that wrote down."""
    notes = folder.with_name("journal")
    command = [sys.executable, "-m", "tests.faults.busy_office", str(folder), str(notes), KEY]
    options, moments = Options(cache=folder.with_name("cache")), []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as office:
        assert office.stdout is not None
        assert office.stdout.readline() == "ready\n"
        for _ in range(number):
            time.sleep(0.2)
            begun = time.monotonic_ns()
            taken = take(vault, [folder], options)
            moments.append(Moment(begun, taken.snapshot, time.monotonic_ns()))
            assert not taken.is_incomplete
        office.communicate(timeout=30)
    assert office.returncode == 0
    return moments, Journal.of(notes)


def prove(vault: Vault, moment: Moment, journal: Journal, target: Path) -> None:
    """Restored, the snapshot is what stood there then."""
    came = restore(vault, moment.snapshot, target)
    assert (came.problems, came.files) == ((), FILES + 1)
    for number in range(FILES):
        name = name_of(number)
        found = (target / "office" / name).read_bytes()
        if number >= CHANGING:
            assert found == content(name, 0)
        else:
            assert found in [content(name, v) for v in journal.possible(name, moment.begun, moment.ended)]
    with closing(opened(target / "office" / DATABASE, KEY)) as database:
        assert counted(database) in journal.possible("count", moment.begun, moment.ended)
    with (
        closing(driver.connect(str(target / "office" / DATABASE))) as unkeyed,
        pytest.raises(driver.DatabaseError),
    ):
        unkeyed.execute("SELECT count(*) FROM counter")


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_each_of_twenty_snapshots_is_the_state_of_its_moment(folder: Path, tmp_path: Path) -> None:
    vault = new_vault(MemoryRemote())
    moments, journal = taken_while_at_work(vault, folder, SNAPSHOTS)
    counts = [journal.possible("count", moment.begun, moment.ended) for moment in moments]
    assert counts[-1].start > counts[0].stop  # it was really at work
    for moment in moments:
        target = tmp_path / "back"
        prove(vault, moment, journal, target)
        shutil.rmtree(target)


@pytest.mark.prove
@pytest.mark.timeout(300)
def test_a_database_that_is_simply_copied_is_noticed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The house built wrongly: its file is read as any other, and what stands in the log is not."""
    monkeypatch.setattr(Contents, "_database", lambda self, path, _: self._plain(path))
    vault = new_vault(MemoryRemote())
    moments, journal = taken_while_at_work(vault, folder, 6)
    with pytest.raises((AssertionError, driver.DatabaseError)) as noticed:
        for number, moment in enumerate(moments):
            prove(vault, moment, journal, tmp_path / str(number))
    assert "counted" in str(noticed.getrepr())
