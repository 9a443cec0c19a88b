"""What is wrong with a stored object, said with its name."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from loanhub import LoanHubError, NotFound

MISSING: Final = "missing"
TRUNCATED: Final = "truncated"
DAMAGED: Final = "damaged"


@frozen(order=True)
class Finding:
    """One object that is not what was written: `problem` is missing, truncated or damaged.

    Damaged is everything that does not open or is not what belongs there: flipped, swapped, forged.
    """

    name: str
    problem: str


def finding_of(name: str, problem: LoanHubError) -> Finding:
    """The finding that an error stands for."""
    return Finding(name, MISSING if isinstance(problem, NotFound) else DAMAGED)
