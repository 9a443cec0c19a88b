"""Long numbers in cells: spaces, a stray .0, and digits that Excel has lost."""

from __future__ import annotations

import re

from loanhub.readings import packed

_NUMERIC_TAIL = re.compile(r"(\d{1,15})\.0+", re.ASCII)
SCIENTIFIC = re.compile(r"[\d.,]+E[+-]?\d+|\d{16,}\.0+", re.ASCII | re.IGNORECASE)
"""The text of a number that no longer has all its digits, whatever the kind of its cell."""


def lost_digits(text: str) -> bool:
    """Whether a numeric cell with this text has lost digits: 16 or more of them, or scientific notation.

    Excel keeps 15 digits and writes zeros for the rest; the caller knows that the cell was a number.
    """
    bare = packed(text).lstrip("+-")
    whole = bare.partition(".")[0].replace(",", "").lstrip("0")
    return bool(SCIENTIFIC.fullmatch(bare)) or (len(whole) >= 16 and whole.isdigit())


def bare_number(text: str) -> str:
    """Without spaces and without the .0 that a number cell saved as text carries; letters upper case."""
    bare = packed(text).upper()
    tail = _NUMERIC_TAIL.fullmatch(bare)
    return tail[1] if tail else bare
