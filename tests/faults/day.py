"""A day's work at a home, in a process of its own: go on with what was begun, take what was dropped.

python -m tests.faults.day '{"home": ..., "began": ..., "answer": ..., "kill": 7, "broken": "finish-first"}'
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from attrs import evolve, frozen

from loanhub import jobs
from loanhub.acts import Act, Books, Facts
from loanhub.entities import Loan
from loanhub.errors import Usage
from loanhub.institution import Institution
from loanhub.jobs import Job
from loanhub.keys import Secret
from loanhub.records import Query, Test
from loanhub.services.intake import job
from loanhub.services.intake.undo import UNDO, Undo
from loanhub.services.intake.watching import Seen, take_once
from tests.faults.broken import BROKEN
from tests.faults.effects import Effects
from tests.faults.offices import PASSPHRASE
from tests.faults.states import state_of

NOON = datetime(2026, 6, 30, 4, tzinfo=UTC)


@frozen
class Clock:
    """Goes on from noon of 30 June 2026."""

    began: float

    def now(self) -> datetime:
        return NOON + timedelta(seconds=time.time() - self.began)


def main(wish: dict[str, Any]) -> None:
    """Do the day's work, then say what was seen and what state the home is in."""
    home = Path(wish["home"])
    job.LARGE = wish.get("large", job.LARGE)
    if wish.get("broken"):
        BROKEN[wish["broken"]]()
    effects = Effects(home, wish.get("kill", 0), wish.get("full", 0), wish.get("pause", ""))
    with Institution.open(home, unlock=lambda: Secret(PASSPHRASE), clock=Clock(wish["began"])) as house:
        effects.listen()
        said = without_room(house, effects) if wish.get("full") else []
        if wish.get("undo"):
            undo(house, wish["undo"])
        elif wish.get("file"):
            ingest(house, Path(wish["file"]))
        else:
            take(house)
        for number, purpose in wish.get("edit", {}).items():
            edit(house, number, purpose)
        seen = list(effects.seen)
        answer = {"seen": seen, "state": state_of(house), "said": said}
    Path(wish["answer"]).write_text(json.dumps(answer, ensure_ascii=False), encoding="utf-8")


def take(house: Institution) -> None:
    """Go on with what was begun, and take in what lies in the drop folders."""
    for said in list(take_once(house, "zh", Event())):
        if isinstance(said, Seen) and said.error is not None:
            raise said.error


def without_room(house: Institution, effects: Effects) -> list[str]:
    """What the watcher says while the disk is full. Then there is room again."""
    said = [seen for seen in take_once(house, "zh", Event()) if isinstance(seen, Seen)]
    effects.room()
    return [seen.error.code for seen in said if seen.error]


def ingest(house: Institution, path: Path) -> None:
    """Take in one file that lies anywhere."""
    intake = job.Intake.of(house, "zh")
    for _ in jobs.run(Job("intake", lambda _: intake.take(job.Incoming(path, path.name))), house):
        pass


def undo(house: Institution, batch: int) -> None:
    """Take a batch back, unless that is done."""
    try:
        house.desk().do(UNDO, Undo(batch, "放错了"))
    except Usage as error:
        if error.facts.get("status") != "undone":
            raise


def edit(house: Institution, number: str, purpose: str) -> None:
    """A person writes another purpose into a loan."""
    desk = house.desk()
    loan = next(iter(desk.do(FIND, number)))
    desk.do(PURPOSE, evolve(loan, purpose=purpose))


def found(books: Books, number: str) -> Facts[list[Loan]]:
    """The loan of a number."""
    return Facts(
        [e for e in books.find(Query("loan", (Test("loan_no", "eq", number),))) if isinstance(e, Loan)]
    )


def written(books: Books, loan: Loan) -> Facts[None]:
    """The loan as it is to be."""
    return Facts(None, (loan,))


FIND = Act("test.find", str, "loan.read", found, writes=False)
PURPOSE = Act("test.purpose", Loan, "loan.write", written)

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
