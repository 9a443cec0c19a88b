"""Asks every rule over columns; one that breaks on some customers is recorded there and counts elsewhere."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from loanhub.entities import Rating
from loanhub.kinds import Outcome, Rule
from loanhub.plugins import attempt
from loanhub.services.ratings.combine import STATUSES, Said, Scale, combine


def assess_columns(features: pl.DataFrame, rules: Sequence[Rule], scale: Scale, as_of: date) -> list[Rating]:
    """A rating (without id) for each row of `features` (customer_id and the catalogue), in order.

    `inputs` are the features that the rules declared, `digest` is of them and of each rule's id and version:
    the same digest means nothing that counts has changed.
    """
    asked = sorted(rules, key=lambda rule: rule.meta.id)
    answers = [ask(rule, features, scale) for rule in asked]
    makers = [[rule.meta.id, rule.meta.version] for rule in asked]
    found = []
    for row, (customer, inputs) in enumerate(_snapshots(features, asked)):
        verdict = combine([one for answer in answers if (one := answer[row])], scale)
        found.append(
            Rating(
                customer_id=customer,
                as_of=as_of,
                grade=verdict.grade,
                status=verdict.status,
                outcomes=[one.plain() for one in verdict.outcomes],
                inputs=inputs,
                digest=_digest(inputs, makers),
            )
        )
    return found


def ask(rule: Rule, features: pl.DataFrame, scale: Scale) -> list[Said | None]:
    """What a rule says of each row. Where it breaks, the rows are halved until only those it breaks on
    are recorded as failed, with the class of the error and nothing of its words.
    """
    if not features.height:
        return []
    answer, failure = attempt(rule.meta.id, _answers, rule, features, scale)
    if answer is not None:
        return answer
    error = failure.error if failure else "Nothing"
    if features.height == 1 or not set(rule.meta.features) <= set(features.columns):
        failed = Said(rule.meta.id, rule.meta.version, "failed", error=error)
        return [failed] * features.height
    half = features.height // 2
    return [*ask(rule, features[:half], scale), *ask(rule, features[half:], scale)]


def _answers(rule: Rule, features: pl.DataFrame, scale: Scale) -> list[Said | None]:
    outcomes = list(rule.assess(features.select(rule.meta.features)))
    if len(outcomes) != features.height:
        raise ValueError("a rule gives one outcome a row")
    return [None if one is None else _checked(rule, one, scale) for one in outcomes]


def _checked(rule: Rule, outcome: Outcome, scale: Scale) -> Said:
    """An outcome that may be believed: its status known, its grade on the scale where one is due."""
    told: Any = outcome  # a stranger's rule may break its promise
    if not (type(told.score) in (int, type(None)) and isinstance(told.reason, str | None)):
        raise TypeError("a score is a whole number, a reason a code")
    if outcome.status not in STATUSES[:-1]:
        raise ValueError("unknown status")
    graded = outcome.status in ("cap", "grade")
    if graded and outcome.grade not in scale.grades:
        raise LookupError("a grade that is not on the scale")
    grade = outcome.grade if graded else None
    return Said(rule.meta.id, rule.meta.version, outcome.status, grade, outcome.reason, outcome.score)


def _snapshots(features: pl.DataFrame, rules: Sequence[Rule]) -> list[tuple[int, dict[str, Any]]]:
    declared = {name for rule in rules for name in rule.meta.features}
    used = sorted(declared & set(features.columns) - {"customer_id"})
    kept = features.select("customer_id", *used)
    return [(row.pop("customer_id"), _plain(row)) for row in kept.iter_rows(named=True)]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in row.items()}


def _digest(inputs: Mapping[str, Any], rules: Sequence[Sequence[str]]) -> str:
    text = json.dumps({"inputs": inputs, "rules": rules}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
