"""One column's cells as one field's values: how each type is read, and what the values say about a column."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import polars as pl
from attrs import evolve

from loanhub.fields import Field, FieldType, Privacy
from loanhub.identifiers import read_email, read_phone, read_wechat
from loanhub.readings import columns
from loanhub.readings.columns import ColumnReading
from loanhub.readings.headers import HeaderHints
from loanhub.services.intake.plans import ColumnPlan
from loanhub.sheets import CellKind
from loanhub.words import Words

T = FieldType

CLEAR: Final = ("清空", "#clear", "#CLEAR")
"""A cell that says one of these erases the value; an empty cell never does."""

LOST: Final = r"^\s*[+-]?0*[1-9]\d{15}|[eE][+-]?\d+\s*$"
"""A number of 16 digits or more: Excel keeps 15."""

BRANCH: Final = r"行|公司|店|部|中心|社|处|\b(bank|branch|office)\b"


DIGITS: Final = r"^[\d\s+()-]{5,}$"
"""What no name looks like: a number of some length."""


def about(words: Words, path: str) -> Field:
    """The field a column path is read as; pseudo fields have the type of what they fill."""
    known = words.dictionary.get(path)
    if known is not None:
        return known
    kind, name = path.split(".", 1)
    types = {
        "customer.age": T.INTEGER,
        "loan.monthly_rate": T.RATE,
        "loan.daily_rate": T.RATE,
        "loan.paid_principal": T.MONEY,
        "loan.paid_interest": T.MONEY,
    }
    fallback = T.PHONE if name.endswith("phone") else T.NAME
    privacy = Privacy.SENSITIVE if name.endswith("phone") else Privacy.PERSONAL
    return Field(kind, name, types.get(path, fallback), privacy)


def read(words: Words, plan: ColumnPlan, frame: pl.DataFrame, today: date) -> ColumnReading:
    """A column read as its field, with the units and meanings its plan has decided."""
    known = about(words, plan.field)
    texts, kinds = _said(plan, frame[f"c{plan.column}"], frame[f"k{plan.column}"])
    check = known.check
    if known.type is T.MONEY:
        return columns.amounts(texts, kinds, unit=plan.unit, allow_zero=not (check and check.least == 1))
    if known.type is T.RATE:
        return columns.rates(
            texts,
            kinds,
            header_unit=_rate_unit(plan.unit),
            period=plan.period,  # type: ignore[arg-type]
            day_base=plan.day_base,
            column=plan.percent,  # type: ignore[arg-type]
        )
    if known.type is T.RATIO:
        return columns.ratios(texts, kinds, header_unit="%" if plan.unit == "%" else None)
    if known.type is T.TERM:
        return columns.terms(texts, kinds, unit=plan.unit or "month")  # type: ignore[arg-type]
    if known.type in (T.DATE, T.TIME):
        function = columns.dates if known.type is T.DATE else columns.datetimes
        epoch = date.fromisoformat(plan.epoch) if plan.epoch else None
        return function(texts, kinds, order=plan.order, epoch=epoch)  # type: ignore[arg-type]
    if known.type is T.INTEGER:
        least = check.least if check and check.least is not None else 0
        most = check.most if check and check.most is not None else 2**31
        return columns.wholes(texts, kinds, least=least, most=most)
    return _words(words, known, texts, kinds, today)


def _said(plan: ColumnPlan, texts: pl.Series, kinds: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The cells with the other words that a mapping gives for them; an empty word empties the cell."""
    if not plan.values:
        return texts, kinds
    bare = texts.str.strip_chars().str.strip_suffix(".0")
    told = bare.is_in(list(plan.values)).fill_null(value=False)
    words = bare.replace_strict(plan.values, default=None, return_dtype=pl.String)
    kind = pl.select(pl.when(words == "").then(int(CellKind.EMPTY)).otherwise(int(CellKind.TEXT))).to_series()
    return words.zip_with(told, texts), kind.cast(pl.UInt8).zip_with(told, kinds)


def _words(words: Words, known: Field, texts: pl.Series, kinds: pl.Series, today: date) -> ColumnReading:
    if known.choices is not None:
        return columns.choices(texts, kinds, table=words.choices[known.choices].table)
    if known.type is T.YES_NO:
        return columns.choices(texts, kinds, table=words.choices["yes_no"].table)
    simple: dict[FieldType, Any] = {
        T.USCC: columns.usccs,
        T.MOBILE: columns.mobiles,
        T.CARD: columns.cards,
        T.NAME: columns.names,
    }
    if known.type is T.RESIDENT_ID:
        return columns.resident_ids(texts, kinds, today=today)
    if known.type in simple:
        found: ColumnReading = simple[known.type](texts, kinds)
        return found
    single: dict[FieldType, Any] = {T.PHONE: read_phone, T.EMAIL: read_email, T.WECHAT: read_wechat}
    if known.type in single:
        return columns.each(texts, single[known.type], kinds)
    longest = known.check.longest if known.check and known.check.longest else 500
    return _whole_numbers(columns.texts(texts, kinds, most=longest), texts, kinds)


def _whole_numbers(reading: ColumnReading, texts: pl.Series, kinds: pl.Series) -> ColumnReading:
    """Loan and customer numbers of 16 digits or more that Excel kept as numbers are not what they were."""
    lost = ((kinds == CellKind.NUMBER) & texts.str.contains(LOST)).fill_null(value=False)
    if not lost.any():
        return reading
    return evolve(
        reading, values=reading.values.set(lost, None), problem=reading.problem.set(lost, "digits-lost")
    )


def _rate_unit(unit: str | None) -> Any:
    return unit if unit in ("%", "‰") else None


def unit_of(words: Words, path: str, hints: HeaderHints) -> str | None:
    """The unit a header names, for the type of field it is mapped to."""
    kind = about(words, path).type
    if kind is T.MONEY:
        return hints.amount_unit
    if kind in (T.RATE, T.RATIO):
        return hints.rate_unit
    return hints.term_unit if kind is T.TERM else None


def meaning(
    words: Words, plan: ColumnPlan, frame: pl.DataFrame
) -> tuple[ColumnPlan, tuple[str, tuple[str, ...]] | None]:
    """What numbers without unit, and dates of either order, mean in this column: decided, or a question."""
    kind = about(words, plan.field).type
    texts, kinds = frame[f"c{plan.column}"], frame[f"k{plan.column}"]
    if kind is T.RATE and plan.percent is None and plan.unit is None:
        plan = evolve(plan, percent=columns.column_rate_hint(texts, kinds))
        reading = read(words, plan, frame, date.max)
        if plan.percent is None and (reading.problem == "rate-ambiguous").any():
            return plan, ("rate-unit", ("percent", "fraction"))
    if kind in (T.DATE, T.TIME) and plan.order is None and plan.epoch is None:
        return _order(words, plan, frame)
    return plan, None


def _order(
    words: Words, plan: ColumnPlan, frame: pl.DataFrame
) -> tuple[ColumnPlan, tuple[str, tuple[str, ...]] | None]:
    reading = read(words, plan, frame, date.max)
    wrong = reading.problem.is_not_null()
    pattern = r"^\s*\d{1,2}[/.-]\d{1,2}[/.-]\d{4}"
    turned = frame.filter(wrong & frame[f"c{plan.column}"].str.contains(pattern).fill_null(False))
    if turned.is_empty() or turned.height * 2 < wrong.sum():
        return plan, None
    fits = [
        order
        for order in ("dmy", "mdy")
        if read(words, evolve(plan, order=order), turned, date.max).problem.null_count() == turned.height
    ]
    if len(fits) == 1:
        return evolve(plan, order=fits[0]), None
    return plan, (("date-order", tuple(fits)) if fits else None)


def fits(words: Words, path: str, plan: ColumnPlan, frame: pl.DataFrame) -> bool:
    """Whether every value of a column reads as this field (an empty column fits nothing)."""
    some = frame.filter(pl.col(f"k{plan.column}") != CellKind.EMPTY)
    if some.is_empty():
        return False
    if path == "customer.branch":
        named = some[f"c{plan.column}"].str.contains(BRANCH)
        return int(named.sum()) * 5 > named.len() * 4
    if about(words, path).type is T.NAME and some[f"c{plan.column}"].str.contains(DIGITS).any():
        return False
    reading = read(words, evolve(plan, field=path), some, date.max)
    return reading.problem.null_count() == some.height


def filled(plan: ColumnPlan, frame: pl.DataFrame) -> bool:
    """Whether a column has any value."""
    return bool((frame[f"k{plan.column}"] != CellKind.EMPTY).any())
