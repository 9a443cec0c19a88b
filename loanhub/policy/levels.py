"""How much of a field somebody sees: nothing, a mask of it, or all; one small table for a principal."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import attrs
from attrs import frozen

from loanhub.fields import SECRET, Field
from loanhub.policy.masks import MASKS, maskable


class Level(IntEnum):
    """What is shown of a field. MASK: its known shape (`138****1234`), or `***` for types that have none."""

    HIDE = 0
    MASK = 1
    SHOW = 2


@frozen
class Sight:
    """The level of every field for one principal, by path (`customer.mobile`); `otherwise` for all others,
    where None means: masked if it is sensitive and has a mask, else shown.
    """

    levels: Mapping[str, Level] = attrs.field(factory=dict, repr=False)
    otherwise: Level | None = Level.HIDE

    def level(self, about: Field) -> Level:
        """How much of the field is shown."""
        if about.privacy is SECRET:
            return Level.HIDE
        known = self.levels.get(about.path, self.otherwise)
        if known is None:
            return Level.MASK if maskable(about) else Level.SHOW
        return known

    def asks(self, about: Field, op: str) -> bool:
        """Whether a question may use the field. Who sees the mask of a number may look it up whole: the
        answer tells no more than was typed.
        """
        level = self.level(about)
        whole = op in ("eq", "in") and about.type in MASKS
        return level is Level.SHOW or (level is Level.MASK and whole)

    def over(self, other: Sight) -> Sight:
        """What one sees who has both roles: of every field the more."""
        if self.otherwise is None or other.otherwise is None:
            return self if self.otherwise is None else other
        paths = {*self.levels, *other.levels}
        most = {
            path: max(self.levels.get(path, self.otherwise), other.levels.get(path, other.otherwise))
            for path in paths
        }
        return Sight(most, max(self.otherwise, other.otherwise))


HOST: Final = Sight(otherwise=None)
"""Whoever opens a home without accounts on its host, and the house itself."""

SHUT: Final = Sight()
"""Nothing at all."""
