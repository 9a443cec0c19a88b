"""What a command came to: one JSON object for programs, words and tables for people, and an exit status."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from loanhub import LoanHubError, Message, say
from sync_agent.cli.session import Session

if TYPE_CHECKING:
    from rich.console import Console

DONE: Final = 0
INCOMPLETE: Final = 3
NOTHING_FOUND: Final = 4
DAMAGED: Final = 7
PIPE_WIDTH: Final = 200
"""Columns when nobody looks at a terminal."""


@frozen
class Outcome:
    """The end of a command: `data` for programs; `text` says it for a reader and `show` draws it. With
    `error` the run is not ok, and its status is the error's unless one is given.
    """

    data: Mapping[str, Any] | None = None
    text: str = ""
    show: Callable[[Console], None] | None = field(default=None, repr=False)
    status: int = DONE
    error: LoanHubError | None = None

    @property
    def exit_status(self) -> int:
        """What the process ends with."""
        return self.status or (self.error.exit_status if self.error is not None else DONE)


def envelope(session: Session, outcome: Outcome) -> dict[str, Any]:
    """The one object that `--json` prints: ok, code (the exit status), data, error, warnings."""
    error = None if outcome.error is None else spoken(say(outcome.error, session.lang))
    return {
        "ok": outcome.error is None,
        "code": outcome.exit_status,
        "data": outcome.data,
        "error": error,
        "warnings": [spoken(message) for message in session.warnings],
    }


def spoken(message: Message) -> dict[str, str]:
    """A message for programs: its code stays the same in every language."""
    return {"code": message.code, "message": message.text, "hint": message.hint}


def emit(session: Session, outcome: Outcome) -> int:
    """Print the outcome and give its exit status; a reader who went away (`| head`) is no fault."""
    try:
        if session.wishes.json:
            print(json.dumps(envelope(session, outcome), ensure_ascii=False, allow_nan=False))
        else:
            _tell(session, outcome)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return outcome.exit_status


def console(session: Session) -> Console:
    """Where tables are drawn."""
    from rich.console import Console

    wide = {} if sys.stdout.isatty() else {"width": PIPE_WIDTH}
    return Console(no_color=not session.colour, highlight=False, soft_wrap=False, **wide)  # type: ignore[arg-type]


def _tell(session: Session, outcome: Outcome) -> None:
    if outcome.text:
        print(outcome.text)
    if outcome.show is not None:
        outcome.show(console(session))
    for message in session.warnings:
        _line(session, "warning", message)
    if outcome.error is not None:
        _line(session, "error", say(outcome.error, session.lang))


def _line(session: Session, kind: str, message: Message) -> None:
    """A warning or an error on stderr: what and where, and below it what to do next."""
    print(f"{session.say(f'label.{kind}').text}{message.text}", file=sys.stderr)
    if message.hint:
        print(f"  {message.hint}", file=sys.stderr)
