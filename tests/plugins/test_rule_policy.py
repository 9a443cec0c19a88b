"""The written policy: what the points card gives, and which limits refuse, refer or cap."""

from __future__ import annotations

import tomllib
from datetime import date
from importlib.resources import files
from typing import Any

import polars as pl
import pytest

from loanhub import texts
from loanhub.plugins import Plugins
from loanhub.services.ratings.assess import assess_columns
from loanhub.services.ratings.combine import Scale, reasons
from loanhub.services.ratings.features import CATALOGUE
from loanhub.settings import default
from loanhub_rule_policy import rules
from loanhub_rule_policy.card import card
from loanhub_rule_policy.limits import limit, limit_rules

SCALE = Scale.of(default("rating.toml"))
TODAY = date(2026, 3, 20)
BEST: dict[str, Any] = {
    "customer_type": "person",
    "age": 40,
    "months_employed": 60,
    "dti": 0.2,
    "guarantee": "mortgage",
    "ltv": 0.4,
    "enquiries": 0,
    "overdue_months": 0,
    "consecutive_overdue_months": 0,
    "worst_status": 0,
}


def known(**facts: Any) -> pl.DataFrame:
    """The features of one customer; what is not given is not known."""
    columns = [pl.lit(facts.get(f.name), f.dtype).alias(f.name) for f in CATALOGUE]
    return pl.select(pl.lit(1, pl.Int64).alias("customer_id"), *columns)


def rated(**facts: Any) -> tuple[str, str, tuple[str, ...]]:
    """Grade, status and reasons by all rules of the policy."""
    (rating,) = assess_columns(known(**facts), rules(), SCALE, TODAY)
    assert not [one for one in rating.outcomes if one["status"] == "failed"]
    return rating.grade, rating.status, reasons(rating)


def points(**facts: Any) -> dict[str, int]:
    """Points by factor."""
    frame = known(**facts).select(factor.points.alias(factor.name) for factor in card().factors)
    return frame.row(0, named=True)


def test_the_best_customer_gets_all_points_and_no_reason() -> None:
    assert sum(points(**BEST).values()) == 100
    assert rated(**BEST) == ("AAA", "graded", ())


def test_six_overdue_months_refuse_a_customer_of_65_points() -> None:
    # Worked case SCORE-3 of the default scorecard (DOMAIN.md section 5): 65 points, yet D for R04.
    facts = BEST | {
        "age": 50,
        "overdue_months": 6,
        "consecutive_overdue_months": 1,
        "worst_status": 1,
        "dti": 0.30,
        "months_employed": 40,
        "ltv": 0.60,
    }
    assert points(**facts) == {
        "history": 0,
        "dti": 25,
        "job": 15,
        "security": 10,
        "enquiries": 10,
        "age": 5,
    }
    grade, status, why = rated(**facts)
    assert (grade, status, why[0]) == ("D", "declined", "R04")


@pytest.mark.parametrize(
    ("feature", "inside", "outside", "reason"),
    [
        ("days_past_due", 90, 91, "R03"),
        ("consecutive_overdue_months", 2, 3, "R04"),
        ("overdue_months", 5, 6, "R04"),
        ("worst_status", 2, 3, "R04"),
        ("dti", 0.70, 0.7000001, "R06"),
        ("blacklist", False, True, "R10"),
    ],
)
def test_a_hard_limit_refuses_from_the_first_step_beyond_it(
    feature: str, inside: Any, outside: Any, reason: str
) -> None:
    assert rated(**BEST | {feature: inside})[1] != "declined"
    grade, status, why = rated(**BEST | {feature: outside})
    assert (grade, status, why[0]) == ("D", "declined", reason)


@pytest.mark.parametrize(
    ("feature", "inside", "outside", "cap", "reason"),
    [
        ("days_past_due", 0, 1, "BB", "R03"),
        ("days_past_due", 30, 31, "C", "R03"),
        ("dti", 0.50, 0.51, "BBB", "R06"),
        ("months_employed", 6, 5, "BBB", "R07"),
        ("enquiries", 6, 7, "BBB", "R08"),
        ("enquiries", 10, 11, "B", "R08"),
        ("ltv", 0.70, 0.71, "A", "R12"),
        ("ltv", 1.00, 1.01, "B", "R12"),
    ],
)
def test_a_cap_holds_from_the_first_step_beyond_it(
    feature: str, inside: Any, outside: Any, cap: str, reason: str
) -> None:
    order = SCALE.grades.index
    assert order(rated(**BEST | {feature: inside})[0]) <= order(cap)
    grade, status, why = rated(**BEST | {feature: outside})
    assert (grade, status) == (cap, "graded")
    assert why[0] == reason


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"monthly_income": 0}, "R07"),
        ({"bad_ending": True}, "R05"),
        ({"written_off_loans": 1}, "R05"),
        ({"age": 17}, "R01"),
    ],
)
def test_what_a_person_must_look_at_is_referred(facts: dict[str, Any], reason: str) -> None:
    grade, status, why = rated(**BEST | facts)
    assert (status, why[0]) == ("refer", reason)
    assert grade


def test_with_hardly_anything_known_a_person_must_look() -> None:
    assert rated(age=40, guarantee="credit") == ("", "refer", ("R02", "R14"))


def test_what_is_not_known_costs_points_and_passes_no_limit() -> None:
    whole, gaps = points(**BEST), points(**BEST | {"dti": None, "enquiries": None})
    assert (whole["dti"], gaps["dti"]) == (25, 6)
    assert (whole["enquiries"], gaps["enquiries"]) == (10, 4)
    assert rated(**BEST | {"dti": None, "enquiries": None}) == ("A", "graded", ())


def test_a_company_is_not_scored_by_the_card_of_persons() -> None:
    assert rated(customer_type="company", days_past_due=0) == ("", "refer", ())


def test_reasons_name_what_cost_most_points_first() -> None:
    facts = BEST | {"dti": 0.65, "guarantee": "credit", "ltv": None, "enquiries": 6, "months_employed": 8}
    # 45 points: too few in all, then the ratio (25 lost, and a cap), security (12), job (10) and no fifth.
    assert rated(**facts) == ("B", "graded", ("R20", "R06", "R14", "R07"))


def test_a_factor_gives_no_more_than_its_most() -> None:
    for factor in card().factors:
        assert max(line["points"] for line in factor.lines) == factor.most
        assert 0 <= factor.missing <= factor.most
    assert sum(factor.most for factor in card().factors) == 100


def test_the_cuts_fall_from_the_best_grade_to_the_worst_and_leave_no_gap() -> None:
    cuts = card().cuts
    assert [grade for _, grade in cuts] == list(SCALE.grades)
    assert [cut for cut, _ in cuts] == sorted((cut for cut, _ in cuts), reverse=True)
    assert cuts[-1][0] == 0


def test_every_rule_says_what_it_does_and_gives_reasons_that_have_words() -> None:
    assert all(one.meta.says and one.meta.version for one in rules())
    policy = tomllib.loads((files("loanhub_rule_policy") / "policy.toml").read_text(encoding="utf-8"))
    codes = {entry["reason"] for entry in policy["rule"]} | {factor.reason for factor in card().factors}
    assert {f"reason.{code}" for code in codes} <= texts.catalogue().keys()
    assert {entry["then"] for entry in policy["rule"]} <= {"decline", "refer", *SCALE.grades}


def test_rules_ask_only_for_features_there_are() -> None:
    assert {name for one in rules() for name in one.meta.features} <= {f.name for f in CATALOGUE}


def test_a_limit_with_two_comparisons_is_refused() -> None:
    entry = {"id": "x", "feature": "age", "says": "", "then": "B", "reason": "R01", "above": 1, "below": 2}
    with pytest.raises(ValueError, match="2 comparisons"):
        limit(entry, "1")


def test_the_policy_joins_by_the_same_door_as_a_strangers() -> None:
    plugins = Plugins.load()
    assert plugins.found["loanhub_rule_policy"].state == "ok"
    assert {one.meta.id for one in limit_rules()} | {"card"} <= {one.meta.id for one in plugins.rules}


def test_many_customers_are_rated_as_each_alone() -> None:
    many = [BEST, BEST | {"dti": 0.9}, {"age": 30}, BEST | {"enquiries": 12, "ltv": None}]
    together = assess_columns(pl.concat([known(**facts) for facts in many]), rules(), SCALE, TODAY)
    assert together == [assess_columns(known(**facts), rules(), SCALE, TODAY)[0] for facts in many]
