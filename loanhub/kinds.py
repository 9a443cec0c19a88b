"""One Protocol per kind of thing that may be plugged in; what a plugin must promise stands here.

A kind is registered by the hook in its plural (`formats()`, `rules()`, ...) and checked by the suite of
its name in `loanhub.testing`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import attrs
from attrs import frozen

from loanhub.audit import Head, Line

if TYPE_CHECKING:  # who only backs up waits for none of these
    import polars as pl

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


VAULT_MARKER: Final = "vault-id"
"""The name of the object whose first line is the vault's id; a vault puts it first and never removes it.
By it a folder is known again: a disk that is not plugged in is not taken for an empty one.
"""


@frozen
class Stored:
    """One stored object; `modified` by the remote's own clock, None where it has none."""

    name: str
    size: int
    modified: datetime | None = None


@frozen
class Capabilities:
    """What a remote was found able to do, by trying, with the credentials it was opened with.

    Without `conditional_put` (it ignores conditions and overwrites) only one writer may be at work.
    `versioning` and `object_lock`: older bytes are kept by the storage itself. `can_delete` and
    `can_overwrite`: whether whoever holds these credentials could destroy what is stored. `notes` are
    codes of messages for people: what to know of this place.
    """

    conditional_put: bool
    versioning: bool
    object_lock: bool
    can_delete: bool
    can_overwrite: bool
    notes: tuple[str, ...] = attrs.field(default=(), eq=False)


@runtime_checkable
class Remote(Protocol):
    """Keeps bytes by name. Any thread may call; a call over a network of its own is bounded in time.

    Names are made of [a-z0-9_-] and dots, in parts between slashes (`remote_name` refuses others); no
    name is the beginning of another's parts ("a" beside "a/b"). `probe` is the remote's own. Raises
    NotFound for an absent object, NotAllowed for refused credentials, Misconfigured for a wrong address
    or clock, Busy where trying again later can help (no network, disk not plugged in or full). No
    error, repr or log line holds a secret.
    """

    @property
    def name(self) -> str:
        """What it is called before people, without secrets."""

    @property
    def capabilities(self) -> Capabilities | None:
        """What the last `probe` found; None before it."""

    def put_new(self, name: str, data: bytes) -> bool:
        """Store `data`, whole and durable, unless there is something of that name: it is never overwritten.

        True: this call stored it. False: something was there already. When it raises, it may have been
        stored all the same (the acknowledgement was lost): who must know asks `size` or `get`.
        Without `conditional_put`, two callers at the same moment may both be told True.
        """

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """The bytes from `start`, `length` of them or all; fewer where the object ends. Raises NotFound."""

    def size(self, name: str) -> int | None:
        """Bytes of an object, None when it is absent. True at once after a put, without any listing."""

    def list(self, prefix: str) -> Iterator[Stored]:
        """All objects whose names begin with `prefix`, in no order; may lag behind puts and deletes."""

    def delete(self, name: str) -> None:
        """Remove an object; none of that name is fine. Raises NotAllowed when these credentials may not."""

    def probe(self) -> Capabilities:
        """Find out by trying what it can do; once after opening, before the first `put_new`."""


@runtime_checkable
class Holding(Protocol):
    """What a remote may have besides, as its attribute `holding`: objects nobody can delete before a time.

    The storage keeps what was deleted or overwritten in versions; a hold keeps a version from being deleted,
    whoever asks. What it tells is what the storage was asked for again, never what it was told to do.
    """

    @property
    def period(self) -> timedelta:
        """For how long new objects are held from the moment they are put; zero: holds are not wanted."""

    def held_until(self, name: str) -> datetime | None:
        """Until when an object cannot be deleted; None: not held. Raises NotFound."""

    def hold(self, name: str, until: datetime) -> datetime:
        """Hold an object until then at least; until when it is held now. Never shortens.

        Raises NotFound, NotAllowed where these credentials may not, Misconfigured where the storage does
        not do as it says.
        """

    def is_hidden(self, name: str) -> bool:
        """Whether an absent object was deleted in such a way that the storage has it still."""


def holding_of(remote: Remote) -> Holding | None:
    """What holds the objects of a remote, if anything can."""
    found = getattr(remote, "holding", None)
    return found if isinstance(found, Holding) else None


@frozen
class RemoteKind:
    """How remotes of one scheme are opened: `open(address, settings)`.

    An address is `SCHEME://...`; a path without one is a folder, of scheme `file`. Credentials are never
    part of it: they come from the environment, a file or `settings`. Unknown settings are refused.
    Raises Misconfigured for an address or settings that cannot be meant.
    """

    scheme: str
    open: Callable[[str, Mapping[str, Any]], Remote]

    @property
    def name(self) -> str:
        """The scheme: two plugins may not claim one."""
        return self.scheme


@runtime_checkable
class Backup(Protocol):
    """What a backup agent answers when asked."""

    name: str

    def status(self, home: Path) -> Mapping[str, Any]:
        """Age of the last backup, verify and drill."""

    def agent(self, home: Path) -> Sequence[str]:
        """Python's arguments that back this home up until told to stop; none where nobody set that up.

        `loanhub up` keeps such a process running. It gets the environment of `up` and, where a person typed
        the passphrase, that too, in LOANHUB_PASSPHRASE.
        """


@frozen
class Fault:
    """Something wrong in a home, found by an invariant: a message code and its facts."""

    code: str
    facts: Mapping[str, Any] = attrs.field(factory=dict)
    day: date | None = None
