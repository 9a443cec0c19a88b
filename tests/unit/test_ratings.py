"""Ratings: what is known of a customer, what rules make of it, and when a rating is new."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import texts
from loanhub.acts import Offered
from loanhub.entities import Collateral, CreditRecord, Customer, Entity, Loan, Rating
from loanhub.errors import Misconfigured, NotFound, Usage
from loanhub.kinds import Outcome, Rule, RuleMeta
from loanhub.plugins import Plugins
from loanhub.records import Query
from loanhub.rules import RowView, rule
from loanhub.services.ratings import acts as ratings
from loanhub.services.ratings.acts import ASSESS, ASSESS_CHUNK, Assess, AssessChunk
from loanhub.services.ratings.assess import assess_columns
from loanhub.services.ratings.combine import Said, Scale, combine, reasons
from loanhub.services.ratings.features import CATALOGUE, Sources, compute
from loanhub.services.ratings.job import assess_all
from tests.books import ListBooks

TODAY = date(2026, 3, 20)
SCALE = Scale(("AAA", "AA", "A", "BBB", "BB", "B", "C", "D"))
YUAN = 100


def features_of(*entities: Entity, as_of: date = TODAY) -> dict[str, Any]:
    """The features of the one customer among these."""
    books = ListBooks(*entities, today=as_of)
    frames = [books.columns(Query(kind)) for kind in ("customer", "loan", "credit", "collateral")]
    return compute(Sources(*frames), as_of).row(0, named=True)


def person(**facts: Any) -> Customer:
    return Customer(id=1, name="王小样", **facts)


def saying(name: str, answer: Callable[[RowView], Outcome | None], *features: str) -> Rule:
    """A rule of one function."""
    return rule(id=name, version="1", features=features or ("age",))(answer)


# -- What is known ---------------------------------------------------------------------------------


def test_a_birthday_counts_from_its_day_on() -> None:
    assert features_of(person(birth_date=date(1990, 3, 20)))["age"] == 36
    assert features_of(person(birth_date=date(1990, 3, 21)))["age"] == 35


@given(st.dates(date(1930, 1, 1), TODAY))
def test_ages_and_months_in_a_job_are_whole_and_agree(day: date) -> None:
    known = features_of(person(birth_date=day, employed_since=day))
    assert known["age"] == known["months_employed"] // 12
    assert known["age"] == TODAY.year - day.year - ((TODAY.month, TODAY.day) < (day.month, day.day))


def test_what_is_not_known_is_null_and_never_a_guess() -> None:
    known = features_of(person())
    assert {name for name, value in known.items() if value is not None} == {
        "customer_id",
        "open_loans",
        "written_off_loans",
    }


def test_debt_to_income_counts_the_instalment_of_a_loan_asked_for() -> None:
    # 8,000 income, 2,000 old debt, 1,061.45 new: 38.2681 % (worked case DTI-1).
    known = features_of(
        person(monthly_income=8000 * YUAN),
        CreditRecord(id=1, customer_id=1, monthly_debt=2000 * YUAN),
        Loan(id=1, customer_id=1, status="approved", instalment=106145),
        Loan(id=2, customer_id=1, status="active", instalment=99999),
    )
    assert known["dti"] == pytest.approx(0.382681, abs=1e-6)


def test_debt_to_income_of_exactly_seventy_percent_is_exactly_that() -> None:
    # Worked case DTI-2: 3,000 + 500 of 5,000 is not refused, so the float must be that of 0.70.
    known = features_of(
        person(monthly_income=5000 * YUAN),
        CreditRecord(id=1, customer_id=1, monthly_debt=3000 * YUAN),
        Loan(id=1, customer_id=1, status="contracted", instalment=500 * YUAN),
    )
    assert known["dti"] == 0.70


def test_without_income_there_is_no_ratio() -> None:
    known = features_of(person(monthly_income=0), CreditRecord(id=1, customer_id=1, monthly_debt=100))
    assert known["dti"] is None


def test_a_reported_ratio_serves_where_the_debts_are_not_told() -> None:
    known = features_of(
        person(annual_income=120_000 * YUAN), CreditRecord(id=1, customer_id=1, dti=Decimal("0.45"))
    )
    assert known["monthly_income"] == 10_000 * YUAN
    assert known["dti"] == 0.45


def test_the_weakest_security_and_the_highest_loan_to_value_count() -> None:
    known = features_of(
        person(),
        Loan(id=1, customer_id=1, balance=70_000_000, amount=90_000_000, guarantee="mortgage"),
        Loan(id=2, customer_id=1, amount=1_000_000, guarantee="credit"),
        Collateral(id=1, loan_id=1, value=100_000_000),
    )
    assert known["ltv"] == 0.7
    assert known["guarantee"] == "credit"
    assert known["principal"] == 71_000_000


def test_loans_that_are_over_burden_nobody_but_a_write_off_is_remembered() -> None:
    known = features_of(
        person(),
        Loan(id=1, customer_id=1, status="settled", amount=100, overdue_days=40),
        Loan(id=2, customer_id=1, status="written_off", amount=100, overdue_days=400),
        Loan(id=3, customer_id=1, balance=0, amount=100),
    )
    assert (known["open_loans"], known["written_off_loans"]) == (0, 1)
    assert known["principal"] is None
    assert known["days_past_due"] is None


def test_days_past_due_are_a_fact_of_the_sheet_with_its_day() -> None:
    known = features_of(
        person(),
        Loan(id=1, customer_id=1, amount=100, overdue_days=12, stated_on=date(2026, 3, 1)),
        Loan(id=2, customer_id=1, amount=100, overdue_days=0, stated_on=date(2026, 3, 9)),
    )
    assert known["days_past_due"] == 12
    assert known["days_past_due_on"] == date(2026, 3, 1)


@pytest.mark.parametrize(
    ("told", "months", "run", "worst"),
    [
        # Worked cases LIAN3LEI6-1, -2, -4, -5.
        ("NNNNNNNNNNNNNNNNNNNNNNNN", 0, 0, 0),
        ("NNNNNNNNNN1NNNNNNNNNNNNN", 1, 1, 1),
        ("N1N1N1N1N1N1NNNNNNNNNNNN", 6, 1, 1),
        ("N1N1N1N1N1NNNNNNNNNNNNNN", 5, 1, 1),
        ("NNN123" + "N" * 24, 0, 0, 0),  # what is older than 24 months no longer counts
        ("*" * 12 + "NNN12N" + "N" * 6, 2, 2, 2),
        ("连三累六", 6, 3, 3),
        ("近两年连2累4", 4, 2, 2),
        ("无", 0, 0, 0),
        ("2024年3月有过一次", None, None, None),
        ("138123412341234", None, None, None),  # digits alone are no status string
    ],
)
def test_overdue_history_is_read_where_it_can_be(
    told: str, months: int | None, run: int | None, worst: int | None
) -> None:
    known = features_of(person(), CreditRecord(id=1, customer_id=1, overdue_record=told))
    seen = known["overdue_months"], known["consecutive_overdue_months"], known["worst_status"]
    assert seen == (months, run, worst)


def test_a_longest_overdue_of_three_is_days_or_periods_and_not_guessed_at() -> None:
    unclear = features_of(person(), CreditRecord(id=1, customer_id=1, overdue_count=2, max_overdue=3))
    days = features_of(person(), CreditRecord(id=1, customer_id=1, overdue_count=2, max_overdue=45))
    assert unclear["worst_status"] is None
    assert days["worst_status"] == 2


def test_the_latest_report_counts_and_fills_its_gaps_from_older_ones() -> None:
    known = features_of(
        person(),
        CreditRecord(id=2, customer_id=1, report_date=date(2026, 3, 10), enquiries=7),
        CreditRecord(id=1, customer_id=1, report_date=date(2026, 1, 1), enquiries=2, blacklist=True),
    )
    assert (known["enquiries"], known["blacklist"], known["report_age"]) == (7, True, 10)


def test_every_feature_has_its_label_in_both_languages() -> None:
    for feature in CATALOGUE:
        code = f"feature.{feature.name}"
        assert texts.render(code, "zh").text != texts.render(code, "en").text


def test_nothing_after_the_day_is_looked_at() -> None:
    before = [
        person(birth_date=date(1990, 1, 1), employed_since=date(2020, 1, 1), monthly_income=500_000),
        Loan(id=1, customer_id=1, amount=100, disburse_date=date(2025, 1, 1)),
        CreditRecord(id=1, customer_id=1, report_date=date(2025, 6, 1), enquiries=1),
    ]
    after = [
        Loan(id=2, customer_id=1, amount=900, apply_date=date(2026, 3, 21)),
        Loan(id=1, customer_id=1, amount=100, overdue_days=9, stated_on=date(2026, 4, 1)),
        CreditRecord(id=2, customer_id=1, report_date=date(2026, 3, 21), enquiries=30, blacklist=True),
        Collateral(id=1, loan_id=1, value=1, valued_on=date(2026, 3, 21)),
    ]
    assert features_of(*before) == features_of(*before, *after)


# -- The worst answer counts -----------------------------------------------------------------------


def test_the_worst_grade_counts_and_a_cap_is_never_exceeded() -> None:
    card = Said("card", "1", "grade", "AA")
    assert combine([card, Said("x", "1", "grade", "BBB")], SCALE).grade == "BBB"
    assert combine([card, Said("x", "1", "cap", "BB")], SCALE).grade == "BB"
    assert combine([Said("card", "1", "grade", "C"), Said("x", "1", "cap", "BB")], SCALE).grade == "C"


def test_a_decline_is_the_worst_grade_whatever_others_say() -> None:
    verdict = combine([Said("card", "1", "grade", "AAA"), Said("x", "1", "decline", reason="R10")], SCALE)
    assert (verdict.grade, verdict.status) == ("D", "declined")


def test_a_refer_leaves_the_grade_a_proposal() -> None:
    verdict = combine([Said("card", "1", "grade", "A"), Said("x", "1", "refer", reason="R05")], SCALE)
    assert (verdict.grade, verdict.status) == ("A", "refer")


def test_without_any_grade_a_person_must_look() -> None:
    verdict = combine([Said("x", "1", "cap", "B", "R12"), Said("y", "1", "failed", error="KeyError")], SCALE)
    assert (verdict.grade, verdict.status) == ("", "refer")


said = st.builds(
    Said,
    st.text("abcdef", min_size=1, max_size=3),
    st.just("1"),
    st.sampled_from(["cap", "grade", "refer", "decline", "pass", "failed"]),
    st.sampled_from(SCALE.grades),
    st.sampled_from([None, "R03", "R06", "R08", "R12", "R20"]),
    st.integers(-30, 0),
)


@given(st.lists(said, max_size=8, unique_by=lambda one: one.rule), st.randoms(use_true_random=False))
def test_the_order_in_which_rules_were_loaded_never_matters(
    all_said: list[Said], luck: random.Random
) -> None:
    shuffled = list(all_said)
    luck.shuffle(shuffled)
    assert combine(all_said, SCALE) == combine(shuffled, SCALE)


@given(st.lists(said, max_size=8), said)
def test_one_more_rule_never_makes_a_graded_customer_better(all_said: list[Said], more: Said) -> None:
    before, after = combine(all_said, SCALE), combine([*all_said, more], SCALE)
    if before.grade:
        assert SCALE.grades.index(after.grade) >= SCALE.grades.index(before.grade)


def test_at_most_four_reasons_are_given_the_heaviest_first() -> None:
    outcomes = [
        Said("a", "1", "pass", reason="R01", score=-2),
        Said("b", "1", "pass", reason="R08", score=-9),
        Said("c", "1", "cap", "B", "R12"),
        Said("d", "1", "cap", "A", "R07"),
        Said("e", "1", "refer", reason="R05"),
        Said("f", "1", "decline", reason="R03"),
        Said("g", "1", "cap", "BB", "R12"),
    ]
    verdict = combine(outcomes, SCALE)
    rating = Rating(outcomes=[one.plain() for one in verdict.outcomes])
    assert reasons(rating) == ("R03", "R05", "R12", "R07")
    passing = combine(outcomes[:2], SCALE)
    assert [one.reason for one in passing.outcomes] == ["R08", "R01"]


def test_a_scale_without_two_different_grades_is_a_wrong_setting() -> None:
    for grades in ([], ["A"], ["A", "B", "A"]):
        with pytest.raises(Misconfigured, match="rating-scale"):
            Scale.of({"scale": grades})


# -- Rules of strangers ----------------------------------------------------------------------------


def ages(*known: int | None) -> pl.DataFrame:
    """Features of customers 1, 2, ... of these ages."""
    count = len(known)
    frame = pl.DataFrame({"customer_id": range(1, count + 1)}, schema={"customer_id": pl.Int64})
    columns = [pl.lit(None, f.dtype).alias(f.name) for f in CATALOGUE if f.name != "age"]
    return frame.with_columns(pl.Series("age", known, pl.Int64), *columns)


def test_a_rule_that_breaks_on_one_customer_counts_for_the_others() -> None:
    def careless(view: RowView) -> Outcome | None:
        return Outcome.of("AA") if view.age < 60 else None  # None < 60 raises

    found = assess_columns(ages(30, None, 40, 70, 50), [saying("careless", careless)], SCALE, TODAY)
    assert [r.grade for r in found] == ["AA", "", "AA", "", "AA"]
    assert found[1].outcomes == [
        {"rule": "careless", "version": "1", "status": "failed", "error": "TypeError"}
    ]
    assert found[3].outcomes == []


class OwnError(Exception):
    """An error class nobody else knows."""


class Strange:
    """A rule that does what it must not."""

    meta = RuleMeta("strange", "1", ("age",))

    def __init__(self, answer: Callable[[pl.DataFrame], Any]) -> None:
        self.answer = answer

    def assess(self, rows: pl.DataFrame) -> Sequence[Outcome | None]:
        answer: Sequence[Outcome | None] = self.answer(rows)
        return answer


def raising(_: pl.DataFrame) -> Any:
    raise OwnError("张某某 13800000000")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (raising, "OwnError"),
        (lambda rows: [], "ValueError"),
        (lambda rows: None, "TypeError"),
        (lambda rows: ["AA"] * rows.height, "AttributeError"),
        (lambda rows: [Outcome.of("A+")] * rows.height, "LookupError"),
        (lambda rows: [Outcome("excellent")] * rows.height, "ValueError"),
        (lambda rows: [Outcome.of("A", score=1.5)] * rows.height, "TypeError"),  # type: ignore[arg-type]
    ],
)
def test_what_a_rule_may_not_answer_is_recorded_by_class_only(
    answer: Callable[[pl.DataFrame], Any], error: str
) -> None:
    fine = saying("fine", lambda view: Outcome.of("A"))
    found = assess_columns(ages(30, 40), [Strange(answer), fine], SCALE, TODAY)
    assert [r.grade for r in found] == ["A", "A"]
    failed = {"rule": "strange", "version": "1", "status": "failed", "error": error}
    assert all(failed in r.outcomes for r in found)


def test_a_rule_that_asks_for_a_feature_that_does_not_exist_fails_once() -> None:
    asked = saying("wants-more", lambda view: Outcome.of("A"), "shoe_size")
    found = assess_columns(ages(30, 40), [asked], SCALE, TODAY)
    assert [one["error"] for r in found for one in r.outcomes] == ["ColumnNotFoundError"] * 2


def test_a_rule_sees_its_declared_features_and_no_others() -> None:
    seen: list[list[str]] = []
    asked = Strange(lambda rows: seen.append(rows.columns) or [None] * rows.height)  # type: ignore[func-returns-value]
    assess_columns(ages(30), [asked], SCALE, TODAY)
    assert seen == [["age"]]


def test_the_example_rule_of_ones_own_works_as_a_file_in_the_home(checkout: Path, tmp_path: Path) -> None:
    source = (checkout / "config" / "house.py").read_text(encoding="utf-8")
    (tmp_path / "house.py").write_text(source, encoding="utf-8")
    plugins = Plugins.load(tmp_path)
    assert plugins.found["house"].state == "ok"
    (large,) = [one for one in plugins.rules if one.meta.id == "house-large"]
    rows = pl.DataFrame(
        {"principal": [50_000_001, 50_000_001, 50_000_000, None], "months_employed": [11, 12, 1, 1]}
    )
    cap = Outcome.cap("B", reason="R-HOUSE-01")
    assert list(large.assess(rows)) == [cap, None, None, None]


# -- Acts ------------------------------------------------------------------------------------------

GRADE_BY_AGE = saying("by-age", lambda view: Outcome.of("A" if view.age < 40 else "C", reason="R01"))


def house(*entities: Entity, rules: Sequence[Rule] = (GRADE_BY_AGE,), **about: Any) -> ListBooks:
    return ListBooks(*entities, today=TODAY, offered=Offered(rules), **about)


def people(count: int, **facts: Any) -> list[Customer]:
    return [
        Customer(id=n, name=f"样例{n}", birth_date=date(1990, 1, 1), **facts) for n in range(1, count + 1)
    ]


def test_a_rating_comes_out_with_its_reasons_and_the_snapshot_it_rests_on() -> None:
    books = house(*people(1))
    answer = books.do(ASSESS, Assess((1,)))
    (rating,) = books.of("rating")
    assert answer.new == 1
    assert (rating.customer_id, rating.grade, rating.status, rating.as_of) == (1, "A", "graded", TODAY)
    assert rating.inputs == {"age": 36}
    assert reasons(rating) == ("R01",)
    assert len(rating.digest) == 64


def test_the_same_facts_and_rules_make_no_second_rating() -> None:
    books = house(*people(2))
    books.do(ASSESS, Assess())
    again = books.do(ASSESS, Assess())
    assert (again.new, again.unchanged, len(books.of("rating"))) == (0, 2, 2)
    assert [rating.id for rating in again.ratings] == [1, 2]


def test_changed_facts_make_a_new_rating_and_the_old_one_stays() -> None:
    books = house(*people(1))
    books.do(ASSESS, Assess((1,)))
    books.put([Customer(id=1, name="样例1", birth_date=date(1970, 1, 1))])
    books.do(ASSESS, Assess((1,)))
    assert [rating.grade for rating in books.of("rating")] == ["A", "C"]


def test_a_new_version_of_a_rule_makes_a_new_rating() -> None:
    books = house(*people(1))
    books.do(ASSESS, Assess((1,)))
    newer = rule(id="by-age", version="2", features=("age",))(lambda view: Outcome.of("A", reason="R01"))
    books.plugins = Offered((newer,))
    assert books.do(ASSESS, Assess((1,))).new == 1


@pytest.mark.parametrize("landing", [{"customer": {1}}, {"loan": {7}}, {"credit": {5}}])
def test_customers_touched_by_a_batch_not_yet_stored_wait(landing: dict[str, set[int]]) -> None:
    touched = [Loan(id=7, customer_id=1, amount=100), CreditRecord(id=5, customer_id=1)]
    books = house(*people(2), *touched, landing=landing)
    answer = books.do(ASSESS, Assess())
    assert answer.waiting == (1,)
    assert [rating.customer_id for rating in books.of("rating")] == [2]


def test_a_failing_rule_is_named_with_the_number_of_customers() -> None:
    books = house(*people(3), rules=[GRADE_BY_AGE, Strange(raising)])
    (trouble,) = books.do(ASSESS, Assess()).troubles
    assert (trouble.rule, trouble.error, trouble.customers) == ("strange", "OwnError", 3)


def test_a_day_in_the_past_is_rated_on_what_was_known_then() -> None:
    late = CreditRecord(id=1, customer_id=1, blacklist=True)
    asked = saying(
        "list", lambda v: Outcome.decline(reason="R10") if v.blacklist else Outcome.of("A"), "blacklist"
    )
    books = house(*people(1), late, rules=[asked], known={("credit", 1): datetime(2026, 3, 10, tzinfo=UTC)})
    books.do(ASSESS, Assess((1,)))
    books.do(ASSESS, Assess((1,), as_of=date(2026, 3, 1)))
    assert [(r.as_of, r.grade) for r in books.of("rating")] == [(TODAY, "D"), (date(2026, 3, 1), "A")]
    assert books.do(ASSESS, Assess((1,))).unchanged == 1


def test_a_day_to_come_is_no_day_to_rate_as_of() -> None:
    with pytest.raises(Usage, match="assess-future"):
        house(*people(1)).do(ASSESS, Assess((1,), as_of=date(2026, 3, 21)))


def test_a_customer_that_does_not_exist_is_named() -> None:
    with pytest.raises(NotFound, match="assess-no-customer") as refused:
        house(*people(1)).do(ASSESS, Assess((1, 9)))
    assert refused.value.facts == {"customer": 9}


def test_one_request_takes_a_chunk_and_the_job_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratings, "CHUNK", 4)
    merged = Customer(id=3, name="样例3", merged_into=1)
    books = house(*people(9), merged)
    with pytest.raises(Usage, match="assess-too-many"):
        books.do(ASSESS, Assess())
    steps = list(assess_all(books))  # type: ignore[arg-type]
    assert [step.done for step in steps] == [3, 7, 8]
    assert [rating.customer_id for rating in books.of("rating")] == [1, 2, 4, 5, 6, 7, 8, 9]
    assert [step.done for step in assess_all(books)] == [3, 7, 8]  # type: ignore[arg-type]
    assert len(books.of("rating")) == 8


def test_a_chunk_carries_no_people_about() -> None:
    answer = house(*people(3)).do(ASSESS_CHUNK, AssessChunk())
    assert (answer.ratings, answer.new, answer.last) == ((), 3, None)


def test_an_institution_without_customers_has_nothing_to_rate() -> None:
    answer = house().do(ASSESS, Assess())
    assert (answer.new, answer.unchanged, answer.waiting) == (0, 0, ())


def test_every_reason_code_has_words_in_both_languages() -> None:
    for number in range(1, 23):
        words = texts.catalogue()[f"reason.R{number:02d}"]
        assert words["zh"]
        assert words["en"]
