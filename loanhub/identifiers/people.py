"""The resident identity number (公民身份号码), GB 11643: read, checked, and what it says.

Format, check digit, real date and two-digit province (DOMAIN.md 1.5): no county list, nothing corrected.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final, Literal

from loanhub.identifiers.digits import SCIENTIFIC, bare_number
from loanhub.readings import LONGEST, Reading, refused

Gender = Literal["M", "F"]

# 81-83 are residence permits of people from Hong Kong, Macao and Taiwan; a first digit 9 is the
# foreigner's permanent residence card.
PROVINCES: Final = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46".split()
    + "50 51 52 53 54 61 62 63 64 65 71 81 82 83".split()
)
ID_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_CHECKS: Final = "10X98765432"


def read_resident_id(text: str, *, today: date | None = None) -> Reading[str]:
    """An 18-character resident identity number, upper case.

    A 15-digit one (void since 2013) is upgraded with the warning `id-legacy`. Births after `today` are
    refused.
    """
    bare = bare_number(text)
    if not bare:
        return refused("cell-empty")
    if SCIENTIFIC.fullmatch(bare):
        return refused("digits-lost")
    if len(bare) == 15 and bare.isascii() and bare.isdigit():
        upgraded = upgraded_id(bare)
        problem = _id_problem(upgraded, today)
        return refused(problem) if problem else Reading(upgraded, None, "id-legacy")
    if len(bare) != 18:
        return refused("id-length", length=min(len(bare), LONGEST))
    if not re.fullmatch(r"\d{17}[\dX]", bare, re.ASCII):
        return refused("id-format")
    problem = _id_problem(bare, today)
    if problem:
        return refused(problem)
    return Reading(bare, None, "id-zeros" if bare.endswith("000") else None)


def _id_problem(number: str, today: date | None) -> str | None:
    if number[0] != "9" and number[:2] not in PROVINCES:
        return "id-province"
    try:
        birth = birth_of(number)
    except ValueError:
        return "id-date"
    if today is not None and birth > today:
        return "id-date"
    if number[17] != id_check_digit(number[:17]):
        return "id-checksum-zeros" if number.endswith("000") else "id-checksum"
    return None


def id_check_digit(first17: str) -> str:
    """The check character of 17 digits, ISO 7064 MOD 11-2."""
    return ID_CHECKS[sum(int(c) * w for c, w in zip(first17, ID_WEIGHTS, strict=True)) % 11]


def upgraded_id(legacy: str) -> str:
    """The 18-character form of a 15-digit number: century 19 put in, check digit added."""
    first17 = f"{legacy[:6]}19{legacy[6:]}"
    return first17 + id_check_digit(first17)


def birth_of(number: str) -> date:
    """The date of birth in an 18-character number. Raises ValueError on an impossible date."""
    return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))


def gender_of(number: str) -> Gender:
    """M when the 17th digit is odd, else F."""
    return "M" if int(number[16]) % 2 else "F"


def province_of(number: str) -> str:
    """The two-digit province code."""
    return number[:2]
