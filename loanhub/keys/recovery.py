"""The printed recovery key: 160 random bits as nine groups, in which a slip of the pen is found and named.

docs/keys.md section 3 is the format.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

from loanhub.errors import Usage
from loanhub.keys.secret import Secret

RECOVERY_BYTES: Final = 20
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
GROUPS: Final = 9
GROUP: Final = 5
SYMBOLS: Final = GROUPS * GROUP
_CHECK_BITS: Final = 20
_READ_AS: Final = str.maketrans("ILO", "110")
_BREAK: Final = re.compile(r"[\s\-\u2010-\u2015\u2212\u30fc_.]+")  # people and keyboards have many dashes


def new_recovery_key() -> Secret:
    """A new key; `.text()` is what gets printed."""
    return Secret(recovery_text(os.urandom(RECOVERY_BYTES)))


def recovery_text(key: bytes) -> str:
    """The 20 bytes as text to print."""
    number = (int.from_bytes(key, "big") << _CHECK_BITS) | _whole_check(key)
    symbols = [number >> (5 * at) & 31 for at in range(GROUPS * (GROUP - 1) - 1, -1, -1)]
    groups = [symbols[at : at + GROUP - 1] for at in range(0, len(symbols), GROUP - 1)]
    return "-".join(
        "".join(ALPHABET[symbol] for symbol in (*group, _group_check(group, number)))
        for number, group in enumerate(groups, start=1)
    )


def read_recovery_text(text: str) -> bytes:
    """The 20 bytes of a recovery key as somebody typed it.

    Raises Usage `recovery-key-length` (symbols found), `recovery-key-mistyped` (group, counted from 1),
    `recovery-key-mistyped-somewhere`.
    """
    typed = _plain(text)
    if len(typed) != SYMBOLS:
        raise Usage("recovery-key-length", found=len(typed), expected=SYMBOLS)
    number = 0
    for group in range(1, GROUPS + 1):
        symbols = [ALPHABET.find(symbol) for symbol in typed[(group - 1) * GROUP : group * GROUP]]
        if -1 in symbols or _group_check(symbols[:-1], group) != symbols[-1]:
            raise Usage("recovery-key-mistyped", group=group)
        for symbol in symbols[:-1]:
            number = number << 5 | symbol
    key = (number >> _CHECK_BITS).to_bytes(RECOVERY_BYTES, "big")
    if _whole_check(key) != number & (1 << _CHECK_BITS) - 1:
        raise Usage("recovery-key-mistyped-somewhere")
    return key


def looks_like_recovery_key(text: str) -> bool:
    """Whether somebody meant a recovery key, rightly typed or not.

    True for about 45 letters and digits, in one piece or mostly in fives. There is always a digit in a real
    one (but for one in twenty million), so a passphrase of words is not taken for one.
    """
    pieces = [piece for piece in _BREAK.split(unicodedata.normalize("NFKC", text)) if piece]
    symbols = "".join(pieces)
    if not symbols.isascii() or not symbols.isalnum() or abs(len(symbols) - SYMBOLS) > GROUP + 1:
        return False
    if not any(symbol.isdigit() for symbol in symbols):
        return False
    return len(pieces) == 1 or sum(len(piece) == GROUP for piece in pieces) >= GROUPS - 3


def _plain(text: str) -> str:
    return _BREAK.sub("", unicodedata.normalize("NFKC", text)).upper().translate(_READ_AS)


def _whole_check(key: bytes) -> int:
    return int.from_bytes(hashlib.sha256(b"loanhub recovery key 1" + key).digest()[:3], "big") >> 4


def _group_check(symbols: Sequence[int], group: int) -> int:
    """Sum over GF(32) of symbol times 2, 4, 8, 16, plus the group's number."""
    check = group
    for power, symbol in enumerate(symbols, start=1):
        for _ in range(power):
            symbol <<= 1
            if symbol & 32:
                symbol ^= 0b100101
        check ^= symbol
    return check
