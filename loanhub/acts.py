"""Acts: what may be asked of an institution, each written once.

An act names its request (an attrs class whose attributes are the parameters of the command, the form
and the JSON route alike), the permission it needs, and one pure function that decides:

    decide(books, request) -> Facts(answer, puts)

`books` is the truth at a moment; `puts` are the records to write. Only the desk writes. An act with no
puts is a read; a preview is an act whose puts are not written; an approval is a stored request run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

import attrs
import cattrs
import polars as pl
from attrs import frozen

from loanhub.entities import Entity
from loanhub.errors import Damaged
from loanhub.fields import Dictionary
from loanhub.policy import Permission, Principal, View
from loanhub.records import Columns, Order, Query, Test

if TYPE_CHECKING:
    from loanhub.audit import Line
    from loanhub.entities import Pending
    from loanhub.keys import Secret
    from loanhub.kinds import Channel, Rule
    from loanhub.signatures import Part

Request = TypeVar("Request")
Answer = TypeVar("Answer")
Kept = TypeVar("Kept", bound=Entity)

PARAM: Final = "loanhub.param"


@frozen
class Param:
    """How a request's attribute appears at the command line and in a form.

    `argument`: given by place, not by name. `many`: may be given several times. `flag`: takes no value.
    `private`: kept out of logs. Its help in both languages is the message `param.ACT.NAME`.
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


@frozen
class Offered:
    """What plugins registered, as far as acts may use it."""

    rules: Sequence[Rule] = ()
    channels: Mapping[str, Channel] = attrs.field(factory=dict)
    acts: Mapping[str, Act[Any, Any]] = attrs.field(factory=dict)


class Books:
    """The truth at a moment, as acts see it: implemented by the desk over one transaction."""

    today: date
    now: datetime
    who: Principal
    dictionary: Dictionary
    settings: Any

    def get(self, kind: type[Kept], key: int) -> Kept:
        """The record, opened. Raises NotFound("no-record")."""
        raise NotImplementedError

    def find(self, q: Query) -> Iterator[Entity]:
        """Matching records, narrowed to what the principal may see."""
        raise NotImplementedError

    def listed(
        self,
        kind: type[Kept],
        *where: Test,
        order: Order | None = None,
        limit: int | None = None,
        as_of: datetime | None = None,
    ) -> list[Kept]:
        """Records of a kind within the principal's scope, of now or of a past moment."""
        q = Query(kind.KIND, where, order=order or Order(), limit=limit, as_of=as_of)
        return list(cast("Iterator[Kept]", self.find(q)))

    def columns(self, q: Query) -> pl.DataFrame:
        """The same as a frame of stored values (sealed fields stay sealed)."""
        raise NotImplementedError

    @property
    def view(self) -> View:
        """What the principal may see and ask of: for answers that are made of values of fields."""
        return View(self.who, self.dictionary)

    def allot(self, kind: str, n: int = 1) -> int:
        """The first of `n` new ids; gaps may remain, an id is never given twice."""
        raise NotImplementedError

    def blind(self, path: str, values: list[str | None]) -> list[bytes | None]:
        """Blind indexes of values of a sealed field, to look them up by equality."""
        raise NotImplementedError

    def config(self, name: str) -> dict[str, Any]:
        """A settings file such as `rating.toml`: the home's over the shipped one."""
        raise NotImplementedError

    def lines(self, after: int = 0, limit: int | None = None) -> Iterator[Line]:
        """Lines of the audit log behind `after`."""
        raise NotImplementedError

    def landing(self, kind: str, among: Collection[int] | None = None) -> set[int]:
        """Ids of records of a kind that a batch not yet stored has made; of some it is told at once."""
        raise NotImplementedError

    @property
    def audit_key(self) -> tuple[str, Secret]:
        """The name under which this home signs its log, and the key it signs with."""
        raise NotImplementedError

    def signed(self, pending: Pending, part: Part) -> Pending:
        """The matter with the signature of whoever asks now, by the person's own key, if there is one."""
        raise NotImplementedError

    @property
    def home(self) -> str:
        """The id of the home; not secret."""
        raise NotImplementedError

    plugins: Offered


@frozen
class Facts(Generic[Answer]):
    """What an act decided: the answer, the records to put (entities or columns), and what to audit.

    `about` names the object of the audit line (`customer:12`), `reason` says why, `counts` how many of what,
    `outcome` how it ended (`failed` for a sign-in with a wrong password).
    """

    answer: Answer
    puts: tuple[Entity | Columns, ...] = ()
    about: str = ""
    reason: str = ""
    counts: Mapping[str, int] = attrs.field(factory=dict)
    outcome: str = "done"


@frozen
class Act(Generic[Request, Answer]):
    """One thing that may be asked. `name` is the command (`customer.add`) and the route.

    `writes`: False for a read, which gets a reading transaction. `checker`: needs a second person (from
    the first account on). `audited`: a read that leaves a line. `indexes`: whether the search keys of what
    it puts are kept up in the same transaction (a long load builds them afterwards). `confirms`: what it
    puts has been looked at by a person, so reviewed fields are written at once. `hidden`: no command of
    its own, a step of a job. `covers`: kinds that the act's own permission is enough to write.
    """

    name: str
    request: type[Request]
    needs: Permission
    decide: Callable[[Books, Request], Facts[Answer]]
    writes: bool = True
    checker: bool = False
    audited: bool = False
    indexes: bool = True
    confirms: bool = False
    hidden: bool = False
    covers: tuple[str, ...] = ()


def digest_of_request(act: str, kept: Mapping[str, Any]) -> str:
    """What binds a request that is kept for a second person: its act and every value, SHA-256 in hex."""
    text = json.dumps(kept, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(f"{act}\n{text}".encode()).hexdigest()


def request_of(act: Act[Request, Any], kept: Mapping[str, Any]) -> Request:
    """A request that was kept for a second person, again. Raises Damaged("approval-altered")."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    converter.register_structure_hook(date, lambda text, _: date.fromisoformat(text))
    converter.register_structure_hook(datetime, lambda text, _: datetime.fromisoformat(text))
    try:
        return converter.structure(dict(kept), act.request)
    except (cattrs.BaseValidationError, ValueError, TypeError):
        raise Damaged("approval-altered", id=0) from None


@frozen
class Asked:
    """The answer when a request waits for a second person: the id of the pending record."""

    pending: int
