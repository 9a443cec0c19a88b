"""What a format hands over: sheets as blocks of rows, each cell with its text and what it was.

A *block* is a polars frame of some thousand rows. Its columns:

    row      UInt32    the row number as in the sheet, from 1
    hidden   Boolean   the row is hidden or filtered out
    c0, c1   String    the text of a cell as a person means it, null when empty; the number is the
                       position of the column, 0 for A
    k0, k1   UInt8     the CellKind of the same cell

A row without any value and a column without any value in the block are absent, so two far cells cost
two cells. Texts: a number is plain decimal with the unit its number format shows ("200000", "20万");
beyond 15 digits the stored text is kept, so that lost digits can be recognised. A percent cell is
"4.9%", a date "2026-01-05" or "2026-01-05 13:00:00", a time "13:00:00", a truth value "TRUE".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import IntEnum
from typing import Final

import polars as pl
from attrs import field, frozen, mutable

Merge = tuple[int, int, int, int]
"""first row, first column, last row, last column; rows from 1, columns from 0, both ends included."""


class CellKind(IntEnum):
    """What a cell held. NO_VALUE is a formula whose result was never stored."""

    EMPTY = 0
    TEXT = 1
    NUMBER = 2
    PERCENT = 3
    DATE = 4
    TIME = 5
    BOOL = 6
    ERROR = 7
    NO_VALUE = 8


@frozen
class Claim:
    """A format says a file is its own: which `content` it found, and message codes worth showing."""

    format: str
    content: str
    notes: tuple[str, ...] = ()


@mutable
class Findings:
    """What becomes known only while the blocks of a sheet are read."""

    merges: tuple[Merge, ...] = ()
    notes: tuple[str, ...] = ()

    def note(self, code: str) -> None:
        """Add a message code once."""
        if code not in self.notes:
            self.notes = (*self.notes, code)


@frozen
class Sheet:
    """One sheet of a file. `blocks()` may be called again and then reads again from the start.

    `hidden` covers hidden and very hidden. `merged()` and `noted()` are complete once the blocks have
    been read to the end; `notes` are message codes such as `rows-hidden`.
    """

    name: str
    blocks: Callable[[], Iterator[pl.DataFrame]]
    hidden: bool = False
    merges: tuple[Merge, ...] = ()
    notes: tuple[str, ...] = ()
    findings: Findings = field(factory=Findings, eq=False)

    def merged(self) -> tuple[Merge, ...]:
        """The merged ranges known so far."""
        return self.merges + self.findings.merges

    def noted(self) -> tuple[str, ...]:
        """The message codes known so far."""
        return self.notes + tuple(code for code in self.findings.notes if code not in self.notes)


Cell = tuple[str | None, CellKind]
_EMPTY: Final[Cell] = (None, CellKind.EMPTY)


def block(
    first_row: int,
    rows: Sequence[Sequence[object]],
    *,
    numbers: Sequence[int] | None = None,
    hidden: Collection[int] = (),
) -> pl.DataFrame:
    """A block out of Python values, for the author of a small format.

    `first_row` is the number of the first row, from 1; `numbers` gives every row its own number
    instead; `hidden` holds the numbers of hidden rows. Values: None, str, bool, int, float, Decimal,
    date, datetime, time, or a ready cell (text, CellKind); anything else raises TypeError.
    """
    given = range(first_row, first_row + len(rows)) if numbers is None else numbers
    made = [(number, [_cell(value) for value in row]) for number, row in zip(given, rows, strict=True)]
    kept = [(number, cells) for number, cells in made if any(kind for _, kind in cells)]
    frame: dict[str, pl.Series] = {
        "row": pl.Series([number for number, _ in kept], dtype=pl.UInt32),
        "hidden": pl.Series([number in hidden for number, _ in kept], dtype=pl.Boolean),
    }
    for at in range(max((len(cells) for _, cells in kept), default=0)):
        column = [cells[at] if at < len(cells) else _EMPTY for _, cells in kept]
        kinds = [int(kind) for _, kind in column]
        if any(kinds):
            frame[f"c{at}"] = pl.Series([text for text, _ in column], dtype=pl.String)
            frame[f"k{at}"] = pl.Series(kinds, dtype=pl.UInt8)
    return pl.DataFrame(frame)


def _cell(value: object) -> Cell:
    if value is None or value == "":
        return _EMPTY
    if isinstance(value, str):
        return value, CellKind.TEXT
    if isinstance(value, tuple):
        return value
    if isinstance(value, bool):
        return str(value).upper(), CellKind.BOOL
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds").removesuffix(" 00:00:00"), CellKind.DATE
    if isinstance(value, date):
        return value.isoformat(), CellKind.DATE
    if isinstance(value, time):
        return value.isoformat("seconds"), CellKind.TIME
    raise TypeError(f"a sheet holds no {type(value).__name__}")


def _number(value: float | Decimal) -> Cell:
    exact = Decimal(str(value))
    if not exact.is_finite():
        return str(value), CellKind.ERROR
    if isinstance(value, float) and abs(value) >= 1e15:
        return str(value).upper(), CellKind.NUMBER
    text = format(exact, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return ("0" if text == "-0" else text), CellKind.NUMBER


# -- marks of our own sheets ---------------------------------------------------------------------------

EXAMPLES: Final = ("示例 ·", "Example ·")
"""How the first cell begins of a row that only shows how a template is filled in; it is no data."""

RECORD_COLUMNS: Final = (("【编号】", "【版本】"), ("[Id]", "[Version]"))
"""The two columns of an export that say which record a row is, and in which version it was exported."""

_MARK: Final = re.compile(r"([a-z_]{3,20}):([1-9][0-9]{0,17}):([0-9a-f]{8})")


def record_marks(kind: str, records: Iterable[tuple[int, int]], home: bytes) -> list[str]:
    """What the first of the two columns says of records (id, version): `loan:12:9f3ab2c4`.

    The last part is a check over all three and the home, so that a mark that was dragged on to other rows,
    sorted apart from its version or made by another institution names nothing here. `home` is the hash of
    the first line of the audit log.
    """
    check = hashlib.blake2b(key=home, digest_size=4)

    def mark(key: int, version: int) -> str:
        one = check.copy()
        one.update(b"%s:%d:%d" % (name, key, version))
        return f"{kind}:{key}:{one.hexdigest()}"

    name = kind.encode()
    return [mark(key, version) for key, version in records]


def read_marks(texts: Iterable[str], versions: Iterable[int], home: bytes) -> list[tuple[str, int] | None]:
    """Kind and id of marks with their versions; None for what this home did not export."""
    return [_read_mark(text.strip(), version, home) for text, version in zip(texts, versions, strict=True)]


def _read_mark(text: str, version: int, home: bytes) -> tuple[str, int] | None:
    found = _MARK.fullmatch(text)
    if found is None:
        return None
    kind, key = found[1], int(found[2])
    return (kind, key) if record_marks(kind, [(key, version)], home) == [text] else None
