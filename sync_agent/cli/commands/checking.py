"""`verify`, `status` and `probe`: is the vault whole, how old is what it holds, what can its storage do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import click

from loanhub import Capabilities, Damaged, holding_of
from sync_agent.cli.meter import measured
from sync_agent.cli.opening import is_copy, open_vault, remote_at, vault_at_any_rate
from sync_agent.cli.outcome import DAMAGED, DONE, Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import age, local, now, size, table
from sync_agent.cli.told import Told
from sync_agent.evidence import Verified, hear, keep_verified
from sync_agent.places import spoken_address
from sync_agent.status import ALARMS, Journal, commit_times, moment_of, stamp
from sync_agent.vault import Finding, Vault
from sync_agent.vault.checking import mend as mend_vault
from sync_agent.vault.checking import verify as verify_vault

# What the storage can do ----------------------------------------------------------------------------------


@click.command("probe", cls=Told)
@click.argument("vault", required=False, default="")
@click.pass_obj
def probe(session: Session, vault: str) -> Outcome:
    """Ask the storage, by trying, what it can do."""
    address = vault or session.address
    able = remote_at(session, address).probe()
    told_abilities(session, able)
    said = [(session.say(f"sync.ability.{name}").text, _yes(session, can)) for name, can in _able(able)]
    return Outcome({"address": address, **abilities(able)}, show=table(session, ("ability", "answer"), said))


def abilities(able: Capabilities) -> dict[str, Any]:
    """What a storage can do, for programs."""
    writers = "many" if able.conditional_put else "single"
    return {"writers": writers, "capabilities": dict(_able(able)), "notes": list(able.notes)}


def told_abilities(session: Session, able: Capabilities) -> None:
    """What to know of a storage, as warnings."""
    for note in able.notes:
        session.warn(note)
    if not able.conditional_put and "remote-ignores-conditions" not in able.notes:
        session.warn("remote-ignores-conditions")


def _able(able: Capabilities) -> list[tuple[str, bool]]:
    return [(name, value) for name, value in attrs.asdict(able).items() if name != "notes"]


def _yes(session: Session, answer: bool) -> str:
    return session.say("label.yes" if answer else "label.no").text


# Whole? ---------------------------------------------------------------------------------------------------


@click.command("verify", cls=Told)
@click.option("--read-data", is_flag=True)
@click.option("--mend", is_flag=True)
@click.pass_obj
def verify(session: Session, read_data: bool, mend: bool) -> Outcome:
    """Find every object that is not what was written; 7 when there is one."""
    vault, alarm = vault_at_any_rate(session)
    session.warnings.clear()  # what was found on opening is found again, with all the rest
    if mend and mend_vault(vault) is not None:
        session.warn("sync.verify.mended")
    found = checked(session, vault, read_data=read_data)
    evidence = None if is_copy(session) else evidence_of(vault, found, read_data=read_data, alarm=alarm)
    data = {
        "read_data": read_data,
        "head": _head(vault),
        "packs": vault.state.index.present,
        "damaged": [one.name for one in found],
        "findings": [attrs.asdict(one) for one in found],
        "evidence": evidence,
    }
    if evidence is None:
        session.warn("sync.verify.only-told")
    if alarm is not None and (not found or alarm.code in ALARMS):
        error: Damaged = alarm
    else:
        error = Damaged("sync-vault-damaged", count=len(found))
    if not found and alarm is None:
        code = "sync.verify.read" if read_data else "sync.verify.sizes"
        return Outcome(data, session.say(code, packs=vault.state.index.present).text)
    rows = [(one.name, session.say(f"sync.problem.{one.problem}").text) for one in found]
    return Outcome(data, show=table(session, ("object", "problem"), rows), status=DAMAGED, error=error)


def checked(session: Session, vault: Vault, *, read_data: bool) -> tuple[Finding, ...]:
    """Verifies the vault, with a meter."""
    with measured(session, "sync.meter.verify") as tell:
        return verify_vault(vault, read_data=read_data, progress=tell)


def evidence_of(
    vault: Vault, found: Sequence[Finding], *, read_data: bool, alarm: Damaged | None
) -> int | None:
    """Notes what a verify found, here and, where that can be written, in the vault: number of the commit.

    A vault that shows another history than it did is no place for evidence.
    """
    verified = Verified(found, read_data, vault.state.index.present)
    if alarm is not None:
        Journal.of(vault).ran(vault, "verify", read_data=read_data, damaged=len(found))
        return None
    kept = keep_verified(vault, Journal.of(vault), verified)
    return None if kept is None else kept.sequence


def _head(vault: Vault) -> dict[str, Any]:
    return dict(zip(("sequence", "hash"), vault.head, strict=True))


# How old? -------------------------------------------------------------------------------------------------


@click.command("status", cls=Told)
@click.pass_obj
def status(session: Session) -> Outcome:
    """How old the last backup, verify and drill are, how far the copy lags, what the storage can do."""
    vault = open_vault(session)
    able = vault.remote.probe()
    told_abilities(session, able)
    if not is_copy(session):
        hear(vault, Journal.of(vault))
    noted = Journal.of(vault).read()
    data: dict[str, Any] = {
        "vault": vault.id,
        "address": session.address,
        "head": _head(vault),
        "snapshots": len(vault.snapshots),
        "stored": sum(pack.size for pack in vault.state.index.packs if not pack.gone),
        "doomed": len(vault.state.doomed),
        "epoch": vault.state.epoch,
        "retired": vault.state.retired,
        "last_backup": _last_backup(vault),
        "last_verify": _aged(noted.get("verify")),
        "last_drill": _aged(noted.get("drill")),
        "copies": _copies(vault, noted),
        "lock_days": _lock_days(vault),
        "lock_until": _lock_until(session, vault, noted),
        **abilities(able),
    }
    return Outcome(data, _told(session, data), status=DONE)


def _lock_until(session: Session, vault: Vault, noted: Mapping[str, Any]) -> str | None:
    """The earliest time at which something that counts could be deleted, as the last upkeep found it.

    None: now, because something is not locked, nobody looked yet, or locks are not wanted.
    """
    if is_copy(session):
        told = noted.get("copies", {}).get(spoken_address(session.address), {}).get("lock_until")
    else:
        told = noted.get("hold", {}).get("until")
    found = moment_of(told)
    return None if found is None or not _lock_days(vault) else stamp(found)


def _lock_days(vault: Vault) -> int:
    """For how long new objects are locked; 0: not at all."""
    holding = holding_of(vault.remote)
    return 0 if holding is None else holding.period.days


def _last_backup(vault: Vault) -> dict[str, Any] | None:
    if not vault.snapshots:
        return None
    newest = vault.snapshots[-1]
    at = commit_times(vault).get(newest.sequence, newest.at)
    found = _aged({"at": stamp(at)})
    return {**(found or {}), "sequence": newest.sequence}


def _aged(noted: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What was noted, and how many seconds ago it was."""
    at = moment_of(noted.get("at")) if isinstance(noted, Mapping) else None
    if noted is None or at is None:
        return None
    return {**noted, "age_seconds": max(0, int((now() - at).total_seconds()))}


def _copies(vault: Vault, noted: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"address": address, **(_aged(one) or {}), "commits_behind": max(0, vault.head[0] - one["head"])}
        for address, one in sorted(noted.get("copies", {}).items())
    ]


def _told(session: Session, data: Mapping[str, Any]) -> str:
    lines = [
        session.say("sync.status.vault", vault=data["vault"], address=data["address"]).text,
        session.say("sync.status.head", **data["head"]).text,
        session.say("sync.status.holds", snapshots=data["snapshots"], stored=size(data["stored"])).text,
    ]
    for name in ("last_backup", "last_verify", "last_drill"):
        one = data[name]
        label = session.say(f"sync.status.{name}").text
        lines.append(f"{label}{_ago(session, one) if one else session.say('sync.status.never').text}")
    for one in data["copies"]:
        facts = {"address": one["address"], "behind": one["commits_behind"], "ago": _ago(session, one)}
        lines.append(session.say("sync.status.copy", **facts).text)
    lines.append(session.say(f"sync.status.writers.{data['writers']}").text)
    if (until := moment_of(data["lock_until"])) is not None:
        code = "sync.status.lock" if until > now() else "sync.status.lock-over"
        lines.append(session.say(code, until=local(until)).text)
    elif data["lock_days"]:
        lines.append(session.say("sync.status.lock-none").text)
    if data["doomed"]:
        lines.append(session.say("sync.status.doomed", count=data["doomed"]).text)
    return "\n".join(lines)


def _ago(session: Session, one: Mapping[str, Any]) -> str:
    at = moment_of(one.get("at"))
    return f"{age(session, one['age_seconds'])}（{local(at)}）" if at and session.lang == "zh" else (
        f"{age(session, one['age_seconds'])} ({local(at)})" if at else "—"
    )  # fmt: skip
