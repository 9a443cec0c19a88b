"""A vault beside a model of it, a dict: whatever two machines do in whatever order, both say the same."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from loanhub.errors import Stale
from sync_agent.vault import Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.mirroring import mirror, tidy
from sync_agent.vault.pruning import prune
from sync_agent.vault.rotation import reencrypt
from sync_agent.vault.writer import Writer
from tests.faults.remotes import AgingRemote
from tests.unit.vaults import contents, needs_of, new_vault, reopened, snapshot, take, whole

MACHINES = st.integers(0, 1)
SEEDS = st.integers(0, 9)
GRACES = st.sampled_from((timedelta(0), timedelta(hours=2)))


class VaultAndModel(RuleBasedStateMachine):
    """`kept` is the model: commit number to content. `copied` is what the second place was told to hold."""

    snapshots = Bundle("snapshots")
    running = Bundle("running")

    @initialize()
    def begin(self) -> None:
        self.remote, self.second = AgingRemote(), AgingRemote()
        new_vault(self.remote)
        self.vaults = [reopened(self.remote), reopened(self.remote)]
        self.kept: dict[int, list[bytes]] = {}
        self.copied: dict[int, list[bytes]] = {}

    @rule(target=snapshots, which=MACHINES, seed=SEEDS, count=st.integers(0, 5))
    def backup(self, which: int, seed: int, count: int) -> int:
        pieces = contents(seed, count, 200)
        try:
            made = snapshot(self.vaults[which], pieces)
        except Stale:  # told, and simply made again
            made = snapshot(self.vaults[which], pieces)
        self.kept[made.sequence] = pieces
        return made.sequence

    @rule(target=running, which=MACHINES, seed=SEEDS)
    def begin_a_long_backup(self, which: int, seed: int) -> tuple[Writer, list[bytes]]:
        session, pieces = self.vaults[which].writer(), contents(seed, 5, 200)
        for piece in pieces[:3]:
            session.save("data", piece)
        session.flush()
        return session, pieces

    @rule(target=snapshots, begun=consumes(running))
    def finish_it(self, begun: tuple[Writer, list[bytes]]) -> int:
        session, pieces = begun
        if session._vault not in self.vaults:
            session.close()
            return 0
        try:
            with session:
                made = take(session, pieces)
        except Stale:
            return 0
        self.kept[made.sequence] = pieces
        return made.sequence

    @rule(which=MACHINES, chosen=consumes(snapshots))
    def forget(self, which: int, chosen: int) -> None:
        if chosen in self.kept:
            self._caught_up(which).forget([chosen])
            del self.kept[chosen]

    @rule(which=MACHINES, grace=GRACES)
    def prune(self, which: int, grace: timedelta) -> None:
        vault = self._caught_up(which)
        prune(vault, needs_of(vault), grace=grace)

    @rule(which=MACHINES, grace=GRACES, new=st.booleans())
    def rotate(self, which: int, grace: timedelta, new: bool) -> None:
        vault = self._caught_up(which)
        if new:
            vault.keyring.reload()
            vault.add_epoch()
        reencrypt(vault, grace=grace)

    @rule(which=MACHINES, grace=GRACES)
    def copy(self, which: int, grace: timedelta) -> None:
        mirror(self.remote, self.second)
        tidy(self._caught_up(which), self.second, grace=grace)
        self.copied = dict(self.kept)

    @rule(which=MACHINES)
    def start_a_machine_anew(self, which: int) -> None:
        self.vaults[which] = reopened(self.remote)

    @rule()
    def promote_the_copy(self) -> None:
        if self.copied:
            self.remote, self.second = self.second, AgingRemote()
            self.kept, self.copied = self.copied, {}
            self.vaults = [reopened(self.remote), reopened(self.remote)]

    @rule(hours=st.sampled_from((1, 24, 24 * 365, -24 * 365)))
    def wait(self, hours: int) -> None:
        self.remote.wait(timedelta(hours=hours))

    def _caught_up(self, which: int) -> Vault:
        try:
            self.vaults[which].catch_up()
        except Stale:  # it was taken in all the same
            self.vaults[which].catch_up()
        return self.vaults[which]

    @invariant()
    def the_vault_is_the_model(self) -> None:
        if hasattr(self, "remote"):
            assert whole(reopened(self.remote), self.kept)
            if self.second.names():
                assert whole(reopened(self.second), self.copied)

    def teardown(self) -> None:
        if hasattr(self, "remote"):
            assert verify(reopened(self.remote), read_data=True) == ()


TestVaultAndModel = VaultAndModel.TestCase
TestVaultAndModel.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)
