"""The same sheet, revised: what changes between two states of an invented book."""

from __future__ import annotations

from typing import Any, Final

import attrs
import numpy as np
import polars as pl
from attrs import frozen

from loanhub.testing.book import Book
from loanhub.testing.numbers import mobiles


@frozen
class Change:
    """One value that differs between two books: in which frame, whose (a number), which field."""

    frame: str
    key: str
    field: str
    before: Any = attrs.field(repr=False)
    after: Any = attrs.field(repr=False)


_REVISED: Final = (
    # A mobile waits for confirmation, a balance may change by an event only, the others are free.
    ("people", "mobile"),
    ("people", "address"),
    ("people", "monthly_income"),
    ("people", "remark"),
    ("loans", "purpose"),
    ("loans", "balance"),
)
_EMPTIED: Final = (("people", "employer"), ("people", "wechat"), ("loans", "purpose"))
_UNUSED_NUMBERS: Final = 500_000_000  # further than any book reaches, so that no phone is given twice


def revise(
    book: Book, seed: int, *, changed: float = 0.05, emptied: float = 0.02, added: float = 0.02
) -> Book:
    """The book as its sheet comes again later: some values changed, some empty, some customers new.

    Shares are of rows, at least one each; 0 switches a kind of change off. `changes` says which they are.
    Receipts stay as they were, so leave their sheet out where a balance is checked against them.
    """
    rng = np.random.default_rng([book.seed, seed, 6])
    frames = {"people": book.people, "loans": book.loans}
    for frame, name in _REVISED:
        here = frames[frame]
        places = _some(rng, here["balance"] > 1 if name == "balance" else None, here.height, changed)
        frames[frame] = _edited(here, name, {p: _revised(book.seed + seed, here, name, p) for p in places})
    for frame, name in _EMPTIED:
        here = frames[frame]
        places = _some(rng, here[name].is_not_null(), here.height, emptied)
        frames[frame] = _edited(here, name, dict.fromkeys(places))
    revised = attrs.evolve(book, people=frames["people"], loans=frames["loans"])
    return revised.with_more(max(1, round(added * book.people.height))) if added else revised


def _some(rng: np.random.Generator, fit: pl.Series | None, height: int, share: float) -> list[int]:
    """A share of the rows, of those that fit."""
    rows = np.arange(height) if fit is None else fit.arg_true().to_numpy()
    count = min(len(rows), max(1, round(share * height))) if share else 0
    return sorted(rng.choice(rows, count, replace=False).tolist()) if count else []


def _revised(salt: int, frame: pl.DataFrame, name: str, place: int) -> Any:
    """Another value than the one there."""
    old = frame[name][place]
    if name == "mobile":
        return mobiles(np.array([_UNUSED_NUMBERS + place]), salt)[0]
    if name == "address":
        return f"{old}(新址)" if old else "安平市望湖区建设街1号"
    if name == "monthly_income":
        return (old or 0) + 50_000
    if name == "balance":
        return old // 2
    if name == "remark":
        return f"第{salt % 100}次更新"
    return "流动资金周转" if old != "流动资金周转" else "补充流动资金"


def _edited(frame: pl.DataFrame, name: str, values: dict[int, Any]) -> pl.DataFrame:
    column = frame[name].to_list()
    for place, value in values.items():
        column[place] = value
    return frame.with_columns(pl.Series(name, column, dtype=frame.schema[name]))


def changes(before: Book, after: Book) -> list[Change]:
    """Every value of the customers and loans of `before` that is another in `after`, column by column."""
    found: list[Change] = []
    for frame, key in (("people", "customer_no"), ("loans", "loan_no")):
        old, new = getattr(before, frame), getattr(after, frame)
        for name in old.columns:
            was, now = old[name], new[name].head(old.height)
            places = was.ne_missing(now).arg_true().to_list()
            found.extend(Change(frame, old[key][p], name, was[p], now[p]) for p in places)
    return found
