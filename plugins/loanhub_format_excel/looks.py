"""Number formats: what a stored number means to the person who sees the cell.

`look_of` reads a format code ("0.00%", 'yyyy"年"m"月"d"日"', '0"期"') into a Look; `show` turns a stored
number under a Look into the text and kind of the cell.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

from attrs import frozen

from loanhub import CellKind

Cell = tuple[str | None, CellKind]

NO_CELL: Final[Cell] = (None, CellKind.EMPTY)
LAST_SERIAL: Final = 2_958_466  # the day after 9999-12-31, counted from 1900
NOT_A_DAY: Final = 60  # 29 February 1900, which Excel shows and no calendar has

DATES: Final = frozenset(
    [*range(14, 18), 22, *range(27, 32), 36, *range(50, 55), 57, 58, *range(71, 75), *range(77, 82)]
)
TIMES: Final = frozenset([*range(18, 22), *range(32, 36), 45, 47, 55, 56, 75, 76])
PERCENTS: Final = frozenset([9, 10, 67, 68])
ELAPSED: Final = 46


@frozen(cache_hash=True)
class Look:
    """How a stored number is shown: as which kind, with which unit, padded to how many digits."""

    kind: CellKind = CellKind.NUMBER
    prefix: str = ""
    suffix: str = ""
    width: int = 0
    elapsed: bool = False

    @property
    def plain(self) -> bool:
        """Whether the number is shown as it is, apart from rounding and separators."""
        return self == PLAIN


PLAIN: Final = Look()


def builtin_look(number: int) -> Look:
    """The look of a format whose code is not in the file; 27 to 36 and 50 to 58 are Chinese dates."""
    if number in DATES:
        return Look(CellKind.DATE)
    if number in TIMES or number == ELAPSED:
        return Look(CellKind.TIME, elapsed=number == ELAPSED)
    if number in PERCENTS:
        return Look(CellKind.PERCENT)
    return PLAIN


# -- reading a format code -------------------------------------------------------------------------

_TOKEN: Final = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|!(?P<bang>.)|[_*](?P<space>.)|\[(?P<bracket>[^\]]*)\]?'
    r"|(?P<general>General|G/通用格式)|(?P<science>E[+-]0*)|(?P<noon>上午/下午|AM/PM|A/P)|(?P<char>.)",
    re.IGNORECASE | re.DOTALL,
)
_MONEY: Final = re.compile(r"[￥¥$€£₩]|(?:RMB|CNY|USD|HKD|人民币|HK\$|US\$)", re.IGNORECASE)
_UNIT: Final = re.compile(r"[^\W\d_]|[%‰￥¥$€£°]")
LONGEST_UNIT: Final = 6


@frozen
class _Part:
    """One token: the literal text it shows, or the sign (digit, date letter, ...) it is."""

    text: str = ""
    sign: str = ""


@lru_cache(maxsize=4096)
def look_of(code: str) -> Look:
    """The look of a format code. What it does not understand is shown plainly."""
    if len(code) > 1000:
        return PLAIN
    sections = [[_part(token) for token in _TOKEN.finditer(section)] for section in _sections(code)]
    first = sections[0]
    signs = "".join(part.sign for part in first)
    if set(signs) & set("ymdhsegabt"):
        return _moment(signs)
    if "%" in signs:
        return Look(CellKind.PERCENT)
    looks = {_number_look(section) for section in sections[:2] if any(part.sign for part in section)}
    return looks.pop() if len(looks) == 1 else PLAIN


def _sections(code: str) -> list[str]:
    sections, start, quoted = [], 0, False
    for at, char in enumerate(code):
        if char == '"' and (at == 0 or code[at - 1] not in "\\!"):
            quoted = not quoted
        elif char == ";" and not quoted and (at == 0 or code[at - 1] not in "\\!_*"):
            sections.append(code[start:at])
            start = at + 1
    return [*sections, code[start:]]


def _part(token: re.Match[str]) -> _Part:
    kind, text = token.lastgroup, token.group(token.lastgroup or 0)
    if kind in ("quoted", "escaped", "bang"):
        return _Part(text=text)
    if kind == "bracket":
        if text.startswith("$"):
            return _Part(text=text[1:].split("-")[0])
        if text.lower().strip("hms") == "" and text:
            return _Part(sign="H" + text[0].lower())
        return _Part(sign="?" if text[:1] in "<>=" and text else "")
    if kind == "general":
        return _Part(sign="#")
    if kind == "noon":
        return _Part(sign="h")
    if kind != "char":
        return _Part(sign="E" if kind == "science" else "")
    if text.lower() in "ymdhsegabt":
        return _Part(sign=text.lower())
    return _Part(sign=text) if text in "0#?%.,/@" else _Part(text=text)


def _moment(signs: str) -> Look:
    if "H" in signs:
        return Look(CellKind.TIME, elapsed=True)
    day = set(signs) & set("ydegb") or (set(signs) & set("ma") and not set(signs) & set("hs"))
    return Look(CellKind.DATE if day else CellKind.TIME)


def _number_look(section: list[_Part]) -> Look:
    """Unit and padding of one section; a scaled number (`0!.0,"万"`) is shown as stored, without the unit."""
    digits = [at for at, part in enumerate(section) if part.sign in ("0", "#", "?")]
    signs = "".join(part.sign for part in section)
    if not digits or "E" in signs or "/" in signs or re.search(r"[<>=?]", signs.replace("??", "")):
        return PLAIN
    inside = section[digits[0] : digits[-1] + 1]
    whole = signs.lstrip("@").split(".")[0]
    width = len(whole) if whole and set(whole) == {"0"} and len(whole) > 1 else 0
    scaled = any(part.sign == "," for part in section[digits[-1] + 1 :])
    if scaled or any(part.text.strip() for part in inside):
        return Look(width=width) if not scaled and "." not in _texts(inside) else PLAIN
    return Look(
        prefix=_money(_texts(section[: digits[0]])),
        suffix=_unit(_texts(section[digits[-1] + 1 :])),
        width=width,
    )


def _texts(parts: list[_Part]) -> str:
    return "".join(part.text for part in parts).strip()


def _money(text: str) -> str:
    found = _MONEY.search(text)
    return found.group() if found else ""


def _unit(text: str) -> str:
    text = text.strip(" ()-")
    return text if len(text) <= LONGEST_UNIT and _UNIT.search(text) else ""


# -- showing a number ------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 16)
def show(stored: str, look: Look, from_1904: bool) -> Cell:
    """The text and kind of a stored number under a look."""
    text, kind = plain_number(stored)
    if look.plain or kind is not CellKind.NUMBER or text is None:
        return text, kind
    if look.kind is CellKind.PERCENT:
        return f"{_shift(text)}%", CellKind.PERCENT
    if look.kind in (CellKind.DATE, CellKind.TIME):
        return _show_moment(text, look, from_1904)
    if "E" in text.upper():
        return text, kind
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, point, rest = digits.partition(".")
    return f"{sign}{look.prefix}{whole.zfill(look.width)}{point}{rest}{look.suffix}", CellKind.NUMBER


def plain_number(stored: str) -> Cell:
    """The plain decimal text of a stored number: "2E5" is "200000", "4.9000000000000002E-2" is "0.049".

    From 1e15 on (16 digits and more, as of an identity or card number typed as a number) and below
    1e-20 the stored text is kept. What is not a finite number is an ERROR cell.
    """
    stored = stored.strip()
    if not stored:
        return NO_CELL
    try:
        value = float(stored)
    except ValueError:
        return stored, CellKind.ERROR
    if "_" in stored or value - value != 0:  # the difference of an infinity or a NaN is a NaN
        return stored, CellKind.ERROR
    if abs(value) >= 1e15 or 0 < abs(value) < 1e-20:
        return stored, CellKind.NUMBER
    return _without_tail(format(Decimal(repr(value)), "f")), CellKind.NUMBER


def _without_tail(text: str) -> str:
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _shift(text: str) -> str:
    return _without_tail(format(Decimal(text).scaleb(2), "f"))


def _show_moment(text: str, look: Look, from_1904: bool) -> Cell:
    """A date or a time of day; a number no calendar reaches stays a number."""
    serial = Decimal(text)
    seconds = int((serial * 86_400).to_integral_value()) if abs(serial) < LAST_SERIAL else -1
    if look.elapsed and seconds >= 0:
        return _clock(seconds), CellKind.TIME
    if serial < 1 and seconds == 86_400:  # half a second before midnight is not the next day
        seconds -= 1
    days, rest = divmod(seconds, 86_400)
    if seconds < 0 or (serial == 0 and look.kind is CellKind.DATE and not from_1904):
        return text, CellKind.NUMBER
    if days == 0 and (rest or look.kind is CellKind.TIME) and not (from_1904 and look.kind is CellKind.DATE):
        return _clock(rest), CellKind.TIME
    day = _day(days, from_1904)
    if day is None:
        return text, CellKind.NUMBER
    return (f"{day} {_clock(rest)}" if rest else day), CellKind.DATE


def _day(days: int, from_1904: bool) -> str | None:
    if from_1904:
        days += 1462
    if days == NOT_A_DAY:
        return "1900-02-29"
    try:
        return (date(1899, 12, 30 if days > NOT_A_DAY else 31) + timedelta(days)).isoformat()
    except OverflowError:
        return None


def _clock(seconds: int) -> str:
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour:02}:{minute:02}:{second:02}"
