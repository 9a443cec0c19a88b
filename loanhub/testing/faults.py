"""Faults as clerks make them, each planted in one cell and known by its code.

Codes are those of config/messages (readings, and the cross-checks of intake). A fault changes what a row
says (`says`) or how a cell is written (`cells`), in one place only, so that no other check trips over it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import attrs
import numpy as np
from attrs import frozen

from loanhub.identifiers import luhn
from loanhub.testing.numbers import with_checks
from loanhub.testing.spelling import EMPTY, Cell

Row = dict[str, Any]
Dice = np.random.Generator

WARNINGS: Final = frozenset({"card-luhn", "age-range", "age-id-mismatch", "rate-cap"})
"""With these a row is stored and reported; with any other it is rejected whole."""


@frozen
class Fault:
    """One planted fault: where (`row` as in the sheet, from 1), under which header, and its code.

    A cross-check names the column that is set against another: the birth date, gender or age, not the
    identity number; the disbursement date for dates in a wrong order; the disbursed amount; the balance.
    """

    sheet: str
    row: int
    header: str
    field: str
    code: str

    @property
    def is_warning(self) -> bool:
        return self.code in WARNINGS


@frozen
class Planting:
    """How a fault gets into a row: what the row says otherwise, and cells written as they stand here."""

    field: str
    says: Row = attrs.field(factory=dict, repr=False)
    cells: dict[str, Cell] = attrs.field(factory=dict, repr=False)


Planter = Callable[[Row, Dice], Planting | None]

ID, BIRTH, SEX, AGE = "customer.id_number", "customer.birth_date", "customer.gender", "customer.age"
MOBILE, CARD = "customer.mobile", "customer.bank_card"
AMOUNT, DISBURSED, BALANCE = "loan.amount", "loan.disbursed_amount", "loan.balance"
TERM, RATE = "loan.term", "loan.rate"
SIGNED, STARTED, MATURES = "loan.sign_date", "loan.disburse_date", "loan.maturity_date"
PERSON: Final = frozenset({ID, BIRTH, SEX, AGE})
MONEY: Final = frozenset({AMOUNT, DISBURSED, BALANCE})
DAYS: Final = frozenset({SIGNED, STARTED, MATURES})
NUMBER: Final = frozenset({"loan.loan_no", "loan.contract_no"})
ERRORS: Final = tuple(Cell(error=code) for code in ("#N/A", "#REF!", "#DIV/0!", "#VALUE!"))


@frozen
class _Says:
    """A cell that says one of these, in a row that has a value there."""

    path: str
    texts: tuple[Any, ...]

    def __call__(self, row: Row, rng: Dice) -> Planting | None:
        text = self.texts[int(rng.integers(0, len(self.texts)))]
        return None if row[self.path] is None else Planting(self.path, cells={self.path: Cell(text)})


@frozen
class _Mistyped:
    """A number of a person typed wrongly, as text."""

    path: str
    change: Callable[[str], str]

    def __call__(self, row: Row, _: Dice) -> Planting | None:
        text = row[self.path]
        return (
            None if text is None else Planting(self.path, cells={self.path: Cell(self.change(text), "text")})
        )


@frozen
class _Broken:
    """A cell without a usable value, in one of several columns."""

    cells: tuple[Cell, ...]
    paths: tuple[str, ...]

    def __call__(self, _: Row, rng: Dice) -> Planting | None:
        path = self.paths[int(rng.integers(0, len(self.paths)))]
        return Planting(path, cells={path: self.cells[int(rng.integers(0, len(self.cells)))]})


@frozen
class _Missing:
    """A cell left empty, and others with it that would say the same."""

    path: str
    also: tuple[str, ...] = ()

    def __call__(self, _: Row, __: Dice) -> Planting | None:
        return Planting(self.path, cells=dict.fromkeys((self.path, *self.also), EMPTY))


def _digits_lost(row: Row, rng: Dice) -> Planting | None:
    """A long number in a number cell: Excel keeps 15 digits."""
    path = (ID, CARD)[int(rng.integers(0, 2))]
    text = row[path]
    return (
        None
        if text is None
        else Planting(path, cells={path: Cell(float(text[:17] + "0" * (len(text) - 17)))})
    )


def _wrong_check(number: str) -> str:
    return number[:17] + ("8" if number[17] != "8" else "7")


def _birth_differs(row: Row, rng: Dice) -> Planting | None:
    if row[ID] is None:
        return None
    return Planting(BIRTH, says={BIRTH: row[BIRTH] + timedelta(days=int(rng.integers(1, 25)))})


def _gender_differs(row: Row, _: Dice) -> Planting | None:
    return None if row[ID] is None else Planting(SEX, says={SEX: "F" if row[SEX] == "M" else "M"})


def _age_differs(row: Row, rng: Dice) -> Planting | None:
    return None if row[ID] is None else Planting(AGE, says={AGE: row[AGE] + int(rng.integers(4, 9))})


def _too_old(row: Row, _: Dice) -> Planting | None:
    """76 years old in all columns that say so, and beyond 70 on the day of any loan here."""
    if row[ID] is None:
        return None
    years = 76 - row[AGE]
    birth = row[BIRTH].replace(year=row[BIRTH].year - years, day=min(row[BIRTH].day, 28))
    number = with_checks([f"{row[ID][:6]}{birth:%Y%m%d}{row[ID][14:17]}"])[0]
    return Planting(ID, says={ID: number, BIRTH: birth, AGE: row[AGE] + years})


def _card_differs(row: Row, rng: Dice) -> Planting | None:
    wrong = row[CARD][:-1] + str((int(row[CARD][-1]) + int(rng.integers(1, 10))) % 10)
    return None if luhn(wrong) else Planting(CARD, says={CARD: wrong})


def _dear(_: Row, rng: Dice) -> Planting | None:
    """A rate far above any cap, below the limit of sense."""
    units = int(rng.integers(40, 70)) * 1_000_000
    return Planting(RATE, says={RATE: units, "loan.spread_bp": None})


def _dates_crossed(row: Row, rng: Dice) -> Planting | None:
    gap = timedelta(days=int(rng.integers(20, 60)))
    if rng.random() < 0.5:
        return Planting(STARTED, says={MATURES: row[STARTED] - gap})
    late = row[STARTED] + gap
    return None if late >= row[MATURES] else Planting(STARTED, says={SIGNED: late})


def _paid_out_too_much(row: Row, rng: Dice) -> Planting | None:
    return Planting(DISBURSED, says={DISBURSED: row[AMOUNT] + 1_000_000 * int(rng.integers(1, 5))})


def _owes_too_much(row: Row, rng: Dice) -> Planting | None:
    if row["loan.status"] != "active":
        return None
    return Planting(BALANCE, says={BALANCE: row[AMOUNT] + 100_000 * int(rng.integers(1, 50))})


FAULTS: Final[dict[str, tuple[frozenset[str], Planter]]] = {
    # code: (what must be sound otherwise, so that two faults of one row never meet), how it is planted
    "id-checksum": (PERSON, _Mistyped(ID, _wrong_check)),
    "id-length": (PERSON, _Mistyped(ID, lambda n: n[:9] + n[10:])),
    "id-province": (PERSON, _Mistyped(ID, lambda n: "17" + n[2:])),
    "id-date": (PERSON, _Mistyped(ID, lambda n: n[:10] + "13" + n[12:])),
    "digits-lost": (PERSON | {CARD}, _digits_lost),
    "mobile-format": (frozenset({MOBILE}), _Mistyped(MOBILE, lambda m: "12" + m[2:])),
    "mobile-length": (frozenset({MOBILE}), _Mistyped(MOBILE, lambda m: m[:-1])),
    "date-impossible": (DAYS, _Says(MATURES, ("2027-02-30", "2027年13月5日", "2028/4/31"))),
    "date-short-year": (DAYS, _Says(STARTED, ("25-1-5", "24.6.30"))),
    "amount-unreadable": (MONEY, _Says(AMOUNT, ("见合同", "待定", "as agreed"))),
    "amount-negative": (MONEY, _Says(AMOUNT, ("-50000", -50_000))),
    "amount-range": (MONEY, _Says(AMOUNT, ("20万-30万", "20~30万"))),
    "rate-too-high": (frozenset({RATE}), _Says(RATE, ("120%", "480%"))),
    "rate-unreadable": (frozenset({RATE}), _Says(RATE, ("面议", "见合同"))),
    "term-unreadable": (frozenset({TERM}) | DAYS, _Says(TERM, ("长期", "约定"))),
    "term-zero": (frozenset({TERM}) | DAYS, _Says(TERM, ("0个月", 0))),
    "cell-error": (MONEY | DAYS, _Broken(ERRORS, (AMOUNT, BALANCE, STARTED))),
    "cell-not-calculated": (MONEY, _Broken((Cell(formula=True),), (AMOUNT, BALANCE, DISBURSED))),
    "customer-name-missing": (frozenset({"customer.name"}), _Missing("customer.name")),
    "loan-no-missing": (NUMBER, _Missing("loan.loan_no", ("loan.contract_no",))),
    "loan-amount-missing": (MONEY, _Missing(AMOUNT)),
    # The maturity date is left out with the term: together with the start it would say the term.
    "loan-term-missing": (frozenset({TERM}) | DAYS, _Missing(TERM, (MATURES,))),
    "birth-id-mismatch": (PERSON, _birth_differs),
    "gender-id-mismatch": (PERSON, _gender_differs),
    "age-id-mismatch": (PERSON, _age_differs),
    "dates-order": (DAYS, _dates_crossed),
    "disbursed-above-approved": (MONEY, _paid_out_too_much),
    "balance-above-amount": (MONEY, _owes_too_much),
    "card-luhn": (frozenset({CARD}), _card_differs),
    "age-range": (PERSON, _too_old),
    "rate-cap": (frozenset({RATE}), _dear),
}


def compatible(codes: list[str], another: str) -> bool:
    """Whether a fault may stand beside these in a row: no common column, and all reject or all only warn."""
    uses = FAULTS[another][0]
    return all(not uses & FAULTS[code][0] and (code in WARNINGS) == (another in WARNINGS) for code in codes)
