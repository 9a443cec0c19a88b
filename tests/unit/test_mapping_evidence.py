"""What the values of a column decide about it, what is only asked, and what is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from loanhub.services.intake.plans import Evidence
from loanhub.testing.numbers import cards, firm_code, mobiles, resident_ids
from tests.unit.mapped import Rows, asked, of, plans, read_as

COUNT = 12
AT = np.arange(COUNT)
IDS = list(resident_ids(AT, 5, date(2000, 1, 1))[0])
MOBILES = list(mobiles(AT, 5))
CARDS = list(cards(AT, 5))
COMPANIES = [firm_code(n, 5, sole_trader=False) for n in range(COUNT)]
NAMES = [f"钱{'文武德才'[n % 4]}{'甲乙丙'[n % 3]}" for n in range(COUNT)]
LOANS = [f"J{n:04}" for n in range(COUNT)]
AMOUNTS = [10_000 + 500 * n for n in range(COUNT)]
DAYS = [f"2026-01-{n + 1:02}" for n in range(COUNT)]
BASE: dict[str, Sequence[object]] = {"客户姓名": NAMES, "借据号": LOANS, "贷款金额": AMOUNTS}


def table(**more: Sequence[object]) -> Rows:
    """Loans under BASE's headers with more columns; a header of spaces is none."""
    columns: dict[str, Sequence[object]] = {**BASE, **more}
    heads = [header.strip() or None for header in columns]
    return [heads, *(list(row) for row in zip(*columns.values(), strict=True))]


PROVEN = [
    (IDS, "customer.id_number", "resident_id"),
    (MOBILES, "customer.mobile", "mobile"),
    (CARDS, "customer.bank_card", "card"),
    (COMPANIES, "customer.uscc", "uscc"),
]


@pytest.mark.parametrize(("values", "field", "shape"), PROVEN, ids=[p[2] for p in PROVEN])
def test_values_with_a_check_say_what_an_odd_header_does_not(
    values: list[str], field: str, shape: str, tmp_path: Path
) -> None:
    (plan,) = plans(tmp_path, table(号码一栏=values))
    assert read_as(plan)["号码一栏"] == (field, "values")
    assert of(plan, "号码一栏").evidence == Evidence(shape, COUNT, COUNT)


def test_a_column_without_any_header_is_called_by_its_letter_and_read(tmp_path: Path) -> None:
    rows = table(**{" ": IDS, "期限": ["12个月"] * COUNT})
    (plan,) = plans(tmp_path, rows)
    assert read_as(plan)["(D)"] == ("customer.id_number", "values")


def test_one_in_ten_may_be_wrong_and_is_counted_but_not_more(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(甲号=[*IDS[:-1], "119999200001011230"]))
    assert of(plan, "甲号").evidence == Evidence("resident_id", COUNT - 1, COUNT)
    (plan,) = plans(tmp_path, table(甲号=[*IDS[:-2], "x", "y"]))
    assert read_as(plan)["甲号"] == ("", "unknown")


def test_two_columns_alike_are_asked_and_neither_is_taken(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(甲号=MOBILES, 乙号=MOBILES[::-1]))
    code = ("looks-like", ("customer.mobile",))
    assert asked(plan) == {"甲号": code, "乙号": code}
    assert "customer.mobile" not in plan.fields


def test_a_field_that_a_header_claims_is_not_claimed_again_by_values(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(手机号=MOBILES, 乙号=MOBILES[::-1]))
    assert (read_as(plan)["乙号"], asked(plan)) == (("", "unknown"), {})
    assert of(plan, "乙号").evidence == Evidence("mobile", COUNT, COUNT)


@pytest.mark.parametrize(
    "header",
    [
        *(
            "担保方号码",
            "客户经理热线",
            "紧急联络号",
            "Guarantor cell no",
            "推荐人号",
            "爱人手机号",
            "信贷员电话",
        ),
        *("股东手机号", "儿子手机", "抵押人手机号", "村长手机号", "弟手机号码", "催收电话", "Wife mobile"),
    ],
)
def test_a_header_that_names_somebody_else_is_asked_whatever_the_values(header: str, tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(**{header: MOBILES}))
    code, candidates = asked(plan)[header]
    assert (code, candidates[0], read_as(plan)[header]) == ("looks-like", "customer.mobile", ("", "unknown"))
    assert (header == "Guarantor cell no") == ("relation.guarantor_phone" in candidates)


@pytest.mark.parametrize("header", ["借款人号", "个人联络号", "主借人号", "甲号", "员工移动号"])
def test_a_header_that_names_the_customer_or_nobody_is_settled_by_the_values(
    header: str, tmp_path: Path
) -> None:
    (plan,) = plans(tmp_path, table(**{header: MOBILES}))
    assert read_as(plan)[header] == ("customer.mobile", "values")


CONTRADICTIONS = [
    ("手机号", IDS, ("customer.mobile", "customer.id_number")),
    ("身份证号", MOBILES, ("customer.id_number", "customer.mobile")),
    ("银行卡号", MOBILES, ("customer.bank_card", "customer.mobile")),
    ("客户编号", IDS, ("customer.customer_no", "customer.id_number")),
    ("放款金额", ["20260105"] * COUNT, ("loan.disbursed_amount",)),
]


@pytest.mark.parametrize(
    ("header", "values", "candidates"), CONTRADICTIONS, ids=[c[0] for c in CONTRADICTIONS]
)
def test_a_header_that_says_one_thing_and_values_another_are_asked(
    header: str, values: list[str], candidates: tuple[str, ...], tmp_path: Path
) -> None:
    (plan,) = plans(tmp_path, table(**{header: values}))
    assert asked(plan) == {header: ("header-contradicts", candidates)}


def test_months_under_the_header_of_the_amount_are_asked_where_no_term_is_there(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(贷款金额=[12] * COUNT))
    assert asked(plan) == {"贷款金额": ("header-contradicts", ("loan.amount", "loan.term"))}
    (head, *rows) = table(贷款金额=[12] * COUNT)
    (plan,) = plans(tmp_path, [[*head[:2], "贷款金额（万元）"], *rows])
    assert asked(plan) == {}, "with a unit it is an amount"


def test_codes_where_choices_are_known_are_asked_not_rejected_a_thousand_times(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(性别=["1", "2"] * (COUNT // 2)))
    assert asked(plan) == {"性别": ("unknown-words", ("customer.gender",))}
    codes = {"性别": {"field": "customer.gender", "values": {"1": "男", "2": "女"}}}
    (plan,) = plans(tmp_path, table(性别=["1", "2"] * (COUNT // 2)), file=codes)
    assert (asked(plan), of(plan, "性别").evidence) == ({}, Evidence("read", COUNT, COUNT))
    (plan,) = plans(tmp_path, table(性别=["男", "1"] * (COUNT // 2)))
    assert asked(plan) == {}, "half of them are known: the others are errors of their rows"


AGREED = [
    ("身份证号", COMPANIES),
    ("微信号", MOBILES),
    ("备用电话", MOBILES),
    ("借据号", CARDS),
    ("备注", MOBILES),
    ("放款日期", DAYS),
    ("期限", [12] * COUNT),
]


@pytest.mark.parametrize(("header", "values"), AGREED, ids=[a[0] for a in AGREED])
def test_values_that_may_stand_under_their_header_raise_no_question(
    header: str, values: list[object], tmp_path: Path
) -> None:
    (plan,) = plans(tmp_path, table(**{header: values}))
    assert asked(plan) == {}
    assert of(plan, header).field


def test_what_a_mapping_says_is_not_questioned(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(手机号=IDS), file={"手机号": {"field": "customer.customer_no"}})
    assert (read_as(plan)["手机号"], asked(plan)) == (("customer.customer_no", "file"), {})


SLIPS = [
    ("身份证号嘛", IDS, "customer.id_number"),
    ("手机号码的", MOBILES, "customer.mobile"),
    ("放款期日", DAYS, "loan.disburse_date"),
    ("Disbursment date", DAYS, "loan.disburse_date"),
    ("婚姻况状", ["已婚"] * COUNT, "customer.marital"),
]


@pytest.mark.parametrize(("header", "values", "field"), SLIPS, ids=[s[0] for s in SLIPS])
def test_a_slip_in_a_header_is_forgiven_where_the_values_speak_for_the_field(
    header: str, values: list[str], field: str, tmp_path: Path
) -> None:
    (plan,) = plans(tmp_path, table(**{header: values}))
    assert read_as(plan)[header] in {(field, "fuzzy"), (field, "values")}
    assert asked(plan) == {}


def test_a_slip_alone_is_asked(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(放款的金额=AMOUNTS))
    assert asked(plan) == {"放款的金额": ("looks-like", ("loan.disbursed_amount",))}


def test_a_character_that_changes_the_meaning_is_no_slip(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(原放款金额=AMOUNTS, 放款金额额=AMOUNTS))
    assert (asked(plan), plan.fields.keys() & {"loan.disbursed_amount"}) == ({}, set())


def test_a_slip_whose_values_are_something_else_is_left_alone(tmp_path: Path) -> None:
    (plan,) = plans(tmp_path, table(放款的日期=NAMES))
    assert (read_as(plan)["放款的日期"], asked(plan)) == (("", "unknown"), {})
