"""`loanhub-sync run`: the agent, until it is told to stop."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import datetime, time
from threading import Event
from typing import Any

import click

from loanhub import Usage, stop_event
from sync_agent.agent import DEFAULT, Agent, Did, Habits
from sync_agent.cli.commands.keeping import copied
from sync_agent.cli.commands.taking import options_of, sources_of
from sync_agent.cli.opening import vault_to_write
from sync_agent.cli.outcome import Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import local, now
from sync_agent.cli.told import Told
from sync_agent.retention import Policy


@click.command("run", cls=Told)
@click.argument("paths", nargs=-1, required=True)
@click.option("--tag", "tags", multiple=True)
@click.option("--exclude", multiple=True)
@click.option("--include", multiple=True)
@click.option("--every", type=click.FloatRange(1), default=60.0)
@click.option("--settle", type=click.FloatRange(0), default=30.0)
@click.option("--at", default="01:30")
@click.option("--copy-to", default="")
@click.option("--keep-last", "last", type=click.IntRange(0), default=DEFAULT.last)
@click.option("--keep-daily", "daily", type=click.IntRange(0), default=DEFAULT.daily)
@click.option("--keep-weekly", "weekly", type=click.IntRange(0), default=DEFAULT.weekly)
@click.option("--keep-monthly", "monthly", type=click.IntRange(0), default=DEFAULT.monthly)
@click.option("--keep-yearly", "yearly", type=click.IntRange(0), default=DEFAULT.yearly)
@click.option("--once", is_flag=True)
@click.pass_obj
def run(
    session: Session, /, paths: tuple[str, ...], tags: tuple[str, ...], exclude: tuple[str, ...],
    include: tuple[str, ...], every: float, settle: float, at: str, copy_to: str, once: bool, **counts: int,
) -> Outcome:  # fmt: skip
    """Back up whenever something changed and every day; stop on SIGTERM and Ctrl-C."""
    policy = Policy(**counts)
    policy.check()
    sources = sources_of(session, paths)
    vault = vault_to_write(session)
    options = options_of(session, tags=tags, exclude=exclude, include=include)
    copies = None if not copy_to else lambda: copied(session, vault, copy_to, tidies=True)
    habits = Habits(every, settle, at=_clock(at), policy=policy)
    agent = Agent(vault, sources, options, habits, copies)
    done: Counter[str] = Counter()
    for did in agent.look_after(Event(), anyway=True) if once else agent.run(stop_event()):
        done[did.what] += 1
        _tell(session, did)
    return Outcome({"done": dict(done)}, session.say("sync.run.ended").text)


def _clock(told: str) -> time:
    try:
        return datetime.strptime(told, "%H:%M").time()  # noqa: DTZ007  # of the clock on the wall
    except ValueError:
        raise Usage("sync-run-at") from None


def _tell(session: Session, did: Did) -> None:
    """A line on stderr for whoever keeps the log."""
    facts: dict[str, Any] = dict(did.facts)
    if isinstance(facts.get("damaged"), list):
        facts["damaged"] = len(facts["damaged"])
    if did.what == "trouble":
        facts["why"] = session.say(facts["code"]).text
    print(f"{local(now())}  {session.say(f'sync.did.{did.what}', **facts).text}", file=sys.stderr, flush=True)
