"""Floating rates: LPR of a tenor plus or minus a spread in basis points (1 BP = 0.01 %, DOMAIN.md 1.7)."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from loanhub.readings.numerals import decimal_of

MOST_BP: Final = 5000
_TENORS: Final = {"1": "1Y", "一": "1Y", "5": "5Y", "五": "5Y"}
_TENOR: Final = r"\(?([15一五])(?:年期?|Y)(?:及?以上|\+)?(?:的|期)?\)?"
_SPREAD: Final = r"(\+|-|加点?|减点?|上浮|下浮)([\d.]+)(个?BPS?|个?基点|个?点|%|个百分点)"
_FORM = re.compile(rf"(?:{_TENOR})?(?:贷款市场报价利率)?\(?LPR\)?(?:利率)?(?:{_TENOR})?(?:{_SPREAD})?")
_MINUS: Final = ("-", "减", "下浮")


def read_floating(bare: str) -> tuple[str | None, int] | None:
    """Tenor ("1Y", "5Y", or None when not said) and spread in whole basis points; None when unreadable.

    `bare` is upper case without spaces. A spread without a unit is unreadable, and so is 上浮10%, which
    multiplies.
    """
    found = _FORM.fullmatch(bare)
    if found is None:
        return None
    before, after, direction, digits, unit = found.groups()
    if before and after and _TENORS[before] != _TENORS[after]:
        return None
    tenor = _TENORS.get(before or after or "")
    if direction is None:
        return tenor, 0
    number = decimal_of(digits)
    if number is None or (direction in {"上浮", "下浮"} and unit == "%"):
        return None
    spread = number * (100 if unit in {"%", "个百分点"} else 1)
    if spread.denominator != 1 or spread > Fraction(MOST_BP):
        return None
    return tenor, -spread.numerator if direction.startswith(_MINUS) else spread.numerator
