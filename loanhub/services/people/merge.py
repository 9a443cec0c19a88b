"""Two records of one person become one: what stood on the other moves, what the kept one lacks is filled in.

Nothing is lost: every row that moves keeps its earlier version in the history, and all of them name the
merge's one audit line, from which it can be undone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import evolve, frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import (
    CreditRecord,
    Customer,
    Document,
    Entity,
    FollowUp,
    Loan,
    Message,
    Rating,
    Relation,
)
from loanhub.errors import Usage
from loanhub.fields import fields_of
from loanhub.records import Test
from loanhub.services.people.person import open_customer

MOVED: Final[Mapping[type[Entity], tuple[str, ...]]] = {
    Loan: ("customer_id",),
    CreditRecord: ("customer_id",),
    FollowUp: ("customer_id",),
    Document: ("customer_id",),
    Relation: ("customer_id", "other_id"),
    Rating: ("customer_id",),
    Message: ("customer_id",),
    Customer: ("merged_into",),
}
"""Kinds that stand on a customer, and by which attributes. Collateral stands on the loan."""

NOT_FILLED: Final = ("merged_into", "extra")


@frozen
class MergeCustomers:
    """Merge the customer `other` into `keep`: they are one person."""

    keep: int = param(argument=True)
    other: int = param(argument=True)
    reason: str = param(default="")


@frozen
class Merged:
    """What a merge did: records moved by kind, and the fields that were filled in."""

    keep: int
    other: int
    moved: Mapping[str, int]
    filled: tuple[str, ...]


def merge(books: Books, request: MergeCustomers) -> Facts[Merged]:
    """Two customers as one. Raises Usage("merge-same", "merge-ids-differ", "reason-needed"), NotFound."""
    if not request.reason.strip():
        raise Usage("reason-needed")
    if request.keep == request.other:
        raise Usage("merge-same", id=request.keep)
    keep, other = open_customer(books, request.keep), open_customer(books, request.other)
    for name in ("id_number", "uscc"):
        ours, theirs = getattr(keep, name), getattr(other, name)
        if ours and theirs and ours != theirs:
            raise Usage("merge-ids-differ", keep=keep.id, other=other.id, field=f"customer.{name}")
    moved = _moved(books, keep.id, other.id)
    filled = _filled(keep, other)
    puts: list[Entity] = [*moved, evolve(other, merged_into=keep.id)]
    if filled:
        puts.append(evolve(keep, **filled))
    counts: dict[str, int] = {}
    for entity in moved:
        counts[entity.KIND] = counts.get(entity.KIND, 0) + 1
    answer = Merged(keep.id, other.id, counts, tuple(f"customer.{name}" for name in filled))
    about = f"customer:{keep.id} customer:{other.id}"
    return Facts(answer, tuple(puts), about=about, reason=request.reason.strip())


def _moved(books: Books, keep: int, other: int) -> list[Entity]:
    """Everything that stands on `other`, standing on `keep`; a relation by two attributes moves once."""
    found: list[Entity] = []
    for kind, names in MOVED.items():
        changed: dict[int, Entity] = {}
        for name in names:
            for entity in books.listed(kind, Test(name, "eq", other)):
                changed[entity.id] = evolve(changed.get(entity.id, entity), **{name: keep})
        found += changed.values()
    return found


def _filled(keep: Customer, other: Customer) -> dict[str, Any]:
    """Fields that `keep` lacks and `other` has."""
    filled = {
        name: getattr(other, name)
        for name in fields_of(Customer)
        if name not in NOT_FILLED
        and getattr(keep, name) in (None, "")
        and getattr(other, name) not in (None, "")
    }
    extra = {**other.extra, **keep.extra}
    return {**filled, "extra": extra} if extra != keep.extra else filled
