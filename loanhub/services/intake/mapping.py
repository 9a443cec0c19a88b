"""Which column is which field: by a mapping file, by memory, by its header; `settling` has what a header
leaves open. Asked once where nothing decides. Never guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import polars as pl
from attrs import evolve

from loanhub.readings.choices import choice_key
from loanhub.readings.headers import header_hints
from loanhub.services.intake import cells as cells_
from loanhub.services.intake.evidence import look, read
from loanhub.services.intake.layout import LETTERED, OWN_COLUMNS, Table, record_columns
from loanhub.services.intake.likeness import spellings
from loanhub.services.intake.plans import ColumnPlan, Question, SheetPlan
from loanhub.services.intake.settling import ambiguous_key, contradicted, settle
from loanhub.services.intake.subjects import subject_of
from loanhub.services.intake.tables import Names
from loanhub.words import Words

DECORATIONS: Final = (
    "客户",
    "借款人",
    "贷款",
    "借款",
    "本人",
    "本次",
    "borrower",
    "customer",
    "client",
    "loan",
)
"""Words before a header that change nothing: 客户学历 is 学历."""

SAMPLE: Final = 20_000


def names_of(words: Words, *documents: Mapping[str, Any]) -> Names:
    """What headers mean here: by the words of the home, and by mappings (file or memory)."""
    said = _said(*documents)

    @cache
    def means(header: str) -> str:
        if (given := said.get(choice_key(header))) is not None:
            return next(iter(_paths(given)), "")
        found = None if ambiguous_key(words, header) else alias(words, header)
        return found[0] if found else ""

    @cache
    def told(header: str) -> bool:
        return known(words, header) or (bool(said) and choice_key(header) in said)

    return Names(told, means)


def _said(*documents: Mapping[str, Any]) -> dict[str, Any]:
    """What mappings say of headers, by comparison key; later ones go first."""
    return {choice_key(h): v for document in documents for h, v in document.get("columns", {}).items()}


def _paths(given: Any) -> tuple[str, ...]:
    """The fields of a column of a mapping: one, several, or none."""
    told = given if isinstance(given, str | list) else given.get("field", "")
    return tuple(told) if isinstance(told, list) else (told,) if told else ()


def fingerprint(table: Table) -> str:
    """The layout a mapping is remembered for: the headers in order, our own columns left out.

    Columns called by their letters say nothing of a layout. Where there is no header at all, the first row of
    data stands for it: nothing else tells one such sheet from another, so each is asked about anew.
    """
    if table.header_row == 0:
        first = _sample(table).select(f"c{i}" for i in table.headers).head(1)
        keys = [f"{h} {cell}" for h, cell in zip(table.headers.values(), *first.rows(), strict=True)]
    else:
        headers = table.headers.values()
        keys = [choice_key(h) for h in headers if h not in OWN_COLUMNS and not LETTERED.match(h)]
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]


def _sample(table: Table) -> pl.DataFrame:
    """The first rows of a table; of a large sheet no more is read."""
    sheet, columns = table.sheet, list(table.headers)
    found = sheet.cells(columns, first=0)
    for block in sheet.blocks:
        if found.height >= SAMPLE:
            break
        found.vstack(evolve(sheet, blocks=(block,)).cells(columns).filter(table.inside), in_place=True)
    return found.head(SAMPLE)


def decide(table: Table, words: Words, memory: Mapping[str, Any], file: Mapping[str, Any]) -> SheetPlan:
    """The plan of a table; `memory` and `file` are mappings in the form of a mapping file (see docs)."""
    headers = {i: h for i, h in table.headers.items() if h.strip() not in OWN_COLUMNS}
    said = _said(memory, file)
    source = "file" if file.get("columns") else "remembered"
    bare = [ColumnPlan(i, h, nth=nth) for i, h, nth in _numbered(headers)]
    columns = [plan for column in bare for plan in _by_name(words, table, column, said, source)]
    cells = _sample(table)
    columns, questions = settle(words, columns, cells)
    columns, doubles = _doubles(columns, cells)
    columns, units = _units(words, columns, cells)
    columns = [_seen(words, plan, cells) for plan in columns]
    questions += doubles + units
    if (record := record_columns(table.headers)) is None:  # what we wrote ourselves is what it says
        questions += contradicted(words, columns, cells, {q.column for q in questions})
    subject = subject_of(c.field for c in columns)
    if subject is None:
        questions.append(Question(-1, "", "no-subject", ()))
    return SheetPlan(
        sheet=table.sheet.name,
        header_row=table.header_row,
        first=table.first,
        subject=subject or "",
        columns=tuple(columns),
        fingerprint=fingerprint(table),
        checks={**memory.get("checks", {}), **file.get("checks", {})},
        questions=tuple(questions),
        record=record,
        place=table.place,
        last=table.last,
    )


def _numbered(headers: Mapping[int, str]) -> Iterator[tuple[int, str, int]]:
    """Columns and headers, with which of that name each is."""
    seen: dict[str, int] = {}
    for column, header in headers.items():
        key = choice_key(header)
        seen[key] = seen.get(key, 0) + 1
        yield column, header, seen[key]


def _by_name(
    words: Words, table: Table, plan: ColumnPlan, said: Mapping[str, Any], source: str
) -> list[ColumnPlan]:
    """What the names alone say: a mapping first, then the aliases. Twice where a column fills two fields."""
    header = plan.header
    if (given := said.get(choice_key(plan.key))) is not None:
        options = {} if isinstance(given, str | list) else {k: v for k, v in given.items() if v is not None}
        plan = evolve(plan, **{"how": source, **options, "field": ""})
        return [evolve(plan, field=path) for path in _paths(given)] or [plan]
    group = table.combined.get(plan.column)
    if group and (found := alias(words, group)):
        return [evolve(plan, field=found[0], how="group")]
    if ambiguous_key(words, header):
        return [plan]
    path, how = alias(words, header) or ("", "unknown")
    return [evolve(plan, field=path, how=how)]


def known(words: Words, header: str) -> bool:
    """Whether a header names a field, for certain or perhaps."""
    return alias(words, header) is not None or ambiguous_key(words, header) is not None


def alias(words: Words, header: str) -> tuple[str, str] | None:
    """The field a header names for certain, and how: alias, or decorated."""
    keys = spellings(header)
    for key in keys:
        if path := words.aliases.get(key):
            return path, "alias"
    for word in DECORATIONS:
        for key in keys:
            rest = key.removeprefix(word)
            if rest != key and (path := words.aliases.get(rest)):
                return path, "decorated"
    return None


def _seen(words: Words, plan: ColumnPlan, cells: pl.DataFrame) -> ColumnPlan:
    """The plan with what its values say: of the field it is read as, else of what they look like."""
    if plan.evidence is not None:
        return plan
    found = read(words, plan, cells) if plan.field else look(plan, cells)
    return evolve(plan, evidence=found)


def _doubles(columns: list[ColumnPlan], cells: pl.DataFrame) -> tuple[list[ColumnPlan], list[Question]]:
    """Two columns for one field: the same values are read once, others are asked."""
    questions: list[Question] = []
    first: dict[str, ColumnPlan] = {}
    for place, plan in enumerate(columns):
        if not plan.field:
            continue
        other = first.setdefault(plan.field, plan)
        if other is plan:
            continue
        if (cells[f"c{other.column}"].eq_missing(cells[f"c{plan.column}"])).all():
            columns[place] = evolve(plan, field="", how="repeated")
        else:
            questions.append(Question(plan.column, plan.header, "two-alike", (plan.field,)))
    return columns, questions


def _units(
    words: Words, columns: list[ColumnPlan], cells: pl.DataFrame
) -> tuple[list[ColumnPlan], list[Question]]:
    """Units of each column: from a mapping, from the header, from all its values; else a question."""
    questions: list[Question] = []
    for place, plan in enumerate(columns):
        if not plan.field:
            continue
        hints = header_hints(plan.header)
        decided = evolve(
            plan,
            period=plan.period or _period(plan.field) or hints.period,
            unit=plan.unit or cells_.unit_of(words, plan.field, hints),
            day_base=hints.day_base or plan.day_base,
        )
        decided, question = cells_.meaning(words, decided, cells)
        columns[place] = decided
        if question:
            questions.append(Question(plan.column, plan.header, *question))
    return columns, questions


def _period(path: str) -> str | None:
    return {"loan.monthly_rate": "month", "loan.daily_rate": "day"}.get(path)
