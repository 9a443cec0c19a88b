"""Re-encryption: everything live is copied to the newest key epoch, and then that is stated in the vault.

Runs in steps that can be stopped at any moment; a later run goes on where the vault stands.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from attrs import frozen

from loanhub import Damaged, NotFound
from sync_agent.vault import sealed
from sync_agent.vault.copying import frames_of
from sync_agent.vault.history import read_link
from sync_agent.vault.index import PackFacts
from sync_agent.vault.names import BASES, PACKS, object_in, pack_name
from sync_agent.vault.packing import Packer
from sync_agent.vault.pruning import GRACE, sweep
from sync_agent.vault.records import Record
from sync_agent.vault.state import State
from sync_agent.vault.vault import Vault
from sync_agent.vault.writer import Proposal

PACKS_AT_ONCE: Final = 16


@frozen
class Rotated:
    """How far it got: packs still under older epochs, objects that wait for their grace, and whether the
    vault states by now that nothing live is under an older epoch.
    """

    packs_left: int
    waiting: int
    stated: bool


class _Overtaken(Exception):
    """Somebody committed after the look: another run looks again."""


def _always(left: int) -> bool:
    return left > 0


def reencrypt(vault: Vault, *, grace: timedelta = GRACE, go_on: Callable[[int], bool] = _always) -> Rotated:
    """Copies packs of older epochs into new ones, deletes the old after the grace, and states the end.

    `go_on` is told before each step how many packs are left and may answer False. Run it again until
    `stated`. Raises Damaged for a pack that does not open (verify names it), and Damaged
    `vault-not-whole`.
    """
    vault.catch_up()
    if not vault.state.whole:
        raise Damaged("vault-not-whole")
    while left := _old_packs(vault.state):
        if not go_on(len(left)):
            return Rotated(len(left), len(vault.state.doomed), stated=False)
        _copy_some(vault)
    if _old_bases(vault) or _old_commits(vault):
        vault.put(lambda _: Proposal("packs", {}, whole_base=True))
        _doom_old_bases(vault)
    sweep(vault, grace=grace)
    _retire(vault)
    state = vault.state
    return Rotated(0, len(state.doomed), stated=state.retired >= state.epoch - 1)


def _old_packs(state: State) -> list[PackFacts]:
    return [
        pack for pack in state.index.packs if not pack.gone and not pack.doomed and pack.epoch < state.epoch
    ]


def _copy_some(vault: Vault) -> None:
    """One step: some packs are copied and doomed in one commit."""
    packer = Packer(vault.remote, vault.keys)
    records: list[Record] = []
    copied: set[bytes] = set()

    def propose(state: State) -> Proposal:
        chosen = _old_packs(state)[:PACKS_AT_ONCE]
        for pack in chosen:
            if pack.object_id not in copied:
                for frame in frames_of(vault.remote, vault.keys, pack, None):
                    packer.add_packed(frame.kind, frame.id, frame.packed)
                    records.extend(packer.finished())
                copied.add(pack.object_id)
        records.extend(packer.flush())
        names = sorted(pack_name(pack.object_id) for pack in chosen)
        return Proposal("prune-plan", {"objects": names, "reason": "epoch"}, tuple(records))

    try:
        vault.put(propose)
    finally:
        packer.close()


def _old_bases(vault: Vault) -> list[str]:
    """Bases, used or only left on storage, that are sealed under an older epoch."""
    listed = [one.name for one in vault.remote.list(BASES) if object_in(one.name) is not None]
    used = [name for name, _ in vault.state.segments]
    return [name for name in sorted({*listed, *used}) if _is_old(vault, name)]


def _old_commits(vault: Vault) -> bool:
    """Whether a commit that opening needs is sealed under an older epoch."""
    state = vault.state
    links = (
        read_link(vault.remote, vault.keys, sequence)
        for sequence in range(state.base_sequence + 1, state.sequence + 1)
    )
    return any(link.commit is not None and link.commit.epoch < state.epoch for link in links)


def _doom_old_bases(vault: Vault) -> None:
    used = {name for name, _ in vault.state.segments}
    names = [name for name in _old_bases(vault) if name not in used and name not in vault.state.doomed]
    if names:
        vault.put(lambda _: Proposal("prune-plan", {"objects": sorted(names), "reason": "epoch"}))


def _retire(vault: Vault) -> None:
    """States that nothing live is under an older epoch, once every object was looked at."""
    state = vault.state
    if state.retired >= state.epoch - 1 or _old_packs(state) or _old_bases(vault) or _old_commits(vault):
        return
    looked_at = state.sequence
    names = [
        one.name
        for prefix in (PACKS, BASES)
        for one in vault.remote.list(prefix)
        if object_in(one.name) is not None
    ]
    if any(_is_old(vault, name) for name in names):
        return  # it waits for its grace, or for a prune
    body = {"epoch": state.epoch - 1, "objects": len(names), "floor": state.base_sequence + 1}

    def propose(now: State) -> Proposal:
        if now.sequence != looked_at:
            raise _Overtaken
        return Proposal("epoch-retired", body)

    with contextlib.suppress(_Overtaken):
        vault.put(propose)


def _is_old(vault: Vault, name: str) -> bool:
    """Whether a stored object is there and its header, read without any key, names an older epoch."""
    try:
        header = vault.remote.get(name, 0, sealed.HEADER_BYTES)
    except NotFound:
        return False
    return int.from_bytes(header[5:9], "big") < vault.state.epoch
