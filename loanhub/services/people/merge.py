"""Two records of one person become one: what stood on the other moves, what the kept one lacks is filled in.

Nothing is lost: every row that moves keeps its earlier version in the history, and all of them name the
merge's one audit line. `unmerge` reads there what was whose, and gives it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import Customer, Entity, Pending
from loanhub.errors import Usage
from loanhub.records import Test
from loanhub.services.people.belonging import (
    Conflict,
    conflicts,
    counted,
    path,
    referring,
    stated,
    with_values,
)
from loanhub.services.people.person import open_customer


@frozen
class MergeCustomers:
    """Merge the customer `other` into `keep`: they are one person."""

    keep: int = param(argument=True)
    other: int = param(argument=True)
    reason: str = param(default="")


@frozen
class CompareCustomers:
    """What a merge of `other` into `keep` would do."""

    keep: int = param(argument=True)
    other: int = param(argument=True)


@frozen
class Merged:
    """What a merge does: records moved by kind, fields filled in, and fields in which the two differ: the
    kept one's value stands, the other's stays on its own record.
    """

    keep: int
    other: int
    moved: Mapping[str, int]
    filled: tuple[str, ...]
    conflicts: tuple[Conflict, ...] = ()


def merge(books: Books, request: MergeCustomers) -> Facts[Merged]:
    """Two customers as one.

    Raises Usage("merge-same", "merge-ids-differ", "merge-waiting", "reason-needed", "customer-merged"),
    NotFound("customer-unknown").
    """
    if not request.reason.strip():
        raise Usage("reason-needed")
    answer, puts = _decided(books, request.keep, request.other)
    about = f"customer:{answer.keep} customer:{answer.other}"
    return Facts(answer, puts, about=about, reason=request.reason.strip())


def compare(books: Books, request: CompareCustomers) -> Facts[Merged]:
    """What a merge would do; nothing is written. Raises what `merge` does."""
    answer, _ = _decided(books, request.keep, request.other)
    return Facts(answer)


def _decided(books: Books, keep_id: int, other_id: int) -> tuple[Merged, tuple[Entity, ...]]:
    if keep_id == other_id:
        raise Usage("merge-same", id=keep_id)
    keep, other = open_customer(books, keep_id), open_customer(books, other_id)
    _refuse_differing(keep, other)
    _refuse_waiting(books, other)
    moved, filled = _moved(books, keep.id, other.id), _filled(keep, other)
    puts: list[Entity] = [*moved, evolve(other, merged_into=keep.id)]
    if filled:
        puts.append(with_values(keep, filled))
    paths = tuple(path(name) for name in filled)
    return Merged(keep.id, other.id, counted(moved), paths, conflicts(books, keep, other)), tuple(puts)


def _refuse_differing(keep: Customer, other: Customer) -> None:
    """People of different numbers are different people."""
    for name in ("id_number", "uscc"):
        ours, theirs = getattr(keep, name), getattr(other, name)
        if ours and theirs and ours != theirs:
            raise Usage("merge-ids-differ", keep=keep.id, other=other.id, field=path(name))


def _refuse_waiting(books: Books, other: Customer) -> None:
    """A change that waits for a person is about a record that people see: it is decided first."""
    about = (Test("about_kind", "eq", Customer.KIND), Test("about_id", "eq", other.id))
    waiting = books.listed(Pending, *about, Test("state", "eq", "waiting"))
    if waiting:
        raise Usage("merge-waiting", id=other.id, pending=waiting[0].id)


def _moved(books: Books, keep: int, other: int) -> list[Entity]:
    """Everything that stands on `other`, standing on `keep`; a relation by two attributes moves once.

    Who was merged into `other` before is merged into `keep` now: everybody points at one who is seen.
    """
    found: list[Entity] = []
    for kind, names in referring(Customer.KIND).items():
        changed: dict[int, Entity] = {}
        for name in names:
            for entity in books.listed(kind, Test(name, "eq", other)):
                changed[entity.id] = evolve(changed.get(entity.id, entity), **{name: keep})
        found += changed.values()
    return found


def _filled(keep: Customer, other: Customer) -> dict[str, Any]:
    """What `keep` does not say and `other` does."""
    known = stated(keep)
    return {name: value for name, value in stated(other).items() if name not in known}
