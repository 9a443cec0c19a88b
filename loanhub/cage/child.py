"""Inside the cage: give up what is not needed, run one function, say what came of it.

Started by `loanhub.cage.run`, imports little so that it starts quickly.
"""

from __future__ import annotations

import os
import pickle
import sys
from importlib import import_module
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, BinaryIO, Final, NoReturn

from loanhub import errors, system
from loanhub.cage import frames
from loanhub.cage.frames import Kind

OUT_OF_MEMORY: Final = 77
_LONGEST_FACT: Final = 500
_pipes: Final[list[BinaryIO]] = []  # the one to the keeper, once we are in a cage


def report(progress: Any) -> None:
    """Tell the keeper how far the function is (any JSON value); outside a cage it does nothing."""
    for pipe in _pipes:
        frames.write(pipe, Kind.PROGRESS, progress)


def main(parent: int) -> NoReturn:
    """Read the task from stdin, run it, answer on the stdout we were started with, end."""
    reply = os.fdopen(os.dup(1), "wb")
    _pipes.append(reply)
    system.forbid_network()
    tethered = system.die_with_parent(parent)
    function, arguments, limits = pickle.load(sys.stdin.buffer)  # noqa: S301 - it comes from us
    system.limit_self(limits)
    if tethered:
        _shut(0)
    else:
        Thread(target=_watch_parent, daemon=True).start()
    _shut(1)
    try:
        _run(reply, function, arguments)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    os._exit(0)  # no farewell: what the function wrote is closed, and threads of libraries may hang


def _run(reply: BinaryIO, function: str, arguments: tuple[Any, ...]) -> None:
    try:
        module, _, name = function.partition(":")
        result = getattr(import_module(module), name)(*arguments)
        frames.write(reply, Kind.RESULT, result)
    except MemoryError:
        raise
    except errors.LoanHubError as error:
        frames.write(reply, Kind.ERROR, _described(error))
    except BaseException as error:  # whatever it is, the keeper must hear of it
        where = _where(error.__traceback__)
        frames.write(reply, Kind.FAILURE, {"reason": type(error).__name__, "where": where})


def _described(error: errors.LoanHubError) -> dict[str, Any]:
    known = next(kind for kind in type(error).__mro__ if vars(errors).get(kind.__name__) is kind)
    facts = {name: _plain(value) for name, value in error.facts.items()}
    return {"kind": known.__name__, "code": error.code, "facts": facts}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)[:_LONGEST_FACT]


def _where(trace: TracebackType | None) -> str:
    """File and line of the innermost frame: enough to find the fault, without the values that caused it."""
    where = "?"
    while trace is not None:
        where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return where


def _shut(number: int) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, number)
    os.close(nothing)


def _watch_parent() -> None:
    sys.stdin.buffer.read()  # ends when the keeper does
    os._exit(1)
