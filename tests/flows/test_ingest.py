"""A workbook becomes customers, loans, credit and follow-ups; what a clerk is told."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from loanhub.testing import Book, messy_workbook, revise, tidy_workbook
from tests.flows.conftest import Office
from tests.flows.sheets import workbook

HEAD = ["客户姓名", "身份证号", "手机号码", "借据号", "贷款金额", "期限", "贷款利率", "还款方式", "放款日期"]
ZHANG = [
    "张三丰",
    "119999199005120016",
    "13800000000",
    "JJ001",
    "20万",
    "12个月",
    "12%",
    "等额本息",
    "2026-01-15",
]
LI = ["李四", "519999197811301263", "13900000001", "JJ002", "50000", "24", "9.6%", "先息后本", "2026/2/1"]


def sheet(path: Path, rows: list[list[object]], head: list[str] = HEAD) -> Path:
    """A small workbook of text cells with one sheet."""
    return workbook(path, [head, *rows])


def test_a_row_becomes_a_customer_and_a_loan(office: Office, tmp_path: Path) -> None:
    batch = office.ingest(sheet(tmp_path / "台账.xlsx", [ZHANG, LI]))
    assert (batch.status, batch.content, batch.rows, batch.stored, batch.rejected) == (
        "stored",
        "loans",
        2,
        2,
        0,
    )
    loan = office.rows("loan").filter(pl.col("loan_no") == "JJ001").to_dicts()[0]
    assert (loan["amount"], loan["term"], loan["term_unit"], loan["rate"]) == (
        20_000_000,
        12,
        "month",
        12_000_000,
    )
    assert (loan["method"], str(loan["disburse_date"])) == ("equal_installment", "2026-01-15")
    assert set(office.rows("customer")["name"]) == {"张三丰", "李四"}


def test_a_file_dropped_twice_is_stored_once(office: Office, tmp_path: Path) -> None:
    first = office.ingest(sheet(tmp_path / "a.xlsx", [ZHANG, LI]))
    again = office.ingest(tmp_path / "a.xlsx")
    assert (again.status, again.id) == ("duplicate", first.id)
    assert office.rows("loan").height == 2


def test_the_file_given_to_ingest_is_never_moved_or_changed(office: Office, tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.xlsx", [ZHANG])
    before = path.read_bytes()
    office.ingest(path)
    assert path.read_bytes() == before


def test_a_row_stands_or_falls_whole(office: Office, tmp_path: Path) -> None:
    bad = [*LI]
    bad[1] = "519999197811301264"
    batch = office.ingest(sheet(tmp_path / "a.xlsx", [ZHANG, bad]))
    assert (batch.stored, batch.rejected) == (1, 1)
    assert office.codes(batch) == {"id-checksum"}
    assert (office.rows("customer").height, office.rows("loan").height) == (1, 1)


def test_what_the_sheet_changed_is_applied_and_what_it_did_not_is_left(
    office: Office, tmp_path: Path
) -> None:
    office.ingest(sheet(tmp_path / "a.xlsx", [[*ZHANG, "普惠贷"], [*LI, "普惠贷"]], [*HEAD, "贷款产品"]))
    changed = [*ZHANG, "经营贷"]
    batch = office.ingest(sheet(tmp_path / "a2.xlsx", [changed, [*LI, "普惠贷"]], [*HEAD, "贷款产品"]))
    assert (batch.rows, batch.changed, batch.unchanged) == (2, 1, 1)
    products = dict(office.rows("loan").select("loan_no", "product").iter_rows())
    assert products == {"JJ001": "经营贷", "JJ002": "普惠贷"}


def test_an_empty_cell_never_erases_and_a_clear_mark_does(office: Office, tmp_path: Path) -> None:
    head = [*HEAD, "贷款用途"]
    office.ingest(sheet(tmp_path / "a.xlsx", [[*ZHANG, "进货"]], head))
    same = office.ingest(sheet(tmp_path / "b.xlsx", [[*ZHANG, None], [*LI, "装修"]], head))
    assert (same.unchanged, same.stored) == (1, 1)
    assert office.rows("loan").filter(pl.col("loan_no") == "JJ001")["purpose"][0] == "进货"
    office.ingest(sheet(tmp_path / "c.xlsx", [[*ZHANG, "清空"], [*LI, "装修"]], head))
    assert office.rows("loan").filter(pl.col("loan_no") == "JJ001")["purpose"][0] is None


def test_a_changed_phone_waits_for_confirmation(office: Office, tmp_path: Path) -> None:
    office.ingest(sheet(tmp_path / "a.xlsx", [ZHANG]))
    moved = [*ZHANG]
    moved[2] = "13700000009"
    batch = office.ingest(sheet(tmp_path / "b.xlsx", [moved]))
    assert (batch.changed, batch.waiting) == (1, 1)
    assert office.rows("customer")["mobile"].to_list() == ["13800000000"]
    wishes = office.rows("pending").to_dicts()
    assert [w["state"] for w in wishes] == ["waiting"]


def test_the_same_person_in_two_files_is_one_customer(office: Office, tmp_path: Path) -> None:
    office.ingest(sheet(tmp_path / "a.xlsx", [ZHANG]))
    other = [*ZHANG]
    other[3] = "JJ009"
    batch = office.ingest(sheet(tmp_path / "b.xlsx", [other]))
    assert batch.stored == 1
    assert (office.rows("customer").height, office.rows("loan").height) == (1, 2)


def test_people_known_by_name_only_are_never_merged(office: Office, tmp_path: Path) -> None:
    head = ["客户姓名", "借据号", "贷款金额", "期限"]
    rows: list[list[object]] = [["王伟", "A1", "10万", "12个月"], ["王伟", "A2", "20万", "12个月"]]
    batch = office.ingest(sheet(tmp_path / "a.xlsx", rows, head))
    assert (batch.stored, office.rows("customer").height) == (2, 2)
    assert "same-name" in office.codes(batch)


def test_undo_takes_back_what_nobody_built_upon(office: Office, tmp_path: Path) -> None:
    from loanhub.services.intake.undo import UNDO, Undo

    office.ingest(sheet(tmp_path / "a.xlsx", [[*ZHANG, "普惠贷"]], [*HEAD, "贷款产品"]))
    before = {
        k: office.rows(k).drop("version", "at", "line", "id_number", strict=False)
        for k in ("customer", "loan")
    }
    batch = office.ingest(
        sheet(tmp_path / "b.xlsx", [[*ZHANG, "经营贷"], [*LI, "普惠贷"]], [*HEAD, "贷款产品"])
    )
    done = office.house.desk().do(UNDO, Undo(batch.id, "放错了"))
    assert (done.removed, done.restored, done.kept) == (2, 1, ())
    after = {
        k: office.rows(k).drop("version", "at", "line", "id_number", strict=False)
        for k in ("customer", "loan")
    }
    for kind, frame in before.items():
        assert after[kind].equals(frame), kind
    again = office.ingest(tmp_path / "b.xlsx")
    assert (again.status, again.stored, again.changed) == ("stored", 1, 1)


def test_a_revised_book_is_compared_with_what_the_source_said(office: Office, tmp_path: Path) -> None:
    book = Book.make(7, customers=80, today=office.clock.at.date())
    tidy_workbook(book, tmp_path / "一月.xlsx")
    first = office.ingest(tmp_path / "一月.xlsx")
    tidy_workbook(book, tmp_path / "又一月.xlsx", columns=20)
    later = revise(book, 8)
    tidy_workbook(later, tmp_path / "二月.xlsx")
    second = office.ingest(tmp_path / "二月.xlsx")
    assert (
        second.rows == second.stored + second.changed + second.unchanged + second.conflicts + second.rejected
    )
    assert second.conflicts == 0
    assert second.changed > 0
    assert second.unchanged > first.rows // 2


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_corrected_report_is_ingested_as_it_is(office: Office, tmp_path: Path, lang: str) -> None:
    import openpyxl

    office.lang = lang
    bad = [*LI]
    bad[1] = "519999197811301264"
    batch = office.ingest(sheet(tmp_path / "台账.xlsx", [ZHANG, bad]))
    report = openpyxl.load_workbook(batch.report)
    assert report.sheetnames[-1] == "台账"
    page = report["台账"]
    assert [c.value for c in page[1]][: len(HEAD)] == HEAD
    page["B2"] = LI[1]
    report.save(tmp_path / "台账.report.xlsx")
    fixed = office.ingest(tmp_path / "台账.report.xlsx")
    assert (fixed.status, fixed.stored, fixed.rejected) == ("stored", 1, 0)


@pytest.mark.parametrize("seed", range(20))
def test_planted_faults_and_found_problems_agree_one_by_one(
    office: Office, tmp_path: Path, seed: int
) -> None:
    book = Book.make(seed, customers=120, today=office.clock.at.date())
    office.lang = "zh" if seed % 2 else "en"
    planted = messy_workbook(book, tmp_path / "messy.xlsx", seed, office.lang)
    batch = office.ingest(tmp_path / "messy.xlsx")
    found = {(p["row"], p["field"], p["code"]) for p in office.problems(batch).iter_rows(named=True)}
    assert found == {(f.row, f.field, f.code) for f in planted.faults}
    assert (batch.rows, batch.rejected) == (len(planted.rows), len(planted.rejected))
