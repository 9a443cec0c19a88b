"""The points a retention policy decides on, out of a vault: their times, and whether they are sound."""

from __future__ import annotations

from collections.abc import Iterable

from loanhub import LoanHubError
from sync_agent.evidence import hear, known_damage
from sync_agent.retention import Point
from sync_agent.snapshots import needs_of
from sync_agent.status import Journal, commit_times
from sync_agent.vault import Commit, Finding, Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.names import object_in


def points_of(vault: Vault, journal: Journal) -> list[Point]:
    """Every snapshot of the vault; those count that need nothing a verify found damaged, here or elsewhere.

    What was read once and found damaged is of the right size all the same, so evidence is asked too.
    """
    hear(vault, journal)
    times = commit_times(vault)
    damaged = unsound(vault, [*verify(vault, read_data=False), *known_damage(journal)])
    return [
        Point(one.sequence, times.get(one.sequence), one.at, one.sequence not in damaged)
        for one in vault.snapshots
    ]


def unsound(vault: Vault, findings: Iterable[Finding]) -> set[int]:
    """The snapshots that need an object which is damaged or missing."""
    packs = {object_id for one in findings if (object_id := object_in(one.name)) is not None}
    if not packs:
        return set()
    return {one.sequence for one in vault.snapshots if _needs_one(vault, one, packs)}


class _Lacking(Exception):
    """A blob that lies in a damaged pack only."""


def _needs_one(vault: Vault, snapshot: Commit, packs: set[bytes]) -> bool:
    index = vault.state.index
    seen: set[bytes] = set()

    def mark(blob_id: bytes) -> bool:
        if blob_id in seen:
            return False
        seen.add(blob_id)
        if all(index.packs[spot.pack].object_id in packs for spot in index.spots(blob_id)):
            raise _Lacking
        return True

    try:
        needs_of(vault)(snapshot, mark)
    except (_Lacking, LoanHubError):  # what cannot be read cannot be restored either
        return True
    return False
