"""`snapshots`, `ls`, `diff` and `find`: what there is, without restoring it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any, Final

import click

from sync_agent.cli.opening import open_vault
from sync_agent.cli.outcome import DONE, NOTHING_FOUND, Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import local, size, table
from sync_agent.cli.told import Told
from sync_agent.snapshots import Entry, Snapshot, snapshot_named, snapshots_of
from sync_agent.snapshots import diff as difference
from sync_agent.snapshots import find as find_in
from sync_agent.snapshots import ls as list_of
from sync_agent.snapshots.body import shown
from sync_agent.status import commit_times, stamp

KINDS: Final = {1: "file", 2: "folder", 3: "link"}
SIGNS: Final = {"added": "+", "removed": "-", "changed": "*", "touched": "~"}


@click.command("snapshots", cls=Told)
@click.option("--tag", "tags", multiple=True)
@click.option("--host", default="")
@click.pass_obj
def snapshots(session: Session, tags: tuple[str, ...], host: str) -> Outcome:
    """The snapshots, oldest first."""
    vault = open_vault(session)
    times = commit_times(vault)
    found = [
        described(one, times.get(one.commit.sequence))
        for one in snapshots_of(vault)
        if set(tags) <= set(one.tags) and host in ("", one.host)
    ]
    rows = [
        (one["id"], local(_moment(one)), one["host"], size(one["bytes"]), one["files"],
         " ".join(one["tags"]), ", ".join(root["path"] for root in one["roots"]))
        for one in found
    ]  # fmt: skip
    columns = ("id", "time", "host", "size", "files", "tags", "paths")
    return Outcome({"snapshots": found}, show=table(session, columns, rows, right=("size", "files")))


def described(snapshot: Snapshot, stored: datetime | None) -> dict[str, Any]:
    """A snapshot for programs. `time` is the claim of the client's clock, `stored` the storage's own."""
    return {
        "id": snapshot.id,
        "sequence": snapshot.commit.sequence,
        "time": snapshot.started,
        "stored": None if stored is None else stamp(stored),
        "host": snapshot.host,
        "user": snapshot.user,
        "tags": list(snapshot.tags),
        "roots": [{"name": root.name, "path": root.path} for root in snapshot.roots],
        "files": snapshot.counts.files,
        "folders": snapshot.counts.folders,
        "links": snapshot.counts.links,
        "bytes": snapshot.counts.bytes,
        "problems": dict(snapshot.problems),
        "parent": snapshot.parent,
    }


def _moment(one: dict[str, Any]) -> datetime:
    return datetime.strptime(one["stored"] or one["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@click.command("ls", cls=Told)
@click.argument("snapshot")
@click.argument("path", required=False, default="")
@click.option("--deep", is_flag=True)
@click.pass_obj
def ls(session: Session, snapshot: str, path: str, deep: bool) -> Outcome:
    """What is in a folder of a snapshot."""
    vault = open_vault(session)
    named = snapshot_named(vault, snapshot)
    found = [_entry(one.path, one.entry) for one in list_of(vault, named, os.fsencode(path), deep=deep)]
    data = {"snapshot": named.id, "entries": found}
    rows = [(one["mode"], size(one["size"]), local(_changed(one)), one["path"]) for one in found]
    return Outcome(data, show=table(session, ("mode", "size", "changed", "path"), rows, right=("size",)))


def _entry(path: bytes, entry: Entry) -> dict[str, Any]:
    return {
        "path": shown(path),
        "type": KINDS[entry.type],
        "size": entry.size,
        "mode": f"{entry.mode:04o}",
        "changed_ns": entry.mtime,
        "target": shown(entry.target) if entry.target else None,
    }


def _changed(one: dict[str, Any]) -> datetime:
    try:
        return datetime.fromtimestamp(one["changed_ns"] / 1e9, UTC)
    except (OverflowError, ValueError, OSError):  # files may claim any year
        return datetime.fromtimestamp(0, UTC)


@click.command("diff", cls=Told)
@click.argument("before")
@click.argument("after")
@click.pass_obj
def diff(session: Session, before: str, after: str) -> Outcome:
    """What differs between two snapshots."""
    vault = open_vault(session)
    old, new = snapshot_named(vault, before), snapshot_named(vault, after)
    found = [{"path": shown(one.path), "how": one.how} for one in difference(vault, old, new)]
    lines = [f"{SIGNS[one['how']]} {one['path']}" for one in found]
    data = {"before": old.id, "after": new.id, "changes": found}
    return Outcome(data, "\n".join(lines) if lines else session.say("sync.diff.same").text)


@click.command("find", cls=Told)
@click.argument("patterns", nargs=-1, required=True)
@click.option("--snapshot", "names", multiple=True)
@click.pass_obj
def find(session: Session, patterns: tuple[str, ...], names: tuple[str, ...]) -> Outcome:
    """Everything in the snapshots that a pattern names; 4 when there is nothing."""
    vault = open_vault(session)
    where = [snapshot_named(vault, name) for name in names] if names else snapshots_of(vault)
    found = [
        {"snapshot": snapshot.id, **_entry(listed.path, listed.entry)}
        for snapshot, listed in find_in(vault, where, patterns)
    ]
    rows = [(one["snapshot"], size(one["size"]), local(_changed(one)), one["path"]) for one in found]
    show = table(session, ("id", "size", "changed", "path"), rows, right=("size",))
    if not found:
        return Outcome({"found": found}, session.say("sync.find.nothing").text, status=NOTHING_FOUND)
    return Outcome({"found": found}, show=show, status=DONE)
