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


def test_an_agent_gets_what_it_is_handed_at_every_start_and_nobody_else_does(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    code = f"import os; open({str(log)!r}, 'a').write(os.environ['WORD'] + ' ')"
    with supervised([["-c", code]], lambda *_: None, pause=0.01, environment={"WORD": "handed"}):
        until(lambda: log.exists() and len(log.read_text().split()) > 1)
    assert set(log.read_text().split()) == {"handed"}
    assert "WORD" not in os.environ


def home_of(tmp_path: Path) -> Path:
    home = tmp_path / "LoanHub"
    house, _ = Institution.create(home, Secret(PASSPHRASE), {"institution": "河畔小贷", "lang": "en"})
    house.close()
    return home


@pytest.mark.timeout(180)
def test_a_passphrase_that_was_typed_is_handed_to_the_agent_and_to_nothing_else(tmp_path: Path) -> None:
    """Typed at a terminal, as a person does; it stands in no command line and in no file."""
    pty, termios = pytest.importorskip("pty"), pytest.importorskip("termios")
    home, machine = home_of(tmp_path), Machine(tmp_path / "state", str(tmp_path / "vault"))
    vault = machine("init", "--home", home).data["vault"]
    status = Notes(machine.state / vault / "status.json")
    words = ("LOANHUB_PASSPHRASE", "LOANHUB_SYNC_PASSPHRASE")
    environment = {name: value for name, value in os.environ.items() if name not in words}
    keyboard, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "loanhub", "up", "--home", str(home)], stdin=terminal, start_new_session=True,
        env={**environment, "LOANHUB_SYNC_STATE": str(machine.state)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as running:  # fmt: skip
        try:
            until(lambda: not termios.tcgetattr(keyboard)[3] & termios.ECHO)
            os.write(keyboard, f"{PASSPHRASE}\n".encode())
            pid = until(
                lambda: status.read().get("day", {}).get("verify") and status.read()["agent"]["pid"], 90
            )
            seen = Path(f"/proc/{pid}/cmdline")
            line = seen.read_bytes() if seen.exists() else b""
        finally:
            running.send_signal(signal.SIGTERM)
            told, _ = running.communicate(timeout=60)
    os.close(keyboard)
    os.close(terminal)
    assert running.returncode == 0
    assert b"backup agent runs" in told
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(PASSPHRASE.encode() in one for one in (line, told, *files))
    assert len(machine("snapshots", "--home", home).data["snapshots"]) >= 1


@pytest.mark.timeout(180)
def test_a_home_is_backed_up_while_it_is_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_of(tmp_path)
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
