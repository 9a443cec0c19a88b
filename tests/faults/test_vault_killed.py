"""A process killed at any call to the storage: earlier snapshots stay, and the next run finishes the work.

`make prove` tries every call, `make test` every seventh.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest

from loanhub.errors import LoanHubError
from sync_agent.vault import Vault, bases, packing, writer
from sync_agent.vault.checking import verify
from sync_agent.vault.pruning import make_plan, prune, sweep
from sync_agent.vault.rotation import reencrypt
from tests.faults.remotes import AgingRemote, DyingRemote, Killed
from tests.unit.vaults import PASSPHRASE, contents, needs_of, new_vault, restored, snapshot

WEEK = timedelta(days=7)
STRIDES = [7, pytest.param(1, marks=pytest.mark.prove)]
Expected = dict[str, list[bytes]]
Work = Callable[[Vault], object]


@pytest.fixture(autouse=True)
def small_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "COMMITS_BETWEEN", 3)
    monkeypatch.setattr(packing, "PACK_FULL", 3_000)
    monkeypatch.setattr(writer, "PACKS_BETWEEN", 2)


def a_vault() -> tuple[AgingRemote, Expected]:
    """Four snapshots, one of them forgotten and another only in part, doomed packs, and two epochs."""
    remote = AgingRemote()
    vault = new_vault(remote)
    pieces = [contents(number, 4, 300) for number in range(4)]
    first = snapshot(vault, pieces[0], "0")
    second = snapshot(vault, pieces[1], "1")
    snapshot(vault, pieces[2], "2")
    snapshot(vault, pieces[1][:1], "3")
    vault.forget([first.sequence])
    remote.wait(WEEK)
    make_plan(vault, needs_of(vault))
    vault.forget([second.sequence])
    vault.add_epoch()
    remote.wait(WEEK)
    return remote, {"2": pieces[2], "3": pieces[1][:1]}


def whole(remote: AgingRemote, expected: Expected, also: Expected) -> bool:
    """Whether the expected snapshots come back, nothing else is there but `also`, and verify is content."""
    vault = Vault.open(remote, PASSPHRASE)
    there = {str(commit.body["note"]): restored(vault, commit) for commit in vault.snapshots}
    assert verify(vault, read_data=True) == ()
    return expected.items() <= there.items() and there.items() <= (expected | also).items()


WORKS: dict[str, Work] = {
    "backup": lambda vault: snapshot(vault, contents(9, 20, 300), "9"),
    "prune": lambda vault: prune(vault, needs_of(vault)),
    "sweep": sweep,
    "epoch": lambda vault: vault.add_epoch(),
    "slot": lambda vault: vault.keyring.add_slot("key-file", b"k" * 32),
    "reencrypt": lambda vault: reencrypt(vault, grace=timedelta(0)),
}


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("name", WORKS)
def test_work_killed_at_any_call_is_finished_by_the_next_run(name: str, after: bool, stride: int) -> None:
    work, also = WORKS[name], {"9": contents(9, 20, 300)} if name == "backup" else {}
    for last in count(1, stride):
        remote, expected = a_vault()
        dying = DyingRemote(remote, last, after)
        try:
            work(Vault.open(dying, PASSPHRASE))
        except (Killed, LoanHubError):
            assert dying.calls >= last
        else:
            break
        assert whole(remote, expected, also)
        work(Vault.open(remote, PASSPHRASE))
        assert whole(remote, expected | also, also)
    assert last > 5


@pytest.mark.parametrize("after", [False, True])
def test_making_a_vault_is_all_or_nothing(after: bool) -> None:
    for last in count(1):
        remote = AgingRemote()
        try:
            new_vault(DyingRemote(remote, last, after))
        except Killed:
            if not remote.names():
                new_vault(remote)
            assert Vault.open(remote, PASSPHRASE).snapshots == ()
        else:
            break
