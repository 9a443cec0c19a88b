"""The rows of a file made ready to land: read, checked, identified, in the order their subjects need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from attrs import define, evolve, field

from loanhub.errors import Refused
from loanhub.records import PER_UNIT
from loanhub.services.intake import exported, identity
from loanhub.services.intake.cells import about
from loanhub.services.intake.check import Checked, check, problem
from loanhub.services.intake.crosschecks import Limits
from loanhub.services.intake.land import LAND, LAND_LATER, Chunk, Landed
from loanhub.services.intake.layout import Rows, Table, rows_of
from loanhub.services.intake.plans import SheetPlan
from loanhub.services.intake.said import OUTCOMES
from loanhub.services.intake.subjects import subjects_of

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.entities import Batch
    from loanhub.services.intake.job import Intake

ORDER: Final = ("customers", "loans", "collateral", "credit", "receipts", "followups")
"""Sheets land in this order, so that loans find their people and receipts their loans."""
FILLED: Final = frozenset({"text", "name", "choice", "address"})
"""Types whose merged cells are filled downwards; never an amount."""
MAY_REPEAT: Final = frozenset({"receipts", "followups"})


@define
class Sheet:
    """One sheet ready to land."""

    number: int
    table: Table
    plan: SheetPlan
    rows: Rows = field(repr=False)
    values: pl.DataFrame = field(repr=False)
    checked: Checked = field(repr=False)
    claimed: Mapping[str, frozenset[int]] = field(factory=dict, repr=False)

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
        return (subjects_of(self.plan.fields) or ["customers"])[0]


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
        keys = [s.values[name] for s in self.sheets for name in ("#person", "#loan_key")]
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
            values = sheet.values.slice(at, self.chunk)
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
                    problems=sheet.checked.problems.filter(mine),
                    cleared=sheet.checked.cleared.filter(mine),
                    masked=sheet.checked.masked.filter(mine),
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
        return pl.concat([s.values["#hash"].slice(at, self.chunk) for s, at in near])

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
        self.people.update({key: id_ for key, id_ in landed.people.items() if key in again})
        self.loans.update({key: id_ for key, id_ in landed.loans.items() if key in again})
        self.found.append(landed.problems)
        warned = int((landed.problems["severity"] == "warning").sum())
        for name, n in [*landed.counts.items(), ("warnings", warned)]:
            self.counts[name] = self.counts.get(name, 0) + n

    def restore(self, landed: Sequence[pl.DataFrame]) -> None:
        """What chunks that landed before a kill had made, found again from what is kept of them."""
        for frame in landed:
            made = frame.filter(pl.col("outcome") != OUTCOMES["unchanged"])
            for place, sheet in enumerate(self.sheets):
                mine = made.filter(pl.col("sheet") == place)
                known = sheet.values.select("row", "#person", "#loan_key")
                joined = mine.drop("#person", "#loan_key", strict=False).join(known, on="row")
                for key, kind, into in (
                    ("#person", "customer", self.people),
                    ("#loan_key", "loan", self.loans),
                ):
                    if (id_ := f"#{kind}") in joined.columns:
                        some = joined.filter(pl.col(key).is_not_null() & pl.col(id_).is_not_null())
                        into.update(dict(zip(some[key], some[id_], strict=True)))
                        self.made[kind].update(some[id_].to_list())


def prepare(intake: Intake, tables: Sequence[tuple[tuple[int, Table], SheetPlan]], chunk: int) -> Prepared:
    """Read, check and identify the rows of every table, to land `chunk` rows at a time.

    Raises Refused("no-rows") when there are none.
    """
    sheets = [_sheet(intake, number, table, plan) for (number, table), plan in tables]
    sheets = [s for s in sheets if s.values.height]
    if not sheets:
        raise Refused("no-rows")
    sheets.sort(key=lambda s: (ORDER.index(s.first_subject), s.number))
    return Prepared(sheets, chunk)


def _sheet(intake: Intake, number: int, table: Table, plan: SheetPlan) -> Sheet:
    house, words = intake.house, intake.words
    columns = [c.column for c in plan.columns if c.field]
    fill = [c.column for c in plan.columns if c.field and about(words, c.field).type in FILLED]
    rows = rows_of(table, [*columns, *(plan.record or ())], fill)
    today = house.clock.now().astimezone(house.zone).date()
    settings = house.settings.intake
    limits = Limits(settings.age_from, settings.age_to, int(Decimal(settings.rate_cap) * PER_UNIT))
    checked = check(words, plan, rows, today, house.zone, limits)
    stated = exported.named(checked.values, rows.cells, plan.record)
    values = identity.identify(stated, plan.subject, number)
    subject = (subjects_of(plan.fields) or ["customers"])[0]
    if subject in MAY_REPEAT:
        values = identity.numbered(values)
    same, other = identity.repeated(values)
    other = other | exported.torn(values, other)
    lines = [checked.problems]
    for mask, code, severity in ((same, "row-repeated", "warning"), (other, "row-contradicts", "error")):
        if mask.any():
            lines.append(
                problem(values.filter(mask).select("row", pl.lit(code).alias("code")), None, "", severity)
            )
    checked = evolve(checked, problems=pl.concat(lines))
    values = values.with_columns(same.alias("#repeat"), identity.hashed(values["#key"]).alias("#hash"))
    # The report needs of the raw cells only those that are not so in the sheet: the others are let go.
    rows = evolve(rows, cells=rows.cells.select("row", *(f"c{column}" for column in rows.filled)))
    return Sheet(number, table, plan, rows, values, checked, exported.claimed(values))
