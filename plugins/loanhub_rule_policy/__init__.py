"""Rates by the rules of the institution's written policy: a points card, and what refuses, refers or caps.

The card stands in `scorecard.toml`, the rules in `policy.toml`; both are data read when first asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

from loanhub import Rule, hookimpl
from loanhub_rule_policy.card import card_rules
from loanhub_rule_policy.limits import limit_rules


@hookimpl
def rules() -> Sequence[Rule]:
    """The points card with a rule for each factor, and the limits."""
    return [*card_rules(), *limit_rules()]
