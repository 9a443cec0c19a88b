"""An untidy workbook as it comes in life, with faults planted in it whose places are known.

Titles, signatures, totals, headers in two lines, units in headers, merged branches, blank and hidden rows,
and values in many spellings: all of that must be read right. The planted faults must be found, each of
them and nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import Final

import attrs
import numpy as np
from attrs import frozen

from loanhub.testing.book import Book
from loanhub.testing.columns import headers
from loanhub.testing.drawing import Layout, draw
from loanhub.testing.faults import FAULTS, RATE, WARNINGS, Fault, Planting, Row, compatible
from loanhub.testing.spelling import Cell, Heading, is_floating, spell
from loanhub.texts import Lang

SHEET: Final = {"zh": "贷款台账", "en": "Loan register"}
CUSTOMER_COLUMNS: Final = (
    "customer.branch",
    "customer.name",
    "customer.gender",
    "customer.birth_date",
    "customer.age",
    "customer.id_number",
    "customer.mobile",
    "customer.monthly_income",
    "customer.bank_card",
)
LOAN_COLUMNS: Final = (
    "loan.loan_no",
    "loan.contract_no",
    "loan.product",
    "loan.amount",
    "loan.disbursed_amount",
    "loan.balance",
    "loan.term",
    "loan.rate",
    "loan.method",
    "loan.sign_date",
    "loan.disburse_date",
    "loan.maturity_date",
    "loan.due_day",
    "loan.status",
    "loan.purpose",
)
# Headers that may mean two things, but not in a sheet with these columns.
_SETTLED_BY_NEIGHBOURS: Final = {"loan.method": "还款方式", "loan.due_day": "还款日"}


@frozen
class MessyRow:
    """A row of data: where it stands in the sheet, what its table row is, and what it says when read right.

    `values` are in stored form by field path. A rate typed as LPR with a spread has `loan.rate` None and
    its `loan.spread_bp`; everywhere else the spread is None.
    """

    row: int
    place: int
    values: Row = attrs.field(repr=False)
    hidden: bool = False


@frozen
class Planted:
    """What was written: the rows in order, and every fault there is."""

    path: Path
    sheet: str
    header_row: int
    headings: tuple[Heading, ...]
    rows: tuple[MessyRow, ...] = attrs.field(repr=False)
    faults: tuple[Fault, ...] = attrs.field(repr=False)

    @property
    def rejected(self) -> frozenset[int]:
        """The rows (as in the sheet) with an error."""
        return frozenset(fault.row for fault in self.faults if not fault.is_warning)

    def header(self, path: str) -> str:
        """The header of a field in this sheet."""
        return next(heading.text for heading in self.headings if heading.path == path)


def messy_workbook(
    book: Book,
    path: Path,
    seed: int,
    lang: Lang = "zh",
    *,
    share: float = 0.15,
    second: float = 0.3,
    codes: Collection[str] | None = None,
    age: bool = True,
) -> Planted:
    """Write `book.table("mixed")` untidily to an .xlsx, with faults in a `share` of the rows.

    `second`: how many of those have a second fault. `codes`: which faults (default all of `FAULTS`), dealt
    evenly. `age`: with a column of ages, which hold on `book.today` only. Meant for up to some 10,000 rows.
    """
    rng = np.random.default_rng([book.seed, seed, 7])
    paths = [*CUSTOMER_COLUMNS, *LOAN_COLUMNS]
    headings = [_heading(p, lang, rng) for p in paths if age or p != "customer.age"]
    table = book.table("mixed").select(*paths, "loan.spread_bp").with_row_index("place")
    said = table.sort("customer.branch", maintain_order=True).to_dicts()
    field = _Field(
        said, rng, [c for c in FAULTS if (codes is None or c in codes) and (age or c != "age-id-mismatch")]
    )
    field.sow(round(share * len(said)), second)
    cells = [{h.path: spell(h, row, lang, rng) for h in headings} for row in said]
    for place, plantings in field.planted.items():
        for _, planting in plantings:
            cells[place].update(planting.cells)
    for row, line in zip(said, cells, strict=True):
        _settle_rate(row, line[RATE])
    layout = draw(path, SHEET[lang], headings, cells, lang=lang, rng=rng)
    return _record(path, SHEET[lang], headings, field, layout)


def _heading(path: str, lang: Lang, rng: np.random.Generator) -> Heading:
    """A header as somebody wrote it, with a unit where its values count in one."""
    if lang == "zh" and path in _SETTLED_BY_NEIGHBOURS and rng.random() < 0.5:
        return Heading(path, _SETTLED_BY_NEIGHBOURS[path])
    names = headers(path, lang)
    text = names[int(rng.integers(0, len(names)))]
    if path == RATE:
        return Heading(path, f"{text}(%)", "%")
    if path == "loan.term":
        return Heading(path, f"{text}(月)" if lang == "zh" else f"{text} (months)", "月")
    if path.split(".")[1] in {"amount", "disbursed_amount", "balance", "monthly_income"} and lang == "zh":
        unit = (None, "元", "万元")[int(rng.integers(0, 3))]
        return Heading(path, f"{text}（{unit}）" if unit else text, unit)
    return Heading(path, text)


@frozen
class _Field:
    """The rows as they will be written, and the faults sown among them so far, by place of the row."""

    said: list[Row] = attrs.field(repr=False)
    rng: np.random.Generator
    codes: list[str]
    planted: dict[int, list[tuple[str, Planting]]] = attrs.field(factory=dict, repr=False)

    def sow(self, rows: int, second: float) -> None:
        """Deal the codes in turn, each to a row where it is possible, until so many rows have one."""
        order = self.rng.permutation(len(self.said)).tolist()
        alone = self._alone()
        deck: list[str] = []
        for _ in range(rows if self.codes else 0):
            deck = deck or [self.codes[i] for i in self.rng.permutation(len(self.codes)).tolist()]
            code = deck.pop()
            fit = (p for p in order if p not in self.planted and (code not in WARNINGS or p in alone))
            place = next((p for p in fit if self._plant(p, code)), None)
            others = [c for c in self.codes if compatible([code], c)]
            if place is not None and others and self.rng.random() < second:
                self._plant(place, others[int(self.rng.integers(0, len(others)))])

    def _alone(self) -> set[int]:
        """Rows whose customer has no other: a row that is stored may not contradict another of the same."""
        phones = [row["customer.mobile"] for row in self.said]
        count = Counter(phones)
        return {place for place, phone in enumerate(phones) if count[phone] == 1}

    def _plant(self, place: int, code: str) -> bool:
        """Plant one fault in one row, if it is possible there."""
        planting = FAULTS[code][1](self.said[place], self.rng)
        if planting is None:
            return False
        self.said[place].update(planting.says)
        self.planted.setdefault(place, []).append((code, planting))
        return True


def _settle_rate(row: Row, cell: Cell) -> None:
    """Say what a reader of the rate can know: the fixed rate, or the spread."""
    if is_floating(cell):
        row[RATE] = None
    else:
        row["loan.spread_bp"] = None


def _record(path: Path, sheet: str, headings: list[Heading], field: _Field, layout: Layout) -> Planted:
    named = {heading.path: heading.text for heading in headings}
    rows = [
        MessyRow(row, said["place"], {p: v for p, v in said.items() if p != "place"}, row in layout.hidden)
        for row, said in zip(layout.rows, field.said, strict=True)
    ]
    faults = [
        Fault(sheet, layout.rows[place], named[planting.field], planting.field, code)
        for place, plantings in sorted(field.planted.items())
        for code, planting in plantings
    ]
    return Planted(path, sheet, layout.header_row, tuple(headings), tuple(rows), tuple(faults))
