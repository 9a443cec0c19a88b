"""Changes that wait for a person: list, show, approve, reject.

A waiting change is applied as it was asked for, or not at all: its digest must fit, and the record must
still say what it said when the change was asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final, cast

from attrs import evolve, field, fields, frozen

from loanhub.acts import PARAM, Books, Facts, digest_of_request, param, request_of
from loanhub.entities import KINDS, Customer, Entity, Pending
from loanhub.errors import Damaged, LoanHubError, NotAllowed, NotFound, Stale, Usage
from loanhub.fields import fields_of
from loanhub.records import Order, Query, Test, to_entity, to_record
from loanhub.values import Change, changes_in, refuse_taken

STATES: Final = ("waiting", "approved", "rejected")
CHANGE: Final = "change"
"""The act of a pending change of reviewed fields; any other name is an act that a second person must run."""


@frozen
class ListApprovals:
    """List what waits for a person (or was decided), the newest first."""

    state: str = param(default="waiting", choices=STATES)
    limit: int = param(default=50)


@frozen
class ShowApproval:
    """Show one waiting change: what it is now, what it should be, who asked."""

    id: int = param(argument=True)


@frozen
class Approve:
    """Confirm a waiting change: it is written now."""

    id: int = param(argument=True)


@frozen
class Reject:
    """Turn a waiting change down; the reason is kept."""

    id: int = param(argument=True)
    reason: str = param(default="")


@frozen
class Approval:
    """One matter: which record, which fields, who asked and when, and what was decided.

    `wanted` is what an act that waits was asked with, by the names of its parameters.
    """

    id: int
    act: str
    state: str
    kind: str
    record: int
    title: str
    changes: tuple[Change, ...]
    maker: str
    asked: datetime | None
    batch: int | None = None
    decided_by: str | None = None
    reason: str | None = None
    wanted: Mapping[str, Any] = field(factory=dict)


@frozen
class Approvals:
    """Matters of one state; `more` when the limit cut some off."""

    approvals: tuple[Approval, ...]
    more: bool = False


@frozen
class Decided:
    """A matter was decided; the record it was about, at its new version when it was changed."""

    id: int
    state: str
    kind: str
    record: int


def list_approvals(books: Books, request: ListApprovals) -> Facts[Approvals]:
    """What waits, or what was decided."""
    most = max(request.limit, 1)
    where = (Test("state", "eq", request.state),)
    q = Query(Pending.KIND, where, order=Order("id", down=True))
    found = list(islice(_visible(books, q), most + 1))
    return Facts(Approvals(tuple(_shown(books, one) for one in found[:most]), len(found) > most))


def show_approval(books: Books, request: ShowApproval) -> Facts[Approval]:
    """One matter. Raises NotFound("approval-unknown")."""
    pending = _pending(books, request.id)
    return Facts(_shown(books, pending), about=f"pending:{pending.id}")


def approve(books: Books, request: Approve) -> Facts[Decided]:
    """The change, written.

    Raises Usage("approval-decided", "customer-merged", "customer-exists"), Damaged("approval-altered"),
    Stale("record-changed-since"), NotAllowed("approval-own"), NotFound("command-off"), and what the act
    raises that was asked for.
    """
    pending = _open(books, request.id)
    _hold_apart(books, pending)
    if _digest(pending) != pending.digest:
        raise Damaged("approval-altered", id=pending.id)
    if pending.act != CHANGE:
        return _run(books, pending)
    record = _record(books, pending)
    if record is None or not _as_it_was(books, pending, record):
        raise Stale("record-changed-since", kind=pending.about_kind, id=pending.about_id, pending=pending.id)
    changed = to_entity(pending.about_kind, {**to_record(record), **pending.request})
    if isinstance(changed, Customer):
        if changed.merged_into is not None:
            raise Usage("customer-merged", id=changed.id, into=changed.merged_into)
        refuse_taken(books, changed)
    decided = _approved(books, pending)
    return _decided(decided, (changed, decided))


def _run(books: Books, pending: Pending) -> Facts[Decided]:
    """What was asked for, done now as it was asked for."""
    act = books.plugins.acts.get(pending.act)
    if act is None or not act.checker:
        raise NotFound("command-off", name=pending.act.replace(".", " "))
    facts = act.decide(books, request_of(act, pending.request))
    decided = _approved(books, pending)
    about = f"pending:{pending.id} {facts.about}".strip()
    answer = Decided(pending.id, decided.state, pending.about_kind, pending.about_id)
    return Facts(answer, (*facts.puts, decided), about=about, reason=facts.reason, counts=facts.counts)


def reject(books: Books, request: Reject) -> Facts[Decided]:
    """The change, turned down. Raises Usage("reason-needed", "approval-decided"), NotFound."""
    if not request.reason.strip():
        raise Usage("reason-needed")
    pending = _open(books, request.id)
    reason = request.reason.strip()
    decided = evolve(pending, state="rejected", decided_by=books.who.name, decided=books.now, reason=reason)
    decided = books.signed(decided, "checker")
    return _decided(decided, (decided,), reason)


def _approved(books: Books, pending: Pending) -> Pending:
    decided = evolve(pending, state="approved", decided_by=books.who.name, decided=books.now)
    return books.signed(decided, "checker")


def _decided(pending: Pending, puts: tuple[Entity, ...], reason: str = "") -> Facts[Decided]:
    answer = Decided(pending.id, pending.state, pending.about_kind, pending.about_id)
    about = f"pending:{pending.id} {pending.about_kind}:{pending.about_id}"
    return Facts(answer, puts, about=about, reason=reason)


def _hold_apart(books: Books, pending: Pending) -> None:
    """Nobody confirms what he asked for himself.

    While a home has no account there is only the host operator, for whom confirming is a second step, taken
    on purpose; from the first account on everybody has another role.
    """
    if pending.maker == books.who.name and books.who.role != "host-operator":
        raise NotAllowed("approval-own", id=pending.id)


def _pending(books: Books, key: int) -> Pending:
    for pending in _visible(books, Query(Pending.KIND, (Test("id", "eq", key),))):
        return pending
    raise NotFound("approval-unknown", id=key)


def _visible(books: Books, q: Query) -> Iterator[Pending]:
    """Matters about records within the principal's rows, and those that it asked for itself."""
    for pending in cast("Iterable[Pending]", books.find(q)):
        if books.who.scope.everything or pending.maker == books.who.name or _in_sight(books, pending):
            yield pending


def _in_sight(books: Books, pending: Pending) -> bool:
    """Whether the record is, or all that an act would be run on: an act tells by deciding."""
    if pending.act == CHANGE:
        return _record(books, pending) is not None
    act = books.plugins.acts.get(pending.act)
    if act is None or _digest(pending) != pending.digest:
        return act is not None  # one that was altered is told as such, to whoever tries to run it
    try:
        act.decide(books, request_of(act, pending.request))
    except (NotFound, NotAllowed):
        return False
    except LoanHubError:
        return True
    return True


def _open(books: Books, key: int) -> Pending:
    pending = _pending(books, key)
    if pending.state != "waiting":
        raise Usage("approval-decided", id=key, state=pending.state)
    return pending


def _digest(pending: Pending) -> str:
    """As `loanhub.review`, or the desk, made it when this was asked for."""
    if pending.act != CHANGE:
        return digest_of_request(pending.act, pending.request)
    said = [pending.about_kind, pending.about_id, pending.request]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


def _record(books: Books, pending: Pending, as_of: datetime | None = None) -> Entity | None:
    if pending.about_kind not in KINDS:
        return None
    where = (Test("id", "eq", pending.about_id),)
    return next(iter(books.find(Query(pending.about_kind, where, as_of=as_of))), None)


def _as_it_was(books: Books, pending: Pending, record: Entity) -> bool:
    """Whether the fields still have the values they had the moment the change was asked for."""
    known = fields_of(type(record))
    before = _record(books, pending, as_of=pending.asked)
    return (
        before is not None
        and set(pending.request) <= set(known)
        and all(getattr(before, name) == getattr(record, name) for name in pending.request)
    )


def _shown(books: Books, pending: Pending) -> Approval:
    record = _record(books, pending)
    changes = changes_in(pending, record) if record is not None and pending.act == CHANGE else ()
    return Approval(
        pending.id,
        pending.act,
        pending.state,
        pending.about_kind,
        pending.about_id,
        _title(books, record),
        changes,
        pending.maker,
        pending.asked,
        pending.batch_id,
        pending.decided_by,
        pending.reason,
        _wanted(books, pending),
    )


def _wanted(books: Books, pending: Pending) -> Mapping[str, Any]:
    """What the act was asked with: all but what stays out of logs."""
    act = books.plugins.acts.get(pending.act)
    if act is None:
        return {}
    told = {a.name: a.metadata[PARAM] for a in fields(act.request) if PARAM in a.metadata}
    return {
        name: value
        for name, value in pending.request.items()
        if name in told and not told[name].private and value not in (None, "", [])
    }


def _title(books: Books, record: Entity | None) -> str:
    """What the record is called, as far as that may be seen."""
    for name in ("name", "loan_no"):
        if record is not None and (value := getattr(record, name, None)):
            return str(books.view.shown(f"{record.KIND}.{name}", value))
    return ""
