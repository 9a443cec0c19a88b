"""`loanhub-sync restore`: a snapshot, or parts of it, brought back into a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from loanhub import Damaged, Usage, say
from sync_agent.cli.commands.taking import options_of, problem_lines, problems, taken_of
from sync_agent.cli.meter import measured
from sync_agent.cli.opening import vault_at_any_rate, vault_to_write
from sync_agent.cli.outcome import DAMAGED, DONE, INCOMPLETE, Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import size
from sync_agent.cli.told import Told
from sync_agent.homes import Holding
from sync_agent.restore import Wish
from sync_agent.restore import restore as bring_back
from sync_agent.snapshots import Progress, snapshot_named
from sync_agent.vault import Vault


@click.command("restore", cls=Told)
@click.argument("snapshot")
@click.option("--to", "target", required=True)
@click.option("--include", multiple=True)
@click.option("--exclude", multiple=True)
@click.option("--path", default="")
@click.option("--safety", is_flag=True)
@click.pass_obj
def restore(
    session: Session, snapshot: str, target: str, include: tuple[str, ...], exclude: tuple[str, ...],
    path: str, safety: bool,
) -> Outcome:  # fmt: skip
    """Bring a snapshot back; 7 when some of it is damaged, 3 when some could not be written."""
    folder = Path(target).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise Usage("sync-target-no-folder", path=str(folder))
    vault, alarm = (vault_to_write(session), None) if safety else vault_at_any_rate(session)
    if alarm is not None:
        session.warnings.append(say(alarm, session.lang))
    named = snapshot_named(vault, snapshot)
    before = _before(session, vault, folder) if safety and folder.exists() else None
    wish = Wish(include, exclude, os.fsencode(path)) if include or exclude or path else None
    holding = Holding(vault, named)
    with measured(session, "sync.meter.restore") as tell:

        def hear(progress: Progress) -> None:
            tell(progress.bytes, progress.expected)

        came = bring_back(vault, named, folder, wish, hear, holding.meet)
    holding.end()
    data: dict[str, Any] = {
        "snapshot": named.id,
        "before": before,
        "to": str(folder),
        "files": came.files,
        "present": came.present,
        "folders": came.folders,
        "links": came.links,
        "bytes": came.bytes,
        "held": [str(home) for home in holding.homes],
        "problems": problems(session, came.problems),
    }
    facts = {**data, "bytes": size(came.bytes)}
    words = [session.say("sync.restore.done", **facts).text, *problem_lines(session, data["problems"])]
    words += [session.say("sync.restore.held", home=home).text for home in data["held"]]
    damaged = sum(one.code == "restore-damaged" for one in came.problems)
    if damaged:
        error = Damaged("sync-restore-damaged", count=damaged)
        return Outcome(data, "\n".join(words), status=DAMAGED, error=error)
    return Outcome(data, "\n".join(words), status=INCOMPLETE if came.is_incomplete else DONE)


def _before(session: Session, vault: Vault, folder: Path) -> str:
    """The snapshot of what stands there now: whatever the restore replaces can be had back."""
    options = options_of(session, tags=("before-restore",), exclude=(), include=())
    return taken_of(session, vault, [folder], options).snapshot.id
