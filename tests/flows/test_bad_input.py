"""Files as they really come: each is read as a person would, asked about, or refused with a clear reason."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
import xlsxwriter

from loanhub.cli.commands.batches import status as exit_status
from tests.flows.conftest import Office
from tests.flows.sheets import (
    HEAD,
    columns,
    fields,
    loan,
    notes,
    office_in,
    reasons,
    refusal,
    summary,
    text_file,
    workbook,
)
from tests.plugins.books import parts, write

Make = Callable[[Path], Path]
GOOD = [HEAD, loan(1), loan(2)]


# -- refused whole -------------------------------------------------------------------------------------


def cut_in_half(folder: Path) -> Path:
    path = workbook(folder / "台账.xlsx", GOOD)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def behind_a_password(folder: Path) -> Path:
    path = folder / "台账.xlsx"
    path.write_bytes(
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le")
    )
    return path


def page_named_xls(folder: Path) -> Path:
    path = folder / "导出.xls"
    path.write_text("<html><table><tr><td>客户姓名</td></tr></table></html>", encoding="utf-8")
    return path


def a_picture(folder: Path) -> Path:
    path = folder / "台账.xlsx"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(500))
    return path


def a_pdf(folder: Path) -> Path:
    path = folder / "台账.xlsx"
    path.write_bytes(b"%PDF-1.7\n" + bytes(500))
    return path


def nothing_at_all(folder: Path) -> Path:
    path = folder / "台账.csv"
    path.write_bytes(b"")
    return path


def other_columns(folder: Path) -> Path:
    return workbook(folder / "菜单.xlsx", [["菜名", "口味"], ["豆腐", "辣"], ["白菜", "淡"]])


def header_only(folder: Path) -> Path:
    return workbook(folder / "台账.xlsx", [HEAD])


def no_cell(folder: Path) -> Path:
    return workbook(folder / "台账.xlsx", [])


def totals_only(folder: Path) -> Path:
    return workbook(folder / "台账.xlsx", [HEAD, ["合计", None, None, None, "200000"]])


def all_hidden(folder: Path) -> Path:
    path = folder / "台账.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("说明").write(0, 0, "数据见下")
        page = book.add_worksheet("台账")
        for at, row in enumerate(GOOD):
            page.write_row(at, 0, row)
        page.hide()
    return path


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One home for many files that leave nothing behind."""
    with office_in(tmp_path_factory.mktemp("counter")) as office:
        yield office


REFUSED: list[tuple[Make, str]] = [
    (cut_in_half, "not-whole"),
    (behind_a_password, "password-protected"),
    (page_named_xls, "not-a-real-workbook"),
    (a_picture, "file-is-image"),
    (a_pdf, "file-is-pdf"),
    (nothing_at_all, "file-empty"),
    (other_columns, "no-usable-columns"),
    (header_only, "no-rows"),
    (no_cell, "no-rows"),
    (totals_only, "no-rows"),
    (all_hidden, "no-usable-columns"),
]


@pytest.mark.parametrize(("make", "code"), REFUSED, ids=lambda value: getattr(value, "__name__", value))
def test_a_file_that_cannot_be_used_is_refused_whole_with_its_reason(
    make: Make, code: str, counter: Office, tmp_path: Path
) -> None:
    batch = counter.ingest(make(tmp_path))
    assert reasons(counter, batch) == {code}
    assert (batch.status, exit_status(batch), batch.rows) == ("refused", 10, 0)
    assert any(refusal(batch)[0].text in map(str, line) for line in summary(batch))
    assert counter.rows("customer").height == counter.rows("loan").height == 0


def test_a_refused_file_made_right_is_taken_in_and_the_same_again_refused_again(
    office: Office, tmp_path: Path
) -> None:
    path = cut_in_half(tmp_path)
    first, again = office.ingest(path), office.ingest(path)
    assert (first.status, again.status) == ("refused", "refused")
    assert office.ingest(workbook(path, GOOD)).stored == 2


# -- read all the same ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("台账.csv", lambda path: workbook(path, GOOD)),
        ("台账.xlsx", lambda path: text_file(path, GOOD)),
        ("台账", lambda path: workbook(path, GOOD)),
    ],
    ids=["a workbook named csv", "a csv named xlsx", "without an extension"],
)
def test_a_wrong_extension_is_seen_through(name: str, make: Make, office: Office, tmp_path: Path) -> None:
    batch = office.ingest(make(tmp_path / name))
    assert (batch.stored, batch.rejected, exit_status(batch)) == (2, 0, 0)
    assert "wrong-extension" in notes(batch)


@pytest.mark.parametrize("encoding", ["gbk", "gb18030", "utf-8-sig", "utf-16"])
def test_a_csv_is_read_in_whatever_encoding_an_office_saves_it(
    encoding: str, office: Office, tmp_path: Path
) -> None:
    batch = office.ingest(text_file(tmp_path / "台账.csv", GOOD, encoding))
    assert batch.stored == 2
    assert office.rows("customer")["name"].to_list() == [loan(1)[0], loan(2)[0]]


def test_titles_totals_signatures_and_blank_rows_are_no_data(office: Office, tmp_path: Path) -> None:
    rows = [
        ["某某小额贷款公司贷款台账"],
        ["单位：元", None, None, "2026年6月"],
        HEAD,
        loan(1),
        [None],
        loan(2),
        ["小计", None, None, None, 200000],
        HEAD,
        loan(3),
        ["合计", None, None, None, 300000],
        ["制表人：某某", None, None, "复核："],
    ]
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", rows))
    assert (batch.rows, batch.stored, batch.rejected) == (3, 3, 0)
    sheet = batch.decisions["sheets"][0]
    assert sheet["plan"]["header_row"] == 3
    assert sheet["left_out"] == {"totals-row": 2, "header-again": 1, "signature-row": 1}
    assert any(line == ("合计行", 2) or 2 in line for line in summary(batch))


def test_two_header_rows_with_merged_titles_are_read_together(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "台账.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        page.merge_range(0, 0, 0, 2, "借款人")
        page.merge_range(0, 3, 0, 5, "贷款")
        page.merge_range(0, 6, 0, 7, "配偶")
        page.write_row(1, 0, ["姓名", "身份证号", "手机号", "借据号", "金额", "期限", "姓名", "电话"])
        page.write_row(2, 0, [*loan(1)[:6], "周芳", "13900000001"])
    batch = office.ingest(path)
    assert (batch.rows, batch.stored) == (1, 1)
    assert batch.decisions["sheets"][0]["plan"]["first"] == 3
    assert office.rows("loan")["amount"].to_list() == [10_000_000]
    assert office.rows("customer")["name"].to_list() == [loan(1)[0]]
    assert office.rows("relation").select("role", "name", "phone").rows() == [
        ("spouse", "周芳", "13900000001")
    ]


def test_units_in_headers_hold_for_their_columns(office: Office, tmp_path: Path) -> None:
    head = [*HEAD[:4], "贷款金额(万元)", "期限(年)", "月利率(‰)", "放款日期"]
    rows = [head, [*loan(1)[:4], 20, 3, 4.9, "2026-01-15"], [*loan(2)[:4], "5.5", 1, "6‰", "2026-01-15"]]
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", rows))
    assert (batch.stored, batch.warnings) == (2, 0)
    found = office.rows("loan").select("amount", "term", "term_unit", "rate").rows()
    assert found == [(20_000_000, 36, "month", 5_880_000), (5_500_000, 12, "month", 7_200_000)]
    assert columns(batch)["贷款金额(万元)"]["unit"] == "万元"
    assert (columns(batch)["月利率(‰)"]["unit"], columns(batch)["月利率(‰)"]["period"]) == ("‰", "month")
    assert any("万元" in line and "贷款金额(万元)" in line for line in summary(batch))


def test_merged_cells_are_filled_down_in_words_and_never_in_amounts(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "台账.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["客户姓名", "客户经理", "借据号", "贷款金额", "期限", "授信"])
        for at in range(3):
            page.write_row(1 + at, 2, [f"J{at}", None if at else 1000, 12])
        page.merge_range(1, 0, 3, 0, "钱文")
        page.merge_range(1, 1, 3, 1, "王经理")
        page.merge_range(2, 3, 3, 3, 2000)
    batch = office.ingest(path)
    assert (batch.rows, batch.stored, batch.rejected) == (3, 2, 1)
    assert reasons(office, batch) >= {"loan-amount-missing"}
    assert "merged-filled" in notes(batch)
    assert set(office.rows("customer").select("name", "manager").rows()) == {("钱文", "王经理")}


def test_hidden_rows_are_read_and_told_and_a_hidden_sheet_is_not_read(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "台账.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        page, old = book.add_worksheet("台账"), book.add_worksheet("旧")
        for at, row in enumerate(GOOD):
            page.write_row(at, 0, row)
        page.set_row(2, None, None, {"hidden": True})
        for at, row in enumerate([HEAD, loan(3)]):
            old.write_row(at, 0, row)
        old.hide()
    batch = office.ingest(path)
    assert (batch.rows, batch.stored) == (2, 2)
    assert "rows-hidden" in notes(batch)


def test_unknown_columns_are_left_out_and_named_in_the_report(office: Office, tmp_path: Path) -> None:
    rows = [[*HEAD, "星座", "内部编码"], [*loan(1), "天秤", "x"], [*loan(2), "白羊", "y"]]
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", rows))
    assert batch.stored == 2
    assert (fields(batch)["星座"], columns(batch)["星座"]["how"]) == ("", "unknown")
    named = [line[0] for line in summary(batch) if line]
    assert {"星座", "内部编码"} <= set(named)


# -- single cells --------------------------------------------------------------------------------------


def test_numbers_of_16_digits_and_more_kept_as_numbers_have_lost_their_ends(
    office: Office, tmp_path: Path
) -> None:
    head = [*HEAD, "银行卡号"]
    card = "6222021234567890123"
    rows = [
        head,
        [*loan(1, 身份证号=119999199005120016.0), card],
        [*loan(2), float(card)],
        [*loan(3), card],
        [*loan(4, 借据号=20260115000000012345.0), card],
    ]
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", rows))
    assert (batch.rows, batch.rejected) == (4, 3)
    found = office.problems(batch).filter(pl.col("code") == "digits-lost").select("row", "field").rows()
    assert set(found) == {(2, "customer.id_number"), (3, "customer.bank_card"), (5, "loan.loan_no")}
    assert "digits-lost" in reasons(office, batch)


def test_error_cells_and_formulas_never_calculated_reject_their_rows(office: Office, tmp_path: Path) -> None:
    texts = [[*HEAD[:6]], loan(1)[:6], loan(2)[:6], loan(3)[:6]]
    lines = []
    for at, row in enumerate(texts, 1):
        cells = [
            f'<c r="{"ABCDEF"[i]}{at}" t="inlineStr"><is><t>{cell}</t></is></c>' for i, cell in enumerate(row)
        ]
        if at == 2:
            cells[4] = '<c r="E2" t="e"><f>1/0</f><v>#DIV/0!</v></c>'
        if at == 3:
            cells[4] = '<c r="E3"><f>SUM(A1,B1)</f></c>'
        lines.append(f'<row r="{at}">{"".join(cells)}</row>')
    batch = office.ingest(write(tmp_path / "台账.xlsx", parts("".join(lines))))
    assert (batch.rows, batch.stored, batch.rejected, exit_status(batch)) == (3, 1, 2, 3)
    assert reasons(office, batch) == {"cell-error", "cell-not-calculated"}


def test_every_problem_of_every_row_is_told(office: Office, tmp_path: Path) -> None:
    wrong = loan(
        1,
        身份证号="119999199005120017",
        手机号码="1380000",
        贷款金额="约20万",
        期限="很久",
        放款日期="2026-02-30",
    )
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", [HEAD, wrong, loan(2)]))
    assert (batch.stored, batch.rejected) == (1, 1)
    assert reasons(office, batch) >= {"id-checksum", "mobile-length", "term-unreadable", "date-impossible"}
    assert office.problems(batch).filter(pl.col("severity") == "error").height == 5


def test_a_15_digit_id_is_taken_with_a_warning_and_extended(office: Office, tmp_path: Path) -> None:
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", [HEAD, loan(1, 身份证号="119999900512001")]))
    assert (batch.stored, batch.warnings) == (1, 1)
    assert reasons(office, batch) == {"id-legacy"}
    assert office.rows("customer")["id_number_tail"].to_list() == ["0016"]


def test_a_company_with_its_credit_code_among_the_ids_is_a_company(office: Office, tmp_path: Path) -> None:
    head = ["客户名称", "证件号码", "客户类型", *HEAD[3:]]
    rows = [
        head,
        ["临江百货有限公司", "91350100M000100Y43", "企业", *loan(1)[3:]],
        [loan(2)[0], loan(2)[1], "个人", *loan(2)[3:]],
    ]
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", rows))
    assert (batch.stored, batch.rejected) == (2, 0), office.problems(batch)
    firm, somebody = office.rows("customer").select("uscc", "id_number_tail", "customer_type").rows()
    assert firm == ("91350100M000100Y43", None, "company")
    assert somebody[:2] == (None, str(loan(2)[1])[-4:])


# -- still open ----------------------------------------------------------------------------------------


def test_a_workbook_still_open_in_excel_is_read_by_ingest_and_the_report_says_so(
    office: Office, tmp_path: Path
) -> None:
    path = workbook(tmp_path / "台账.xlsx", GOOD)
    (tmp_path / "~$台账.xlsx").write_bytes(b"x" * 165)
    batch = office.ingest(path)
    assert batch.stored == 2
    assert "read-while-open" in notes(batch)
    assert any("Excel" in str(line) for line in summary(batch))


def test_a_preview_writes_nothing_but_its_report(office: Office, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [*GOOD, loan(3, 贷款金额="若干")])
    shown = office.ingest(path, dry=True)
    assert (shown.rows, shown.stored, shown.rejected) == (3, 2, 1)
    assert Path(shown.report).name == "台账.preview.xlsx"
    assert office.rows("loan").height == office.rows("batch").height == 0
    shutil.rmtree(office.house.home / "returns")
    assert office.ingest(path).stored == 2
