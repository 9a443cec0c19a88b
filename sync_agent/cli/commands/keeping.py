"""`forget`, `prune` and `copy`: which snapshots are kept, what is deleted, and a second place for it all."""

from __future__ import annotations

from datetime import datetime, timedelta
from threading import Event
from typing import Any, Final

import click

from loanhub import NotFound, Usage
from sync_agent.cli.meter import measured
from sync_agent.cli.opening import remote_at, vault_to_write
from sync_agent.cli.outcome import Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import local, now, size, table
from sync_agent.cli.told import Told
from sync_agent.holding import needed, notes_of, uphold
from sync_agent.keeping import points_of
from sync_agent.places import Places, spoken_address
from sync_agent.retention import Policy, kept
from sync_agent.snapshots import needs_of, snapshot_named, snapshots_of
from sync_agent.status import Journal, stamp
from sync_agent.vault import Vault
from sync_agent.vault.mirroring import mirror, tidy
from sync_agent.vault.pruning import GRACE
from sync_agent.vault.pruning import prune as prune_vault

NO_GRACE: Final = timedelta(0)


# Which are kept -------------------------------------------------------------------------------------------


@click.command("forget", cls=Told)
@click.argument("snapshots", nargs=-1)
@click.option("--keep-last", "last", type=click.IntRange(0), default=0)
@click.option("--keep-daily", "daily", type=click.IntRange(0), default=0)
@click.option("--keep-weekly", "weekly", type=click.IntRange(0), default=0)
@click.option("--keep-monthly", "monthly", type=click.IntRange(0), default=0)
@click.option("--keep-yearly", "yearly", type=click.IntRange(0), default=0)
@click.option("--dry-run", is_flag=True)
@click.pass_obj
def forget(session: Session, /, snapshots: tuple[str, ...], dry_run: bool, **counts: int) -> Outcome:
    """Take snapshots out of the list: those named, or those that a policy does not keep."""
    policy = Policy(**counts)
    if bool(snapshots) == (policy != Policy()):
        raise Usage("sync-forget-which")
    vault = vault_to_write(session)
    if snapshots:
        gone = {snapshot_named(vault, name).commit.sequence for name in snapshots}
        reasons: dict[int, tuple[str, ...]] = {}
    else:
        zone = datetime.now().astimezone().tzinfo
        assert zone is not None
        reasons = kept(points_of(vault, Journal.of(vault)), policy, zone)
        gone = {one.sequence for one in vault.snapshots} - set(reasons)
    everything = snapshots_of(vault)
    forgotten = [one.id for one in everything if one.commit.sequence in gone]
    stay = [
        {"id": one.id, "reasons": list(reasons.get(one.commit.sequence, ()))}
        for one in everything
        if one.commit.sequence not in gone
    ]
    if gone and not dry_run:
        vault.forget(gone)
    code = "sync.forget.would" if dry_run else "sync.forget.done"
    text = session.say(code, forgotten=len(forgotten), kept=len(stay)).text
    rows = [(name, session.say("sync.forget.gone").text) for name in forgotten]
    rows += [(str(one["id"]), _why(session, one["reasons"])) for one in stay]
    data = {"forgotten": forgotten, "kept": stay, "dry_run": dry_run}
    return Outcome(data, text, table(session, ("id", "why"), rows))


def _why(session: Session, reasons: object) -> str:
    found = reasons if isinstance(reasons, list) else []
    return ", ".join(session.say(f"sync.kept.{reason}").text for reason in found)


# What is deleted ------------------------------------------------------------------------------------------


@click.command("prune", cls=Told)
@click.option("--now", "at_once", is_flag=True)
@click.pass_obj
def prune(session: Session, at_once: bool) -> Outcome:
    """Doom what no snapshot needs, and delete what was doomed before the grace."""
    vault = vault_to_write(session)
    before = _stored(vault.state.index.packs)
    done = prune_vault(vault, needs_of(vault), grace=NO_GRACE if at_once else GRACE)
    after = _stored(vault.state.index.packs)
    Journal.of(vault).ran(vault, "prune", deleted=done.deleted)
    data = {
        "doomed_now": 0 if done.plan is None else len(done.plan.body["objects"]),
        "deleted": done.deleted,
        "waiting": done.doomed,
        "stored": after,
        "freed": max(0, before - after),
        "grace_days": 0 if at_once else GRACE.days,
        "locked": done.held,
        "locked_until": None if done.held_until is None else stamp(done.held_until),
    }
    facts = {**data, "stored": size(after), "freed": size(max(0, before - after))}
    lines = [session.say("sync.prune.done", **facts).text]
    if done.held_until is not None:
        lines.append(session.say("sync.prune.locked", objects=done.held, until=local(done.held_until)).text)
    return Outcome(data, "\n".join(lines))


def _stored(packs: Any) -> int:
    return sum(pack.size for pack in packs if not pack.gone)


# A second place -------------------------------------------------------------------------------------------


@click.command("copy", cls=Told)
@click.argument("target")
@click.option("--tidy", "tidies", is_flag=True)
@click.option("--promote", is_flag=True)
@click.pass_obj
def copy(session: Session, target: str, tidies: bool, promote: bool) -> Outcome:
    """Copy to a second remote what it lacks; killed, it is simply run again."""
    if promote:
        return _promoted(session, spoken_address(target))
    vault = vault_to_write(session)
    data = copied(session, vault, target, tidies=tidies)
    return Outcome(data, session.say("sync.copy.done", **{**data, "bytes": size(data["bytes"])}).text)


def _promoted(session: Session, target: str) -> Outcome:
    """The first vault is lost: from now on the copy is the vault."""
    places = Places()
    place = places.find(target)
    if place is None or not place.copy_of:
        raise NotFound("sync-no-copy", address=target)
    places.remember(target, place.vault, apart=True)
    data = {"vault": place.vault, "address": target, "instead_of": place.copy_of}
    return Outcome(data, session.say("sync.copy.promoted", **data).text)


def copied(session: Session, vault: Vault, target: str, *, tidies: bool) -> dict[str, Any]:
    """Copies to a second remote, holds on what it locks, and notes how far it is.

    With `tidies` it deletes there what was pruned here.
    """
    places, target = Places(), spoken_address(target)
    place = places.find(target)
    known = place is not None and place.vault == vault.id
    remote = remote_at(session, target, known=known)
    able = remote.probe()
    with measured(session, "sync.meter.copy", bytes=False) as tell:
        came = mirror(vault.remote, remote, progress=tell)
    places.remember(target, vault.id, copy_of=spoken_address(session.address), apart=True)
    held = uphold(remote, needed(vault), notes_of(vault, remote), now(), Event())
    for code in held.troubles if held is not None else ():
        session.warn(code, remote=target)
    until = None if held is None or held.until is None else stamp(held.until)
    Journal.of(vault).copied(vault, target, came.head, until)
    return {
        "to": target,
        "objects": came.objects,
        "bytes": came.bytes,
        "head": came.head,
        "commits_behind": max(0, vault.head[0] - came.head),
        "lock_until": until,
        "deleted": tidy(vault, remote) if tidies else 0,
        "can_delete": able.can_delete,
    }
