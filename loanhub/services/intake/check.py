"""Raw cells to values in stored form, with every problem of every row; nothing stops at the first.

`Checked.values` has `row` and a column for each field path (money in fen, rates in 1e-8, days as ISO text);
`Checked.problems` one line a fault. A problem of severity `error` rejects its row; a `warning` is reported.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from attrs import evolve, field, frozen

from loanhub.fields import Field, FieldType
from loanhub.readings import columns
from loanhub.records import MOMENT
from loanhub.services.intake import cells as cells_
from loanhub.services.intake.crosschecks import CROSS_CHECKS, LOWERABLE, Limits
from loanhub.services.intake.exported import masked_cells
from loanhub.services.intake.layout import Rows
from loanhub.services.intake.plans import ColumnPlan, SheetPlan
from loanhub.words import Words

PROBLEM: Final[dict[str, Any]] = {
    "row": pl.UInt32,
    "column": pl.Int32,
    "header": pl.String,
    "field": pl.String,
    "code": pl.String,
    "severity": pl.String,
}


MASKED: Final[dict[str, Any]] = {"row": pl.UInt32, "field": pl.String, "text": pl.String}

DECIDED_ONCE: Final = ("rate-no-unit", "rate-small", "ratio-no-unit")
"""Warnings that hold for a whole column: shown once, among the decisions."""


@frozen
class Checked:
    """A table's rows as values, what is wrong with them, and cells that say 清空 (row, field path)."""

    values: pl.DataFrame = field(repr=False)
    problems: pl.DataFrame = field(repr=False)
    cleared: pl.DataFrame = field(repr=False)
    masked: pl.DataFrame = field(repr=False, factory=lambda: pl.DataFrame(schema=MASKED))
    """Cells of an export that still hold a mask (row, field path, text)."""

    @property
    def rejected(self) -> pl.Series:
        """Rows with an error."""
        return self.problems.filter(pl.col("severity") == "error")["row"].unique()


def problem(frame: pl.DataFrame, plan: ColumnPlan | None, path: str, severity: str = "error") -> pl.DataFrame:
    """Problem lines from a frame with `row` and `code`."""
    return frame.select(
        pl.col("row").cast(pl.UInt32),
        pl.lit(-1 if plan is None else plan.column, pl.Int32).alias("column"),
        pl.lit("" if plan is None else plan.header).alias("header"),
        pl.lit(path).alias("field"),
        pl.col("code"),
        pl.lit(severity).alias("severity"),
    )


def no_problems() -> pl.DataFrame:
    """An empty list of problems."""
    return pl.DataFrame(schema=PROBLEM)


def check(words: Words, plan: SheetPlan, rows: Rows, today: date, zone: ZoneInfo, limits: Limits) -> Checked:
    """All values and all problems of a table."""
    values = pl.DataFrame({"row": rows.cells["row"]})
    problems: list[pl.DataFrame] = [no_problems()]
    cleared = [pl.DataFrame(schema={"row": pl.UInt32, "field": pl.String})]
    masked = [pl.DataFrame(schema=MASKED)]
    for path, column in plan.fields.items():
        frame, marks = _without_marks(rows.cells, column)
        if marks is not None:
            cleared.append(marks.select("row", pl.lit(path).alias("field")))
        about = cells_.about(words, path)
        frame, masks = masked_cells(frame, column.column, path, about, plan.record)
        masked += [] if masks is None else [masks]
        reading = cells_.read(words, column, frame, today)
        if path == "customer.id_number":
            reading, values = _other_numbers(words, plan, frame, reading, values, today)
        found, faults = _kept(words, about, column, frame, reading)
        problems += faults
        values = _into(values, path, about, found, zone)
    values = _finish(values)
    for name, cross in CROSS_CHECKS.items():
        if (hits := cross(values, today, limits)) is None:
            continue
        severity, path = LOWERABLE.get(name, ("warning", ""))
        severity = plan.checks.get(name, severity)
        lines = pl.DataFrame({"row": values["row"], "code": pl.repeat(name, values.height, eager=True)})
        where = hits.fill_null(value=False)
        path = next((p for p in path.split() if p in plan.fields), path.split()[0] if path else "")
        problems.append(problem(lines.filter(where), plan.fields.get(path), path, severity))
    return Checked(values, pl.concat(problems), pl.concat(cleared), pl.concat(masked))


def _without_marks(cells: pl.DataFrame, column: ColumnPlan) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Cells that say 清空 taken out: the frame without them, and their rows."""
    name = f"c{column.column}"
    marked = cells[name].is_in(list(cells_.CLEAR)).fill_null(value=False)
    if not marked.any():
        return cells, None
    hole = pl.when(pl.lit(marked)).then(None).otherwise(pl.col(name)).alias(name)
    none = pl.when(pl.lit(marked)).then(0).otherwise(pl.col(f"k{column.column}")).cast(pl.UInt8)
    return cells.with_columns(hole, none.alias(f"k{column.column}")), cells.filter(marked)


def _kept(
    words: Words, about: Field, column: ColumnPlan, frame: pl.DataFrame, reading: Any
) -> tuple[Any, list[pl.DataFrame]]:
    """A reading with choices that are none of ours kept as `other` or as raw text, and its problem lines."""
    lines = frame.select("row").with_columns(reading.problem.alias("code"))
    warned = frame.select("row").with_columns(reading.warning.alias("code"))
    keep = _other(words, about)
    shown = warned.drop_nulls().filter(~pl.col("code").is_in(DECIDED_ONCE))
    faults = [problem(shown, column, about.path, "warning")]
    if keep is not None:
        unknown = (reading.problem == "choice-unknown").fill_null(value=False)
        if unknown.any():
            if keep:
                values = reading.values.zip_with(~unknown, pl.repeat(keep, unknown.len(), eager=True))
                reading = type(reading)(values, reading.problem, reading.warning, reading.extra)
            else:
                raw = frame[f"c{column.column}"].set(~unknown, None)
                reading = type(reading)(
                    reading.values, reading.problem, reading.warning, {**reading.extra, "raw": raw}
                )
            other = lines.filter(unknown).with_columns(pl.lit("choice-kept").alias("code"))
            faults.append(problem(other, column, about.path, "warning"))
            lines = lines.filter(~unknown)
    return reading, [*faults, problem(lines.drop_nulls(), column, about.path)]


def _other_numbers(
    words: Words, plan: SheetPlan, frame: pl.DataFrame, reading: Any, values: pl.DataFrame, today: date
) -> tuple[Any, pl.DataFrame]:
    """Numbers in the ID column that are no resident IDs: company codes, and passports named as such."""
    column = plan.fields["customer.id_number"]
    texts, kinds = frame[f"c{column.column}"], frame[f"k{column.column}"]
    shaped = texts.str.to_uppercase().str.contains(r"^\s*(9|[0-9A-Z]{2,16}[A-WYZ])").fill_null(value=False)
    maybe = (reading.problem.is_not_null() & shaped).set(reading.problem.is_null(), value=False)
    company = columns.usccs(texts.set(~maybe, None), kinds.set(~maybe, 0))
    codes = company.values.set(company.problem.is_not_null(), None)
    other = codes.is_not_null()
    if (typed := plan.fields.get("customer.id_type")) is not None:
        types = cells_.read(words, typed, frame, today).values
        foreign = types.is_not_null() & ~types.is_in(["resident_id", "uscc", "foreigner_pr"])
        passports = columns.texts(texts, kinds, least=5, most=30).values.set(~foreign, None)
        known = reading.values.set(foreign, None)
        reading = evolve(reading, values=known.zip_with(~foreign, passports))
        other = other | foreign
    problem_ = reading.problem.set(other, None)
    warning = reading.warning.set(other, None)
    if codes.null_count() < codes.len():
        values = values.with_columns(codes.alias("#uscc"))
    return evolve(reading, problem=problem_, warning=warning), values


def _other(words: Words, about: Field) -> str | None:
    """What an unknown word becomes: `other`, raw text ("") for a status, or None: it is an error."""
    if about.path == "loan.status":
        return ""
    known = words.choices.get(about.choices or "")
    return "other" if known is not None and "other" in known.values else None


def _into(values: pl.DataFrame, path: str, about: Field, reading: Any, zone: ZoneInfo) -> pl.DataFrame:
    """A reading's series as columns of the values, in stored form."""
    series = reading.values
    if about.type is FieldType.DATE:
        series = series.dt.to_string("%Y-%m-%d")
    elif about.type is FieldType.TIME:
        local = series.dt.replace_time_zone(str(zone), ambiguous="earliest", non_existent="null")
        series = local.dt.convert_time_zone("UTC").dt.to_string(MOMENT.replace("%f", "%6f"))
    elif about.type is FieldType.YES_NO:
        series = pl.Series(series).eq("yes").set(series.is_null(), None)
    columns = [series.alias(path)]
    if about.type is FieldType.RATE:
        floating = reading.extra["floating"].fill_null(value=False)
        kind = pl.select(
            pl.when(floating).then(pl.lit("floating")).when(series.is_not_null()).then(pl.lit("fixed"))
        ).to_series()
        if path != "loan.penalty_rate":
            columns += [
                kind.alias("#rate_type"),
                reading.extra["tenor"].alias("loan.lpr_tenor"),
                reading.extra["spread_bp"].alias("loan.spread_bp"),
            ]
    if about.type is FieldType.TERM:
        columns.append(reading.extra["unit"].alias("loan.term_unit"))
        for name in ("start", "end"):
            columns.append(reading.extra[name].dt.to_string("%Y-%m-%d").alias(f"#term_{name}"))
    if "raw" in reading.extra:
        columns.append(reading.extra["raw"].alias("loan.status_text"))
    return values.with_columns(columns)


def _finish(values: pl.DataFrame) -> pl.DataFrame:
    """Pseudo columns into the fields they fill: a monthly rate is a rate, a term of dates gives dates."""
    for pseudo in ("loan.monthly_rate", "loan.daily_rate"):
        if pseudo in values.columns:
            rate = pl.col("loan.rate") if "loan.rate" in values.columns else pl.lit(None, pl.Int64)
            values = values.with_columns(pl.coalesce(rate, pl.col(pseudo)).alias("loan.rate")).drop(pseudo)
    fills = {
        "customer.uscc": "#uscc",
        "loan.rate_type": "#rate_type",
        "loan.disburse_date": "#term_start",
        "loan.maturity_date": "#term_end",
    }
    for target, source in fills.items():
        if source in values.columns:
            known = pl.col(target) if target in values.columns else pl.lit(None, pl.String)
            values = values.with_columns(pl.coalesce(known, pl.col(source)).alias(target)).drop(source)
    return _term_of_dates(values)


def _term_of_dates(values: pl.DataFrame) -> pl.DataFrame:
    """A loan with two dates and no term has one: whole months when the days agree, else days."""
    if not {"loan.disburse_date", "loan.maturity_date"} <= set(values.columns):
        return values
    if "loan.term" in values.columns and not values["loan.term"].null_count():
        return values
    start, end = (pl.col(f"loan.{name}_date").str.to_date() for name in ("disburse", "maturity"))
    months = (end.dt.year() - start.dt.year()) * 12 + end.dt.month() - start.dt.month()
    clamped = (end == end.dt.month_end()) & (start.dt.day() > end.dt.day())
    whole = (start.dt.day() == end.dt.day()) | clamped
    term = pl.when(whole).then(months).otherwise((end - start).dt.total_days()).cast(pl.Int64)
    unit = pl.when(whole).then(pl.lit("month")).otherwise(pl.lit("day"))
    shown = "loan.term" in values.columns
    given = pl.col("loan.term") if shown else pl.lit(None, pl.Int64)
    known = pl.col("loan.term_unit") if shown else pl.lit(None, pl.String)
    usable = given.is_null() & (term > 0)
    return values.with_columns(
        pl.when(usable).then(term).otherwise(given).alias("loan.term"),
        pl.when(usable).then(unit).otherwise(known).alias("loan.term_unit"),
    )
