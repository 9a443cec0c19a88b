"""A mapping file written out: the questions about a file, or all that was decided, ready for review.

It names headers and fields, never a value of the file, so it may be shown and passed on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from loanhub.services.intake.mapfile import OPEN, options_of
from loanhub.services.intake.plans import ColumnPlan, Question, SheetPlan
from loanhub.texts import Lang, render
from loanhub.words import Words

ASKED_OPTION: Final = {"rate-unit": "percent", "date-order": "order"}
"""Questions about an option of a column, not about its field."""
USUAL: Final[Mapping[str, Any]] = {"day_base": 360}


def questions(plans: Sequence[SheetPlan], words: Words, lang: Lang) -> str:
    """A mapping file that asks what could not be decided, every column named, ready to be filled in."""
    return _document("mapping.intro", plans, words, lang)


def decided(plans: Sequence[SheetPlan], words: Words, lang: Lang) -> str:
    """The mapping of a file, complete and commented, to be reviewed, kept beside files, or passed on."""
    return _document("mapping.saved", plans, words, lang)


def _document(intro: str, plans: Sequence[SheetPlan], words: Words, lang: Lang) -> str:
    lines = [f"# {line}" for line in render(intro, lang).text.split("\n")]
    many = {plan.sheet for plan in plans if plan.place > 1}
    for plan in plans:
        lines += ["", *_head(plan, lang, many), *_columns(plan, words, lang)]
    return "\n".join(lines) + "\n"


def _head(plan: SheetPlan, lang: Lang, many: set[str]) -> Iterable[str]:
    """What stands above the columns of one table."""
    sheet = f"sheets.{quoted(plan.sheet)}"
    if plan.header_row == 0:
        yield f"[{sheet}]"
        yield f"header_row = 0  # {render('mapping.no-header-row', lang).text}"
    else:
        yield f"# {render('mapping.table', lang, row=plan.header_row).text}"
    name = f"{sheet}.tables.{plan.place}" if plan.sheet in many else sheet
    if plan.checks:
        yield f"[{name}.checks]"
        yield from (f"{quoted(check)} = {quoted(severity)}" for check, severity in plan.checks.items())
    yield f"[{name}.columns]"


def _columns(plan: SheetPlan, words: Words, lang: Lang) -> Iterable[str]:
    asked = {question.column: question for question in plan.questions}
    by_key: dict[str, list[ColumnPlan]] = {}
    for column in plan.columns:
        by_key.setdefault(column.key, []).append(column)
    for key, columns in by_key.items():
        question = asked.get(columns[0].column)
        if question is not None:
            yield f"# {ask(question, words, lang)}"
        yield f"{quoted(key)} = {_value(columns, question)}{_comment(columns, words, lang)}"
    if any(question.code == "no-subject" for question in plan.questions):
        yield f"# {render('question.no-subject', lang).text}"


def ask(question: Question, words: Words, lang: Lang) -> str:
    """A question in words, with what may be answered."""
    choices = (f"{c} ({words.label(c, lang)})" if "." in c else c for c in question.candidates)
    return f"{render(f'question.{question.code}', lang).text} {', '.join(choices)}"


def _value(columns: Sequence[ColumnPlan], question: Question | None) -> str:
    options = {n: v for n, v in options_of(columns[0]).items() if USUAL.get(n) != v}
    if question is not None:
        if question.code not in ASKED_OPTION:
            return quoted(OPEN)
        options[ASKED_OPTION[question.code]] = OPEN
    fields = [column.field for column in columns]
    told = quoted(fields[0]) if len(fields) == 1 else f"[{', '.join(map(quoted, fields))}]"
    if not options or not fields[0]:
        return told
    return f"{{ field = {told}, {', '.join(f'{n} = {_toml(v)}' for n, v in options.items())} }}"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{quoted(k)} = {quoted(v)}' for k, v in value.items())} }}"
    return quoted(value) if isinstance(value, str) else str(value)


def _comment(columns: Sequence[ColumnPlan], words: Words, lang: Lang) -> str:
    labels = ", ".join(words.label(column.field, lang) for column in columns if column.field)
    told = [labels, render(f"how.{columns[0].how}", lang).text, witness(columns[0], lang)]
    said = " · ".join(part for part in told if part)
    return f"  # {said}"


def witness(column: ColumnPlan, lang: Lang) -> str:
    """What the values of a column say, in words: 198 of 200 are valid resident IDs."""
    found = column.evidence
    if found is None:
        return ""
    return render(f"evidence.{found.shape}", lang, fits=found.fits, of=found.of).text


def quoted(text: str) -> str:
    """A text as TOML writes it, on one line."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped) + '"'
