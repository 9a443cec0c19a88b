"""Texts, names of people and companies, and whole numbers such as ages, due days and counts."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from loanhub.money import divided
from loanhub.readings import Reading, packed, refused, tidy
from loanhub.readings.numerals import decimal_of

NAME_LEAST: Final = 2
NAME_MOST: Final = 50
_HAN: Final = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_BETWEEN_HAN = re.compile(rf"(?<=[{_HAN}·])\s+(?=[{_HAN}·])")
_DOTS: Final = str.maketrans(dict.fromkeys("•‧∙⋅・･᛫˙", "·"))
_HAN_DOT = re.compile(rf"(?<=[{_HAN}])\s*[.·]\s*(?=[{_HAN}])")
_PERSON = re.compile(rf"[{_HAN}]+(?:·[{_HAN}]+)*|[A-Z][A-Z .,'·-]*", re.IGNORECASE)


def read_text(text: str, *, least: int = 1, most: int = 2000) -> Reading[str]:
    """Text trimmed, in its compatibility form, without control characters; lengths in characters."""
    clean = "".join(c for c in tidy(text) if c in "\n\t" or unicodedata.category(c) not in {"Cc", "Cs", "Co"})
    if not clean:
        return refused("cell-empty")
    if len(clean) < least:
        return refused("text-too-short", limit=least)
    return refused("text-too-long", limit=most) if len(clean) > most else Reading(clean)


def read_name(text: str, *, company: bool | None = None) -> Reading[str]:
    """A name; spaces between Chinese characters are dropped, the dot of a long name becomes ·.

    `company` False also holds a person's name to Chinese characters and · or Latin letters.
    """
    plain = read_text(text.translate(_DOTS).replace("\u00b7", "·"), least=NAME_LEAST, most=NAME_MOST)
    if plain.value is None:
        renamed = {"text-too-short": "name-length", "text-too-long": "name-length"}
        code = plain.problem or ""
        return refused(renamed.get(code, code), least=NAME_LEAST, most=NAME_MOST)
    name = _BETWEEN_HAN.sub("", " ".join(plain.value.split()))
    if company is not True:
        name = _HAN_DOT.sub("·", name)
    if len(name) < NAME_LEAST:
        return refused("name-length", least=NAME_LEAST, most=NAME_MOST)
    if company is False and not _PERSON.fullmatch(
        unicodedata.normalize("NFD", name) if name.isascii() else _base(name)
    ):
        return refused("name-characters")
    return Reading(name)


def _base(name: str) -> str:
    """Latin letters without their accents, so that José and Müller count as Latin."""
    return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))


def read_whole(text: str, *, least: int = 0, most: int = 2**31) -> Reading[int]:
    """A whole number of at least `least` and at most `most`; 12.0 is 12, and so is 12次 or 12期."""
    bare = re.sub(r"[个次期天日号岁人月笔%分]+$", "", packed(text))
    if not packed(text):
        return refused("cell-empty")
    sign = -1 if bare.startswith("-") else 1
    number = decimal_of(bare.removeprefix("-"), grouped=True, scientific=True)
    if number is None or number.denominator != 1:
        return refused("number-unreadable")
    value = sign * number.numerator
    return (
        Reading(value) if least <= value <= most else refused("number-out-of-range", least=least, most=most)
    )


def read_ratio(text: str, *, header_unit: Literal["%"] | None = None, most: int = 10) -> Reading[Decimal]:
    """A share such as a debt-to-income ratio, as a fraction (0.35) with eight places, at most `most`.

    Without a sign in the cell or the header, up to 1 is a fraction and from 3 on percent, with a warning;
    between them it is `ratio-ambiguous`.
    """
    bare = packed(text)
    if not bare:
        return refused("cell-empty")
    number = decimal_of(bare.removesuffix("%"), scientific=True)
    if number is None:
        return refused("number-unreadable")
    warning = None
    if bare.endswith("%") or header_unit == "%" or number >= 3:
        warning = None if bare.endswith("%") or header_unit == "%" else "ratio-no-unit"
        number /= 100
    elif number > 1:
        return refused("ratio-ambiguous")
    if number > most:
        return refused("number-out-of-range", least=0, most=most)
    return Reading(_eight_places(number), None, warning)


def _eight_places(number: Fraction) -> Decimal:
    return Decimal(divided(number.numerator * 10**8, number.denominator)).scaleb(-8)
