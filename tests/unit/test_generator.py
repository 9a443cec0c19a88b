"""The invented institutions: nobody is real, everything fits together, and what is planted is known."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl  # type: ignore[import-untyped, unused-ignore]
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from loanhub.entities import KINDS
from loanhub.fields import FieldType, fields_of
from loanhub.identifiers import (
    birth_of,
    gender_of,
    lost_digits,
    read_card,
    read_mobile,
    read_resident_id,
    read_uscc,
)
from loanhub.readings import Reading
from loanhub.readings.amounts import read_amount
from loanhub.readings.choices import shipped_choices
from loanhub.readings.dates import read_date
from loanhub.readings.headers import header_hints
from loanhub.readings.plain import read_name, read_text, read_whole
from loanhub.readings.rates import read_rate
from loanhub.readings.terms import read_term
from loanhub.testing import (
    CONTENTS,
    FAULTS,
    Book,
    Planted,
    changes,
    csv_file,
    messy_workbook,
    revise,
    tidy_workbook,
)
from loanhub.testing.columns import known_fields
from loanhub.testing.spelling import capitals

FRAMES = ("people", "loans", "receipts", "credit", "follow_ups")


@pytest.fixture(scope="module")
def book() -> Book:
    return Book.make(7, customers=400)


# People ---------------------------------------------------------------------------------------------------


def test_the_same_seed_makes_the_same_institution_and_another_makes_another(book: Book) -> None:
    again, other = Book.make(7, customers=400), Book.make(8, customers=400)
    for name in FRAMES:
        assert_frame_equal(getattr(book, name), getattr(again, name))
        assert not getattr(book, name).equals(getattr(other, name))


def test_invented_numbers_pass_their_own_checks_and_belong_to_no_real_person(book: Book) -> None:
    for person in book.people.iter_rows(named=True):
        assert read_mobile(person["mobile"]).ok
        card = read_card(person["bank_card"])
        assert card.ok
        assert card.warning is None
        if person["uscc"]:
            code = read_uscc(person["uscc"])
            assert (code.problem, code.warning) == (None, None)
        if person["id_number"]:
            number = read_resident_id(person["id_number"], today=book.today)
            assert (number.problem, number.warning) == (None, None)
            assert person["id_number"][2:6] == "9999"
            assert birth_of(person["id_number"]) == person["birth_date"]
            assert gender_of(person["id_number"]) == person["gender"]


def test_no_number_is_given_twice() -> None:
    people = Book.make(1, customers=30_000, loans=0, receipts=False, follow_ups=0).people
    for name in ("customer_no", "id_number", "uscc", "mobile", "bank_card"):
        given = people[name].drop_nulls()
        assert given.n_unique() == given.len(), name


def test_every_kind_of_customer_and_name_is_there(book: Book) -> None:
    assert set(book.people["customer_type"]) == set(shipped_choices()["customer_type"].values)
    names = book.people["name"]
    assert any("·" in name for name in names)
    assert any(len(name) == 2 for name in names)
    assert book.people.filter(customer_type="company")["id_number"].null_count() == sum(
        book.people["customer_type"] == "company"
    )


def test_choices_are_those_of_the_house(book: Book) -> None:
    frames = {
        "customer": book.people,
        "loan": book.loans,
        "credit": book.credit,
        "follow_up": book.follow_ups,
    }
    for kind, frame in frames.items():
        for name, about in fields_of(KINDS[kind]).items():
            if about.choices and name in frame.columns:
                assert set(frame[name].drop_nulls()) <= set(shipped_choices()[about.choices].values), (
                    about.path
                )


# Loans ----------------------------------------------------------------------------------------------------


def test_loans_are_applied_for_signed_disbursed_and_due_in_this_order(book: Book) -> None:
    for loan in book.loans.iter_rows(named=True):
        assert loan["apply_date"] <= loan["sign_date"] <= loan["disburse_date"] <= book.today
        months = (loan["maturity_date"].year - loan["disburse_date"].year) * 12
        assert months + loan["maturity_date"].month - loan["disburse_date"].month == loan["term"]
        assert loan["due_day"] == loan["disburse_date"].day == loan["maturity_date"].day


def test_what_is_owed_is_what_was_paid_out_less_what_was_repaid(book: Book) -> None:
    repaid = dict(book.receipts.group_by("loan").agg(pl.col("paid_principal").sum()).iter_rows())
    for place, loan in enumerate(book.loans.iter_rows(named=True)):
        assert loan["balance"] == loan["disbursed_amount"] - repaid.get(place, 0)
        assert 0 <= loan["balance"] <= loan["disbursed_amount"] <= loan["amount"] <= loan["applied_amount"]
        assert (loan["status"] == "settled") == (loan["balance"] == 0)


def test_some_loans_are_overdue_and_their_arrears_are_known(book: Book) -> None:
    overdue = book.loans.filter(pl.col("overdue_days") > 0)
    assert 0.03 < overdue.height / book.loans.height < 0.15
    assert (overdue["overdue_principal"] + overdue["overdue_interest"] > 0).all()
    on_time = book.loans.filter(pl.col("overdue_days") == 0)
    assert on_time["overdue_principal"].sum() == 0


def test_the_published_loan_of_200000_over_a_year_is_repaid_as_published() -> None:
    # DOMAIN.md section 2: 100000 yuan, 12 months, 12 %, equal instalments: first 8884.88, row total 6618.53.
    import numpy as np

    from loanhub.testing.loans import _Periods, _repay

    contract = {
        "amount": np.array([10_000_000]),
        "rate": np.array([12_000_000]),
        "method": ["equal_installment"],
    }
    terms = np.array([12])
    started = np.array(["2025-01-15"], dtype="datetime64[D]")
    past = _repay(contract, terms, _Periods(terms, terms, started), receipts=True)
    assert past.receipts["paid_amount"][0] == 888_488
    assert past.receipts["paid_amount"][-1] == 888_485
    assert past.receipts["paid_interest"].sum() == 661_853
    assert past.balance.tolist() == [0]


# Tidy files -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_tidy_workbook_has_a_sheet_for_each_content_and_numbers_of_people_as_text(
    book: Book, tmp_path: Path, lang: Any
) -> None:
    path = tmp_path / "book.xlsx"
    tidy_workbook(book, path, lang, contents=CONTENTS)
    workbook = openpyxl.load_workbook(path)
    assert [sheet.max_row - 1 for sheet in workbook] == [book.table(content).height for content in CONTENTS]
    rows = list(workbook.worksheets[0].iter_rows(values_only=True))
    assert len(rows[0]) == 20
    first = book.table("mixed").row(0, named=True)
    assert rows[1][1] == first["customer.id_number"]
    assert rows[1][12] == first["loan.amount"] / 100
    assert rows[1][16] == datetime.combine(first["loan.disburse_date"], datetime.min.time())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_file_says_the_same_in_every_encoding(book: Book, tmp_path: Path, encoding: Any) -> None:
    path = tmp_path / "loans.csv"
    csv_file(book, path, columns=45, encoding=encoding)
    lines = path.read_bytes().decode(encoding).splitlines()
    assert lines[0].startswith("客户姓名,身份证号,手机号码")
    assert len(lines) == book.loans.height + 1
    assert lines[1].split(",")[9] == book.loans["loan_no"][0]


def test_a_thousand_rows_take_no_time(tmp_path: Path) -> None:
    small = Book.make(2, customers=1000, loans=1000)
    tidy_workbook(small, tmp_path / "a.xlsx", columns=30)
    assert openpyxl.load_workbook(tmp_path / "a.xlsx", read_only=True).worksheets[0].max_row == 1001


# Revisions ------------------------------------------------------------------------------------------------


def test_a_revised_book_differs_in_known_values_and_has_new_customers_at_the_end(book: Book) -> None:
    revised = revise(book, 1)
    found = changes(book, revised)
    assert {c.field for c in found} == {
        "mobile", "address", "monthly_income", "remark", "purpose", "balance", "employer", "wechat",
    }  # fmt: skip
    assert any(c.after is None for c in found)
    assert revised.people.height == book.people.height + 8
    assert revised.loans.height == book.loans.height + 8
    assert revised.people["mobile"].n_unique() == revised.people.height
    assert revised.loans["loan_no"].n_unique() == revised.loans.height
    assert set(revised.loans["customer"]) >= set(range(400, 408))


def test_an_unrevised_book_has_no_changes(book: Book) -> None:
    assert changes(book, revise(book, 1, changed=0, emptied=0, added=0)) == []


# Messy workbooks ------------------------------------------------------------------------------------------


class Sheet:
    """The cells of a messy workbook as texts, with what they were; merged branches filled down."""

    def __init__(self, planted: Planted) -> None:
        self.values = openpyxl.load_workbook(planted.path, data_only=True).worksheets[0]
        self.formulas = openpyxl.load_workbook(planted.path).worksheets[0]
        self.columns = {heading.path: i for i, heading in enumerate(planted.headings, start=2)}
        self.merged = {
            (row, area.min_col): self.values.cell(area.min_row, area.min_col).value
            for area in self.values.merged_cells.ranges
            for row in range(area.min_row, area.max_row + 1)
        }

    def read(self, row: int, path: str, header: str) -> Reading[Any]:
        """One cell, read by the reading of its field."""
        column = self.columns[path]
        cell, formula = self.values.cell(row, column), self.formulas.cell(row, column)
        if cell.data_type == "e":
            return Reading(None, "cell-error")
        if formula.data_type == "f" and cell.value is None:
            return Reading(None, "cell-not-calculated")
        value = self.merged.get((row, column), cell.value)
        if value is None:
            return Reading(None, "cell-empty")
        number = isinstance(value, int | float)
        if number and cell.number_format.endswith("%"):
            return read_as(path, f"{Decimal(repr(value)) * 100}%", header, number=False)
        text = value.date().isoformat() if isinstance(value, datetime) else str(value)
        return read_as(path, text, header, number=number)


def read_as(path: str, text: str, header: str, *, number: bool) -> Reading[Any]:
    """The text as its field is read, in stored form."""
    about, hints = known_fields()[path], header_hints(header)
    if about.choices:
        return shipped_choices()[about.choices].read(text)
    if (
        number
        and about.type in {FieldType.RESIDENT_ID, FieldType.CARD, FieldType.MOBILE}
        and lost_digits(text)
    ):
        return Reading(None, "digits-lost")
    reading: Reading[Any]
    match about.type:
        case FieldType.MONEY:
            zero = path != "loan.amount"
            return read_amount(text, unit=hints.amount_unit, allow_zero=zero, number_cell=number)
        case FieldType.RATE:
            reading = read_rate(text, header_unit=hints.rate_unit, period=hints.period)
            rate = reading.value
            spread = None if rate is None else rate.spread_bp
            units = None if rate is None or rate.annual is None else int(rate.annual * 10**8)
            return Reading((units, spread), reading.problem, reading.warning)
        case FieldType.TERM:
            reading = read_term(text)
            return Reading(reading.value and reading.value.months(), reading.problem)
        case FieldType.DATE:
            return read_date(text)
        case FieldType.INTEGER:
            return read_whole(text)
        case FieldType.RESIDENT_ID:
            return read_resident_id(text)
        case FieldType.MOBILE:
            return read_mobile(text)
        case FieldType.CARD:
            return read_card(text)
        case FieldType.NAME:
            return read_name(text)
        case _:
            return read_text(text)


CROSS_CHECKED = {
    "birth-id-mismatch", "gender-id-mismatch", "age-id-mismatch", "dates-order", "disbursed-above-approved",
    "balance-above-amount", "age-range", "rate-cap",
}  # fmt: skip
MISSING = {"customer-name-missing", "loan-no-missing", "loan-amount-missing", "loan-term-missing"}


@pytest.mark.parametrize(("seed", "lang"), [(s, "zh") for s in range(5)] + [(s, "en") for s in range(2)])
def test_every_cell_of_a_messy_workbook_reads_right_except_where_a_fault_is_planted(
    tmp_path: Path, seed: int, lang: Any
) -> None:
    messy = Book.make(seed + 20, customers=80)
    planted = messy_workbook(messy, tmp_path / "m.xlsx", seed, lang)
    sheet = Sheet(planted)
    faults = {(fault.row, fault.field): fault.code for fault in planted.faults}
    beside = {fault.row for fault in planted.faults if fault.code in MISSING}
    for row in planted.rows:
        for path in sheet.columns:
            reading = sheet.read(row.row, path, planted.header(path))
            code = faults.get((row.row, path))
            if code is not None and code not in CROSS_CHECKED:
                expected = "cell-empty" if code in MISSING else code
                assert expected in {reading.problem, reading.warning}, (path, code)
            elif reading.problem == "cell-empty":
                assert row.values[path] is None or row.row in beside, path
            else:
                said = (
                    row.values[path]
                    if path != "loan.rate"
                    else (row.values[path], row.values["loan.spread_bp"])
                )
                assert reading.problem is None, (path, reading.problem)
                assert reading.warning is None, (path, reading.warning)
                assert reading.value == said, path


def test_rows_without_a_planted_fault_contradict_nothing(tmp_path: Path) -> None:
    messy = Book.make(3, customers=200)
    planted = messy_workbook(messy, tmp_path / "m.xlsx", 3)
    faulty = {fault.row for fault in planted.faults}
    for row in planted.rows:
        said = row.values
        if row.row not in faulty:
            assert said["loan.balance"] <= said["loan.disbursed_amount"] <= said["loan.amount"]
            assert said["loan.sign_date"] <= said["loan.disburse_date"] < said["loan.maturity_date"]
            if said["customer.id_number"]:
                assert birth_of(said["customer.id_number"]) == said["customer.birth_date"]
                assert gender_of(said["customer.id_number"]) == said["customer.gender"]
                assert 18 < said["customer.age"] < 60


def test_all_faults_are_dealt_evenly_and_two_in_a_row_never_touch_one_column(tmp_path: Path) -> None:
    planted = messy_workbook(Book.make(5, customers=300), tmp_path / "m.xlsx", 5, share=0.3, second=0.5)
    count = Counter(fault.code for fault in planted.faults)
    assert set(count) == set(FAULTS)
    assert max(count.values()) <= 4 * min(count.values()) + 4
    by_row: dict[int, list[str]] = {}
    for fault in planted.faults:
        by_row.setdefault(fault.row, []).append(fault.code)
    assert max(len(codes) for codes in by_row.values()) == 2
    for codes in by_row.values():
        used = [name for code in codes for name in FAULTS[code][0]]
        assert len(used) == len(set(used))
    assert len(by_row) == round(0.3 * len(planted.rows))


def test_faults_can_be_chosen_or_left_out(tmp_path: Path) -> None:
    messy = Book.make(6, customers=60)
    none = messy_workbook(messy, tmp_path / "none.xlsx", 1, share=0)
    assert none.faults == ()
    assert none.rejected == frozenset()
    only = messy_workbook(messy, tmp_path / "only.xlsx", 1, codes={"id-checksum"}, age=False)
    assert {fault.code for fault in only.faults} == {"id-checksum"}
    assert only.rejected == {fault.row for fault in only.faults}
    assert "customer.age" not in {heading.path for heading in only.headings}


def test_a_messy_sheet_is_messy(tmp_path: Path) -> None:
    messy = Book.make(9, customers=150)
    seen: Counter[str] = Counter()
    for seed in range(6):
        planted = messy_workbook(messy, tmp_path / "m.xlsx", seed)
        sheet = openpyxl.load_workbook(planted.path).worksheets[0]
        first, last = planted.rows[0].row, planted.rows[-1].row
        seen["title"] += planted.header_row > 2
        seen["merged"] += any(area.min_row >= first for area in sheet.merged_cells.ranges)
        seen["hidden"] += any(row.hidden and sheet.row_dimensions[row.row].hidden for row in planted.rows)
        seen["blank"] += last - first + 1 > len(planted.rows)
        seen["total"] += sheet.cell(last + 1, 1).value == "合计"
        seen["unit"] += any("万元" in heading.text for heading in planted.headings)
        assert [sheet.cell(planted.header_row, c).value for c in range(2, 26)] == [
            h.text for h in planted.headings
        ]
    assert {"title", "merged", "hidden", "blank", "total", "unit"} <= {
        name for name, count in seen.items() if count
    }
    assert seen["total"] == seen["merged"] == 6


def test_the_same_seed_writes_the_same_mess(tmp_path: Path) -> None:
    messy = Book.make(9, customers=40)
    first, second = (messy_workbook(messy, tmp_path / f"{name}.xlsx", 4) for name in "ab")
    assert first.faults == second.faults
    assert first.rows == second.rows


def test_what_stands_in_a_row_is_not_shown_by_accident(tmp_path: Path) -> None:
    planted = messy_workbook(Book.make(9, customers=40), tmp_path / "m.xlsx", 4)
    number = next(row.values["customer.mobile"] for row in planted.rows)
    assert number not in repr(planted)
    assert number not in repr(planted.rows[0])


@pytest.mark.parametrize(
    ("yuan", "text"),
    [
        (10, "壹拾"),
        (205, "贰佰零伍"),
        (20_500, "贰万零伍佰"),
        (1_000_001, "壹佰万零壹"),
        (7000, "柒仟"),
        (10_010, "壹万零壹拾"),
    ],
)
def test_capital_numerals_are_written_as_on_a_cheque(yuan: int, text: str) -> None:
    assert capitals(yuan) == text
    assert read_amount(f"{text}元整").value == yuan * 100


def test_ages_hold_on_the_day_of_the_book(book: Book) -> None:
    table = book.table("customers").filter(pl.col("customer.age").is_not_null())
    for birth, age in table.select("customer.birth_date", "customer.age").iter_rows():
        turned = date(birth.year + age, birth.month, min(birth.day, 28))
        assert turned <= book.today
        assert (book.today - turned).days <= 369
