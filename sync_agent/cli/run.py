"""One run from its arguments to its exit status; whatever happens, it ends in one envelope."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final

import click
from attrs import define, field

from loanhub import Interrupted, LoanHubError, ready_console, usage_of
from sync_agent.cli.outcome import Outcome, emit
from sync_agent.cli.session import Session, Wishes

PROGRAM: Final = "loanhub-sync"


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status (docs/sync.md)."""
    ready_console()
    wishes, rest = Wishes.of(sys.argv[1:] if argv is None else argv)
    ending = _Ending(Session.of(wishes))
    with ending:
        ending.session.check()
        ending.outcome = _call(ending.session, rest)
    return emit(ending.session, ending.outcome)


def _call(session: Session, rest: list[str]) -> Outcome:
    from sync_agent.cli.tree import Branch

    came: Any = Branch().main(list(rest), prog_name=PROGRAM, standalone_mode=False, obj=session)
    if isinstance(came, Outcome):
        return came
    return Outcome({"help": session.help}, text=session.help.rstrip("\n"))


@define
class _Ending:
    """The end of a run, reached whatever was raised: an error becomes an outcome, never a traceback."""

    session: Session
    outcome: Outcome = field(factory=Outcome)

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if isinstance(error, SystemExit | GeneratorExit):
            return False
        if error is not None:
            self.outcome = Outcome(error=_told(error))
            if os.environ.get("LOANHUB_DEBUG") == "1":
                traceback.print_exception(kind, error, trace, file=sys.stderr)
        return True


def _told(error: BaseException) -> LoanHubError:
    """What was raised as an error with words."""
    if isinstance(error, LoanHubError):
        return error
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Interrupted("stopped")
    if isinstance(error, click.ClickException):
        return usage_of(error)
    if isinstance(error, OSError):
        return LoanHubError("system-error", reason=error.strerror or type(error).__name__)
    return LoanHubError("internal-error", kind=type(error).__name__)
