"""Drills, the recovery plan and the agent, by the command line; and what `loanhub doctor` hears of it all."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from loanhub.cli.run import run as loanhub
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.services.office import surroundings
from sync_agent.drill import last_drill
from sync_agent.places import Notes
from sync_agent.plugin import Backups
from sync_agent.vault import Vault
from tests.flows.syncing import PASSPHRASE, Machine, contents, written
from tests.unit.counting import count, made

FILES = {"合同/张三.txt": "五万元", "notes.txt": "one"}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "state", str(tmp_path / "disk"))
    machine.init()
    return machine


@pytest.fixture
def office(tmp_path: Path) -> Path:
    return written(tmp_path / "office", FILES)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A LoanHub home that opens with the passphrase of all machines here."""
    monkeypatch.setenv("LOANHUB_SYNC_STATE", str(tmp_path / "state"))
    root = tmp_path / "LoanHub"
    house, _ = Institution.create(root, Secret(PASSPHRASE), {"institution": "河畔小贷", "lang": "en"})
    house.close()
    return root


def opened(machine: Machine) -> Vault:
    from sync_agent.remotes import open_remote

    return Vault.open(open_remote(machine.vault), machine.passphrase)


# -- drills ----------------------------------------------------------------------------------------


def test_a_drill_restores_proves_and_leaves_signed_evidence(machine: Machine, office: Path) -> None:
    with closing(sqlite3.connect(office / "ledger.db")) as ledger, ledger:
        ledger.execute("CREATE TABLE loan (id INTEGER PRIMARY KEY, amount INTEGER)")
    machine("backup", office)
    came = machine("drill", "--scratch", office.parent)
    assert came.code == 0
    assert came.data["passed"]
    assert (came.data["files"], came.data["databases"]) == (3, 1)
    evidence = last_drill(opened(machine))
    assert evidence is not None
    assert evidence["milliseconds"] == came.data["milliseconds"]
    assert machine("status").data["last_drill"]["passed"] is True
    assert [path.name for path in office.parent.glob("loanhub-drill-*")] == []
    assert "Drill passed" in machine.says("drill", "--lang", "en")[1]


def test_a_drill_finds_a_database_that_is_broken(machine: Machine, office: Path) -> None:
    with closing(sqlite3.connect(office / "ledger.db")) as ledger, ledger:
        ledger.execute("PRAGMA foreign_keys = OFF")
        ledger.execute("CREATE TABLE customer (id INTEGER PRIMARY KEY)")
        ledger.execute("CREATE TABLE loan (customer INTEGER REFERENCES customer)")
        ledger.execute("INSERT INTO loan VALUES (7)")
    machine("backup", office)
    came = machine("drill")
    assert (came.code, came.error) == (7, "sync-drill-failed")
    assert [(one["code"], one["path"]) for one in came.data["faults"]] == [
        ("sync-drill-database", "office/ledger.db")
    ]
    assert machine("status").data["last_drill"]["passed"] is False


def test_a_drill_checks_an_encrypted_database_as_far_as_it_can_and_says_how_far(
    machine: Machine, office: Path
) -> None:
    """Nobody gave its key: it is told apart by the log beside it."""
    with closing(made(office / "till.db", "5e" * 32)) as till:
        count(till)
        machine("backup", office)
    came = machine("drill")
    assert (came.code, came.data["databases"], came.data["unopened"]) == (0, 0, 1)
    assert "1 encrypted databases belong to no restored home" in machine.says("drill", "--lang", "en")[1]
    (office / "till.db-wal").write_bytes(b"\x37\x7f\x06\x82")
    (office / "till.db").write_bytes(b"x" * 5000)  # what a program left of a database that it lost
    machine("backup", office)
    came = machine("drill", "--snapshot", "latest")
    assert [(one["code"], one["path"]) for one in came.data["faults"]] == [
        ("sync-drill-pages", "office/till.db")
    ]


def test_a_database_into_which_nothing_was_written_yet_is_sound(machine: Machine, office: Path) -> None:
    (office / "new.db-wal").write_bytes(b"\x37\x7f\x06\x82")
    (office / "new.db").touch()
    machine("backup", office)
    came = machine("drill")
    assert (came.code, came.data["databases"], came.data["unopened"]) == (0, 1, 0)


def test_a_drill_finds_what_does_not_come_back(machine: Machine, office: Path) -> None:
    machine("backup", office)
    for pack in (Path(machine.vault) / "p").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(bytes(pack.stat().st_size))
    came = machine("drill")
    assert came.code == 7
    assert not came.data["passed"]
    assert {one["code"] for one in came.data["faults"]} == {"restore-damaged"}


def test_another_machine_hears_of_verifies_and_drills(machine: Machine, office: Path, tmp_path: Path) -> None:
    machine("backup", office)
    other = Machine(tmp_path / "other", machine.vault)
    assert other("status").data["last_verify"] is None
    evidence = machine("verify", "--read-data").data["evidence"]
    machine("drill")
    told = other("status").data
    assert told["last_verify"]["head"] == evidence
    assert (told["last_verify"]["damaged"], told["last_drill"]["passed"]) == (0, True)


def test_a_drill_needs_a_snapshot(machine: Machine) -> None:
    assert machine("drill").error == "sync-no-snapshots"


def test_a_copy_is_drilled_and_never_written(machine: Machine, office: Path, tmp_path: Path) -> None:
    machine("backup", office)
    machine("copy", tmp_path / "second")
    came = machine("drill", "--vault", tmp_path / "second")
    assert came.data["passed"]
    assert came.data["evidence"] is None
    assert machine("backup", office, "--vault", tmp_path / "second").error == "sync-copy-is-read"
    assert machine("copy", tmp_path / "second").data["commits_behind"] == 0


# -- a home ----------------------------------------------------------------------------------------


def test_a_home_is_backed_up_with_its_own_keys_drilled_and_the_doctor_hears_of_it(
    home: Path, tmp_path: Path
) -> None:
    machine = Machine(tmp_path / "state", str(tmp_path / "homes"))
    assert machine("init", "--home", home).code == 0
    assert machine("backup", home, LOANHUB_PASSPHRASE=PASSPHRASE, LOANHUB_SYNC_PASSPHRASE="").code == 0
    came = machine("drill", "--home", home)
    assert came.code == 0
    assert (came.data["homes"], came.data["unopened"]) == (1, 0)
    # On another machine the home's passphrase is enough, with neither home nor keyring there.
    bare = Machine(tmp_path / "bare", machine.vault)
    restored = bare("restore", "latest", "--to", tmp_path / "out")
    assert restored.data["held"] == [str(tmp_path / "out" / "LoanHub")]
    assert (tmp_path / "out" / "LoanHub" / "data" / "held.json").is_file()
    assert (
        bare("restore", "latest", "--to", tmp_path / "part", "--include", "loanhub.toml").data["held"] == []
    )
    assert (tmp_path / "out" / "LoanHub" / "keys" / "keyring.json").is_file()
    with Institution.open(tmp_path / "out" / "LoanHub", unlock=lambda: Secret(PASSPHRASE)) as house:
        assert house.store.problems() == []
    with Institution.open(home, unlock=lambda: Secret(PASSPHRASE)) as house:
        found = {code: severity for code, severity, _ in surroundings.remarks(house)}
    assert found["doctor-backup-age"] == "note"
    assert "doctor-backup-none" not in found


def test_the_keys_of_a_home_are_changed_in_home_and_vault_together_or_not_at_all(
    home: Path, tmp_path: Path
) -> None:
    machine = Machine(tmp_path / "state", str(tmp_path / "homes"))
    machine("init", "--home", home)
    machine("backup", "--home", home, home)
    refused = machine("keys", "add", "recovery")
    assert (refused.code, refused.error) == (2, "sync-keys-of-home")
    added = machine("keys", "add", "recovery", "--home", home)
    assert added.code == 0
    key = Secret(added.data["recovery_key"])
    with Institution.open(home, unlock=lambda: key) as house:
        assert house.keyring.recovery_proven
    bare = Machine(tmp_path / "bare", machine.vault, passphrase=added.data["recovery_key"])
    assert bare("snapshots").code == 0


def test_a_home_that_was_harmed_fails_the_drill(home: Path, tmp_path: Path) -> None:
    machine = Machine(tmp_path / "state", str(tmp_path / "homes"))
    machine("init", "--home", home)
    (database,) = (home / "data").glob("*.db")
    stored = bytearray(database.read_bytes())
    stored[len(stored) // 2] ^= 1
    database.write_bytes(stored)
    machine("backup", home)
    came = machine("drill", "--home", home)
    assert came.code == 7
    assert came.data["faults"] != []
    assert Backups().status(home)["last_drill"]["passed"] is False


def test_the_doctor_tells_a_backup_that_is_old_or_damaged(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = Machine(tmp_path / "state", str(tmp_path / "homes"))
    vault = machine("init", "--home", home).data["vault"]
    machine("backup", home)
    notes = Notes(tmp_path / "state" / vault / "status.json")
    notes.note(backup={"at": "2020-01-01T00:00:00Z"}, verify={"at": "2020-01-01T00:00:00Z", "damaged": 2})
    monkeypatch.setenv("LOANHUB_PASSPHRASE", PASSPHRASE)
    assert loanhub(["doctor", "--home", str(home)]) == 7
    told = capsys.readouterr().out
    assert "hours old" in told
    assert "2 damaged objects" in told


# -- the plan --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_plan_names_places_keys_steps_and_the_last_drill(
    machine: Machine, office: Path, tmp_path: Path, lang: str
) -> None:
    empty = machine("plan", "--lang", lang).data["plan"]
    assert "{" not in empty
    machine("backup", office)
    machine("copy", tmp_path / "second")
    seconds = machine("drill").data["milliseconds"] / 1000
    machine("plan", "--lang", lang, "-o", tmp_path / "plan.md")
    plan = (tmp_path / "plan.md").read_text(encoding="utf-8")
    assert "{" not in plan
    named = (machine.vault, str(office), str(tmp_path / "second"), f"{seconds:,.1f}", "restore latest")
    assert [name for name in named if name not in plan] == []
    assert PASSPHRASE not in plan
    assert len(plan.splitlines()) < 90  # two pages


# -- the agent -------------------------------------------------------------------------------------


def agent(machine: Machine, *argv: object) -> subprocess.Popen[bytes]:
    told = {
        "LOANHUB_SYNC_STATE": str(machine.state),
        "LOANHUB_SYNC_VAULT": machine.vault,
        "LOANHUB_SYNC_PASSPHRASE": machine.passphrase,
    }
    command = [sys.executable, "-m", "sync_agent", "run", "--lang", "en", *map(str, argv)]
    return subprocess.Popen(command, env={**os.environ, **told}, stderr=subprocess.PIPE)


def until(sees: Callable[[], Any], seconds: float = 30) -> Any:
    end = time.monotonic() + seconds
    while not (found := sees()):
        assert time.monotonic() < end, "nothing came"
        time.sleep(0.1)
    return found


def test_the_days_work_is_done_once_and_ends(machine: Machine, office: Path, tmp_path: Path) -> None:
    came = machine("run", office, "--once", "--copy-to", tmp_path / "second", "--keep-last", "2")
    assert came.data["done"] == {"backup": 1, "forget": 1, "prune": 1, "verify": 1, "copy": 1}
    (found,) = machine("snapshots").data["snapshots"]
    assert found["tags"] == ["daily", "weekly"]
    machine("run", office, "--once")
    assert machine("snapshots").data["snapshots"][-1]["tags"] == ["daily"]


def test_the_agent_backs_up_what_changed_survives_a_kill_and_stops_when_told(
    machine: Machine, office: Path, tmp_path: Path
) -> None:
    def count() -> int:
        return len(list((Path(machine.vault) / "c").glob("*")))

    running = agent(machine, office, "--every", "1", "--settle", "0")
    try:
        until(
            lambda: (
                Notes(machine.state / opened(machine).id / "status.json").read().get("day", {}).get("verify")
            )
        )
        before = count()
        (office / "notes.txt").write_text("two", encoding="utf-8")
        until(lambda: count() > before)
        assert machine("run", office).error == "sync-agent-running"
    finally:
        running.kill()
        running.wait()
    again = agent(machine, office, "--every", "1", "--settle", "0")
    before = count()
    (office / "notes.txt").write_text("three", encoding="utf-8")
    until(lambda: count() > before)
    again.send_signal(signal.SIGTERM)
    assert again.wait(20) == 0
    again.communicate()
    running.communicate()
    machine("restore", "latest", "--to", tmp_path / "out")
    assert contents(tmp_path / "out" / "office") == contents(office)
    assert machine("verify", "--read-data").code == 0
    assert machine("status").code == 0
