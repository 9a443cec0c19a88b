"""What the house itself keeps: batches and what they said, wishes that wait, ratings, messages, counters."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, ClassVar

import attrs
from attrs import frozen

from loanhub.entities.base import Entity
from loanhub.fields import SENSITIVE, FieldType, field

T = FieldType


@frozen(kw_only=True)
class Batch(Entity):
    """One ingested file. `sha256` names it; a row of data counts once (DESIGN.md section 6)."""

    KIND: ClassVar[str] = "batch"

    sha256: str = field(T.TEXT, imported=False, default="")
    name: str = field(T.TEXT, imported=False, default="")
    folder: str = field(T.TEXT, imported=False, default="")
    """Name of the drop folder it came through; empty for `ingest FILE`."""
    owner: str = field(T.TEXT, imported=False, default="")
    status: str = field(T.TEXT, imported=False, default="claimed")
    """claimed, landing, stored, refused, needs-mapping or undone."""
    content: str = field(T.TEXT, imported=False, default="")
    """`kind` of the plan's JSON: customers, loans, receipts, credit, followups, collateral, mixed."""
    rows: int = field(T.INTEGER, imported=False, default=0)
    stored: int = field(T.INTEGER, imported=False, default=0)
    changed: int = field(T.INTEGER, imported=False, default=0)
    unchanged: int = field(T.INTEGER, imported=False, default=0)
    conflicts: int = field(T.INTEGER, imported=False, default=0)
    rejected: int = field(T.INTEGER, imported=False, default=0)
    waiting: int = field(T.INTEGER, imported=False, default=0)
    """Changes of reviewed fields that this file asked for and that wait for confirmation."""
    warnings: int = field(T.INTEGER, imported=False, default=0)
    chunks: int = field(T.INTEGER, imported=False, default=0)
    indexed: int = field(T.INTEGER, imported=False, default=0)
    """Chunks whose search keys are built."""
    decisions: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))
    """The mapping of every sheet as decided, and notes of the reader."""
    refusal: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))
    """Code and facts when refused whole."""
    report: str = field(T.TEXT, imported=False, default="")
    received: datetime | None = field(T.TIME, imported=False)
    finished: datetime | None = field(T.TIME, imported=False)


@frozen(kw_only=True)
class Statement(Entity):
    """What one file said, a chunk of rows as columns (Arrow IPC, compressed): values by field, row
    numbers, outcomes and the records they became; and the problems found in them.
    """

    KIND: ClassVar[str] = "statement"

    batch_id: int = field(T.REF, refers="batch", imported=False, default=0)
    chunk: int = field(T.INTEGER, imported=False, default=0)
    source: str = field(T.TEXT, imported=False, default="")
    """Drop folder and header layout: the same sheet, revised, has the same source."""
    said: bytes = field(T.BYTES, imported=False, default=b"")
    problems: bytes = field(T.BYTES, imported=False, default=b"")


@frozen(kw_only=True)
class Layout(Entity):
    """A mapping remembered for a header layout."""

    KIND: ClassVar[str] = "layout"

    fingerprint: str = field(T.TEXT, imported=False, default="")
    headers: list[str] = field(T.JSON, imported=False, default=attrs.Factory(list))
    mapping: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))
    decided_by: str = field(T.TEXT, imported=False, default="")


@frozen(kw_only=True)
class Pending(Entity):
    """A change that waits for a person: which field of which record, from what to what, who asked."""

    KIND: ClassVar[str] = "pending"

    act: str = field(T.TEXT, imported=False, default="")
    about_kind: str = field(T.TEXT, imported=False, default="")
    about_id: int = field(T.INTEGER, imported=False, default=0)
    request: dict[str, Any] = field(T.JSON, privacy=SENSITIVE, imported=False, default=attrs.Factory(dict))
    digest: str = field(T.TEXT, imported=False, default="")
    maker: str = field(T.TEXT, imported=False, default="")
    asked: datetime | None = field(T.TIME, imported=False)
    batch_id: int | None = field(T.REF, refers="batch", imported=False)
    state: str = field(T.TEXT, imported=False, default="waiting")
    """waiting, approved or rejected."""
    decided_by: str | None = field(T.TEXT, imported=False)
    decided: datetime | None = field(T.TIME, imported=False)
    reason: str | None = field(T.TEXT, imported=False)
    maker_signature: bytes = field(T.BYTES, imported=False, default=b"")
    """By the own key of whoever asked (see `loanhub.signatures`); empty where there are no accounts."""
    checker_signature: bytes = field(T.BYTES, imported=False, default=b"")


@frozen(kw_only=True)
class Rating(Entity):
    """An assessment of a customer with its reasons, kept for ever; `inputs` is the snapshot it rests on."""

    KIND: ClassVar[str] = "rating"

    customer_id: int = field(T.REF, refers="customer", imported=False, default=0)
    as_of: date | None = field(T.DATE, imported=False)
    grade: str = field(T.TEXT, privacy=SENSITIVE, imported=False, default="")
    status: str = field(T.TEXT, imported=False, default="")
    """graded, refer (a person must look) or declined."""
    outcomes: list[Any] = field(T.JSON, privacy=SENSITIVE, imported=False, default=attrs.Factory(list))
    inputs: dict[str, Any] = field(T.JSON, privacy=SENSITIVE, imported=False, default=attrs.Factory(dict))
    digest: str = field(T.TEXT, imported=False, default="")


@frozen(kw_only=True)
class Message(Entity):
    """A reminder: ids and a template only; phone and words are filled in when it is sent."""

    KIND: ClassVar[str] = "message"

    dedup: str = field(T.TEXT, imported=False, default="")
    customer_id: int = field(T.REF, refers="customer", imported=False, default=0)
    loan_id: int | None = field(T.REF, refers="loan", imported=False)
    template: str = field(T.TEXT, imported=False, default="")
    channel: str = field(T.TEXT, imported=False, default="")
    due_date: date | None = field(T.DATE, imported=False)
    planned_for: date | None = field(T.DATE, imported=False)
    state: str = field(T.TEXT, imported=False, default="pending")
    """pending, sent, cancelled, held, failed, or review: sent perhaps, by a home that was lost."""
    why: str = field(T.TEXT, imported=False, default="")
    facts: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))
    lease_until: datetime | None = field(T.TIME, imported=False)
    receipt: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))


@frozen(kw_only=True)
class Sequence(Entity):
    """The next id of each kind."""

    KIND: ClassVar[str] = "sequence"

    name: str = field(T.TEXT, imported=False, default="")
    next: int = field(T.INTEGER, imported=False, default=1)
