"""`loanhub-sync restore`: a snapshot, or parts of it, brought back into a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from loanhub import Damaged, Usage
from sync_agent.cli.commands.taking import problem_lines, problems
from sync_agent.cli.meter import measured
from sync_agent.cli.opening import open_vault
from sync_agent.cli.outcome import DAMAGED, DONE, INCOMPLETE, Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import size
from sync_agent.cli.told import Told
from sync_agent.restore import Wish
from sync_agent.restore import restore as bring_back
from sync_agent.snapshots import Progress, snapshot_named


@click.command("restore", cls=Told)
@click.argument("snapshot")
@click.option("--to", "target", required=True)
@click.option("--include", multiple=True)
@click.option("--exclude", multiple=True)
@click.option("--path", default="")
@click.pass_obj
def restore(
    session: Session, snapshot: str, target: str, include: tuple[str, ...], exclude: tuple[str, ...],
    path: str,
) -> Outcome:  # fmt: skip
    """Bring a snapshot back; 7 when some of it is damaged, 3 when some could not be written."""
    folder = Path(target).expanduser().absolute()
    if folder.exists() and not folder.is_dir():
        raise Usage("sync-target-no-folder", path=str(folder))
    vault = open_vault(session, salvage=True)
    named = snapshot_named(vault, snapshot)
    wish = Wish(include, exclude, os.fsencode(path)) if include or exclude or path else None
    with measured(session, "sync.meter.restore") as tell:

        def hear(progress: Progress) -> None:
            tell(progress.bytes, progress.expected)

        came = bring_back(vault, named, folder, wish, hear)
    data: dict[str, Any] = {
        "snapshot": named.id,
        "to": str(folder),
        "files": came.files,
        "present": came.present,
        "folders": came.folders,
        "links": came.links,
        "bytes": came.bytes,
        "problems": problems(session, came.problems),
    }
    facts = {**data, "bytes": size(came.bytes)}
    words = [session.say("sync.restore.done", **facts).text, *problem_lines(session, data["problems"])]
    damaged = sum(one.code == "restore-damaged" for one in came.problems)
    if damaged:
        error = Damaged("sync-restore-damaged", count=damaged)
        return Outcome(data, "\n".join(words), status=DAMAGED, error=error)
    return Outcome(data, "\n".join(words), status=INCOMPLETE if came.is_incomplete else DONE)
