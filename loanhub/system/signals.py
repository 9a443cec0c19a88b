"""How a running program learns that it should stop: Ctrl-C, a service manager, a closed console."""

from __future__ import annotations

import signal
from threading import Event
from types import FrameType

from loanhub.system.branch import here


def stop_event() -> Event:
    """An event that is set on SIGINT, SIGTERM, a closed console or a shutdown. Call it in the main thread.

    A second signal of the same kind does what it did before: Ctrl-C twice raises KeyboardInterrupt. Wait
    for the event with a timeout: on Windows a wait without one cannot be interrupted.
    """
    stop = Event()
    before = {number: signal.getsignal(number) for number in here.STOP_SIGNALS}

    def asked(number: int, frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)] or signal.SIG_DFL)

    for number in before:
        signal.signal(number, asked)
    here.on_console_close(stop.set)
    return stop
