"""Masks: values that are not shown, as values of a type of their own, so that no template can forget one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from attrs import frozen

from loanhub import identifiers
from loanhub.fields import SENSITIVE, Field, FieldType


@frozen
class Masked:
    """A value that is not shown; `text` is what may be seen of it."""

    text: str

    def __str__(self) -> str:
        return self.text


HIDDEN: Final = Masked("***")
"""In place of a value of which nothing may be seen, not even whether there is one."""

MASKS: Final[Mapping[FieldType, Callable[[str], str]]] = {
    FieldType.RESIDENT_ID: identifiers.mask_id,
    FieldType.MOBILE: identifiers.mask_mobile,
    FieldType.PHONE: identifiers.mask_phone,
    FieldType.CARD: identifiers.mask_card,
    FieldType.EMAIL: identifiers.mask_email,
    FieldType.ADDRESS: identifiers.mask_address,
    FieldType.NAME: identifiers.mask_name,
}


def maskable(about: Field) -> bool:
    """Whether values of the field are hidden until revealed, whoever looks."""
    return about.privacy is SENSITIVE and about.type in MASKS


def mask(about: Field, value: Any) -> Any:
    """The value as a `Masked` when its field is sensitive and has a mask; else the value."""
    return masked(about, value) if maskable(about) else value


def masked(about: Field, value: Any) -> Masked | None:
    """The value in the mask of its type; `***` for types that have none. None stays None."""
    if value is None or isinstance(value, Masked):
        return value
    cover = MASKS.get(about.type)
    return HIDDEN if cover is None else Masked(cover(str(value)))


@frozen
class Said:
    """A value of a field that is known only at run time; the view puts what may be shown in its place."""

    path: str
    value: Any = attrs.field(repr=False)


@frozen
class Shown:
    """A record as a principal may see it: covered values are `Masked`, hidden ones are left out."""

    kind: str
    id: int
    version: int
    values: Mapping[str, Any] = attrs.field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]
