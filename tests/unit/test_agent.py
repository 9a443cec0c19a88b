"""The agent with a clock of our own: it waits for rest, not for ever; the day's work is done once a day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from threading import Event

import pytest
from attrs import define

from loanhub import Busy, Damaged
from loanhub.testing.remotes import MemoryRemote
from sync_agent.agent import SHARES, Agent, Did, Habits, fingerprint, verify_share
from sync_agent.retention import Policy
from sync_agent.snapshots import Options
from sync_agent.vault import Vault
from tests.unit.vaults import contents, new_vault, reopened, snapshot


@define
class Clock:
    """A clock on the wall and one that never jumps, both moved by hand."""

    wall: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)
    steady: float = 1000.0

    def go(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.steady += seconds


class Hurry(Event):
    """A stop whose waiting moves the clock instead."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.go(timeout or 0)
        return self.is_set()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return new_vault(MemoryRemote(), cache=tmp_path / "state")


@pytest.fixture
def office(tmp_path: Path) -> Path:
    folder = tmp_path / "office"
    folder.mkdir()
    (folder / "notes.txt").write_text("one", encoding="utf-8")
    return folder


@pytest.fixture
def agent(vault: Vault, office: Path, clock: Clock, tmp_path: Path) -> Agent:
    habits = Habits(every=10, settle=30, patience=300, at=time(3), policy=Policy(last=3))
    made = Agent(
        vault, [office], Options(), habits, folder=tmp_path / "state",
        now=lambda: clock.wall, steady=lambda: clock.steady,
    )  # fmt: skip
    list(made.step())  # the day's work, which was never done before
    return made


def did(agent: Agent) -> list[str]:
    return [one.what for one in agent.step()]


def tags(vault: Vault) -> list[list[str]]:
    return [list(one.body["tags"]) for one in vault.snapshots]


# -- changes ---------------------------------------------------------------------------------------


def test_a_change_is_backed_up_when_it_rests(agent: Agent, office: Path, clock: Clock) -> None:
    assert did(agent) == []
    (office / "new.txt").write_text("two", encoding="utf-8")
    assert did(agent) == []
    clock.go(20)
    (office / "new.txt").write_text("three", encoding="utf-8")
    assert did(agent) == []
    clock.go(29)
    assert did(agent) == []
    clock.go(1)
    assert did(agent) == ["backup"]
    clock.go(1000)
    assert did(agent) == []


def test_what_never_rests_is_backed_up_all_the_same(agent: Agent, office: Path, clock: Clock) -> None:
    for turn in range(30):
        (office / "log.txt").write_text("x" * turn, encoding="utf-8")
        assert did(agent) == []
        clock.go(10)
    (office / "log.txt").write_text("still", encoding="utf-8")
    assert did(agent) == ["backup"]


def test_a_change_during_the_backup_is_backed_up_next(agent: Agent, office: Path, clock: Clock) -> None:
    (office / "new.txt").write_text("two", encoding="utf-8")
    list(agent.step())
    clock.go(30)
    for one in agent.step():
        assert one.what == "backup"
        (office / "later.txt").write_text("three", encoding="utf-8")
    did(agent)
    clock.go(30)
    assert did(agent) == ["backup"]


def test_what_sqlite_users_agree_on_and_what_is_skipped_is_no_change(office: Path) -> None:
    before = fingerprint([office], [office / "cache"])
    (office / "ledger.db-shm").write_bytes(b"x")
    assert fingerprint([office], [office / "cache"]) != before  # the folder itself has a new time
    before = fingerprint([office], [office / "cache"])
    (office / "ledger.db-shm").write_bytes(b"xyz")
    assert fingerprint([office], [office / "cache"]) == before
    (office / "cache").mkdir()
    before = fingerprint([office], [office / "cache"])
    (office / "cache" / "file").write_text("x", encoding="utf-8")
    assert fingerprint([office], [office / "cache"]) == before
    assert fingerprint([office]) != before
    assert fingerprint([office / "nowhere"]) == fingerprint([])


# -- the day ---------------------------------------------------------------------------------------


def test_the_days_work_is_done_once_a_day_and_weekly_once_a_week(
    agent: Agent, vault: Vault, clock: Clock
) -> None:
    assert tags(vault) == [["daily", "weekly"]]
    clock.go(3600)
    assert did(agent) == []
    clock.go(24 * 3600)
    assert did(agent) == ["backup", "forget", "prune", "verify"]
    assert did(agent) == []
    assert tags(vault)[-1] == ["daily"]
    clock.go(6 * 24 * 3600)
    list(agent.step())
    assert tags(vault)[-1] == ["daily", "weekly"]


def test_the_policy_is_kept_every_day(agent: Agent, vault: Vault, clock: Clock) -> None:
    for _ in range(5):
        clock.go(24 * 3600)
        list(agent.step())
    assert len(vault.snapshots) == 3


def test_a_clock_that_was_wrong_does_not_stop_the_days_work(agent: Agent, clock: Clock) -> None:
    clock.wall += timedelta(days=4000)
    assert did(agent)[0] == "backup"
    clock.wall -= timedelta(days=4000)
    assert did(agent)[0] == "backup"
    assert did(agent) == []


def test_a_copy_that_is_away_is_tried_again_and_holds_nothing_up(agent: Agent, clock: Clock) -> None:
    away = [True]

    def copy() -> dict[str, object]:
        if away[0]:
            raise Busy("remote-unreachable", remote="second", what="no route")
        return {"to": "second", "objects": 1}

    agent.copy = copy
    clock.go(24 * 3600)
    assert did(agent) == ["backup", "forget", "prune", "verify", "trouble"]
    assert did(agent) == []
    clock.go(901)
    away[0] = False
    assert did(agent) == ["copy"]


def test_a_damaged_vault_is_told_and_backups_go_on(agent: Agent, vault: Vault, clock: Clock) -> None:
    for one in list(vault.remote.list("p/")):
        vault.remote.delete(one.name)
    for _ in range(2):
        clock.go(24 * 3600)
        agent.vault = reopened(vault.remote)  # nothing of it is in memory any more
        assert did(agent) == ["backup", "forget", "trouble", "verify"]
    assert len(agent.vault.snapshots) == 3  # none is forgotten in favour of others


def test_an_alarm_is_raised_not_waited_for(agent: Agent, vault: Vault, clock: Clock) -> None:
    vault.remote.delete(f"c/{vault.head[0]:010}")
    clock.go(24 * 3600)
    with pytest.raises(Damaged, match="vault-rolled-back"):
        list(agent.step())


def test_every_pack_is_read_once_in_so_many_days(vault: Vault) -> None:
    for seed in range(6):
        snapshot(vault, contents(seed, 3))
    packs = [one.name for one in vault.remote.list("p/")]
    assert isinstance(vault.remote, MemoryRemote)
    for name in packs:
        stored = bytearray(vault.remote.get(name))
        stored[100] ^= 1
        vault.remote.delete(name)
        vault.remote.put_new(name, bytes(stored))
    found = [one.name for day in range(SHARES) for one in verify_share(vault, day, SHARES)]
    assert sorted(found) == sorted(packs)


# -- running ---------------------------------------------------------------------------------------


def first(running: Iterator[Did], what: str) -> Did:
    return next(one for one in running if one.what == what)


def test_one_agent_at_a_time_and_trouble_is_noted(
    agent: Agent, vault: Vault, office: Path, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = Hurry(clock)
    running = agent.run(stop)
    (office / "new.txt").write_text("two", encoding="utf-8")
    assert first(running, "backup").facts["complete"]
    other = Agent(vault, [office], Options(), folder=tmp_path / "state")
    with pytest.raises(Busy, match="sync-agent-running"):
        next(other.run(Event()))

    def full(*_: object) -> bool:
        raise Busy("remote-full", remote="disk")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryRemote, "put_new", full)
        (office / "new.txt").write_text("three", encoding="utf-8")
        assert first(running, "trouble").facts["code"] == "remote-full"
        assert agent.journal.read()["agent"]["trouble"] == "remote-full"
    assert first(running, "backup").facts["complete"]
    stop.set()
    assert list(running) == []
    assert agent.journal.read()["agent"]["state"] == "stopped"
