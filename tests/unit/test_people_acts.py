"""People: found by whatever is known of them, shown in full, added, changed and merged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub.acts import PARAM, Act, Facts
from loanhub.desk import Desk
from loanhub.entities import (
    ENTITIES,
    CreditRecord,
    Customer,
    Document,
    FollowUp,
    Loan,
    Message,
    Pending,
    Rating,
    Relation,
)
from loanhub.errors import LoanHubError, NotAllowed, NotFound, Stale, Usage
from loanhub.fields import SENSITIVE, Dictionary, Field, FieldType
from loanhub.identifiers import id_check_digit, uscc_check_digit
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.money import yuan
from loanhub.policy import Principal
from loanhub.services.people import (
    acts,
    belonging,
    credit,
    duplicates,
    edit,
    find,
    followups,
    merge,
    person,
    show,
    unmerge,
)
from loanhub.settings import default
from loanhub.texts import catalogue, say
from loanhub.values import Noted, read_value
from tests.books import ListBooks

TODAY = date(2026, 3, 17)


def number_of(born: str, sequence: str = "001") -> str:
    """An ID number with an area that was never given out."""
    first = f"119999{born}{sequence}"
    return first + id_check_digit(first)


LI = number_of("19850612", "011")  # a man
WANG = number_of("19900101", "022")  # a woman
COMPANY = "91119999MA0000001"
COMPANY += uscc_check_digit(COMPANY)


class PlainBooks(ListBooks):
    """Books over lists that can look numbers up."""

    dictionary = Dictionary.build(
        ENTITIES,
        [
            Field("customer", "wedding", FieldType.MOBILE, SENSITIVE),
            Field("customer", "shoe", FieldType.INTEGER),
        ],
    )

    def config(self, name: str) -> dict[str, Any]:
        return default(name)

    def blind(self, path: str, values: list[str | None]) -> list[bytes | None]:
        return [None if v is None else v.encode() for v in values]


def books(*entities: Any) -> PlainBooks:
    return PlainBooks(*entities, today=TODAY)


def refusal(call: Any) -> LoanHubError:
    with pytest.raises(LoanHubError) as caught:
        call()
    return caught.value


# -- One typed value -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("customer.monthly_income", "1.2万", 1_200_000),
        ("customer.birth_date", "1985年6月12日", date(1985, 6, 12)),
        ("customer.marital", "已婚", "married"),
        ("customer.mobile", "+86 138-0000-0000", "13800000000"),
        ("customer.name", "欧阳 小样", "欧阳小样"),
        ("customer.dependants", "2人", 2),
        ("credit.blacklist", "否", False),
        ("follow_up.next_time", "2026-03-20 15:30", datetime(2026, 3, 20, 7, 30, tzinfo=UTC)),
        ("follow_up.promise_amount", "0", 0),
    ],
)
def test_a_value_typed_by_hand_means_what_it_means_in_a_cell(path: str, text: str, value: Any) -> None:
    from zoneinfo import ZoneInfo

    from loanhub.readings.choices import shipped_choices

    zone = ZoneInfo("Asia/Shanghai")
    assert read_value(PlainBooks.dictionary[path], text, shipped_choices(), zone=zone).value == value


@pytest.mark.parametrize(
    ("path", "text", "problem"),
    [
        ("customer.dependants", "31", "number-out-of-range"),
        ("customer.monthly_income", "-5", "amount-negative"),
        ("customer.id_number", LI[:-1] + ("1" if LI[-1] != "1" else "2"), "id-checksum"),
        ("customer.remark", "长" * 501, "text-too-long"),
        ("customer.marital", "单身贵族", "choice-unknown"),
        ("customer.gender", "", "cell-empty"),
    ],
)
def test_a_value_beyond_its_field_is_refused_with_the_code_of_a_cell(
    path: str, text: str, problem: str
) -> None:
    from loanhub.readings.choices import shipped_choices

    assert read_value(PlainBooks.dictionary[path], text, shipped_choices()).problem == problem


@given(st.integers(0, 10**13))
def test_an_amount_typed_as_it_is_shown_is_the_same_amount(fen: int) -> None:
    from loanhub.readings.choices import shipped_choices

    about = PlainBooks.dictionary["customer.annual_income"]
    assert read_value(about, yuan(fen), shipped_choices()).value == fen


# -- Adding ----------------------------------------------------------------------------------------


def added(house: ListBooks, *sets: str, **given: Any) -> Any:
    return house.do(acts.ADD, edit.AddCustomer(**{"name": "李小样", "set": sets} | given))


def test_a_customer_is_added_from_values_as_people_write_them() -> None:
    house = books()
    saved = added(
        house, "婚姻状况=已婚", "monthly_income=8千", "wedding=13900000001", "shoe=42", id_number=LI.lower()
    )
    customer = house.get(Customer, saved.id)
    assert (customer.id_number, customer.marital, customer.monthly_income) == (LI, "married", 800_000)
    assert customer.extra == {"wedding": "13900000001", "shoe": 42}
    assert (saved.version, saved.waiting) == (1, ())


def test_all_faults_are_told_at_once_in_words_and_none_of_the_values() -> None:
    error = refusal(lambda: added(books(), "birth_date=1985-02-30", mobile="1380000", id_number=LI[:-2]))
    assert (error.code, [one.code for one in error.facts["faults"].noted]) == (  # type: ignore[attr-defined]
        "values-wrong",
        ["id-length", "mobile-length", "date-impossible"],
    )
    assert "手机号" in say(error, "zh").text
    assert "Mobile" in say(error, "en").text
    for said in (str(error), repr(error), str(say(error, "zh")), str(say(error, "en"))):
        assert "1380000" not in said
        assert LI[:-2] not in said
    assert "customer.mobile: mobile-length" in str(error)


def test_birth_date_and_gender_must_be_those_of_the_number() -> None:
    error = refusal(lambda: added(books(), "birth_date=1985-06-13", "gender=女", id_number=LI))
    assert [one.code for one in error.facts["faults"].noted] == ["birth-id-mismatch", "gender-id-mismatch"]  # type: ignore[attr-defined]
    assert added(books(), "birth_date=1985-06-12", "gender=男", id_number=LI).id == 1


def test_a_number_of_another_paper_is_taken_as_it_is() -> None:
    house = books()
    added(house, "id_type=护照", "birth_date=1970-01-01", id_number="E12345678")
    assert house.of("customer")[0].id_number == "E12345678"
    assert refusal(lambda: added(books(), id_number="E12345678")).code == "values-wrong"


def test_a_company_code_in_the_box_of_the_number_is_a_company_code() -> None:
    house = books()
    added(house, name="样例商贸有限公司", customer_type="企业", id_number=COMPANY)
    assert (house.of("customer")[0].uscc, house.of("customer")[0].id_number) == (COMPANY, None)


def test_a_second_customer_of_one_number_is_refused_and_the_first_is_named() -> None:
    house = books(Customer(id=7, name="李样", id_number=LI, version=1))
    error = refusal(lambda: added(house, id_number=LI))
    assert (error.code, error.facts) == ("customer-exists", {"id": 7})
    merged = books(Customer(id=7, name="李样", id_number=LI, merged_into=3, version=1))
    assert refusal(lambda: added(merged, id_number=LI)).facts == {"id": 3}


@pytest.mark.parametrize(
    ("sets", "code"),
    [
        (("remark",), "set-without-equals"),
        (("favourite=blue",), "field-unknown"),
        (("merged_into=3",), "field-unknown"),
        (("extra={}",), "field-unknown"),
        (("remark=a", "备注=b"), "field-twice"),
        (("手机号=13800000000", "mobile=13800000001"), "field-twice"),
        (("remark=",), "values-wrong"),
    ],
)
def test_an_assignment_that_cannot_be_meant_is_a_wrong_call(sets: tuple[str, ...], code: str) -> None:
    assert refusal(lambda: added(books(), *sets)).code == code


def test_a_suspicious_card_number_is_stored_with_a_warning() -> None:
    saved = added(books(), "bank_card=6200000000000001")
    assert saved.warnings == (Noted("customer.bank_card", "card-luhn"),)


def test_requests_do_not_show_what_is_private() -> None:
    said = repr(edit.AddCustomer("李小样", id_number=LI, mobile="13800000000", set=(f"bank_card={LI}",)))
    assert LI not in said
    assert "13800000000" not in said
    assert LI not in repr(find.Find(LI))


# -- Changing --------------------------------------------------------------------------------------


def edited(house: ListBooks, *sets: str, clear: tuple[str, ...] = (), version: int | None = None) -> Any:
    return house.do(acts.EDIT, edit.EditCustomer(1, sets, clear, version))


def test_fields_are_changed_and_cleared() -> None:
    house = books(
        Customer(id=1, version=2, name="李样", remark="旧", address="样省样市一号", extra={"shoe": 41})
    )
    assert edited(house, "remark=新", clear=("现住址", "shoe")) == person.Saved(1, 3)
    changed = house.get(Customer, 1)
    assert (changed.remark, changed.address, changed.extra) == ("新", None, {})


def test_a_value_that_says_clear_clears() -> None:
    house = books(Customer(id=1, version=1, name="李样", remark="旧"))
    edited(house, "remark=清空")
    assert house.get(Customer, 1).remark is None


def test_a_change_that_changes_nothing_writes_nothing() -> None:
    house = books(Customer(id=1, version=2, name="李样", remark="旧"))
    facts = acts.EDIT.decide(house, edit.EditCustomer(1, ("remark=旧",)))
    assert (facts.puts, facts.answer.version) == ((), 2)


def test_an_edit_of_an_older_version_is_refused() -> None:
    house = books(Customer(id=1, version=3, name="李样"))
    with pytest.raises(Stale):
        edited(house, "remark=新", version=2)


@pytest.mark.parametrize(
    ("customer", "sets", "clear", "code"),
    [
        (Customer(id=1, version=1, name="李样"), (), (), "nothing-to-change"),
        (Customer(id=1, version=1, name="李样"), (), ("name",), "field-needed"),
        (Customer(id=1, version=1, name="李样", merged_into=2), ("remark=a",), (), "customer-merged"),
        (Customer(id=2, version=1, name="李样"), ("remark=a",), (), "customer-unknown"),
        (Customer(id=1, version=1, name="李样", id_number=LI), ("gender=女",), (), "values-wrong"),
        (Customer(id=1, version=1, name="李样"), ("remark=a",), ("remark",), "field-twice"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused(
    customer: Customer, sets: tuple[str, ...], clear: tuple[str, ...], code: str
) -> None:
    assert refusal(lambda: edited(books(customer), *sets, clear=clear)).code == code


def test_an_id_number_of_somebody_else_is_refused_on_edit_too() -> None:
    house = books(
        Customer(id=1, version=1, name="李样"), Customer(id=2, version=1, name="李样", id_number=LI)
    )
    assert refusal(lambda: edited(house, f"id_number={LI}")).facts == {"id": 2}


# -- Merging ---------------------------------------------------------------------------------------


def two_records() -> list[Any]:
    """One person twice, with something of every kind on the second."""
    return [
        Customer(id=1, version=1, name="李样", mobile="13800000001", extra={"shoe": 41}),
        Customer(
            id=2, version=1, name="李小样", id_number=LI, remark="见过", extra={"shoe": 42, "wedding": "x"}
        ),
        Customer(id=3, version=1, name="李大样", merged_into=2),
        Loan(id=1, version=1, customer_id=2),
        Loan(id=2, version=1, customer_id=1),
        CreditRecord(id=1, version=1, customer_id=2),
        FollowUp(id=1, version=1, customer_id=2),
        Document(id=1, version=1, customer_id=2),
        Relation(id=1, version=1, customer_id=2, other_id=2, role="spouse"),
        Relation(id=2, version=1, customer_id=9, other_id=2, role="guarantor"),
        Rating(id=1, version=1, customer_id=2),
        Message(id=1, version=1, customer_id=2),
    ]


def test_a_merge_moves_everything_and_fills_what_was_empty() -> None:
    house = books(*two_records())
    merged = house.do(acts.MERGE, merge.MergeCustomers(1, 2, "同一人"))
    kinds = ("loan", "credit", "follow_up", "document", "rating", "message")
    assert {one.customer_id for kind in kinds for one in house.of(kind)} == {1}
    assert [(r.customer_id, r.other_id) for r in house.of("relation")] == [(1, 1), (9, 1)]
    keep, other, earlier = house.of("customer")
    assert (keep.name, keep.mobile, keep.id_number, keep.remark) == ("李样", "13800000001", LI, "见过")
    assert keep.extra == {"shoe": 41, "wedding": "x"}
    assert (other.merged_into, earlier.merged_into) == (1, 1)
    assert merged.moved == {
        "loan": 1,
        "credit": 1,
        "follow_up": 1,
        "document": 1,
        "relation": 2,
        "rating": 1,
        "message": 1,
        "customer": 1,
    }
    assert set(merged.filled) == {"customer.id_number", "customer.remark", "customer.wedding"}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (merge.MergeCustomers(1, 1, "x"), "merge-same"),
        (merge.MergeCustomers(1, 2, " "), "reason-needed"),
        (merge.MergeCustomers(1, 3, "x"), "customer-merged"),
        (merge.MergeCustomers(1, 8, "x"), "customer-unknown"),
    ],
)
def test_a_merge_that_cannot_be_meant_is_refused(request_: merge.MergeCustomers, code: str) -> None:
    assert refusal(lambda: books(*two_records()).do(acts.MERGE, request_)).code == code


def test_two_people_of_different_numbers_are_never_merged() -> None:
    house = books(
        Customer(id=1, version=1, name="李样", id_number=LI),
        Customer(id=2, version=1, name="李样", id_number=WANG),
    )
    error = refusal(lambda: house.do(acts.MERGE, merge.MergeCustomers(1, 2, "x")))
    assert error.code == "merge-ids-differ"
    assert LI not in str(error)


# -- Credit ----------------------------------------------------------------------------------------


def test_credit_is_noted_anew_each_time_and_the_latest_report_comes_first() -> None:
    house = books(Customer(id=1, version=1, name="李样"))
    house.do(acts.CREDIT_ADD, credit.AddCredit(1, grade="A", set=("dti=35%", "黑名单=否")))
    house.do(acts.CREDIT_ADD, credit.AddCredit(1, grade="C", report_date="2025年1月5日", debt="5万"))
    first, second = house.do(acts.CREDIT_SHOW, credit.ShowCredit(1)).records
    assert (first.grade, first.report_date, first.blacklist, str(first.dti)) == ("A", TODAY, False, "0.35")
    assert (second.grade, second.debt) == ("C", 5_000_000)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (credit.AddCredit(1), "nothing-to-change"),
        (credit.AddCredit(1, score="-3"), "values-wrong"),
        (credit.AddCredit(1, grade="A", report_date="2027-01-01"), "report-in-future"),
        (credit.AddCredit(1, document=5), "document-unknown"),
        (credit.AddCredit(2, grade="A"), "customer-unknown"),
    ],
)
def test_credit_that_cannot_be_noted_is_refused(request_: credit.AddCredit, code: str) -> None:
    house = books(Customer(id=1, version=1, name="李样"))
    assert refusal(lambda: house.do(acts.CREDIT_ADD, request_)).code == code


# -- Follow-ups ------------------------------------------------------------------------------------


def followed(house: ListBooks, content: str = "电话沟通", **facts: Any) -> Any:
    return house.do(acts.FOLLOWUP_ADD, followups.AddFollowUp(content, **facts))


def office() -> PlainBooks:
    return books(
        Customer(id=1, version=1, name="李样"),
        Customer(id=2, version=1, name="王样"),
        Customer(id=3, version=1, name="钱样", merged_into=1),
        Loan(id=5, version=1, customer_id=2),
    )


def test_a_follow_up_is_written_by_whoever_asks_and_now_unless_it_says_otherwise() -> None:
    house = office()
    followed(house, customer=1, channel="电话", next_time="2026-03-20 10:00", promise_amount="2000元")
    followed(house, loan=5, time="2026年3月1日", staff="赵经理")
    first, second = house.of("follow_up")
    assert (first.staff, first.time, first.channel, first.promise_amount) == (
        "tester",
        house.now,
        "call",
        200_000,
    )
    assert first.next_time == datetime(2026, 3, 20, 2, tzinfo=UTC)
    assert (second.customer_id, second.loan_id, second.staff) == (2, 5, "赵经理")


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({}, "follow-up-about-nobody"),
        ({"customer": 1, "loan": 5}, "loan-of-another"),
        ({"loan": 6}, "loan-unknown"),
        ({"customer": 3}, "customer-merged"),
        ({"customer": 1, "corrects": 9}, "follow-up-unknown"),
        ({"customer": 1, "next_time": "2026-03-01"}, "next-before-contact"),
        ({"customer": 1, "content": "长" * 2001}, "values-wrong"),
        ({"customer": 1, "content": " "}, "values-wrong"),
    ],
)
def test_a_follow_up_that_cannot_be_is_refused(facts: dict[str, Any], code: str) -> None:
    assert refusal(lambda: followed(office(), **facts)).code == code


def test_a_correction_is_a_new_row_and_the_old_one_is_marked() -> None:
    house = office()
    followed(house, "说错了", customer=1)
    followed(house, "改正", customer=1, corrects=1)
    found = house.do(acts.FOLLOWUP_LIST, followups.ListFollowUps(1)).follow_ups
    assert [(one.content, one.corrected) for one in found] == [("说错了", True), ("改正", False)]
    assert house.of("follow_up")[0].content == "说错了"


def test_numbers_of_papers_cards_and_phones_are_masked_in_lists() -> None:
    house = office()
    followed(house, f"证件{LI}，卡6200 0000 0000 0000 05，电话13800000000，金额200000", customer=1)
    (one,) = house.do(acts.FOLLOWUP_LIST, followups.ListFollowUps(1)).follow_ups
    said = one.content
    assert "金额200000" in said
    for hidden in (LI, "13800000000", "6200 0000 0000 0000 05"):
        assert hidden not in said
    assert LI in house.of("follow_up")[0].content


def due(house: ListBooks, until: str) -> list[int]:
    found = house.do(acts.FOLLOWUP_LIST, followups.ListFollowUps(due=until)).follow_ups
    return [one.id for one in found]


def test_what_is_due_until_a_day_is_listed_until_somebody_spoke_with_the_customer() -> None:
    house = office()
    followed(house, customer=1, time="2026-03-01 09:00", next_time="2026-03-10 09:00")
    followed(house, customer=2, time="2026-03-02 09:00", promise_date="2026-03-12")
    assert due(house, "2026-03-09") == []
    assert due(house, "2026-03-11") == [1]
    assert due(house, "2026-03-12") == [2, 1]
    followed(house, customer=1, time="2026-03-10 17:00")
    assert due(house, "2026-03-12") == [2]
    followed(house, customer=2, time="2026-03-02 09:30", promise_date="2026-03-30", corrects=2)
    assert due(house, "2026-03-12") == []
    assert due(house, "2026年3月30日") == [4]


# -- A real home -----------------------------------------------------------------------------------


@attrs.define
class Clock:
    """A clock that moves on a minute each time it is asked."""

    at: datetime = datetime(2026, 3, 17, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    root: Path = tmp_path_factory.mktemp("people") / "home"
    house, _ = Institution.create(root, Secret("样例口令 sample"), {"institution": "样例小贷"}, clock=Clock())
    with house:
        fill(house.desk())
        yield house


PEOPLE = {"李样": 1, "李样本": 2, "小李样": 3, "王丽": 4, "张三丰": 5, "李样二": 6}


def fill(desk: Desk) -> None:
    """Six people, the last merged into the fourth; loans of two of them."""
    facts: dict[str, dict[str, Any]] = {
        "李样": {"id_number": LI, "mobile": "13800000001", "branch": "城关支行"},
        "王丽": {"set": ("bank_card=6200000000000000005", "customer_no=C-77", "手机号=13900000002")},
    }
    for name in PEOPLE:
        desk.do(acts.ADD, edit.AddCustomer(name, **facts.get(name, {})))
    desk.do(
        Act(
            "test.loans",
            edit.EditCustomer,
            "loan.write",
            lambda books, _: Facts(
                None,
                (
                    Loan(id=books.allot("loan", 2), customer_id=1, loan_no="JD-001", amount=20_000_000),
                    Loan(id=2, customer_id=5, loan_no="JD-0012", contract_no="HT9"),
                ),
            ),
        ),
        edit.EditCustomer(0),
    )
    desk.do(acts.MERGE, merge.MergeCustomers(4, 6, "同一人"))


def hits(house: Institution, text: str, limit: int = 20) -> list[tuple[str, int, str]]:
    found = house.desk().do(acts.FIND, find.Find(text, limit))
    return [(hit.kind, hit.id, f"{hit.why} {hit.match}") for hit in found.results]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "李样",
            [
                ("customer", 1, "name exact"),
                ("customer", 4, "name prefix"),
                ("customer", 2, "name prefix"),
                ("customer", 3, "name part"),
            ],
        ),
        (" 李 样 ", [("customer", 1, "name exact")]),
        (LI, [("customer", 1, "number exact")]),
        (LI.lower(), [("customer", 1, "number exact")]),
        ("6200 0000 0000 0000 005", [("customer", 4, "number exact")]),
        ("138-0000-0001", [("customer", 1, "phone exact")]),
        ("0002", [("customer", 4, "last4 prefix")]),
        ("c-77", [("customer", 4, "customer_no exact")]),
        ("zsf", [("customer", 5, "initials prefix")]),
        ("JD-001", [("loan", 1, "loan_no exact"), ("loan", 2, "loan_no prefix")]),
        ("ht9", [("loan", 2, "loan_no exact")]),
        ("没有这个人", []),
        ("   ", []),
    ],
)
def test_a_customer_or_loan_is_found_by_whatever_is_known(
    home: Institution, text: str, expected: list[tuple[str, int, str]]
) -> None:
    found = hits(home, text)
    assert found[: len(expected)] == expected
    assert bool(found) == bool(expected)


def test_titles_name_branch_borrower_and_amount_and_a_merged_customer_its_target(home: Institution) -> None:
    def ask(text: str) -> find.Hit:
        return home.desk().do(acts.FIND, find.Find(text)).results[0]

    assert ask("李样").title == "李样 · 城关支行"
    assert ask("JD-001").title == "JD-001 · 李样 · 200,000.00"
    merged = ask("李样二")
    assert (merged.id, merged.title, merged.merged_from) == (4, "王丽", 6)


def test_more_than_the_limit_is_told_and_the_exact_one_is_never_cut_off(home: Institution) -> None:
    found = home.desk().do(acts.FIND, find.Find("李样", 1))
    assert ([hit.id for hit in found.results], found.more) == ([1], True)


def test_loans_of_a_branch_out_of_sight_are_not_found(home: Institution) -> None:
    clerk = Principal("zhao", "officer", frozenset({"*"}), scope="branch:城关支行")
    found = home.desk(clerk).do(acts.FIND, find.Find("JD-001")).results
    assert [(hit.kind, hit.id) for hit in found] == [("loan", 1)]
    with pytest.raises(NotFound, match="customer-unknown"):
        home.desk(clerk).do(acts.SHOW, show.ShowCustomer(5))


def test_a_file_shows_sensitive_values_masked_and_a_reveal_needs_a_reason(home: Institution) -> None:
    desk = home.desk()
    file = desk.do(acts.SHOW, show.ShowCustomer(1))
    assert LI not in str(file.customer.values)  # type: ignore[attr-defined]
    assert [loan.loan_no for loan in file.loans] == ["JD-001"]
    assert refusal(lambda: desk.do(acts.REVEAL, show.RevealCustomer(1, ("mobile",)))).code == "reason-needed"
    assert (
        refusal(lambda: desk.do(acts.REVEAL, show.RevealCustomer(1, ("name",), "x"))).code
        == "field-not-hidden"
    )
    plain = desk.do(acts.REVEAL, show.RevealCustomer(1, ("id_number", "customer.mobile"), "回访核实"))
    assert plain.revealed == {"id_number": LI, "mobile": "13800000001"}
    assert LI not in repr(plain)
    with home.store.reading() as tx:
        last = list(tx.lines())[-1]
    assert (last.act, last.object, last.reason) == ("customer.reveal", "customer:1", "回访核实")
    assert set(last.counts) == {"revealed id_number", "revealed mobile"}


def test_who_may_only_read_may_not_reveal(home: Institution) -> None:
    reader = home.desk(Principal("sun", "reader", frozenset({"customer.read"})))
    with pytest.raises(NotAllowed):
        reader.do(acts.REVEAL, show.RevealCustomer(1, ("mobile",), "x"))


def test_a_reviewed_change_waits_and_is_shown_masked_beside_the_record(home: Institution) -> None:
    desk = home.desk()
    before = home.desk().do(acts.SHOW, show.ShowCustomer(1)).customer
    saved = desk.do(acts.EDIT, edit.EditCustomer(1, ("mobile=13800009999", "remark=新")))
    assert len(saved.waiting) == 1
    file = desk.do(acts.SHOW, show.ShowCustomer(1))
    (wish,) = file.waiting_changes
    (change,) = wish.changes
    assert (change.field, str(change.before)[-4:], str(change.after)[-4:]) == (
        "customer.mobile",
        "0001",
        "9999",
    )
    assert "13800009999" not in str(file)
    assert (file.customer["remark"], file.customer.version) == ("新", saved.version)  # type: ignore[index]
    assert str(file.customer["mobile"]) == str(before["mobile"])  # type: ignore[index]


@pytest.mark.parametrize("sets", [("manager=赵经理",), ("name=李改样",), ("name=李改样", "education=本科")])
def test_the_version_answered_is_the_version_stored(home: Institution, sets: tuple[str, ...]) -> None:
    desk = home.desk()
    for number in (1, 2):  # one with sealed values, one without
        saved = desk.do(acts.EDIT, edit.EditCustomer(number, sets))
        assert desk.do(acts.SHOW, show.ShowCustomer(number)).customer.version == saved.version


def test_a_customer_is_shown_as_it_was(home: Institution) -> None:
    desk, clock = home.desk(), home.clock
    desk.do(acts.EDIT, edit.EditCustomer(5, ("occupation=教师",)))
    then = clock.now()
    desk.do(acts.EDIT, edit.EditCustomer(5, ("occupation=医生",)))
    moment = then.astimezone(home.zone).strftime("%Y-%m-%d %H:%M:%S")
    assert desk.do(acts.SHOW, show.ShowCustomer(5, moment)).customer["occupation"] == "教师"  # type: ignore[index]
    assert desk.do(acts.SHOW, show.ShowCustomer(5)).customer["occupation"] == "医生"  # type: ignore[index]
    with pytest.raises(NotFound):
        desk.do(acts.SHOW, show.ShowCustomer(5, "2026-03-01"))


def test_people_of_one_name_or_phone_are_flagged(home: Institution) -> None:
    desk = home.desk()
    twin = desk.do(acts.ADD, edit.AddCustomer("张三丰", mobile="13900000002")).id
    flags = {(f.code, f.customer) for f in desk.do(acts.SHOW, show.ShowCustomer(twin)).flags}
    assert flags == {("same-name", 5), ("same-phone", 4)}
    assert [f.code for f in desk.do(acts.SHOW, show.ShowCustomer(6)).flags] == ["merged"]


def test_a_second_number_is_refused_by_its_blind_index(home: Institution) -> None:
    error = refusal(lambda: home.desk().do(acts.ADD, edit.AddCustomer("某人", id_number=LI)))
    assert (error.code, error.facts) == ("customer-exists", {"id": 1})


# -- Words -----------------------------------------------------------------------------------------


def test_every_act_parameter_and_answer_of_people_has_words() -> None:
    known = catalogue()
    for act in acts.acts():
        assert act.name.replace(".", " ") in known[f"act.{act.name}"]["hint_en"]
        for attribute in attrs.fields(act.request):
            assert PARAM in attribute.metadata
            assert f"param.{act.name}.{attribute.name}" in known
    answers = (
        find.Found,
        find.Hit,
        person.Saved,
        show.CustomerFile,
        show.Graded,
        show.Wish,
        show.Flag,
        show.Revealed,
    )
    for answer in (
        *answers,
        merge.Merged,
        belonging.Conflict,
        unmerge.Unmerged,
        duplicates.Duplicates,
        duplicates.Alike,
        credit.CreditHistory,
        followups.FollowUps,
        followups.Noticed,
        Noted,
    ):
        for attribute in attrs.fields(answer):
            assert f"answer.{answer.__name__}.{attribute.name}" in known
    whys = "loan_no customer_no last4 phone number uscc name initials".split()
    assert {f"found.{why}" for why in whys} | {
        f"flag.{f}" for f in ("same-name", "same-phone", "merged")
    } <= set(known)


def test_pending_changes_of_many_kinds_of_record_are_left_alone_by_the_file() -> None:
    asked = Pending(id=1, version=1, act="change", about_kind="loan", about_id=1, request={"amount": 1})
    house = books(Customer(id=1, version=1, name="李样"), asked)
    assert house.do(acts.SHOW, show.ShowCustomer(1)).waiting_changes == ()


def test_usage_is_what_a_wrong_call_raises() -> None:
    with pytest.raises(Usage, match="reason-needed"):
        books(Customer(id=1, version=1, name="李样")).do(acts.REVEAL, show.RevealCustomer(1, ("mobile",)))
