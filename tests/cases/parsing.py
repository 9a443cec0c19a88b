"""Judges of parsing.json: amounts, rates, terms, dates and choices as people type them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from loanhub import money
from loanhub.calendars import whole_months
from loanhub.readings import Reading
from loanhub.readings.amounts import read_amount
from loanhub.readings.choices import shipped_choices
from loanhub.readings.dates import read_date, read_datetime
from loanhub.readings.headers import HeaderHints, header_hints
from loanhub.readings.rates import Rate, rate_hint, read_rate
from loanhub.readings.terms import Term, read_term
from tests.cases.answers import Answer, cell, number, plain, reason, said

WORDS = {
    "rate-too-high": ("over", "limit", "sanity"),
    "rate-ambiguous": ("ambiguous", "ask"),
    "rate-multiple": ("multiplicative", "base", "ask"),
    "rate-negative": ("negative",),
    "amount-negative": ("negative", "bracket"),
    "amount-range": ("range",),
    "amount-decimals": ("decimal",),
    "date-short-year": ("year",),
    "date-no-year": ("year",),
    "date-impossible": ("impossible", "exist", "no such"),
    "term-zero": ("zero", "positive", "> 0"),
    "choice-unknown": ("unknown", "ambiguous", "ask"),
    "cell-empty": ("empty", "missing"),
}


def amount(case: Mapping[str, Any]) -> dict[str, Answer]:
    """A case asks how a cell reads, so 0 is a value here; whether a field allows it is the field's rule."""
    inputs = case["inputs"]
    text, numeric = cell(inputs)
    reading = read_amount(
        text,
        unit=inputs.get("unit") or _header(inputs).amount_unit,
        allow_zero=True,
        number_cell=numeric,
    )
    yuan = None if reading.value is None else money.decimal(reading.value)
    return {**_verdict(reading), "value": number(yuan), "fen": number(reading.value)}


def rate(case: Mapping[str, Any]) -> dict[str, Answer]:
    """One cell is a whole column here, unless the case gives the column's values."""
    inputs = case["inputs"]
    header = _header(inputs)
    text, _ = cell(inputs)
    column = next((v for v in inputs.values() if isinstance(v, list)), [text])
    hint = inputs.get("column")
    reading = read_rate(
        text,
        header_unit=header.rate_unit,
        period=inputs.get("period") or header.period,
        day_base=inputs.get("day_base") or header.day_base or 360,
        column=hint if hint in {"percent", "permille", "fraction"} else _only_fractions(column),
    )
    found = reading.value or Rate()
    ambiguous = reading.problem == "rate-ambiguous"
    return {
        **_verdict(reading),
        "annual": number(found.annual),
        "value": number(found.annual),
        "floating": plain(found.floating),
        "tenor": plain(found.tenor),
        "spread_bp": plain(found.spread_bp),
        "ambiguous": plain(ambiguous),
        "ask": plain(ambiguous),
        "candidates": _candidates(reading.facts.get("candidates", ())),
    }


def _only_fractions(column: list[Any]) -> Any:
    hint = rate_hint(map(str, column))
    return hint if hint == "fraction" else None


def _candidates(found: Any) -> Answer:
    """The candidates in any order and writing; a case may name only those it means."""

    def answer(expected: Any) -> Any:
        same = {Decimal(str(e)) for e in expected} == {Decimal(f) for f in found}
        return expected if same else list(found)

    return answer


def term(case: Mapping[str, Any]) -> dict[str, Answer]:
    inputs = case["inputs"]
    unit = inputs.get("unit") or _header(inputs).term_unit or "month"
    reading = read_term(cell(inputs)[0], unit=unit)
    found = reading.value
    answers = _verdict(reading)
    answers |= dict.fromkeys(("value", "unit", "start", "end"), plain(None))
    if found is not None:
        answers |= {
            "value": plain(found.value),
            "unit": _term_unit(found),
            "months": plain(found.months()),
            "start": plain(found.start and found.start.isoformat()),
            "end": plain(found.end and found.end.isoformat()),
        }
        if found.start and found.end:
            months, odd = whole_months(found.start, found.end)
            answers |= {"whole_months": plain(months), "odd_days": plain(odd)}
    return answers


def _term_unit(found: Term) -> Answer:
    """A period is a month unless the product says otherwise (DOMAIN.md 1.8), so a case may say either."""
    return lambda expected: expected if (found.unit, expected) == ("period", "month") else found.unit


def day(case: Mapping[str, Any]) -> dict[str, Answer]:
    inputs = case["inputs"]
    epoch = inputs.get("epoch")
    system = inputs.get("date1904") or "1904" in str(inputs.get("note", ""))
    options: dict[str, Any] = {
        "order": inputs.get("order"),
        "epoch": date.fromisoformat(epoch) if epoch else None,
        "date1904": bool(system),
    }
    text, _ = cell(inputs)
    reading, moment = read_date(text, **options), read_datetime(text, **options)
    return {
        **_verdict(reading),
        "value": plain(reading.value and reading.value.isoformat()),
        "datetime": plain(moment.value and moment.value.isoformat(sep=" ")),
    }


def _choice(name: str, key: str) -> Callable[[Mapping[str, Any]], dict[str, Answer]]:
    def judge(case: Mapping[str, Any]) -> dict[str, Answer]:
        reading = shipped_choices()[name].read(cell(case["inputs"])[0])
        return {**_verdict(reading), key: plain(reading.value), "value": plain(reading.value)}

    return judge


def _header(inputs: Mapping[str, Any]) -> HeaderHints:
    return header_hints(inputs.get("header") or "")


def _verdict(reading: Reading[Any]) -> dict[str, Answer]:
    return {
        "ok": plain(reading.ok),
        "valid": plain(reading.ok),
        "reason": reason(reading.problem, WORDS),
        "warn": said(reading.warning),
        "warning": said(reading.warning),
    }


JUDGES: dict[str, Callable[[Mapping[str, Any]], dict[str, Answer]]] = {
    "amount": amount,
    "rate": rate,
    "term": term,
    "date": day,
    "datetime": day,
    "repayment_method": _choice("method", "method"),
    **{name: _choice(name, name) for name in ("gender", "marital", "education", "guarantee", "level")},
    **{name: _choice(name, name) for name in ("customer_type", "id_type", "loan_status", "risk_class")},
    **{name: _choice(name, name) for name in ("channel", "yes_no", "rate_type", "relation")},
}
