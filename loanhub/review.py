"""What a change may not do at once: reviewed fields wait for a person, facts of a live loan for an event.

The first value of a field is written at once; so is every field of a new record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import attrs
import polars as pl
from attrs import frozen

from loanhub.entities import KINDS, Pending
from loanhub.errors import NotAllowed
from loanhub.fields import Field, WriteRule, fields_of
from loanhub.kinds import WriteTx
from loanhub.records import Columns, FieldKeys, Record, opened


@frozen
class Reviewed:
    """The columns with reviewed changes taken back, and those changes as wishes that wait."""

    columns: Columns
    wishes: tuple[Pending, ...] = ()


def review(columns: Columns, tx: WriteTx, keys: FieldKeys) -> Reviewed:
    """Look at rows that change existing records. Raises NotAllowed("by-event-only") for a live loan."""
    guarded = _guarded(columns.kind)
    if columns.gone or not guarded or "version" not in columns.frame.columns:
        return Reviewed(columns)
    changing = columns.frame.filter(pl.col("version") > 0)
    if changing.is_empty():
        return Reviewed(columns)
    rows, wishes = [], []
    for row in changing.iter_rows(named=True):
        before = tx.get(columns.kind, row["id"])
        known = {} if before is None else opened(columns.kind, before, keys)
        rows.append(row)
        wish = {}
        for about in _touched(guarded, known, row):
            if about.write is WriteRule.REVIEWED:
                wish[about.name], row[about.name] = row[about.name], known[about.name]
            elif known.get("live"):
                raise NotAllowed("by-event-only", field=about.path, id=row["id"])
        if wish:
            wishes.append(_wish(columns.kind, row["id"], wish))
    new = columns.frame.filter(pl.col("version") == 0)
    frame = pl.concat([new, pl.DataFrame(rows, schema=columns.frame.schema)])
    return Reviewed(attrs.evolve(columns, frame=frame), tuple(wishes))


def _guarded(kind: str) -> list[Field]:
    entity = KINDS.get(kind)
    return [f for f in fields_of(entity).values() if f.write is not WriteRule.FREE] if entity else []


def _touched(guarded: list[Field], known: Record, row: Record) -> Iterator[Field]:
    for about in guarded:
        old = known.get(about.name)
        if about.name in row and old is not None and row[about.name] != old:
            yield about


def _wish(kind: str, key: int, values: dict[str, Any]) -> Pending:
    text = json.dumps([kind, key, values], ensure_ascii=False, sort_keys=True)
    return Pending(
        about_kind=kind,
        about_id=key,
        request=values,
        digest=hashlib.sha256(text.encode()).hexdigest(),
    )
