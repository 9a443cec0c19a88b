"""`loanhub up` keeps the backup agents of a home running, each a process of its own, again if it ends."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Final

import click

from loanhub.cli.session import Session
from loanhub.cli.unlocking import kept_secret
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

    None can run where the passphrase was typed: nobody hands it on.
    """
    root = session.house.home.root
    found = agents_of(session.house.plugins, root)
    code = "up.backup" if found else "up.no-backup"
    if found and kept_secret(root) is None:
        found, code = [], "up.backup-asks"
    click.echo(session.say(code).text, err=session.wishes.json)

    def ended(status: int, pause: float) -> None:
        click.echo(session.say("up.backup-ended", status=status, seconds=int(pause)).text, err=True)

    with supervised(found, ended):
        yield


def agents_of(plugins: Plugins, home: Path) -> list[Sequence[str]]:
    """For each backup agent that knows where the backups of this home lie: Python's arguments to run it."""
    found = [attempt(one.name, one.agent, home)[0] for one in plugins.backups if hasattr(one, "agent")]
    return [command for command in found if command]


@contextmanager
def supervised(
    commands: Sequence[Sequence[str]], ended: Callable[[int, float], None], *, pause: float = FIRST_PAUSE
) -> Iterator[None]:
    """These agents run until the end of the block; then each is asked to stop, and waited for.

    `ended` is told (exit status, seconds until it is started again) when one ends by itself. They end with
    this process where the system can do that.
    """
    stop = Event()
    threads = [
        Thread(target=_keep, args=(command, stop, ended, pause), name="backup-agent", daemon=True)
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
    command: Sequence[str], stop: Event, ended: Callable[[int, float], None], first_pause: float
) -> None:
    pause = first_pause
    while not stop.is_set():
        begun = time.monotonic()
        # Started from the thread that waits for it: a tether is to the thread, not to the process.
        with subprocess.Popen(tethered([sys.executable, *command]), stdin=subprocess.DEVNULL) as process:
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
