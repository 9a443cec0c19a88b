"""The unified social credit code of an organisation (统一社会信用代码), GB 32100 (DOMAIN.md 1.6)."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from loanhub.identifiers.digits import SCIENTIFIC, bare_number
from loanhub.readings import LONGEST, Reading, refused

# No I O S V Z. The organisation code inside has its own check digit, GB 11714.
USCC_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
USCC_WEIGHTS: Final = tuple(pow(3, i, 31) for i in range(17))
ORGANISATION_WEIGHTS: Final = (3, 7, 9, 10, 5, 8, 4, 2)


@frozen
class CompanyCode:
    """The parts of a unified social credit code; `org_code` is written with its dash, MA0ABCD1-X."""

    registering_dept: str
    entity_class: str
    area: str
    org_code: str


def read_uscc(text: str) -> Reading[str]:
    """A unified social credit code (统一社会信用代码), upper case.

    A wrong check digit of the organisation code inside it is only the warning `uscc-organisation`.
    """
    bare = bare_number(text).replace("-", "")
    if not bare:
        return refused("cell-empty")
    if SCIENTIFIC.fullmatch(bare):
        return refused("digits-lost")
    if len(bare) == 15 and bare.isascii() and bare.isdigit():
        return refused("uscc-registration-number")
    if len(bare) != 18:
        return refused("uscc-length", length=min(len(bare), LONGEST))
    if any(c not in USCC_ALPHABET for c in bare) or not bare[2:8].isdigit():
        return refused("uscc-format")
    if bare[17] != uscc_check_digit(bare[:17]):
        return refused("uscc-checksum")
    mismatch = bare[16] != organisation_check_digit(bare[8:16])
    return Reading(bare, None, "uscc-organisation" if mismatch else None)


def uscc_check_digit(first17: str) -> str:
    """The 18th character of a code."""
    total = sum(USCC_ALPHABET.index(c) * w for c, w in zip(first17, USCC_WEIGHTS, strict=True))
    return USCC_ALPHABET[(31 - total % 31) % 31]


def organisation_check_digit(first8: str) -> str:
    """The ninth character of an organisation code (GB 11714), whose letters count A 10 to Z 35."""
    total = sum(int(c, 36) * w for c, w in zip(first8, ORGANISATION_WEIGHTS, strict=True))
    return "0X987654321"[total % 11]


def company_parts(code: str) -> CompanyCode:
    """The parts of a valid code."""
    return CompanyCode(code[0], code[1], code[2:8], f"{code[8:16]}-{code[16]}")
