"""The field dictionary: what every column the institution knows is, declared once on the entity's attribute.

    class Loan(Entity):
        amount: int = field(MONEY, write=BY_EVENT)

Import mapping, templates, checks, forms, search, masks, exports and the API all read the `Field` that
`field()` leaves on the attribute. What people call it (labels, header aliases) is data, in
`config/words.toml`. A custom field of an institution is a `Field` too, kept in the column `extra`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Final, cast

import attrs
from attrs import frozen


class FieldType(StrEnum):
    """How a value is read, checked, stored and shown.

    Stored form: MONEY is whole fen (int), RATE and RATIO a fraction in units of 1e-8 (int; 0.049 is
    4_900_000), DATE an ISO day, TIME an ISO moment in UTC, YES_NO 0 or 1, REF the id of a record,
    CHOICE the key of a table in `config/choices.toml`, JSON an object as text, BYTES bytes, all
    others text.
    """

    TEXT = "text"
    NAME = "name"
    RESIDENT_ID = "resident_id"
    USCC = "uscc"
    MOBILE = "mobile"
    PHONE = "phone"
    CARD = "card"
    EMAIL = "email"
    WECHAT = "wechat"
    ADDRESS = "address"
    LUNAR = "lunar"
    MONEY = "money"
    RATE = "rate"
    RATIO = "ratio"
    TERM = "term"
    INTEGER = "integer"
    DATE = "date"
    TIME = "time"
    CHOICE = "choice"
    YES_NO = "yes_no"
    REF = "ref"
    JSON = "json"
    BYTES = "bytes"


INTEGERS: Final = frozenset(
    {FieldType.MONEY, FieldType.RATE, FieldType.RATIO, FieldType.TERM, FieldType.INTEGER, FieldType.REF}
)


class Privacy(StrEnum):
    """DOMAIN classes: business, personal, sensitive (masked by default, each reveal is audited); and secret,
    what only the house itself uses, such as a kept password: no role, mask or reveal shows it.
    """

    BUSINESS = "business"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"
    SECRET = "secret"  # noqa: S105  # a word, no password


class WriteRule(StrEnum):
    """Who may change a value: anybody allowed, only after confirmation, or only an event of the loan."""

    FREE = "free"
    REVIEWED = "reviewed"
    BY_EVENT = "by_event"


BUSINESS, PERSONAL, SENSITIVE, SECRET = Privacy
FREE, REVIEWED, BY_EVENT = WriteRule.FREE, WriteRule.REVIEWED, WriteRule.BY_EVENT


@frozen
class Check:
    """Limits of one value: `least` and `most` in stored units, `longest` in characters."""

    least: int | None = None
    most: int | None = None
    longest: int | None = None


@frozen
class Field:
    """One column: `choices` names a table of `config/choices.toml`, `refers` the kind a REF points to.

    `sealed` fields are encrypted one by one, with a blind index beside them (`NAME_blind`) and their
    last four characters (`NAME_tail`). `imported` fields may be mapped from a sheet.
    """

    kind: str
    name: str
    type: FieldType
    privacy: Privacy = BUSINESS
    write: WriteRule = FREE
    check: Check | None = None
    choices: str | None = None
    refers: str | None = None
    sealed: bool = False
    imported: bool = True
    custom: bool = False

    @property
    def path(self) -> str:
        """`loan.amount`: the name used in mappings, problems and words."""
        return f"{self.kind}.{self.name}"


KEY: Final = "loanhub.field"


def field(
    type: FieldType,
    *,
    privacy: Privacy = BUSINESS,
    write: WriteRule = FREE,
    check: Check | None = None,
    choices: str | None = None,
    refers: str | None = None,
    sealed: bool = False,
    imported: bool = True,
    default: Any = None,
) -> Any:
    """An attribute of an entity with its place in the dictionary; optional unless a default is given."""
    about = Field("", "", type, privacy, write, check, choices, refers, sealed=sealed, imported=imported)
    return attrs.field(default=default, metadata={KEY: about}, repr=privacy is BUSINESS)


def fields_of(entity: type) -> Mapping[str, Field]:
    """The fields of an entity class by name, in the order written."""
    return _fields_of(cast("Any", entity))


@cache
def _fields_of(entity: Any) -> Mapping[str, Field]:
    kind: str = entity.KIND
    return {
        a.name: attrs.evolve(a.metadata[KEY], kind=kind, name=a.name)
        for a in attrs.fields(entity)
        if KEY in a.metadata
    }


@frozen
class Dictionary:
    """All fields an institution uses: the entities' own, its custom ones, less those switched off."""

    fields: Mapping[str, Field]
    required: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    """Field paths required by product: `"*"` for all loans, else the product's name."""

    def __getitem__(self, path: str) -> Field:
        return self.fields[path]

    def get(self, path: str) -> Field | None:
        return self.fields.get(path)

    def of(self, kind: str) -> list[Field]:
        """The fields of one kind, in order."""
        return [f for f in self.fields.values() if f.kind == kind]

    @classmethod
    def build(
        cls,
        entities: Iterable[type],
        custom: Iterable[Field] = (),
        off: Iterable[str] = (),
        required: Mapping[str, frozenset[str]] | None = None,
    ) -> Dictionary:
        """Collect; a custom field may not hide one of the house (ValueError names it)."""
        found: dict[str, Field] = {}
        for entity in entities:
            found.update({f.path: f for f in fields_of(entity).values()})
        for extra in custom:
            if extra.path in found:
                raise ValueError(f"field {extra.path} exists already")
            found[extra.path] = attrs.evolve(extra, custom=True)
        for path in off:
            found.pop(path, None)
        return cls(found, required or {})
