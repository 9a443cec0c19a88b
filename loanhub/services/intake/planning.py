"""The tables of a file and how each is read: found, decided, found again after a kill, remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from loanhub.errors import Misconfigured, Refused
from loanhub.readings.choices import choice_key
from loanhub.services.intake import mapfile, steps
from loanhub.services.intake.layout import Table
from loanhub.services.intake.mapping import decide, fingerprint, names_of
from loanhub.services.intake.plans import SheetPlan
from loanhub.services.intake.tables import Names, find_tables

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.services.intake.mapfile import MapFile
    from loanhub.services.intake.spool import Contents, Spooled
    from loanhub.words import Words

Planned = tuple[tuple[int, Table], SheetPlan]
"""A table with its number in the file, and its plan."""

PLACES: Final = 1_000
"""What each further table of a sheet adds to the sheet's number, so that all numbers stay apart."""

FOUND: Final = frozenset({"values", "fuzzy"})
"""Ways in which values decide; next month's sheet may be too short to say it again."""


def plan_file(
    words: Words, desk: Desk, contents: Contents, told: MapFile, *, every: bool = False
) -> list[Planned]:
    """The tables of a file with their plans; with `every` also those of which no column is known.

    Raises Refused when there are none, Misconfigured("mapping-unknown-column") when the mapping file gives a
    field to a header that none of them has.
    """
    found: list[Planned] = []
    for number, sheet in enumerate(contents.sheets):
        own = told.of(sheet.name)
        if sheet.hidden or own.get("skip"):
            continue
        for table in tables_of(sheet, words, own):
            mine = told.of(sheet.name, table.place)
            if mine.get("skip"):
                continue
            memory = desk.do(steps.RECALL, steps.Recall(fingerprint(table)))
            plan = decide(table, words, memory, mine)
            if plan.fields or mine.get("columns") or every:
                found.append(((number + PLACES * (table.place - 1), table), plan))
    if not found:
        raise Refused("no-rows" if not any(s.rows for s in contents.sheets) else "no-usable-columns")
    _all_there(told, [plan for _, plan in found])
    return found


def tables_of(sheet: Spooled, words: Words, own: Mapping[str, Any]) -> list[Table]:
    """The tables of a sheet, as its mapping (may be empty) helps to find them."""
    names = names_of(words, *own.get("tables", {}).values(), own)
    return find_tables(sheet, names, own.get("header_row"), one=own.get("one_table", False))


def _all_there(told: MapFile, plans: Sequence[SheetPlan]) -> None:
    there = {choice_key(column.key) for plan in plans for column in plan.columns}
    for header in told.mapped({plan.sheet for plan in plans}):
        if choice_key(header) not in there:
            raise Misconfigured("mapping-unknown-column", file=told.at(header), header=header)


def plan_again(words: Words, contents: Contents, kept: Sequence[SheetPlan]) -> list[Planned]:
    """The tables a batch began with: what was remembered or set since then must not part its rows."""
    found: list[Planned] = []
    for number, sheet in enumerate(contents.sheets):
        mine = [plan for plan in kept if plan.sheet == sheet.name]
        again = {table.place: table for table in _again(sheet, words, mine)}
        for plan in mine:
            table = again.get(plan.place)
            if table is None or _where(table) != _where(plan):
                table = _rebuilt(sheet, plan)
            found.append(((number + PLACES * (plan.place - 1), table), plan))
    return found


def _again(sheet: Spooled, words: Words, plans: Sequence[SheetPlan]) -> list[Table]:
    if not plans:
        return []
    names: Names = names_of(words, *(mapfile.kept(plan) for plan in plans))
    return find_tables(sheet, names)


def _where(found: Table | SheetPlan) -> tuple[int, int, int | None]:
    return found.header_row, found.first, found.last


def _rebuilt(sheet: Spooled, plan: SheetPlan) -> Table:
    """The table as its plan has it, where it is not found by itself any more."""
    headers = {column.column: column.header for column in plan.columns}
    return Table(sheet, headers, plan.header_row, plan.first, last=plan.last, place=plan.place)


def remember(desk: Desk, plans: Sequence[SheetPlan]) -> None:
    """Keep what a person decided, and what values did, for the next file of the same layout."""
    for plan in plans:
        ways = {column.how for column in plan.columns}
        if "file" in ways:
            mapping = mapfile.kept(plan)
        elif ways & FOUND and "remembered" not in ways:
            told = tuple(column for column in plan.columns if column.how in FOUND | {"recalled"})
            mapping = mapfile.kept(evolve(plan, columns=told), how="recalled")
        else:
            continue
        headers = tuple({column.column: column.header for column in plan.columns}.values())
        desk.do(steps.REMEMBER, steps.Remember(plan.fingerprint, headers, mapping))
