"""An act as a command: its request from the call, asked at the desk, its answer for programs and people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from attrs import frozen

from loanhub.acts import Act, Asked
from loanhub.cli.names import spoken_name
from loanhub.cli.outcome import DONE, NOTHING_FOUND, WAITING, Outcome
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.errors import NotFound

R = TypeVar("R")


@frozen
class Command(Generic[R]):
    """One command: its name, its request (an attrs class as acts have), and what it does.

    `answer` is the class or annotation of what `data` is made of; `says` describes it when no words do.
    """

    name: str
    request: type[R]
    run: Callable[[Session, R], Outcome]
    answer: Any = None
    says: str = ""


def command_of(act: Act[Any, Any]) -> Command[Any]:
    """The command of an act."""
    says = (act.decide.__doc__ or "").strip().partition("\n")[0]
    return Command(act.name, act.request, lambda session, request: ask(session, act.name, request), act, says)


def ask(session: Session, name: str, request: Any) -> Outcome:
    """Ask the act of that name in this home. Raises NotFound("command-off") when the home has it not."""
    act = session.house.plugins.acts.get(name)
    if act is None:
        raise NotFound("command-off", name=spoken_name(name))
    answer = session.desk.do(act, request)
    return outcome(session, name, answer)


def outcome(session: Session, name: str, answer: Any) -> Outcome:
    """The outcome of an act's answer: 4 when it looked and found nothing, 5 when a person must decide."""
    from loanhub.cli.showing import shower

    pending = waiting(answer)
    if pending:
        session.warn("change-waits", pending=", ".join(map(str, pending)))
    for noted in getattr(answer, "warnings", ()):
        label = session.words.label(noted.field, session.lang)
        session.warn(noted.code, **{"field": label, "header": label, **noted.facts})
    data = {"waiting": list(pending)} if isinstance(answer, Asked) else named(name, answer)
    return Outcome(data, shower(session, answer), _status(answer, pending))


def waiting(answer: Any) -> tuple[int, ...]:
    """Ids of what waits for a person before it happens."""
    if isinstance(answer, Asked):
        return (answer.pending,)
    found = getattr(answer, "waiting", ())
    return found if isinstance(found, tuple) else ()


def _status(answer: Any, pending: tuple[int, ...]) -> int:
    if pending:
        return WAITING
    return NOTHING_FOUND if len(getattr(answer, "results", (None,))) == 0 else DONE


def named(name: str, answer: Any) -> Mapping[str, Any]:
    """The answer as an object for programs; a list stands under the name of what it lists."""
    found = plain(answer)
    if isinstance(found, dict):
        return found
    if isinstance(found, list):
        return {list_name(name): found}
    return {} if found is None else {"value": found}


def list_name(name: str) -> str:
    """The key of a list: `loan.list` gives `loans`."""
    first = name.partition(".")[0]
    return first if first.endswith("s") else f"{first}s"
