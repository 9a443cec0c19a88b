"""Acts: what may be asked of an institution, each written once.

An act names its request (an attrs class whose attributes are the parameters of the command, the form
and the JSON route alike), the permission it needs, and one pure function that decides:

    decide(books, request) -> Facts(answer, puts)

`books` is the truth at a moment; `puts` are the records to write. Only the desk writes. An act with no
puts is a read; a preview is an act whose puts are not written; an approval is a stored request run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, Generic, TypeVar

import attrs
import polars as pl
from attrs import frozen

from loanhub.entities import Entity
from loanhub.fields import Dictionary
from loanhub.policy import Permission, Principal
from loanhub.records import Columns, Query

Request = TypeVar("Request")
Answer = TypeVar("Answer")
E_co = TypeVar("E_co", bound=Entity)

PARAM: Final = "loanhub.param"


@frozen
class Param:
    """How a request's attribute appears at the command line and in a form.

    `argument`: given by place, not by name. `many`: may be given several times. `shows`: a message code
    `param.NAME` holds its help in both languages.
    """

    argument: bool = False
    many: bool = False
    flag: bool = False
    choices: tuple[str, ...] = ()
    private: bool = False


def param(
    *,
    default: Any = attrs.NOTHING,
    argument: bool = False,
    many: bool = False,
    flag: bool = False,
    choices: tuple[str, ...] = (),
    private: bool = False,
) -> Any:
    """An attribute of a request."""
    return attrs.field(
        default=default,
        metadata={PARAM: Param(argument, many, flag, choices, private)},
        repr=not private,
    )


class Books:
    """The truth at a moment, as acts see it: implemented by the desk over one transaction."""

    today: date
    now: datetime
    who: Principal
    dictionary: Dictionary
    settings: Mapping[str, Any]

    def get(self, kind: type[E_co], key: int) -> E_co:
        """The record, opened. Raises NotFound("no-record")."""
        raise NotImplementedError

    def find(self, q: Query) -> Iterator[Entity]:
        """Matching records, narrowed to what the principal may see."""
        raise NotImplementedError

    def columns(self, q: Query) -> pl.DataFrame:
        """The same as a frame of stored values (sealed fields stay sealed)."""
        raise NotImplementedError

    def allot(self, kind: str, n: int = 1) -> int:
        """The first of `n` new ids; gaps may remain, an id is never given twice."""
        raise NotImplementedError

    def blind(self, path: str, values: list[str | None]) -> list[bytes | None]:
        """Blind indexes of values of a sealed field, to look them up by equality."""
        raise NotImplementedError


@frozen
class Facts(Generic[Answer]):
    """What an act decided: the answer, the records to put (entities or columns), and what to audit.

    `about` names the object of the audit line (`customer:12`), `reason` why; `removes` are whole
    records to take away; `keys` are search keys to add or remove, made by `loanhub.searching`.
    """

    answer: Answer
    puts: tuple[Entity | Columns, ...] = ()
    about: str = ""
    reason: str = ""
    counts: Mapping[str, int] = attrs.field(factory=dict)
    waits: bool = False
    """True when a part of what was asked became a pending change (exit 5 at the command line)."""


@frozen
class Act(Generic[Request, Answer]):
    """One thing that may be asked. `name` is the command (`customer.add`) and the route.

    `checker`: needs a second person (from the first account on). `audited`: reads that leave a line.
    `indexes`: whether the search keys of what it puts are kept up in the same transaction (a long
    load builds them afterwards).
    """

    name: str
    request: type[Request]
    needs: Permission
    decide: Callable[[Books, Request], Facts[Answer]]
    checker: bool = False
    audited: bool = False
    indexes: bool = True
    hidden: bool = False
    """Not a command of its own: a step of a job."""


@frozen
class Asked:
    """The answer when a request waits for a second person: the id of the pending record."""

    pending: int
