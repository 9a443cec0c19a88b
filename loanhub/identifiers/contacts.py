"""Phones, e-mail and WeChat of a person, and the bank card (DOMAIN.md 1.1)."""

from __future__ import annotations

import re
from typing import Final

from loanhub.identifiers.digits import SCIENTIFIC, bare_number
from loanhub.readings import LONGEST, Reading, packed, refused, tidy

CARD_LENGTHS: Final = range(13, 20)

_MOBILE = re.compile(r"1[3-9]\d{9}", re.ASCII)
_LANDLINE = re.compile(r"(0\d{2,3})-?(\d{7,8})(?:(?:-|转|X|EXT\.?)(\d{1,6}))?", re.ASCII)
_EMAIL = re.compile(
    r"[!#-'*+/-9=?A-Z^-~.-]{1,64}@[^\s@.,;:()<>\[\]\"\\]+(?:\.[^\s@.,;:()<>\[\]\"\\]+)+", re.ASCII
)
_WECHAT = re.compile(r"[A-Za-z][A-Za-z0-9_-]{5,19}", re.ASCII)


def read_mobile(text: str) -> Reading[str]:
    """A mainland mobile number as 11 digits; +86, spaces and dashes are dropped."""
    bare = bare_number(text)
    if not bare:
        return refused("cell-empty")
    if SCIENTIFIC.fullmatch(bare):
        return refused("digits-lost")
    digits = re.sub(r"^(?:\+|00)?86(?=1\d{10}$)", "", re.sub(r"[-()]", "", bare))
    if _MOBILE.fullmatch(digits):
        return Reading(digits)
    return refused("mobile-length" if digits.isdigit() and len(digits) != 11 else "mobile-format")


def read_landline(text: str) -> Reading[str]:
    """A landline as area-number, with -extension when there is one: 010-88881234."""
    bare = packed(text).upper()
    if not bare:
        return refused("cell-empty")
    bare = re.sub(r"^(?:\+|00)86-?0?", "0", bare)
    bare = re.sub(r"^\((0\d{2,3})\)-?", r"\1-", bare)
    area, dash, rest = bare.partition("-")
    if not (dash and re.fullmatch(r"0\d{2,3}", area)):
        # Two-digit areas are 10 and 20-29; all others have three.
        cut = 3 if bare[:2] in {"01", "02"} else 4
        bare = f"{bare[:cut]}-{bare[cut:]}"
    elif re.fullmatch(r"\d{3,4}-\d{4}", rest):
        bare = f"{area}-{rest.replace('-', '', 1)}"
    found = _LANDLINE.fullmatch(bare)
    if found is None:
        return refused("landline-format")
    return Reading("-".join(part for part in found.groups() if part))


def read_phone(text: str) -> Reading[str]:
    """A mobile or a landline: what a second phone may be."""
    mobile = read_mobile(text)
    if mobile.ok or mobile.problem in {"cell-empty", "digits-lost"}:
        return mobile
    landline = read_landline(text)
    return landline if landline.ok else refused("phone-format")


def read_card(text: str) -> Reading[str]:
    """A bank card or account of 13 to 19 digits; a failed Luhn check is the warning `card-luhn`."""
    bare = bare_number(text).replace("-", "")
    if not bare:
        return refused("cell-empty")
    if SCIENTIFIC.fullmatch(bare):
        return refused("digits-lost")
    if not (bare.isascii() and bare.isdigit()):
        return refused("card-format")
    if len(bare) not in CARD_LENGTHS:
        return refused("card-length", length=min(len(bare), LONGEST))
    return Reading(bare, None, None if luhn(bare) else "card-luhn")


def luhn(digits: str) -> bool:
    """Whether the last digit is the Luhn check of the others."""
    doubled = sum(sum(divmod(2 * int(c), 10)) for c in digits[-2::-2])
    return (doubled + sum(int(c) for c in digits[-1::-2])) % 10 == 0


def read_email(text: str) -> Reading[str]:
    """An e-mail address with an ASCII local part and a dotted domain, at most 254 characters."""
    bare = tidy(text)
    if not bare:
        return refused("cell-empty")
    local, _, domain = bare.partition("@")
    if len(bare) > 254 or not _EMAIL.fullmatch(bare) or ".." in local or local[0] == "." or local[-1] == ".":
        return refused("email-format")
    return Reading(f"{local}@{domain.lower()}")


def read_wechat(text: str) -> Reading[str]:
    """A WeChat id: 6 to 20 characters, a letter first, then letters, digits, _ and -."""
    bare = packed(text)
    if not bare:
        return refused("cell-empty")
    return Reading(bare) if _WECHAT.fullmatch(bare) else refused("wechat-format")
