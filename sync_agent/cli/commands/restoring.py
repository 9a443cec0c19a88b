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
from sync_agent.restore.in_place import Cleared, Place, places_of, refuse_open, remove_extra
from sync_agent.snapshots import Progress, Snapshot, snapshot_named
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
    no_safety: bool
    remove_extra: bool
    other_place: bool

    def check(self) -> None:
        """Raises Usage when they do not go together."""
        if bool(self.target) == self.in_place:
            raise Usage("sync-restore-where")
        only_in_place = self.no_safety or self.remove_extra or self.other_place
        if (only_in_place and not self.in_place) or (self.no_safety and (self.safety or self.remove_extra)):
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
        return self.safety or (self.in_place and not self.no_safety)


@click.command("restore", cls=Told)
@click.argument("snapshot")
@click.option("--to", "target", default="")
@click.option("--in-place", is_flag=True)
@click.option("--include", multiple=True)
@click.option("--exclude", multiple=True)
@click.option("--path", default="")
@click.option("--safety", is_flag=True)
@click.option("--no-safety", is_flag=True)
@click.option("--remove-extra", is_flag=True)
@click.option("--other-place", is_flag=True)
@click.pass_obj
def restore(session: Session, /, **told: Any) -> Outcome:
    """Bring a snapshot back; 7 when some of it is damaged, 3 when some could not be written."""
    wanted = Wanted(**told)
    wanted.check()
    vault, alarm = (vault_to_write(session), None) if wanted.keeps_first else vault_at_any_rate(session)
    if alarm is not None:
        session.warnings.append(say(alarm, session.lang))
    named = snapshot_named(vault, wanted.snapshot)
    if not wanted.in_place:
        before = _kept_first(session, vault, [wanted.folder]) if wanted.safety else None
        wish = Wish(wanted.include, wanted.exclude, os.fsencode(wanted.path))
        asked = [(wanted.folder, wish if wish != Wish((), ()) else None)]
        return _told(session, named, before, wanted.folder, _brought(session, vault, named, asked), Cleared())
    places = places_of(vault, named, os.fsencode(wanted.path), elsewhere=wanted.other_place)
    refuse_open(vault, named, places)
    before = _kept_first(session, vault, [one.source for one in places]) if wanted.keeps_first else None
    asked = [(one.target, one.wish(wanted.include, wanted.exclude)) for one in places]
    came = _brought(session, vault, named, asked)
    cleared = _cleared(vault, named, before, places, wanted)
    return _told(session, named, before, _sources(places), came, cleared)


def _kept_first(session: Session, vault: Vault, sources: Iterable[Path]) -> Snapshot | None:
    """The snapshot of what stands there now, so that whatever a restore replaces can be had back.

    Raises Usage `sync-restore-unsafe` when it does not hold everything.
    """
    there = [source for source in sources if os.path.lexists(source)]
    if not there:
        return None
    options = options_of(session, tags=("before-restore",), exclude=(), include=())
    taken = taken_of(session, vault, there, options)
    if taken.is_incomplete:
        raise Usage("sync-restore-unsafe", count=len(taken.problems), path=taken.problems[0].path)
    return taken.snapshot


def _brought(
    session: Session, vault: Vault, named: Snapshot, asked: Sequence[tuple[Path, Wish | None]]
) -> tuple[Restored, list[Path]]:
    """What came of each target, added up, and the homes that are held now."""
    holding, came = Holding(vault, named), []
    with measured(session, "sync.meter.restore") as tell:

        def hear(progress: Progress) -> None:
            tell(progress.bytes, progress.expected)

        for target, wish in asked:
            came.append(bring_back(vault, named, target, wish, hear, holding.meet))
    holding.end()
    counts = {
        name: sum(getattr(one, name) for one in came)
        for name in ("files", "present", "folders", "links", "bytes")
    }
    return Restored(**counts, problems=tuple(fault for one in came for fault in one.problems)), holding.homes


def _cleared(
    vault: Vault, named: Snapshot, before: Snapshot | None, places: Sequence[Place], wanted: Wanted
) -> Cleared:
    if not wanted.remove_extra or before is None:
        return Cleared()
    patterns = Patterns.of(wanted.include, wanted.exclude)
    did = [remove_extra(vault, named, before, place, patterns) for place in places]
    return Cleared(sum(one.removed for one in did), tuple(fault for one in did for fault in one.problems))


def _sources(places: Sequence[Place]) -> str:
    return ", ".join(str(one.source) for one in places)


def _told(
    session: Session, named: Snapshot, before: Snapshot | None, to: object,
    brought: tuple[Restored, list[Path]], cleared: Cleared,
) -> Outcome:  # fmt: skip
    came, homes = brought
    data: dict[str, Any] = {
        "snapshot": named.id,
        "before": None if before is None else before.id,
        "to": str(to),
        "files": came.files,
        "present": came.present,
        "folders": came.folders,
        "links": came.links,
        "bytes": came.bytes,
        "removed": cleared.removed,
        "held": [str(home) for home in homes],
        "problems": problems(session, (*came.problems, *cleared.problems)),
    }
    facts = {**data, "bytes": size(came.bytes)}
    words = [session.say("sync.restore.done", **facts).text, *problem_lines(session, data["problems"])]
    words += [session.say("sync.restore.removed", count=cleared.removed).text] if cleared.removed else []
    words += [session.say("sync.restore.kept", before=before.id).text] if before is not None else []
    words += [session.say("sync.restore.held", home=home).text for home in data["held"]]
    damaged = sum(one.code == "restore-damaged" for one in came.problems)
    if damaged:
        error = Damaged("sync-restore-damaged", count=damaged)
        return Outcome(data, "\n".join(words), status=DAMAGED, error=error)
    return Outcome(data, "\n".join(words), status=INCOMPLETE if data["problems"] else DONE)
