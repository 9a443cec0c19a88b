"""Values between frames, rows of the database and records: days as ISO text, booleans as 0 and 1."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl

if TYPE_CHECKING:
    import sqlite3

    from loanhub import Column, Record, Table

META: Final = ("id", "version", "at", "line")
DAY: Final = "%Y-%m-%d"
BLOCK: Final = 2_000
"""Rows taken from a cursor at once when a frame is made: 2,000 are a third faster than 50,000 (caches)."""
SLICE: Final = 500

FRAME: Final[Mapping[str, Any]] = {
    "integer": pl.Int64,
    "text": pl.String,
    "json": pl.String,
    "blob": pl.Binary,
    "date": pl.Date,
    "boolean": pl.Boolean,
}
AS_IT_IS: Final[frozenset[tuple[str, Any]]] = frozenset(
    {("integer", pl.Int64), ("text", pl.String), ("json", pl.String), ("blob", pl.Binary)}
)
"""Types of columns and series that agree already."""
_HELD: Final[Mapping[str, Any]] = {"date": pl.String, "boolean": pl.Int64}
"""What the driver gives for the two types SQLite does not have."""
_META_TYPES: Final = {"id": "integer", "version": "integer", "at": "text", "line": "integer"}


def names(table: Table) -> tuple[str, ...]:
    """The stored columns of a table in order, those every kept record has first."""
    return (*(META if table.kept else ()), *(column.name for column in table.columns))


def types(table: Table) -> dict[str, str]:
    """Column types by name, in the order of `names`."""
    return {**(_META_TYPES if table.kept else {}), **{c.name: c.type for c in table.columns}}


def stamp(moment: datetime) -> str:
    """A moment as it is stored: UTC, microseconds, `Z`. Raises ValueError for one without time zone."""
    if moment.tzinfo is None:
        raise ValueError("a moment needs its time zone")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """The moment of a stored text."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)


def plain(value: Any) -> Any:
    """A value asked for, as it is stored."""
    if isinstance(value, datetime):
        return stamp(value)
    return value.isoformat() if isinstance(value, date) else value


# -- frames to rows ------------------------------------------------------------------------------------


def shaped(table: Table, frame: pl.DataFrame, needed: Sequence[str]) -> pl.DataFrame:
    """The columns of `frame` that are stored, in stored form; `at` and `line` as read are left out.

    Raises ValueError for a column that is unknown, needed and missing, or of another type.
    """
    unknown = set(frame.columns) - set(names(table))
    missing = set(needed) - set(frame.columns)
    if unknown or missing:
        raise ValueError(f"{table.name}: unknown columns {sorted(unknown)}, missing {sorted(missing)}")
    known = types(table)
    written = [n for n in known if n in frame.columns and not (table.kept and n in ("at", "line"))]
    shaped = pl.DataFrame([_stored(table.name, frame[name], known[name]) for name in written])
    if any(shaped[name].null_count() for name in needed):
        raise ValueError(f"{table.name}: {', '.join(needed)} must not be null")
    return shaped


def _stored(kind: str, series: pl.Series, type: str) -> pl.Series:
    dtype = series.dtype
    if (type, dtype) in AS_IT_IS or (type == "date" and dtype == pl.String and not series.count()):
        return series
    if dtype == pl.Null:
        return series.cast(FRAME[type])
    if type == "integer" and dtype.is_integer():
        numbers = series.cast(pl.Int64, strict=False)
        if numbers.null_count() == series.null_count():
            return numbers
    if type == "boolean" and (dtype == pl.Boolean or dtype.is_integer()):
        return series.cast(pl.Boolean).cast(pl.Int64)
    if type in ("text", "json") and dtype in (pl.Categorical, pl.Enum):
        return series.cast(pl.String)
    if type == "date" and dtype == pl.Date:
        return series.cast(pl.String)
    if type == "date" and dtype == pl.String:
        days = series.str.to_date(DAY, strict=False)
        if days.null_count() == series.null_count():
            return days.cast(pl.String)
    # A sealed field that is still plain text ends here too: its column takes bytes only.
    raise ValueError(f"{kind}.{series.name}: {dtype.base_type()} is no {type}")


def tuples(frame: pl.DataFrame) -> Iterator[tuple[Any, ...]]:
    """The rows of a frame, a few hundred at a time: a tenth faster to insert than all at once."""
    for part in frame.iter_slices(SLICE):
        yield from zip(*map(_bound, part.get_columns()), strict=True)


def _bound(column: pl.Series) -> list[Any]:
    """Values as the driver binds them fastest: of every `bytes` it seeks an adapter, of no `bytearray`."""
    if column.dtype != pl.Binary:
        return column.to_list()
    if column.null_count():
        return [None if value is None else bytearray(value) for value in column.to_list()]
    return list(map(bytearray, column.to_list()))


def runs(frame: pl.DataFrame, rows: int) -> Iterator[list[Any]]:
    """The values of a frame row after row, so many rows to a list; the last may have fewer."""
    width = frame.width
    for part in frame.iter_slices(rows):
        flat: list[Any] = [None] * (width * part.height)
        for place, column in enumerate(part.get_columns()):
            flat[place::width] = _bound(column)
        yield flat


# -- rows to records and frames ------------------------------------------------------------------------


def record(table: Table, row: Sequence[Any]) -> Record:
    """A row (in the order of `names`) as a record: booleans are booleans, days stay ISO text."""
    made = dict(zip(names(table), row, strict=True))
    for column in table.columns:
        if column.type == "boolean" and made[column.name] is not None:
            made[column.name] = bool(made[column.name])
    return made


def frame(table: Table, cursor: sqlite3.Cursor, fields: Sequence[str] = ()) -> pl.DataFrame:
    """All rows of a cursor over these columns (all when none is named) as a typed frame."""
    known = {name: types(table)[name] for name in fields} or types(table)
    held = {name: _HELD.get(known[name]) or FRAME[known[name]] for name in known}
    parts: list[pl.DataFrame] = []
    while rows := cursor.fetchmany(BLOCK):
        columns = zip(held.items(), zip(*rows, strict=True), strict=True)
        parts.append(pl.DataFrame([pl.Series(name, values, dtype) for (name, dtype), values in columns]))
    whole = pl.concat(parts or [pl.DataFrame(schema=held)], rechunk=len(parts) > 1)
    days = [pl.col(name).str.to_date(DAY) for name in known if known[name] == "date"]
    flags = [pl.col(name).cast(pl.Boolean) for name in known if known[name] == "boolean"]
    return whole.with_columns(*days, *flags) if days or flags else whole


# -- rows to history -----------------------------------------------------------------------------------


def remembered(table: Table, values: Sequence[Any]) -> str:
    """The fields of a row as JSON for the history: bytes in hex, nulls left out."""
    kept = {
        column.name: value.hex() if column.type == "blob" else value
        for column, value in zip(table.columns, values, strict=True)
        if value is not None
    }
    return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def recalled(column: Column) -> str:
    """The SQL that reads a field out of the history's JSON."""
    value = f"json_extract(record, '$.\"{column.name}\"')"
    return f"unhex({value})" if column.type == "blob" else value
