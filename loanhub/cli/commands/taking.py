"""Commands that take files in: `ingest` once, `watch` and `up` until stopped, `mapping set` to go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import field, frozen

from loanhub import jobs
from loanhub.acts import param
from loanhub.cli.acting import Command
from loanhub.cli.commands.batches import BatchTaken, line, refusal, show_batches, status, taken
from loanhub.cli.outcome import INTERRUPTED, Outcome, worst
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.cli.supervising import backed_up
from loanhub.cli.unlocking import file_password
from loanhub.errors import Damaged, LoanHubError, NotFound, Waiting
from loanhub.files import spoken_name
from loanhub.holding import refuse_held
from loanhub.jobs import Job, Progress
from loanhub.services.intake import mapfile
from loanhub.services.intake.acts import SET, MappingSet
from loanhub.services.intake.job import Incoming, Intake
from loanhub.services.intake.watching import Seen, folders, take_once, watch_folders
from loanhub.system import stop_event
from loanhub.texts import say

if TYPE_CHECKING:
    from threading import Event

    from loanhub.entities import Batch

PATIENCE: Final = 10.0
"""Seconds to wait for another process that takes files into the same home."""


@frozen
class Ingest:
    """Take files in; each is copied, never moved or changed."""

    files: tuple[str, ...] = param(argument=True, many=True)
    dry_run: bool = param(default=False, flag=True)
    mapping: str = param(default="")
    password: bool = param(default=False, flag=True)


@frozen
class Taken:
    """One entry a file, in the order given."""

    batches: tuple[BatchTaken, ...] = field(factory=tuple)


def ingest(session: Session, request: Ingest) -> Outcome:
    """Take files in. Raises NotFound("ingest-file-missing") before anything is done.

    With `password` one is taken from LOANHUB_FILE_PASSWORD or asked for, never from the command line, which
    others can see and the shell remembers. Raises Misconfigured("no-file-password") with nobody to ask.
    """
    paths = [Path(file) for file in request.files]
    for path in [*paths, *([Path(request.mapping)] if request.mapping else [])]:
        if not path.is_file():
            raise NotFound("ingest-file-missing", file=str(path))
    _ = session.desk  # whoever brings a file must have signed in, before it is read
    password = file_password(session) if request.password else None
    intake = Intake.of(session.house, session.lang, dry=request.dry_run, password=password)
    stop, fault = stop_event(), None
    statuses: list[int] = []
    for path in paths:
        try:
            _take(session, intake, path, request.mapping, stop)
        except LoanHubError as error:
            fault = fault or error
            statuses.append(error.exit_status)
            if not isinstance(error, Damaged):  # a damaged batch leaves the other files alone
                break
    if request.dry_run:
        session.warn("ingest-dry")
    return ended(session, intake, fault, statuses)


def _take(session: Session, intake: Intake, path: Path, mapping: str, stop: Event) -> None:
    told = Path(mapping) if mapping else _answered(intake, path)
    incoming = Incoming(path, path.name, mapping=told)
    work = Job("intake", lambda _: intake.take(incoming))
    for _ in session.meter().over(
        jobs.run(work, session.house, stop=stop, wait=PATIENCE), spoken_name(path.name)
    ):
        pass


def _answered(intake: Intake, path: Path) -> Path | None:
    """The mapping file in the return folder that an earlier try asked to be filled in, when it is."""
    if mapfile.beside(path) is not None:
        return None
    found = intake.returns(intake.desk(None).who.name) / f"{spoken_name(path.name)}.mapping.toml"
    if not found.is_file() or f'"{mapfile.OPEN}"' in found.read_text(encoding="utf-8"):
        return None
    return found


def ended(session: Session, intake: Intake, fault: LoanHubError | None, statuses: list[int]) -> Outcome:
    """The outcome of a run over files: 10, 7, 5, 3 or 0, the first that occurred."""
    desk = session.house.desk(session.house.attendant)
    found = tuple(taken(desk, intake, batch) for batch in intake.done)
    data = plain(Taken(found))
    show = None if session.wishes.json else show_batches(found, session.lang)
    if fault is not None and not isinstance(fault, Damaged):
        return Outcome(data, show, fault.exit_status, fault)
    status_ = worst([*statuses, *map(status, intake.done)])
    waits = sum(batch.waiting for batch in intake.done if batch.status == "stored")
    if waits:
        session.warn("changes-wait", count=waits)
    return Outcome(data, show, status_, fault or _error(intake.done, status_))


def _error(done: list[Batch], status_: int) -> LoanHubError | None:
    """Why the run is not ok: the file refused, or the one whose columns must be explained first."""
    for batch in done:
        if status(batch) == status_ and batch.status == "refused":
            return refusal(batch)
        if status(batch) == status_ and batch.status == "needs-mapping":
            return Waiting(
                "needs-mapping", file=batch.name, mapping=batch.decisions["mapping"], batch=batch.id
            )
    return None


# -- watch ---------------------------------------------------------------------------------------------


@frozen
class Watch:
    """Watch the drop folders until stopped; `once` takes in what lies there now, and ends."""

    once: bool = param(default=False, flag=True)


def watch(session: Session, request: Watch) -> Outcome:
    """One line for every file that comes; ends well when it is asked to stop. Raises Waiting("home-held")."""
    house, stop = session.house, stop_event()
    refuse_held(house.home)
    drops = folders(house)
    _say(session, "watch.begun", folders=", ".join(map(str, drops)))
    found: list[BatchTaken] = []
    intake = Intake.of(house, session.lang)
    for seen in _seen(session, stop, once=request.once):
        if seen.batch is not None:
            found.append(taken(house.desk(house.attendant), intake, seen.batch))
            _echo(session, line(found[-1], session.lang))
        elif seen.error is not None and seen.error.exit_status != INTERRUPTED:
            _echo(session, f"{spoken_name(seen.path.name)}: {say(seen.error, session.lang)}")
        elif seen.notice:
            name = spoken_name(seen.path.name)
            _echo(session, f"{name}: {session.say(seen.notice, file=name)}")
    if request.once:
        show = None if session.wishes.json else show_batches(found, session.lang)
        return Outcome(plain(Taken(tuple(found))), show)
    _say(session, "watch.ended")
    return Outcome(plain(Taken(tuple(found))))


def _seen(session: Session, stop: Event, *, once: bool) -> Iterator[Seen]:
    way = take_once if once else watch_folders
    watched: Iterator[Any] = way(session.house, session.lang, stop)
    for seen in session.meter().over(watched):
        if not isinstance(seen, Progress):
            yield seen


def _say(session: Session, code: str, **facts: object) -> None:
    _echo(session, session.say(code, **facts).text)


def _echo(session: Session, text: str) -> None:
    """A line while it happens: on stdout for people, on stderr when stdout holds the one object."""
    click.echo(text, err=session.wishes.json)


# -- up ------------------------------------------------------------------------------------------------


@frozen
class Up:
    """Run this home until stopped."""


def up(session: Session, _: Up) -> Outcome:
    """Say where everything lies, and watch the drop folders until asked to stop. Raises as `watch`."""
    house = session.house
    refuse_held(house.home)
    _say(session, "up.home", home=house.home.root, institution=house.settings.institution)
    for path, drop in folders(house).items():
        _say(session, "up.drop", folder=path, owner=drop.owner)
    _say(session, "up.returns", folder=house.home / "returns")
    with backed_up(session):
        return watch(session, Watch())


# -- mapping set ---------------------------------------------------------------------------------------


def set_mapping(session: Session, request: MappingSet) -> Outcome:
    """Keep what was said of the columns, then go on with the batch that waited for it."""
    session.desk.do(SET, request)
    intake, stop, fault = Intake.of(session.house, session.lang), stop_event(), None
    try:
        for batch in intake.unfinished():
            if batch.id == request.batch:
                _go_on(session, intake, batch, stop)
    except LoanHubError as error:
        fault = error
    return ended(session, intake, fault, [])


def _go_on(session: Session, intake: Intake, batch: Batch, stop: Event) -> None:
    path, drop = intake.processing(batch), intake.drop_of(batch)
    work = Job("intake", lambda _: intake.go_on(batch, intake.desk(drop), path, None))
    for _ in session.meter().over(jobs.run(work, session.house, stop=stop, wait=PATIENCE), batch.name):
        pass


INGEST: Final = Command("ingest", Ingest, ingest, Taken)
WATCH: Final = Command("watch", Watch, watch, Taken)
UP: Final = Command("up", Up, up, Taken)
MAPPING_SET: Final = Command("mapping.set", MappingSet, set_mapping, Taken)
