"""Search keys built anew from the records: for homes of an earlier version, and where some are missing.

A part is a short act that keeps how far it came in the same transaction: stopped or killed anywhere, the
next run goes on from there. All the while records are found by the keys they have.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from attrs import evolve, frozen

from loanhub import pieces, searching
from loanhub.acts import Act, Books, Facts
from loanhub.entities import Customer, Sequence
from loanhub.jobs import Progress
from loanhub.records import Columns, Order, Query, Test
from loanhub.schema import PIECE, SEARCH_KEY

if TYPE_CHECKING:
    from loanhub.desk import Desk

PART: Final = 2_000
"""Records whose keys are written in one transaction."""
STEPS: Final = (*searching.INDEXED, PIECE)
"""What is built, one after another: the keys of every kind, then the pieces of names and addresses."""


@frozen
class Part:
    """What is built, and behind which id (of pieces: from which block on)."""

    step: str
    after: int


@frozen
class Begin:
    """Ask where to begin."""


@frozen
class Came:
    """How far it came: `after` is None when a step is done; `records` were looked at."""

    step: str
    after: int | None
    records: int = 0


def begin(books: Books, _: Begin) -> Facts[Came]:
    """Where the last run was stopped; the first step from its beginning when it was not."""
    for step in STEPS:
        place = _place(books, step)
        if place.next:
            return Facts(Came(step, place.next))
    return Facts(Came(STEPS[0], 0))


def part(books: Books, request: Part) -> Facts[Came]:
    """The next records' keys, those of an earlier form taken away; and how far it is then."""
    came, puts = (_pieces if request.step == PIECE else _keys)(books, request)
    place = evolve(_place(books, request.step), next=came.after or 0)
    kept = place if place.id else evolve(place, id=books.allot(Sequence.KIND))
    return Facts(came, (*puts, kept), about=f"reindex:{request.step}")


def _place(books: Books, step: str) -> Sequence:
    name = f"reindex:{step}"
    return next(iter(books.listed(Sequence, Test("name", "eq", name))), Sequence(name=name, next=0))


def _keys(books: Books, request: Part) -> tuple[Came, list[Columns]]:
    fields = ("id", *searching.SOURCES[request.step])
    behind = (Test("id", "gt", request.after),)
    some = books.columns(Query(request.step, behind, limit=PART, fields=fields))
    wanted = searching.keys(request.step, some).sort("token", "id")
    puts = [Columns(SEARCH_KEY, wanted), Columns(SEARCH_KEY, searching.outdated(wanted), gone=True)]
    last = int(some["id"][-1]) if some.height == PART else None
    return Came(request.step, last, some.height), puts


def _pieces(books: Books, request: Part) -> tuple[Came, list[Columns]]:
    span = (
        Test("id", "ge", request.after * pieces.BLOCK),
        Test("id", "lt", (request.after + 1) * pieces.BLOCK),
    )
    some = books.columns(Query(pieces.KIND, span, fields=("id", *pieces.SOURCES)))
    wanted = pieces.rows(some)
    held = books.columns(pieces.asked(wanted["gram"], [request.after]))
    newest = next(iter(books.listed(Customer, order=Order("id", down=True), limit=1)), None)
    over = newest is None or newest.id < (request.after + 1) * pieces.BLOCK
    puts = [Columns(PIECE, held, gone=True), Columns(PIECE, wanted)]
    return Came(request.step, None if over else request.after + 1, some.height), puts


BEGIN: Final = Act("reindex.begin", Begin, "batch.read", begin, writes=False, hidden=True)
REINDEX: Final = Act("reindex.part", Part, "batch.write", part, hidden=True)


def reindex(desk: Desk) -> Iterator[Progress]:
    """Build all search keys anew, from where the last run was stopped."""
    came = desk.do(BEGIN, Begin())
    done, first, after = 0, STEPS.index(came.step), came.after
    for step in STEPS[first:]:
        while after is not None:
            came = desk.do(REINDEX, Part(step, after))
            after, done = came.after, done + came.records
            yield Progress(done, 0, "indexing")
        after = 0
