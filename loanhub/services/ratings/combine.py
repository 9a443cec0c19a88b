"""The worst answer counts: outcomes of all rules to one grade, a status, and up to four reasons.

A decline is the worst grade; a cap is never exceeded; a grade is worsened by any other; a refer asks for a
person and leaves the grade a proposal; a rule that failed is recorded and the others count. The order in
which rules were loaded never matters (DOMAIN.md section 5, DESIGN.md section 5).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs
from attrs import frozen

from loanhub.entities import Rating
from loanhub.errors import Misconfigured

MOST_REASONS: Final = 4
STATUSES: Final = ("decline", "refer", "cap", "grade", "pass", "failed")


@frozen
class Scale:
    """The grades of an institution, best first; the last is that of a decline."""

    grades: tuple[str, ...]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Scale:
        """From `rating.toml`. Raises Misconfigured("rating-scale") unless two or more different grades."""
        grades = tuple(str(grade) for grade in values.get("scale", ()))
        if len(grades) < 2 or len(set(grades)) < len(grades):
            raise Misconfigured("rating-scale", grades=", ".join(grades))
        return cls(grades)

    def worst(self, grades: Sequence[str]) -> str:
        """The worst of some grades of this scale."""
        return max(grades, key=self.grades.index)


@frozen
class Said:
    """What one rule said of one customer; `status` failed with the class of its `error` when it broke.

    `score` of a pass is points lost (0 or below), so that the heaviest reason comes first.
    """

    rule: str
    version: str
    status: str
    grade: str | None = None
    reason: str | None = None
    score: int | None = None
    error: str | None = None

    def plain(self) -> dict[str, Any]:
        """As it is kept in a rating: what is None is left out."""
        return attrs.asdict(self, filter=lambda _, value: value is not None)


@frozen
class Verdict:
    """One grade (empty when no rule gave one), its status, and the outcomes, the decisive ones first."""

    grade: str
    status: str
    outcomes: tuple[Said, ...]


def combine(said: Sequence[Said], scale: Scale) -> Verdict:
    """The worst of all outcomes. Without any grade a person must look."""
    ordered = tuple(sorted(said, key=lambda one: _weight(one, scale)))
    found = {one.status for one in ordered}
    if "decline" in found:
        return Verdict(scale.grades[-1], "declined", ordered)
    grades = [one.grade for one in ordered if one.status == "grade" and one.grade]
    caps = [one.grade for one in ordered if one.status == "cap" and one.grade]
    if not grades:
        return Verdict("", "refer", ordered)
    return Verdict(scale.worst([*grades, *caps]), "refer" if "refer" in found else "graded", ordered)


def _weight(one: Said, scale: Scale) -> tuple[int, int, int, str]:
    """Declines, refers, then caps and grades from the worst, then passes by points lost."""
    kind = {"cap": 2, "grade": 2}.get(one.status, STATUSES.index(one.status))
    badness = -scale.grades.index(one.grade) if kind == 2 and one.grade else 0
    return kind, badness, (one.score or 0) if one.status == "pass" else 0, one.rule


def reasons(rating: Rating) -> tuple[str, ...]:
    """Up to four reason codes of a rating, the heaviest first; their words are messages `reason.CODE`."""
    codes = dict.fromkeys(one["reason"] for one in rating.outcomes if one.get("reason"))
    return tuple(codes)[:MOST_REASONS]
