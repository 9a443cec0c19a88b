"""Commands that run a job over everything: assess customers, send due reminders, build search keys anew."""

from __future__ import annotations

from datetime import date
from typing import Final

from attrs import frozen

from loanhub import jobs
from loanhub.cli.acting import Command, named
from loanhub.cli.outcome import Outcome
from loanhub.cli.session import Session
from loanhub.cli.showing import shower
from loanhub.jobs import Job
from loanhub.services.office.reindex import reindex as reindex_all
from loanhub.services.ratings.acts import ASSESS as ASSESS_ACT
from loanhub.services.ratings.acts import Assess, Assessed
from loanhub.services.ratings.job import assess_all
from loanhub.services.reminders.job import send_all
from loanhub.system import stop_event


@frozen
class AssessedAll:
    """How many customers were looked at."""

    as_of: date
    customers: int


def assess(session: Session, request: Assess) -> Outcome:
    """Rate the customers named, with their reasons; without any, all of them chunk by chunk."""
    if not request.customers:
        return _assess_all(session, request.as_of)
    answer = session.desk.do(ASSESS_ACT, request)
    if answer.waiting:
        session.warn("assess-waits", customers=", ".join(map(str, answer.waiting)))
    return Outcome(named("assess", answer), shower(session, answer))


def _assess_all(session: Session, as_of: date | None) -> Outcome:
    desk, done = session.desk, 0
    work = Job("ratings", lambda _: assess_all(desk, as_of))
    for progress in session.meter().over(jobs.run(work, session.house, stop=stop_event())):
        done = progress.done
    today = session.house.clock.now().astimezone(session.house.zone).date()
    answer = AssessedAll(as_of or today, done)
    return Outcome(named("assess", answer), shower(session, answer))


@frozen
class Send:
    """Send all reminders that are due."""


@frozen
class Sent:
    """How many reminders were handed to their channels."""

    handled: int


def send(session: Session, _: Send) -> Outcome:
    """Send what is due; each loan is looked at once more before."""
    desk, done = session.desk, 0
    work = Job("reminders", lambda _: send_all(desk))
    for progress in session.meter().over(jobs.run(work, session.house, stop=stop_event())):
        done = progress.done
    answer = Sent(done)
    return Outcome(named("remind.send", answer), shower(session, answer))


@frozen
class Reindex:
    """Build all search keys anew from the records; found is meanwhile what has its keys."""


@frozen
class Reindexed:
    """How many records were looked at, once for their keys and customers once more for their pieces."""

    records: int


def reindex(session: Session, _: Reindex) -> Outcome:
    """Build the search keys anew; stopped anywhere, the next run goes on from there."""
    desk, done = session.house.system_desk("reindex"), 0
    work = Job("reindex", lambda _: reindex_all(desk))
    for progress in session.meter().over(jobs.run(work, session.house, stop=stop_event())):
        done = progress.done
    answer = Reindexed(done)
    return Outcome(named("reindex", answer), shower(session, answer))


ASSESS: Final = Command("assess", Assess, assess, Assessed | AssessedAll)
SEND: Final = Command("remind.send", Send, send, Sent)
REINDEX: Final = Command("reindex", Reindex, reindex, Reindexed)
