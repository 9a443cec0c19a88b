"""One Protocol per kind of thing that may be plugged in; what a plugin must promise stands here.

A kind is registered by the hook in its plural (`formats()`, `rules()`, ...) and checked by the suite of
its name in `loanhub.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import attrs
import polars as pl
from attrs import frozen

from loanhub.records import Columns, Diff, Query, Record
from loanhub.schema import Schema
from loanhub.sheets import Claim, Sheet


class Clock(Protocol):
    """Where time comes from; only the desk asks it."""

    def now(self) -> datetime:
        """This moment, with time zone."""


@runtime_checkable
class Format(Protocol):
    """Reads one family of files. Called in a limited child process, without keys and network."""

    name: str

    def claims(self, path: Path) -> Claim | None:
        """Whether this is one of mine, judged by content alone; exactly one format may claim a file."""

    def sheets(self, path: Path) -> Iterator[Sheet]:
        """The sheets in order. Raises Refused with a plain reason for what cannot or may not be read."""


@runtime_checkable
class LockedFormat(Format, Protocol):
    """A format that can also read files behind a password."""

    def sheets_behind(self, path: Path, password: str | None) -> Iterator[Sheet]:
        """As `sheets`, with the password for a file that needs one. What it uncovers stays in memory."""


@frozen
class Outcome:
    """What one rule says of one customer. `cap` and `grade` are grades of the institution's scale.

    `status`: pass, cap (never better than `grade`), grade (this grade), refer (a person must look) or
    decline. `reason` is a reason code (R01 ... R22 of DOMAIN.md section 5, or one's own).
    """

    status: str
    grade: str | None = None
    reason: str | None = None
    score: int | None = None

    @classmethod
    def cap(cls, grade: str, *, reason: str) -> Outcome:
        """Never better than `grade`."""
        return cls("cap", grade, reason)

    @classmethod
    def of(cls, grade: str, *, score: int | None = None, reason: str | None = None) -> Outcome:
        """Exactly this grade, unless another rule says worse."""
        return cls("grade", grade, reason, score)

    @classmethod
    def refer(cls, *, reason: str) -> Outcome:
        """A person must look."""
        return cls("refer", None, reason)

    @classmethod
    def decline(cls, *, reason: str) -> Outcome:
        """Grade D."""
        return cls("decline", "D", reason)


@frozen
class RuleMeta:
    """Who a rule is: `features` are all it may see."""

    id: str
    version: str
    features: tuple[str, ...]
    says: str = ""
    """One sentence for people, the first line of the rule's docstring."""


@runtime_checkable
class Rule(Protocol):
    """Assesses customers. Pure: no clock, no database, no network."""

    @property
    def meta(self) -> RuleMeta:
        """Who it is, and the features it may see."""

    def assess(self, rows: pl.DataFrame) -> Sequence[Outcome | None]:
        """One outcome (None: nothing to say) for each row; columns are the declared features."""


@frozen
class Letter:
    """A message as a channel gets it: an id that stays the same on every try, and words for a person."""

    id: str
    to: Mapping[str, str] = attrs.field(repr=False)
    """name, mobile, email, address: what the channel declared it needs."""
    subject: str = attrs.field(repr=False, default="")
    text: str = attrs.field(repr=False, default="")
    lang: str = "zh"


@frozen
class Delivery:
    """What a channel answers: `state` is sent or failed; `reference` names it at the provider."""

    state: str
    reference: str = ""
    reason: str = ""


@runtime_checkable
class Channel(Protocol):
    """Carries messages to people. `send` with an id it has seen must not deliver twice."""

    @property
    def name(self) -> str:
        """How a timetable calls it."""

    @property
    def needs(self) -> tuple[str, ...]:
        """What it must know of a person: name, mobile, email, address."""

    def send(self, letter: Letter, *, home: Path, settings: Mapping[str, Any]) -> Delivery:
        """Deliver one message."""


@frozen
class Head:
    """The end of a log: the sequence number and hash of its last line (0 and 32 zero bytes when empty)."""

    seq: int
    hash: bytes


@frozen
class Line:
    """One line of the audit log, linked to the one before."""

    seq: int
    at: datetime
    who: str
    role: str
    via: str
    act: str
    object: str
    fields: tuple[str, ...]
    reason: str
    outcome: str
    counts: Mapping[str, int]
    previous: bytes
    hash: bytes


class ReadTx(Protocol):
    """One consistent view of a store."""

    def get(self, kind: str, key: int) -> Record | None:
        """The record by id as of this view."""

    def find(self, q: Query) -> Iterator[Record]:
        """Matching records in order."""

    def columns(self, q: Query) -> pl.DataFrame:
        """The same as a frame; also reads tables that are not kept, such as search keys."""

    def lines(self, after: int = 0, limit: int | None = None) -> Iterator[Line]:
        """Audit lines behind sequence number `after`, in order."""


class WriteTx(ReadTx, Protocol):
    """The one writer: all or nothing."""

    def put(self, rows: Columns, *, at: datetime, line: int) -> Diff:
        """New, changed or removed rows, versions checked (raises Stale), old ones kept in history."""

    def append(self, make: Callable[[Head], Sequence[Line]]) -> Head:
        """Add audit lines made from the present head."""

    def lease(self, kind: str, n: int, *, now: datetime, until: datetime) -> list[Record]:
        """Take up to n records of `kind` whose state is pending and whose lease is free or over."""


@runtime_checkable
class Store(Protocol):
    """Keeps records. Opened by the institution with its key; own errors only (Busy, Stale, Damaged)."""

    def migrate(self, schema: Schema) -> None:
        """Bring the tables up to `schema`; a newer home raises Misconfigured("home-too-new")."""

    def reading(self, as_of: datetime | None = None) -> AbstractContextManager[ReadTx]:
        """A consistent view, of now or of a past moment."""

    def writing(self) -> AbstractContextManager[WriteTx]:
        """The one writer; waits for another, then raises Busy. Nests by savepoint."""

    def problems(self) -> list[str]:
        """Faults found by the store's own integrity check (empty when whole)."""

    def close(self) -> None:
        """Let go of files."""


@frozen
class StoreKind:
    """How a storage backend is opened: `open(home, key)` with 32 secret bytes."""

    name: str
    open: Callable[[Path, bytes], Store]


@runtime_checkable
class Backup(Protocol):
    """What a backup agent answers when asked."""

    name: str

    def status(self, home: Path) -> Mapping[str, Any]:
        """Age of the last backup, verify and drill."""


@frozen
class Fault:
    """Something wrong in a home, found by an invariant: a message code and its facts."""

    code: str
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    day: date | None = None
