"""`loanhub-sync keys`: the ways into a vault, and the three rotations."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from loanhub import (
    NOBODY,
    DamagedSlot,
    Keyring,
    NotFound,
    Secret,
    Usage,
    new_key_file,
    new_private_file,
    new_recovery_key,
)
from sync_agent.cli.meter import measured
from sync_agent.cli.opening import NEW_VARIABLE, new_secret, open_vault, vault_to_rekey
from sync_agent.cli.outcome import Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import table
from sync_agent.cli.told import Told
from sync_agent.slots import all_kinds
from sync_agent.snapshots.looking import epochs_needed
from sync_agent.vault import Vault
from sync_agent.vault.pruning import GRACE
from sync_agent.vault.rotation import reencrypt

PUBLIC: Final = "public"
NO_GRACE: Final = timedelta(0)


# Ways in --------------------------------------------------------------------------------------------------


@click.command("keys.list", cls=Told)
@click.pass_obj
def list_keys(session: Session) -> Outcome:
    """The slots, and which data is sealed under which epoch."""
    vault = open_vault(session)
    slots = [_slot(one) for one in vault.keyring.slots]
    data = {"slots": slots, **_epochs(vault), "recovery_proven": vault.keyring.recovery_proven}
    rows = [(one["id"], one["kind"], one["label"], one["made"]) for one in slots]
    lines = _said(session, data["epochs"])
    lines[-1] += session.say("sync.keys.newest").text
    return Outcome(data, "\n".join(lines), table(session, ("slot", "kind", "label", "made"), rows))


def _slot(slot: Any) -> dict[str, str]:
    if isinstance(slot, DamagedSlot):
        return {"id": slot.id, "kind": "damaged", "label": "", "made": ""}
    return {"id": slot.id, "kind": slot.kind, "label": slot.label, "made": slot.created}


def _said(session: Session, epochs: list[dict[str, Any]]) -> list[str]:
    """A line for each epoch: what is sealed under it, and the snapshots that cannot do without it."""
    told = ({**one, "snapshots": ", ".join(map(str, one["snapshots"])) or "-"} for one in epochs)
    return [session.say("sync.keys.epoch", **one).text for one in told]


def _epochs(vault: Vault) -> dict[str, Any]:
    """Each epoch, how many packs are sealed under it, and which snapshots need its key."""
    needed = epochs_needed(vault)
    packs = Counter(pack.epoch for pack in vault.state.index.packs if not pack.gone)
    newest = vault.keyring.current_epoch
    epochs = [
        {
            "epoch": one.number,
            "suite": one.suite,
            "packs": packs[one.number],
            "snapshots": needed.get(one.number, []),
            "newest": one.number == newest,
        }
        for one in vault.keyring.epochs
    ]
    return {"epochs": epochs, "retired": vault.state.retired}


@click.command("keys.pair", cls=Told)
@click.argument("file")
@click.pass_obj
def pair(session: Session, file: str) -> Outcome:
    """A pair of keys for a public slot: made where the private one stays, away from the vault's machine."""
    path = Path(file).expanduser().absolute()
    line = new_private_file(path)
    data = {"file": str(path), "public_key": line}
    return Outcome(data, session.say("sync.keys.paired", **data).text)


@click.command("keys.add", cls=Told)
@click.argument("kind")
@click.option("--label", default="")
@click.option("--new-passphrase-file", "file", default="")
@click.option("--new-key-file", "key_file", default="")
@click.option("--public-key", "public_key", default="")
@click.option("--set", "told", multiple=True)
@click.pass_obj
def add(
    session: Session, kind: str, label: str, file: str, key_file: str, public_key: str, told: tuple[str, ...]
) -> Outcome:
    """Another way in. A recovery key is shown once; a key file is made."""
    vault = vault_to_rekey(session)
    data: dict[str, Any] = {"kind": kind}
    words = ""
    if kind == "recovery":
        secret = new_recovery_key()
        data["recovery_key"] = secret.text()
        words = session.say("sync.ask.recovery", key=secret.text()).text
    elif kind == "key-file":
        if not key_file:
            raise Usage("sync-key-file-where")
        path = Path(key_file).expanduser().absolute()
        secret = new_key_file(path)
        data["key_file"] = str(path)
    elif kind == PUBLIC:
        secret = _public_key(public_key)
    elif kind == "passphrase":
        secret = new_secret(session, NEW_VARIABLE, file)
    else:
        secret = NOBODY
    data["slot"] = _added(vault, kind, secret, label, _parameters(told))
    said = session.say("sync.keys.added", slot=data["slot"], kind=kind).text
    return Outcome(data, "\n".join(filter(None, (said, words))))


def _public_key(told: str) -> Secret:
    """The public line itself, or the file that holds it. Raises Usage("sync-public-key-which")."""
    path = Path(told).expanduser() if told else None
    if path is not None and len(told) < 250 and path.is_file():
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
        found = [
            line.lstrip("# ").strip() for line in lines if line.lstrip("# ").startswith("loanhub-public-")
        ]
        told = found[0] if found else ""
    if not told:
        raise Usage("sync-public-key-which")
    return Secret(told)


def _parameters(told: tuple[str, ...]) -> dict[str, str]:
    """`name=value` of a slot kind that plugins bring. Raises Usage("set-without-equals")."""
    pairs = [one.partition("=") for one in told]
    if not all(equals and name for name, equals, _ in pairs):
        raise Usage("set-without-equals")
    return {name: value for name, _, value in pairs}


def _added(vault: Vault, kind: str, secret: Secret, label: str, parameters: dict[str, str]) -> str:
    slots: list[str] = []
    kinds = all_kinds()
    vault.rekey(
        lambda keyring: slots.append(
            keyring.add_slot(kind, secret, label=label, parameters=parameters, kinds=kinds)
        )
    )
    return slots[0]


@click.command("keys.remove", cls=Told)
@click.argument("slot")
@click.pass_obj
def remove(session: Session, slot: str) -> Outcome:
    """Take a way in away; data sealed before stays readable to whoever kept the key."""
    vault = vault_to_rekey(session)
    vault.rekey(lambda keyring: keyring.remove_slot(slot))
    return Outcome({"slot": slot}, session.say("sync.keys.removed", slot=slot).text)


# Rotations ------------------------------------------------------------------------------------------------


@click.command("keys.passphrase", cls=Told)
@click.argument("slot", required=False, default="")
@click.option("--new-passphrase-file", "file", default="")
@click.pass_obj
def passphrase(session: Session, slot: str, file: str) -> Outcome:
    """A new passphrase on a slot: nothing that is stored changes."""
    vault = vault_to_rekey(session)
    chosen = _passphrase_slot(vault.keyring, slot)
    secret = new_secret(session, NEW_VARIABLE, file)
    vault.rekey(lambda keyring: keyring.rewrap(chosen, secret))
    return Outcome({"slot": chosen}, session.say("sync.keys.changed", slot=chosen).text)


def _passphrase_slot(keyring: Keyring, told: str) -> str:
    """The slot that is meant: only a passphrase is changed, no slot of another kind is ever locked anew."""
    found = [one.id for one in keyring.slots if not isinstance(one, DamagedSlot) and one.kind == "passphrase"]
    if told in found:
        return told
    if told or len(found) != 1:
        raise NotFound("sync-slot-which", count=len(found))
    return found[0]


@click.command("keys.rotate", cls=Told)
@click.option("--new-only", is_flag=True)
@click.option("--suite", type=click.IntRange(1, 3), default=None)
@click.option("--now", "at_once", is_flag=True)
@click.pass_obj
def rotate(session: Session, new_only: bool, suite: int | None, at_once: bool) -> Outcome:
    """A new epoch for new data, and old data sealed anew under it; run again, it goes on."""
    vault = vault_to_rekey(session)
    begun = vault.state.epoch - 1 > max(vault.state.retired, vault.keys.start.epoch - 1)
    resumed = begun and not new_only and suite is None
    if not resumed:
        vault.add_epoch(suite=suite)
    data: dict[str, Any] = {"epoch": vault.state.epoch, "resumed": resumed}
    if not new_only:
        data |= _reencrypted(session, vault, NO_GRACE if at_once else GRACE)
    data |= _epochs(vault)
    if new_only:
        code = "sync.keys.new-epoch"
    else:
        code = "sync.keys.rotated" if data["done"] else "sync.keys.rotating"
    return Outcome(data, "\n".join([session.say(code, **data).text, *_said(session, data["epochs"])]))


def _reencrypted(session: Session, vault: Vault, grace: timedelta) -> dict[str, Any]:
    total = 0
    with measured(session, "sync.meter.rotate", bytes=False) as tell:

        def go_on(left: int) -> bool:
            nonlocal total
            total = max(total, left)
            tell(total - left, total)
            return left > 0

        came = reencrypt(vault, grace=grace, go_on=go_on)
    return {"packs_left": came.packs_left, "waiting": came.waiting, "done": came.stated}
