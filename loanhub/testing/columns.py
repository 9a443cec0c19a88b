"""What a column of a sheet is called, and its values as a tidy sheet shows them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl
from attrs import frozen

from loanhub.entities import ENTITIES
from loanhub.fields import Field, FieldType, fields_of
from loanhub.readings.choices import choice_key, shipped_choices
from loanhub.texts import Lang

T = FieldType
TEXTS: Final = frozenset(T) - {T.MONEY, T.RATE, T.RATIO, T.TERM, T.INTEGER, T.DATE, T.TIME}

MIXED_COLUMNS: Final = (
    "customer.name", "customer.id_number", "customer.mobile", "customer.address", "customer.employer",
    "customer.monthly_income", "customer.bank_card", "customer.manager", "customer.branch", "loan.loan_no",
    "loan.contract_no", "loan.product", "loan.amount", "loan.term", "loan.rate",
    "loan.method", "loan.disburse_date", "loan.maturity_date", "loan.balance", "loan.status",
    # what a wider sheet has besides
    "loan.due_day", "loan.overdue_days", "loan.purpose", "loan.guarantee", "customer.customer_type",
    "customer.uscc", "customer.birth_date", "customer.gender", "customer.marital", "customer.education",
    "customer.occupation", "customer.industry", "customer.level", "loan.apply_date", "loan.sign_date",
    "loan.disbursed_amount", "loan.next_due_date", "loan.instalment", "credit.grade", "credit.score",
    "credit.risk_class", "credit.dti", "credit.debt", "credit.report_date", "credit.overdue_count",
)  # fmt: skip
"""The columns of a sheet of mixed content, the commonest first."""


@cache
def words() -> dict[str, Any]:
    """`config/words.toml` as shipped."""
    return tomllib.loads((files("loanhub_defaults") / "words.toml").read_text(encoding="utf-8"))


@cache
def known_fields() -> dict[str, Field]:
    """The fields a sheet may have by path, the pseudo fields of the words among them."""
    found = {f.path: f for entity in ENTITIES for f in fields_of(entity).values() if f.imported}
    for kind, named in words().items():
        for name, about in named.items() if kind not in {"kinds", "ambiguous"} else ():
            if about.get("pseudo"):
                filled = found.get(about.get("fills", ""))
                found[f"{kind}.{name}"] = Field(kind, name, filled.type if filled else T.INTEGER)
    return found


def label(path: str, lang: Lang) -> str:
    """The header a template has for this field; a term says that it counts months."""
    kind, name = path.split(".")
    shown: str = words()[kind][name][f"label_{lang}"]
    return shown + {"zh": "(月)", "en": " (months)"}[lang] if path == "loan.term" else shown


def headers(path: str, lang: Lang, count: int = 3) -> list[str]:
    """Some headers people use for a field, none of them ambiguous."""
    kind, name = path.split(".")
    unsure = {choice_key(header) for header in words()["ambiguous"]}
    about = words()[kind][name]
    candidates = [about[f"label_{lang}"], *about[f"aliases_{lang}"]]
    sure = [h for h in candidates if choice_key(h) not in unsure and not set(h) & set("(（/")]
    return sure[: count + 1]


@frozen
class Shown:
    """A column of a tidy sheet: its header and how its cells are written.

    `look` is text, date, time, money, percent or whole; numbers are what Excel stores (yuan, fractions,
    day numbers).
    """

    path: str
    header: str
    look: str
    values: list[Any]


def shown(table: pl.DataFrame, paths: list[str], lang: Lang) -> list[Shown]:
    """The columns of a table (see `Book.table`) as a tidy sheet has them."""
    return [_shown(table[path], known_fields()[path], path, lang) for path in paths]


def _shown(column: pl.Series, about: Field, path: str, lang: Lang) -> Shown:
    kind = about.type
    if kind is T.MONEY:
        return Shown(path, label(path, lang), "money", (column / 100).to_list())
    if kind in {T.RATE, T.RATIO}:
        return Shown(path, label(path, lang), "percent", (column / 10**8).to_list())
    if kind is T.DATE:
        return Shown(path, label(path, lang), "date", _serials(column))
    if kind is T.TIME:
        minutes = (column - pl.Series([EPOCH]).str.to_datetime()).dt.total_minutes()
        return Shown(path, label(path, lang), "time", (minutes / 1440).to_list())
    if kind in {T.TERM, T.INTEGER}:
        return Shown(path, label(path, lang), "whole", column.to_list())
    return Shown(path, label(path, lang), "text", _texts(column, about, lang))


EPOCH: Final = "1899-12-30 00:00:00"


def _serials(column: pl.Series) -> list[int | None]:
    """Excel's day numbers of the 1900 system."""
    return (column.cast(pl.Int32) + 25_569).to_list()


def _texts(column: pl.Series, about: Field, lang: Lang) -> list[str | None]:
    if about.type is T.YES_NO:
        yes_no = {"zh": ("否", "是"), "en": ("No", "Yes")}[lang]
        return [None if v is None else yes_no[v] for v in column.to_list()]
    if about.choices:
        choices = shipped_choices()[about.choices]
        spelled: Callable[[str], str] = lambda value: choices.label(value, lang)  # noqa: E731
        return [None if v is None else spelled(v) for v in column.to_list()]
    return column.cast(pl.String).to_list()


def plain_text(table: pl.DataFrame, paths: list[str], lang: Lang) -> pl.DataFrame:
    """The same as texts, for a csv file: yuan with two decimals, percent with its sign, ISO days."""
    columns = []
    for path in paths:
        about, column = known_fields()[path], table[path]
        if about.type is T.MONEY:
            texts = [None if v is None else f"{v // 100}.{v % 100:02d}" for v in column.to_list()]
        elif about.type in {T.RATE, T.RATIO}:
            texts = [
                None if v is None else f"{v // 10**6}.{v % 10**6:06d}".rstrip("0").rstrip(".") + "%"
                for v in column.to_list()
            ]
        elif about.type is T.TIME:
            texts = column.dt.strftime("%Y-%m-%d %H:%M").to_list()
        elif about.type in TEXTS:
            texts = _texts(column, about, lang)
        else:
            texts = column.cast(pl.String).to_list()
        columns.append(pl.Series(label(path, lang), texts, dtype=pl.String))
    return pl.DataFrame(columns)
