"""The vault built wrongly on purpose: each way loses something when the storage or another machine is unkind.

Left alone, each of these builds backs up and restores as well as the right one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from loanhub.errors import Busy, Damaged, LoanHubError, NotFound
from loanhub.kinds import Remote
from sync_agent.vault import Commit, history, mirroring, packing, pruning, vault
from sync_agent.vault.copying import frames_of
from sync_agent.vault.index import PackFacts
from sync_agent.vault.names import PACKS, pack_name
from sync_agent.vault.state import State
from sync_agent.vault.writer import Writer

Patch = pytest.MonkeyPatch


def no_answer_is_taken_for_success(patch: Patch) -> None:
    """What was not acknowledged is believed to be stored."""

    def trusting(remote: Remote, name: str, data: bytes) -> bool:
        with contextlib.suppress(Busy):
            remote.put_new(name, data)
        return True

    patch.setattr(packing, "put_settled", trusting)


def a_lost_answer_is_taken_for_failure(patch: Patch) -> None:
    """A commit of our own is taken for another's, and made again."""

    def hasty(remote: Remote, name: str, data: bytes) -> bool:
        try:
            return remote.put_new(name, data)
        except LoanHubError:
            return False

    patch.setattr(vault, "put_settled", hasty)


def whatever_stands_there_is_ours(patch: Patch) -> None:
    """Another machine's commit is taken for our own."""

    def blind(remote: Remote, name: str, data: bytes) -> bool:
        remote.put_new(name, data)
        return True

    patch.setattr(vault, "put_settled", blind)


def a_plan_in_between_is_not_looked_at(patch: Patch) -> None:
    """Blobs a running backup relies on are not copied out of packs that are doomed meanwhile."""
    patch.setattr(Writer, "_rescue", lambda *_: None)


def a_pack_taken_for_a_leftover_is_committed(patch: Patch) -> None:
    """A pack that was doomed or deleted before its commit came counts all the same."""
    patch.setattr(State, "came_too_late", lambda *_: False)


def a_failed_pack_is_forgotten(patch: Patch) -> None:
    """A session of which a pack was not stored goes on to its commit."""
    take = Writer._take

    def careless(writer: Writer, stored: Any) -> None:
        with contextlib.suppress(Busy):
            take(writer, stored)
        writer._failure = None

    patch.setattr(Writer, "_take", careless)


def half_of_what_lives_is_copied(patch: Patch) -> None:
    """A prune that makes a half-empty pack smaller leaves one live blob behind."""

    def some(remote: Remote, keys: Any, pack: PackFacts, wanted: Any) -> Any:
        yield from list(frames_of(remote, keys, pack, wanted))[:-1]

    patch.setattr(pruning, "frames_of", some)


def what_no_commit_knows_is_deleted_at_once(patch: Patch) -> None:
    """A plan is not waited for: strangers are deleted when they are seen."""
    make = pruning.make_plan

    def eager(house: vault.Vault, needs: pruning.Needs, *, grace: timedelta = pruning.GRACE) -> Any:
        known = {pack_name(pack.object_id) for pack in house.state.index.packs}
        for one in list(house.remote.list(PACKS)):
            if one.name not in known:
                house.remote.delete(one.name)
        return make(house, needs, grace=grace)

    patch.setattr(pruning, "make_plan", eager)


def a_torn_commit_ends_the_history(patch: Patch) -> None:
    """What stands behind a commit that does not open is not read."""
    read = history.read_link

    def short(remote: Remote, keys: Any, sequence: int) -> history.Stored:
        found = read(remote, keys, sequence)
        if found.commit is None:
            raise NotFound("vault-object-missing", name=str(sequence))
        return found

    patch.setattr(history, "read_link", short)


def a_copy_has_its_commits_first(patch: Patch) -> None:
    """The second place tells of snapshots before it has what they need."""
    patch.setattr(mirroring, "_lacking", lambda *_: [])


def a_snapshot_needs_its_listing_only(patch: Patch) -> None:
    """A prune marks the listing of a snapshot, and not what it lists."""
    make = pruning.make_plan

    def shallow(house: vault.Vault, _: pruning.Needs, *, grace: timedelta = pruning.GRACE) -> Any:
        def listing(one: Commit, mark: Callable[[bytes], bool]) -> None:
            mark(bytes.fromhex(one.body["listing"]))

        return make(house, listing, grace=grace)

    patch.setattr(pruning, "make_plan", shallow)


WAYS: tuple[Callable[[Patch], None], ...] = (
    no_answer_is_taken_for_success,
    a_lost_answer_is_taken_for_failure,
    whatever_stands_there_is_ours,
    a_plan_in_between_is_not_looked_at,
    a_pack_taken_for_a_leftover_is_committed,
    a_failed_pack_is_forgotten,
    half_of_what_lives_is_copied,
    what_no_commit_knows_is_deleted_at_once,
    a_torn_commit_ends_the_history,
    a_copy_has_its_commits_first,
    a_snapshot_needs_its_listing_only,
)
NOTICED = (Damaged, NotFound, AssertionError, KeyError)
