"""The real program killed at every flush to the disk, and the real server killed while real programs use it.

Whatever was reported as done comes back bit for bit. ROUNDS is how often the server is killed (6).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from loanhub.testing.servers import seaweedfs
from tests.flows.syncing import Machine, contents, environment_of, written

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
WORKS = {
    "backup": ["backup", "{office}"],
    "copy": ["copy", "{second}"],
    "prune": ["prune", "--now"],
    "rotate": ["keys", "rotate", "--now"],
    "restore": ["restore", "latest", "--to", "{out}"],
}


def environment(machine: Machine) -> dict[str, str]:
    return {**os.environ, **machine._environment()}


def killed(machine: Machine, argv: Sequence[str], last: int, *, after: bool) -> bool:
    """Whether the program died at its flush number `last`; otherwise it came to its end well."""
    command = [sys.executable, "-c", DYING, str(last), str(after), "--json", *argv]
    done = subprocess.run(command, env=environment(machine), capture_output=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stdout.decode()
    return done.returncode != 0


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", WORKS)
def test_the_program_killed_at_any_flush_has_lost_nothing_it_reported(
    name: str, after: bool, tmp_path: Path
) -> None:
    office = written(tmp_path / "office", {f"{n}.txt": f"第 {n} 号" * 200 for n in range(5)})
    machine = Machine(tmp_path / "state", str(tmp_path / "vault"))
    machine.init()
    first = str(machine("backup", office).data["snapshot"])
    before = contents(office)
    machine("backup", written(tmp_path / "gone", {"old.txt": "will be pruned" * 900}))
    machine("forget", machine("snapshots").data["snapshots"][-1]["id"])
    (office / "new.txt").write_text("new", encoding="utf-8")
    for place in ("state", "vault"):
        shutil.copytree(tmp_path / place, tmp_path / f"{place}-kept")
    for last in count(1):
        for place in ("state", "vault"):
            shutil.rmtree(tmp_path / place)
            shutil.copytree(tmp_path / f"{place}-kept", tmp_path / place)
        for place in ("out", "second", "back"):
            shutil.rmtree(tmp_path / place, ignore_errors=True)
        places = {part: str(tmp_path / part) for part in ("office", "second", "out")}
        argv = [word.format(**places) for word in WORKS[name]]
        died = killed(machine, argv, last, after=after)
        assert machine("verify", "--read-data").code == 0
        assert machine(*argv).code == 0  # simply run again
        assert machine("restore", first, "--to", tmp_path / "back").code == 0
        assert contents(tmp_path / "back" / "office") == before
        if not died:
            break
    assert last > 3


def test_the_server_and_the_agent_killed_at_random_lose_nothing_that_was_reported(tmp_path: Path) -> None:
    lot = random.Random(20261125)
    office = written(tmp_path / "office", {f"{n}.bin": lot.randbytes(9_000).hex() for n in range(20)})
    watched = written(tmp_path / "watched", {"a.txt": "a"})
    with seaweedfs(tmp_path / "server") as server:
        address = f"s3://{server.bucket()}/office"
        machine = Machine(tmp_path / "state", address, settings=environment_of(server))
        machine.init(server.settings())
        other = Machine(tmp_path / "other", address, settings=machine.settings)
        reported: dict[str, dict[str, bytes]] = {}
        run = ["run", str(watched), "--every", "0.5", "--settle", "0.1"]
        for number in range(int(os.environ.get("ROUNDS", "6"))):
            (office / f"{number}.bin").write_bytes(lot.randbytes(20_000))
            (watched / "a.txt").write_text(f"{number}", encoding="utf-8")
            agent = _started(machine, run)
            backup = _started(other, ["backup", str(office)])
            time.sleep(lot.uniform(0.3, 3.0))
            server.kill()
            if lot.random() < 0.5:
                backup.kill()
            time.sleep(lot.uniform(0.0, 1.0))
            server.start()
            said, _ = backup.communicate(timeout=120)
            if backup.returncode == 0:
                reported[str(json.loads(said)["data"]["snapshot"])] = contents(office)
            agent.kill()
            agent.communicate()
        done = other("backup", office)
        assert done.code == 0
        reported[str(done.data["snapshot"])] = contents(office)
        assert machine("backup", watched).code == 0
        found = {one["id"] for one in other("snapshots").data["snapshots"]}
        assert set(reported) <= found
        for number, one in enumerate(sorted(found)):
            assert other("restore", one, "--to", tmp_path / f"out{number}").code == 0
            if one in reported:
                assert contents(tmp_path / f"out{number}" / "office") == reported[one]
        assert other("verify", "--read-data").data["damaged"] == []
        print(f"{len(found)} snapshots, {len(reported)} of them reported as done: all came back")


def _started(machine: Machine, argv: Sequence[str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sync_agent", "--json", *argv]
    return subprocess.Popen(command, env=environment(machine), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
