"""Batches as the command line tells of them: counts, the first problems with their words, the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from attrs import evolve, frozen
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loanhub.cli.acting import Command
from loanhub.cli.outcome import DONE, REFUSED, REJECTED, WAITING, Outcome
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.errors import Refused
from loanhub.services.intake import report, steps
from loanhub.services.intake.acts import SHOW, BatchShow
from loanhub.services.intake.job import Intake
from loanhub.texts import Lang, render, say

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.entities import Batch

INLINE: Final = 20
"""Problems told at the command line; the report has them all."""
COUNTS: Final = ("rows", "stored", "changed", "unchanged", "conflicts", "rejected")


@frozen
class ProblemTaken:
    """One problem: where it is and what it is, never the value. `sheet` and `header` as in the file."""

    sheet: str
    row: int
    header: str
    field: str
    code: str
    severity: str
    message: str
    hint: str


@frozen
class Reason:
    """Why a file was refused whole."""

    code: str
    message: str
    hint: str


@frozen
class BatchTaken:
    """One file taken in. `rows` are rows of data; each counts once among the five that follow.

    `warnings` counts what was stored and reported; `waiting` counts changes that a person must confirm.
    `report` is where the answer to the clerk lies, `mapping` the file with the questions of needs-mapping.
    """

    id: int
    name: str
    sha256: str
    status: str
    kind: str
    rows: int
    stored: int
    changed: int
    unchanged: int
    conflicts: int
    rejected: int
    warnings: int
    waiting: int
    problems: tuple[ProblemTaken, ...]
    refusal: Reason | None
    report: str
    mapping: str = ""


def taken(desk: Desk, intake: Intake, batch: Batch) -> BatchTaken:
    """A batch with its first problems in the reader's words."""
    counts = {name: getattr(batch, name) for name in (*COUNTS, "warnings", "waiting")}
    problems = () if batch.status in {"refused", "needs-mapping"} else _problems(desk, intake, batch)
    why = None
    if batch.status == "refused":
        said = say(refusal(batch), intake.lang)
        why = Reason(said.code, said.text, said.hint)
    place = str(Path(batch.report).absolute()) if batch.report else ""
    return BatchTaken(
        batch.id,
        batch.name,
        batch.sha256,
        batch.status,
        batch.content,
        **counts,
        problems=problems,
        refusal=why,
        report=place,
        mapping=str(batch.decisions.get("mapping", "")) if batch.status == "needs-mapping" else "",
    )


def refusal(batch: Batch) -> Refused:
    """Why a batch was refused, as an error."""
    facts = {name: value for name, value in batch.refusal.items() if name != "code"}
    return Refused(str(batch.refusal["code"]), **facts)


def status(batch: Batch) -> int:
    """The exit status of one file."""
    if batch.status == "refused":
        return REFUSED
    if batch.status == "needs-mapping":
        return WAITING
    if batch.status != "stored":
        return DONE
    return WAITING if batch.waiting else REJECTED if batch.rejected else DONE


def _problems(desk: Desk, intake: Intake, batch: Batch) -> tuple[ProblemTaken, ...]:
    frame = _frame(desk, intake, batch)
    if not frame.height:
        return ()
    lines = frame.sort("sheet", "row", "column").head(INLINE)
    return tuple(_problem(one, _sheets(batch), intake) for one in lines.iter_rows(named=True))


def _sheets(batch: Batch) -> list[str]:
    """Names of the sheets that were read, in the order problems number them."""
    return [sheet["plan"]["sheet"] for sheet in batch.decisions.get("sheets", ())]


def _frame(desk: Desk, intake: Intake, batch: Batch) -> pl.DataFrame:
    """All problems of a batch; of a preview they were never written."""
    if intake.dry:
        return intake.previewed.get(batch.sha256, pl.DataFrame())
    return desk.do(steps.PROBLEMS, steps.Of(batch.id))


def _problem(one: dict[str, Any], sheets: Sequence[str], intake: Intake) -> ProblemTaken:
    said = report.message(intake.words, one, intake.lang)
    sheet = sheets[one["sheet"]] if one["sheet"] < len(sheets) else ""
    return ProblemTaken(
        sheet,
        one["row"],
        one["header"] or "",
        one["field"] or "",
        said.code,
        one["severity"],
        said.text,
        said.hint,
    )


# -- batches show --------------------------------------------------------------------------------------


@frozen
class BatchFile:
    """One batch: what came of it, `total` problems, how its sheets were read, and its audit lines."""

    batch: BatchTaken
    total: int
    decisions: Mapping[str, Any]
    lines: tuple[str, ...]


def show_batch(session: Session, request: BatchShow) -> Outcome:
    """One batch with its first problems in words; the report has them all."""
    detail = session.desk.do(SHOW, request)
    intake = Intake.of(session.house, session.lang)
    batch = evolve(
        taken(session.desk, intake, detail.batch),
        problems=tuple(_problem(dict(one), _sheets(detail.batch), intake) for one in detail.problems),
    )
    answer = BatchFile(batch, detail.total, detail.batch.decisions, detail.lines)

    def show(shown: Console) -> None:
        _show(shown, batch, session.lang)
        for cells in report.decisions(answer.decisions, intake.words, session.lang):
            shown.print("  " + "  ".join(map(str, cells)))
        for line_ in answer.lines:
            shown.print(line_)

    return Outcome(plain(answer), None if session.wishes.json else show)


SHOW_BATCH: Final = Command("batches.show", BatchShow, show_batch, BatchFile)


# -- for a reader --------------------------------------------------------------------------------------


def line(batch: BatchTaken, lang: Lang) -> str:
    """One file in one line."""
    said = render(f"batch.status.{batch.status}", lang).text
    if batch.refusal is not None:
        return f"{batch.name}: {said} {batch.refusal.message}"
    counts = ", ".join(f"{render(f'count.{name}', lang).text} {getattr(batch, name)}" for name in COUNTS)
    return f"{batch.name}: {said} ({counts}) {batch.report}"


def show_batches(batches: Sequence[BatchTaken], lang: Lang) -> Callable[[Console], None]:
    """Draws what came of the files."""

    def show(shown: Console) -> None:
        for batch in batches:
            _show(shown, batch, lang)

    return show


def _show(shown: Console, batch: BatchTaken, lang: Lang) -> None:
    said = render(f"batch.status.{batch.status}", lang).text
    shown.print(Text(f"{batch.name}: {said}", style="bold"))
    if batch.refusal is not None:
        shown.print(f"  {batch.refusal.message}\n  {batch.refusal.hint}")
    elif batch.status != "needs-mapping":
        counts = [f"{render(f'count.{name}', lang).text} {getattr(batch, name)}" for name in COUNTS]
        shown.print(f"  {'  '.join(counts)}")
    if batch.problems:
        shown.print(_table(batch, lang))
        left = batch.rejected + batch.warnings - len(batch.problems)
        if left > 0 and len(batch.problems) == INLINE:
            shown.print(f"  {render('ingest.more', lang, count=INLINE).text}")
    if batch.report:
        shown.print(f"  {render('ingest.report', lang, file=batch.report).text}")


def _table(batch: BatchTaken, lang: Lang) -> Table:
    table = Table(header_style="bold")
    for name in ("sheet", "row", "header", "severity", "problem", "fix"):
        table.add_column(render(f"report.problem.{name}", lang).text, overflow="fold")
    for one in batch.problems:
        severity = render(f"problem.{one.severity}", lang).text
        style = "red" if one.severity == "error" else ""
        cells = (one.sheet, str(one.row), one.header, severity, one.message, one.hint)
        table.add_row(*map(Text, cells), style=style)
    return table
