"""What would become of a file, cell by cell: read as it would be taken in, and nothing is written.

The file goes through the same child process, the same search for tables, the same decisions and readings.
What depends on the records of the home (is the loan known, was the value changed since) is left to
`ingest --dry-run`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from loanhub import money
from loanhub.fields import FieldType
from loanhub.policy import MASKS, mask, maskable
from loanhub.records import MOMENT, PER_UNIT
from loanhub.services.intake import mapfile, mapwriting
from loanhub.services.intake.cells import about
from loanhub.services.intake.check import check
from loanhub.services.intake.crosschecks import Limits
from loanhub.services.intake.layout import Rows, letters, rows_of
from loanhub.services.intake.planning import Planned, plan_file
from loanhub.services.intake.plans import ColumnPlan, SheetPlan
from loanhub.services.intake.report import meaning, message
from loanhub.services.intake.rows import FILLED
from loanhub.services.intake.spool import Contents, spool
from loanhub.texts import render

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.services.intake.job import Intake

NUMBER: Final = re.compile(r"\d(?:[ -]?\d){9,}[ -]?[\dXx]|\d{6,}[\dXx]")
"""A number of seven digits or more, or of eleven in groups, in a column that is not read: only its end is
shown. The digits of a day are too few.
"""

READ_INTO: Final = {"loan.monthly_rate": "loan.rate", "loan.daily_rate": "loan.rate"}


@frozen
class TriedColumn:
    """One column: its letter and header, the field it is read as (empty: not read), how that was found, what
    its values say, and its unit and other meanings in words. `question`: what must be decided first.
    """

    column: str
    header: str
    field: str
    label: str
    how: str
    evidence: str
    meaning: str
    question: str


@frozen
class TriedCell:
    """One cell: what it says, and the value it becomes or what is wrong with it. Masked as values are."""

    header: str
    field: str
    text: str
    value: str
    severity: str
    problem: str


@frozen
class TriedRow:
    """One row with its cells, and problems of the row that are none of a cell's."""

    row: int
    rejected: bool
    cells: tuple[TriedCell, ...]
    problems: tuple[str, ...]


@frozen
class TriedTable:
    """One table of a sheet: where it is, how its columns are read, and its first rows. `rows` are rows of
    data, `left_out` those that are none, by reason.
    """

    sheet: str
    place: int
    header_row: int
    first: int
    last: int | None
    subject: str
    rows: int
    left_out: Mapping[str, int]
    columns: tuple[TriedColumn, ...]
    tried: tuple[TriedRow, ...]


@contextmanager
def planned(
    intake: Intake, desk: Desk, path: Path, told: Path | None
) -> Iterator[tuple[Contents, list[Planned]]]:
    """A file as read, with its tables and their plans, while its cells lie in scratch.

    Raises Refused as `ingest` does, and Misconfigured for a mapping file that is wrong.
    """
    house = intake.house
    file = mapfile.read(told or mapfile.beside(path), intake.words)
    with house.scratch() as scratch:
        disabled = house.settings.plugins.disabled
        limits = house.settings.intake
        contents = spool(path, scratch, house.home / "plugins", disabled, limits, intake.password)
        yield contents, plan_file(intake.words, desk, contents, file, every=True)


def try_tables(intake: Intake, plans: Sequence[Planned], most: int) -> list[TriedTable]:
    """Each table with its first `most` rows of data, cell by cell."""
    return [_tried(intake, planned_, most) for planned_ in plans]


def _tried(intake: Intake, planned_: Planned, most: int) -> TriedTable:
    (_, table), plan = planned_
    columns = [column.column for column in plan.columns]
    types = {c.column: about(intake.words, c.field).type for c in plan.columns if c.field}
    fill = [column for column, type_ in types.items() if type_ in FILLED]
    rows = rows_of(table, [*columns, *(plan.record or ())], fill)
    left: dict[str, int] = {}
    for reason in rows.skipped.values():
        left[reason] = left.get(reason, 0) + 1
    return TriedTable(
        sheet=plan.sheet,
        place=plan.place,
        header_row=plan.header_row,
        first=plan.first,
        last=plan.last,
        subject=plan.subject,
        rows=rows.cells.height,
        left_out=left,
        columns=tuple(_column(intake, plan, column) for column in plan.columns),
        tried=tuple(_rows(intake, plan, evolve(rows, cells=rows.cells.head(most)))),
    )


def _column(intake: Intake, plan: SheetPlan, column: ColumnPlan) -> TriedColumn:
    lang = intake.lang
    asked = next((q for q in plan.questions if q.column == column.column), None)
    return TriedColumn(
        column=letters(column.column),
        header=column.header,
        field=column.field,
        label=intake.words.label(column.field, lang) if column.field else "",
        how=render(f"how.{column.how}", lang).text,
        evidence=mapwriting.witness(column, lang),
        meaning=meaning(plan_json(column), lang),
        question=mapwriting.ask(asked, intake.words, lang) if asked else "",
    )


def plan_json(column: ColumnPlan) -> Mapping[str, Any]:
    """A column as its plan is kept."""
    return {name: getattr(column, name) for name in ("unit", "period", "percent", "epoch", "order")}


def _rows(intake: Intake, plan: SheetPlan, rows: Rows) -> Iterator[TriedRow]:
    house = intake.house
    limits = Limits.of(house.settings.intake)
    today = house.clock.now().astimezone(house.zone).date()
    checked = check(intake.words, plan, rows, today, house.zone, limits)
    problems: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for line in checked.problems.iter_rows(named=True):
        problems.setdefault((line["row"], line["column"]), []).append(line)
    values = {int(row["row"]): row for row in checked.values.iter_rows(named=True)}
    rejected = set(checked.rejected.to_list())
    for cells in rows.cells.iter_rows(named=True):
        row = int(cells["row"])
        tried = tuple(
            _cell(intake, column, cells, values[row], problems.get((row, column.column), []))
            for column in plan.columns
            if cells[f"c{column.column}"] is not None or (row, column.column) in problems
        )
        whole = problems.get((row, -1), [])
        said = tuple(message(intake.words, line, intake.lang).text for line in whole)
        yield TriedRow(row, row in rejected, tried, said)


def _cell(
    intake: Intake,
    column: ColumnPlan,
    cells: Mapping[str, Any],
    values: Mapping[str, Any],
    problems: Sequence[Mapping[str, Any]],
) -> TriedCell:
    text = str(cells[f"c{column.column}"] or "")
    mine = [line for line in problems if line["field"] in ("", column.field)] or list(problems)
    said = " ".join(message(intake.words, line, intake.lang).text for line in mine)
    severity = max((line["severity"] for line in mine), key=lambda s: s == "error", default="")
    if not column.field:
        return TriedCell(
            column.header,
            "",
            NUMBER.sub(lambda found: f"{'*' * (len(found[0]) - 4)}{found[0][-4:]}", text),
            "",
            severity,
            said,
        )
    known = about(intake.words, column.field)
    shown = MASKS[known.type](text) if text and maskable(known) else text
    return TriedCell(column.header, column.field, shown, _value(intake, column.field, values), severity, said)


def _value(intake: Intake, path: str, values: Mapping[str, Any]) -> str:
    """The stored value of a field for a reader; a company's code in a column of IDs is that company's."""
    path = READ_INTO.get(path, path)
    if path == "customer.id_number" and values.get(path) is None:
        path = "customer.uscc"
    value, known = values.get(path), about(intake.words, path)
    if value is None:
        return ""
    if known.type is FieldType.MONEY:
        return money.yuan(int(value))
    if known.type in (FieldType.RATE, FieldType.RATIO):
        return f"{(Decimal(value) * 100 / PER_UNIT).normalize():f}%"
    if known.type is FieldType.TERM:
        return render(f"try.term.{values.get('loan.term_unit') or 'month'}", intake.lang, count=value).text
    if known.type is FieldType.TIME:
        utc = datetime.strptime(value, MOMENT).replace(tzinfo=UTC)
        return f"{utc.astimezone(intake.house.zone):%Y-%m-%d %H:%M}"
    return str(mask(known, intake.words.shown(path, value, intake.lang)))
