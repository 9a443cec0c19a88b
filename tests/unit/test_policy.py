"""Roles and the View: what a post may do, which rows it works with, how much of a field it sees."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from attrs import evolve, frozen

from loanhub.entities import ENTITIES, Customer, Document, Loan, Receipt
from loanhub.errors import Misconfigured, NotAllowed
from loanhub.fields import Dictionary, Field, FieldType, Privacy
from loanhub.policy import (
    HIDDEN,
    HOST,
    SHUT,
    Level,
    Masked,
    Principal,
    Said,
    Scope,
    Shown,
    View,
    of,
    read_roles,
)
from loanhub.records import Order, Query
from loanhub.records import Test as Where
from loanhub.settings import default

SHOE = Field(kind="customer", name="shoe", type=FieldType.TEXT, privacy=Privacy.SENSITIVE, custom=True)
DICTIONARY = Dictionary.build(ENTITIES, [SHOE])
ROLES = read_roles(default("roles.toml"), DICTIONARY)
POST: dict[str, Any] = {"label_zh": "某岗", "label_en": "Post", "scope": "all", "may": ["loan.read"]}
ZHANG = Customer(id=1, version=2, name="张三", mobile="13800001234", monthly_income=800_000, level="vip")


def view(**words: Any) -> View:
    """The view of a post with these words."""
    role = read_roles({"post": {**POST, **words}}, DICTIONARY)["post"]
    return View(Principal("li", "post", role.may, sees=role.sees), DICTIONARY)


def shown(seen: Any) -> dict[str, Any]:
    assert isinstance(seen, Shown)
    return dict(seen.values)


# -- fields ------------------------------------------------------------------------------------------------


def test_the_most_specific_word_counts_and_among_equals_the_strictest() -> None:
    sees = view(
        shows=["business", "customer.*", "customer.name"], masks=["customer.name"], hides=["loan.rate"]
    )
    level = sees.level
    assert level("customer.name") is Level.MASK
    assert level("customer.mobile") is Level.SHOW
    assert level("loan.amount") is Level.SHOW
    assert level("loan.rate") is Level.HIDE
    assert level("credit.grade") is Level.HIDE
    assert level("customer.hat") is Level.HIDE, "what nobody declared"


def test_a_record_shows_masks_and_leaves_out() -> None:
    values = shown(
        view(shows=["customer.name"], masks=["customer.mobile", "customer.monthly_income"]).mask(ZHANG)
    )
    assert values["name"] == "张三"
    assert values["mobile"] == Masked("138****1234")
    assert values["monthly_income"] == HIDDEN, "money has no mask that keeps a part"
    assert "level" not in values
    assert "13800001234" not in repr(values)
    assert "800000" not in repr(values)


def test_a_field_without_a_value_stays_without_one_and_a_hidden_one_does_not_tell() -> None:
    empty = evolve(ZHANG, mobile=None, backup_phone=None)
    values = shown(view(shows=["customer.name"], masks=["customer.mobile"]).mask(empty))
    assert values["mobile"] is None
    assert "backup_phone" not in values


def test_values_of_fields_in_answers_are_covered_wherever_they_stand() -> None:
    @frozen
    class Line:
        title: Any = of("customer.name", "loan.loan_no")
        phone: Any = of("customer.mobile")
        others: Any = of("customer.mobile", default=())
        count: int = 1

    @frozen
    class Answer:
        lines: tuple[Line, ...]
        by_name: dict[str, Any]

    said = Said("customer.mobile", "13800001234")
    answer = Answer((Line("张三", "13800001234", ("13900001234",)),), {"x": said, "y": [ZHANG]})
    seen = view(shows=["customer.name"], masks=["customer.mobile"], hides=["loan.loan_no"]).mask(answer)
    assert seen.lines[0] == Line(HIDDEN, Masked("138****1234"), (Masked("139****1234"),))
    assert seen.by_name["x"] == Masked("138****1234")
    assert shown(seen.by_name["y"][0])["mobile"] == Masked("138****1234")
    assert view().mask(Said("customer.nothing", "13800001234")) == HIDDEN


def test_custom_fields_are_covered_as_others_and_without_words_they_are_nobodys() -> None:
    person = evolve(ZHANG, extra={"shoe": "42", "gone": "secret"})
    for sees in (
        view(shows=["customer.*"], masks=["customer.shoe"]),
        view(shows=["customer.*", "customer.shoe"]),
    ):
        extra = shown(sees.mask(person))["extra"]
        assert extra == {"shoe": HIDDEN if sees.level("customer.shoe") is Level.MASK else "42"}
    host = View(Principal("wang", "host-operator", frozenset({"*"})), DICTIONARY).mask(person)
    assert shown(host)["extra"] == {"shoe": "42"}


def test_totals_that_a_sheet_states_of_a_loan_are_those_of_receipts() -> None:
    loan = Loan(id=3, version=1, rate=Decimal("0.049"), extra={"paid_principal": 500})
    assert view(shows=["loan.*", "receipt.paid_principal"]).mask(loan) is loan or shown(
        view(shows=["loan.*", "receipt.paid_principal"]).mask(loan)
    )["extra"] == {"paid_principal": 500}
    assert shown(view(shows=["loan.*"]).mask(loan))["extra"] == {}


def test_nothing_at_all_is_seen_by_who_has_no_role() -> None:
    nobody = View(Principal("x", "none", frozenset(), scope="nobody", sees=SHUT), DICTIONARY)
    with pytest.raises(NotAllowed, match="not-allowed"):
        nobody.allow("customer.read")
    values = shown(nobody.mask(ZHANG))
    assert set(values) <= {"extra", "merged_into"}
    assert nobody.narrow(Query("customer")).where == (Where("", "any", ()),)


# -- questions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "q",
    [
        Query("customer", (Where("monthly_income", "gt", 5),)),
        Query("customer", (Where("monthly_income", "eq", 5),)),
        Query("customer", order=Order("monthly_income")),
        Query("customer", (Where("id_number_tail", "prefix", "1"),)),
        Query("customer", (Where("mobile", "prefix", "138"),)),
        Query("customer", (Where("", "any", (Where("level", "eq", "vip"),)),)),
    ],
)
def test_no_question_may_use_a_field_that_is_not_shown(q: Query) -> None:
    sees = view(
        shows=["customer.name"], masks=["customer.mobile", "customer.id_number", "customer.monthly_income"]
    )
    with pytest.raises(NotAllowed, match="field-not-yours"):
        sees.narrow(q)


def test_a_masked_number_may_be_looked_up_whole_by_who_knows_it() -> None:
    sees = view(shows=["customer.name"], masks=["customer.mobile", "customer.id_number"])
    for test in (
        Where("mobile", "eq", "13800001234"),
        Where("id_number_blind", "in", [b"1"]),
        Where("id", "gt", 3),
    ):
        q = Query("customer", (test,), order=Order("name"))
        assert sees.narrow(q) == q


# -- rows --------------------------------------------------------------------------------------------------


def test_the_scope_reaches_everything_that_belongs_to_a_customer() -> None:
    own = View(Principal("li", "officer", frozenset(), scope="manager:李四", sees=HOST))
    mine = Where("manager", "in", ("李四",))
    customers = Query("customer", (mine,))
    assert own.narrow(Query("customer")) == customers
    loans = Query("loan", (Where("customer_id", "within", customers),))
    assert own.narrow(Query("loan")) == loans
    assert own.narrow(Query(Receipt.KIND)).where == (Where("loan_id", "within", loans),)
    paper = own.narrow(Query(Document.KIND)).where
    assert paper == (
        Where("", "any", (Where("customer_id", "within", customers), Where("loan_id", "within", loans))),
    )
    assert own.narrow(Query("sequence")) == Query("sequence"), "what the house keeps for itself"


def test_scopes_are_read_from_settings_and_added_up() -> None:
    both = Scope.read("branch:城东").with_(Scope.read("manager:李四"))
    assert both.covers("王五", "城东")
    assert both.covers("李四", None)
    assert not both.covers("王五", None)
    assert len(both.conditions) == 1
    assert both.with_(Scope.read("all")).conditions == ()
    assert not Scope.read("everybody").covers(None, None)


# -- roles -------------------------------------------------------------------------------------------------


def test_the_shipped_posts_keep_card_and_id_numbers_covered() -> None:
    assert set(ROLES) == {
        *("officer", "supervisor", "risk", "approver", "finance", "collector", "auditor", "admin"),
    }
    for role in ROLES.values():
        for path in ("customer.id_number", "customer.bank_card", "customer.mobile", "relation.phone"):
            assert role.sees.level(DICTIONARY[path]) < Level.SHOW, (role.name, path)


def test_finance_sees_repayments_and_nothing_of_credit() -> None:
    seen = View(Principal("cai", "finance", ROLES["finance"].may, sees=ROLES["finance"].sees), DICTIONARY)
    assert seen.reads("receipt.paid_amount", "loan.balance", "instalment.due_date", "customer.name")
    hidden = (
        "credit.grade",
        "credit.debt",
        "customer.mobile",
        "customer.address",
        "loan.purpose",
        "rating.grade",
    )
    assert {seen.level(path) for path in hidden} == {Level.HIDE}


def test_two_posts_see_what_either_sees() -> None:
    both = ROLES["finance"].sees.over(ROLES["officer"].sees)
    assert both.level(DICTIONARY["credit.grade"]) is Level.SHOW
    assert both.level(DICTIONARY["customer.mobile"]) is Level.MASK
    assert HOST.over(SHUT) is HOST
    assert SHUT.over(HOST) is HOST


@pytest.mark.parametrize(
    "words",
    [
        {"scope": "world"},
        {"shows": ["customer.shoes"]},
        {"shows": ["shoes.*"]},
        {"reveals": ["customer.*"]},
        {"may": "loan.read"},
        {"mayy": []},
        {"idle": 0},
        {"idle": True},
    ],
)
def test_a_role_with_a_fault_is_refused_by_name(words: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="settings-wrong") as refused:
        read_roles({"post": {**POST, **words}}, DICTIONARY)
    assert "post" in str(refused.value.facts["faults"])
