"""What a verify found, kept in the vault as signed evidence, so that every machine hears of it.

docs/vault-format.md section 5 has the body. What is known to be damaged stays known until a later verify
looked at the same thing again and found it well. Order is that of the commits; no clock is compared.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice, takewhile
from typing import Any, Final

from attrs import frozen

from loanhub import Damaged, LoanHubError
from sync_agent.status import ALARMS, Journal, moment_of, stamp
from sync_agent.vault import Commit, Finding, Vault
from sync_agent.vault.findings import DAMAGED
from sync_agent.vault.names import object_in

VERSION: Final = 1
MOST: Final = 10_000
"""Damaged objects that evidence names."""
LOOK_BACK: Final = 200
"""Commits in which a machine that knows nothing yet looks for evidence."""


@frozen
class Verified:
    """What a verify found. `share`: (k, n) when only packs whose id has the remainder k by n were read."""

    findings: Sequence[Finding]
    read_data: bool
    packs: int
    share: tuple[int, int] | None = None

    def to_body(self) -> dict[str, Any]:
        """The body of the evidence."""
        return {
            "kind": "verify",
            "version": VERSION,
            "host": socket.gethostname(),
            "at": stamp(datetime.now(UTC)),
            "read_data": self.read_data,
            "share": None if self.share is None else list(self.share),
            "packs": self.packs,
            "damaged": len(self.findings),
            "objects": [[one.name, one.problem] for one in self.findings[:MOST]],
        }


def keep(vault: Vault, body: dict[str, Any]) -> Commit | None:
    """Writes evidence into the vault; None when this machine may not, or the vault takes none now.

    Raises Damaged when the storage shows another history than it did.
    """
    try:
        return vault.commit("evidence", body)
    except (LoanHubError, OSError) as found:
        if isinstance(found, Damaged) and found.code in ALARMS:
            raise
        return None


def keep_verified(vault: Vault, journal: Journal, verified: Verified) -> Commit | None:
    """Keeps what a verify found in the vault, as far as that goes, and in this machine's journal anyway."""
    hear(vault, journal)
    body = verified.to_body()
    kept = keep(vault, body)
    journal.notes.note(heard=vault.head[0])
    _note_verify(vault, journal, body)
    return kept


def hear(vault: Vault, journal: Journal) -> None:
    """Takes into the journal what other machines found since it was asked last. Raises as the remote."""
    heard = _number(journal.read().get("heard"))
    newest = takewhile(lambda commit: commit.sequence > heard, vault.commits(newest_first=True))
    for commit in reversed([one for one in islice(newest, LOOK_BACK) if one.type == "evidence"]):
        body = commit.body
        if (
            not _is_known(body)
            or _number(journal.read().get(body["kind"], {}).get("head")) >= commit.sequence
        ):
            continue
        if body["kind"] == "verify":
            _note_verify(vault, journal, body, commit.sequence)
        else:
            facts = {name: body[name] for name in ("snapshot", "passed", "milliseconds", "host")}
            journal.notes.note(drill={"at": body["started"], "head": commit.sequence, **facts})
    if heard < vault.head[0]:
        journal.notes.note(heard=vault.head[0], keyring=vault.keyring.home)


def known_damage(journal: Journal) -> list[Finding]:
    """What is known to be wrong with the vault, as far as it was not found well since."""
    noted = journal.read().get("damaged")
    return [Finding(name, str(problem)) for name, problem in noted.items()] if isinstance(noted, dict) else []


def damage_after(before: Iterable[Finding], body: Mapping[str, Any]) -> set[Finding]:
    """What is known to be damaged once a verify has found this."""
    unseen = {one for one in before if not _looked_at(one, body)}
    return unseen | {Finding(name, problem) for name, problem in body["objects"]}


def _looked_at(known: Finding, body: Mapping[str, Any]) -> bool:
    pack = object_in(known.name)
    if body["share"] is not None:
        share, shares = body["share"]
        return pack is not None and pack[-1] % shares == share
    return bool(body["read_data"]) or pack is None or known.problem != DAMAGED


def _note_verify(vault: Vault, journal: Journal, body: Mapping[str, Any], head: int = 0) -> None:
    damage = damage_after(known_damage(journal), body)
    facts = {name: body[name] for name in ("at", "read_data", "share", "host")}
    journal.notes.note(
        keyring=vault.keyring.home,
        damaged={one.name: one.problem for one in sorted(damage)},
        verify={**facts, "head": head or vault.head[0], "damaged": len(damage)},
    )


def _is_known(body: Any) -> bool:
    """Whether the body is evidence of a kind and version that this program wrote, and whole."""
    if not isinstance(body, dict) or body.get("version") != VERSION:
        return False
    if body.get("kind") == "drill":
        fields: Mapping[str, type] = {"snapshot": str, "passed": bool, "milliseconds": int, "started": str}
        fits = moment_of(body.get("started")) is not None
    elif body.get("kind") == "verify":
        fields = {"read_data": bool, "at": str, "objects": list, "damaged": int}
        fits = moment_of(body.get("at")) is not None and _is_share(body.get("share")) and _are_objects(body)
    else:
        return False
    return fits and isinstance(body.get("host"), str) and all(
        isinstance(body.get(name), kind) for name, kind in fields.items()
    )  # fmt: skip


def _is_share(share: Any) -> bool:
    if share is None:
        return True
    return isinstance(share, list) and [type(one) for one in share] == [int, int] and share[1] > 0


def _are_objects(body: Mapping[str, Any]) -> bool:
    objects = body.get("objects")
    return isinstance(objects, list) and all(
        isinstance(one, list) and [type(part) for part in one] == [str, str] for one in objects
    )


def _number(noted: object) -> int:
    return noted if isinstance(noted, int) else 0
