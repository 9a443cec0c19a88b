"""Resumable work: a job is a generator of progress that does one short act a step.

A job keeps its checkpoint in the records it writes, in the same transaction, so it can be stopped or
killed anywhere and run again. Long jobs of one kind hold a lock of the home: the other waits or is Busy.
In a home that was restored and not resumed yet no job runs, but what resuming itself does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event
from typing import TYPE_CHECKING

from attrs import frozen

from loanhub.errors import Interrupted
from loanhub.holding import refuse_held
from loanhub.system import lock

if TYPE_CHECKING:
    from loanhub.institution import Institution


@frozen
class Progress:
    """How far a job is: `done` of `total` (0: unknown), and a message code that says with what."""

    done: int
    total: int = 0
    note: str = ""


@frozen
class Job:
    """Work for `run`: `name` is also the name of its lock. `while_held`: it may run in a held home too."""

    name: str
    steps: Callable[[Institution], Iterator[Progress]]
    while_held: bool = False


def run(
    job: Job, institution: Institution, *, stop: Event | None = None, wait: float = 10.0
) -> Iterator[Progress]:
    """Do a job, step by step.

    Raises Busy when another process does the same, Waiting("home-held"), Interrupted when stopped.
    """
    if not job.while_held:
        refuse_held(institution.home)
    with lock(institution.home / "data" / f"{job.name}.lock", wait=wait):
        for progress in job.steps(institution):
            yield progress
            if stop is not None and stop.is_set():
                raise Interrupted("interrupted", job=job.name)
