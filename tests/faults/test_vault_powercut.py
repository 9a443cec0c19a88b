"""The real program killed at every flush to the disk: what was reported as done comes back bit for bit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from tests.flows.syncing import Machine, contents, written

pytestmark = [pytest.mark.prove, pytest.mark.timeout(0)]

DYING = """
import itertools, os, signal, sys
from sync_agent.cli.run import run
last, after, calls, flush = int(sys.argv[1]), sys.argv[2] == "True", itertools.count(1), os.fsync
def dying(handle):
    number = next(calls)
    if number < last or after:
        flush(handle)
    if number >= last:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = dying
sys.exit(run(sys.argv[3:]))
"""
EARLY = """
from loanhub_remote_folder.folder import FolderRemote
put, late = FolderRemote.put_new, []
def early(remote, name, data):
    if name.startswith("p/"):
        late.append((remote, name, data))
        return True
    done = put(remote, name, data)
    while late:
        put(*late.pop())
    return done
FolderRemote.put_new = early
"""
"""The program built wrongly: it commits before it stores what it commits."""
WORKS = {
    "backup": ["backup", "{office}"],
    "agent": ["run", "{office}", "--copy-to", "{second}", "--once"],
    "copy": ["copy", "{second}"],
    "prune": ["prune", "--now"],
    "rotate": ["keys", "rotate", "--now"],
    "restore": ["restore", "latest", "--to", "{out}"],
}


def environment(machine: Machine) -> dict[str, str]:
    return {**os.environ, **machine._environment()}


def killed(machine: Machine, argv: Sequence[str], last: int, *, after: bool, build: str) -> bool:
    """Whether the program died at its flush number `last`; otherwise it came to its end well."""
    command = [sys.executable, "-c", build + DYING, str(last), str(after), "--json", *argv]
    done = subprocess.run(command, env=environment(machine), capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stdout.decode()
    return done.returncode != 0


def prove(name: str, folder: Path, *, after: bool, build: str = "") -> None:
    """Killed at each flush in turn, the work leaves the vault whole and is done when it is run again."""
    office = written(folder / "office", {f"{n}.txt": f"第 {n} 号" * 200 for n in range(5)})
    machine = Machine(folder / "state", str(folder / "vault"))
    machine.init()
    first = str(machine("backup", office).data["snapshot"])
    before = contents(office)
    machine("backup", written(folder / "gone", {"old.txt": "will be pruned" * 900}))
    machine("forget", machine("snapshots").data["snapshots"][-1]["id"])
    (office / "new.txt").write_text("new", encoding="utf-8")
    for place in ("state", "vault"):
        shutil.copytree(folder / place, folder / f"{place}-kept")
    for last in count(1):
        for place in ("state", "vault"):
            shutil.rmtree(folder / place)
            shutil.copytree(folder / f"{place}-kept", folder / place)
        for place in ("out", "second", "back"):
            shutil.rmtree(folder / place, ignore_errors=True)
        places = {part: str(folder / part) for part in ("office", "second", "out")}
        argv = [word.format(**places) for word in WORKS[name]]
        died = killed(machine, argv, last, after=after, build=build)
        assert machine("verify", "--read-data").code == 0, "verify"
        assert machine(*argv).code == 0  # simply run again
        assert machine("restore", first, "--to", folder / "back").code == 0
        assert contents(folder / "back" / "office") == before
        if not died:
            break
    assert last > 3


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", WORKS)
def test_the_program_killed_at_any_flush_has_lost_nothing_it_reported(
    name: str, after: bool, tmp_path: Path
) -> None:
    prove(name, tmp_path, after=after)


def test_a_program_that_commits_before_it_stores_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="verify"):
        prove("backup", tmp_path, after=False, build=EARLY)
