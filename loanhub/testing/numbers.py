"""Invented numbers that pass their own checks and never repeat: identity numbers, mobiles, cards, firm codes.

Each is a function of the person's running number, mixed so that neighbours look unrelated. Area codes end
in 9999, which was never given out, so that no identity number can be a real person's.
"""

from __future__ import annotations

from datetime import date
from math import gcd
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from loanhub.identifiers import organisation_check_digit, uscc_check_digit

Ints = NDArray[np.int64]

_PROVINCES: Final = tuple(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64".split()
)
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = tuple("10X98765432")
# Sequences ending in 00 could make a number ending in 000, which reads with a warning of its own.
_SEQUENCES: Final = tuple(s for s in range(1, 1000) if s % 100)
# A prime number of birthdays, so that (province and sequence, birthday) repeats only after 386 million.
BIRTHDAYS: Final = 13_007
_PEOPLE: Final = len(_SEQUENCES) * 30 * BIRTHDAYS
_FIRM_SIGNS: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def mixed(index: Ints, seed: int, size: int) -> Ints:
    """A permutation of 0 ... size-1, by seed, at the given places (up to 10**9 of them)."""
    step = int(size * 0.618)
    while gcd(step, size) != 1:
        step += 1
    return (index * step + seed % size) % size


def resident_ids(index: Ints, seed: int, latest_birth: date) -> tuple[list[str], list[date], list[str]]:
    """Identity numbers with their birth dates (35 years back from `latest_birth`) and genders M or F."""
    place = mixed(index, seed * 7_919 + 1, _PEOPLE)
    last_day = np.datetime64(latest_birth, "D")
    births = last_day - (place % BIRTHDAYS)
    sequence = np.array(_SEQUENCES)[(place // 30) % len(_SEQUENCES)]
    provinces = np.array(_PROVINCES)[place % 30]
    spelled = [str(b).replace("-", "") for b in births.tolist()]
    stems = [f"{p}9999{b}{s:03d}" for p, b, s in zip(provinces, spelled, sequence.tolist(), strict=True)]
    genders = ["M" if s % 2 else "F" for s in sequence.tolist()]
    return with_checks(stems), births.tolist(), genders


def with_checks(stems: list[str]) -> list[str]:
    """17 digits each, completed by the check character of GB 11643."""
    if not stems:
        return []
    digits = (
        np.frombuffer("".join(stems).encode("ascii"), dtype=np.uint8).reshape(-1, 17).astype(np.int64) - 48
    )
    checks = (digits @ np.array(_WEIGHTS)) % 11
    return [stem + _CHECKS[check] for stem, check in zip(stems, checks.tolist(), strict=True)]


def mobiles(index: Ints, seed: int, lane: int = 0) -> list[str]:
    """Mobile numbers 13... to 19...; different `lane`s (0 to 3) never meet."""
    place = mixed(index, seed * 31, 1_750_000_000)
    return [str(n) for n in (13_000_000_000 + 4 * place + lane).tolist()]


def cards(index: Ints, seed: int) -> list[str]:
    """Cards of 19 digits that begin with 62000000, with their Luhn digit."""
    place = mixed(index, seed * 17, 10**10)
    body = [f"62000000{n:010d}" for n in place.tolist()]
    if not body:
        return []
    digits = (
        np.frombuffer("".join(body).encode("ascii"), dtype=np.uint8).reshape(-1, 18).astype(np.int64) - 48
    )
    doubled = digits[:, 1::2] * 2
    total = (doubled // 10 + doubled % 10).sum(axis=1) + digits[:, 0::2].sum(axis=1)
    return [b + str(check) for b, check in zip(body, ((10 - total % 10) % 10).tolist(), strict=True)]


def firm_code(place: int, seed: int, sole_trader: bool) -> str:
    """A unified social credit code: class 91 for a company, 92 for a sole trader."""
    number, signs = (place * 104_729 + seed) % 31**6, ""
    for _ in range(6):
        number, sign = divmod(number, 31)
        signs += _FIRM_SIGNS[sign]
    organisation = f"MA{signs}"
    area = f"{_PROVINCES[place % 30]}9999"
    stem = f"9{2 if sole_trader else 1}{area}{organisation}{organisation_check_digit(organisation)}"
    return stem + uscc_check_digit(stem)


def picked(rng: np.random.Generator, words: tuple[str, ...], count: int, weights: Any = None) -> list[str]:
    """`count` of the words, drawn with replacement."""
    chances = None if weights is None else np.asarray(weights) / np.sum(weights)
    return np.array(words, dtype=object)[rng.choice(len(words), size=count, p=chances)].tolist()  # type: ignore[no-any-return]
