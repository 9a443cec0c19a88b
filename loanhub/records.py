"""Entities as they lie in a store: one record (a dict) or many (columns), and the questions asked of them.

Stored values: integers for money (fen), rates (units of 1e-8), terms and references; ISO text for days
and moments (UTC, microseconds, `Z`); JSON as text; booleans as booleans; sealed fields as bytes with
`NAME_blind` (equality) and `NAME_tail` (last four characters) beside them. A frame holds the same with
`pl.Date` for days.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

import attrs
import polars as pl
from attrs import frozen

from loanhub.entities import KINDS, Entity
from loanhub.fields import INTEGERS, Field, FieldType, fields_of

Record = dict[str, Any]

PER_UNIT: Final = Decimal(10**8)
"""Rates and ratios are whole numbers of 1e-8 in a store."""

META: Final = ("id", "version", "at", "line")
"""Columns every kept kind has besides its fields: id, version, moment written, audit line that wrote it."""


@frozen
class Columns:
    """Many records of one kind: `frame` has a column per stored field and `id`, `version` (0 = new).

    `gone=True` removes the rows named by id and version; they stay in the history.
    """

    kind: str
    frame: pl.DataFrame = attrs.field(repr=False)
    gone: bool = False


@frozen
class Diff:
    """What a `put` did: ids that are new, and for changed or removed rows the record before and after."""

    kind: str
    new: tuple[int, ...] = ()
    changed: tuple[tuple[Record, Record], ...] = attrs.field(default=(), repr=False)
    removed: tuple[Record, ...] = attrs.field(default=(), repr=False)


@frozen
class Test:
    """One condition. `op`: eq ne lt le gt ge in null not_null prefix. `value` in stored form.

    Two more put questions together: `any` (its value is a tuple of tests of which one must hold; the field
    is not looked at) and `within` (a REF to a record that answers the Query in `value` *now*, whatever
    moment is asked of: its kind and conditions count).
    """

    field: str
    op: str
    value: Any = None


Where = tuple[Test, ...]


@frozen
class Probe:
    """A look-up in the search keys: `token` whole, or as a prefix."""

    token: str
    prefix: bool = False


@frozen
class Order:
    """Sort by one stored column, then by id. NULLs come first going up, last going down."""

    field: str = "id"
    down: bool = False


@frozen
class Cursor:
    """Where the last page ended: the sort value and id of its last record, or search key."""

    value: Any
    id: int


@frozen
class Query:
    """A question to a store; `as_of` asks for the records as they stood at that moment (UTC). `fields` are
    the columns that an answer in columns shall have; all when none is named.
    """

    kind: str
    where: Where = ()
    search: Probe | None = None
    order: Order = attrs.field(factory=Order)
    after: Cursor | None = None
    limit: int | None = None
    as_of: datetime | None = None
    fields: tuple[str, ...] = ()


@frozen
class FieldKeys:
    """Seals, opens and blinds values of sealed fields; the institution lends it, bound to its keyring.

    Each function takes the field, the record ids and the values (None passes through); plain values to be
    sealed are UTF-8.
    """

    seal: Callable[[Field, Sequence[int], Sequence[bytes | None]], list[bytes | None]]
    open: Callable[[Field, Sequence[int], Sequence[bytes | None]], list[str | None]]
    blind: Callable[[Field, Sequence[str | None]], list[bytes | None]]


def moment(text: str | None) -> datetime | None:
    """The stored text of a moment, read."""
    return None if text is None else datetime.strptime(text, MOMENT).replace(tzinfo=UTC)


MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def stored(about: Field, value: Any) -> Any:
    """An attribute's value in stored form (sealing apart)."""
    if value is None:
        return None
    kind = about.type
    if kind is FieldType.JSON:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    if kind in (FieldType.RATE, FieldType.RATIO):
        return int((Decimal(value) * PER_UNIT).to_integral_value())
    if kind is FieldType.TIME:
        return value.astimezone(UTC).strftime(MOMENT)
    if kind is FieldType.DATE:
        return value.isoformat()
    return value


def lived(about: Field, value: Any) -> Any:
    """A stored value as the attribute of an entity."""
    if value is None:
        return None
    kind = about.type
    if kind is FieldType.JSON:
        return json.loads(value)
    if kind in (FieldType.RATE, FieldType.RATIO):
        return Decimal(value) / PER_UNIT
    if kind is FieldType.TIME:
        return moment(value)
    if kind is FieldType.DATE:
        return value if isinstance(value, date) else date.fromisoformat(value)
    if kind is FieldType.YES_NO:
        return bool(value)
    return value


def to_record(entity: Entity) -> Record:
    """An entity in stored form; sealed fields are still plain (see `seal`)."""
    record: Record = {"id": entity.id, "version": entity.version}
    for name, about in fields_of(type(entity)).items():
        record[name] = stored(about, getattr(entity, name))
    return record


def to_entity(kind: str, record: Mapping[str, Any]) -> Entity:
    """The entity of an opened record; columns it does not know (meta, blind) are left out."""
    entity = KINDS[kind]
    values = {n: lived(f, record[n]) for n, f in fields_of(entity).items() if record.get(n) is not None}
    return entity(id=record["id"], version=record["version"], **values)


def columns_of(entities: Iterable[Entity]) -> list[Columns]:
    """Entities grouped by kind, in the order their kinds first appear."""
    groups: dict[str, list[Record]] = {}
    for entity in entities:
        groups.setdefault(entity.KIND, []).append(to_record(entity))
    return [Columns(kind, pl.DataFrame(rows, schema=plain_schema(kind))) for kind, rows in groups.items()]


def dtype(about: Field) -> Any:
    """The polars type of a field's stored values before sealing."""
    if about.type in INTEGERS:
        return pl.Int64
    if about.type is FieldType.YES_NO:
        return pl.Boolean
    if about.type is FieldType.BYTES:
        return pl.Binary
    return pl.String


def plain_schema(kind: str) -> dict[str, Any]:
    """Columns of a kind before sealing."""
    known = {name: dtype(about) for name, about in fields_of(KINDS[kind]).items()}
    return {"id": pl.Int64, "version": pl.Int64, **known}


TAIL: Final = 4

BESIDE: Final = ("_blind", "_tail")
"""Endings of the columns that stand beside a sealed field."""


def seal(columns: Columns, keys: FieldKeys) -> Columns:
    """Sealed fields replaced by ciphertext, blind index and tail; ids must be set (they are bound in)."""
    frame = columns.frame
    found = {series.name: series for series in frame}
    for name, about in fields_of(KINDS[columns.kind]).items():
        if about.sealed and name in found and found[name].dtype == pl.String:
            ids, plain = frame["id"].to_list(), frame[name].cast(pl.Binary).to_list()
            found[name] = pl.Series(name, keys.seal(about, ids, plain), dtype=pl.Binary)
            found[f"{name}_blind"] = pl.Series(keys.blind(about, frame[name].to_list()), dtype=pl.Binary)
            found[f"{name}_tail"] = frame[name].str.tail(TAIL)
    return attrs.evolve(columns, frame=pl.DataFrame(found))


def opened(kind: str, record: Record, keys: FieldKeys) -> Record:
    """A record with its sealed fields in plain again."""
    plain = dict(record)
    for name, about in fields_of(KINDS[kind]).items():
        if about.sealed and isinstance(plain.get(name), bytes):
            plain[name] = keys.open(about, [record["id"]], [plain[name]])[0]
    return plain
