"""A revised sheet against a record that went on: what the sheet changed is applied, what people did stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import polars as pl
import pytest
from attrs import evolve

from loanhub.acts import Act, Books, Facts
from loanhub.entities import Entity, Loan
from loanhub.records import Query
from loanhub.records import Test as Condition
from loanhub.services.intake.undo import UNDO, Undo
from loanhub.settings import Drop
from tests.flows.conftest import Office
from tests.flows.sheets import HEAD, killed, loan, office_in, person, problems, reasons, summary, workbook

MORE = (*HEAD, "贷款用途", "贷款产品")


def book(office: Office, name: str, *rows: list[object]) -> Path:
    return workbook(office.folder / f"{name}.xlsx", [MORE, *rows])


def written(books: Books, change: tuple[type[Entity], str, str, dict[str, Any]]) -> Facts[None]:
    """The one record that has a value, with others."""
    kind, name, value, values = change
    record = next(iter(books.find(Query(kind.KIND, (Condition(name, "eq", value),)))))
    return Facts(None, (evolve(record, **values),))


BY_HAND: Final = Act("test.by-hand", tuple, "loan.write", written)


def by_hand(office: Office, kind: type[Entity], name: str, value: str, **values: Any) -> None:
    """A person writes into a record."""
    office.house.desk().do(BY_HAND, (kind, name, value, values))


def one_loan(office: Office, number: str = "J0001") -> dict[str, Any]:
    return office.rows("loan").filter(pl.col("loan_no") == number).to_dicts()[0]


def test_a_value_changed_by_a_person_and_by_the_sheet_is_a_conflict_and_not_written(office: Office) -> None:
    office.ingest(book(office, "一月", [*loan(1), "进货", "经营贷"], [*loan(2), "装修", "经营贷"]))
    by_hand(office, Loan, "loan_no", "J0001", purpose="学费")
    batch = office.ingest(book(office, "二月", [*loan(1), "旅游", "消费贷"], [*loan(2), "装修", "经营贷"]))
    assert (batch.rows, batch.conflicts, batch.changed, batch.unchanged) == (2, 1, 0, 1)
    found = one_loan(office)
    assert found["purpose"] == "学费", "what the person wrote stands"
    assert found["product"] == "消费贷", "the rest of the row is applied"
    assert reasons(office, batch) == {"conflict"}
    told = office.problems(batch).to_dicts()
    assert [(p["row"], p["field"], p["header"], p["severity"]) for p in told] == [
        (2, "loan.purpose", "贷款用途", "conflict")
    ]
    assert "贷款用途" in problems(office, batch)[0][0].text
    assert any(1 in line for line in summary(batch))


def test_the_same_sheet_again_does_not_undo_what_a_person_did(office: Office) -> None:
    office.ingest(book(office, "一月", [*loan(1), "进货", "经营贷"]))
    by_hand(office, Loan, "loan_no", "J0001", purpose="学费")
    batch = office.ingest(book(office, "二月", [*loan(1), "进货", "消费贷"]))
    assert (batch.conflicts, batch.changed) == (0, 1)
    assert (one_loan(office)["purpose"], one_loan(office)["product"]) == ("学费", "消费贷")


def test_a_conflict_told_once_is_not_told_again_by_the_same_words(office: Office) -> None:
    office.ingest(book(office, "一月", [*loan(1), "进货", "经营贷"]))
    by_hand(office, Loan, "loan_no", "J0001", purpose="学费")
    assert office.ingest(book(office, "二月", [*loan(1), "旅游", "经营贷"])).conflicts == 1
    third = office.ingest(book(office, "三月", [*loan(1), "旅游", "消费贷"]))
    assert (third.conflicts, third.changed) == (0, 1)
    assert one_loan(office)["purpose"] == "学费"


def test_both_coming_to_the_same_value_is_no_conflict(office: Office) -> None:
    office.ingest(book(office, "一月", [*loan(1), "进货", "经营贷"]))
    by_hand(office, Loan, "loan_no", "J0001", purpose="旅游")
    batch = office.ingest(book(office, "二月", [*loan(1), "旅游", "经营贷"]))
    assert (batch.conflicts, batch.unchanged) == (0, 1)


def test_a_sheet_that_speaks_of_a_record_for_the_first_time_fills_in_and_does_not_overwrite(
    office: Office,
) -> None:
    office.ingest(book(office, "一月", [*loan(1), "进货", None]))
    other = workbook(
        office.folder / "补充.xlsx",
        [["借据号", "贷款金额", "期限", "贷款用途", "担保方式"], ["J0001", "10万", "12个月", "旅游", "保证"]],
    )
    batch = office.ingest(other, drop=Drop(folder="drop", owner="前台"))
    assert batch.conflicts == 1
    assert (one_loan(office)["purpose"], one_loan(office)["guarantee"]) == ("进货", "guarantee")


def test_clear_marks_erase_and_empty_cells_do_not(office: Office) -> None:
    office.ingest(book(office, "一月", [*loan(1), "进货", "经营贷"], [*loan(2), "装修", "经营贷"]))
    batch = office.ingest(book(office, "二月", [*loan(1), "#clear", None], [*loan(2), "清空", "经营贷"]))
    assert batch.changed == 2
    assert [one_loan(office, f"J000{n}")["purpose"] for n in (1, 2)] == [None, None]
    assert [one_loan(office, f"J000{n}")["product"] for n in (1, 2)] == ["经营贷", "经营贷"]
    again = office.ingest(book(office, "三月", [*loan(1), "进货", "经营贷"], [*loan(2), "清空", "经营贷"]))
    assert (again.changed, one_loan(office)["purpose"]) == (1, "进货"), "said anew after it was taken back"
    assert again.unchanged == 1
    by_hand(office, Loan, "loan_no", "J0002", purpose="学费")
    office.ingest(book(office, "四月", [*loan(2), "清空", "消费贷"]))
    assert one_loan(office, "J0002")["purpose"] == "学费", "never over what a person wrote"


PAID = ("借据号", "实还日期", "实还金额")


def test_a_receipt_is_stored_once_however_often_its_sheet_comes(office: Office) -> None:
    office.ingest(book(office, "台账", [*loan(1), None, None]))
    twice = ["J0001", "2026-02-15", 100]
    first = office.ingest(
        workbook(office.folder / "还款1.xlsx", [PAID, twice, twice, ["J0001", "2026-03-15", 200]])
    )
    assert (first.rows, first.stored) == (3, 3), "two equal receipts of one day are two receipts"
    more = [PAID, ["J0001", "2026-04-15", 300], twice, ["J0001", "2026-03-15", 200], twice]
    again = office.ingest(workbook(office.folder / "还款2.xlsx", more))
    assert (again.rows, again.stored, again.unchanged) == (4, 1, 3)
    amounts = sorted(office.rows("receipt")["paid_amount"].to_list())
    assert amounts == [10_000, 10_000, 20_000, 30_000]


def test_a_receipt_known_through_another_source_is_not_stored_twice(office: Office) -> None:
    office.ingest(book(office, "台账", [*loan(1), None, None]))
    rows = [PAID, ["J0001", "2026-02-15", 100]]
    office.ingest(workbook(office.folder / "a.xlsx", rows))
    other = workbook(office.folder / "b.xlsx", [(*PAID, "还款渠道"), ["J0001", "2026-02-15", 100, "转账"]])
    batch = office.ingest(other, drop=Drop(folder="drop", owner="前台"))
    assert (batch.stored, office.rows("receipt").height) == (0, 1)


TALKS = ("客户姓名", "手机号码", "跟进时间", "跟进内容", "跟进结果")


def test_follow_ups_are_only_added_to_and_a_correction_points_to_the_old_one(office: Office) -> None:
    who = person(1)
    said = [who.name, who.mobile, "2026-06-01 10:00", "说月底还"]
    office.ingest(book(office, "台账", [*loan(1), None, None]))
    office.ingest(workbook(office.folder / "跟进1.xlsx", [TALKS, [*said, "承诺还款"]]))
    same = office.ingest(
        workbook(
            office.folder / "跟进2.xlsx",
            [TALKS, [*said, "承诺还款"], [*said[:2], "2026-06-09", "未接", None]],
        )
    )
    assert (same.unchanged, same.stored) == (1, 1)
    batch = office.ingest(workbook(office.folder / "跟进3.xlsx", [TALKS, [*said, "失联"]]))
    assert batch.rows == batch.changed + batch.stored == 1
    talks = office.rows("follow_up").sort("id").select("id", "content", "result", "corrects").rows()
    first = talks[0][0]
    assert talks[0] == (first, "说月底还", "承诺还款", None)
    assert talks[-1][1:] == ("说月底还", "失联", first)
    assert office.rows("follow_up")["version"].to_list() == [1, 1, 1]


def test_a_follow_up_about_nobody_known_for_certain_is_rejected(office: Office) -> None:
    batch = office.ingest(
        workbook(
            office.folder / "跟进.xlsx",
            [("客户姓名", "跟进时间", "跟进内容"), ["王某某", "2026-06-01", "未接"]],
        )
    )
    assert (batch.stored, batch.rejected) == (0, 1)
    assert reasons(office, batch) == {"customer-unclear"}


def test_undo_lists_what_a_person_built_upon_by_row_and_leaves_it(office: Office) -> None:
    first = office.ingest(book(office, "一月", [*loan(1), "进货", "经营贷"], [*loan(2), "装修", "经营贷"]))
    by_hand(office, Loan, "loan_no", "J0002", purpose="学费")
    done = office.house.desk().do(UNDO, Undo(first.id, "放错了"))
    assert {(k.row, k.kind, k.reason) for k in done.kept} == {
        (3, "loan", "changed-since"),
        (3, "customer", "built-upon"),
    }
    assert office.rows("loan")["loan_no"].to_list() == ["J0002"]
    assert office.rows("customer")["name"].to_list() == [person(2).name]
    again = office.ingest(book(office, "一月", [*loan(1), "进货", "经营贷"], [*loan(2), "装修", "经营贷"]))
    assert (again.status, again.stored) == ("stored", 1)


def test_an_undone_revision_leaves_the_first_word_standing(office: Office) -> None:
    office.ingest(book(office, "一月", [*loan(1), "进货", "经营贷"]))
    second = office.ingest(book(office, "二月", [*loan(1), "旅游", "经营贷"]))
    office.house.desk().do(UNDO, Undo(second.id, "放错了"))
    assert one_loan(office)["purpose"] == "进货"
    third = office.ingest(book(office, "三月", [*loan(1), "装修", "经营贷"]))
    assert (third.changed, third.conflicts) == (1, 0)
    assert one_loan(office)["purpose"] == "装修"


def test_rows_of_one_person_that_contradict_each_other_are_told(office: Office) -> None:
    head = [*HEAD, "学历"]
    other = loan(1, 借据号="J0009")
    path = workbook(office.folder / "台账.xlsx", [head, [*loan(1), "本科"], [*other, "硕士"]])
    batch = office.ingest(path)
    assert (batch.stored, batch.warnings) == (2, 1)
    assert reasons(office, batch) == {"differs-from-earlier-row"}
    assert office.rows("customer")["education"].to_list() == ["bachelor"]


def test_the_same_loan_twice_in_a_file_is_read_once_and_a_contradiction_rejected(office: Office) -> None:
    path = workbook(office.folder / "台账.xlsx", [HEAD, loan(1), loan(1), loan(1, 贷款金额="11万")])
    batch = office.ingest(path)
    assert (batch.rows, batch.stored, batch.unchanged, batch.rejected) == (3, 1, 1, 1)
    assert reasons(office, batch) == {"row-repeated", "row-contradicts"}


def test_a_manager_changed_by_the_sheet_waits_for_a_person(office: Office) -> None:
    head = [*HEAD, "客户经理"]

    def sheet(name: str, manager: str) -> Path:
        return workbook(office.folder / name, [head, [*loan(1), manager]])

    office.ingest(sheet("一月.xlsx", "王经理"))
    batch = office.ingest(sheet("二月.xlsx", "李经理"))
    assert (batch.changed, batch.waiting) == (1, 1)
    assert office.rows("customer")["manager"].to_list() == ["王经理"]
    again = office.ingest(sheet("三月.xlsx", "李经理"), dry=True)
    assert (again.unchanged, again.conflicts) == (1, 0), "asked for once"


@pytest.mark.parametrize("stopped", [False, True])
def test_a_conflict_behind_a_kill_is_one_as_it_would_have_been_without(stopped: bool, tmp_path: Path) -> None:
    """The customer was known: that the batch gave it a loan before the kill does not make it the batch's."""
    with office_in(tmp_path, intake={"chunk": 2}) as office:
        office.ingest(workbook(tmp_path / "一月.xlsx", [HEAD, loan(1)]))
        rows = [loan(1, 借据号="A"), loan(2), loan(1, 借据号="B", 手机号码=person(5).mobile)]
        rows += [loan(2, 借据号="C", 手机号码=person(6).mobile)]
        path = workbook(tmp_path / "二月.xlsx", [HEAD, *rows])
        if stopped:
            killed(office, path, 1)
        batch = office.ingest(path)
        told = office.problems(batch).select("row", "code").rows()
        assert (told, batch.conflicts) == ([(4, "conflict"), (5, "differs-from-earlier-row")], 1)
