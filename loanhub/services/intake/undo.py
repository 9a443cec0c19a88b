"""Take a batch back: what nobody has built upon goes, what it changed is as it was, the rest is listed.

A record counts as the batch's own while its present version was written by one of the batch's audit lines.
What only the system computed from it (ratings, reminders) goes with it; what a person or another batch
added or changed stays, and blocks.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import polars as pl
from attrs import define, evolve, field, frozen

from loanhub.acts import Act, Books, Facts, param
from loanhub.entities import KINDS, Batch, Entity
from loanhub.errors import Usage
from loanhub.records import Columns, Query, Test, moment
from loanhub.services.intake.said import OUTCOMES, statements, unpacked
from loanhub.services.intake.sight import batch_of

REFERS: Final[dict[str, dict[str, str]]] = {
    "customer": {
        "relation": "customer_id",
        "loan": "customer_id",
        "credit": "customer_id",
        "follow_up": "customer_id",
        "document": "customer_id",
        "customer": "merged_into",
    },
    "loan": {
        "instalment": "loan_id",
        "receipt": "loan_id",
        "collateral": "loan_id",
        "follow_up": "loan_id",
        "document": "loan_id",
        "relation": "loan_id",
    },
}
"""What may stand on a customer or a loan, and so keeps it."""
COMPUTED: Final[dict[str, dict[str, str]]] = {
    "customer": {"rating": "customer_id", "message": "customer_id"},
    "loan": {"message": "loan_id"},
}
ORDER: Final = ("relation", "instalment", "receipt", "collateral", "credit", "follow_up", "loan", "customer")
"""Children before what they stand on."""


@frozen
class Undo:
    """Take back a batch, with a reason for the log."""

    batch: int = param(argument=True)
    reason: str = param(default="")


@frozen
class Kept:
    """A row that stays: which record of it, and why (a message code `kept.REASON`)."""

    row: int
    kind: str
    id: int
    reason: str


@frozen
class Undone:
    """What an undo did."""

    batch: int
    removed: int
    restored: int
    kept: tuple[Kept, ...] = ()


@define
class Undoing:
    """One batch being taken back: what goes, what is put back as it was, what is kept and why."""

    books: Books
    batch: Batch
    lines: list[int]
    puts: list[Entity | Columns] = field(factory=list)
    gone: dict[str, set[int]] = field(factory=dict)
    kept: list[tuple[str, int, str]] = field(factory=list)
    restored: int = 0

    def kind(self, kind: str) -> None:
        """All records of one kind that are still as the batch left them."""
        mine = self.books.columns(Query(kind, (Test("line", "in", self.lines),)))
        made: list[tuple[dict[str, Any], Entity | None]] = []
        changed: list[tuple[dict[str, Any], Entity | None]] = []
        for row in mine.select("id", "version", "at").iter_rows(named=True):
            before = self._before(kind, row)
            (made if before is None else changed).append((row, before))
        blocked = self._blocked(kind, [row["id"] for row, _ in made])
        self.kept += [(kind, key, "built-upon") for key in sorted(blocked)]
        free = [row for row, _ in made if row["id"] not in blocked]
        self.gone[kind] = {row["id"] for row in free}
        self.take(kind, [(row["id"], row["version"]) for row in free])
        for row, before in changed:
            assert before is not None
            self.puts.append(evolve(before, version=row["version"]))
        self.restored += len(changed)
        self._computed(kind)

    def _before(self, kind: str, row: dict[str, Any]) -> Entity | None:
        """The record as it was before the batch first wrote it; None when the batch made it."""
        if row["version"] == 1:
            return None
        at = row["at"]
        while True:
            written = moment(at)
            assert written is not None
            q = Query(kind, (Test("id", "eq", row["id"]),), as_of=written - timedelta(microseconds=1))
            older = self.books.columns(q)
            if older.is_empty():
                return None
            if older["line"][0] not in self.lines:
                return next(iter(self.books.find(q)))
            at = older["at"][0]

    def _blocked(self, kind: str, ids: list[int]) -> set[int]:
        found: set[int] = set()
        for other, column in REFERS.get(kind, {}).items():
            if not ids:
                break
            held = self.books.columns(Query(other, (Test(column, "in", ids),))).select("id", column)
            gone = self.gone.get(other, set())
            found.update(o for i, o in held.iter_rows() if i not in gone)
        return found

    def take(self, kind: str, keys: list[tuple[int, int]]) -> None:
        """Records of a kind (id, version) to remove."""
        if keys:
            frame = pl.DataFrame(keys, schema={"id": pl.Int64, "version": pl.Int64}, orient="row")
            self.puts.append(Columns(kind, frame, gone=True))

    def _computed(self, kind: str) -> None:
        for other, column in COMPUTED.get(kind, {}).items():
            ids = sorted(self.gone[kind])
            if ids:
                rows = self.books.columns(Query(other, (Test(column, "in", ids),))).select("id", "version")
                rows = rows.filter(~pl.col("id").is_in(list(self.gone.get(other, set()))))
                self.gone.setdefault(other, set()).update(rows["id"].to_list())
                self.take(other, list(rows.iter_rows()))

    def changed_since(self, kind: str) -> None:
        """Records the batch wrote that somebody changed afterwards: they stay as they are."""
        if self.batch.finished is None:
            return
        then = Query(kind, (Test("line", "in", self.lines),), as_of=self.batch.finished)
        left = set(self.books.columns(then)["id"].to_list())
        now = Query(kind, (Test("line", "in", self.lines),))
        still = set(self.books.columns(now)["id"].to_list())
        self.kept += [(kind, key, "changed-since") for key in sorted(left - still)]


def undo(books: Books, request: Undo) -> Facts[Undone]:
    """Take a stored batch back in one transaction. Raises Usage("batch-not-stored")."""
    batch = batch_of(books, request.batch)
    if batch.status != "stored":
        raise Usage("batch-not-stored", batch=batch.id, status=batch.status)
    own = books.columns(Query("statement", (Test("batch_id", "eq", batch.id),)))
    work = Undoing(books, batch, own["line"].to_list())
    for kind in ORDER:
        work.changed_since(kind)
        work.kind(kind)
    wishes = books.columns(Query("pending", (Test("line", "in", work.lines), Test("state", "eq", "waiting"))))
    work.take("pending", list(wishes.select("id", "version").iter_rows()))
    kept = _rows(books, batch, work.kept)
    removed = sum(len(work.gone.get(kind, ())) for kind in ORDER)
    listed = [[k.row, k.kind, k.id, k.reason] for k in kept]
    ended = evolve(batch, status="undone", decisions={**batch.decisions, "kept": listed})
    answer = Undone(batch.id, removed, work.restored, kept)
    counts = {"removed": removed, "restored": work.restored, "kept": len(kept)}
    return Facts(answer, (*work.puts, ended), about=f"batch:{batch.id}", reason=request.reason, counts=counts)


def _rows(books: Books, batch: Batch, kept: list[tuple[str, int, str]]) -> tuple[Kept, ...]:
    """Kept records by the row of the file that they came from (0 when no row names them)."""
    if not kept:
        return ()
    rows: dict[tuple[str, int], int] = {}
    for statement in statements(books, batch.id):
        frame = unpacked(statement.said).filter(pl.col("outcome") != OUTCOMES["unchanged"])
        for kind in KINDS:
            if f"#{kind}" in frame.columns:
                for row, key in frame.select("row", f"#{kind}").drop_nulls().iter_rows():
                    rows.setdefault((kind, key), row)
    found = [Kept(rows.get((kind, key), 0), kind, key, reason) for kind, key, reason in kept]
    return tuple(sorted(found, key=lambda k: (k.row, k.kind, k.id)))


UNDO: Final = Act("batches.undo", Undo, "batch.undo", undo, confirms=True)
