"""The readings over whole columns: a million cells to values, problems and warnings.

Each function here is the twin of a one-value function and gives the same answers (a property test holds
that). The common forms are read by column expressions, everything else once per distinct cell by the
one-value function. An empty cell is null without a problem. `kinds` say what each cell was in the sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, Final, Literal

import polars as pl
from attrs import field, frozen

from loanhub.identifiers import (
    lost_digits,
    read_card,
    read_mobile,
    read_resident_id,
    read_uscc,
)
from loanhub.readings import Reading, fast
from loanhub.readings.amounts import header_power, read_amount
from loanhub.readings.choices import read_choice
from loanhub.readings.dates import Order, read_date, read_datetime
from loanhub.readings.plain import read_name, read_ratio, read_text, read_whole
from loanhub.readings.rates import ColumnHint, HeaderUnit, Period, Rate, rate_hint, read_rate
from loanhub.readings.terms import HeaderTermUnit, Term, read_term

# What a cell was in the sheet. Percent cells come as text with %, dates as ISO text.
EMPTY: Final = 0
TEXT: Final = 1
NUMBER: Final = 2
PERCENT: Final = 3
DATE: Final = 4
TIME: Final = 5
BOOL: Final = 6
ERROR: Final = 7
NO_VALUE: Final = 8

E8: Final = 10**8
_SPACE: Final = " \t\r\n\u3000\u00a0"


@frozen
class ColumnReading:
    """Three series as long as the column: `problem` and `warning` hold message codes or null.

    `extra` holds what else a value says: of rates `floating`, `tenor`, `spread_bp`; of terms `unit`,
    `start`, `end`.
    """

    values: pl.Series
    problem: pl.Series
    warning: pl.Series
    extra: Mapping[str, pl.Series] = field(factory=dict)


@frozen
class _Plan:
    """How the rest of a column is read: one cell to a reading, a value to columns of these types."""

    read: Callable[[str, int], Reading[Any]]
    types: Mapping[str, pl.DataType | type[pl.DataType]]
    spread: Callable[[Any], tuple[Any, ...]]


def amounts(
    cells: pl.Series, kinds: pl.Series | None = None, *, unit: str | None = None, allow_zero: bool = False
) -> ColumnReading:
    """Fen as Int64; the twin of `read_amount`."""

    def read(text: str, kind: int) -> Reading[int]:
        number = kind == NUMBER
        return read_amount(text, unit=unit, allow_zero=allow_zero, number_cell=number)

    plan = _one(_as_number(read), pl.Int64)
    power = header_power(unit)

    def quick(texts: pl.Series) -> pl.Series:
        return fast.amounts(texts, power, allow_zero=allow_zero)

    return _column(cells, kinds, plan, quick, (TEXT, NUMBER))


def rates(
    cells: pl.Series,
    kinds: pl.Series | None = None,
    *,
    header_unit: HeaderUnit | None = None,
    period: Period | None = None,
    day_base: int = 360,
    column: ColumnHint | None = None,
) -> ColumnReading:
    """Rates a year in units of 1e-8 as Int64, null for floating ones; the twin of `read_rate`."""

    def read(text: str, _: int) -> Reading[Rate]:
        return read_rate(text, header_unit=header_unit, period=period, day_base=day_base, column=column)

    def spread(rate: Rate) -> tuple[Any, ...]:
        units = None if rate.annual is None else int(rate.annual.scaleb(8))
        return units, rate.floating, rate.tenor, rate.spread_bp

    types = {"value": pl.Int64, "floating": pl.Boolean, "tenor": pl.String, "spread_bp": pl.Int64}
    return _column(cells, kinds, _Plan(_as_number(read), types, spread))


def column_rate_hint(cells: pl.Series, kinds: pl.Series | None = None) -> ColumnHint | None:
    """What the unit-less numbers of a rate column show by themselves; see `rate_hint`."""
    frame = _frame(cells, kinds).filter(pl.col("kind").is_in([TEXT, NUMBER]))
    return rate_hint(frame["cell"].drop_nulls().unique().to_list())


def ratios(
    cells: pl.Series,
    kinds: pl.Series | None = None,
    *,
    header_unit: Literal["%"] | None = None,
    most: int = 10,
) -> ColumnReading:
    """Fractions in units of 1e-8 as Int64; the twin of `read_ratio`."""

    def read(text: str, _: int) -> Reading[Any]:
        return read_ratio(text, header_unit=header_unit, most=most)

    return _column(
        cells, kinds, _Plan(_as_number(read), {"value": pl.Int64}, lambda value: (int(value.scaleb(8)),))
    )


def terms(
    cells: pl.Series, kinds: pl.Series | None = None, *, unit: HeaderTermUnit = "month"
) -> ColumnReading:
    """Lengths as Int64 with their `unit` (month, day, period) beside; the twin of `read_term`."""

    def read(text: str, _: int) -> Reading[Term]:
        return read_term(text, unit=unit)

    def spread(term: Term) -> tuple[Any, ...]:
        return term.value, term.unit, term.start, term.end

    types = {"value": pl.Int64, "unit": pl.String, "start": pl.Date, "end": pl.Date}
    return _column(cells, kinds, _Plan(_as_number(read), types, spread))


def dates(
    cells: pl.Series,
    kinds: pl.Series | None = None,
    *,
    order: Order | None = None,
    epoch: date | None = None,
    serial: bool = True,
    date1904: bool = False,
) -> ColumnReading:
    """Dates; the twin of `read_date`."""

    def read(text: str, _: int) -> Reading[date]:
        return read_date(text, order=order, epoch=epoch, serial=serial, date1904=date1904)

    return _column(cells, kinds, _one(read, pl.Date), fast.dates(), (TEXT, DATE))


def datetimes(
    cells: pl.Series,
    kinds: pl.Series | None = None,
    *,
    order: Order | None = None,
    epoch: date | None = None,
    serial: bool = True,
    date1904: bool = False,
) -> ColumnReading:
    """Moments in local time, without zone, to the microsecond; the twin of `read_datetime`."""

    def read(text: str, _: int) -> Reading[Any]:
        return read_datetime(text, order=order, epoch=epoch, serial=serial, date1904=date1904)

    return _column(cells, kinds, _one(read, pl.Datetime("us")))


def resident_ids(
    cells: pl.Series, kinds: pl.Series | None = None, *, today: date | None = None
) -> ColumnReading:
    """Numbers of 18 characters; the twin of `read_resident_id`, and digits lost in numeric cells."""

    def read(text: str, _: int) -> Reading[str]:
        return read_resident_id(text, today=today)

    return _column(
        cells,
        kinds,
        _one(_as_digits(read), pl.String),
        lambda texts: fast.resident_ids(texts, today),
        (TEXT,),
    )


def usccs(cells: pl.Series, kinds: pl.Series | None = None) -> ColumnReading:
    """Codes of 18 characters; the twin of `read_uscc`, and digits lost in numeric cells."""
    plan = _one(_as_digits(lambda text, _: read_uscc(text)), pl.String)
    return _column(cells, kinds, plan, fast.usccs(), (TEXT,))


def mobiles(cells: pl.Series, kinds: pl.Series | None = None) -> ColumnReading:
    """Numbers of 11 digits; the twin of `read_mobile`."""
    plan = _one(_as_digits(lambda text, _: read_mobile(text)), pl.String)
    return _column(cells, kinds, plan, fast.mobiles(), (TEXT, NUMBER))


def cards(cells: pl.Series, kinds: pl.Series | None = None) -> ColumnReading:
    """Card and account numbers; the twin of `read_card`, and digits lost in numeric cells."""
    plan = _one(_as_digits(lambda text, _: read_card(text)), pl.String)
    return _column(cells, kinds, plan, fast.cards, (TEXT,))


def choices(cells: pl.Series, kinds: pl.Series | None = None, *, table: Mapping[str, str]) -> ColumnReading:
    """Values of a `choice_table`; the twin of `read_choice`."""
    return _column(cells, kinds, _one(lambda text, _: read_choice(text, table), pl.String))


def texts(
    cells: pl.Series, kinds: pl.Series | None = None, *, least: int = 1, most: int = 2000
) -> ColumnReading:
    """Tidied texts; the twin of `read_text`."""
    plan = _one(lambda text, _: read_text(text, least=least, most=most), pl.String)
    return _column(cells, kinds, plan, fast.texts(least, most), (TEXT, NUMBER))


def names(cells: pl.Series, kinds: pl.Series | None = None, *, company: bool | None = None) -> ColumnReading:
    """Names of people or companies; the twin of `read_name`."""
    plan = _one(lambda text, _: read_name(text, company=company), pl.String)
    return _column(cells, kinds, plan, fast.names(), (TEXT,))


def wholes(
    cells: pl.Series, kinds: pl.Series | None = None, *, least: int = 0, most: int = 2**31
) -> ColumnReading:
    """Whole numbers as Int64; the twin of `read_whole`."""
    return _column(
        cells, kinds, _one(_as_number(lambda text, _: read_whole(text, least=least, most=most)), pl.Int64)
    )


def each(
    cells: pl.Series, read: Callable[[str], Reading[str]], kinds: pl.Series | None = None
) -> ColumnReading:
    """Any one-value function to text over a column: e-mails, phones, what a plugin reads."""
    return _column(cells, kinds, _one(_as_digits(lambda text, _: read(text)), pl.String))


# The engine -----------------------------------------------------------------------------------------------


def _one(read: Callable[[str, int], Reading[Any]], type_: pl.DataType | type[pl.DataType]) -> _Plan:
    return _Plan(read, {"value": type_}, lambda value: (value,))


def _as_number(read: Callable[[str, int], Reading[Any]]) -> Callable[[str, int], Reading[Any]]:
    """For columns of numbers: a date, a time or TRUE in one was made by Excel, not typed."""

    def checked(text: str, kind: int) -> Reading[Any]:
        code = {DATE: "cell-is-date", TIME: "cell-is-date", BOOL: "cell-is-bool"}.get(kind)
        return Reading(None, code) if code else read(text, kind)

    return checked


def _as_digits(read: Callable[[str, int], Reading[Any]]) -> Callable[[str, int], Reading[Any]]:
    """For columns of identifiers: a numeric cell may have lost digits before we saw it."""
    number = _as_number(read)

    def checked(text: str, kind: int) -> Reading[Any]:
        if kind == NUMBER and lost_digits(text):
            return Reading(None, "digits-lost")
        return number(text, kind)

    return checked


def _frame(cells: pl.Series, kinds: pl.Series | None) -> pl.DataFrame:
    """Cells as trimmed text with their kinds; empty ones are null."""
    kind = pl.Series("kind", kinds, pl.UInt8) if kinds is not None else pl.lit(TEXT, pl.UInt8).alias("kind")
    frame = pl.DataFrame({"cell": cells.cast(pl.String)}).with_columns(kind)
    text = pl.col("cell").str.strip_chars(_SPACE)
    filled = (text != "") & (pl.col("kind") != EMPTY)
    # Error cells and formulas without a value are something even when they carry no text.
    silent = pl.col("kind").is_in([ERROR, NO_VALUE])
    return frame.with_columns(
        pl.col("kind").fill_null(TEXT),
        cell=pl.when(silent).then(pl.lit("#")).when(filled).then(text),
    )


def _column(
    cells: pl.Series,
    kinds: pl.Series | None,
    plan: _Plan,
    quick: pl.Expr | Callable[[pl.Series], pl.Series] | None = None,
    quick_kinds: Iterable[int] = (),
) -> ColumnReading:
    """`quick` gives the values of cells in their common form and null for all others."""
    frame = _frame(cells, kinds)
    if quick is None:
        return _reading(_read_slowly(frame, plan), plan)
    value = quick if isinstance(quick, pl.Expr) else quick(frame["cell"])
    known = frame.select(pl.when(pl.col("kind").is_in(list(quick_kinds))).then(value)).to_series()
    rest = frame["cell"].is_not_null() & known.is_null()
    at = rest.arg_true()
    slow = _read_slowly(frame.filter(rest), plan)
    # Usually these are few: they are put in their places, and the others are left alone.
    nothing = {"problem": pl.String, "warning": pl.String, **plan.types}
    columns = {name: pl.repeat(None, len(known), dtype=type_, eager=True) for name, type_ in nothing.items()}
    columns["value"] = known
    if len(at):
        columns = {name: column.scatter(at, slow[name]) for name, column in columns.items()}
    return _reading(pl.DataFrame(columns), plan)


def _reading(frame: pl.DataFrame, plan: _Plan) -> ColumnReading:
    extra = {name: frame[name] for name in plan.types if name != "value"}
    return ColumnReading(frame["value"], frame["problem"], frame["warning"], extra)


def _read_slowly(frame: pl.DataFrame, plan: _Plan) -> pl.DataFrame:
    """Cells (`cell`, `kind`) by the one-value function, asked once for each that is different."""
    slow = _slow(frame.filter(pl.col("cell").is_not_null()).unique(), plan)
    return frame.join(slow, on=["cell", "kind"], how="left", maintain_order="left")


def _slow(distinct: pl.DataFrame, plan: _Plan) -> pl.DataFrame:
    """The distinct cells with what the one-value function says of each."""
    nothing = (None,) * len(plan.types)
    rows = []
    for text, kind in distinct.iter_rows():
        reading = _of_kind(kind) or plan.read(text, kind)
        spread = nothing if reading.value is None else plan.spread(reading.value)
        problem = None if reading.problem == "cell-empty" else reading.problem
        rows.append((text, kind, problem, reading.warning, *spread))
    head = {"cell": pl.String, "kind": pl.UInt8, "problem": pl.String, "warning": pl.String}
    return pl.DataFrame(rows, schema={**head, **plan.types}, orient="row")


def _of_kind(kind: int) -> Reading[Any] | None:
    code = {ERROR: "cell-error", NO_VALUE: "cell-not-calculated"}.get(kind)
    return Reading(None, code) if code else None
