"""`drill` and `plan`: that a restore works is proven, and how to do it without us is written down."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from loanhub import Damaged, write_atomically
from sync_agent.cli.commands.taking import problem_lines
from sync_agent.cli.meter import measured
from sync_agent.cli.opening import is_copy, open_vault, secret
from sync_agent.cli.outcome import DAMAGED, Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.showing import now
from sync_agent.cli.told import Told
from sync_agent.drill import drill as make_drill
from sync_agent.drill import some_snapshot
from sync_agent.evidence import keep
from sync_agent.plan import Facts, drill_line, write_plan
from sync_agent.snapshots import Progress, snapshot_named
from sync_agent.status import Journal


@click.command("drill", cls=Told)
@click.option("--snapshot", "name", default="")
@click.option("--scratch", default="")
@click.pass_obj
def drill(session: Session, name: str, scratch: str) -> Outcome:
    """Restore a snapshot into scratch and prove it; 7 when something is wrong."""
    vault = open_vault(session)
    snapshot = snapshot_named(vault, name) if name else some_snapshot(vault)
    with (
        measured(session, "sync.meter.restore") as tell,
        TemporaryDirectory(
            prefix="loanhub-drill-", dir=scratch or None, ignore_cleanup_errors=True
        ) as folder,
    ):

        def hear(progress: Progress) -> None:
            tell(progress.bytes, progress.expected)

        found = make_drill(vault, snapshot, Path(folder), secret(session), hear)
    body = found.to_body()
    kept = None if is_copy(session) else keep(vault, body)
    evidence = None if kept is None else kept.sequence
    if evidence is None:
        session.warn("sync.verify.only-told")
    facts = {"snapshot": found.snapshot.id, "passed": found.passed, "milliseconds": body["milliseconds"]}
    Journal.of(vault).ran(vault, "drill", **facts)
    words = [{**one, "message": session.say(one["code"], **one).text} for one in body["faults"]]
    data: dict[str, Any] = {**body, "faults": words, "evidence": evidence}
    text = "\n".join([drill_line(body, session.lang), *problem_lines(session, words)])
    if found.passed:
        return Outcome(data, text)
    return Outcome(data, text, status=DAMAGED, error=Damaged("sync-drill-failed", snapshot=snapshot.id))


@click.command("plan", cls=Told)
@click.option("--output", "-o", default="")
@click.pass_obj
def plan(session: Session, output: str) -> Outcome:
    """The recovery plan, as a page to print."""
    vault = open_vault(session)
    facts = Facts.of(vault, session.address)
    text = write_plan(facts, session.lang, f"{now().astimezone():%Y-%m-%d}")
    if not output:
        return Outcome({"plan": text}, text)
    path = Path(output).expanduser().absolute()
    write_atomically(path, f"{text}\n".encode())
    return Outcome({"plan": text, "file": str(path)}, session.say("sync.plan.written", file=path).text)
