"""Chinese numerals, everyday and capital (贰拾万), and decimal texts, read strictly to exact numbers."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_DIGITS: Final = {
    **{c: i for i, c in enumerate("零一二三四五六七八九")},
    **{c: i for i, c in enumerate("零壹贰叁肆伍陆柒捌玖")},
    **{"〇": 0, "○": 0, "两": 2, "貳": 2, "參": 3, "叄": 3, "陸": 6, "兩": 2},
}
_SMALL: Final = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_LARGE: Final = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
DIGIT_CHARS: Final = "".join(_DIGITS)
NUMERAL_CHARS: Final = DIGIT_CHARS + "".join(_SMALL) + "".join(_LARGE)

_DECIMAL = re.compile(
    r"(\d{1,18})(?:\.(\d{0,25}))?(?:E([+-]?\d{1,2}))?|\.(\d{1,25})", re.ASCII | re.IGNORECASE
)
_GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d{0,18})?", re.ASCII)


def decimal_of(text: str, *, grouped: bool = False, scientific: bool = False) -> Fraction | None:
    """An unsigned decimal such as 1234.5, exactly; commas by threes and exponents only when allowed."""
    if grouped and _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    found = _DECIMAL.fullmatch(text)
    if found is None:
        return None
    whole, fraction, exponent, bare = found.groups()
    if exponent is not None and not scientific:
        return None
    digits = fraction if bare is None else bare
    mantissa = Fraction(int((whole or "0") + (digits or "")), 10 ** len(digits or ""))
    return mantissa * Fraction(10) ** int(exponent or 0)


def whole_of(text: str) -> int | None:
    """A whole number in Chinese numerals: 二十 20, 一百零二 102, 壹亿贰仟万 120000000.

    None when it is not one, or is the colloquial 一百二 or 一万二, whose last digit has lost its unit.
    """
    if not text or any(c not in NUMERAL_CHARS for c in text):
        return None
    total, rest = 0, text
    for char, unit in (("亿億", 10**8), ("万萬", 10**4)):
        cut = max(rest.rfind(c) for c in char)
        if cut < 0:
            continue
        above = whole_of(rest[:cut]) if unit == 10**8 else _section(rest[:cut])
        rest = rest[cut + 1 :]
        if not above or _unit_lost(rest):
            return None
        total += above * unit
        if not rest:
            return total
    below = _section(rest)
    return None if below is None else total + below


def _unit_lost(rest: str) -> bool:
    return len(rest) == 1 and rest in _DIGITS


def _section(text: str) -> int | None:
    """Up to 9999: digits each followed by a falling unit, zeros only as fillers."""
    total, last_unit, digit, filler = 0, 10**4, None, False
    for char in text:
        if char in _DIGITS:
            if digit is not None:
                return None
            if _DIGITS[char] == 0:
                filler = True
                continue
            digit = _DIGITS[char]
        else:
            unit = _SMALL.get(char, 10**4)
            if unit >= last_unit or (digit is None and unit != 10):
                return None
            total, last_unit, digit, filler = total + (digit or 1) * unit, unit, None, False
    if digit is None:
        return total if total or text in {"零", "〇"} else None
    return total + digit if last_unit in {10, 10**4} or filler else None


def digits_of(text: str) -> str | None:
    """Numerals read one by one, as in a year: 二〇二六 is "2026"."""
    return "".join(str(_DIGITS[c]) for c in text) if text and all(c in _DIGITS for c in text) else None


def number_of(text: str) -> Fraction | None:
    """A plain decimal, or Chinese numerals, with 四点九 as 4.9."""
    plain = decimal_of(text)
    if plain is not None:
        return plain
    whole, point, fraction = text.partition("点")
    head = whole_of(whole)
    tail = digits_of(fraction) if point else ""
    if head is None or tail is None:
        return None
    return Fraction(head) + (Fraction(int(tail), 10 ** len(tail)) if tail else 0)
