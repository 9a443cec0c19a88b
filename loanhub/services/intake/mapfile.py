"""The mapping file `NAME.mapping.toml`: how an institution says which column is which.

    header_row = 3                     # optional
    [columns]
    "LoanNr_ChkDgt" = "loan.loan_no"   # a field path, or its label in Chinese or English; "" = not read
    "DisbursementDate" = { field = "loan.disburse_date", epoch = "1960-01-01" }
    [checks]
    "disbursed-above-approved" = "warning"
    [sheets."Sheet2"]                  # optional, the same keys for one sheet
    skip = true

A value of "?" is a question not answered yet. docs/ingest.md explains every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from loanhub import files
from loanhub.errors import Misconfigured
from loanhub.readings.amounts import POWERS
from loanhub.readings.choices import choice_key
from loanhub.services.intake.crosschecks import LOWERABLE
from loanhub.services.intake.plans import SheetPlan
from loanhub.texts import Lang, render
from loanhub.words import Words

OPEN: Final = "?"
OPTIONS: Final = frozenset({"field", "unit", "period", "day_base", "percent", "epoch", "order"})
KEYS: Final = frozenset({"columns", "checks", "header_row", "skip", "sheets"})
TERM_UNITS: Final = {
    "年": "year",
    "季": "quarter",
    "月": "month",
    "个月": "month",
    "天": "day",
    "日": "day",
    "期": "period",
}
VALUES: Final[dict[str, frozenset[Any]]] = {
    "unit": frozenset(
        {*POWERS, "元", "万元", "千元", "百万元", "亿元", "%", "‰", "week", *TERM_UNITS.values()}
    ),
    "period": frozenset({"year", "month", "day"}),
    "percent": frozenset({"percent", "permille", "fraction"}),
    "order": frozenset({"dmy", "mdy"}),
    "day_base": frozenset({360, 365}),
}
"""What the options of a column may say."""
SHAPES: Final = {"columns": dict, "checks": dict, "sheets": dict, "header_row": int, "skip": bool}


def beside(path: Path) -> Path | None:
    """The mapping file beside a file: NAME.xlsx.mapping.toml or NAME.mapping.toml."""
    found = files.beside(path, f"{path.name}.mapping.toml", f"{path.stem}.mapping.toml")
    return found if found is not None and found.is_file() else None


def is_open(path: Path) -> bool:
    """Whether a question in the file is still to be answered; a file that cannot be read is for `read`."""
    return f'"{OPEN}"' in path.read_text(encoding="utf-8-sig", errors="replace")


def read(path: Path, words: Words) -> dict[str, Any]:
    """A mapping file. Raises Misconfigured naming the file and the key at fault."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured("mapping-unreadable", file=path.name, reason=str(error)) from None
    return _table(document, path.name, words)


def _table(document: Mapping[str, Any], file: str, words: Words) -> dict[str, Any]:
    if unknown := set(document) - KEYS:
        raise Misconfigured("mapping-unknown-key", file=file, key=min(unknown))
    for key, value in document.items():
        if not isinstance(value, SHAPES[key]):
            raise Misconfigured("mapping-unknown-value", file=file, key=key)
    found = dict(document)
    found["columns"] = {h: _column(h, v, file, words) for h, v in document.get("columns", {}).items()}
    for name, severity in document.get("checks", {}).items():
        if name not in LOWERABLE or severity not in ("error", "warning"):
            raise Misconfigured("mapping-unknown-check", file=file, key=name)
    found["sheets"] = {n: _table(t, file, words) for n, t in document.get("sheets", {}).items()}
    return found


def _column(header: str, given: Any, file: str, words: Words) -> Any:
    if given == OPEN:
        return OPEN
    if not isinstance(given, (str, dict)):
        raise Misconfigured("mapping-unknown-value", file=file, key=header)
    options = {"field": given} if isinstance(given, str) else dict(given)
    if unknown := set(options) - OPTIONS:
        raise Misconfigured("mapping-unknown-key", file=file, key=f"{header}.{min(unknown)}")
    if OPEN in options.values():
        return OPEN
    for name, value in options.items():
        try:
            options[name] = option(name, value)
        except (TypeError, ValueError):
            raise Misconfigured("mapping-unknown-value", file=file, key=f"{header}.{name}") from None
    options["field"] = field_path(options.get("field", ""), header, file, words)
    return options


def option(name: str, value: Any) -> Any:
    """An option of a column in the form it is kept in. Raises ValueError for what it may not say."""
    if name == "epoch":
        return date.fromisoformat(str(value)).isoformat()
    if name == "day_base":
        value = int(value)
    elif not isinstance(value, str):
        raise ValueError(name)
    if name == "unit":
        value = TERM_UNITS.get(value, value)
    if name in VALUES and value not in VALUES[name]:
        raise ValueError(name)
    return value


def field_path(name: str, header: str, file: str, words: Words) -> str:
    """A field path from a path or a label. Raises Misconfigured("mapping-unknown-field")."""
    if name == "" or words.in_use(name):
        return name
    path = words.aliases.get(choice_key(name))
    if path is None:
        raise Misconfigured("mapping-unknown-field", file=file, header=header, field=name)
    return path


def of_sheet(document: Mapping[str, Any], sheet: str) -> dict[str, Any]:
    """The part for one sheet: its own keys laid over the file's; open questions left out."""
    own = document.get("sheets", {}).get(sheet, {})
    columns = {**document.get("columns", {}), **own.get("columns", {})}
    merged = {**document, **own, "checks": {**document.get("checks", {}), **own.get("checks", {})}}
    merged["columns"] = {h: v for h, v in columns.items() if v != OPEN}
    return merged


def questions(plans: Sequence[SheetPlan], words: Words, lang: Lang) -> str:
    """A mapping file that asks what could not be decided, every column named, ready to be filled in."""
    lines = [f"# {line}" for line in render("mapping.intro", lang).text.split("\n")]
    for plan in plans:
        asked = {q.header: q for q in plan.questions}
        lines += ["", f"[sheets.{_quoted(plan.sheet)}.columns]"]
        for column in plan.columns:
            question = asked.get(column.header)
            if question is None:
                label = words.label(column.field, lang) if column.field else ""
                lines.append(f"{_quoted(column.header)} = {_quoted(column.field)}  # {label}".rstrip(" #"))
                continue
            ask = render(f"question.{question.code}", lang).text
            choices = ", ".join(
                f"{c} ({words.label(c, lang)})" if "." in c else c for c in question.candidates
            )
            lines.append(f"# {ask} {choices}")
            lines.append(f"{_quoted(column.header)} = {_asked(column.field, question.code)}")
        lines += [
            f"# {render('question.no-subject', lang).text}" for q in plan.questions if q.code == "no-subject"
        ]
    return "\n".join(lines) + "\n"


def _asked(field: str, code: str) -> str:
    option = {"rate-unit": "percent", "date-order": "order"}.get(code)
    return f'{{ field = {_quoted(field)}, {option} = "{OPEN}" }}' if option else f'"{OPEN}"'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in escaped) + '"'


def kept(plan: SheetPlan) -> dict[str, Any]:
    """A decided plan as a mapping, to be remembered for its layout."""
    columns: dict[str, Any] = {}
    for column in plan.columns:
        options = {n: getattr(column, n) for n in sorted(OPTIONS) if getattr(column, n) not in (None, "")}
        columns[column.header] = {**options, "field": column.field}
    return {"columns": columns, "checks": dict(plan.checks)}
