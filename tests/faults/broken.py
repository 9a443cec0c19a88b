"""The house built wrongly on purpose: each way loses or doubles something when killed at the wrong moment.

Left alone, each of these builds does its work as well as the right one. That is what makes them dangerous.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import evolve

from loanhub.acts import Act, Books, Facts
from loanhub.desk import Desk
from loanhub.entities import Batch
from loanhub.files import sha256_of
from loanhub.jobs import Progress
from loanhub.services.intake import land, rows, steps
from loanhub.services.intake.job import Incoming, Intake


def finish_before_report() -> None:
    """The batch is called stored before its report is written."""
    finish = Intake._finish

    def early(intake: Intake, batch: Batch, desk: Desk, *rest: Any) -> None:
        desk.do(steps.FINISH, steps.Change(batch.id, {"status": "stored"}))
        finish(intake, batch, desk, *rest)

    Intake._finish = early  # type: ignore[method-assign]


def plain_file_gone_before_the_end() -> None:
    """The file at work is removed once it is sealed, before the batch is called stored."""
    archive = Intake._archive

    def eager(intake: Intake, batch: Batch, path: Path) -> bool:
        still = archive(intake, batch, path)
        path.unlink(missing_ok=True)
        return still

    Intake._archive = eager  # type: ignore[method-assign]


def taken_before_claimed() -> None:
    """The file leaves the drop folder before anybody has written down that it came."""
    take = Intake.take

    def hasty(intake: Intake, incoming: Incoming) -> Iterator[Progress]:
        place = intake.processing(Batch(sha256=sha256_of(incoming.path), name=incoming.name))
        incoming.path.replace(place)
        yield from take(intake, evolve(incoming, path=place))

    Intake.take = hasty  # type: ignore[method-assign]


def checkpoint_apart() -> None:
    """A chunk lands in one transaction, and is noted as landed in the next."""
    noted: list[dict[str, Any]] = []
    names = ("chunks", "rows", "stored", "changed", "unchanged", "conflicts", "rejected", "warnings")

    def decide(books: Books, chunk: land.Chunk) -> Facts[land.Landed]:
        facts = land.decide(books, chunk)
        batch = next(put for put in facts.puts if isinstance(put, Batch))
        noted.append({name: getattr(batch, name) for name in names})
        return evolve(facts, puts=tuple(put for put in facts.puts if put is not batch))

    def in_two(self: rows.Prepared, desk: Desk, chunk: land.Chunk, *, later: bool, dry: bool) -> land.Landed:
        act = Act("batch.land", land.Chunk, "batch.write", decide, hidden=True, indexes=not later)
        landed = desk.do(act, chunk)
        desk.do(steps.PLAN, steps.Change(chunk.batch, noted.pop()))
        return landed

    rows.Prepared.land = in_two  # type: ignore[method-assign]


def people_forgotten() -> None:
    """Going on, nobody remembers whom the chunks before had made."""
    rows.Prepared.restore = lambda *_: None  # type: ignore[method-assign]


def keys_of_this_desk_only() -> None:
    """Search keys are built for the chunks that this process landed."""
    index = Intake._index

    def forgetful(intake: Intake, batch: Batch, *rest: Any) -> Any:
        return index(intake, evolve(batch, chunks=0), *rest)

    Intake._index = forgetful  # type: ignore[method-assign]


BROKEN: dict[str, Callable[[], None]] = {
    build.__name__.replace("_", "-"): build
    for build in (
        finish_before_report,
        plain_file_gone_before_the_end,
        taken_before_claimed,
        checkpoint_apart,
        people_forgotten,
        keys_of_this_desk_only,
    )
}
