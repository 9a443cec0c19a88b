"""`loanhub up` keeps the backup agent of a home running, and starts it again when it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loanhub.cli.supervising import supervised
from loanhub.institution import Institution
from loanhub.keys import Secret
from sync_agent.places import Notes
from sync_agent.plugin import Backups
from tests.flows.syncing import PASSPHRASE, Machine


def until(sees: Callable[[], Any], seconds: float = 40) -> Any:
    end = time.monotonic() + seconds
    while not (found := sees()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.1)
    return found


def test_an_agent_that_ends_is_started_again_and_stopped_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    code = f"import os, time; open({str(log)!r}, 'a').write(f'{{os.getpid()}} '); time.sleep(60)"
    ends: list[int] = []
    with supervised([["-c", code]], lambda status, _: ends.append(status), pause=0.01):
        first = until(lambda: log.exists() and log.read_text().split())
        os.kill(int(first[0]), signal.SIGTERM)
        until(lambda: len(log.read_text().split()) == 2)
        second = int(log.read_text().split()[1])
    assert len(ends) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


@pytest.mark.timeout(180)
def test_a_home_is_backed_up_while_it_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "LoanHub"
    house, _ = Institution.create(home, Secret(PASSPHRASE), {"institution": "河畔小贷", "lang": "en"})
    house.close()
    machine = Machine(tmp_path / "state", str(tmp_path / "vault"))
    monkeypatch.setenv("LOANHUB_SYNC_STATE", str(machine.state))
    assert Backups().agent(home) == ()
    vault = machine("init", "--home", home).data["vault"]
    assert machine.vault in Backups().agent(home)
    status = Notes(machine.state / vault / "status.json")
    environment = {**os.environ, "LOANHUB_PASSPHRASE": PASSPHRASE}
    running = subprocess.Popen(
        [sys.executable, "-m", "loanhub", "up", "--home", str(home)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        until(lambda: status.read().get("day", {}).get("verify"), 90)
    finally:
        running.send_signal(signal.SIGTERM)
        told, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert b"backup agent runs" in told
    assert status.read()["agent"]["state"] == "stopped"
    assert len(machine("snapshots", "--home", home).data["snapshots"]) >= 1
