"""Amounts of money as people type them: 20万元, ￥5,000.50, 20w, 贰拾万元整 (DOMAIN.md 1.7).

More than two decimals are refused, not rounded; negatives, brackets and ranges are refused, not guessed.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from loanhub.readings import LONGEST, Reading, packed, refused, tidy
from loanhub.readings.numerals import NUMERAL_CHARS, decimal_of, whole_of

LIMIT_FEN: Final = 10**14  # one trillion yuan: more is a slip of the keyboard, and int64 stays far away
_NOISE: Final = Fraction(1, 10**6)  # of a yuan; what binary floating point adds to a cell with two decimals

# Power of ten of each unit word, in yuan.
POWERS: Final = {
    **{"": 0, "百": 2, "佰": 2, "千": 3, "仟": 3, "K": 3, "万": 4, "萬": 4, "W": 4},
    **{"十万": 5, "百万": 6, "千万": 7, "亿": 8, "億": 8, "万亿": 12},
}
_YUAN: Final = "(?:元|圆|圓|块钱|块|RMB|CNY|人民币)"
_UNITS: Final = "|".join(sorted((unit for unit in POWERS if unit), key=len, reverse=True))
_LEAD = re.compile(r"(?:人民币|RMB|CNY|CN¥|¥):?", re.IGNORECASE)
_SIMPLE = re.compile(rf"([\d,.]+(?:E[+-]?\d+)?)({_UNITS})?({_YUAN})?(?:整|正)?", re.ASCII | re.IGNORECASE)
_CHAIN = re.compile(rf"(?:[\d,.]+(?:{_UNITS}|元|圆|块|角|毛|分))+(?:整|正)?", re.IGNORECASE)
_LINK = re.compile(rf"([\d,.]+)({_UNITS}|元|圆|块|角|毛|分)", re.IGNORECASE)
_CAPITAL = re.compile(
    rf"([{NUMERAL_CHARS}]+)(?:[元圆圓块](?:零?([{NUMERAL_CHARS}])[角毛])?(?:零?([{NUMERAL_CHARS}])分)?)?(?:整|正)?"
)
_BELOW_YUAN: Final = {"元": (1, 1), "圆": (1, 1), "块": (1, 1), "角": (1, 10), "毛": (1, 10), "分": (1, 100)}
_RANGE = re.compile(r"[\d万亿千百元WK)](?:-|~|至|到)+[\d(]", re.IGNORECASE)
_NUMBER_HEAD: Final = r"[¥\d.]"
_NEGATIVE = re.compile(rf"[-(]+{_NUMBER_HEAD}.*|负.*|{_NUMBER_HEAD}.*\d-")
_SCIENTIFIC = re.compile(r"[\d.]+E[+-]?\d+", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}.*")
_THREES = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_OTHER_CURRENCY = re.compile(r"[$€£₩]|USD|EUR|HKD|JPY|GBP|美元|港[元币]|欧元|日元|英镑", re.IGNORECASE)


def read_amount(
    text: str, *, unit: str | None = None, allow_zero: bool = False, number_cell: bool = False
) -> Reading[int]:
    """An amount in fen. `unit` is the header's (元 千元 万元 亿元); the cell's own unit goes before it.

    `number_cell`: the text is the stored number of a numeric cell, which may carry an exponent and binary
    noise up to 1e-6 yuan beyond the second decimal.
    """
    clean = tidy(text)
    if not clean:
        return refused("cell-empty")
    if len(clean) > LONGEST:
        return refused("amount-unreadable")
    if re.search(r"\d\s+\d", clean):
        clean = _THREES.sub("", clean)
        if re.search(r"\d\s+\d", clean):
            return refused("amount-unreadable")
    bare = packed(clean)
    yuan, spelled = _yuan_of(_LEAD.sub("", bare, count=1) if _LEAD.match(bare) else bare, number_cell)
    if yuan is None:
        return refused(_why_not(bare, number_cell))
    if not spelled:
        yuan *= 10 ** header_power(unit)
    return _checked(yuan, allow_zero, number_cell)


def header_power(unit: str | None) -> int:
    """The power of ten of a header's unit: 万元 and 万 are 4, 元 and None 0. Raises KeyError on another."""
    return POWERS[packed(unit or "").upper().removeprefix("人民币").removesuffix("元")]


def _yuan_of(bare: str, number_cell: bool) -> tuple[Fraction | None, bool]:
    """The amount in yuan, and whether the cell itself said its unit."""
    simple = _SIMPLE.fullmatch(bare)
    if simple is not None:
        number = decimal_of(simple[1], grouped=True, scientific=number_cell)
        power = POWERS[(simple[2] or "").upper()]
        said = bool(simple[2] or simple[3] or bare[-1] in "整正")
        return (None if number is None else number * 10**power), said
    if _CHAIN.fullmatch(bare):
        return _chained(bare), True
    capital = _CAPITAL.fullmatch(bare)
    if capital is None:
        return None, False
    whole, jiao, fen = (whole_of(part) if part else 0 for part in capital.groups())
    if whole is None or jiao is None or fen is None or jiao > 9 or fen > 9:
        return None, False
    said = any(c in bare for c in "元圆圓块整正万萬亿億")
    return whole + Fraction(10 * jiao + fen, 100), said


def _chained(bare: str) -> Fraction | None:
    """1亿2000万, 20万5000元, 12元5角: every part with its unit, units falling, no part reaching the last."""
    total, ceiling = Fraction(0), None
    for digits, word in _LINK.findall(bare):
        scale = Fraction(*_BELOW_YUAN[word]) if word in _BELOW_YUAN else Fraction(10 ** POWERS[word.upper()])
        number = decimal_of(digits, grouped=True)
        if number is None or (ceiling is not None and number * scale >= ceiling):
            return None
        if ceiling is not None and scale >= ceiling:
            return None
        total, ceiling = total + number * scale, scale
    return total


def _why_not(bare: str, number_cell: bool) -> str:
    if _OTHER_CURRENCY.search(bare):
        return "amount-currency"
    if not number_cell and _SCIENTIFIC.fullmatch(bare):
        return "digits-lost"
    if _DATE.fullmatch(bare):
        return "amount-unreadable"
    if _RANGE.search(bare):
        return "amount-range"
    if _NEGATIVE.fullmatch(_LEAD.sub("", bare, count=1)):
        return "amount-negative"
    return "amount-unreadable"


def _checked(yuan: Fraction, allow_zero: bool, number_cell: bool) -> Reading[int]:
    exact = yuan * 100
    fen = round(exact)
    if fen != exact and not (number_cell and abs(exact - fen) <= _NOISE * 100):
        return refused("amount-decimals")
    if fen > LIMIT_FEN:
        return refused("amount-too-large", limit=f"{LIMIT_FEN // 100:,}")
    if fen == 0 and not allow_zero:
        return refused("amount-zero")
    return Reading(fen)
