"""Loans: one in full with the day a sheet said so, and lists a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from loanhub.acts import PARAM, Act, Facts
from loanhub.entities import ENTITIES, Collateral, Customer, Entity, FollowUp, Instalment, Loan, Receipt
from loanhub.errors import LoanHubError, NotFound
from loanhub.fields import Dictionary
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.policy import Principal
from loanhub.services.loans import acts, listing, show
from loanhub.settings import default
from loanhub.texts import catalogue
from tests.books import ListBooks

TODAY = date(2026, 3, 17)


class PlainBooks(ListBooks):
    """Books over lists, with the shipped settings files."""

    dictionary = Dictionary.build(ENTITIES)

    def config(self, name: str) -> dict[str, Any]:
        return default(name)


def books(*entities: Any) -> PlainBooks:
    return PlainBooks(*entities, today=TODAY)


def refusal(call: Any) -> LoanHubError:
    with pytest.raises(LoanHubError) as caught:
        call()
    return caught.value


LI = Customer(id=1, version=1, name="李样")
SHEET = Loan(id=5, version=1, customer_id=1, loan_no="JD-001", balance=900_000, stated_on=date(2026, 3, 1))


# -- One loan --------------------------------------------------------------------------------------


def file_of(house: ListBooks, called: str) -> show.LoanFile:
    answer: show.LoanFile = house.do(acts.SHOW, show.ShowLoan(called))
    return answer


def test_a_loan_comes_with_all_that_belongs_to_it_and_the_day_the_sheet_said_so() -> None:
    house = books(
        LI,
        SHEET,
        Instalment(id=1, version=1, loan_id=5, number=2, due_date=date(2026, 5, 1)),
        Instalment(id=2, version=1, loan_id=5, number=1, due_date=date(2026, 4, 1)),
        Receipt(id=1, version=1, loan_id=5, paid_date=date(2026, 3, 1), paid_amount=100),
        Collateral(id=1, version=1, loan_id=5, name="样房"),
        Collateral(id=2, version=1, loan_id=6, name="别家的"),
        FollowUp(id=1, version=1, customer_id=1, loan_id=5),
    )
    file = file_of(house, "JD-001")
    assert (file.customer, file.customer_name, file.stated_on) == (1, "李样", date(2026, 3, 1))
    assert [one.number for one in file.instalments] == [1, 2]
    assert [one.name for one in file.collateral] == ["样房"]
    assert (len(file.receipts), file.follow_ups, file.landing) == (1, 1, False)


def test_what_a_sheet_said_of_a_loan_that_is_live_by_now_counts_no_more() -> None:
    assert file_of(books(LI, attrs.evolve(SHEET, live=True)), "JD-001").stated_on is None


def test_a_loan_of_a_batch_not_yet_stored_is_marked() -> None:
    house = PlainBooks(LI, SHEET, today=TODAY, landing={"loan": {5}})
    assert file_of(house, "JD-001").landing


@pytest.mark.parametrize("called", ["JD-001", "jd-001", " ＪＤ-001 ", "#5", "5"])
def test_a_loan_is_called_by_its_number_however_typed_or_by_its_id(called: str) -> None:
    assert file_of(books(LI, SHEET), called).loan.id == 5


def test_a_number_goes_before_an_id() -> None:
    other = Loan(id=9, version=1, customer_id=1, loan_no="5")
    assert file_of(books(LI, SHEET, other), "5").loan.id == 9
    assert file_of(books(LI, SHEET, other), "#5").loan.id == 5


def test_a_contract_of_several_loans_asks_which() -> None:
    house = books(LI, *(Loan(id=n, version=1, customer_id=1, contract_no="HT9") for n in (3, 4)))
    error = refusal(lambda: file_of(house, "HT9"))
    assert (error.code, error.facts) == ("loan-ambiguous", {"ids": "#3, #4", "count": 2})
    mine = Loan(id=6, version=1, customer_id=1, loan_no="HT9")
    assert file_of(books(*house.of("customer"), *house.of("loan"), mine), "HT9").loan.id == 6


@pytest.mark.parametrize("called", ["JD-002", "#6", "6", "", "#", "9" * 30])
def test_a_loan_nobody_knows_is_not_found(called: str) -> None:
    assert refusal(lambda: file_of(books(LI, SHEET), called)).code == "loan-unknown"


# -- Lists -----------------------------------------------------------------------------------------


def listed(house: ListBooks, **asked: Any) -> list[int]:
    return [row.id for row in house.do(acts.LIST, listing.ListLoans(**asked)).loans]


def several() -> PlainBooks:
    def loan(id: int, **facts: Any) -> Loan:
        return Loan(id=id, version=1, customer_id=1, **facts)

    return books(
        LI,
        Customer(id=2, version=1, name="王样"),
        loan(1, status="active", product="消费", next_due_date=date(2026, 4, 1)),
        loan(2, status="active", overdue_days=12, next_due_date=date(2026, 3, 1)),
        loan(3, status="settled", overdue_days=3, next_due_date=date(2026, 5, 1)),
        attrs.evolve(loan(4, overdue_days=0, next_due_date=date(2026, 3, 20)), customer_id=2),
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, [1, 2, 3, 4]),
        ({"customer": 2}, [4]),
        ({"status": "还款中"}, [1, 2]),
        ({"status": "settled"}, [3]),
        ({"overdue": True}, [2]),
        ({"product": "消费"}, [1]),
        ({"due_before": "2026年4月1日"}, [2, 4]),
        ({"due_before": "2026-04-02", "status": "active"}, [2, 1]),
    ],
)
def test_loans_are_listed_by_what_people_ask_for(asked: dict[str, Any], expected: list[int]) -> None:
    assert listed(several(), **asked) == expected


def test_a_row_names_its_borrower_and_the_day_of_what_it_says() -> None:
    (row,) = books(LI, SHEET).do(acts.LIST, listing.ListLoans()).loans
    assert (row.customer_name, row.balance, row.stated_on) == ("李样", 900_000, date(2026, 3, 1))


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"status": "不存在的状态"}, "choice-wrong"),
        ({"after": "x"}, "cursor-unreadable"),
        ({"after": "7", "due_before": "2026-04-01"}, "cursor-unreadable"),
        ({"due_before": "某天"}, "moment-unreadable"),
    ],
)
def test_a_list_that_cannot_be_meant_is_a_wrong_call(asked: dict[str, Any], code: str) -> None:
    assert refusal(lambda: listed(several(), **asked)).code == code


# -- A real home -----------------------------------------------------------------------------------

MANY = 1_203


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    root: Path = tmp_path_factory.mktemp("loans") / "home"
    house, _ = Institution.create(root, Secret("样例口令 sample"), {"institution": "样例小贷"})
    with house:
        fill = Act("test.fill", show.ShowLoan, "loan.write", lambda _, __: Facts(None, tuple(portfolio())))
        house.desk().do(fill, show.ShowLoan(""))
        yield house


def portfolio() -> Iterator[Entity]:
    """Loans of two branches; every fifth due date is the same day, every seventh loan is overdue."""
    yield Customer(id=1, name="李样", branch="甲")
    yield Customer(id=2, name="王样", branch="乙")
    for n in range(1, MANY + 1):
        due = None if n % 11 == 0 else date(2026, 4, 1) + timedelta(days=n % 5)
        late = 5 if n % 7 == 0 else None
        customer = 1 + n % 2
        yield Loan(id=n, customer_id=customer, loan_no=f"L{n}", next_due_date=due, overdue_days=late)


def pages(house: Institution, **asked: Any) -> list[int]:
    """All pages of a list, one behind the other."""
    found: list[int] = []
    after = None
    for _ in range(100):
        page = house.desk().do(acts.LIST, listing.ListLoans(after=after, **asked))
        found += [row.id for row in page.loans]
        after = page.next
        if after is None:
            return found
    raise AssertionError("the pages have no end")


def test_pages_hold_every_loan_once_in_order(home: Institution) -> None:
    assert pages(home, limit=100) == list(range(1, MANY + 1))


def test_pages_by_due_date_hold_every_loan_once_though_many_fall_on_one_day(home: Institution) -> None:
    found = pages(home, limit=70, due_before="2026-04-04")
    wanted = [n for n in range(1, MANY + 1) if n % 11 and n % 5 < 3]
    assert found == sorted(wanted, key=lambda n: (n % 5, n))


def test_pages_of_overdue_loans_are_full_though_most_loans_are_not(home: Institution) -> None:
    page = home.desk().do(acts.LIST, listing.ListLoans(overdue=True, limit=100))
    assert [row.id for row in page.loans] == list(range(7, 701, 7))
    assert pages(home, overdue=True, limit=40) == list(range(7, MANY + 1, 7))


def test_an_officer_sees_the_loans_of_the_own_branch_only(home: Institution) -> None:
    officer = home.desk(Principal("zhao", "officer", frozenset({"*"}), scope="branch:甲"))
    page = officer.do(acts.LIST, listing.ListLoans(limit=5))
    assert [row.id for row in page.loans] == [2, 4, 6, 8, 10]
    with pytest.raises(NotFound, match="loan-unknown"):
        officer.do(acts.SHOW, show.ShowLoan("L1"))


def test_a_loan_is_shown_as_of_a_past_moment(home: Institution) -> None:
    change = Act(
        "test.change",
        show.ShowLoan,
        "loan.write",
        lambda books, _: Facts(None, (attrs.evolve(books.get(Loan, 2), purpose="新"),)),
    )
    with home.store.reading() as tx:
        record = tx.get("loan", 2)
    assert record is not None
    written = str(record["at"]).replace("T", " ").removesuffix("Z")
    home.desk().do(change, show.ShowLoan(""))
    assert home.desk().do(acts.SHOW, show.ShowLoan("L2")).loan.purpose == "新"
    # The record was written at that moment of UTC, eight hours later by the clock of Shanghai.
    assert refusal(lambda: home.desk().do(acts.SHOW, show.ShowLoan("L2", written))).code == "loan-unknown"
    assert home.desk().do(acts.SHOW, show.ShowLoan("L2", "2099-01-01")).loan.purpose == "新"


def test_every_act_parameter_and_answer_of_loans_has_words() -> None:
    known = catalogue()
    for act in acts.acts():
        assert act.name.replace(".", " ") in known[f"act.{act.name}"]["hint_en"]
        for attribute in attrs.fields(act.request):
            assert PARAM in attribute.metadata
            assert f"param.{act.name}.{attribute.name}" in known
    for answer in (show.LoanFile, listing.LoanList, listing.LoanRow):
        for attribute in attrs.fields(answer):
            assert f"answer.{answer.__name__}.{attribute.name}" in known
