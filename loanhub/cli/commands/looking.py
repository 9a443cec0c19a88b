"""Commands that look at the installation itself: `plugins` and `doctor`."""

from __future__ import annotations

from typing import Final

from attrs import field, frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loanhub.cli.acting import Command
from loanhub.cli.outcome import DAMAGED, DONE, Outcome
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.home import Home
from loanhub.plugins import Plugin, Plugins
from loanhub.services.office.doctor import Finding, examine
from loanhub.settings import read


@frozen
class ListPlugins:
    """List what is plugged in; no passphrase is needed."""


@frozen
class PluginList:
    """Plugins as they were found, each with its state (ok, disabled, failed) and the reason."""

    plugins: tuple[Plugin, ...] = field(factory=tuple)


def plugins(session: Session, _: ListPlugins) -> Outcome:
    """Everything installed, and the single files of the home if there is one."""
    home = Home(session.home)
    disabled = read(home).plugins.disabled if home.exists else ()
    found = tuple(Plugins.load(home / "plugins", disabled).found.values())

    def show(shown: Console) -> None:
        table = Table(header_style="bold")
        for name in ("name", "kind", "version", "state", "reason"):
            table.add_column(session.say(f"plugin.{name}").text, overflow="fold")
        for one in found:
            state = session.say(f"plugin.state.{one.state}").text
            style = "red" if one.state == "failed" else ""
            cells = (one.name, one.kind, one.version, state, one.reason)
            table.add_row(*map(Text, cells), style=style)
        shown.print(table)

    return Outcome(plain(PluginList(found)), show)


@frozen
class Doctor:
    """Look the home over; nothing is repaired."""


@frozen
class Told:
    """Something found: `severity` is error (broken), warning (do something) or note (know it)."""

    code: str
    severity: str
    message: str
    hint: str


@frozen
class Findings:
    """All that is to be said about a home, errors first; empty when all is well."""

    findings: tuple[Told, ...] = field(factory=tuple)


def doctor(session: Session, _: Doctor) -> Outcome:
    """Look the home over; the status is 7 when something is broken."""
    found = tuple(_told(session, one) for one in examine(session.house))
    # What the opening said already would only be said again.
    session.warnings.clear()
    broken = any(one.severity == "error" for one in found)

    def show(shown: Console) -> None:
        for one in found:
            style = {"error": "bold red", "warning": "bold"}.get(one.severity, "")
            shown.print(Text(f"{session.say(f'severity.{one.severity}').text}: {one.message}", style=style))
            if one.hint:
                shown.print(Text(f"  {one.hint}"))

    text = "" if found else session.say("doctor.well").text
    return Outcome(plain(Findings(found)), show, DAMAGED if broken else DONE, text=text)


def _told(session: Session, finding: Finding) -> Told:
    said = session.say(finding.code, **finding.facts)
    return Told(finding.code, finding.severity, said.text, said.hint)


DOCTOR: Final = Command("doctor", Doctor, doctor, Findings)
PLUGINS: Final = Command("plugins", ListPlugins, plugins, PluginList)
