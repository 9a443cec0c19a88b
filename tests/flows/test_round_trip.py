"""Template, fill, ingest, export, ingest: no difference; and what happens to those who edit an export."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest
from attrs import evolve

from loanhub.acts import Act, Books, Facts
from loanhub.entities import Customer, Loan
from loanhub.errors import NotAllowed, Usage
from loanhub.identifiers import mask_card, mask_id, mask_mobile
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.policy import Principal
from loanhub.services.sheets.asking import Export
from loanhub.services.sheets.export import Exported, Exporting
from loanhub.services.sheets.kinds import NAMES
from loanhub.services.sheets.template import draw
from loanhub.testing import Book
from loanhub.testing.columns import shown
from loanhub.texts import LANGS, Lang
from tests.flows.conftest import Clock, Office

TABLES = {"followups": "follow_ups"}


def export(office: Office, sheet: str, name: str, **more: Any) -> Exported:
    """An export into the test's folder."""
    password = more.pop("password", None)
    asked = Export(sheet, **more)
    work = Exporting(office.house, office.house.desk(), office.lang, asked, office.folder / name, password)  # type: ignore[arg-type]
    for _ in work.run():
        pass
    assert work.done is not None
    return work.done


def fill(office: Office, sheet: str, book: Book, path: Path) -> None:
    """A template as a clerk fills it in: below the example, under its own headers."""
    lang: Lang = office.lang  # type: ignore[assignment]
    drawn = draw(office.house, office.house.desk(), sheet, path, lang)
    table = book.table(TABLES.get(sheet, sheet))  # type: ignore[arg-type]
    columns = shown(table, [p for p in drawn.fields if p in table.columns], lang)
    workbook = openpyxl.load_workbook(path)
    page = workbook.worksheets[0]
    places = {path: at for at, path in enumerate(drawn.fields, 1)}
    for column in columns:
        for row, value in enumerate(column.values, 3):
            if value is not None:
                page.cell(row, places[column.path]).value = value
    workbook.save(path)


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The rows of an export by header."""
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    page = openpyxl.load_workbook(path).worksheets[0]
    head, *rows = page.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


def edit(path: Path, change: Callable[[Any, dict[str, int]], None], to: Path) -> Path:
    """The workbook with a change of hand, saved by another program."""
    workbook = openpyxl.load_workbook(path)
    page = workbook.worksheets[0]
    change(page, {str(cell.value): cell.column for cell in page[1]})
    workbook.save(to)
    return to


def change(office: Office, record: Customer | Loan) -> None:
    """A record changed in the system itself, by a person."""

    def put(books: Books, _: None) -> Facts[None]:
        return Facts(None, (record,))

    office.clock.at += timedelta(hours=1)
    office.house.desk().do(Act("test.change", type(None), "loan.write", put, confirms=True), None)


def loan(office: Office, number: str) -> Loan:
    """A loan by its number."""
    key = office.rows("loan").filter(pl.col("loan_no") == number)["id"][0]

    def get(books: Books, _: None) -> Facts[Loan]:
        return Facts(books.get(Loan, key))

    return office.house.desk().do(
        Act("test.get", type(None), "loan.read", get, writes=False, hidden=True), None
    )


KEPT = ("customer", "loan", "receipt", "credit", "follow_up", "collateral", "relation")


def everything(office: Office) -> dict[str, pl.DataFrame]:
    """All records as they are, ciphertexts aside."""
    return {kind: office.rows(kind).drop("id_number", "bank_card", strict=False) for kind in KEPT}


# -- the whole way round -----------------------------------------------------------------------------


def gathered(paths: list[Path], to: Path) -> Path:
    """The first sheets of several workbooks as one, as somebody pastes them together."""
    whole = openpyxl.Workbook()
    for path in paths:
        source = openpyxl.load_workbook(path).worksheets[0]
        page = whole.create_sheet(source.title)
        for row in source.iter_rows():
            for cell in row:
                if cell.value is not None:
                    page.cell(cell.row, cell.column).value = cell.value
                    page.cell(cell.row, cell.column).number_format = cell.number_format
    del whole["Sheet"]
    whole.save(to)
    return to


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.prove if n >= 2 else ()) for n in range(20)]
)
def test_template_fill_ingest_export_ingest_makes_no_difference(
    office: Office, tmp_path: Path, seed: int
) -> None:
    office.lang = "zh" if seed % 2 else "en"
    book = Book.make(seed, 12, today=office.clock.at.date())
    sheets = [sheet for sheet in NAMES if book.table(TABLES.get(sheet, sheet)).height]  # type: ignore[arg-type]
    for sheet in sheets:
        fill(office, sheet, book, tmp_path / f"{sheet}.xlsx")
    batch = office.ingest(gathered([tmp_path / f"{s}.xlsx" for s in sheets], tmp_path / "all.xlsx"))
    assert (batch.status, batch.rejected, batch.conflicts) == ("stored", 0, 0), office.problems(batch)
    assert [s["left_out"] for s in batch.decisions["sheets"]] == [{"example-row": 1}] * len(sheets)
    before = everything(office)
    assert {kind: before[kind].height > 0 for kind in KEPT} == {**dict.fromkeys(KEPT, True), **_empty(sheets)}
    office.lang = "en" if seed % 4 > 1 else "zh"
    done = [export(office, sheet, f"{sheet}-out.xlsx", plain=seed % 3 == 2, reason="x") for sheet in sheets]
    batch = office.ingest(gathered([one.file for one in done], tmp_path / "back.xlsx"))
    rows = sum(one.rows for one in done)
    assert (batch.status, batch.rows, batch.unchanged, batch.warnings) == ("stored", rows, rows, 0)
    after = everything(office)
    for kind, frame in before.items():
        assert after[kind].equals(frame), kind


def _empty(sheets: list[str]) -> dict[str, bool]:
    return {} if "collateral" in sheets else {"collateral": False}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_every_kind_comes_back_alone_as_workbook_and_as_csv(
    office: Office, tmp_path: Path, lang: Lang, suffix: str
) -> None:
    office.lang = lang
    book = Book.make(5, 12, today=office.clock.at.date())
    paths = [tmp_path / f"{sheet}.xlsx" for sheet in NAMES]
    for sheet, path in zip(NAMES, paths, strict=True):
        fill(office, sheet, book, path)
    assert office.ingest(gathered(paths, tmp_path / "all.xlsx")).rejected == 0
    before = everything(office)
    for sheet in NAMES:
        done = export(office, sheet, f"{sheet}-out{suffix}")
        batch = office.ingest(done.file)
        assert (batch.status, batch.rows, batch.unchanged) == ("stored", done.rows, done.rows), sheet
        assert batch.warnings == 0
    after = everything(office)
    for kind, frame in before.items():
        assert after[kind].equals(frame), kind


@pytest.fixture
def stocked(office: Office, tmp_path: Path) -> Office:
    """A small book in two languages' middle: customers and loans out of one sheet."""
    book = Book.make(7, 12, today=office.clock.at.date())
    paths = [tmp_path / f"{sheet}.xlsx" for sheet in ("customers", "loans", "receipts", "followups")]
    for path in paths:
        fill(office, path.stem, book, path)
    assert office.ingest(gathered(paths, tmp_path / "all.xlsx")).rejected == 0
    return office


# -- what an export is -------------------------------------------------------------------------------


def test_an_export_reads_well(stocked: Office, tmp_path: Path) -> None:
    done = export(stocked, "loans", "a.xlsx")
    page = openpyxl.load_workbook(done.file).worksheets[0]
    head = {cell.value: cell for cell in page[1]}
    assert page.title == "贷款"
    assert page.freeze_panes == "C2"
    assert page.auto_filter.ref == f"A1:{page.cell(1, page.max_column).coordinate[:-1]}{page.max_row}"
    first = {name: page.cell(2, cell.column) for name, cell in head.items()}
    assert (first["贷款金额"].data_type, first["贷款金额"].number_format) == ("n", "#,##0.00")
    assert (first["贷款利率"].data_type, first["贷款利率"].number_format) == ("n", "0.00##%")
    assert first["放款日期"].is_date
    assert (first["借据号"].data_type, first["借据号"].number_format) == ("s", "@")
    assert list(head)[-2:] == ["【编号】", "【版本】"]
    assert first["【编号】"].value.startswith("loan:")
    assert first["【版本】"].value == 1
    stored = stocked.rows("loan")
    fen = dict(stored.select("loan_no", "amount").iter_rows())
    for row in rows_of(done.file):
        assert round(row["贷款金额"] * 100) == fen[row["借据号"]]


def test_sensitive_values_are_masked_unless_somebody_says_why(stocked: Office, tmp_path: Path) -> None:
    masked = export(stocked, "customers", "a.xlsx")
    plain = export(stocked, "customers", "b.xlsx", plain=True, reason="清收委托")
    assert set(masked.masked) == {"customer.id_number", "customer.mobile", "customer.bank_card"}
    assert plain.masked == ()
    for hidden, open_ in zip(rows_of(masked.file), rows_of(plain.file), strict=True):
        for name, cover in (("身份证号", mask_id), ("手机号码", mask_mobile), ("银行卡号", mask_card)):
            if open_[name] is not None:
                assert hidden[name] == cover(open_[name]) != open_[name]
    with pytest.raises(Usage) as caught:
        export(stocked, "customers", "c.xlsx", plain=True)
    assert caught.value.code == "reason-needed"
    assert not (tmp_path / "c.xlsx").exists()


def test_an_export_leaves_its_lines_in_the_log(stocked: Office) -> None:
    with stocked.house.store.reading() as tx:
        before = len(list(tx.lines()))
    export(stocked, "loans", "a.xlsx", where={"贷款状态": "还款中"})
    export(stocked, "customers", "b.xlsx", plain=True, reason="清收委托")
    with stocked.house.store.reading() as tx:
        lines = list(tx.lines(before))
    assert [line.act for line in lines] == [
        "export.loans",
        "export.loans.written",
        "export.customers.plain",
        "export.customers.written",
    ]
    assert lines[0].object == "export:loans status"
    assert (lines[2].reason, lines[3].counts["plain"]) == ("清收委托", 1)
    assert lines[3].counts["rows"] == stocked.rows("customer").height
    assert "还款中" not in str(lines)


def test_rows_and_columns_are_chosen_by_the_words_people_use(stocked: Office) -> None:
    stored = stocked.rows("loan")
    active = stored.filter(pl.col("status") == "active")
    done = export(
        stocked, "loans", "a.xlsx", where={"贷款状态": "还款中"}, columns=("贷款余额", "customer.branch")
    )
    rows = rows_of(done.file)
    assert len(rows) == active.height
    assert list(rows[0]) == [
        *("借据号", "客户姓名", "贷款金额", "贷款余额", "所属机构", "【编号】", "【版本】"),
    ]
    branch = rows[0]["所属机构"]
    here = export(stocked, "loans", "b.xlsx", where={"所属机构": branch})
    assert {row["客户姓名"] for row in rows_of(here.file)} <= {
        row["客户姓名"]
        for row in rows_of(export(stocked, "customers", "c.xlsx", where={"branch": branch}).file)
    }
    person = rows_of(export(stocked, "customers", "p.xlsx", plain=True, reason="x").file)[0]
    one = export(stocked, "loans", "d.xlsx", where={"身份证号": person["身份证号"]})
    assert {row["客户姓名"] for row in rows_of(one.file)} == {person["客户姓名"]}
    assert export(stocked, "loans", "e.xlsx", where={"customer": "1"}).rows >= 1
    assert export(stocked, "loans", "f.xlsx", where={"loan_no": ""}).rows == 0
    with pytest.raises(Usage) as caught:
        export(stocked, "loans", "g.xlsx", where={"没有这一列": "1"})
    assert caught.value.code == "field-unknown"


def test_a_few_columns_come_back_as_well_as_all_of_them(stocked: Office) -> None:
    kinds = {"loans": ("贷款利率", "贷款期限"), "customers": ("客户编号",), "receipts": ("收款方式",)}
    before = everything(stocked)
    for sheet, columns in kinds.items():
        done = export(stocked, sheet, f"{sheet}-some.xlsx", columns=columns)
        batch = stocked.ingest(done.file)
        assert (batch.rows, batch.unchanged, batch.warnings) == (done.rows, done.rows, 0), sheet
    after = everything(stocked)
    assert all(after[kind].equals(frame) for kind, frame in before.items())


def test_rights_and_branches_hold_for_exports(stocked: Office) -> None:
    branch = stocked.rows("customer")["branch"].drop_nulls()[0]
    mine = stocked.rows("customer").filter(pl.col("branch") == branch)["id"]
    reader = Principal(
        "a", "clerk", frozenset({"loan.read", "customer.read", "export.read"}), f"branch:{branch}"
    )
    work = Exporting(
        stocked.house, stocked.house.desk(reader), "zh", Export("loans"), stocked.folder / "a.xlsx"
    )
    for _ in work.run():
        pass
    assert work.done is not None
    wanted = stocked.rows("loan").filter(pl.col("customer_id").is_in(mine.implode())).height
    assert work.done.rows == wanted
    for asked, rights in (
        (Export("loans"), {"loan.read"}),
        (Export("credit"), {"loan.read", "export.read"}),
        (Export("loans", plain=True, reason="x"), {"loan.read", "export.read"}),
    ):
        desk = stocked.house.desk(Principal("b", "clerk", frozenset(rights)))
        refused = Exporting(stocked.house, desk, "zh", asked, stocked.folder / "b.xlsx")
        with pytest.raises(NotAllowed):
            list(refused.run())
    assert not (stocked.folder / "b.xlsx").exists()
    assert not list(stocked.folder.glob(".*.part"))


def test_more_rows_than_a_page_all_come_once(stocked: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    from loanhub.services.sheets import asking, stream

    monkeypatch.setattr(asking, "PAGE", 5)
    monkeypatch.setattr(stream, "AT_ONCE", 3)
    monkeypatch.setattr(stream, "LAST_ROW", 7)
    done = export(stocked, "loans", "a.xlsx")
    book = openpyxl.load_workbook(done.file)
    assert book.sheetnames == ["贷款", "贷款 2", "贷款 3"]
    numbers = [row[0] for page in book for row in page.iter_rows(min_row=2, values_only=True)]
    assert sorted(numbers) == sorted(stocked.rows("loan")["loan_no"])
    batch = stocked.ingest(done.file)
    assert (batch.rows, batch.unchanged) == (done.rows, done.rows)


# -- editing an export -------------------------------------------------------------------------------


def test_an_edit_is_applied_and_nothing_else(stocked: Office, tmp_path: Path) -> None:
    done = export(stocked, "loans", "a.xlsx")
    before = stocked.rows("loan")

    def work(page: Any, at: dict[str, int]) -> None:
        page.cell(2, at["贷款用途"]).value = "扩大经营"
        page.cell(3, at["审批人"]).value = "清空"

    batch = stocked.ingest(edit(done.file, work, tmp_path / "b.xlsx"))
    assert (batch.changed, batch.unchanged, batch.conflicts) == (2, done.rows - 2, 0)
    after = stocked.rows("loan")
    assert after["purpose"][0] == "扩大经营"
    assert after["approver"][1] is None
    differ = {c for c in before.columns if not before[c].equals(after[c])}
    assert differ <= {"purpose", "approver", "stated_on", "version", "at", "line"}


def test_an_old_copy_takes_nothing_back_and_its_late_edit_is_a_conflict(
    stocked: Office, tmp_path: Path
) -> None:
    done = export(stocked, "loans", "a.xlsx")
    number = rows_of(done.file)[0]["借据号"]
    change(stocked, evolve(loan(stocked, number), purpose="已在系统中修改", product="新产品"))
    batch = stocked.ingest(done.file)
    assert (batch.unchanged, batch.changed, batch.conflicts) == (done.rows, 0, 0)
    assert loan(stocked, number).purpose == "已在系统中修改"

    def late(page: Any, at: dict[str, int]) -> None:
        page.cell(2, at["贷款用途"]).value = "又改一次"
        page.cell(2, at["审批结果"]).value = "复议通过"

    batch = stocked.ingest(edit(done.file, late, tmp_path / "b.xlsx"))
    assert (batch.conflicts, batch.unchanged) == (1, done.rows - 1)
    now = loan(stocked, number)
    assert (now.purpose, now.product, now.approve_result) == ("已在系统中修改", "新产品", "复议通过")
    assert stocked.codes(batch) == {"conflict"}


def test_a_masked_cell_is_not_stated_but_one_that_was_altered_is_refused(
    stocked: Office, tmp_path: Path
) -> None:
    done = export(stocked, "customers", "a.xlsx")

    def work(page: Any, at: dict[str, int]) -> None:
        page.cell(2, at["手机号码"]).value = "139****9999"
        page.cell(3, at["手机号码"]).value = "13911112222"

    batch = stocked.ingest(edit(done.file, work, tmp_path / "b.xlsx"))
    assert (batch.rejected, batch.changed, batch.waiting) == (1, 1, 1)
    assert stocked.codes(batch) == {"masked-changed"}


def test_a_mark_that_was_dragged_or_made_elsewhere_names_nothing(stocked: Office, tmp_path: Path) -> None:
    done = export(stocked, "loans", "a.xlsx")
    before = everything(stocked)

    def work(page: Any, at: dict[str, int]) -> None:
        mark = page.cell(2, at["【编号】"]).value
        page.cell(2, at["【编号】"]).value = mark[:-1] + ("0" if mark[-1] != "0" else "1")
        page.cell(3, at["【版本】"]).value = 9
        page.cell(4, at["【编号】"]).value = page.cell(5, at["【编号】"]).value

    batch = stocked.ingest(edit(done.file, work, tmp_path / "b.xlsx"))
    assert (batch.rejected, batch.unchanged) == (4, done.rows - 4)
    assert stocked.codes(batch) >= {"record-unknown", "row-contradicts"}
    elsewhere = tmp_path / "elsewhere"
    clock = Clock()
    other, _ = Institution.create(elsewhere, Secret("correct horse"), {"institution": "别家"}, clock=clock)
    theirs = Office(other, clock, folder=tmp_path)
    theirs.ingest(tmp_path / "customers.xlsx")
    foreign = theirs.ingest(done.file)
    assert (foreign.rejected, foreign.stored) == (done.rows, 0)
    assert theirs.codes(foreign) == {"record-unknown"}
    other.close()
    after = everything(stocked)
    assert all(after[kind].equals(frame) for kind, frame in before.items())


def test_columns_sorted_apart_from_their_marks_change_nothing(stocked: Office, tmp_path: Path) -> None:
    done = export(stocked, "loans", "a.xlsx")
    before = everything(stocked)

    def work(page: Any, at: dict[str, int]) -> None:
        rows = [[page.cell(row, at[c]).value for c in ("【编号】", "【版本】")] for row in range(2, 7)]
        for row, pair in enumerate([*rows[1:], rows[0]], 2):
            for name, value in zip(("【编号】", "【版本】"), pair, strict=True):
                page.cell(row, at[name]).value = value

    batch = stocked.ingest(edit(done.file, work, tmp_path / "b.xlsx"))
    assert (batch.rejected, batch.unchanged) == (5, done.rows - 5)
    assert "record-of-another" in stocked.codes(batch)
    after = everything(stocked)
    assert all(after[kind].equals(frame) for kind, frame in before.items())


def test_a_new_row_at_the_end_is_stored_even_if_it_looks_like_another(
    stocked: Office, tmp_path: Path
) -> None:
    done = export(stocked, "receipts", "a.xlsx")
    before = stocked.rows("receipt").height

    def work(page: Any, at: dict[str, int]) -> None:
        last = page.max_row + 1
        for name, column in at.items():
            if name not in ("【编号】", "【版本】"):
                page.cell(last, column).value = page.cell(2, column).value
        page.cell(3, at["实还金额"]).value = 1.5

    batch = stocked.ingest(edit(done.file, work, tmp_path / "b.xlsx"))
    assert (batch.stored, batch.changed) == (1, 1)
    assert stocked.rows("receipt").height == before + 1
    assert 150 in stocked.rows("receipt")["paid_amount"].to_list()


def test_a_corrected_follow_up_replaces_the_old_one_in_later_exports(stocked: Office, tmp_path: Path) -> None:
    done = export(stocked, "followups", "a.xlsx")

    def work(page: Any, at: dict[str, int]) -> None:
        page.cell(2, at["跟进内容"]).value = "更正 客户本人接听"

    changed = edit(done.file, work, tmp_path / "b.xlsx")
    assert stocked.ingest(changed).changed == 1
    again = export(stocked, "followups", "c.xlsx")
    assert again.rows == done.rows
    texts = [row["跟进内容"] for row in rows_of(again.file)]
    assert "更正 客户本人接听" in texts
    old = [row["跟进内容"] for row in rows_of(done.file)]
    assert texts.count(old[0]) == old.count(old[0]) - 1

    def more(page: Any, at: dict[str, int]) -> None:
        work(page, at)
        page.cell(3, at["跟进结果"]).value = "另有安排"

    batch = stocked.ingest(edit(done.file, more, tmp_path / "d.xlsx"))
    assert (batch.changed, batch.unchanged) == (1, done.rows - 1)


def test_what_stands_beside_the_record_is_for_reading_only(stocked: Office, tmp_path: Path) -> None:
    done = export(stocked, "loans", "a.xlsx")

    def work(page: Any, at: dict[str, int]) -> None:
        page.cell(2, at["客户姓名"]).value = "另一个人"

    batch = stocked.ingest(edit(done.file, work, tmp_path / "b.xlsx"))
    assert (batch.unchanged, batch.warnings) == (done.rows, 1)
    assert stocked.codes(batch) == {"column-for-reading"}
    assert "另一个人" not in stocked.rows("customer")["name"].to_list()


# -- hostile and odd texts ---------------------------------------------------------------------------

HOSTILE = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "＝1+1",
    "<b>&amp;</b> \"x\" 'y'",
    "_x0041_ 是文字",
    "合计",
    "示例 · 不是示例",
    '多行\n文字, 有逗号; 和"引号"',
    "'单引号开头",
    "http://example.com",
    "007",
    "1E5",
]


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_no_text_becomes_a_formula_and_every_text_comes_back(
    stocked: Office, tmp_path: Path, suffix: str
) -> None:
    numbers = stocked.rows("loan")["loan_no"].to_list()
    assert len(numbers) < len(HOSTILE) + 14
    for number, text in zip(numbers, HOSTILE, strict=False):
        change(stocked, evolve(loan(stocked, number), purpose=text, product=text))
    done = export(stocked, "loans", f"a{suffix}")
    rows = rows_of(done.file)
    if suffix == ".xlsx":
        page = openpyxl.load_workbook(done.file).worksheets[0]
        kinds = {cell.data_type for row in page.iter_rows() for cell in row if cell.value is not None}
        assert kinds <= {"s", "n", "d"}
        got = [row["贷款用途"].replace("_x005F_", "_") for row in rows[: len(HOSTILE)]]  # openpyxl leaves it
        assert got == HOSTILE[: len(got)]
    else:
        for row in rows:
            assert not row["贷款用途"].startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    before = stocked.rows("loan")
    batch = stocked.ingest(done.file)
    assert (batch.unchanged, batch.rejected) == (done.rows, 0)
    assert stocked.rows("loan").equals(before)


# -- own fields, passwords, places -------------------------------------------------------------------


def test_own_fields_go_out_and_come_back(tmp_path: Path) -> None:
    clock = Clock()
    own = {"kind": "customer", "name": "village", "type": "text", "label_zh": "所在村", "label_en": "Village"}
    paid = {"kind": "customer", "name": "dues", "type": "money", "label_zh": "会费", "label_en": "Dues"}
    values = {"institution": "测试小贷", "fields": {"custom": [own, paid]}}
    house, _ = Institution.create(tmp_path / "home", Secret("correct horse"), values, clock=clock)
    office = Office(house, clock, folder=tmp_path)
    (tmp_path / "a.csv").write_text(
        "客户姓名,手机号码,所在村,会费\n王小样,13800000000,石桥村,12.50\n", "utf-8"
    )
    office.ingest(tmp_path / "a.csv")
    done = export(office, "customers", "b.xlsx", where={"所在村": "石桥村"})
    [row] = rows_of(done.file)
    assert (row["所在村"], row["会费"]) == ("石桥村", 12.5)
    assert office.ingest(done.file).unchanged == 1

    def work(page: Any, at: dict[str, int]) -> None:
        page.cell(2, at["会费"]).value = 20

    batch = office.ingest(edit(done.file, work, tmp_path / "c.xlsx"))
    assert (batch.changed, batch.conflicts) == (1, 0)
    assert '"dues":2000' in office.rows("customer")["extra"][0]
    house.close()


def test_a_file_with_a_password_opens_with_it_only(
    stocked: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import msoffcrypto

    done = export(stocked, "loans", "a.xlsx", password=Secret("打开 me 7"))
    assert done.locked
    plain = io.BytesIO()
    with done.file.open("rb") as file:
        locked = msoffcrypto.OfficeFile(file)
        assert locked.is_encrypted()
        locked.load_key(password="打开 me 7")
        locked.decrypt(plain)
    assert openpyxl.load_workbook(plain).worksheets[0].max_row == done.rows + 1
    batch = stocked.ingest(done.file)
    assert (batch.status, batch.refusal["code"]) == ("refused", "password-protected")
    with pytest.raises(Usage) as caught:
        export(stocked, "loans", "a.csv", password=Secret("x"))
    assert caught.value.code == "sheet-csv-password"
    monkeypatch.setattr("loanhub.workbook.find_spec", lambda _: None)
    with pytest.raises(Usage) as caught:
        export(stocked, "loans", "b.xlsx", password=Secret("x"))
    assert caught.value.code == "password-extra-missing"
    assert not (tmp_path / "b.xlsx").exists()


def test_an_export_that_fails_leaves_no_file_behind(
    stocked: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from loanhub.services.sheets.stream import SheetStream

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SheetStream, "write", full)
    before = set(tmp_path.iterdir())
    with pytest.raises(OSError, match="No space"):
        export(stocked, "loans", "a.xlsx")
    assert set(tmp_path.iterdir()) == before
