"""Watch the drop folders of a home: every file that comes to rest is taken in, until told to stop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

from attrs import frozen

from loanhub import jobs
from loanhub.entities import Batch
from loanhub.errors import Busy, LoanHubError
from loanhub.files import Notice, owner_file, saying_full, scan, spoken_name, unchanged, watch
from loanhub.jobs import Job, Progress
from loanhub.services.intake.job import Incoming, Intake
from loanhub.settings import Drop
from loanhub.texts import Lang

if TYPE_CHECKING:
    from loanhub.institution import Institution

MAPPING: Final = ".mapping.toml"
DAY: Final = 86_400
PAUSE: Final = 2.0
"""Seconds after which a file is tried again that another process kept us from taking."""


@frozen
class Seen:
    """What the watcher has to say: a batch that ended, a notice (message code), or an error and its file."""

    path: Path
    batch: Batch | None = None
    notice: str = ""
    error: LoanHubError | None = None


def folders(house: Institution) -> dict[Path, Drop]:
    """Drop folders by path; made when they are missing inside the home."""
    found = {}
    for drop in house.settings.drop:
        path = house.home.root / drop.folder
        if not Path(drop.folder).is_absolute():
            path.mkdir(parents=True, exist_ok=True)
        found[path] = drop
    return found


def watch_folders(house: Institution, lang: Lang, stop: Event) -> Iterator[Seen | Progress]:
    """Take in what lies and comes, and go on with what was begun; ends when `stop` is set."""
    drops = folders(house)
    settings = house.settings.intake
    yield from _resumed(house, lang, stop)
    tidy(house)
    polling = any(d.poll for d in drops.values())
    for event in watch(
        list(drops), settle=settings.settle, every=settings.every, polling=polling, own=True, stop=stop
    ):
        if isinstance(event, Notice):
            yield Seen(event.path, notice=event.code)
        elif event.path.name.endswith(MAPPING):
            yield from _resumed(house, lang, stop)
        elif unchanged(event):
            yield from _taken(house, lang, event.path, drops[event.path.parent], stop, patient=True)


def take_once(house: Institution, lang: Lang, stop: Event) -> Iterator[Seen | Progress]:
    """Take in what lies in the drop folders now, go on with what was begun, and end."""
    yield from _resumed(house, lang, stop)
    tidy(house)
    for folder, drop in folders(house).items():
        try:
            found = scan(folder)
        except OSError:
            yield Seen(folder, notice="folder-lost")
            continue
        for seen in found:
            if owner_file(seen.path) is not None:
                yield Seen(seen.path, notice="file-still-open")
            else:
                yield from _taken(house, lang, seen.path, drop, stop)


def _taken(
    house: Institution, lang: Lang, path: Path, drop: Drop, stop: Event, *, patient: bool = False
) -> Iterator[Seen | Progress]:
    """Take in a file; `patient`: as long as another process is in the way, try again."""
    intake = Intake.of(house, lang)

    def steps(_: Institution) -> Iterator[Progress]:
        return intake.take(Incoming(path, path.name, drop)) if path.exists() else intake.resume()

    yield from _run(house, intake, Job("intake", steps), path, stop, patient=patient)


def _resumed(house: Institution, lang: Lang, stop: Event) -> Iterator[Seen | Progress]:
    intake = Intake.of(house, lang)
    yield from _run(house, intake, Job("intake", lambda _: intake.resume()), house.home.root, stop)


def _run(
    house: Institution, intake: Intake, job: Job, path: Path, stop: Event, *, patient: bool = False
) -> Iterator[Seen | Progress]:
    """Run a job; an error of one file is told and the watching goes on."""
    told = False
    while not stop.is_set():
        try:
            with saying_full(house.home.root):
                yield from jobs.run(job, house, stop=stop)
        except Busy as error:
            if not told:
                yield Seen(path, error=error)
            told = True
            if patient and not stop.wait(PAUSE):
                continue
        except LoanHubError as error:
            yield Seen(path, error=error)
        except OSError:  # it went away, or somebody keeps it to himself
            yield Seen(path, error=LoanHubError("file-unreadable", path=spoken_name(path.name)))
        break
    for batch in intake.done:
        yield Seen(path, batch=batch)


def tidy(house: Institution) -> int:
    """Remove reports older than the settings say; the number removed."""
    oldest = time.time() - house.settings.intake.report_days * DAY
    removed = 0
    for report in (house.home / "returns").rglob("*.xlsx"):
        if report.name.endswith((".report.xlsx", ".preview.xlsx")) and report.stat().st_mtime < oldest:
            report.unlink(missing_ok=True)
            removed += 1
    return removed
