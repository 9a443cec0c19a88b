"""`loanhub-sync restore`: a snapshot, or parts of it, brought back into a folder or to where it lay."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import frozen

from loanhub import Damaged, Usage, say
from sync_agent.cli.commands.taking import options_of, problem_lines, problems, taken_of
from sync_agent.cli.meter import measured
from sync_agent.cli.opening import vault_at_any_rate, vault_to_write
from sync_agent.cli.outcome import DAMAGED, DONE, INCOMPLETE, Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import size
from sync_agent.cli.told import Told
from sync_agent.homes import Holding
from sync_agent.restore import Restored, Wish
from sync_agent.restore import restore as bring_back
from sync_agent.restore.in_place import Cleared, delete_extra, places_of, refuse_open
from sync_agent.snapshots import BEFORE_RESTORE, Progress, Snapshot, snapshot_named
from sync_agent.snapshots.patterns import Patterns
from sync_agent.vault import Vault


@frozen
class Wanted:
    """What was asked for, as the options have it."""

    snapshot: str
    target: str
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    path: str
    in_place: bool
    safety: bool
    delete_extra: bool
    host_differs: bool

    def check(self) -> None:
        """Raises Usage when they do not go together."""
        if bool(self.target) == self.in_place:
            raise Usage("sync-restore-where")
        if self.target and (self.delete_extra or self.host_differs):
            raise Usage("sync-restore-together")
        if self.target and self.folder.exists() and not self.folder.is_dir():
            raise Usage("sync-target-no-folder", path=str(self.folder))

    @property
    def folder(self) -> Path:
        """The target."""
        return Path(self.target).expanduser().absolute()

    @property
    def keeps_first(self) -> bool:
        """Whether a safety snapshot comes first."""
        return self.safety or self.in_place


@click.command("restore", cls=Told)
@click.argument("snapshot")
@click.option("--to", "target", default="")
@click.option("--in-place", is_flag=True)
@click.option("--include", multiple=True)
@click.option("--exclude", multiple=True)
@click.option("--path", default="")
@click.option("--safety", is_flag=True)
@click.option("--delete-extra", is_flag=True)
@click.option("--host-differs", is_flag=True)
@click.pass_obj
def restore(session: Session, /, **told: Any) -> Outcome:
    """Bring a snapshot back; 7 when some of it is damaged, 3 when some could not be written."""
    wanted = Wanted(**told)
    wanted.check()
    vault, alarm = (vault_to_write(session), None) if wanted.keeps_first else vault_at_any_rate(session)
    if alarm is not None:
        session.warnings.append(say(alarm, session.lang))
    named = snapshot_named(vault, wanted.snapshot)
    if wanted.in_place:
        return _in_place(session, vault, named, wanted)
    before = _kept_first(session, vault, [wanted.folder]) if wanted.safety else None
    wish = Wish(wanted.include, wanted.exclude, os.fsencode(wanted.path))
    asked = [(wanted.folder, wish if wish != Wish((), ()) else None)]
    holding = Holding(vault, named)
    came = _brought(session, asked, holding)
    return _told(session, before, wanted.folder, came, holding, Cleared())


def _in_place(session: Session, vault: Vault, named: Snapshot, wanted: Wanted) -> Outcome:
    """Nothing is deleted unless all else was done."""
    places = places_of(vault, named, os.fsencode(wanted.path), host_differs=wanted.host_differs)
    patterns = Patterns.of(wanted.include, wanted.exclude)
    refuse_open(vault, named, places, patterns)
    before = _kept_first(session, vault, [one.source for one in places])
    asked = [(one.target, one.wish(wanted.include, wanted.exclude)) for one in places]
    holding = Holding(vault, named)
    came, cleared = _brought(session, asked, holding), Cleared()
    if wanted.delete_extra and before is not None and not came.is_incomplete:
        cleared = delete_extra(vault, named, before, places, patterns, holding.markers)
    return _told(session, before, ", ".join(str(one.source) for one in places), came, holding, cleared)


def _kept_first(session: Session, vault: Vault, sources: Iterable[Path]) -> Snapshot | None:
    """The snapshot of what stands there now, so that whatever a restore replaces can be had back.

    Raises Usage `sync-restore-unsafe` when it does not hold everything.
    """
    there = [source for source in sources if os.path.lexists(source)]
    if not there:
        return None
    options = options_of(session, tags=(BEFORE_RESTORE,), exclude=(), include=())
    taken = taken_of(session, vault, there, options)
    if taken.is_incomplete:
        raise Usage("sync-restore-unsafe", count=len(taken.problems), path=taken.problems[0].path)
    return taken.snapshot


def _brought(session: Session, asked: Sequence[tuple[Path, Wish | None]], holding: Holding) -> Restored:
    """What came of each target, added up."""
    came = []
    with measured(session, "sync.meter.restore") as tell:

        def hear(progress: Progress) -> None:
            tell(progress.bytes, progress.expected)

        for target, wish in asked:
            came.append(bring_back(holding.vault, holding.snapshot, target, wish, hear, holding.meet))
    holding.end()
    counts = {
        name: sum(getattr(one, name) for one in came)
        for name in ("files", "present", "folders", "links", "bytes")
    }
    return Restored(**counts, problems=tuple(fault for one in came for fault in one.problems))


def _told(
    session: Session, before: Snapshot | None, to: object, came: Restored, holding: Holding, cleared: Cleared
) -> Outcome:
    data: dict[str, Any] = {
        "snapshot": holding.snapshot.id,
        "before": None if before is None else before.id,
        "to": str(to),
        "files": came.files,
        "present": came.present,
        "folders": came.folders,
        "links": came.links,
        "bytes": came.bytes,
        "deleted": cleared.deleted,
        "held": [str(home) for home in holding.homes],
        "problems": problems(session, (*came.problems, *cleared.problems)),
    }
    facts = {**data, "bytes": size(came.bytes)}
    words = [session.say("sync.restore.done", **facts).text, *problem_lines(session, data["problems"])]
    words += [session.say("sync.restore.deleted", count=cleared.deleted).text] if cleared.deleted else []
    words += [session.say("sync.restore.kept", before=before.id).text] if before is not None else []
    words += [session.say("sync.restore.held", home=home).text for home in data["held"]]
    damaged = sum(one.code == "restore-damaged" for one in came.problems)
    if damaged:
        error = Damaged("sync-restore-damaged", count=damaged)
        return Outcome(data, "\n".join(words), status=DAMAGED, error=error)
    return Outcome(data, "\n".join(words), status=INCOMPLETE if data["problems"] else DONE)
