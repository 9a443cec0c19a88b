"""The points card: factors scored over columns, each a rule that says what it cost, and their sum a grade.

`scorecard.toml` is the only artefact: the scorer is made of it. Points are whole numbers, so their sum does
not depend on an order.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import polars as pl
from attrs import frozen

from loanhub import Outcome, Rule, RuleMeta


@frozen
class Factor:
    """One factor of the card, as its table in the file says."""

    name: str
    most: int
    missing: int
    needs: tuple[str, ...]
    reason: str
    lines: tuple[Mapping[str, Any], ...]

    @property
    def features(self) -> tuple[str, ...]:
        """All features its lines look at."""
        named = [n for line in self.lines for part in ("is", "least", "most") for n in line.get(part, ())]
        return tuple(dict.fromkeys([*self.needs, *named]))

    @property
    def known(self) -> pl.Expr:
        """Whether what it needs is there."""
        return pl.all_horizontal(pl.col(name).is_not_null() for name in self.needs)

    @property
    def points(self) -> pl.Expr:
        """The points of the first line that holds."""
        scored = [pl.when(_holds(line)).then(line["points"]) for line in self.lines]
        return pl.when(self.known).then(pl.coalesce(*scored, pl.lit(0))).otherwise(self.missing)

    @property
    def code(self) -> pl.Expr:
        """The reason code for less than half of the points, null otherwise."""
        own = [pl.when(_holds(line)).then(pl.lit(line.get("reason", self.reason))) for line in self.lines]
        reason = pl.coalesce(*own, pl.lit(self.reason))
        return pl.when(self.known & (self.points * 2 < self.most)).then(reason)


def _holds(line: Mapping[str, Any]) -> pl.Expr:
    tests = [pl.col(name) <= bound for name, bound in line.get("most", {}).items()]
    tests += [pl.col(name) >= bound for name, bound in line.get("least", {}).items()]
    tests += [pl.col(name).is_in(values) for name, values in line.get("is", {}).items()]
    return pl.all_horizontal(tests).fill_null(value=False)


@frozen
class Card:
    """The whole card."""

    version: str
    persons: tuple[str, ...]
    least_known: int
    unknown_reason: str
    weak_reason: str
    weak_below: int
    cuts: tuple[tuple[int, str], ...]
    factors: tuple[Factor, ...]

    @property
    def meant(self) -> pl.Expr:
        """Whether the card is for this customer."""
        return pl.col("customer_type").fill_null(self.persons[0]).is_in(self.persons)

    @property
    def total(self) -> pl.Expr:
        """The sum of all points."""
        return pl.sum_horizontal(factor.points for factor in self.factors)

    def grade(self, points: int) -> str:
        """The grade of a sum: each cut begins its grade."""
        return next(grade for cut, grade in self.cuts if points >= cut)


@frozen
class FactorRule:
    """A factor as a rule that passes, and says how many points it cost and why."""

    meta: RuleMeta
    card: Card
    factor: Factor

    def assess(self, rows: pl.DataFrame) -> Sequence[Outcome | None]:
        """A pass with the points lost (0 or below) for each customer the card is for."""
        lost = (self.factor.points - self.factor.most).alias("lost")
        frame = rows.select(self.card.meant.alias("meant"), lost, self.factor.code.alias("code"))
        return [Outcome("pass", None, code, lost) if meant else None for meant, lost, code in frame.rows()]


@frozen
class CardRule:
    """The sum of the card as a grade."""

    meta: RuleMeta
    card: Card

    def assess(self, rows: pl.DataFrame) -> Sequence[Outcome | None]:
        """A grade with its score; a person must look where too few factors are known."""
        known = pl.sum_horizontal(factor.known.cast(pl.Int64) for factor in self.card.factors)
        frame = rows.select(
            self.card.meant.alias("meant"), known.alias("known"), self.card.total.alias("sum")
        )
        return [self._outcome(known, points) if meant else None for meant, known, points in frame.rows()]

    def _outcome(self, known: int, points: int) -> Outcome:
        if known < self.card.least_known:
            return Outcome.refer(reason=self.card.unknown_reason)
        reason = self.card.weak_reason if points < self.card.weak_below else None
        return Outcome.of(self.card.grade(points), score=points, reason=reason)


@cache
def card() -> Card:
    """The card of `scorecard.toml`."""
    values = tomllib.loads((files("loanhub_rule_policy") / "scorecard.toml").read_text(encoding="utf-8"))
    factors = [
        Factor(f["name"], f["most"], f["missing"], tuple(f["needs"]), f["reason"], tuple(f["lines"]))
        for f in values.pop("factor")
    ]
    cuts = tuple((cut, grade) for cut, grade in values.pop("cuts"))
    persons = tuple(values.pop("persons"))
    return Card(persons=persons, cuts=cuts, factors=tuple(factors), **values)


@cache
def card_rules() -> tuple[Rule, ...]:
    """A rule for each factor, and the one that gives the grade."""
    made = card()
    factors = [
        FactorRule(
            RuleMeta(
                f"card.{f.name}",
                made.version,
                ("customer_type", *f.features),
                f"评分卡因素 {f.name}，最高{f.most}分。Factor {f.name} of the points card, at most {f.most}.",
            ),
            made,
            f,
        )
        for f in made.factors
    ]
    seen = tuple(dict.fromkeys(["customer_type", *(name for f in made.factors for name in f.features)]))
    says = "评分卡总分对应的等级。The grade that the points of the card add up to."
    return (*factors, CardRule(RuleMeta("card", made.version, seen, says), made))
