"""The rows of a file made ready to land: read, checked, identified, in the order their subjects need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from attrs import define, evolve, field

from loanhub.errors import Refused
from loanhub.services.intake import exported, identity
from loanhub.services.intake.cells import about
from loanhub.services.intake.check import Checked, check, problem
from loanhub.services.intake.crosschecks import Limits
from loanhub.services.intake.land import LAND, LAND_LATER, Chunk, Landed
from loanhub.services.intake.layout import Rows, Table, rows_of
from loanhub.services.intake.plans import SheetPlan
from loanhub.services.intake.said import OUTCOMES
from loanhub.services.intake.shelf import Shelf
from loanhub.services.intake.subjects import subjects_of

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.entities import Batch
    from loanhub.services.intake.job import Intake
    from loanhub.services.intake.steps import SoFar

ORDER: Final = ("customers", "loans", "collateral", "credit", "receipts", "followups")
"""Sheets land in this order, so that loans find their people and receipts their loans."""
FILLED: Final = frozenset({"text", "name", "choice", "address"})
"""Types whose merged cells are filled downwards; never an amount."""
PART: Final = 100_000
"""Rows of a large table checked at once."""
LASTING: Final = ("row", "#person", "#weak", "#both", "#loan_key")
"""Of what identifies a row, what landing asks for."""
MAY_REPEAT: Final = frozenset({"receipts", "followups"})


@define
class Sheet:
    """One sheet ready to land: its checked values on the shelf, and for each row of them a line of `keys`."""

    number: int
    table: Table
    plan: SheetPlan
    rows: Rows = field(repr=False)
    values: Shelf = field(repr=False)
    keys: pl.DataFrame = field(repr=False)
    problems: pl.DataFrame = field(repr=False)
    cleared: pl.DataFrame = field(repr=False)
    masked: pl.DataFrame = field(repr=False)
    claimed: Mapping[str, frozenset[int]] = field(factory=dict, repr=False)

    def slice(self, start: int, count: int) -> pl.DataFrame:
        """Rows with their values and their keys."""
        return self.values.slice(start, count).hstack(self.keys.slice(start, count).drop("row"))

    def decisions(self) -> dict[str, Any]:
        """What was decided about it, as kept with the batch and shown in the report."""
        left: dict[str, int] = {}
        for reason in self.rows.skipped.values():
            left[reason] = left.get(reason, 0) + 1
        notes = list(self.table.sheet.notes)
        if self.rows.filled:
            notes.append("merged-filled")
        if self.rows.hidden and "rows-hidden" not in notes:
            notes.append("rows-hidden")
        return {"plan": self.plan.as_json(), "left_out": left, "notes": notes}

    @property
    def first_subject(self) -> str:
        """The subject that names its rows."""
        return _first_subject(self.plan)


@define(slots=False)
class Prepared:
    """All sheets of a file in landing order, and what has landed so far."""

    sheets: list[Sheet]
    chunk: int
    people: dict[str, int] = field(factory=dict, repr=False)
    loans: dict[str, int] = field(factory=dict, repr=False)
    made: dict[str, set[int]] = field(factory=lambda: {"customer": set(), "loan": set()}, repr=False)
    counts: dict[str, int] = field(factory=dict)
    found: list[pl.DataFrame] = field(factory=list, repr=False)

    @property
    def kind(self) -> str:
        """customers, loans, receipts, credit, followups, collateral, or mixed."""
        kinds = {s.plan.subject for s in self.sheets}
        return kinds.pop() if len(kinds) == 1 else "mixed"

    @property
    def total(self) -> int:
        """Rows of data."""
        return sum(s.values.height for s in self.sheets)

    @property
    def problems(self) -> pl.DataFrame:
        """Problems of everything landed so far."""
        return pl.concat(self.found) if self.found else pl.DataFrame()

    @cached_property
    def again(self) -> frozenset[str]:
        """Keys of people and loans that stand in more than one row."""
        keys = [s.keys[name] for s in self.sheets for name in ("#person", "#loan_key")]
        whole = pl.concat([k.rename("key") for k in keys]).drop_nulls()
        return frozenset(whole.filter(whole.is_duplicated()).to_list())

    def _slices(self) -> Iterator[tuple[int, int, Sheet, int]]:
        number = 0
        for place, sheet in enumerate(self.sheets):
            for start in range(0, sheet.values.height, self.chunk):
                yield number, place, sheet, start
                number += 1

    def chunks(self, batch: Batch, start: int) -> Iterator[tuple[int, Chunk]]:
        """The chunks from number `start` on."""
        for number, place, sheet, at in self._slices():
            if number < start:
                continue
            values = sheet.slice(at, self.chunk)
            mine = pl.col("row").is_in(values["row"].implode())
            yield (
                number,
                Chunk(
                    batch=batch.id,
                    number=number,
                    sheet=place,
                    subject=sheet.plan.subject,
                    source=f"{batch.folder or 'ingest'}/{sheet.first_subject}",
                    values=values,
                    problems=sheet.problems.filter(mine),
                    cleared=sheet.cleared.filter(mine),
                    masked=sheet.masked.filter(mine),
                    claimed=sheet.claimed,
                    said=pl.DataFrame(schema={"key": pl.Int64}),
                    people=self.people,
                    loans=self.loans,
                    made=self.made,
                    headers={p: (c.column, c.header) for p, c in sheet.plan.fields.items()},
                ),
            )

    def keys_ahead(self, number: int, count: int) -> pl.Series:
        """Row keys of so many chunks from number `number` on, as numbers."""
        near = [(s, at) for n, _, s, at in self._slices() if number <= n < number + count]
        return pl.concat([s.keys["#hash"].slice(at, self.chunk) for s, at in near])

    def seen(self, number: int) -> int:
        """Rows landed when chunk `number` is done."""
        return sum(min(self.chunk, s.values.height - at) for n, _, s, at in self._slices() if n <= number)

    def land(self, desk: Desk, chunk: Chunk, *, later: bool, dry: bool) -> Landed:
        """Land one chunk."""
        return desk.do(LAND_LATER if later else LAND, chunk, preview=dry)

    def learn(self, landed: Landed) -> None:
        """Take over what a chunk made, for the chunks behind it that name it too."""
        again = self.again
        self.made["customer"].update(landed.people.values())
        self.made["loan"].update(landed.loans.values())
        for known, made in ((self.people, landed.people), (self.loans, landed.loans)):
            known.update((key, id_) for key, id_ in made.items() if key in again)
        self.found.append(landed.problems)
        warned = int((landed.problems["severity"] == "warning").sum())
        for name, n in [*landed.counts.items(), ("warnings", warned)]:
            self.counts[name] = self.counts.get(name, 0) + n

    def let_go(self) -> None:
        """All rows have landed: what told them from each other is not asked any more."""
        for sheet in self.sheets:
            sheet.keys = sheet.keys.clear()
            sheet.values.close()
        self.people.clear()
        self.loans.clear()
        self.made.clear()
        self.found.clear()

    def restore(self, landed: SoFar) -> None:
        """What chunks that landed before a kill had made, found again from what is kept of them."""
        for kind, ids in landed.made.items():
            self.made[kind].update(ids)
        for frame in landed.chunks:
            told = frame.filter(pl.col("outcome") != OUTCOMES["unchanged"])
            for place, sheet in enumerate(self.sheets):
                mine = told.filter(pl.col("sheet") == place)
                known = sheet.keys.select("row", "#person", "#loan_key")
                joined = mine.drop("#person", "#loan_key", strict=False).join(known, on="row")
                for key, id_, into in (
                    ("#person", "#customer", self.people),
                    ("#loan_key", "#loan", self.loans),
                ):
                    if id_ in joined.columns:
                        some = joined.filter(pl.col(key).is_not_null() & pl.col(id_).is_not_null())
                        into.update(dict(zip(some[key], some[id_], strict=True)))


def prepare(intake: Intake, tables: Sequence[tuple[tuple[int, Table], SheetPlan]], chunk: int) -> Prepared:
    """Read, check and identify the rows of every table, to land `chunk` rows at a time.

    Raises Refused("no-rows") when there are none.
    """
    sheets = []
    for place, ((number, table), plan) in enumerate(tables):
        checking = _Checking.of(intake, number, table, plan, f"values-{place}")
        for part in _parts(table, checking.fill):
            checking.take(part)
        sheets.append(checking.sheet())
    sheets = [s for s in sheets if s.values.height]
    if not sheets:
        raise Refused("no-rows")
    sheets.sort(key=lambda s: (ORDER.index(s.first_subject), s.number))
    return Prepared(sheets, chunk)


def _first_subject(plan: SheetPlan) -> str:
    return (subjects_of(plan.fields) or ["customers"])[0]


def _parts(table: Table, fill: Sequence[int]) -> Iterator[Table]:
    """A large table in parts of some blocks each; one with merged cells to be filled down stays whole."""
    sheet = table.sheet
    if any(left in fill and bottom > top for top, left, bottom, _ in sheet.merges):
        yield table
        return
    step = max(PART * len(sheet.blocks) // max(sheet.rows, 1), 1)
    for at in range(0, len(sheet.blocks), step):
        yield evolve(table, sheet=evolve(sheet, blocks=sheet.blocks[at : at + step]))


@define
class _Checking:
    """A table being read and checked, a part at a time, until its rows can be told from each other."""

    intake: Intake
    number: int
    table: Table
    plan: SheetPlan
    values: Shelf
    today: date
    limits: Limits
    rows: list[Rows] = field(factory=list, repr=False)
    checked: list[Checked] = field(factory=list, repr=False)
    marks: list[pl.DataFrame] = field(factory=list, repr=False)

    @classmethod
    def of(cls, intake: Intake, number: int, table: Table, plan: SheetPlan, name: str) -> _Checking:
        """A table with nothing of it read; its values lie in scratch under `name`."""
        house = intake.house
        today = house.clock.now().astimezone(house.zone).date()
        limits = Limits.of(house.settings.intake)
        return cls(intake, number, table, plan, Shelf(table.sheet.folder, name), today, limits)

    @property
    def fill(self) -> list[int]:
        """Columns whose merged cells are filled downwards."""
        words, columns = self.intake.words, self.plan.columns
        return [c.column for c in columns if c.field and about(words, c.field).type in FILLED]

    @property
    def subject(self) -> str:
        """The subject whose keys name the rows."""
        return self.plan.subject if self.plan.subject in identity.ROW_KEYS else _first_subject(self.plan)

    def take(self, part: Table) -> None:
        """Read and check a part: its values go on the shelf, what identifies its rows is kept."""
        plan, zone = self.plan, self.intake.house.zone
        columns = [c.column for c in plan.columns if c.field]
        rows = rows_of(part, [*columns, *(plan.record or ())], self.fill)
        checked = check(self.intake.words, plan, rows, self.today, zone, self.limits)
        values = exported.named(checked.values, rows.cells, plan.record)
        self.values.put(values)
        self.marks.append(identity.marks(values, self.subject))
        self.checked.append(evolve(checked, values=values.clear()))
        # The report needs of the raw cells only those that are not so in the sheet: the others are let go.
        kept = rows.cells.select("row", *(f"c{column}" for column in rows.filled))
        self.rows.append(evolve(rows, cells=kept))

    def sheet(self) -> Sheet:
        """The whole table, each row with its keys; rows that stand twice are problems or repeats."""
        keys = identity.identify(pl.concat(self.marks), self.subject, self.number)
        if _first_subject(self.plan) in MAY_REPEAT:
            keys = identity.numbered(keys)
        same, other = identity.repeated(keys, self.values.parts())
        other = other | exported.torn(keys, other)
        problems = [c.problems for c in self.checked]
        for mask, code, severity in (
            (same, "row-repeated", "warning"),
            (other, "row-contradicts", "error"),
        ):
            lines = keys.filter(mask).select("row", pl.lit(code).alias("code"))
            problems.append(problem(lines, None, "", severity))
        return Sheet(
            self.number,
            self.table,
            self.plan,
            self._rows(),
            self.values,
            keys.select(LASTING).hstack(
                [identity.hashed(keys["#key"]).alias("#hash"), same.alias("#repeat")]
            ),
            problems=pl.concat(problems),
            cleared=pl.concat([c.cleared for c in self.checked]),
            masked=pl.concat([c.masked for c in self.checked]),
            claimed=exported.claimed(keys),
        )

    def _rows(self) -> Rows:
        return Rows(
            pl.concat([r.cells for r in self.rows]),
            {row: reason for rows in self.rows for row, reason in rows.skipped.items()},
            self.rows[0].filled,
            sum(r.hidden for r in self.rows),
        )
