"""`loanhub resume`: a restored home works again, after what happened since the snapshot is settled.

Everything it does may be done again: killed anywhere, the home is still held and the next run ends the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, field, frozen

from loanhub import jobs
from loanhub.acts import param
from loanhub.audit import Line
from loanhub.cli.acting import Command
from loanhub.cli.commands.batches import BatchTaken, show_batches, status, taken
from loanhub.cli.outcome import DAMAGED, DONE, WAITING, Outcome, worst
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.errors import Damaged, LoanHubError, NotFound
from loanhub.files import spoken_name
from loanhub.holding import Held, held_by, release
from loanhub.jobs import Job, Progress
from loanhub.services.intake.job import Intake
from loanhub.services.intake.originals import Original, originals, take_again
from loanhub.services.office.old_home import edits, looking_back
from loanhub.services.office.resuming import RESUMED
from loanhub.services.office.resuming import Resume as ResumeHome
from loanhub.services.reminders.recovering import (
    RECOVER,
    Outbox,
    Recover,
    Recovered,
    letters_in,
    outbox_of,
)
from loanhub.system import lock, stop_event

if TYPE_CHECKING:
    from loanhub.institution import Institution

SHOWN: Final = 20
"""Lines of the lost home that are named to a reader; programs get all."""


@frozen
class Resume:
    """Let a restored home work again; `from_`: what survives of the home that was lost."""

    from_: str = param(default="")
    dry_run: bool = param(default=False, flag=True)


@frozen
class Since:
    """Something done after the snapshot that is not in this home: a line of the lost home's audit log."""

    seq: int
    at: datetime
    who: str
    act: str
    object: str


@frozen
class Resumption:
    """What resuming came to, or with `dry_run` would come to.

    `evidence`: outbox, letters or none: what told which messages were sent. `line`: the last audit line that
    both homes have, 0 when the lost one's log was not read; `broken`: its first line that is not whole, or 0.
    `originals` are taken in again, as `batches`; those in `lost` could not be opened.
    """

    vault: str
    snapshot: str
    taken: datetime
    restored: datetime
    dry_run: bool
    evidence: str
    line: int
    broken: int
    messages: Recovered
    originals: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    since: tuple[Since, ...] = ()
    batches: tuple[BatchTaken, ...] = field(factory=tuple)


@frozen
class Survey:
    """What is known before anything is done."""

    ask: Recover
    evidence: str
    originals: tuple[Original, ...]
    line: int = 0
    since: tuple[Line, ...] = ()
    broken: int = 0


def resume(session: Session, request: Resume) -> Outcome:
    """Settle messages, take originals in again, list what else happened, and let the home work.

    Raises NotFound("home-not-held", "resume-from-missing"), Usage("resume-another-home"), Busy.
    """
    house = session.house
    held = held_by(house.home)
    if held is None:
        raise NotFound("home-not-held")
    with lock(house.home / "data" / "resume.lock", wait=0):
        survey = _survey(session, held, request)
        messages = session.desk.do(RECOVER, survey.ask, preview=request.dry_run)
        told = Resumption(
            held.vault, held.snapshot, held.taken, held.restored, request.dry_run, survey.evidence,
            survey.line, survey.broken, messages, tuple(one.name for one in survey.originals),
            since=tuple(Since(one.seq, one.at, one.who, one.act, one.object) for one in survey.since),
        )  # fmt: skip
        if request.dry_run:
            session.warn("resume-dry")
            return _outcome(session, told, [])
        intake, lost = _taken_again(session, survey.originals)
        found = tuple(taken(session.desk, intake, batch) for batch in intake.done)
        told = evolve(told, lost=lost, batches=found)
        counts = {"sent": messages.sent, "review": sum(messages.review.values()), "originals": len(found)}
        asked = ResumeHome(held, str(house.home.root), survey.line, counts)
        session.desk.do(RESUMED, asked, key=f"resumed:{held.snapshot}:{held.restored.isoformat()}")
        release(house.home)
        return _outcome(session, told, [status(batch) for batch in intake.done])


# -- what is known -------------------------------------------------------------------------------------


def _survey(session: Session, held: Held, request: Resume) -> Survey:
    house = session.house
    old = Path(request.from_).expanduser().absolute() if request.from_ else None
    if old is not None and not any((old / name).is_dir() for name in ("data", "letters", "archive")):
        raise NotFound("resume-from-missing", folder=str(old))
    letters = letters_in(house.home.root, *([old] if old is not None else []))
    told = _told_by(session, old) if old is not None and (old / "data").is_dir() else None
    if told is None:
        found = tuple(originals(house, old, None)) if old is not None else ()
        told = Told(None, found)
    evidence = "outbox" if told.outbox else "letters" if letters else "none"
    # A clock that was behind when it was restored must not let through what was sent before.
    moments = (held.restored, held.taken, *(line.at for line in told.lines))
    until = max(moments).astimezone(house.zone).date()
    since = tuple(edits(house, told.lines))
    return Survey(
        Recover(until, letters, told.outbox), evidence, told.originals, told.line, since, told.broken
    )


@frozen
class Told:
    """What the lost home's own records tell."""

    outbox: Outbox | None
    originals: tuple[Original, ...]
    line: int = 0
    lines: Sequence[Line] = ()
    broken: int = 0


def _told_by(session: Session, old: Path) -> Told | None:
    """The lost home's records, if they can be read; else it is said why not. Raises PermissionError."""
    try:
        with looking_back(session.house, old) as past:
            lines, broken = past.lines()
            found = tuple(originals(session.house, old, past.tx, past.fork))
            return Told(outbox_of(past.tx, past.fork), found, past.fork, lines, broken)
    except PermissionError:  # what survives is not given up for the want of a right
        raise
    except (Damaged, OSError) as error:
        reason = error.code if isinstance(error, LoanHubError) else type(error).__name__
        session.warn("resume-old-unreadable", reason=reason)
        return None


# -- what is done --------------------------------------------------------------------------------------


def _taken_again(session: Session, found: tuple[Original, ...]) -> tuple[Intake, tuple[str, ...]]:
    intake, stop = Intake.of(session.house, session.lang), stop_event()
    lost: list[str] = []
    for original in found:
        work = Job("intake", partial(_again, intake, original), while_held=True)
        name = spoken_name(original.name)
        try:
            for _ in session.meter().over(jobs.run(work, session.house, stop=stop), name):
                pass
        except (Damaged, NotFound) as error:
            session.warn("resume-original-lost", file=name, reason=error.code)
            lost.append(original.name)
    return intake, tuple(lost)


def _again(intake: Intake, original: Original, _: Institution) -> Iterator[Progress]:
    return take_again(intake, original)


# -- words ---------------------------------------------------------------------------------------------


def _outcome(session: Session, told: Resumption, statuses: list[int]) -> Outcome:
    review = sum(told.messages.review.values())
    if review:
        channels = ", ".join(f"{channel} {count}" for channel, count in sorted(told.messages.review.items()))
        session.warn("resume-review", count=review, channels=channels)
    ends = [*statuses, WAITING if review else DONE, DAMAGED if told.lost else DONE]
    show = None if session.wishes.json or not told.batches else show_batches(told.batches, session.lang)
    return Outcome(plain(told), show, worst(ends), text="" if session.wishes.json else _words(session, told))


def _words(session: Session, told: Resumption) -> str:
    def say(code: str, **facts: Any) -> str:
        return session.say(f"resume.{code}", **facts).text

    messages, since = told.messages, told.since[:SHOWN]
    lines = [
        say("from", snapshot=told.snapshot, vault=told.vault, taken=told.taken, restored=told.restored),
        say(f"evidence.{told.evidence}"),
        say("messages", sent=messages.sent, review=sum(messages.review.values()), waiting=messages.waiting),
    ]
    if told.originals:
        names = ", ".join(spoken_name(name) for name in told.originals)
        lines.append(say("originals", count=len(told.originals), names=names))
    if told.since:
        lines.append(say("since", count=len(told.since)))
        lines += [f"  {one.at:%Y-%m-%d %H:%M}  {one.who}  {one.act}  {one.object}" for one in since]
    if told.broken:
        lines.append(say("broken", line=told.broken))
    if not told.dry_run:
        lines.append(say("done"))
    return "\n".join(lines)


RESUME: Final = Command("resume", Resume, resume, Resumption)
