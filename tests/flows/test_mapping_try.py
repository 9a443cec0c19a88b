"""`mapping try` and `mapping save`: what would happen, cell by cell, nothing written; a mapping as a file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from tests.flows.sheets import HEAD, Rows, loan, person, text_file, workbook
from tests.flows.test_cli_json import PASSPHRASE, Desk, made
from tests.plugins.locked import lock_xlsx

PAID = ["借据号", "实还日期", "实还金额"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One home for many looks: none of them may leave anything in it."""
    folder = tmp_path_factory.mktemp("tried")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOANHUB_PASSPHRASE", PASSPHRASE)
        assert made(folder).status == 0
    return Desk(folder / "home")


def contents(folder: Path) -> dict[str, str]:
    """Every file below a folder with its digest; the log of the database that a reader may begin aside."""
    files = [
        file for file in folder.rglob("*") if file.is_file() and not file.name.endswith(("-wal", "-shm"))
    ]
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def tables(desk: Desk, *argv: object, status: int = 0) -> list[dict[str, Any]]:
    ended = desk.call("mapping try", *argv)
    assert ended.status == status, ended.told
    found: list[dict[str, Any]] = ended.data["tables"]
    return found


def cells(table: dict[str, Any], place: int = 0) -> dict[str, dict[str, str]]:
    """The cells of one row by header."""
    return {cell["header"]: cell for cell in table["tried"][place]["cells"]}


def test_every_cell_of_the_first_rows_is_shown_as_it_is_and_as_it_becomes(desk: Desk, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, *(loan(n) for n in range(1, 8)), ["合计"]])
    (table,) = tables(desk, path, "--rows", 3, "--lang", "zh")
    assert (table["subject"], table["rows"], table["left_out"]) == ("loans", 7, {"totals-row": 1})
    assert [row["row"] for row in table["tried"]] == [2, 3, 4]
    read = {header: (cell["field"], cell["value"]) for header, cell in cells(table).items()}
    assert read["贷款金额"] == ("loan.amount", "100,000.00")
    assert read["期限"] == ("loan.term", "12 个月")
    assert read["贷款利率"] == ("loan.rate", "12%")
    assert read["放款日期"] == ("loan.disburse_date", "2026-01-15")
    (amount,) = [column for column in table["columns"] if column["header"] == "贷款金额"]
    assert (amount["column"], amount["label"], amount["how"]) == ("E", "贷款金额", "表头")
    assert amount["evidence"] == "7 个中读出 7 个"


def test_numbers_of_people_are_masked_whether_they_are_read_or_not(desk: Desk, tmp_path: Path) -> None:
    who = person(1)
    rows: Rows = [
        [*HEAD, "旧编号", "旧卡", "建档"],
        [*loan(1), who.id_number, "6222 0200 1234-5678 901", "2026-01-05 10:22"],
        [*loan(2, 身份证号="119999200001011230")],
    ]
    path = workbook(tmp_path / "台账.xlsx", rows)
    ended = desk.call("mapping try", path)
    assert ended.status == 3, "a row shown would be rejected"
    (table,) = ended.data["tables"]
    first, second = cells(table, 0), cells(table, 1)
    assert first["身份证号"]["value"] == f"{who.id_number[:3]}***********{who.id_number[-4:]}"
    assert (second["身份证号"]["severity"], second["身份证号"]["value"]) == ("error", "")
    assert second["身份证号"]["problem"]
    assert first["旧卡"]["text"] == "******************* 901"
    assert first["建档"]["text"] == "2026-01-05 10:22", "a moment is nobody's number"
    said = f"{ended.told}{desk.read('mapping try', path)}"
    assert who.id_number not in said
    assert who.mobile not in said
    assert "119999200001011230" not in said


def test_nothing_is_written_anywhere(desk: Desk, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)])
    asked = workbook(tmp_path / "问.xlsx", [HEAD, loan(1, 贷款利率=0.5)])
    tables(desk, path)
    before = contents(desk.home), contents(tmp_path)
    tables(desk, path)
    tables(desk, asked, status=5)
    assert (contents(desk.home), contents(tmp_path)) == before
    assert desk.call("batches list").data["batches"] == []
    assert desk.call("mapping list").data["mappings"] == []


def test_open_questions_are_shown_where_they_are(desk: Desk, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1, 贷款利率=0.5)])
    (table,) = tables(desk, path, "--lang", "en", status=5)
    (rate,) = [column for column in table["columns"] if column["question"]]
    assert rate["header"] == "贷款利率"
    assert "percent, fraction" in rate["question"]
    told = tmp_path / "answer.toml"
    told.write_text(
        '[columns]\n"贷款利率" = { field = "loan.rate", percent = "percent" }\n', encoding="utf-8"
    )
    (table,) = tables(desk, path, "--mapping", told)
    assert cells(table)["贷款利率"]["value"] == "0.5%"


def test_several_tables_of_one_sheet_are_shown_each(desk: Desk, tmp_path: Path) -> None:
    rows = [HEAD, loan(1), loan(2), [None], PAID, ["J0001", "2026-02-15", 900]]
    first, second = tables(desk, workbook(tmp_path / "一页.xlsx", rows))
    assert [(t["subject"], t["place"], t["rows"]) for t in (first, second)] == [
        ("loans", 1, 2),
        ("receipts", 2, 1),
    ]
    shown = desk.read("mapping try", tmp_path / "一页.xlsx")
    assert "Sheet 台账 (2): receipts, header in row 5, 1 rows of data" in shown


def test_a_file_nobody_knows_a_column_of_is_shown_all_the_same(desk: Desk, tmp_path: Path) -> None:
    path = text_file(tmp_path / "x.csv", [["A1x", "A2x"], ["p", "q"], ["r", "s"]])
    (table,) = tables(desk, path, status=5)
    assert [column["header"] for column in table["columns"]] == ["A1x", "A2x"]


def test_any_format_and_a_password_and_a_refused_file_are_as_with_ingest(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for encoding in ("utf-8-sig", "gb18030", "utf-16"):
        assert (
            tables(desk, text_file(tmp_path / f"{encoding}.csv", [HEAD, loan(1)], encoding))[0]["rows"] == 1
        )
    plain = workbook(tmp_path / "plain.xlsx", [HEAD, loan(1)])
    locked = lock_xlsx(plain, tmp_path / "锁.xlsx", "开门")
    ended = desk.call("mapping try", locked)
    assert (ended.status, ended.code) == (10, "password-protected")
    monkeypatch.setenv("LOANHUB_FILE_PASSWORD", "开门")
    assert tables(desk, locked, "--password")[0]["rows"] == 1
    missing = desk.call("mapping try", tmp_path / "none.xlsx")
    assert (missing.status, missing.code) == (4, "ingest-file-missing")


# -- saved, reviewed, shared -----------------------------------------------------------------------


def awkward(path: Path) -> Path:
    """What a mapping file must be able to say: two alike, signs, no header, units, two tables."""
    who = [person(n) for n in range(3)]
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet('一"页')
        head: list[object] = ["客户姓名", None, "电话", "电话", "借据号", "金额\\额\U000f0001"]
        head += ["贷款金额（万元）", "期限（月）"]
        body = [[p.name, p.id_number, p.mobile, p.mobile, f"J{n}", "x", 5, 12] for n, p in enumerate(who)]
        rows: list[list[object]] = [head, *body, [], [*PAID], ["J0", "2026-02-15", 900]]
        for row, line in enumerate(rows):
            page.write_row(row, 0, ["" if cell is None else cell for cell in line])
    return path


def test_a_saved_mapping_says_all_that_was_decided_and_reads_the_file_the_same_way(
    desk: Desk, tmp_path: Path
) -> None:
    path, out = awkward(tmp_path / "原.xlsx"), tmp_path / "共用.toml"
    first = tables(desk, path)
    ended = desk.call("mapping save", path, "-o", out, "--lang", "zh")
    assert (ended.status, ended.data["tables"], ended.data["columns"]) == (0, 2, 11)
    text = out.read_text(encoding="utf-8")
    for told in ('"(B)" = "customer.id_number"', '"电话 ×2" = ""', "3 个中有 3 个是有效的身份证号"):
        assert told in text
    assert 'unit = "万元"' in text
    for n in range(3):
        for value in (person(n).name, person(n).id_number, person(n).mobile):
            assert value not in text, "a mapping file holds nothing of the rows"
    again = tables(desk, path, "--mapping", out)
    assert [[c["field"] for c in t["columns"]] for t in again] == [
        [c["field"] for c in t["columns"]] for t in first
    ]
    assert [t["tried"] for t in again] == [t["tried"] for t in first]
    assert {c["how"] for t in again for c in t["columns"]} == {"您的确认"}


def test_a_saved_mapping_with_open_questions_says_so_and_asks_them(desk: Desk, tmp_path: Path) -> None:
    path, out = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1, 贷款利率=0.5)]), tmp_path / "m.toml"
    ended = desk.call("mapping save", path, "-o", out)
    assert (ended.status, ended.data["questions"], ended.warned) == (5, 1, {"mapping-open"})
    assert 'percent = "?"' in out.read_text(encoding="utf-8")
    assert desk.call("mapping try", path, "--mapping", out).status == 5
    out.write_text(out.read_text(encoding="utf-8").replace('"?"', '"percent"'), encoding="utf-8")
    assert desk.call("mapping try", path, "--mapping", out).status == 0
    again = desk.call("mapping save", path, "-o", out)
    assert (again.status, again.code) == (2, "file-exists")


def test_a_saved_mapping_comes_in_the_readers_language(desk: Desk, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)])
    for lang, words in (("zh", "没有客户数据"), ("en", "no customer data")):
        out = tmp_path / f"{lang}.toml"
        assert desk.call("mapping save", path, "-o", out, "--lang", lang).status == 0
        assert words in out.read_text(encoding="utf-8")


WRONG = {
    '[columns]\n"客户姓名" = "customer.name"\n"借据" = "loan.loan_no"\n': (
        "mapping-unknown-column",
        3,
        "借据",
    ),
    '[columns]\n"客户姓名" = "customer.nam"\n': ("mapping-unknown-field", 2, "客户姓名"),
    '[columns]\n\n"贷款金额" = { field = "loan.amount", unit = "斤" }\n': (
        "mapping-unknown-value",
        3,
        "贷款金额.unit",
    ),
    '[columns]\n"贷款金额" = { field = "loan.amount", unt = "元" }\n': (
        "mapping-unknown-key",
        2,
        "贷款金额.unt",
    ),
    '[columns]\n"性别" = { field = "customer.gender", values = ["男"] }\n': (
        "mapping-unknown-value",
        2,
        "性别.values",
    ),
    '[columns]\n"客户姓名" = ["customer.name", 3]\n': ("mapping-unknown-field", 2, "客户姓名"),
    '[checks]\n"dates-ordr" = "warning"\n': ("mapping-unknown-check", 2, "dates-ordr"),
    '[sheets."台账"]\nskipp = true\n': ("mapping-unknown-key", 2, "skipp"),
    '[sheets."台账".tables.2]\nheader_row = 4\n': ("mapping-unknown-key", 2, "header_row"),
    '[sheets]\n"台账" = 2\n': ("mapping-unknown-value", 2, "台账"),
    '[sheets."台账".tables]\n2 = ""\n': ("mapping-unknown-value", 2, "2"),
    "header_row = true\n": ("mapping-unknown-value", 1, "header_row"),
}


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_a_wrong_mapping_file_is_refused_with_the_line_and_the_key(
    text: str, desk: Desk, tmp_path: Path
) -> None:
    code, line, key = WRONG[text]
    told = tmp_path / "m.toml"
    told.write_text(text, encoding="utf-8")
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)])
    ended = desk.call("mapping try", path, "--mapping", told)
    assert (ended.status, ended.code) == (9, code)
    said = str(ended.told["error"])
    assert f"m.toml:{line}" in said
    assert key in said
