"""Who a row is about: the same person by ID, by company code, by name and mobile together; else somebody new.

Whoever was merged into another is that one, and what is not certain is told, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from loanhub import jobs
from loanhub.identifiers import uscc_check_digit
from loanhub.jobs import Job
from loanhub.policy import Principal
from loanhub.services.intake.job import Incoming, Intake
from loanhub.services.intake.undo import UNDO, Undo
from loanhub.services.people import acts, edit, find, merge, unmerge
from tests.flows.conftest import Office
from tests.flows.sheets import HEAD, loan, office_in, person, workbook

FIRST = "91119999MA0000001"
COMPANY = FIRST + uscc_check_digit(FIRST)


COMPANIES = ("客户姓名", "统一社会信用代码", "借据号", "贷款金额", "期限")


def of(number: int, key: str, **other: object) -> list[object]:
    """A loan of somebody invented; its number is the key."""
    return loan(number, **{"借据号": key, **other})


@define
class Story:
    """Sheets landing one after the other, and what became of their rows."""

    office: Office
    told: dict[str, set[str]] = field(factory=dict)
    """Codes of the problems by the number of the row's loan."""
    stages: dict[str, dict[str, int]] = field(factory=dict)
    """Customers by the number of their loan, as they were at a stage."""

    def land(self, name: str, rows: list[list[object]], *companies: list[object]) -> None:
        """A workbook of loans, and of companies on a sheet of their own."""
        sheets = {"台账": [HEAD, *rows], "公司": [COMPANIES, *companies]}
        file = workbook(self.office.folder / f"{name}.xlsx", sheets if companies else sheets["台账"])
        batch = self.office.ingest(file)
        for one in self.office.problems(batch).filter(sheet=0).to_dicts():
            self.told.setdefault(str(rows[one["row"] - 2][3]), set()).add(one["code"])

    def owners(self) -> dict[str, int]:
        """Customers by the number of their loan."""
        return dict(self.office.rows("loan").select("loan_no", "customer_id").iter_rows())

    def keep(self, stage: str) -> None:
        """Remember whose the loans are now."""
        self.stages[stage] = self.owners()

    def do(self, act: Any, request: Any) -> Any:
        return self.office.house.desk().do(act, request)

    def merge(self, keep: str, other: str) -> None:
        """The customer of a loan takes in that of another."""
        known = self.owners()
        self.do(acts.MERGE, merge.MergeCustomers(known[keep], known[other], "同一人"))


NO_ID: dict[str, object] = {"身份证号": None}
NO_MOBILE: dict[str, object] = {"手机号码": None}
SAME: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "by ID": ({}, NO_MOBILE),
    "by ID, mobile later": (NO_MOBILE, {}),
    "by name and mobile": ({}, NO_ID),
    "by both, no ID": (NO_ID, NO_ID),
    "by both, ID later": (NO_ID, {}),
}
"""What two sheets leave out of one person."""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with office_in(tmp_path_factory.mktemp("who")) as office:
        told = Story(office)
        first, second = (
            [of(n, f"{name} {sheet}", **left[sheet]) for n, (name, left) in enumerate(SAME.items())]
            for sheet in (0, 1)
        )
        first += [
            of(11, "alone"),
            of(12, "one"),
            of(13, "two a"),
            of(13, "two b", 身份证号=person(14).id_number),
        ]
        first += [of(15, "kept"), of(16, "taken", **NO_ID), of(17, "known"), of(18, "named", **NO_ID)]
        first += [of(20, "held"), of(21, "gone", **NO_ID)]
        second += [
            of(11, "name only", 身份证号=None, 手机号码=person(10).mobile),
            of(11, "mobile only", 身份证号=None, 客户姓名="钱样"),
            of(12, "other", 身份证号=person(9).id_number),
            of(13, "either", **NO_ID),
            of(19, "company", 客户姓名="甲样品有限公司", 身份证号=COMPANY, 手机号码=None),
        ]
        told.land("一月", first, ["甲样品公司", COMPANY, "firm", "10万", "12个月"])
        told.land("二月", second)
        told.keep("landed")
        told.merge("kept", "taken")
        told.merge("named", "known")
        told.merge("held", "gone")
        told.land("三月", [of(16, "again", **NO_ID), of(17, "again by ID"), of(21, "not that one")])
        told.keep("merged")
        told.do(acts.UNMERGE, unmerge.UnmergeCustomer(told.stages["landed"]["taken"], "两个人"))
        told.land("四月", [of(16, "parted", **NO_ID), of(15, "stayed")])
        told.keep("parted")
        yield told


@pytest.mark.parametrize("name", SAME)
def test_one_person_in_two_sheets_is_one_customer(name: str, story: Story) -> None:
    known = story.stages["landed"]
    assert known[f"{name} 0"] == known[f"{name} 1"]
    assert sum(1 for owner in known.values() if owner == known[f"{name} 0"]) == 2
    assert f"{name} 1" not in story.told


def test_a_company_is_known_by_its_code_wherever_the_code_stands(story: Story) -> None:
    assert story.stages["landed"]["firm"] == story.stages["landed"]["company"]


def test_a_name_or_a_mobile_alone_is_nobody_known(story: Story) -> None:
    known = story.stages["landed"]
    assert len({known["alone"], known["name only"], known["mobile only"]}) == 3


def test_one_of_the_same_name_and_mobile_with_another_id_is_somebody_else_and_told(story: Story) -> None:
    assert story.stages["landed"]["one"] != story.stages["landed"]["other"]
    assert story.told["other"] == {"same-name-other-id"}


def test_a_row_that_may_mean_two_people_means_neither_and_is_told(story: Story) -> None:
    known = story.stages["landed"]
    assert len({known["two a"], known["two b"], known["either"]}) == 3
    assert story.told["either"] == {"same-name"}


def test_a_row_of_somebody_merged_is_about_the_survivor(story: Story) -> None:
    known = story.stages["merged"]
    assert known["taken"] == known["again"] == known["kept"]
    assert known["known"] == known["again by ID"] == known["named"] == story.stages["landed"]["named"]


def test_one_of_a_merged_name_and_mobile_but_not_of_the_survivors_id_is_somebody_else(story: Story) -> None:
    assert story.told["not that one"] == {"same-name-other-id"}
    merged, landed = story.stages["merged"]["not that one"], story.stages["landed"]
    assert merged not in (landed["held"], landed["gone"])


def test_after_an_unmerge_rows_are_about_each_of_the_two_again(story: Story) -> None:
    landed, parted = story.stages["landed"], story.stages["parted"]
    assert parted["taken"] == parted["parted"] == landed["taken"]
    assert parted["kept"] == parted["stayed"] == parted["again"] == landed["kept"]


def test_the_batch_that_brought_two_who_were_merged_can_be_undone_and_nothing_is_lost(tmp_path: Path) -> None:
    """What was merged was built upon: it stays, is told, and can still be parted."""
    with office_in(tmp_path) as office:
        told = Story(office)
        told.land("一月", [of(1, "A"), of(2, "B", **NO_ID)])
        known = told.owners()
        told.merge("A", "B")
        undone = told.do(UNDO, Undo(1, "放错了"))
        assert {(one.kind, one.id) for one in undone.kept} >= {("customer", key) for key in known.values()}
        assert sorted(office.rows("customer")["id"]) == sorted(known.values())
        assert told.owners() == {"B": known["A"]}
        told.do(acts.UNMERGE, unmerge.UnmergeCustomer(known["B"], "两个人"))
        assert told.owners() == {"B": known["B"]}


def test_two_made_one_while_their_sheet_is_landing_are_one_for_its_later_rows(tmp_path: Path) -> None:
    with office_in(tmp_path, intake={"chunk": 2}) as office:
        told = Story(office)
        rows = [of(1, "A"), of(2, "B", **NO_ID), of(3, "C"), of(2, "D", **NO_ID)]
        file = workbook(tmp_path / "一月.xlsx", [HEAD, *rows])
        intake = Intake.of(office.house, "zh")
        for progress in jobs.run(
            Job("intake", lambda _: intake.take(Incoming(file, file.name))), office.house
        ):
            if (progress.note, progress.done) == ("landing", 2):
                told.merge("A", "B")
        known = told.owners()
        assert known["A"] == known["B"] == known["D"] != known["C"]


NUMBERED = ("客户编号", "客户姓名", "借据号", "贷款金额", "期限")


def numbered(number: str, name: str, key: str) -> list[object]:
    return [number, name, key, "10万", "12个月"]


def test_a_customer_number_is_not_enough_where_the_names_differ(tmp_path: Path) -> None:
    """Each of two offices numbers its customers from 1."""
    with office_in(tmp_path) as office:
        told = Story(office)
        here = [numbered("001", "张样", "A1"), numbered("002", "李 样", "A2")]
        office.ingest(workbook(tmp_path / "甲.xlsx", [NUMBERED, *here]))
        there = [numbered("001", "王样", "B1"), numbered("002", "李样", "B2")]
        batch = office.ingest(workbook(tmp_path / "乙.xlsx", [NUMBERED, *there]))
        assert office.problems(batch).select("row", "code").rows() == [(2, "customer-no-of-another")]
        known = told.owners()
        assert known == {"A1": known["A1"], "A2": known["A2"], "B2": known["A2"]}
        jobs_of = [("客户编号", "客户姓名", "职业"), ("001", "王样", "司机"), ("002", "李样", "教师")]
        people = office.ingest(workbook(tmp_path / "人.xlsx", jobs_of))
        assert (people.rejected, people.changed) == (1, 1), "nothing of the one is filled in at the other"
        again = [numbered("001", "张祥", "A1"), here[1]]
        revised = office.ingest(workbook(tmp_path / "甲改.xlsx", [NUMBERED, *again]))
        assert (revised.rejected, revised.conflicts, told.owners()) == (0, 0, known), "a name put right"


def test_whoever_was_merged_step_by_step_is_the_last_one(tmp_path: Path) -> None:
    """A branch merges on what it sees; those who were merged before may be of another branch."""
    with office_in(tmp_path) as office:
        told = Story(office)
        told.land("一月", [of(1, "A"), of(2, "B", **NO_ID), of(3, "C", **NO_ID)])
        known = told.owners()
        for key, branch in (("A", "东"), ("B", "东"), ("C", "西")):
            told.do(acts.EDIT, edit.EditCustomer(known[key], (f"branch={branch}",), ()))
        told.merge("B", "C")
        manager = Principal("甲", "manager", frozenset({"*"}), "branch:东")
        asked = merge.MergeCustomers(known["A"], known["B"], "同一人")
        office.house.desk(manager).do(acts.MERGE, asked)
        told.land("二月", [of(3, "C2", **NO_ID)])
        assert told.owners()["C2"] == known["A"]
        (hit, *_) = told.do(acts.FIND, find.Find(person(3).name)).results
        assert (hit.id, hit.merged_from) == (known["A"], known["C"])
