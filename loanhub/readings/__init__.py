"""What a cell typed by a person says: a value, or the code of what is wrong with it, never a guess.

One function a kind of value (`read_amount`, `read_date`, ...) takes the text of one cell; `columns` reads a
million cells to the same answers. Codes are messages of `config/messages/readings.toml`; their facts never
hold the cell's value. A warning comes with a value, a problem without one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, Generic, TypeVar

from attrs import field, frozen

T = TypeVar("T")

# Marks that come with copied text and are never part of a value: zero-width characters, direction marks,
# the byte order mark, soft hyphens.
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DASHES: Final = str.maketrans(dict.fromkeys("‐‑‒–—―−﹣", "-"))

# Longer than any amount, rate, term, date or identifier; such a cell is not looked at further.
LONGEST: Final = 80


@frozen
class Reading(Generic[T]):
    """One cell as read. `ok` when there is a value; a warning may stand beside it."""

    value: T | None = field(default=None, repr=False)
    problem: str | None = None
    warning: str | None = None
    facts: Mapping[str, object] = field(factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        return self.problem is None


def refused(problem: str, /, **facts: object) -> Reading[T]:
    """A reading without value."""
    return Reading(None, problem, None, facts)


def tidy(text: str) -> str:
    """The text in its compatibility form (full width to ASCII), trimmed, without invisible marks.

    A leading apostrophe, Excel's mark for "this is text", goes as well.
    """
    shown = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).strip()
    return shown[1:].strip() if shown[:1] in {"'", "\u2018", "\u2019"} else shown


def packed(text: str) -> str:
    """`tidy` without any inner white space, all dashes as '-'."""
    return "".join(tidy(text).split()).translate(_DASHES)
