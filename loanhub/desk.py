"""One person at one institution: acts decide, and only the desk writes.

`Desk.do`: allow, open a transaction, decide, review (a change of a reviewed field becomes pending, facts of
a live loan change by events only), put with history, keep the search keys, append the audit line, commit,
tell the listeners, mask the answer. Written once, for every act (`committing` holds the writing).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import asdict, define, evolve, field, frozen

from loanhub import audit
from loanhub.acts import Act, Asked, Facts, digest_of_request
from loanhub.books import DeskBooks
from loanhub.committing import Commit
from loanhub.entities import Pending
from loanhub.entities import Sequence as IdSequence
from loanhub.errors import NotAllowed
from loanhub.kinds import WriteTx
from loanhub.policy import Principal, View
from loanhub.records import Columns, Query, Record, Test

if TYPE_CHECKING:
    from loanhub.institution import Institution

Request = TypeVar("Request")
Answer = TypeVar("Answer")


@frozen
class Repeated:
    """The answer to an idempotency key seen before: the audit line of the first time."""

    line: int


@define(eq=False)
class Desk:
    """Where one principal asks acts of one institution."""

    house: Institution = field(repr=False)
    who: Principal
    postponed: list[Columns] = field(factory=list, repr=False)
    """New records whose search keys acts with `indexes=False` left to be put afterwards."""

    def do(
        self, act: Act[Request, Answer], request: Request, *, preview: bool = False, key: str | None = None
    ) -> Answer:
        """Ask. `preview` decides and writes nothing. `key` makes it happen once.

        An answer with an attribute `waiting` gets the ids of changes that wait for confirmation. May
        answer `Asked` (a second person is needed) or `Repeated` (the key was seen before) instead.
        Raises NotAllowed (logged as a denial), what the act raises, Busy or Stale from the store.
        """
        view = View(self.who, self.house.dictionary)
        self._allow(view, act)
        if not act.writes:
            return self._read(view, act, request)
        with self.house.store.writing() as tx:
            books = DeskBooks.over(self.house, tx, self.who)
            if key is not None and (line := _seen(tx, key)):
                return Repeated(line)  # type: ignore[return-value]
            commit = Commit(self, tx, books, act)
            if act.checker and self.house.has_accounts and not preview:
                return self._ask(commit, request)  # type: ignore[return-value]
            facts = act.decide(books, request)
            if not preview:
                commit.write(facts, key=key)
        if not preview:
            self._tell()
        answer: Any = facts.answer
        if commit.pending:
            answer = evolve(answer, waiting=tuple(commit.pending))
        return self._shown(view, act, answer)

    def do_many(self, act: Act[Request, Answer], requests: Sequence[Request]) -> list[Answer]:
        """Up to 100 requests in one transaction: all or none. Raises ValueError for more."""
        if len(requests) > 100:
            raise ValueError("at most 100 requests in one transaction")
        with self.house.store.writing():
            return [self.do(act, request) for request in requests]

    # -- steps ---------------------------------------------------------------------------------------

    def _allow(self, view: View, act: Act[Any, Any]) -> None:
        try:
            view.allow(act.needs)
        except NotAllowed:
            with self.house.store.writing() as tx:
                entry = audit.Entry(self.house.clock.now(), self.who, act.name, outcome="denied")
                tx.append(lambda head: [audit.link(head, entry)])
            self._tell()
            raise

    def _read(self, view: View, act: Act[Request, Answer], request: Request) -> Answer:
        if act.audited:
            with self.house.store.writing() as tx:
                books = DeskBooks.over(self.house, tx, self.who)
                facts = act.decide(books, request)
                entry = Commit(self, tx, books, act).entry(facts)
                tx.append(lambda head: [audit.link(head, entry)])
            self._tell()
        else:
            with self.house.store.reading() as read:
                facts = act.decide(DeskBooks.over(self.house, read, self.who), request)
        return self._shown(view, act, facts.answer)

    def _shown(self, view: View, act: Act[Any, Answer], answer: Any) -> Answer:
        """The answer as the principal may see it; the steps of a job are not shown to anybody."""
        shown: Answer = answer if act.hidden else view.mask(answer)
        return shown

    def _ask(self, commit: Commit, request: Any) -> Asked:
        """Keep the request for a second person, bound to its hash. What would be refused is refused now."""
        commit.act.decide(commit.books, request)
        kept = json.loads(json.dumps(asdict(request), ensure_ascii=False, default=str))
        wish = Pending(
            id=commit.books.allot(Pending.KIND),
            act=commit.act.name,
            request=kept,
            digest=digest_of_request(commit.act.name, kept),
            maker=self.who.name,
            asked=commit.books.now,
        )
        wish = commit.books.signed(wish, "maker")
        commit.write(Facts(None, (wish,), about=f"pending:{wish.id}", outcome="asked"))
        return Asked(wish.id)

    def _tell(self) -> None:
        """Tell listeners of lines they have not heard."""
        if self.house.plugins.listens:
            self.house.tell()


def _seen(tx: WriteTx, key: str) -> int:
    q = Query(IdSequence.KIND, (Test("name", "eq", f"done:{key}"),))
    found: Record | None = next(iter(tx.find(q)), None)
    return 0 if found is None else int(found["next"])
