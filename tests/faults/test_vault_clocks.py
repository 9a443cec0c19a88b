"""A clock that jumps a year and comes back: each day has its work, nothing is lost or deleted early."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from attrs import define, field

from sync_agent.agent import Agent, Habits
from sync_agent.restore import restore
from sync_agent.retention import Policy
from sync_agent.snapshots import Options, snapshots_of
from sync_agent.vault import Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.pruning import GRACE
from tests.faults.remotes import AgingRemote
from tests.flows.syncing import contents
from tests.unit.vaults import PASSPHRASE, new_vault

DAY = timedelta(days=1)
YEAR = timedelta(days=365)
WORK = ["backup", "forget", "prune", "verify"]


@define
class Machine:
    """An agent whose clock may be wrong. In a folder the time of the storage is that of the same clock."""

    folder: Path
    policy: Policy
    same_clock: bool
    wall: datetime = datetime(2026, 3, 2, 12, tzinfo=UTC)
    steady: float = 0.0
    remote: AgingRemote = field(factory=AgingRemote)
    agent: Agent = field(init=False)
    states: list[dict[str, bytes]] = field(factory=list)
    doomed: dict[str, datetime] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self.remote.clock = self.wall
        new_vault(self.remote)
        vault = Vault.open(self.remote, PASSPHRASE, now=lambda: self.wall, cache=self.folder / "state")
        self.office.mkdir()
        self.agent = Agent(
            vault, [self.office], Options(), Habits(at=time(3), policy=self.policy),
            folder=self.folder / "state", now=lambda: self.wall, steady=lambda: self.steady,
        )  # fmt: skip

    @property
    def office(self) -> Path:
        """What is backed up."""
        return self.folder / "office"

    def jump(self, by: timedelta) -> None:
        """Somebody sets the clock."""
        self.wall += by
        if self.same_clock:
            self.remote.clock += by

    def day(self) -> list[str]:
        """A day goes by, a file changes; what the agent did."""
        self.steady += DAY.total_seconds()
        self.wall += DAY
        self.remote.clock += DAY
        return self.look()

    def look(self) -> list[str]:
        """What the agent does about a file that has just changed."""
        number = len(self.states)
        (self.office / "day.bin").write_bytes(number.to_bytes(2, "big") * 40_000)
        self.states.append(contents(self.office))
        did = [one.what for one in self.agent.step()]
        for name in self.agent.vault.state.doomed:
            self.doomed.setdefault(name, self.remote.clock)
        return did

    def gone_after(self) -> Iterator[timedelta]:
        """By the storage's clock, how long each object that was deleted had been doomed."""
        there = set(self.remote.names())
        for name in set(self.doomed) - there:
            yield self.remote.clock - self.doomed.pop(name)


@pytest.mark.parametrize("same_clock", [False, True])
@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_every_day_is_backed_up_and_kept_as_promised(
    jump: timedelta, same_clock: bool, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, Policy(daily=20), same_clock)
    assert machine.look() == WORK
    for days, by in ((5, jump), (3, -jump), (5, timedelta(0))):
        for _ in range(days):
            assert machine.day() == WORK
        machine.jump(by)
        if by < timedelta(0):  # what was noted lies in the future: it is done again, not waited for
            assert machine.look() == WORK
    vault = Vault.open(machine.remote, PASSPHRASE)
    assert verify(vault, read_data=True) == ()
    assert len(vault.snapshots) == len(machine.states) == 15
    for number, (snapshot, state) in enumerate(zip(snapshots_of(vault), machine.states, strict=True)):
        target = tmp_path / f"back{number}"
        restore(vault, snapshot, target)
        assert contents(target / "office") == state


@pytest.mark.parametrize("jump", [YEAR, -YEAR])
def test_what_is_doomed_waits_for_its_grace_by_the_clock_of_the_storage(
    jump: timedelta, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, Policy(last=2), same_clock=False)
    waited: list[timedelta] = []
    for by in (jump, -jump):
        for _ in range(10):
            machine.day()
            waited += machine.gone_after()
        machine.jump(by)
    assert len(waited) > 5
    assert min(waited) >= GRACE
    vault = Vault.open(machine.remote, PASSPHRASE)
    assert verify(vault, read_data=True) == ()
    assert len(vault.snapshots) >= 2
