"""A foreign book: English headers, days as numbers since 1960, dollars, more paid out than approved.

Its shape is that of the loans the US Small Business Administration publishes as a teaching case (Li, Mickel
and Taylor, "Should This Loan be Approved or Denied?", 2018); the firms and figures here are invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from loanhub.entities import KINDS, Batch
from loanhub.records import Query
from loanhub.schema import SEARCH_KEY
from loanhub.services.intake.undo import UNDO, Undo
from loanhub.services.people.acts import FIND
from loanhub.services.people.find import Find
from tests.flows.conftest import Office
from tests.flows.sheets import columns, office_in, reasons

HEAD = (
    "Selected,LoanNr_ChkDgt,Name,City,State,Zip,Bank,NAICS,ApprovalDate,ApprovalFY,Term,NoEmp,RevLineCr,ChgOffDate,"
    "DisbursementDate,DisbursementGross,BalanceGross,MIS_Status,GrAppv,SBA_Appv,Default"
)
EPOCH = date(1960, 1, 1)
COUNT = 120
NO_TERM, TOO_MUCH = {17, 60}, {5, 6, 7, 40}
"""Rows (from 0) with a term of 0, and rows with more paid out than approved."""

MAPPING = """
[columns]
"LoanNr_ChkDgt" = "loan.loan_no"
"Name" = "Customer name"
"Bank" = "customer.bank_name"
"NAICS" = "customer.industry_code"
"ApprovalDate" = { field = "loan.sign_date", epoch = 1960-01-01 }
"DisbursementDate" = { field = "loan.disburse_date", epoch = "1960-01-01" }
"Term" = { field = "loan.term", unit = "month" }
"DisbursementGross" = "loan.disbursed_amount"
"BalanceGross" = "loan.balance"
"MIS_Status" = "loan.status"
"GrAppv" = "loan.amount"

[checks]
"disbursed-above-approved" = "warning"
"""


def firm(at: int) -> str:
    """An invented firm; every tenth name has a comma in it, and two firms share theirs."""
    if at in (30, 31):
        return "RIVER BEND BAKERY"
    return f'"Harbor {at} Realty, Inc. dba H{at}"' if at % 10 == 0 else f"HARBOR {at} REALTY"


def line(at: int) -> str:
    """One loan, as the case spells it."""
    approved = date(2001, 4, 9) + timedelta(days=9 * at)
    paid = approved + timedelta(days=21)
    amount = 30_000 + 500 * at
    cells: list[Any] = [
        at % 2,
        9_004_285_000 + at,
        firm(at),
        "ANYTOWN",
        "CA",
        90_001 + at,
        "BANK & TRUST",
        531_210,
    ]
    cells += [
        (approved - EPOCH).days,
        approved.year,
        0 if at in NO_TERM else 36 + at % 50,
        1 + at % 9,
        "Y",
        "",
    ]
    cells += [(paid - EPOCH).days, amount + 2_812 if at in TOO_MUCH else amount, 0]
    cells += ["CHGOFF" if at % 3 == 0 else "P I F", amount, amount // 2, int(at % 3 == 0)]
    return ",".join(map(str, cells))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A home that takes in this one book."""
    with office_in(tmp_path_factory.mktemp("foreign")) as found:
        yield found


@pytest.fixture(scope="module")
def path(office: Office) -> Path:
    """The book with its mark of UTF-8, and its mapping beside it."""
    path = office.folder / "case.csv"
    path.write_text("\r\n".join([HEAD, *map(line, range(COUNT)), ""]), encoding="utf-8-sig")
    (office.folder / "case.mapping.toml").write_text(MAPPING, encoding="utf-8")
    return path


def everything(office: Office) -> dict[str, pl.DataFrame]:
    """All that is known of people and their business, and all that can be found."""
    ours = set(KINDS) - {"batch", "statement", "layout", "sequence"}
    found = {kind: office.rows(kind) for kind in ours}
    with office.house.store.reading() as tx:
        return found | {SEARCH_KEY: tx.columns(Query(SEARCH_KEY))}


@pytest.fixture(scope="module")
def before(office: Office, path: Path) -> dict[str, pl.DataFrame]:
    """What the home held before; somebody was there already."""
    (office.folder / "own.csv").write_text(
        "Name,Loan No,Amount,Term\nHARBOR 3 REALTY,X1,1000,12\n", encoding="utf-8"
    )
    office.ingest(office.folder / "own.csv")
    return everything(office)


@pytest.fixture(scope="module")
def batch(office: Office, path: Path, before: dict[str, pl.DataFrame]) -> Batch:
    """The book taken in."""
    return office.ingest(path)


def test_without_a_mapping_the_book_is_not_guessed_at(office: Office, path: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_bytes(path.read_bytes())
    read = office.ingest(bare, dry=True)
    assert "loan.amount" not in {column["field"] for column in columns(read).values()}
    assert (read.rows, read.stored, read.rejected) == (COUNT, 0, COUNT), "a loan has a number and an amount"


def test_every_row_of_the_book_is_accounted_for(office: Office, batch: Batch) -> None:
    assert batch.status == "stored"
    assert (batch.rows, batch.stored, batch.rejected) == (COUNT, COUNT - len(NO_TERM), len(NO_TERM))
    assert reasons(office, batch) == {"term-zero", "disbursed-above-approved", "same-name"}
    told = office.problems(batch)
    assert set(told.filter(pl.col("code") == "term-zero")["row"]) == {at + 2 for at in NO_TERM}
    assert set(told.filter(pl.col("code") == "disbursed-above-approved")["row"]) == {
        at + 2 for at in TOO_MUCH
    }


def test_day_numbers_and_dollars_are_what_the_mapping_says(office: Office, batch: Batch) -> None:
    loan = office.rows("loan").filter(pl.col("loan_no") == "9004285001").to_dicts()[0]
    assert (loan["sign_date"], loan["disburse_date"]) == (date(2001, 4, 18), date(2001, 5, 9))
    assert (loan["amount"], loan["term"], loan["term_unit"], loan["balance"]) == (3_050_000, 37, "month", 0)
    assert columns(batch)["ApprovalDate"]["epoch"] == "1960-01-01"
    assert columns(batch)["Zip"]["field"] == ""


def test_people_with_one_name_stay_apart_and_are_told(office: Office, batch: Batch) -> None:
    bakers = office.rows("customer").filter(pl.col("name") == "RIVER BEND BAKERY")
    assert bakers.height == 2
    assert {32, 33} & set(office.problems(batch).filter(pl.col("code") == "same-name")["row"])


def test_its_loans_and_people_are_found(office: Office, batch: Batch) -> None:
    desk = office.house.desk()
    (hit,) = desk.do(FIND, Find("9004285001")).results
    assert hit.kind == "loan"
    assert len(desk.do(FIND, Find("river bend")).results) == 2
    assert desk.do(FIND, Find("9004285017")).results == (), "a rejected row is not there"


def test_the_book_again_is_a_duplicate_and_undo_leaves_the_home_as_before(
    office: Office, path: Path, batch: Batch, before: dict[str, pl.DataFrame]
) -> None:
    again = office.ingest(path)
    assert (again.status, again.id) == ("duplicate", batch.id)
    done = office.house.desk().do(UNDO, Undo(batch.id, "只是试一试"))
    assert done.kept == ()
    after = everything(office)
    for kind, frame in before.items():
        assert after[kind].equals(frame), kind
    once_more = office.ingest(path)
    assert (once_more.status, once_more.stored) == ("stored", COUNT - len(NO_TERM))
