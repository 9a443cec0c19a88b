"""Limits: one feature against one number, and what follows when it is passed (DOMAIN.md section 5)."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

import polars as pl
from attrs import field, frozen

from loanhub import Outcome, RuleMeta

Passed = Callable[[pl.Series], pl.Series]

COMPARED: Final[Mapping[str, Callable[[pl.Series, Any], pl.Series]]] = {
    "above": lambda seen, limit: seen > limit,
    "least": lambda seen, limit: seen >= limit,
    "below": lambda seen, limit: seen < limit,
    "most": lambda seen, limit: seen <= limit,
    "is": lambda seen, limit: seen == limit,
}


@frozen
class Limit:
    """A rule over one feature. What is not known passes no limit."""

    meta: RuleMeta
    passed: Passed = field(repr=False)
    outcome: Outcome

    def assess(self, rows: pl.DataFrame) -> Sequence[Outcome | None]:
        """The outcome where the limit is passed, None elsewhere."""
        return [self.outcome if hit else None for hit in self.passed(rows[self.meta.features[0]])]


@cache
def limit_rules() -> tuple[Limit, ...]:
    """All limits of `policy.toml`, in its order."""
    policy = tomllib.loads((files("loanhub_rule_policy") / "policy.toml").read_text(encoding="utf-8"))
    return tuple(limit(entry, policy["version"]) for entry in policy["rule"])


def limit(entry: Mapping[str, Any], version: str) -> Limit:
    """A limit of its table in `policy.toml`. Raises ValueError when it has not exactly one comparison."""
    compared = [name for name in COMPARED if name in entry]
    if len(compared) != 1:
        raise ValueError(f"rule {entry['id']} has {len(compared)} comparisons")
    compare, bound = COMPARED[compared[0]], entry[compared[0]]
    meta = RuleMeta(entry["id"], version, (entry["feature"],), entry["says"])
    return Limit(meta, lambda seen: compare(seen, bound), _outcome(entry))


def _outcome(entry: Mapping[str, Any]) -> Outcome:
    reason = entry["reason"]
    if entry["then"] == "decline":
        return Outcome.decline(reason=reason)
    if entry["then"] == "refer":
        return Outcome.refer(reason=reason)
    return Outcome.cap(entry["then"], reason=reason)
