"""`@rule` lifts a function of one customer's view to a Rule over columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
from attrs import field, frozen

from loanhub.kinds import Outcome, RuleMeta

Assess = Callable[["RowView"], Outcome | None]


@frozen
class RowView:
    """What a rule sees of one customer: its declared features as attributes; a missing one is None.

    Money features are whole fen; compare them with `view.money(500_000)` (yuan).
    """

    _features: Mapping[str, Any] = field(repr=False)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._features[name]
        except KeyError:
            raise AttributeError(f"feature {name!r} is not declared by this rule") from None

    @staticmethod
    def money(yuan: int) -> int:
        """Yuan as fen."""
        return yuan * 100


@frozen
class FunctionRule:
    """A rule made from a function of one view."""

    meta: RuleMeta
    function: Assess

    def assess(self, rows: pl.DataFrame) -> Sequence[Outcome | None]:
        """One outcome (or None) a row."""
        if not self.meta.features:
            return [self.function(RowView({})) for _ in range(rows.height)]
        return [self.function(RowView(row)) for row in rows.select(self.meta.features).iter_rows(named=True)]


def rule(*, id: str, version: str, features: tuple[str, ...]) -> Callable[[Assess], FunctionRule]:
    """Make a Rule of a function; its docstring's first line says what it does."""

    def lift(function: Assess) -> FunctionRule:
        says = (function.__doc__ or "").strip().split("\n", 1)[0]
        return FunctionRule(RuleMeta(id, version, features, says), function)

    return lift
