"""A progress bar on stderr with rate and time to go; on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sync_agent.cli.session import Session

Tell = Callable[[int, int], None]


def _unheard(done: int, total: int) -> None:  # noqa: ARG001  # nobody looks at a terminal
    return None


@contextmanager
def measured(session: Session, title: str, *, bytes: bool = True) -> Iterator[Tell]:
    """What to tell (done, in all) to, in bytes or in things. 0 in all: nobody knows."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield _unheard
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    shown = Console(file=sys.stderr, no_color=not session.colour, highlight=False)
    amount = (DownloadColumn(), TransferSpeedColumn()) if bytes else (MofNCompleteColumn(),)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), *amount, TimeRemainingColumn())
    with Progress(*columns, console=shown, transient=True) as bar:
        task = bar.add_task(session.say(title).text, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total if total >= max(done, 1) else None)

        yield tell
