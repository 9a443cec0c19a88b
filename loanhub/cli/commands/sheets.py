"""Commands that write sheets: a template to be filled in, an export to be read or edited."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import field, frozen

from loanhub.acts import param
from loanhub.cli.acting import Command
from loanhub.cli.outcome import Outcome
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.cli.unlocking import FILE_VARIABLE, file_password, hidden
from loanhub.errors import Usage
from loanhub.keys import Secret
from loanhub.services.sheets.asking import Export
from loanhub.services.sheets.export import Exported, Exporting
from loanhub.services.sheets.kinds import NAMES
from loanhub.services.sheets.template import Drawn, draw

if TYPE_CHECKING:
    from loanhub.texts import Message


@frozen
class TemplateOf:
    """Write a template to be filled in."""

    kind: str = param(argument=True, choices=NAMES)
    output: str = param()


def template(session: Session, request: TemplateOf) -> Outcome:
    """A template written to a new file."""
    drawn = draw(session.house, session.desk, request.kind, _target(request.output), session.lang)
    return Outcome(plain(drawn), text=str(session.say("template.done", file=drawn.file)))


@frozen
class ExportOf:
    """Export records to a sheet."""

    kind: str = param(argument=True, choices=NAMES)
    output: str = param()
    where: Mapping[str, str] = field(factory=dict, metadata=param(many=True).metadata, repr=False)
    columns: tuple[str, ...] = param(default=(), many=True)
    plain: bool = param(default=False, flag=True)
    reason: str = param(default="")
    password: bool = param(default=False, flag=True)


def export(session: Session, request: ExportOf) -> Outcome:
    """An export written to a new file, with its progress."""
    columns = [name.strip() for told in request.columns for name in told.replace("，", ",").split(",")]
    asked = Export(request.kind, request.where, tuple(filter(None, columns)), request.plain, request.reason)
    password = new_password(session) if request.password else None
    target = _target(request.output)
    work = Exporting(session.house, session.desk, session.lang, asked, target, password)
    for _ in session.meter().over(work.run(), target.name):
        pass
    assert work.done is not None
    return Outcome(plain(work.done), text="\n".join(str(line) for line in _told(session, work.done)))


def _told(session: Session, done: Exported) -> list[Message]:
    said = [session.say("export.done", rows=f"{done.rows:,}", file=done.file)]
    if done.masked:
        labels = (session.words.label(path, session.lang) for path in done.masked)
        fields = ("、" if session.lang == "zh" else ", ").join(labels)
        said.append(session.say("export.masked", fields=fields))
    return said


def _target(output: str) -> Path:
    return Path(output).expanduser().absolute()


def new_password(session: Session) -> Secret:
    """The password for a file: of the environment, else asked twice.

    Raises Misconfigured("no-file-password") with nobody to ask, Usage("file-passwords-differ").
    """
    first = file_password(session)
    told = bool(os.environ.get(FILE_VARIABLE))
    if not told and first != hidden(session.say("ask.file-password-again").text):
        raise Usage("file-passwords-differ")
    return first


TEMPLATE: Final = Command("template", TemplateOf, template, Drawn)
EXPORT: Final = Command("export", ExportOf, export, Exported)
