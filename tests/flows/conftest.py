"""A real home for each test, and the few words in which flows are told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from attrs import define, field

from loanhub import jobs
from loanhub.entities import Batch
from loanhub.institution import Institution
from loanhub.jobs import Job
from loanhub.keys import Secret
from loanhub.records import Query
from loanhub.services.intake import steps
from loanhub.services.intake.job import Incoming, Intake
from loanhub.settings import Drop

NOON = datetime(2026, 6, 30, 4, 0, tzinfo=UTC)


@define
class Clock:
    """Stands still at noon of 30 June 2026, in Shanghai, until it is moved; each look is a microsecond on."""

    at: datetime = NOON
    looks: int = 0

    def now(self) -> datetime:
        self.looks += 1
        return self.at.replace(microsecond=self.looks % 1_000_000)


@define
class Office:
    """An institution and what its people do."""

    house: Institution
    clock: Clock
    lang: str = "zh"
    folder: Path = field(default=Path())

    def ingest(self, path: Path, *, drop: Drop | None = None, dry: bool = False) -> Batch:
        """Take in a file; the batch it became."""
        intake = Intake.of(self.house, self.lang, dry=dry)  # type: ignore[arg-type]
        job = Job("intake", lambda _: intake.take(Incoming(path, path.name, drop)))
        for _ in jobs.run(job, self.house):
            pass
        return intake.done[-1]

    def resume(self) -> list[Batch]:
        """Go on with what was begun."""
        intake = Intake.of(self.house, self.lang)  # type: ignore[arg-type]
        for _ in jobs.run(Job("intake", lambda _: intake.resume()), self.house):
            pass
        return intake.done

    def problems(self, batch: Batch) -> pl.DataFrame:
        """Every problem of a batch."""
        return self.house.desk().do(steps.PROBLEMS, steps.Of(batch.id))

    def codes(self, batch: Batch) -> set[str]:
        """The codes of its problems."""
        found = self.problems(batch)
        return set(found["code"]) if found.width else set()

    def rows(self, kind: str) -> pl.DataFrame:
        """All records of a kind as stored."""
        with self.house.store.reading() as tx:
            return tx.columns(Query(kind))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A new home."""
    clock = Clock()
    values = {"institution": "测试小贷", "drop": [{"folder": "drop", "owner": "前台"}]}
    house, _ = Institution.create(tmp_path / "home", Secret("correct horse"), values, clock=clock)
    yield Office(house, clock, folder=tmp_path)
    house.close()
