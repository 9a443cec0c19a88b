"""Answers as plain JSON values: what `--json` prints, described by `loanhub.cli.schemas`.

Money is whole fen, rates and other exact numbers are decimal text, days and moments are ISO text. A record
is flat: kind, id, version and its fields, masked where they are sensitive. Sealed bytes never come out.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import polars as pl

from loanhub.entities import Entity
from loanhub.fields import SECRET, fields_of
from loanhub.policy import Masked, Shown


def plain(answer: Any) -> Any:
    """The answer in JSON values. Raises TypeError for what is not made for programs."""
    if isinstance(answer, enum.Enum):
        return plain(answer.value)
    if answer is None or isinstance(answer, bool | int | float | str):
        return answer
    if isinstance(answer, Entity | Shown):
        return record(answer)
    if isinstance(answer, date | datetime):
        return answer.isoformat()
    if isinstance(answer, Decimal):
        return f"{answer:f}"
    if isinstance(answer, Masked | Path):
        return str(answer)
    if isinstance(answer, pl.DataFrame):
        return [plain(row) for row in answer.iter_rows(named=True)]
    if isinstance(answer, Mapping):
        return {str(key): plain(value) for key, value in answer.items() if not isinstance(value, bytes)}
    if isinstance(answer, Collection) and not isinstance(answer, bytes):
        found = sorted(answer) if isinstance(answer, set | frozenset) else answer
        return [plain(one) for one in found]
    if attrs.has(type(answer)):
        return {
            a.name: plain(getattr(answer, a.name)) for a in attrs.fields(type(answer)) if a.name[0] != "_"
        }
    raise TypeError(f"{type(answer).__name__} is no answer for programs")


def record(entity: Entity | Shown) -> dict[str, Any]:
    """A record, as the desk answered it."""
    if isinstance(entity, Shown):
        return {
            "kind": entity.kind,
            "id": entity.id,
            "version": entity.version,
            **{name: plain(value) for name, value in entity.values.items() if not isinstance(value, bytes)},
        }
    known = fields_of(type(entity))
    values = {name: getattr(entity, name) for name, about in known.items() if about.privacy is not SECRET}
    return record(Shown(entity.KIND, entity.id, entity.version, values))
