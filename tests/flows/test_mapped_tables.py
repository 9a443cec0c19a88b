"""Several tables of one sheet on their way in, through a kill, a report and a revision; values remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest

from loanhub.entities import Batch
from loanhub.services.intake.acts import MAPPINGS, SET, MappingList, MappingSet
from tests.flows.conftest import Office
from tests.flows.sheets import (
    HEAD,
    Rows,
    columns,
    fields,
    killed,
    loan,
    office_in,
    person,
    questions,
    summary,
    workbook,
)

PAID = ["借据号", "实还日期", "实还金额"]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A home in which two rows land at a time, so that a kill falls between them."""
    with office_in(tmp_path, intake={"chunk": 2}) as found:
        yield found


def paid(number: int, amount: object = 900) -> list[object]:
    return [f"J{number:04}", f"2026-02-{number:02}", amount]


def page(loans: Rows, receipts: Rows) -> Rows:
    """Loans, and below them what was paid; beside them, behind an empty column, who answers the phone."""
    people: Rows = [["客户姓名", "手机号码"], *([person(n).name, person(n).mobile] for n in (1, 2))]
    upper = [[*row, None, *(people[i] if i < len(people) else [])] for i, row in enumerate([HEAD, *loans])]
    return [*upper, [], ["二、还款"], PAID, *receipts]


def accounted(batch: Batch) -> int:
    return batch.stored + batch.changed + batch.unchanged + batch.rejected + batch.conflicts


def seen(office: Office) -> tuple[list[str], list[int]]:
    """Loan numbers, and the rows of money paid."""
    amounts = sorted(office.rows("receipt")["paid_amount"].to_list())
    return sorted(office.rows("loan")["loan_no"].to_list()), amounts


def test_rows_of_all_tables_of_a_sheet_are_stored_and_accounted_for(office: Office, tmp_path: Path) -> None:
    rows = page([loan(n) for n in (1, 2, 3)], [paid(1), paid(2, 901), paid(9), paid(3, "x")])
    batch = office.ingest(workbook(tmp_path / "一页.xlsx", rows))
    assert (batch.status, batch.content, batch.rows) == ("stored", "mixed", 9)
    assert (accounted(batch), batch.rejected) == (9, 2)
    assert seen(office) == (["J0001", "J0002", "J0003"], [90_000, 90_100])
    told = office.problems(batch).filter(office.problems(batch)["severity"] == "error")
    assert set(told["row"]) == {10, 11}, "rows are told by their place in the sheet"
    plans = [sheet["plan"] for sheet in batch.decisions["sheets"]]
    assert [(p["subject"], p.get("place", 1), p["header_row"]) for p in plans] == [
        ("customers", 3, 1),
        ("loans", 1, 1),
        ("receipts", 2, 7),
    ]
    assert batch.decisions["sheets"][1]["left_out"] == {"title-row": 1}


def test_corrected_rows_of_the_report_come_back_into_their_own_table(office: Office, tmp_path: Path) -> None:
    batch = office.ingest(
        workbook(tmp_path / "一页.xlsx", page([loan(1), loan(2, 期限="?")], [paid(1, "x")]))
    )
    assert batch.rejected == 2
    book = openpyxl.load_workbook(batch.report)
    for sheet in book.worksheets[2:]:
        head = [cell.value for cell in sheet[1]]
        for header, value in (("期限", "12个月"), ("实还金额", 905)):
            if header in head:
                sheet.cell(2, head.index(header) + 1, value)
    corrected = tmp_path / "改好.xlsx"
    book.save(corrected)
    again = office.ingest(corrected)
    assert (again.rows, again.stored, again.rejected) == (2, 2, 0), office.problems(again)
    assert seen(office) == (["J0001", "J0002"], [90_500])


@pytest.mark.parametrize("landed", [1, 4])
def test_killed_in_any_table_it_goes_on_in_the_same_tables(
    landed: int, office: Office, tmp_path: Path
) -> None:
    path = workbook(tmp_path / "一页.xlsx", page([loan(n) for n in (1, 2, 3)], [paid(1), paid(2), paid(3)]))
    killed(office, path, landed)
    batch = office.ingest(path)
    assert (batch.status, batch.rows, accounted(batch), batch.rejected) == ("stored", 8, 8, 0)
    assert seen(office) == (["J0001", "J0002", "J0003"], [90_000] * 3)


def test_a_revised_sheet_of_several_tables_changes_what_it_says_anew(office: Office, tmp_path: Path) -> None:
    first = page([loan(1), loan(2)], [paid(1), paid(2)])
    assert office.ingest(workbook(tmp_path / "一页.xlsx", first)).stored == 6
    second = page([loan(1), loan(2), loan(3)], [paid(1), paid(2), paid(3)])
    again = office.ingest(workbook(tmp_path / "一页二.xlsx", second))
    assert (again.rows, again.unchanged, again.stored) == (8, 6, 2), (
        "a table that moved down is the same table"
    )


# -- remembered ------------------------------------------------------------------------------------

ODD = ["客户姓名", "号码甲", "借据号", "贷款金额", "期限"]


def odd(*numbers: int) -> Rows:
    return [ODD, *([person(n).name, person(n).id_number, f"J{n}", 10_000, 12] for n in numbers)]


def test_what_values_decided_holds_for_a_sheet_too_short_to_say_it(office: Office, tmp_path: Path) -> None:
    alone = office.ingest(workbook(tmp_path / "一行.xlsx", odd(9)), dry=True)
    assert fields(alone)["号码甲"] == "", "one value proves nothing"
    batch = office.ingest(workbook(tmp_path / "一月.xlsx", odd(*range(1, 6))))
    assert columns(batch)["号码甲"]["how"] == "values"
    assert any("5 个中有 5 个是有效的身份证号" in str(cell) for line in summary(batch) for cell in line)
    later = office.ingest(workbook(tmp_path / "二月.xlsx", odd(9)))
    assert (columns(later)["号码甲"]["how"], later.stored) == ("recalled", 1)
    assert len(office.house.desk().do(MAPPINGS, MappingList())) == 1


def test_values_that_say_something_else_next_month_are_asked(office: Office, tmp_path: Path) -> None:
    office.ingest(workbook(tmp_path / "一月.xlsx", odd(*range(1, 6))))
    rows: Rows = [ODD, *([person(n).name, person(n).mobile, f"J{n}", 10_000, 12] for n in range(6, 10))]
    later = office.ingest(workbook(tmp_path / "二月.xlsx", rows))
    assert questions(later) == {
        "号码甲": ("header-contradicts", ["customer.id_number", "customer.mobile"]),
    }
    assert office.rows("loan").height == 5


def test_codes_are_asked_once_and_explained_in_a_command(office: Office, tmp_path: Path) -> None:
    rows: Rows = [[*HEAD, "性别"], *([*loan(n), int(person(n).id_number[16]) % 2] for n in range(1, 6))]
    asked = office.ingest(workbook(tmp_path / "代码.xlsx", rows))
    assert questions(asked) == {"性别": ("unknown-words", ["customer.gender"])}
    office.house.desk().do(SET, MappingSet(asked.id, ("性别=customer.gender,values=1:男;0:女",)))
    batch = office.ingest(tmp_path / "代码.xlsx")
    assert (batch.id, batch.stored, batch.rejected) == (asked.id, 5, 0), office.problems(batch)
    told = [{"1": "M", "0": "F"}[str(int(person(n).id_number[16]) % 2)] for n in range(1, 6)]
    assert office.rows("customer")["gender"].to_list() == told
