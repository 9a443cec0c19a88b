"""One run from its arguments to its exit status; whatever happens, it ends in one envelope."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import click
from attrs import define, field

from loanhub.cli.faults import usage_of
from loanhub.cli.outcome import Outcome, emit
from loanhub.cli.session import Session, Wishes
from loanhub.errors import Interrupted, LoanHubError
from loanhub.system import ready_console


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status (plan: 0 to 10, and 130 when interrupted)."""
    ready_console()
    wishes, rest = Wishes.of(sys.argv[1:] if argv is None else argv)
    session = Session.of(wishes)
    ending = _Ending(session)
    with ending:
        session.check()
        ending.outcome = _call(session, rest)
    return emit(session, ending.outcome)


def _call(session: Session, rest: list[str]) -> Outcome:
    from loanhub.cli.tree import Root

    came: Any = Root().main(list(rest), prog_name="loanhub", standalone_mode=False, obj=session)
    if isinstance(came, Outcome):
        return came
    return Outcome({"help": session.help}, text=session.help.rstrip("\n"))


@define
class _Ending:
    """The end of a run, reached whatever was raised: an error becomes an outcome, never a traceback.

    A traceback may quote data, so it is shown only to who asks for it by LOANHUB_DEBUG=1.
    """

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
        self.session.close()
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
        # Its own words may name a file by a customer's name; the kind of trouble is enough.
        return LoanHubError("system-error", reason=error.strerror or type(error).__name__)
    return LoanHubError("internal-error", kind=type(error).__name__)
