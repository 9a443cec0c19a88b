"""The books over one transaction: what an act sees of the truth, opened and narrowed to its principal."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, cast

import polars as pl
from attrs import define, evolve, field

from loanhub.acts import Books, Kept, Offered
from loanhub.audit import Line
from loanhub.entities import Batch, Entity, Pending, Statement
from loanhub.entities import Sequence as IdSequence
from loanhub.errors import NotFound
from loanhub.fields import Dictionary
from loanhub.keys import Secret, sign
from loanhub.kinds import ReadTx
from loanhub.policy import Principal, View
from loanhub.records import Query, Record, Test, opened, to_entity
from loanhub.settings import Settings, config
from loanhub.signatures import Part, signed_text

if TYPE_CHECKING:
    from loanhub.institution import Institution


@define
class DeskBooks(Books):
    """The books over one transaction; `sequences` are the id counters it has moved on."""

    who: Principal
    now: datetime
    today: date
    dictionary: Dictionary = field(repr=False)
    settings: Settings
    plugins: Offered = field(repr=False)
    _house: Institution = field(repr=False)
    _tx: ReadTx = field(repr=False)
    _view: View
    sequences: dict[str, IdSequence] = field(factory=dict)

    @classmethod
    def over(cls, house: Institution, tx: ReadTx, who: Principal) -> DeskBooks:
        """The books of a house over a transaction, for a principal, at this moment."""
        now = house.clock.now()
        offered = Offered(house.plugins.rules, house.plugins.channels, house.plugins.acts)
        today, view = now.astimezone(house.zone).date(), View(who, house.dictionary)
        return cls(who, now, today, house.dictionary, house.settings, offered, house, tx, view)

    def get(self, kind: type[Kept], key: int) -> Kept:
        """The record, opened. Raises NotFound("no-record"), also for one out of the principal's scope."""
        for entity in self.find(Query(kind.KIND, (Test("id", "eq", key),))):
            return cast("Kept", entity)
        raise NotFound("no-record", kind=kind.KIND, id=key)

    def find(self, q: Query) -> Iterator[Entity]:
        """Matching records, narrowed to what the principal may see."""
        for record in self._tx.find(self._view.narrow(q)):
            yield to_entity(q.kind, opened(q.kind, record, self._house.field_keys))

    def columns(self, q: Query) -> pl.DataFrame:
        """The same as a frame of stored values (sealed fields stay sealed)."""
        return self._tx.columns(self._view.narrow(q))

    def config(self, name: str) -> dict[str, Any]:
        """A settings file such as `rating.toml`: the home's over the shipped one."""
        return config(self._house.home, name)

    def lines(self, after: int = 0, limit: int | None = None) -> Iterator[Line]:
        """Lines of the audit log."""
        return self._tx.lines(after, limit)

    @property
    def audit_key(self) -> tuple[str, Secret]:
        """The name under which this home signs its log, and the key it signs with: that of the first epoch,
        so that notes stay checkable by one key.
        """
        keyring = self._house.keyring
        return f"loanhub-{keyring.home}", Secret(keyring.purpose("audit", 1).reveal())

    @property
    def home(self) -> str:
        """The id of the home."""
        return self._house.keyring.home

    def signed(self, pending: Pending, part: Part) -> Pending:
        """The matter with the signature of whoever works here; as it is where nobody has a key."""
        person = self._house.signed_in
        if person is None or person.signing_key is None or person.principal.session != self.who.session:
            return pending
        signature = sign(person.signing_key, signed_text(self.home, pending, part))
        if part == "maker":
            return evolve(pending, maker_signature=signature)
        return evolve(pending, checker_signature=signature)

    def allot(self, kind: str, n: int = 1) -> int:
        """The first of `n` new ids."""
        known = self.sequences.get(kind)
        if known is None:
            q = Query("sequence", (Test("name", "eq", kind),))
            found = next(iter(self._tx.find(q)), None)
            known = IdSequence(name=kind) if found is None else _sequence(found)
        self.sequences[kind] = evolve(known, next=known.next + n)
        return known.next

    def blind(self, path: str, values: list[str | None]) -> list[bytes | None]:
        """Blind indexes of values of a sealed field."""
        return self._house.field_keys.blind(self._house.dictionary[path], values)

    def open_column(self, path: str, ids: list[int], sealed: list[bytes | None]) -> list[str | None]:
        """Values of a sealed column in plain."""
        return self._house.field_keys.open(self._house.dictionary[path], ids, sealed)

    def landing(self, kind: str, among: Collection[int] | None = None) -> set[int]:
        """Ids of records of a kind that a batch not yet stored has made; of some it is told at once, by
        the lines that wrote them.
        """
        found: set[int] = set()
        batches = list(self._tx.find(Query(Batch.KIND, (Test("status", "eq", "landing"),))))
        if among is not None and batches:
            of_batches = (Test("batch_id", "in", [batch["id"] for batch in batches]),)
            lines = self._tx.columns(Query(Statement.KIND, of_batches, fields=("line",)))["line"]
            written = (Test("id", "in", list(among)), Test("line", "in", lines.to_list()))
            return set(self._tx.columns(Query(kind, written, fields=("id",)))["id"])
        for batch in batches:
            q = Query("statement", (Test("batch_id", "eq", batch["id"]),))
            for statement in self._tx.find(q):
                said = pl.read_ipc(statement["said"])
                if f"#{kind}" in said.columns:
                    found.update(said[f"#{kind}"].drop_nulls().to_list())
        return found


def _sequence(record: Record) -> IdSequence:
    return IdSequence(id=record["id"], version=record["version"], name=record["name"], next=record["next"])
