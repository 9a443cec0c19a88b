"""The mapping file `NAME.mapping.toml`: how an institution says which column is which.

    header_row = 3                     # optional; 0: there is none
    [columns]
    "LoanNr_ChkDgt" = "loan.loan_no"   # a field path, or its label in Chinese or English; "" = not read
    "DisbursementDate" = { field = "loan.disburse_date", epoch = "1960-01-01" }
    "Sex" = { field = "customer.gender", values = { "1" = "男", "2" = "女" } }
    "Id" = ["loan.loan_no", "customer.customer_no"]    # one column that fills two fields
    [checks]
    "disbursed-above-approved" = "warning"
    [sheets."Sheet2"]                  # optional, the same keys for one sheet
    skip = true
    [sheets."Sheet3".tables.2.columns] # optional, the same for one of several tables of a sheet

A value of "?" is a question not answered yet. docs/ingest.md explains every key.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from loanhub import files
from loanhub.errors import Misconfigured
from loanhub.readings.amounts import POWERS
from loanhub.readings.choices import choice_key
from loanhub.services.intake.crosschecks import LOWERABLE
from loanhub.services.intake.plans import ColumnPlan, SheetPlan
from loanhub.words import Words

OPEN: Final = "?"
LARGEST: Final = 4 << 20
"""Bytes of a mapping file; one of 2,000 columns with three lines each takes 0.3 MB."""
LAST_ROW: Final = 2**32 - 1
"""Of any sheet: row numbers take 32 bits."""
OPTIONS: Final = frozenset({"field", "unit", "period", "day_base", "percent", "epoch", "order", "values"})
TABLE_KEYS: Final = frozenset({"columns", "checks", "skip"})
SHEET_KEYS: Final = TABLE_KEYS | {"header_row", "one_table", "tables"}
KEYS: Final = TABLE_KEYS | {"header_row", "one_table", "sheets"}
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
SHAPES: Final[dict[str, Any]] = {
    **dict.fromkeys(("columns", "checks", "sheets", "tables"), dict),
    **dict.fromkeys(("skip", "one_table"), bool),
    "header_row": int,
}


def beside(path: Path) -> Path | None:
    """The mapping file beside a file: NAME.xlsx.mapping.toml or NAME.mapping.toml."""
    found = files.beside(path, f"{path.name}.mapping.toml", f"{path.stem}.mapping.toml")
    return found if found is not None and found.is_file() else None


def is_open(path: Path) -> bool:
    """Whether a question in the file is still to be answered; a file that cannot be read is for `read`."""
    try:
        with path.open("rb") as stream:
            return f'"{OPEN}"'.encode() in stream.read(LARGEST)
    except OSError:
        return False


@frozen
class MapFile:
    """A mapping file as read: `document` checked and in the form plans are made from; `text` as written."""

    name: str = ""
    document: Mapping[str, Any] = field(factory=dict)
    text: str = field(default="", repr=False)

    def at(self, *keys: str) -> str:
        """The file with the line where a key stands, as `NAME:12`; the name alone if that is not found."""
        lines = self.text.splitlines()
        wanted = [k for k in keys if k]
        here = [n for n, line in enumerate(lines, 1) if wanted and wanted[0] in line.partition("#")[0]]
        both = [n for n in here if all(k in lines[n - 1] for k in wanted)]
        return f"{self.name}:{(both or here)[0]}" if here else self.name

    def of(self, sheet: str, place: int = 1) -> dict[str, Any]:
        """The part for one table: the file's own keys, over them its sheet's, over them its table's."""
        own = self.document.get("sheets", {}).get(sheet, {})
        merged = _over(self.document, own)
        return _over(merged, own.get("tables", {}).get(str(place), {}))

    def mapped(self, sheets: Collection[str]) -> list[str]:
        """The headers that the file gives a field, for any sheet or for one of these."""
        parts = [self.document, *(t for n, t in self.document.get("sheets", {}).items() if n in sheets)]
        parts += [t for part in parts[1:] for t in part.get("tables", {}).values()]
        return [h for p in parts for h, v in p.get("columns", {}).items() if v != OPEN and v["field"]]


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """One table of the file laid over another; open questions left out."""
    columns = {**below.get("columns", {}), **above.get("columns", {})}
    checks = {**below.get("checks", {}), **above.get("checks", {})}
    return {**below, **above, "columns": {h: v for h, v in columns.items() if v != OPEN}, "checks": checks}


def read(path: Path | None, words: Words) -> MapFile:
    """A mapping file; an empty one for None. Raises Misconfigured naming file, line and key at fault."""
    if path is None:
        return MapFile()
    try:
        text = _text(path)
        document = tomllib.loads(text)
    except OSError as error:
        raise Misconfigured("mapping-unreadable", file=path.name, reason=error.strerror) from None
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, of a number of 5,000 digits
        raise Misconfigured("mapping-unreadable", file=path.name, reason=str(error)) from None
    raw = MapFile(path.name, document, text)
    return evolve(raw, document=_table(document, raw, words, KEYS))


def _text(path: Path) -> str:
    """The file's text. Raises ValueError when it is longer than any mapping, or no UTF-8."""
    with path.open("rb") as stream:
        written = stream.read(LARGEST + 1)
    if len(written) > LARGEST:
        raise ValueError(f"> {LARGEST} B")
    return written.decode("utf-8-sig")


def _table(document: Mapping[str, Any], file: MapFile, words: Words, keys: frozenset[str]) -> dict[str, Any]:
    if unknown := set(document) - keys:
        raise Misconfigured("mapping-unknown-key", file=file.at(min(unknown)), key=min(unknown))
    for key, value in document.items():
        # Exactly: `header_row = true` is no number.
        if type(value) is not SHAPES[key] or (key == "header_row" and not 0 <= value <= LAST_ROW):
            raise Misconfigured("mapping-unknown-value", file=file.at(key), key=key)
    found = dict(document)
    found["columns"] = {h: _column(h, v, file, words) for h, v in document.get("columns", {}).items()}
    for name, severity in document.get("checks", {}).items():
        if name not in LOWERABLE or severity not in ("error", "warning"):
            raise Misconfigured("mapping-unknown-check", file=file.at(name), key=name)
    for key, inner in (("sheets", SHEET_KEYS), ("tables", TABLE_KEYS)):
        if key in document:
            found[key] = {n: _inner(n, t, file, words, inner) for n, t in document[key].items()}
    return found


def _inner(name: str, given: Any, file: MapFile, words: Words, keys: frozenset[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Misconfigured("mapping-unknown-value", file=file.at(name), key=name)
    return _table(given, file, words, keys)


def _column(header: str, given: Any, file: MapFile, words: Words) -> Any:
    if given == OPEN:
        return OPEN
    if not isinstance(given, str | list | dict):
        raise Misconfigured("mapping-unknown-value", file=file.at(header), key=header)
    options = {"field": given} if isinstance(given, str | list) else dict(given)
    if unknown := set(options) - OPTIONS:
        key = f"{header}.{min(unknown)}"
        raise Misconfigured("mapping-unknown-key", file=file.at(header, min(unknown)), key=key)
    if OPEN in options.values():
        return OPEN
    fields = options.pop("field", "")
    for name, value in options.items():
        try:
            options[name] = option(name, value)
        except (TypeError, ValueError, OverflowError):
            key = f"{header}.{name}"
            raise Misconfigured("mapping-unknown-value", file=file.at(header, name), key=key) from None
    several = fields if isinstance(fields, list) else [fields]
    paths = [field_path(name, header, file.at(header), words) for name in several]
    options["field"] = paths if len(paths) > 1 else "".join(paths)
    return options


def option(name: str, value: Any) -> Any:
    """An option of a column in the form it is kept in. Raises ValueError for what it may not say."""
    if name == "epoch":
        return date.fromisoformat(str(value)).isoformat()
    if name == "values":
        if isinstance(value, str):  # as it is told in a command: 1:男;2:女
            value = dict(pair.split(":", 1) for pair in value.split(";"))
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise ValueError(name)
        return {str(cell): one for cell, one in value.items()}
    if name == "day_base":
        value = int(value)
    elif not isinstance(value, str):
        raise ValueError(name)
    if name == "unit":
        value = TERM_UNITS.get(value, value)
    if name in VALUES and value not in VALUES[name]:
        raise ValueError(name)
    return value


def field_path(name: Any, header: str, file: str, words: Words) -> str:
    """A field path from a path or a label. Raises Misconfigured("mapping-unknown-field")."""
    if isinstance(name, str) and (name == "" or words.in_use(name)):
        return name
    path = words.aliases.get(choice_key(name)) if isinstance(name, str) else None
    if path is None:
        raise Misconfigured("mapping-unknown-field", file=file, header=header, field=name)
    return path


def kept(plan: SheetPlan, how: str | None = None) -> dict[str, Any]:
    """A decided plan as a mapping, to be remembered for its layout; `how` it will have been decided."""
    columns: dict[str, Any] = {}
    for column in plan.columns:
        given: Any = column.field
        if (before := columns.get(column.key)) is not None:  # a column that fills two fields
            given = [*([before["field"]] if isinstance(before["field"], str) else before["field"]), given]
        columns[column.key] = {**options_of(column), "field": given, **({"how": how} if how else {})}
    return {"columns": columns, "checks": dict(plan.checks)}


def options_of(column: ColumnPlan) -> dict[str, Any]:
    """What is said of a column besides its field."""
    told = {name: getattr(column, name) for name in sorted(OPTIONS - {"field"})}
    return {name: value for name, value in told.items() if value not in (None, "")}
