"""What belongs to a customer: records of every kind that refers to one, and the fields that say something.

Which kinds those are is read off the entities themselves, so that a later one cannot be forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final

from attrs import evolve, frozen

from loanhub.acts import Books
from loanhub.entities import ENTITIES, Customer, Entity
from loanhub.fields import fields_of
from loanhub.policy import Said
from loanhub.records import lived

OWNER: Final = "customer_id"
"""The attribute that says whose a record is; others (`other_id`) only name a customer."""
APART: Final = ("merged_into", "extra")
EMPTY: Final = (None, "")


@frozen
class Conflict:
    """A field in which two customers differ, masked where sensitive: the one kept, and the other's value."""

    field: str
    keep: Any
    other: Any


@cache
def referring(kind: str) -> Mapping[type[Entity], tuple[str, ...]]:
    """Kinds whose records refer to records of a kind, and by which attributes."""
    found = {
        entity: tuple(name for name, about in fields_of(entity).items() if about.refers == kind)
        for entity in ENTITIES
    }
    return {entity: names for entity, names in found.items() if names}


def counted(entities: Iterable[Entity]) -> dict[str, int]:
    """How many of each kind."""
    counts: dict[str, int] = {}
    for entity in entities:
        counts[entity.KIND] = counts.get(entity.KIND, 0) + 1
    return counts


def stated(customer: Customer) -> dict[str, Any]:
    """The fields that say something, by name; the institution's own are among them, in stored form."""
    values = {name: getattr(customer, name) for name in fields_of(Customer) if name not in APART}
    return {name: value for name, value in {**customer.extra, **values}.items() if value not in EMPTY}


def with_values(customer: Customer, values: Mapping[str, Any]) -> Customer:
    """The customer with values as `stated` names them; None takes one away."""
    known, changes, extra = fields_of(Customer), dict[str, Any](), dict(customer.extra)
    for name, value in values.items():
        (changes if name in known else extra)[name] = "" if name == "name" and value is None else value
    changes["extra"] = {name: value for name, value in extra.items() if value is not None}
    return evolve(customer, **changes)


def conflicts(books: Books, keep: Customer, other: Customer) -> tuple[Conflict, ...]:
    """The fields of which both say something, and not the same."""
    ours, theirs = stated(keep), stated(other)
    differing = sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])
    return tuple(
        Conflict(path(name), _shown(books, name, ours[name]), _shown(books, name, theirs[name]))
        for name in differing
    )


def path(name: str) -> str:
    """The path of a customer's field."""
    return f"{Customer.KIND}.{name}"


def _shown(books: Books, name: str, value: Any) -> Any:
    about = books.dictionary.get(path(name))
    return Said(path(name), lived(about, value) if about is not None and about.custom else value)
