"""Which column is which field: by alias, by memory, by a mapping file; settled by the sheet's other columns
or by its values where a header is ambiguous; asked once where neither decides. Never guessed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl
from attrs import evolve

from loanhub.readings.choices import choice_key
from loanhub.readings.headers import header_hints
from loanhub.services.intake import cells as cells_
from loanhub.services.intake.layout import OWN_COLUMNS, Table, record_columns
from loanhub.services.intake.plans import ColumnPlan, Question, SheetPlan
from loanhub.services.intake.subjects import PRIMARY, WITHIN, subject_of
from loanhub.words import Words

UNIT_BRACKETS: Final = re.compile(
    r"[（(\[【][^（()）]{0,12}(元|%|％|‰|月|期|天|年|日|必填|选填|yuan|cny|rmb|months?|years?)[^（()）]{0,6}[)）\]】]\s*$",
    re.IGNORECASE,
)
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

CONFIRMED: Final = frozenset(map(choice_key, ("负债率",)))
"""Headers that no neighbour and no value can settle: debt to income, or debt to assets."""

SAMPLE: Final = 20_000


def known(words: Words, header: str) -> bool:
    """Whether a header text names a field, for certain or perhaps."""
    return bool(_alias(words, header)) or _ambiguous_key(words, header) is not None


def fingerprint(headers: Sequence[str]) -> str:
    """The layout a mapping is remembered for: the headers in order, our own columns left out."""
    keys = [choice_key(h) for h in headers if h not in OWN_COLUMNS]
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:32]


def decide(table: Table, words: Words, memory: Mapping[str, Any], file: Mapping[str, Any]) -> SheetPlan:
    """The plan of a table; `memory` and `file` are mappings in the form of a mapping file (see docs)."""
    headers = {i: h for i, h in table.headers.items() if h.strip() not in OWN_COLUMNS}
    said = {choice_key(h): v for h, v in {**memory.get("columns", {}), **file.get("columns", {})}.items()}
    source = "file" if file.get("columns") else "remembered"
    columns = [_by_name(words, table, i, h, said, source) for i, h in headers.items()]
    cells = table.sheet.cells([c.column for c in columns]).filter(pl.col("row") >= table.first).head(SAMPLE)
    columns, questions = _settle(words, columns, cells)
    columns, doubles = _doubles(columns, cells)
    columns, units = _units(words, columns, cells)
    subject = subject_of(c.field for c in columns)
    questions += doubles + units
    if subject is None:
        questions.append(Question(-1, "", "no-subject", ()))
    return SheetPlan(
        sheet=table.sheet.name,
        header_row=table.header_row,
        first=table.first,
        subject=subject or "",
        columns=tuple(columns),
        fingerprint=fingerprint(list(headers.values())),
        checks={**memory.get("checks", {}), **file.get("checks", {})},
        questions=tuple(questions),
        record=record_columns(table.headers),
    )


def _by_name(
    words: Words, table: Table, column: int, header: str, said: Mapping[str, Any], source: str
) -> ColumnPlan:
    """What the names alone say: a mapping first, then the aliases."""
    plan = ColumnPlan(column, header)
    if (given := said.get(choice_key(header))) is not None:
        options: dict[str, Any] = {"field": given} if isinstance(given, str) else dict(given)
        return evolve(plan, how=source, **{k: v for k, v in options.items() if v is not None})
    group = table.combined.get(column)
    if group and (path := words.aliases.get(choice_key(group))):
        return evolve(plan, field=path, how="group")
    if _ambiguous_key(words, header):
        return plan
    path, how = _alias(words, header) or ("", "unknown")
    return evolve(plan, field=path, how=how)


def _keys(header: str) -> list[str]:
    bare = UNIT_BRACKETS.sub("", header)
    return [choice_key(header), choice_key(bare)]


def _alias(words: Words, header: str) -> tuple[str, str] | None:
    keys = _keys(header)
    for key in keys:
        if path := words.aliases.get(key):
            return path, "alias"
    for word in DECORATIONS:
        rest = keys[1].removeprefix(word)
        if rest != keys[1] and (path := words.aliases.get(rest)):
            return path, "decorated"
    return None


def _ambiguous_key(words: Words, header: str) -> str | None:
    return next((key for key in _keys(header) if key in words.ambiguous), None)


def _settle(
    words: Words, columns: list[ColumnPlan], cells: pl.DataFrame
) -> tuple[list[ColumnPlan], list[Question]]:
    """Ambiguous headers: by the other columns, then because only one reading fits, else a question."""
    questions: list[Question] = []
    for place, plan in enumerate(columns):
        key = _ambiguous_key(words, plan.header)
        if plan.how != "unknown":
            continue
        if key is None:
            columns[place] = _by_values(words, columns, plan, cells)
            continue
        taken = {c.field for c in columns if c.field}
        candidates = [p for p in words.ambiguous[key] if words.in_use(p) and p not in taken]
        fits = [p for p in candidates if cells_.fits(words, p, plan, cells)]
        spoken = not fits and cells_.filled(plan, cells)  # there are values, but no reading fits all
        chosen = None if key in CONFIRMED else _by_neighbours(taken, candidates if spoken else fits)
        if chosen:
            columns[place] = evolve(plan, field=chosen, how="neighbours")
        elif len(fits) == 1 and len(candidates) > 1 and key not in CONFIRMED:
            columns[place] = evolve(plan, field=fits[0], how="values")
        elif fits or (spoken and candidates):
            asked = tuple(fits or candidates)
            questions.append(Question(plan.column, plan.header, "which-field", asked))
    return columns, questions


def _by_neighbours(taken: set[str], candidates: list[str]) -> str | None:
    subject = subject_of(taken)
    if subject is None:
        return None
    primary = [p for p in candidates if p.split(".")[0] in PRIMARY[subject]]
    within = [p for p in candidates if p.split(".")[0] in WITHIN[subject]]
    for group in (primary, within):
        if len(group) == 1:
            return group[0]
        if group:
            return None
    return None


def _by_values(words: Words, columns: list[ColumnPlan], plan: ColumnPlan, cells: pl.DataFrame) -> ColumnPlan:
    """A column whose header is unknown, whose values prove what it is: IDs by checksum, mobile numbers."""
    taken = {c.field for c in columns if c.field}
    for path in ("customer.id_number", "customer.mobile"):
        if path not in taken and words.in_use(path) and cells_.proves(path, plan, cells):
            return evolve(plan, field=path, how="values")
    return plan


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
