"""`loanhub-sync backup`: a snapshot of folders and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from attrs import asdict

from loanhub import Stale
from sync_agent.cli.commands.checking import told_abilities
from sync_agent.cli.meter import measured
from sync_agent.cli.opening import is_home, vault_to_write
from sync_agent.cli.outcome import DONE, INCOMPLETE, Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import size
from sync_agent.cli.told import Told
from sync_agent.places import Places, state_folder
from sync_agent.snapshots import Options, Problem, Progress, Taken, take
from sync_agent.status import Journal
from sync_agent.vault import Vault

_TRIES = 3
SHOWN = 20
"""Problems that are named to a reader; programs get all."""


@click.command("backup", cls=Told)
@click.argument("paths", nargs=-1, required=True)
@click.option("--tag", "tags", multiple=True)
@click.option("--exclude", multiple=True)
@click.option("--include", multiple=True)
@click.option("--host", default="")
@click.pass_obj
def backup(
    session: Session, paths: tuple[str, ...], tags: tuple[str, ...], exclude: tuple[str, ...],
    include: tuple[str, ...], host: str,
) -> Outcome:  # fmt: skip
    """Take a snapshot; 3 when something could not be read."""
    sources = sources_of(session, paths)
    vault = vault_to_write(session)
    told_abilities(session, vault.remote.probe())
    options = options_of(session, tags=tags, exclude=exclude, include=include, host=host)
    taken = taken_of(session, vault, sources, options)
    data = told(session, taken)
    return Outcome(data, _words(session, data), status=INCOMPLETE if taken.is_incomplete else DONE)


def sources_of(session: Session, paths: tuple[str, ...]) -> list[Path]:
    """What is to be backed up; a LoanHub home alone opens the vault with its own keyring."""
    sources = [Path(path).expanduser() for path in paths]
    if session.home is None and len(sources) == 1 and is_home(sources[0]):
        session.home = sources[0].absolute()
    return sources


def options_of(
    session: Session, *, tags: Sequence[str], exclude: Sequence[str], include: Sequence[str], host: str = ""
) -> Options:
    """How a snapshot is taken; neither the vault nor what this machine remembers of it is ever in one."""
    address = session.address
    skip = [state_folder(), *([] if "://" in address else [Path(address).expanduser()])]
    return Options(
        include=include, exclude=exclude, tags=tags, host=host, cache=Places().cache(address), skip=skip
    )


def taken_of(session: Session, vault: Vault, sources: list[Path], options: Options) -> Taken:
    """A snapshot, taken again when another machine pruned what it needed; noted in the journal."""
    with measured(session, "sync.meter.backup") as tell:

        def hear(progress: Progress) -> None:
            tell(progress.bytes, progress.expected)

        for turn in range(_TRIES):
            try:
                taken = take(vault, sources, options, hear)
                break
            except Stale:
                if turn == _TRIES - 1:
                    raise
    facts = {"snapshot": taken.snapshot.id, "problems": len(taken.problems)}
    Journal.of(vault).ran(vault, "backup", **facts)
    return taken


def told(session: Session, taken: Taken) -> dict[str, Any]:
    """A snapshot that was taken, for programs."""
    return {
        "snapshot": taken.snapshot.id,
        "sequence": taken.snapshot.commit.sequence,
        **asdict(taken.snapshot.counts),
        "stored": taken.stored,
        "problems": problems(session, taken.problems),
        "complete": not taken.is_incomplete,
    }


def problems(session: Session, found: tuple[Problem, ...]) -> list[dict[str, str]]:
    """Each problem with its words."""
    return [
        {"code": one.code, "path": one.path, "message": session.say(one.code, path=one.path).text}
        for one in found
    ]


def _words(session: Session, data: dict[str, Any]) -> str:
    facts = {**data, "bytes": size(data["bytes"]), "stored": size(data["stored"])}
    return "\n".join(
        [session.say("sync.backup.done", **facts).text, *problem_lines(session, data["problems"])]
    )


def problem_lines(session: Session, found: list[dict[str, str]]) -> list[str]:
    """The first problems, a line each, and how many more there are."""
    lines = [f"  {one['message']}" for one in found[:SHOWN]]
    if len(found) > SHOWN:
        lines.append(f"  {session.say('sync.more', count=len(found) - SHOWN).text}")
    return lines
