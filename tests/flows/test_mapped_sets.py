"""Three books of other houses, each taken in with a mapping file that is kept: every row is accounted for.

The layouts are those of published sets (loans of the SBA, Statlog German Credit, card holders of Taiwan); the
rows here are invented. What the sets tell and LoanHub has no field for are fields of one's own.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest

from loanhub.entities import Batch
from loanhub.services.people.acts import FIND
from loanhub.services.people.find import Find
from tests.flows.conftest import Office
from tests.flows.sheets import Rows, columns, office_in, reasons, workbook

MAPPINGS = Path(__file__).parents[1] / "fixtures" / "mappings"
EPOCH = date(1960, 1, 1)
COUNT = 60


@contextmanager
def office_of(folder: Path, name: str) -> Iterator[Office]:
    """A home with the fields of its own that a set needs."""
    fields = tomllib.loads((MAPPINGS / f"{name}.fields.toml").read_text(encoding="utf-8"))["fields"]
    with office_in(folder, fields=fields) as office:
        yield office


def taken(office: Office, path: Path, name: str) -> Batch:
    """The file taken in with the mapping that is kept for its set, beside it."""
    shutil.copy(MAPPINGS / f"{name}.mapping.toml", path.with_name(f"{path.name}.mapping.toml"))
    return office.ingest(path)


def accounted(batch: Batch) -> int:
    """The rows that have an outcome."""
    return batch.stored + batch.changed + batch.unchanged + batch.rejected + batch.conflicts


def extras(office: Office, kind: str, number: str, value: str) -> dict[str, object]:
    """The fields of one's own of the record that has this number."""
    (row,) = office.rows(kind).filter(office.rows(kind)[number] == value).to_dicts()
    found: dict[str, object] = json.loads(row["extra"])
    return found


@pytest.mark.parametrize("name", ["sba", "german", "taiwan"])
def test_a_kept_mapping_says_how_and_holds_no_row(name: str) -> None:
    told = tomllib.loads((MAPPINGS / f"{name}.mapping.toml").read_text(encoding="utf-8"))
    assert len(told["columns"]) > 10
    own = tomllib.loads((MAPPINGS / f"{name}.fields.toml").read_text(encoding="utf-8"))["fields"]["custom"]
    mapped = str(told["columns"])
    assert [f["name"] for f in own if f"{f['kind']}.{f['name']}" not in mapped] == []


# -- the SBA's loans -------------------------------------------------------------------------------

SBA = (
    "Selected,LoanNr_ChkDgt,Name,City,State,Zip,Bank,BankState,NAICS,ApprovalDate,ApprovalFY,Term,NoEmp,NewExist,"
    "CreateJob,RetainedJob,FranchiseCode,UrbanRural,RevLineCr,LowDoc,ChgOffDate,DisbursementDate,"
    "DisbursementGross,BalanceGross,MIS_Status,ChgOffPrinGr,GrAppv,SBA_Appv,New,RealEstate,Portion,Recession,"
    "daysterm,xx,Default"
)
NO_TERM = {7, 31}


def guaranteed(at: int) -> str:
    """One loan as the SBA spells it."""
    approved = (date(2001, 4, 9) + timedelta(days=9 * at) - EPOCH).days
    amount, lost = 30_000 + 500 * at, 12_000 if at % 3 == 0 else 0
    cells: list[object] = [at % 2, 9_004_285_000 + at, f"HARBOR {at} REALTY", "ANYTOWN", "CA", 90_001 + at]
    cells += [
        "BANK & TRUST",
        "CA",
        531_210,
        approved,
        2001,
        0 if at in NO_TERM else 36 + at,
        1 + at % 9,
        1 + at % 2,
    ]
    cells += [0, 0, 1, 0, "Y", "N", "" if not lost else approved + 900, approved + 21, amount, 0]
    cells += [
        "CHGOFF" if lost else "P I F",
        lost,
        amount,
        amount // 2,
        0,
        at % 2,
        0.5,
        0,
        1080,
        16_175,
        int(lost > 0),
    ]
    return ",".join(map(str, cells))


def test_loans_of_the_sba_are_all_accounted_for(tmp_path: Path) -> None:
    with office_of(tmp_path, "sba") as office:
        path = tmp_path / "case.csv"
        path.write_text("\r\n".join([SBA, *map(guaranteed, range(COUNT)), ""]), encoding="utf-8-sig")
        batch = taken(office, path, "sba")
        assert (batch.status, batch.rows, batch.stored, batch.rejected) == ("stored", COUNT, COUNT - 2, 2)
        assert accounted(batch) == COUNT
        assert set(office.problems(batch)["row"]) == {at + 2 for at in NO_TERM}
        assert reasons(office, batch) == {"term-zero"}
        loan = office.rows("loan").filter(office.rows("loan")["loan_no"] == "9004285003").to_dicts()[0]
        assert (loan["sign_date"], loan["status"], loan["amount"]) == (
            date(2001, 5, 6),
            "written_off",
            3_150_000,
        )
        own = extras(office, "loan", "loan_no", "9004285003")
        assert own == {"charged_off": 1_200_000, "guaranteed": 1_575_000, "real_estate": True}


# -- applicants without a name, attributes in codes ------------------------------------------------

GERMAN: list[object] = [*(f"Attribute{n}" for n in range(1, 21)), "Label", "Id"]


def applicant(at: int) -> list[object]:
    """One applicant in the codes of the set."""
    cells: list[object] = [f"A1{1 + at % 4}", 6 + at % 40, f"A3{at % 5}", f"A4{at % 10}", 1_000 + 37 * at]
    cells += [
        f"A6{1 + at % 5}",
        f"A7{1 + at % 5}",
        1 + at % 4,
        f"A9{1 + at % 4}",
        f"A10{1 + at % 3}",
        1 + at % 4,
    ]
    cells += [f"A12{1 + at % 4}", 19 + at % 50, f"A14{1 + at % 3}", f"A15{1 + at % 3}", 1 + at % 3]
    cells += [f"A17{1 + at % 4}", 1 + at % 2, f"A19{1 + at % 2}", f"A20{1 + at % 2}", 1 + at % 2, 70_101 + at]
    return cells


def test_applicants_without_a_name_are_known_by_their_number_and_coded_attributes_are_words(
    tmp_path: Path,
) -> None:
    with office_of(tmp_path, "german") as office:
        path = tmp_path / "credit.tsv"
        lines = ["\t".join(map(str, row)) for row in (GERMAN, *map(applicant, range(COUNT)))]
        path.write_text("\n".join([*lines, ""]), encoding="utf-8")
        batch = taken(office, path, "german")
        assert (batch.status, batch.rows, batch.stored) == ("stored", COUNT, COUNT), office.problems(batch)
        assert accounted(batch) == COUNT
        customers, loans = office.rows("customer"), office.rows("loan")
        assert (customers.height, loans.height) == (COUNT, COUNT)
        shown = office.house.desk().do(FIND, Find("70105")).results
        assert {hit.kind for hit in shown} == {"customer", "loan"}
        owner = dict(loans.select("loan_no", "customer_id").rows())
        numbers = dict(customers.select("customer_no", "id").rows())
        assert owner == numbers, "one column says whose loan it is, and which"
        loan = loans.filter(loans["loan_no"] == "70105").to_dicts()[0]
        assert (loan["amount"], loan["term"], loan["purpose"]) == (114_800, 10, "appliances")
        assert extras(office, "customer", "customer_no", "70105")["checking"] == "below 0 DM"
        again = office.ingest(path.rename(tmp_path / "again.tsv"))
        assert again.status == "duplicate"
        path.write_text("\n".join([*lines[:11], ""]), encoding="utf-8")
        assert office.ingest(path).unchanged == 10, "remembered, and found again by the number"


# -- card holders under two header rows ------------------------------------------------------------

TAIWAN: Rows = [
    [None, *(f"X{n}" for n in range(1, 12)), "Y"],
    [
        *("ID", "LIMIT_BAL", "SEX", "EDUCATION", "MARRIAGE", "AGE", "PAY_0", "PAY_2", "PAY_3", "PAY_4"),
        *("PAY_5", "PAY_6", "default payment next month"),
    ],
]


def holder(at: int) -> list[object]:
    """One card holder; codes no description names are among them."""
    late = [(at + month) % 5 - 2 for month in range(6)]
    return [1 + at, 10_000 * (1 + at % 50), 1 + at % 2, at % 7, at % 4, 21 + at % 50, *late, int(at % 4 == 0)]


def test_card_holders_under_two_header_rows_are_all_stored(tmp_path: Path) -> None:
    with office_of(tmp_path, "taiwan") as office:
        path = workbook(tmp_path / "clients.xlsx", [*TAIWAN, *map(holder, range(COUNT))])
        batch = taken(office, path, "taiwan")
        assert (batch.status, batch.content) == ("stored", "customers")
        assert (batch.rows, batch.stored, accounted(batch)) == (COUNT, COUNT, COUNT), office.problems(batch)
        assert columns(batch)["SEX"]["values"] == {"1": "M", "2": "F"}
        (one,) = office.rows("customer").filter(office.rows("customer")["customer_no"] == "6").to_dicts()
        assert (one["gender"], one["education"], one["marital"]) == ("F", None, "married")
        own = extras(office, "customer", "customer_no", "6")
        assert (own["card_limit"], own["late_september"], own["late_july"]) == (6_000_000, "-2", "0")
        assert own["defaulted"] is False
