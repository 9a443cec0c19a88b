"""Commands that look at how a file would be read and store nothing: `mapping try` and `mapping save`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import field, frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loanhub.acts import param
from loanhub.cli.acting import Command
from loanhub.cli.outcome import DONE, REJECTED, WAITING, Outcome
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.cli.unlocking import file_password
from loanhub.errors import NotFound, Usage
from loanhub.files import write_atomically
from loanhub.services.intake import mapwriting
from loanhub.services.intake.job import Intake
from loanhub.services.intake.trying import TriedRow, TriedTable, planned, try_tables

if TYPE_CHECKING:
    from loanhub.services.intake.plans import SheetPlan

COLUMNS: Final = ("column", "header", "label", "how", "evidence", "meaning", "question")


@frozen
class Try:
    """Show how a file would be read; nothing is written."""

    file: str = param(argument=True)
    mapping: str = param(default="")
    rows: int = param(default=5)
    password: bool = param(default=False, flag=True)


@frozen
class Tried:
    """A file as it would be read: its format and what was noted of it, and its tables in their order."""

    file: str
    format: str
    notes: tuple[str, ...]
    tables: tuple[TriedTable, ...] = field(factory=tuple)


def try_file(session: Session, request: Try) -> Outcome:
    """How a file would be read. Status 5 with open questions, 3 when a row shown would be rejected."""
    intake, path, told = _asked(session, request.file, request.mapping, password=request.password)
    with planned(intake, session.desk, path, told) as (contents, plans):
        tables = tuple(try_tables(intake, plans, max(request.rows, 0)))
        tried = Tried(path.name, contents.format, contents.notes, tables)
        status = _status([plan for _, plan in plans], tables)
    show = None if session.wishes.json else _shower(session, tried)
    return Outcome(plain(tried), show, status)


def _status(plans: Sequence[SheetPlan], tables: Sequence[TriedTable]) -> int:
    if any(plan.questions for plan in plans):
        return WAITING
    return REJECTED if any(row.rejected for table in tables for row in table.tried) else DONE


@frozen
class Save:
    """Write how a file is read as a mapping file, to be reviewed and shared; nothing is stored."""

    file: str = param(argument=True)
    output: str = param()
    mapping: str = param(default="")
    password: bool = param(default=False, flag=True)


@frozen
class Saved:
    """The mapping file written: how many tables and columns it names, and how many questions are open."""

    file: str
    tables: int
    columns: int
    questions: int


def save(session: Session, request: Save) -> Outcome:
    """The mapping of a file as a file. Raises Usage("file-exists"). Status 5 with open questions."""
    intake, path, told = _asked(session, request.file, request.mapping, password=request.password)
    target = Path(request.output).expanduser().absolute()
    if target.exists():
        raise Usage("file-exists", file=str(target))
    with planned(intake, session.desk, path, told) as (_, found):
        plans = [plan for _, plan in found]
    text = mapwriting.decided(plans, intake.words, session.lang)
    write_atomically(target, lambda stream: stream.write(text.encode()))
    open_ = sum(len(plan.questions) for plan in plans)
    saved = Saved(str(target), len(plans), sum(len(plan.columns) for plan in plans), open_)
    if open_:
        session.warn("mapping-open", count=open_, file=target.name)
    return Outcome(
        plain(saved),
        status=WAITING if open_ else DONE,
        text=session.say("mapping.written", file=str(target), columns=saved.columns).text,
    )


def _asked(session: Session, file: str, mapping: str, *, password: bool) -> tuple[Intake, Path, Path | None]:
    """The intake that only looks, the file, and its mapping file. Raises NotFound("ingest-file-missing")."""
    paths = [Path(told).expanduser() for told in (file, mapping) if told]
    for path in paths:
        if not path.is_file():
            raise NotFound("ingest-file-missing", file=str(path))
    secret = file_password(session) if password else None
    intake = Intake.of(session.house, session.lang, dry=True, password=secret)
    return intake, paths[0].absolute(), paths[1] if mapping else None


# -- for a reader --------------------------------------------------------------------------------------


def _shower(session: Session, tried: Tried) -> Callable[[Console], None]:
    def show(shown: Console) -> None:
        for note in tried.notes:
            shown.print(session.say(note).text)
        for table in tried.tables:
            shown.print(Text(_title(session, table), style="bold"))
            shown.print(_columns(session, table))
            for reason, count in table.left_out.items():
                shown.print(f"  {session.say(f'left.{reason}').text}: {count}")
            for row in table.tried:
                shown.print(_row(session, row))
        shown.print(session.say("try.nothing-written").text)

    return show


def _title(session: Session, table: TriedTable) -> str:
    subject = session.say(f"try.subject.{table.subject}").text if table.subject else "?"
    place = "" if table.place == 1 else f" ({table.place})"
    facts = {"sheet": f"{table.sheet}{place}", "row": table.header_row, "rows": table.rows}
    return session.say("try.table" if table.header_row else "try.headless", subject=subject, **facts).text


def _columns(session: Session, table: TriedTable) -> Table:
    shown = Table(header_style="bold")
    used = [n for n in COLUMNS if n == "label" or any(getattr(c, n) for c in table.columns)]
    for name in used:
        shown.add_column(session.say(f"answer.TriedColumn.{name}").text, overflow="fold")
    for column in table.columns:
        style = "bold" if column.question else "" if column.field else "dim"
        shown.add_row(*(Text(getattr(column, name)) for name in used), style=style)
    return shown


def _row(session: Session, row: TriedRow) -> Table:
    """One row of the file: each cell, what it says and what it becomes."""
    verdict = session.say("try.row.rejected" if row.rejected else "try.row").text
    title = f"{session.say('try.row.number', row=row.row).text}: {verdict}"
    shown = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    for _ in range(3):
        shown.add_column(overflow="fold")
    for cell in row.cells:
        value = cell.value if cell.field else session.say("try.not-read").text
        becomes = " ".join(part for part in (value, cell.problem) if part)
        style = {"error": "red", "warning": "bold"}.get(cell.severity, "" if cell.field else "dim")
        shown.add_row(Text(f"  {cell.header}"), Text(cell.text), Text(f"→ {becomes}"), style=style)
    for problem in row.problems:
        shown.add_row(Text(""), Text(""), Text(problem), style="red" if row.rejected else "")
    return shown


TRY: Final = Command("mapping.try", Try, try_file, Tried)
SAVE: Final = Command("mapping.save", Save, save, Saved)
