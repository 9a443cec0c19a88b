"""`python -m tests.corpus.agreement DIR [DOC]`: our .xlsx reader beside python-calamine and openpyxl.

Every cell of every workbook in a folder is read three times. A difference is of a known class or
"unexplained"; unexplained ones are listed by sheet and cell, never with what stands there. With DOC
(docs/format-agreement.md) the tables of that page are written anew.
The exit status is 1 when something is unexplained.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from importlib import import_module
from math import isfinite, isnan
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from loanhub import cage
from loanhub.errors import LoanHubError
from loanhub.sheets import CellKind
from tests.corpus.sweep import files_of, shown

SAME: Final = "same"
UNEXPLAINED: Final = "unexplained"
CLASSES: Final = {
    "percent": "A percent cell: we read 4.9% as it is shown, the other gives the stored 0.049.",
    "shown with more": "The number format adds something that means something: 36期, ￥, leading zeros, 万.",
    "error": "An error cell such as #DIV/0!: we keep it as an error, calamine gives an empty text.",
    "no value": "A formula whose result was never stored: we say so, the others give an empty cell.",
    "not finite": "NaN, infinities, what is no number: an error cell to us, a float or a text to others.",
    "date": "A date by a built-in Chinese format (27 to 36, 50 to 58) that the other takes for a number.",
    "leap day": "Serial 60: Excel shows 29 February 1900, a day that never was; the others shift it by one.",
    "moment": "The same moment told otherwise: elapsed hours, seconds rounded, day zero, a time at midnight.",
    "no date": "A number under a date format that no calendar reaches (20240105): a number to us, as stored.",
    "16 digits": "16 digits and more: we keep the stored digits, the other a float that has lost some.",
    "breaks": "Line ends and _x000D_ escapes inside a text: one line feed to us.",
    "blank text": "A text of nothing but spaces or line ends: a text to us, left out by calamine.",
    "left out": "A text that stands in an unusual place of its cell: read by us, left out by the others.",
    "no sheet": "The other does not see the sheet at all (openpyxl: workbooks of the Strict flavour).",
    "only theirs": "The other fills in a cell that holds no value, such as an empty text of a formula.",
    "iso date": 'A date stored as ISO text (t="d"), which the other gives as text or not at all.',
}
"""What a class of differences means, in words for the page."""

Cells = Mapping[tuple[int, int], Any]


def class_of(text: str | None, kind: CellKind, theirs: Any) -> str:
    """How our cell and the other reader's value agree: SAME, a key of CLASSES, or UNEXPLAINED."""
    if theirs is None or theirs == "":
        return _of_nothing(text, kind)
    if kind is CellKind.EMPTY:
        return "only theirs"
    assert text is not None or kind is CellKind.NO_VALUE
    if isinstance(theirs, bool):
        return SAME if (text, kind) == (str(theirs).upper(), CellKind.BOOL) else UNEXPLAINED
    if isinstance(theirs, datetime | date | time | timedelta):
        return _of_moment(str(text), kind, theirs)
    if isinstance(theirs, int | float):
        return _of_number(str(text), kind, float(theirs))
    return _of_text(str(text), kind, str(theirs))


def _of_nothing(text: str | None, kind: CellKind) -> str:
    if kind is CellKind.TEXT:
        return "left out" if str(text).strip() else "blank text"
    known = {CellKind.ERROR: "error", CellKind.NO_VALUE: "no value", CellKind.DATE: "iso date"}
    return known.get(kind, UNEXPLAINED)


def _of_text(text: str, kind: CellKind, theirs: str) -> str:
    if text == theirs:
        return SAME
    if kind is CellKind.ERROR:
        return "not finite"
    if kind is CellKind.DATE and text[:10] == theirs[:10]:
        return "iso date"
    return "breaks" if _flat(text) == _flat(theirs) else UNEXPLAINED


def _flat(text: str) -> str:
    return re.sub(r"\s|_x[0-9A-Fa-f]{4}_|[\x00-\x1f]", "", text)


def _of_number(text: str, kind: CellKind, theirs: float) -> str:
    if kind is CellKind.ERROR:
        return "not finite" if not isfinite(theirs) else UNEXPLAINED
    if kind is CellKind.PERCENT:
        return (
            "percent"
            if abs(float(text.rstrip("%")) - theirs * 100) <= 1e-9 * max(1, abs(theirs))
            else UNEXPLAINED
        )
    if kind is CellKind.DATE or kind is CellKind.TIME:
        return "date"
    if _float(text) == theirs:
        return SAME
    digits = re.sub(r"[^0-9.eE+-]", "", text).rstrip(".")
    if len(re.sub(r"\D", "", text)) >= 15 and abs((_float(digits) or 0) - theirs) <= 1e-14 * abs(theirs):
        return "16 digits"
    return "shown with more" if _float(digits) == theirs else UNEXPLAINED


def _of_moment(text: str, kind: CellKind, theirs: datetime | date | time | timedelta) -> str:
    if kind is CellKind.NUMBER:
        return "moment" if (_float(text) or 0) < 1 else "no date"
    if kind not in (CellKind.DATE, CellKind.TIME):
        return UNEXPLAINED
    if text == "1900-02-29":
        return "leap day"
    if isinstance(theirs, datetime) and text == str(theirs.replace(microsecond=0)).removesuffix(" 00:00:00"):
        return SAME
    if text in (str(theirs), getattr(theirs, "isoformat", str)()):
        return SAME
    apart = abs(_seconds(text) - _seconds(str(theirs)))
    elapsed = kind is CellKind.TIME and abs(apart - 86_400) <= 1  # hours since a day that never was
    return "moment" if apart <= 1 or elapsed else UNEXPLAINED


def _seconds(text: str) -> float:
    """A moment as seconds, whatever its writing; days count from the first of 1900."""
    found = re.fullmatch(
        r"(?:(\d{4})-(\d\d)-(\d\d))?[ T]?(?:(-?\d+) days?, )?(?:(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?)?", text
    )
    if found is None:
        return float("nan")
    year, month, day, days, hours, minutes, seconds = found.groups()
    start = (date(int(year), int(month), int(day)) - date(1899, 12, 31)).days if year else int(days or 0)
    return start * 86_400 + int(hours or 0) * 3_600 + int(minutes or 0) * 60 + float(seconds or 0)


def _float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if isnan(value) else value


# -- one workbook, read three times ----------------------------------------------------------------


def compared(path: str, reader: str) -> dict[str, Any]:
    """How many cells we read; beside the other reader their classes and counts, and the unexplained places.

    Runs in a child: it may die of the other reader.
    """
    warnings.simplefilter("ignore")
    ours = dict(_ours(Path(path)))
    found: dict[str, Any] = {"cells": sum(map(len, ours.values()))}
    cage.report(found)
    try:
        theirs = dict(READERS[reader](Path(path)))
    except Exception as error:  # noqa: BLE001 - the other reader's own failure is an answer
        return {**found, "cannot": type(error).__name__}
    counts: Counter[str] = Counter()
    places: list[str] = []
    for sheet, cells in ours.items():
        if sheet not in theirs and cells and reader == "openpyxl":
            counts["no sheet"] += len(cells)
            continue
        for place, kind in _classes(cells, theirs.get(sheet, {})):
            counts[kind] += 1
            if kind == UNEXPLAINED:
                places.append(f"{sheet}!R{place[0]}C{place[1] + 1}")
    return {**found, "classes": dict(counts), "places": places[:20]}


def _classes(ours: Cells, theirs: Cells) -> Iterator[tuple[tuple[int, int], str]]:
    nothing = (None, CellKind.EMPTY)
    for place in ours.keys() | theirs.keys():
        text, kind = ours.get(place, nothing)
        other = theirs.get(place)
        if kind is CellKind.EMPTY and (other is None or other == ""):
            continue
        yield place, class_of(text, CellKind(kind), other)


def _ours(path: Path) -> Iterator[tuple[str, Cells]]:
    excel = import_module("loanhub_format_excel").Excel()
    for sheet in excel.sheets(path):
        cells = {}
        for block in sheet.blocks():
            for record in block.iter_rows(named=True):
                for name, kind in record.items():
                    if name[0] == "k" and name[1:].isdigit() and kind:
                        cells[record["row"], int(name[1:])] = (record[f"c{name[1:]}"], CellKind(kind))
        yield sheet.name, cells


def _calamine(path: Path) -> Iterator[tuple[str, Cells]]:
    book = import_module("python_calamine").CalamineWorkbook.from_path(str(path))
    for name in book.sheet_names:
        sheet = book.get_sheet_by_name(name)
        if sheet.start is None:
            continue
        left = sheet.start[1]
        rows = enumerate(sheet.iter_rows(), 1)
        yield (
            name,
            {(row, left + at): value for row, some in rows for at, value in enumerate(some) if value != ""},
        )


def _openpyxl(path: Path) -> Iterator[tuple[str, Cells]]:
    book = import_module("openpyxl").load_workbook(path, data_only=True, rich_text=False)
    for sheet in book.worksheets:
        cells = sheet._cells.values()
        yield (
            sheet.title,
            {(cell.row, cell.column - 1): cell.value for cell in cells if cell.value is not None},
        )


READERS: Final = {"calamine": _calamine, "openpyxl": _openpyxl}


# -- a folder --------------------------------------------------------------------------------------


@frozen
class Agreement:
    """One workbook: cells we read, each other reader's classes, or why there is nothing to compare."""

    name: str
    cells: int
    others: Mapping[str, Any]
    refused: str = ""

    def lines(self) -> Iterator[str]:
        """What to print."""
        if self.refused:
            yield f"{shown(self.name)}: {self.refused}"
            return
        for reader, found in self.others.items():
            told = found.get("cannot") or ", ".join(f"{n} {c}" for c, n in sorted(found["classes"].items()))
            yield f"{shown(self.name)}: {self.cells} cells; {reader}: {told or 'no cell'}"
            yield from (f"    unexplained at {shown(place)}" for place in found.get("places", ()))


def agreements(folder: Path) -> Iterator[Agreement]:
    """Every .xlsx and .xlsm of a folder, beside each other reader, in a limited child."""
    for path in files_of(folder):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in (".xlsx", ".xlsm"):
            found: dict[str, Any] = {}
            try:
                for reader in READERS:
                    found[reader] = _beside(path, reader)
            except LoanHubError as refused:
                yield Agreement(name, 0, {}, refused.code)
            else:
                yield Agreement(name, found["calamine"]["cells"], found)


def _beside(path: Path, reader: str) -> dict[str, Any]:
    read: list[dict[str, Any]] = []
    limits: dict[str, Any] = {"memory": 3 << 30, "cpu": 90, "wall": 180.0, "on_progress": read.append}
    try:
        found: dict[str, Any] = cage.run("tests.corpus.agreement:compared", str(path), reader, **limits)
    except LoanHubError as error:
        if not read:  # it was us
            raise
        return {**read[0], "cannot": f"its process dies ({error.facts.get('reason')})"}
    return found


def page(found: list[Agreement]) -> str:
    """The tables of the page: each class, its meaning and number; every file with differences."""
    totals: dict[str, Counter[str]] = {"calamine": Counter(), "openpyxl": Counter()}
    rows = []
    for one in found:
        for reader, told in one.others.items():
            totals[reader].update(told.get("classes", {}))
            differing = {c: n for c, n in told.get("classes", {}).items() if c != SAME}
            if differing or "cannot" in told:
                what = told.get("cannot") or ", ".join(f"{c} {n}" for c, n in sorted(differing.items()))
                rows.append(f"| {shown(one.name)} | {reader} | {what} |")
    refused = [f"| {shown(one.name)} | `{one.refused}` |" for one in found if one.refused]
    told = CLASSES | {UNEXPLAINED: "Nothing explains it yet."}
    counted = {name: (totals["calamine"][name], totals["openpyxl"][name]) for name in (SAME, *told)}
    meanings = [
        f"| {name} | {calamine} | {openpyxl} | {told.get(name, 'Both say the same as we.')} |"
        for name, (calamine, openpyxl) in counted.items()
        if calamine or openpyxl or name == UNEXPLAINED
    ]
    return "\n".join(
        (
            f"{len(found)} workbooks; {len(refused)} of them are refused by us before any cell is read.\n",
            "| class | calamine | openpyxl | meaning |\n| --- | ---: | ---: | --- |",
            *meanings,
            "\n| file | beside | cells that differ |\n| --- | --- | --- |",
            *rows,
            "\n| refused by us | reason |\n| --- | --- |",
            *refused,
        )
    )


MARKS: Final = ("<!-- table begins -->", "<!-- table ends -->")


def main(arguments: list[str]) -> int:
    """Compare, print, and write the page when one is named."""
    if len(arguments) not in (1, 2):
        print(__doc__)
        return 2
    found = []
    for one in agreements(Path(arguments[0])):
        found.append(one)
        print(*one.lines(), sep="\n", flush=True)
    if arguments[1:]:
        file = Path(arguments[1])
        before, _, rest = file.read_text(encoding="utf-8").partition(MARKS[0])
        after = rest.partition(MARKS[1])[2]
        file.write_text(f"{before}{MARKS[0]}\n{page(found)}\n{MARKS[1]}{after}", encoding="utf-8")
    odd = sum(told.get("classes", {}).get(UNEXPLAINED, 0) for one in found for told in one.others.values())
    print(f"{len(found)} workbooks, {odd} cells unexplained")
    return 1 if odd else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
