"""Where tables are in a sheet: one, one below another, one beside another, and none where there is none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import Mock

import polars as pl
import pytest

from loanhub.services.intake.layout import rows_of
from loanhub.services.intake.mapping import fingerprint, names_of
from loanhub.services.intake.plans import SheetPlan
from loanhub.services.intake.spool import Spooled
from loanhub.services.intake.tables import find_tables
from tests.unit.mapped import Rows, plans, read_as, sheet, shipped_words

HEAD = ["客户姓名", "借据号", "贷款金额", "期限"]
PAID = ["借据号", "实还日期", "实还金额"]


def loans(*numbers: int) -> list[Sequence[object]]:
    return [["钱文", f"J{n}", 10_000 + n, "12个月"] for n in numbers]


def receipts(*numbers: int) -> list[Sequence[object]]:
    return [[f"J{n}", f"2026-02-{n:02}", 900 + n] for n in numbers]


def where(found: Sequence[SheetPlan]) -> list[tuple[str, int, int, int | None]]:
    """Subject, header row, first and last row of each table."""
    return [(p.subject, p.header_row, p.first, p.last) for p in found]


def counted(spooled: Spooled) -> list[tuple[list[int], dict[int, str]]]:
    """Rows of data and rows left out, of each table."""
    found = find_tables(spooled, names_of(shipped_words()))
    read = [rows_of(table, list(table.headers), []) for table in found]
    return [(r.cells["row"].to_list(), dict(r.skipped)) for r in read]


def test_a_sheet_of_one_table_is_one(tmp_path: Path) -> None:
    assert where(plans(tmp_path, [HEAD, *loans(1, 2, 3)])) == [("loans", 1, 2, None)]


@pytest.mark.parametrize(
    "between", [[], [[]], [[], ["二、还款明细"]], [[], [], ["还款"], ["单位：元"]]], ids=len
)
def test_a_table_below_with_a_header_of_its_own_is_read_on_its_own(between: Rows, tmp_path: Path) -> None:
    rows = [["一、借据"], HEAD, *loans(1, 2, 3), *between, PAID, *receipts(4, 5)]
    start = 6 + len(between)
    found = plans(tmp_path, rows)
    assert where(found) == [("loans", 2, 3, start - 1), ("receipts", start, start + 1, None)]
    assert [p.place for p in found] == [1, 2]
    assert read_as(found[1]) == {
        "借据号": ("loan.loan_no", "alias"),
        "实还日期": ("receipt.paid_date", "alias"),
        "实还金额": ("receipt.paid_amount", "alias"),
    }
    first, second = counted(sheet(tmp_path, rows))
    assert (first[0], second[0]) == ([3, 4, 5], [start + 1, start + 2])
    assert set(first[1].values()) == ({"title-row"} if len(between) > 1 else set())
    titles = {row for row in range(6, start) if between[row - 6]}
    assert set(first[1]) == titles, "every row is data, blank or left out and counted"


def test_a_table_below_may_be_wider_and_have_two_header_lines(tmp_path: Path) -> None:
    wide = ["借据号", "还款", None, None, None, "备注"]
    detail = [None, "实还日期", "实还金额", "实还本金", "实还利息", None]
    body = [[f"J{n}", f"2026-02-{n:02}", 900, 800, 100, "柜面"] for n in (1, 2)]
    merges = [(5, 1, 5, 4), (5, 0, 6, 0), (5, 5, 6, 5)]
    first, second = plans(tmp_path, [HEAD, *loans(1, 2), [], wide, detail, *body], merges=merges)
    assert (first.last, second.header_row, second.first) == (4, 5, 7)
    assert second.fields.keys() >= {"receipt.paid_date", "receipt.paid_amount", "receipt.paid_interest"}


def test_three_tables_below_each_other(tmp_path: Path) -> None:
    people = [["客户姓名", "手机号", "学历"], *([["钱文", "13900000001", "本科"]] * 3)]
    found = plans(tmp_path, [HEAD, *loans(1, 2), [], PAID, *receipts(1, 2), [], *people])
    assert [p.subject for p in found] == ["loans", "receipts", "customers"]
    assert [p.last for p in found] == [4, 8, None]


def test_the_same_header_again_is_no_other_table(tmp_path: Path) -> None:
    found = plans(tmp_path, [HEAD, *loans(1, 2), [], HEAD, *loans(3, 4)])
    assert where(found) == [("loans", 1, 2, None)]
    ((rows, left),) = counted(sheet(tmp_path, [HEAD, *loans(1, 2), [], HEAD, *loans(3, 4)]))
    assert (rows, left) == ([2, 3, 6, 7], {5: "header-again"})


NO_TABLES: list[Rows] = [
    [["说明"], ["1. 客户姓名按身份证填写"], ["2. 金额单位为元"]],
    [["字段", "含义"], ["客户姓名", "借款人的姓名"], ["手机号码", "本人实名的号码"]],
    [["合计", None, 30_006], ["制表：", "赵", "复核：", "孙"]],
    [["客户姓名", "无"], ["联系电话", "无"]],
    [["贷款金额", "期限", "利率"], ["以合同为准", "见附件", "见附件"]],
]


@pytest.mark.parametrize("notes", NO_TABLES, ids=range(len(NO_TABLES)))
def test_notes_and_totals_below_are_no_table(notes: Rows, tmp_path: Path) -> None:
    found = plans(tmp_path, [HEAD, *loans(1, 2, 3), [], *notes])
    assert where(found) == [("loans", 1, 2, None)]


def beside(left: Rows, right: Rows, gap: int = 1) -> Rows:
    """Two tables beside each other."""
    width, height = max(map(len, left)), max(len(left), len(right))
    return [
        [
            *(list(left[i]) if i < len(left) else []),
            *[None] * (width - len(left[i]) if i < len(left) else width),
        ]
        + [None] * gap
        + (list(right[i]) if i < len(right) else [])
        for i in range(height)
    ]


def test_a_table_beside_another_is_read_on_its_own(tmp_path: Path) -> None:
    rows = beside([HEAD, *loans(1, 2, 3)], [PAID, *receipts(1, 2)])
    found = plans(tmp_path, rows)
    assert [(p.subject, p.place) for p in found] == [("loans", 1), ("receipts", 2)]
    assert [min(c.column for c in p.columns) for p in found] == [0, 5]
    assert [rows for rows, _ in counted(sheet(tmp_path, rows))] == [[2, 3, 4], [2, 3]]


def test_a_table_beside_may_begin_further_down_and_have_one_below_it(tmp_path: Path) -> None:
    right = [
        [],
        ["还款明细"],
        PAID,
        *receipts(1, 2),
        [],
        ["客户姓名", "手机号"],
        *[["钱文", "13900000001"]] * 2,
    ]
    found = plans(tmp_path, beside([HEAD, *loans(1, 2, 3)], right))
    assert [(p.subject, p.header_row) for p in found] == [("loans", 1), ("receipts", 3), ("customers", 7)]


def test_an_empty_column_within_one_table_is_only_a_gap(tmp_path: Path) -> None:
    left: Rows = [["客户姓名", "手机号"], *[["钱文", "13900000001"]] * 3]
    right: Rows = [["借据号", "贷款金额", "期限"], *([f"J{n}", 10_000, 12] for n in range(3))]
    (plan,) = plans(tmp_path, beside(left, right))
    assert plan.fields.keys() == {
        "customer.name", "customer.mobile", "loan.loan_no", "loan.amount", "loan.term",
    }  # fmt: skip


def test_notes_beside_a_table_are_no_table(tmp_path: Path) -> None:
    notes: Rows = [[], ["填表说明"], ["金额单位：元"], ["客户姓名按身份证填写"]]
    found = plans(tmp_path, beside([HEAD, *loans(1, 2, 3)], notes))
    assert where(found) == [("loans", 1, 2, None)]


def test_a_mapping_may_say_that_a_sheet_is_one_table(tmp_path: Path) -> None:
    rows = beside([HEAD, *loans(1, 2, 3)], [PAID, *receipts(1, 2)])
    assert len(plans(tmp_path, rows, one=True)) == 1


# -- no header -------------------------------------------------------------------------------------


def test_a_sheet_without_a_header_is_called_by_letters_and_read_as_far_as_values_say(tmp_path: Path) -> None:
    rows = [["钱文", f"1390000000{n}", "本科", 10_000 + n] for n in range(5)]
    (plan,) = plans(tmp_path, rows)
    assert (plan.header_row, plan.first) == (0, 1)
    assert read_as(plan)["(B)"] == ("customer.mobile", "values")
    assert {header for header, (field, _) in read_as(plan).items() if not field} == {"(A)", "(C)", "(D)"}


def test_a_mapping_names_the_columns_of_a_sheet_without_a_header(tmp_path: Path) -> None:
    told = {
        "(A)": {"field": "customer.name"},
        "(B)": {"field": "loan.loan_no"},
        "(C)": {"field": "loan.amount"},
    }
    rows = [["钱文", f"J{n}", 10_000 + n, 12] for n in range(4)]
    (plan,) = plans(tmp_path, rows, file=told, header_row=0)
    assert (plan.subject, plan.first, plan.questions) == ("loans", 1, ())


def test_a_plan_is_kept_with_all_it_asks_and_all_it_saw(tmp_path: Path) -> None:
    rows = [["钱文", f"1390000000{n}", "本科", 10_000 + n] for n in range(5)]
    (plan,) = plans(tmp_path, rows)
    assert [question.code for question in plan.questions] == ["no-subject"]
    assert SheetPlan.from_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_what_was_said_of_a_sheet_without_a_header_is_said_of_no_other(tmp_path: Path) -> None:
    def print_of(rows: Rows) -> str:
        (table,) = find_tables(sheet(tmp_path, rows), names_of(shipped_words()))
        return fingerprint(table)

    people = [["钱文", f"1390000000{n}"] for n in range(5)]
    later = [["赵武", f"1380000000{n}"] for n in range(5)]
    assert print_of(people) == print_of([*people, ["孙德", "13900000009"]])
    assert print_of(people) != print_of(later)


# -- large -----------------------------------------------------------------------------------------


def test_a_table_below_is_found_wherever_it_is_in_a_long_sheet(tmp_path: Path) -> None:
    rows = [HEAD, *loans(*range(9_000)), [], PAID, *receipts(1, 2)]
    whole = sheet(tmp_path, rows)
    frame = pl.read_ipc(whole.blocks[0])
    parts = [tmp_path / f"part-{n}.arrow" for n in range(3)]
    for n, path in enumerate(parts):
        frame[n * 4_000 : (n + 1) * 4_000].write_ipc(path)
    long = Spooled("台账", hidden=False, blocks=tuple(parts), rows=len(rows), width=4)
    (first, second) = counted(long)
    assert (len(first[0]), first[0][-1], second[0]) == (9_000, 9_001, [9_004, 9_005])


def test_a_long_sheet_that_has_numbers_at_its_top_only_is_not_read_again_for_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbered = [[n, f"王{n}", "电话", "答应5日还款"] for n in range(20)]
    told = [[None, f"王{chr(0x4E00 + n)}", "电话", "不在家"] for n in range(2_000)]
    long = sheet(
        tmp_path, [["序号", "客户姓名", "跟进方式", "跟进内容"], *numbered, *told, PAID, *receipts(1, 2)]
    )
    reader = Mock(wraps=pl.read_ipc)
    monkeypatch.setattr(pl, "read_ipc", reader)
    found = find_tables(long, names_of(shipped_words()))
    assert [(t.header_row, t.last) for t in found] == [(1, 2_021), (2_022, None)]
    assert reader.call_count < 50
