"""The recovery plan 恢复方案: two pages with real names that somebody without this computer can follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from loanhub import DamagedSlot, Lang, render
from sync_agent.drill import last_drill
from sync_agent.snapshots import Snapshot, snapshots_of
from sync_agent.status import Journal, commit_times, moment_of, stamp
from sync_agent.vault import Vault

PAGE: Final = "sync.plan.page"


@frozen
class Facts:
    """What a plan is written from."""

    vault: str
    address: str
    head: str
    copies: tuple[tuple[str, str], ...]
    newest: Snapshot | None
    newest_at: str
    snapshots: int
    slots: tuple[tuple[str, str, str], ...]
    recovery_proven: str | None
    drill: Mapping[str, Any] | None

    @classmethod
    def of(cls, vault: Vault, address: str) -> Facts:
        """Everything a plan says, as the vault and this machine know it."""
        found = snapshots_of(vault)
        newest = found[-1] if found else None
        times = commit_times(vault)
        at = times.get(newest.commit.sequence, newest.commit.at) if newest else None
        slots = [
            (one.kind, one.label or one.id, one.created[:10])
            for one in vault.keyring.slots
            if not isinstance(one, DamagedSlot)
        ]
        copies = Journal.of(vault).read().get("copies", {})
        return cls(
            vault=vault.id,
            address=address,
            head=f"{vault.head[0]} {vault.head[1]}",
            copies=tuple((name, str(one.get("at", ""))) for name, one in sorted(copies.items())),
            newest=newest,
            newest_at="" if at is None else stamp(at),
            snapshots=len(found),
            slots=tuple(slots),
            recovery_proven=vault.keyring.recovery_proven,
            drill=last_drill(vault),
        )


def write_plan(facts: Facts, lang: Lang, today: str) -> str:
    """The plan as a page of Markdown."""

    def say(code: str, **more: object) -> str:
        return render(code, lang, **more).text

    newest = facts.newest
    roots = [say("sync.plan.root", name=root.name, path=root.path) for root in newest.roots] if newest else []
    slots = [
        say("sync.plan.slot", kind=say(f"sync.slot.{kind}") if kind in _KINDS else kind, label=label, day=day)
        for kind, label, day in facts.slots
    ]
    copies = [say("sync.plan.copy", address=name, at=at) for name, at in facts.copies]
    proven = facts.recovery_proven
    return say(
        PAGE,
        today=today,
        vault=facts.vault,
        address=facts.address,
        second=facts.copies[0][0] if facts.copies else facts.address,
        head=facts.head,
        copies=_lines(copies) or say("sync.plan.no-copy"),
        host=newest.host if newest else "",
        newest=newest.id if newest else say("sync.plan.no-snapshot"),
        newest_at=facts.newest_at,
        files=newest.counts.files if newest else 0,
        mib=(newest.counts.bytes >> 20) if newest else 0,
        snapshots=facts.snapshots,
        roots=_lines(roots) or say("sync.plan.no-snapshot"),
        slots=_lines(slots),
        proven=say("sync.plan.proven", day=proven) if proven else say("sync.plan.unproven"),
        drill=_drill(facts.drill, lang),
    )  # fmt: skip


_KINDS: Final = ("passphrase", "recovery", "key-file", "public", "kms")


def _lines(found: Iterable[str]) -> str:
    return "\n".join(found)


def _drill(found: Mapping[str, Any] | None, lang: Lang) -> str:
    if found is None:
        return render("sync.plan.no-drill", lang).text
    return drill_line(found, lang)


def drill_line(found: Mapping[str, Any], lang: Lang) -> str:
    """What a drill found, in one line that a manager can read. `found` is the body of its evidence."""
    at = moment_of(found["started"])
    facts = {
        "snapshot": found["snapshot"],
        "day": f"{at:%Y-%m-%d}" if at else "",
        "files": found["files"],
        "mib": f"{found['bytes'] / 2**20:,.1f}",
        "seconds": f"{found['milliseconds'] / 1000:,.1f}",
        "faults": len(found["faults"]),
        "databases": found["databases"] + found["homes"],
    }
    said = render("sync.drill.passed" if found["passed"] else "sync.drill.failed", lang, **facts).text
    if not found["unopened"]:
        return said
    return f"{said}\n{render('sync.drill.unopened', lang, count=found['unopened']).text}"
