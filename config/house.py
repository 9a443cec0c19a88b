"""An example of a rule of one's own: copy this file into the folder `plugins` of the home and change it."""

from __future__ import annotations

from collections.abc import Sequence

from loanhub import Outcome, RowView, Rule, hookimpl, rule


@rule(id="house-large", version="1", features=("principal", "months_employed"))
def large_loan(view: RowView) -> Outcome | None:
    """Above 500,000 with less than a year in the job: never better than B."""
    if view.principal is None or view.months_employed is None:
        return None
    if view.principal > view.money(500_000) and view.months_employed < 12:
        return Outcome.cap("B", reason="R-HOUSE-01")
    return None


@hookimpl
def rules() -> Sequence[Rule]:
    """The rules of this house."""
    return [large_loan]
