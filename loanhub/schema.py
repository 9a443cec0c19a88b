"""Tables and numbered migrations, derived from the entities: a store is told what to keep, as data.

A kept kind has history: the store keeps every earlier version of a row (JSON) in `history`, so any
record can be shown as of a past moment. A derived table may be dropped and built again at any time.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final, Literal

import polars as pl
from attrs import frozen

from loanhub.entities import ENTITIES, Entity
from loanhub.fields import INTEGERS, Field, FieldType, fields_of

ColumnType = Literal["integer", "text", "blob", "date", "boolean", "json"]


FRAME_TYPES: Final[dict[str, Any]] = {
    "integer": pl.Int64,
    "text": pl.String,
    "blob": pl.Binary,
    "date": pl.String,
    "boolean": pl.Boolean,
    "json": pl.String,
}
"""Types of stored values in a frame going down to a store; coming up, days are `pl.Date`."""


@frozen
class Column:
    """One column of a table; `date` is ISO text in a store and `pl.Date` in a frame."""

    name: str
    type: ColumnType


@frozen
class Table:
    """`kept`: has id, version, at, line and history. Else `key` is the whole primary key."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)
    kept: bool = True
    indexes: tuple[tuple[str, ...], ...] = ()


@frozen
class Schema:
    """All tables at a version; a store brings an older home up to it, never down."""

    version: int
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table:
        """The table of a kind (KeyError when unknown)."""
        return next(t for t in self.tables if t.name == name) if name in self.names else _missing(name)

    @property
    def names(self) -> frozenset[str]:
        """The names of all tables."""
        return frozenset(t.name for t in self.tables)


def _missing(name: str) -> Table:
    raise KeyError(name)


SEARCH_KEY: Final = "search_key"
PIECE: Final = "piece"
DERIVED: Final = (SEARCH_KEY, PIECE)
"""Tables that may be dropped and built again from the records."""

INDEXES: Final[dict[str, tuple[tuple[str, ...], ...]]] = {
    "customer": (("merged_into",),),
    "relation": (("customer_id",), ("other_id",)),
    "loan": (("customer_id",),),
    "instalment": (("loan_id",),),
    "receipt": (("loan_id",),),
    "credit": (("customer_id",),),
    "follow_up": (("customer_id",),),
    "document": (("customer_id",), ("loan_id",), ("digest",)),
    "collateral": (("loan_id",),),
    "batch": (("sha256",), ("status",)),
    "statement": (("batch_id", "chunk"), ("source",)),
    "layout": (("fingerprint",),),
    "pending": (("state",), ("about_kind", "about_id")),
    "rating": (("customer_id",),),
    "message": (("dedup",), ("state",), ("customer_id",)),
    "sequence": (("name",),),
    "account": (("login",),),
    "sign_in": (("digest",), ("account_id",)),
    "delegation": (("to_id",),),
}

VERSION: Final = 3


def _type(about: Field) -> ColumnType:
    if about.type in INTEGERS:
        return "integer"
    simple: dict[FieldType, ColumnType] = {
        FieldType.DATE: "date",
        FieldType.YES_NO: "boolean",
        FieldType.JSON: "json",
        FieldType.BYTES: "blob",
    }
    return simple.get(about.type, "text")


def _columns(entity: type[Entity]) -> tuple[Column, ...]:
    found: list[Column] = []
    for name, about in fields_of(entity).items():
        if about.sealed:
            found += [Column(name, "blob"), Column(f"{name}_blind", "blob"), Column(f"{name}_tail", "text")]
        else:
            found.append(Column(name, _type(about)))
    return tuple(found)


@cache
def schema() -> Schema:
    """Today's tables."""
    kept = [Table(e.KIND, _columns(e), indexes=INDEXES.get(e.KIND, ())) for e in ENTITIES]
    search = Table(
        SEARCH_KEY, (Column("token", "text"), Column("id", "integer")), key=("token", "id"), kept=False
    )
    grams = (Column("gram", "text"), Column("block", "integer"), Column("ids", "blob"))
    piece = Table(PIECE, grams, key=("gram", "block", "ids"), kept=False)
    return Schema(VERSION, (*kept, search, piece))
