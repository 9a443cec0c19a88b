"""`loanhub up` keeps the backup agents of a home running, each a process of its own, again if it ends."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

import click

from loanhub.cli.session import Session
from loanhub.cli.unlocking import VARIABLE
from loanhub.plugins import Plugins, attempt
from loanhub.system import tethered

FIRST_PAUSE: Final = 5.0
LONGEST_PAUSE: Final = 600.0
STEADY: Final = 300.0
"""Seconds after which an agent counts as well: when it ends later, it is started again soon."""
FAREWELL: Final = 20.0


@contextmanager
def backed_up(session: Session) -> Iterator[None]:
    """The home's backup agents run until the end of the block, and it is said whether there are any.

    Where the passphrase was typed they get it in their environment, at every start: others see neither their
    environment nor ours, and it is written nowhere.
    """
    root = session.house.home.root
    found = agents_of(session.house.plugins, root)
    click.echo(session.say("up.backup" if found else "up.no-backup").text, err=session.wishes.json)

    def ended(status: int, pause: float) -> None:
        click.echo(session.say("up.backup-ended", status=status, seconds=int(pause)).text, err=True)

    with supervised(found, ended, environment=_told(session)):
        yield


def _told(session: Session) -> dict[str, str]:
    """What an agent's environment has besides ours."""
    typed = None if session.typed is None else session.typed.text()
    return {} if typed is None else {VARIABLE: typed}


def agents_of(plugins: Plugins, home: Path) -> list[Sequence[str]]:
    """For each backup agent that knows where the backups of this home lie: Python's arguments to run it."""
    found = [attempt(one.name, one.agent, home)[0] for one in plugins.backups if hasattr(one, "agent")]
    return [command for command in found if command]


@contextmanager
def supervised(
    commands: Sequence[Sequence[str]], ended: Callable[[int, float], None], *, pause: float = FIRST_PAUSE,
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:  # fmt: skip
    """These agents run until the end of the block; then each is asked to stop, and waited for.

    `ended` is told (exit status, seconds until it is started again) when one ends by itself. They end with
    this process where the system can do that. `environment` is what theirs has besides ours.
    """
    stop, whole = Event(), {**os.environ, **(environment or {})}
    threads = [
        Thread(target=_keep, args=(command, whole, stop, ended, pause), name="backup-agent", daemon=True)
        for command in commands
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(2 * FAREWELL)


def _keep(
    command: Sequence[str], environment: Mapping[str, str], stop: Event,
    ended: Callable[[int, float], None], first_pause: float,
) -> None:  # fmt: skip
    pause = first_pause
    while not stop.is_set():
        begun = time.monotonic()
        # Started from the thread that waits for it: a tether is to the thread, not to the process.
        with subprocess.Popen(
            tethered([sys.executable, *command]), env=environment, stdin=subprocess.DEVNULL
        ) as process:
            while process.poll() is None and not stop.wait(0.2):
                pass
            if stop.is_set():
                _part(process)
                return
        pause = first_pause if time.monotonic() - begun > STEADY else min(2 * pause, LONGEST_PAUSE)
        ended(process.returncode, pause)
        stop.wait(pause)


def _part(process: subprocess.Popen[bytes]) -> None:
    """Ask it to stop, and end it when it does not: what it committed is kept either way."""
    process.terminate()
    try:
        process.wait(FAREWELL)
    except subprocess.TimeoutExpired:
        process.kill()
