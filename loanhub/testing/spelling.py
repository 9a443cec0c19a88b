"""One value the many ways people type it: 20万, 贰拾万元整, 月息8厘, 一年期, 2026.1.5, 138 0000 0000.

Every spelling here must be read back to the value it came from (DOMAIN.md 1.5 to 1.8).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from attrs import field, frozen

from loanhub.fields import FieldType
from loanhub.readings.choices import shipped_choices, shipped_document
from loanhub.testing.columns import known_fields
from loanhub.texts import Lang

T = FieldType
_FULL_WIDTH: Final = {ord(c): ord(c) + 0xFEE0 for c in "0123456789.X"}
_CAPITALS: Final = "零壹贰叁肆伍陆柒捌玖"
_ENGLISH_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_SERIAL_ZERO: Final = date(1899, 12, 30)
_TERMS_ZH: Final = {
    6: "半年",
    12: "一年期",
    18: "一年半",
    24: "两年",
    30: "两年半",
    36: "三年期",
    60: "5年",
    120: "十年",
}


@frozen
class Cell:
    """What stands in one cell. `look` is how it is formatted: general, text, date or percent.

    `error` is an error value such as #N/A; `formula` a formula whose result was never stored.
    """

    value: Any = field(default=None, repr=False)
    look: str = "general"
    error: str | None = None
    formula: bool = False


EMPTY: Final = Cell()


@frozen
class Heading:
    """A column of an untidy sheet: its field, its header, and the unit the header names (万元, %, 月)."""

    path: str
    text: str
    unit: str | None = None


def spell(heading: Heading, row: dict[str, Any], lang: Lang, rng: np.random.Generator) -> Cell:
    """The cell of one row in one column, as somebody typed it."""
    value, about = row[heading.path], known_fields()[heading.path]
    if value is None:
        return EMPTY
    if about.type is T.MONEY:
        return _money(value, heading.unit, lang, rng)
    if about.type is T.RATE:
        return _rate(value, row.get("loan.spread_bp"), lang, rng)
    if about.type is T.RATIO:
        return Cell(value / 10**8, "percent")
    if about.type is T.TERM:
        return _term(value, lang, rng)
    if about.type is T.DATE:
        return _day(value, lang, rng)
    if about.type is T.INTEGER:
        return Cell(value)
    return Cell(_text(heading.path, str(value), lang, rng), "text")


def _one_of(rng: np.random.Generator, options: list[Cell]) -> Cell:
    return options[int(rng.integers(0, len(options)))]


def _money(fen: int, unit: str | None, lang: Lang, rng: np.random.Generator) -> Cell:
    """An amount. Under a header in 万元 a bare number counts ten thousands, so others name their unit."""
    yuan = f"{fen // 100:,}.{fen % 100:02d}"
    plain = f"{fen // 100}.{fen % 100:02d}".removesuffix(".00")
    if lang == "en":
        options = [Cell(fen / 100), Cell(fen / 100), Cell(yuan), Cell(f"CNY {yuan}"), Cell(f"RMB {plain}")]
        return _one_of(rng, options + [Cell(f"{fen // 100_000}K")] * (fen > 0 and fen % 100_000 == 0))
    named = [Cell(f"{plain}元"), Cell(f"{yuan}元")]
    if fen % 10_000 == 0 and fen:
        named += [Cell(f"{_trimmed(fen, 1_000_000)}万"), Cell(f"{_trimmed(fen, 1_000_000)}万元")]
    if fen % 100 == 0 and 0 < fen < 10**12:
        named.append(Cell(f"{capitals(fen // 100)}元整"))
    bare = [Cell(fen / 1_000_000)] if unit == "万元" else [Cell(fen / 100), Cell(yuan), Cell(f"￥{yuan}")]
    if unit != "万元":
        bare.append(Cell(plain.translate(_FULL_WIDTH)))
    return _one_of(rng, bare * 3 + named)


def _trimmed(amount: int, unit: int) -> str:
    """A quotient written without useless zeros: 20, 20.5."""
    return f"{amount // unit}.{amount % unit * 10**4 // unit:04d}".rstrip("0").rstrip(".")


def capitals(yuan: int) -> str:
    """A whole number below ten thousand million in capital numerals: 20500 is 贰万零伍佰."""
    above, below = divmod(yuan, 10_000)
    if above:
        gap = "零" if 0 < below < 1000 else ""
        return f"{capitals(above)}万{gap}{capitals(below) if below else ''}"
    text, zero = "", False
    for unit, word in ((1000, "仟"), (100, "佰"), (10, "拾"), (1, "")):
        digit = below // unit % 10
        if digit:
            text += ("零" if zero and text else "") + _CAPITALS[digit] + word
            zero = False
        else:
            zero = True
    return text


def _rate(units: int, spread_bp: int | None, lang: Lang, rng: np.random.Generator) -> Cell:
    """A yearly rate, always with its unit: from the header, the cell, or its percent format."""
    percent = _trimmed(units, 10**6)
    options = [Cell(f"{percent}%"), Cell(units / 10**8, "percent")]
    if lang == "en":
        return _one_of(rng, [*options, Cell(f"{percent}% p.a.")])
    options += [Cell(float(percent)), Cell(f"年利率{percent}%"), Cell(f"{percent}%".translate(_FULL_WIDTH))]
    if spread_bp is not None:
        sign = "+" if spread_bp >= 0 else "-"
        options += [Cell(f"LPR{sign}{abs(spread_bp)}BP"), Cell(f"LPR{sign}{abs(spread_bp)}基点")] * 2
    elif units % 120_000 == 0:
        # 1 厘 a month is 1 ‰ a month, 1.2 % a year; up to one decimal here.
        options += [Cell(f"月息{_trimmed(units, 1_200_000)}厘"), Cell(f"月利率{_trimmed(units, 1_200_000)}‰")]
    return _one_of(rng, options)


def is_floating(cell: Cell) -> bool:
    """Whether a rate was typed as LPR plus a spread."""
    return isinstance(cell.value, str) and "LPR" in cell.value


def _term(months: int, lang: Lang, rng: np.random.Generator) -> Cell:
    """A term in months; bare numbers are months by the header."""
    years = [Cell(f"{months // 12}Y")] * (months % 12 == 0)
    if lang == "en":
        return _one_of(rng, [Cell(months), Cell(f"{months} months"), Cell(f"{months}M"), *years])
    return _one_of(
        rng, [Cell(months), Cell(f"{months}个月"), Cell(f"{months}M"), Cell(_TERMS_ZH[months]), *years]
    )


def _day(day: date, lang: Lang, rng: np.random.Generator) -> Cell:
    serial = Cell((day - _SERIAL_ZERO) // timedelta(days=1), "date")
    plain = [serial, serial, Cell(day.isoformat()), Cell(f"{day.year}/{day.month}/{day.day}")]
    if lang == "en":
        month = _ENGLISH_MONTHS[day.month - 1]
        return _one_of(
            rng, [*plain, Cell(f"{day.day} {month} {day.year}"), Cell(f"{month} {day.day}, {day.year}")]
        )
    spelled = [Cell(f"{day.year}.{day.month}.{day.day}"), Cell(f"{day.year}年{day.month}月{day.day}日")]
    return _one_of(
        rng, [*plain, *spelled, Cell(f"{day:%Y%m%d}"), Cell(int(f"{day:%Y%m%d}")), Cell(serial.value)]
    )


def _text(path: str, text: str, lang: Lang, rng: np.random.Generator) -> str:
    """Names, numbers and words, with the stray spaces and widths they get on their way."""
    about = known_fields()[path]
    if about.choices:
        return _choice(about.choices, text, lang, rng)
    options = [text] * 4
    if about.type is T.NAME and len(text) == 2:
        options += [f"{text[0]} {text[1]}", f"{text[0]}　{text[1]}"]
    elif about.type is T.RESIDENT_ID:
        options += [
            f"{text[:6]} {text[6:14]} {text[14:]}",
            text.translate(_FULL_WIDTH),
            f"'{text}",
            text.lower(),
        ]
    elif about.type is T.MOBILE:
        options += [f"{text[:3]} {text[3:7]} {text[7:]}", f"{text[:3]}-{text[3:7]}-{text[7:]}"]
        options += [f"+86{text}", f"{text}.0", text.translate(_FULL_WIDTH)]
    elif about.type is T.CARD:
        options.append(" ".join(text[i : i + 4] for i in range(0, len(text), 4)))
    elif about.type in {T.NAME, T.TEXT}:
        options.append(f" {text} ")
    return options[int(rng.integers(0, len(options)))]


def _choice(name: str, value: str, lang: Lang, rng: np.random.Generator) -> str:
    """A word of config/choices.toml for a value; the label is the likeliest."""
    aliases: list[str] = shipped_document()[name][value]["aliases"]
    spoken = [a for a in aliases if a.isascii() == (lang == "en")]
    options = [shipped_choices()[name].label(value, lang)] * 3 + spoken
    return options[int(rng.integers(0, len(options)))]
