"""Money as whole fen (分, 0.01 yuan) in an int: exact in, exact out, and rounded only by a named rule.

Nothing here knows floats. A product or quotient is built from ints, Decimals or Fractions and comes back
to fen through `rounded` or `divided`, which say how (DOMAIN.md 0.1: half up unless a contract says else).
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from loanhub.errors import Usage
from loanhub.texts import Lang

Rounding = Literal["half_up", "half_even", "up", "down"]

FEN_PER_YUAN: Final = 100
JIAO: Final = 10
YUAN: Final = 100

_PLAIN = re.compile(r"([+-]?)(\d{1,16})(?:\.(\d{1,2}))?", re.ASCII)


def divided(numerator: int, denominator: int, rounding: Rounding = "half_up") -> int:
    """`numerator / denominator` as a whole number, in exact integer arithmetic.

    Halves go away from zero (half_up) or to the even neighbour (half_even); up is away from zero (进一法),
    down is towards zero. Raises ZeroDivisionError.
    """
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, remainder = divmod(abs(numerator), denominator)
    if _goes_up(quotient, remainder, denominator, rounding):
        quotient += 1
    return -quotient if numerator < 0 else quotient


def _goes_up(quotient: int, remainder: int, denominator: int, rounding: Rounding) -> bool:
    if rounding == "up":
        return remainder > 0
    if rounding == "down":
        return False
    twice = 2 * remainder
    if rounding == "half_even":
        return twice > denominator or (twice == denominator and quotient % 2 == 1)
    return twice >= denominator


def rounded(fen: Decimal | Fraction | int, rounding: Rounding = "half_up", *, unit: int = 1) -> int:
    """An exact amount in fen, possibly fractional, as a whole multiple of `unit` fen (1, JIAO, YUAN)."""
    exact = Fraction(fen) / unit
    return divided(exact.numerator, exact.denominator, rounding) * unit


def fen_of(yuan: Decimal | Fraction | int, rounding: Rounding = "half_up") -> int:
    """Yuan as fen; what is finer than a fen is rounded by the named rule."""
    return rounded(Fraction(yuan) * FEN_PER_YUAN, rounding)


def parse(text: str) -> int:
    """Fen of a plain decimal string in yuan such as "1061.45" or "-3"; exact, for programs and settings.

    What people type into cells is read by `loanhub.readings.amounts`. Raises Usage("not-money").
    """
    found = _PLAIN.fullmatch(text.strip())
    if found is None:
        raise Usage("not-money")
    sign, whole, fraction = found.groups()
    fen = int(whole) * FEN_PER_YUAN + int((fraction or "").ljust(2, "0"))
    return -fen if sign == "-" else fen


def decimal(fen: int) -> Decimal:
    """Fen as Decimal yuan with two places."""
    return Decimal(fen).scaleb(-2)


def plain(fen: int) -> str:
    """Fen as "1234.56": what `parse` reads back."""
    sign = "-" if fen < 0 else ""
    whole, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}{whole}.{rest:02d}"


def yuan(fen: int) -> str:
    """Fen as "1,234.56", for tables."""
    sign = "-" if fen < 0 else ""
    whole, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}{whole:,}.{rest:02d}"


def show(fen: int, lang: Lang) -> str:
    """Fen with its currency, for sentences: 1,234.56元, or CNY 1,234.56 in English."""
    return f"{yuan(fen)}元" if lang == "zh" else f"CNY {yuan(fen)}"
