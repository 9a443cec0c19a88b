"""The answer to the clerk: what was stored, what was not and why, and the rejected rows to correct.

`NAME.report.xlsx` has a summary, every problem of every row, and for each sheet the rejected rows as they
were, faulty cells red, under the sheet's own headers: corrected and dropped again, it is ingested as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl
from attrs import field, frozen

from loanhub.entities import Batch
from loanhub.files import safe_name
from loanhub.services.intake.layout import REPORT_COLUMNS, REPORT_MARK, Rows, Table
from loanhub.services.intake.plans import SheetPlan
from loanhub.texts import Lang, Message, render
from loanhub.words import Words
from loanhub.workbook import Workbook

COUNTS: Final = ("rows", "stored", "changed", "unchanged", "conflicts", "rejected", "warnings", "waiting")


TITLE: Final = 24
"""Points that the line of a title is high."""

LIMITS: Final = {"rate-too-high": "100%", "amount-too-large": "1,000,000,000,000", "term-too-long": 1200}
"""Bounds of the readings themselves, which stand in no field's check."""


@frozen
class ReadSheet:
    """One sheet as it was read: table, plan and raw rows."""

    table: Table
    plan: SheetPlan
    rows: Rows = field(repr=False)


@frozen
class Report:
    """What a report is made of; `problems` as kept with the statements, with a `sheet` column."""

    batch: Batch
    sheets: Sequence[ReadSheet]
    problems: pl.DataFrame = field(repr=False)
    words: Words = field(repr=False)
    lang: Lang


def message(words: Words, line: Mapping[str, Any], lang: Lang) -> Message:
    """The words of one problem line, with the limits of its field."""
    about = words.dictionary.get(line["field"])
    check = about.check if about is not None else None
    facts: dict[str, Any] = {
        "header": line["header"] or words.label(line["field"], lang),
        "field": words.label(line["field"], lang),
        "row": line["row"],
    }
    if check is not None:
        facts |= {"least": check.least, "most": check.most, "limit": check.longest or check.most}
    facts["limit"] = LIMITS.get(line["code"], facts.get("limit"))
    if line["field"] == "customer.name":
        facts |= {"least": 2, "most": 50}
    return render(line["code"], lang, **facts)


def write(path: Path, report: Report) -> None:
    """Write the report whole."""
    with Workbook.at(path) as book:
        _summary(book, report)
        if report.problems.height:
            _problems(book, report)
        for number, sheet in enumerate(report.sheets):
            mine = report.problems.filter(pl.col("sheet") == number)
            if (mine["severity"] == "error").any():
                _rejected(book, report, sheet, mine)


def _summary(book: Workbook, report: Report) -> None:
    lang, batch = report.lang, report.batch
    sheet = book.sheet(render("report.summary", lang).text)
    sheet.print_wide()
    sheet.row([f"{REPORT_MARK} {render('report.title', lang).text}"], book.title, fit=False, height=TITLE)
    sheet.row([render("report.file", lang).text, batch.name])
    sheet.row([render("report.batch", lang).text, batch.id])
    sheet.row([render("report.status", lang).text, render(f"batch.status.{batch.status}", lang).text])
    if batch.refusal:
        facts = {k: v for k, v in batch.refusal.items() if k != "code"}
        said = render(batch.refusal["code"], lang, **facts)
        sheet.row([render("report.reason", lang).text, said.text], styles={1: book.wrong})
        sheet.row([render("report.fix", lang).text, said.hint])
    elif batch.status == "needs-mapping":
        sheet.row(
            [
                render("report.fix", lang).text,
                render("report.mapping", lang, file=batch.decisions["mapping"]).text,
            ]
        )
    else:
        for name in COUNTS:
            sheet.row([render(f"count.{name}", lang).text, getattr(batch, name)])
    sheet.row([])
    heads = _heads(lang)
    for line in decisions(report.batch.decisions, report.words, lang):
        sheet.row(line, book.head if line == heads else None, fit=len(line) > 1)


def _heads(lang: Lang) -> list[object]:
    return [render(f"report.column.{name}", lang).text for name in ("header", "field", "how", "meaning")]


def decisions(kept: Mapping[str, Any], words: Words, lang: Lang) -> Iterable[list[object]]:
    """Every decision taken on a file, as lines of cells: header row, columns, units, rows left out."""
    for note in kept.get("notes", ()):
        yield [render(note, lang).text]
    for sheet in kept.get("sheets", ()):
        plan = sheet["plan"]
        yield []
        yield [render("report.sheet", lang, sheet=plan["sheet"], row=plan["header_row"]).text]
        yield _heads(lang)
        for column in plan["columns"]:
            path = column.get("field", "")
            how = render(f"how.{column['how']}", lang).text + _witness(column, lang)
            yield [column["header"], words.label(path, lang) if path else "", how, meaning(column, lang)]
        for note, count in sheet.get("left_out", {}).items():
            yield [render(f"left.{note}", lang).text, count]
        for note in sheet.get("notes", ()):
            yield [render(note, lang).text]


def _witness(column: Mapping[str, Any], lang: Lang) -> str:
    """What the values of a column said, where it adds to how it was found."""
    found = column.get("evidence")
    if found is None or (found["shape"] == "read" and found["fits"] == found["of"]):
        return ""
    return f" ({render('evidence.' + found['shape'], lang, **found).text})"


def meaning(column: Mapping[str, Any], lang: Lang) -> str:
    """The unit and other meanings of a column as kept, in words."""
    unit = column.get("unit") or ""
    parts = [
        render(f"meaning.{unit}", lang).text if str(unit).isascii() and str(unit).isalpha() else str(unit)
    ]
    parts += [str(column[name]) for name in ("epoch", "order") if column.get(name)]
    parts += [render(f"meaning.{column[n]}", lang).text for n in ("period", "percent") if column.get(n)]
    return ", ".join(part for part in parts if part)


def _problems(book: Workbook, report: Report) -> None:
    lang = report.lang
    sheet = book.sheet(render("report.problems", lang).text)
    sheet.print_wide()
    sheet.row([f"{REPORT_MARK} {render('report.problems', lang).text}"], book.title, fit=False, height=TITLE)
    names = ("sheet", "row", "header", "severity", "problem", "fix")
    sheet.row([render(f"report.problem.{name}", lang).text for name in names], book.head)
    sheet.freeze(2)
    for line in report.problems.sort("sheet", "row", "column").iter_rows(named=True):
        said = message(report.words, line, lang)
        severity = render(f"problem.{line['severity']}", lang).text
        name = report.sheets[line["sheet"]].plan.sheet
        sheet.row([name, line["row"], line["header"], severity, said.text, said.hint])


def _rejected(book: Workbook, report: Report, read: ReadSheet, problems: pl.DataFrame) -> None:
    """Rejected rows under the sheet's own headers, then their row number, problems and fixes."""
    columns = sorted(read.table.headers)
    place = {column: i for i, column in enumerate(columns)}
    added = [c for c in REPORT_COLUMNS if c.isascii() == (report.lang == "en")]
    sheet = book.sheet(read.plan.sheet)
    grouped = {c.column: c for c in read.plan.columns}
    headers = [_header(read.table, grouped.get(c), c) for c in columns]
    sheet.row([*headers, *added], book.head)
    sheet.freeze(1)
    errors = problems.filter(
        pl.col("row").is_in(problems.filter(pl.col("severity") == "error")["row"].implode())
    )
    by_row: dict[int, list[dict[str, Any]]] = {}
    for line in errors.sort("row", "column").iter_rows(named=True):
        by_row.setdefault(line["row"], []).append(line)
    names = [f"c{i}" for i in columns]
    cells = read.table.sheet.cells(columns).filter(pl.col("row").is_in(list(by_row)))
    filled = read.rows.cells.select("row", *(n for n in names if n in read.rows.cells.columns))
    cells = cells.update(filled, on="row", how="left") if filled.width > 1 else cells
    for row in cells.iter_rows(named=True):
        _rejected_row(sheet, book, report, row, [row[n] for n in names], by_row[row["row"]], place)


def _header(table: Table, plan: Any, column: int) -> str:
    combined = table.combined.get(column)
    return combined if combined and plan is not None and plan.how == "group" else table.headers[column]


def _rejected_row(
    sheet: Any,
    book: Workbook,
    report: Report,
    row: Mapping[str, Any],
    cells: list[Any],
    problems: Sequence[Mapping[str, Any]],
    place: Mapping[int, int],
) -> None:
    said = [(p, message(report.words, p, report.lang)) for p in problems]
    red = {
        place[p["column"]]: book.wrong for p, _ in said if p["column"] in place and p["severity"] == "error"
    }
    notes: dict[int, str] = {}
    for p, text in said:
        if p["column"] in place:
            at = place[p["column"]]
            notes[at] = f"{notes[at]}\n{text}" if at in notes else str(text)
    texts = "\n".join(t.text for _, t in said)
    fixes = "\n".join(dict.fromkeys(t.hint for _, t in said if t.hint))
    end = len(cells)
    styles = {**red, end + 1: book.wrap, end + 2: book.wrap}
    sheet.row([*cells, row["row"], texts, fixes], book.plain, styles=styles, notes=notes)


def report_name(name: str, *, dry: bool = False) -> str:
    """The report's file name: of a corrected report the same again."""
    stem = Path(name).stem
    while stem.endswith(".report"):
        stem = stem.removesuffix(".report")
    return safe_name(f"{stem}.{'preview' if dry else 'report'}.xlsx")
