"""What the values of a column say it is, whatever its header says: checksums and shapes, counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

import polars as pl
from attrs import frozen

from loanhub.fields import FieldType
from loanhub.readings import columns
from loanhub.services.intake import cells as cells_
from loanhub.services.intake.plans import ColumnPlan, Evidence
from loanhub.sheets import CellKind
from loanhub.words import Words

T = FieldType

LOOKED_AT: Final = 2_000
"""Filled cells of a column that are looked at."""
LEAST: Final = 3
"""Filled cells that a checksum or a mobile number needs to prove anything."""
LEAST_WEAK: Final = 5
"""Filled cells that a shape without a checksum needs: dates, and months of a term."""
ENOUGH: Final = 0.9
"""The part of the cells that must fit."""
FEW: Final = 0.1
"""The part of the cells of a column of choices that may be known where all the others are not."""
OWN_WORDS: Final = frozenset({"loan.status"})
"""Choices whose unknown words are kept as they are."""
LONGEST_TERM: Final = 60


@frozen
class Shape:
    """A shape of values: the field it proves, empty if it proves none, and the types it may stand in."""

    field: str
    types: frozenset[FieldType]
    least: int = LEAST


SHAPES: Final[Mapping[str, Shape]] = {
    "resident_id": Shape("customer.id_number", frozenset({T.RESIDENT_ID})),
    "uscc": Shape("customer.uscc", frozenset({T.USCC, T.RESIDENT_ID, T.TEXT})),
    "mobile": Shape("customer.mobile", frozenset({T.MOBILE, T.PHONE, T.WECHAT, T.TEXT})),
    "card": Shape("customer.bank_card", frozenset({T.CARD, T.TEXT})),
    "date": Shape("", frozenset(T) - {T.MONEY, T.RATE, T.NAME, T.ADDRESS}, LEAST_WEAK),
    "term": Shape("", frozenset(T) - {T.MONEY}, LEAST_WEAK),
}
"""In the order in which they are tried; the strongest first."""

NUMBERS: Final = frozenset({T.RESIDENT_ID, T.USCC, T.MOBILE, T.CARD, T.EMAIL})
"""Types whose values can be nothing else."""
TYPED: Final = NUMBERS | {T.DATE, T.TIME, T.CHOICE, T.YES_NO}
"""Types whose values are told from others by themselves; an amount, a name or a text may be anything."""


def look(plan: ColumnPlan, frame: pl.DataFrame) -> Evidence | None:
    """The first shape that nine in ten of a column's filled cells have."""
    some = filled(plan, frame)
    texts, kinds = some[f"c{plan.column}"], some[f"k{plan.column}"]
    for shape, about in SHAPES.items():
        if some.height < about.least:
            continue
        found = Evidence(shape, int(_of_shape(shape, texts, kinds).sum()), some.height)
        if found.share >= ENOUGH:
            return found
    return None


def filled(plan: ColumnPlan, frame: pl.DataFrame) -> pl.DataFrame:
    """The filled cells of a column that are looked at, with their kinds."""
    names = (f"c{plan.column}", f"k{plan.column}")
    return frame.select(names).filter(pl.col(names[1]) != CellKind.EMPTY).head(LOOKED_AT)


def read(words: Words, plan: ColumnPlan, frame: pl.DataFrame) -> Evidence | None:
    """How many of a column's filled cells read as the field it is mapped to; None when it is empty."""
    some = filled(plan, frame)
    if some.is_empty():
        return None
    reading = cells_.read(words, plan, some, date.max)
    return Evidence("read", reading.problem.null_count(), some.height)


def supports(words: Words, path: str, plan: ColumnPlan, frame: pl.DataFrame) -> bool:
    """Whether the values by themselves speak for a field: of a type that nothing else looks like."""
    if cells_.about(words, path).type not in TYPED:
        return False
    found = read(words, ColumnPlan(plan.column, plan.header, path), frame)
    return found is not None and found.of >= LEAST and found.share >= ENOUGH


def contradicts(words: Words, plan: ColumnPlan, found: Evidence, taken: set[str]) -> tuple[str, ...]:
    """The fields a column may be whose values are none of what its header says; empty when they agree."""
    about, shape = cells_.about(words, plan.field), SHAPES[found.shape]
    if about.type in shape.types or about.custom:
        return ()
    if found.shape == "term":
        amount = plan.field == "loan.amount" and plan.unit is None and "loan.term" not in taken
        return ("loan.amount", "loan.term") if amount else ()
    if found.shape == "date" and about.type is not T.MONEY:
        return ()  # the readings refuse a date there
    other = shape.field if shape.field and words.in_use(shape.field) and shape.field not in taken else ""
    return (plan.field, other) if other else (plan.field,)


def strange(words: Words, plan: ColumnPlan) -> bool:
    """Whether hardly a cell of a column of choices is one of them: codes of another house, most likely."""
    found, known = plan.evidence, cells_.about(words, plan.field)
    few = found is not None and found.of >= LEAST_WEAK and found.share <= FEW
    return few and (known.choices is not None or known.type is T.YES_NO) and plan.field not in OWN_WORDS


def _of_shape(shape: str, texts: pl.Series, kinds: pl.Series) -> pl.Series:
    """Which cells have the shape; cheap looks first, the checksums only where they may be."""
    patterns = {
        "resident_id": r"^\s*\d{17}[\dXx]\s*$",
        "uscc": r"^\s*[0-9A-HJ-NP-RT-UW-Ya-hj-np-rt-uw-y]{18}\s*$",
        "mobile": r"^\s*1[3-9]\d{9}(\.0)?\s*$",
        "card": r"^\s*[3-6]\d{3}[\d ]{11,18}\s*$",
        "date": r"^\s*(19|20)\d{2}(\d{4}|[-/.年]\d{1,2}[-/.月]\d{1,2}日?)(\.0)?(\s.*)?$",
        "term": r"^\s*[1-9]\d?(\.0)?\s*$",
    }
    maybe = texts.str.contains(patterns[shape]).fill_null(value=False)
    if shape == "date":
        maybe = maybe | (kinds == CellKind.DATE)
    if float(maybe.mean() or 0) < ENOUGH:  # type: ignore[arg-type]
        return maybe & False
    if shape == "term":
        return maybe & (texts.cast(pl.Float64, strict=False) <= LONGEST_TERM).fill_null(value=False)
    reader = {
        "resident_id": columns.resident_ids,
        "uscc": columns.usccs,
        "mobile": columns.mobiles,
        "card": columns.cards,
        "date": columns.dates,
    }[shape]
    return maybe & reader(texts, kinds).problem.is_null()
