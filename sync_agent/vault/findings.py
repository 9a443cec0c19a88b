"""What is wrong with a stored object, said with its name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import evolve, frozen

from loanhub import LoanHubError, NotFound, Remote, holding_of

MISSING: Final = "missing"
TRUNCATED: Final = "truncated"
DAMAGED: Final = "damaged"
HIDDEN: Final = "hidden"


@frozen(order=True)
class Finding:
    """One object that is not what was written: `problem` is missing, hidden, truncated or damaged.

    Hidden is what was deleted where versions are kept: it is there still, behind a delete marker. Damaged is
    everything that does not open or is not what belongs there: flipped, swapped, forged.
    """

    name: str
    problem: str


def finding_of(name: str, problem: LoanHubError) -> Finding:
    """The finding that an error stands for."""
    return Finding(name, MISSING if isinstance(problem, NotFound) else DAMAGED)


def looked_behind(remote: Remote, findings: Iterable[Finding]) -> list[Finding]:
    """The findings, those of missing objects that the storage has still called hidden; a question each."""
    holding = holding_of(remote)
    if holding is None:
        return list(findings)
    return [
        evolve(one, problem=HIDDEN) if one.problem == MISSING and holding.is_hidden(one.name) else one
        for one in findings
    ]
