"""The common form of each kind of value, read by column expressions; null where only one value tells.

The column is `cell`, trimmed text. Each must give what the one-value function gives, or null: the property
test in tests/unit/test_readings_columns.py compares them. Integers wrap silently in polars, so digits are
capped before anything is multiplied.
"""

from __future__ import annotations

from datetime import date
from functools import reduce
from operator import add
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from loanhub.identifiers.companies import (
    ORGANISATION_WEIGHTS,
    USCC_ALPHABET,
    USCC_WEIGHTS,
)
from loanhub.identifiers.people import ID_CHECKS, ID_WEIGHTS, PROVINCES
from loanhub.readings.amounts import LIMIT_FEN, POWERS
from loanhub.readings.dates import EARLIEST, LATEST

_HAN: Final = "\u4e00-\u9fff"
_AMOUNT: Final = r"^[¥￥]?([0-9]{1,3}(?:,[0-9]{3}){1,3}|[0-9]{1,13})(?:\.([0-9]{1,8}))?(万元|万|元)?$"
_LONGEST_CARD: Final = 19
Signs = npt.NDArray[Any]


def amounts(cells: pl.Series, header_power: int, *, allow_zero: bool) -> pl.Series:
    """Fen of 200000, 1,200,000.00, 20万元; what is finer than a fen is left to the other path."""
    parts = cells.str.extract_groups(_AMOUNT).struct
    frame = pl.DataFrame(
        {
            "whole": parts.field("1").str.replace_all(",", "", literal=True).cast(pl.Int64, strict=False),
            "fraction": parts.field("2").fill_null("").str.pad_end(8, "0").cast(pl.Int64, strict=False),
            "power": _powers(parts.field("3"), header_power),
        }
    )
    # The fraction counts 1e-8 of the unit. Its product with a large scale would not fit 64 bits: divide
    # where the scale is below 1e8, multiply by the small excess where it is above.
    frame = frame.with_columns(scale=pl.lit(10, pl.Int64).pow(pl.col("power") + 2)).with_columns(
        below=pl.max_horizontal(pl.lit(1, pl.Int64), 10**8 // pl.col("scale")),
        above=pl.max_horizontal(pl.lit(1, pl.Int64), pl.col("scale") // 10**8),
    )
    whole, scale = pl.col("whole"), pl.col("scale")
    exact = (whole <= LIMIT_FEN // scale) & (pl.col("fraction") % pl.col("below") == 0)
    fen = whole * scale + pl.col("fraction") // pl.col("below") * pl.col("above")
    frame = frame.select(fen=pl.when(exact).then(fen))
    kept = (pl.col("fen") <= LIMIT_FEN) & (pl.lit(allow_zero) | (pl.col("fen") > 0))
    return frame.select(pl.when(kept).then("fen")).to_series()


def _powers(units: pl.Series, header_power: int) -> pl.Series:
    """Each cell's power of ten, from its own unit or the header's."""
    said = {unit: POWERS[unit.removesuffix("元")] for unit in ("元", "万", "万元")}
    return units.replace_strict(said, default=None, return_dtype=pl.UInt32).fill_null(header_power)


def dates() -> pl.Expr:
    """ISO days, with or without midnight behind them."""
    day = (
        pl.col("cell")
        .str.extract(r"^([0-9]{4}-[0-9]{2}-[0-9]{2})(?: 00:00:00)?$")
        .str.to_date("%Y-%m-%d", strict=False)
    )
    return pl.when(day.is_between(EARLIEST, LATEST)).then(day)


def resident_ids(cells: pl.Series, today: date | None) -> pl.Series:
    """Whole and right numbers of 18 characters, except those ending in 000, which carry a warning."""
    number = pl.col("cell").str.to_uppercase()
    shaped = pl.col("cell").str.contains(r"^[0-9]{17}[0-9Xx]$") & ~pl.col("cell").str.ends_with("000")
    birth = number.str.slice(6, 8).str.to_date("%Y%m%d", strict=False)
    place = number.str.starts_with("9") | number.str.slice(0, 2).is_in(sorted(PROVINCES))
    born = birth.is_not_null() if today is None else birth <= today
    frame = cells.alias("cell").to_frame().select(number, likely=shaped & place & born)
    signs = _signs(frame["cell"].filter(frame["likely"]), 18)
    total = reduce(add, (_values(signs[:, i]) * weight for i, weight in enumerate(ID_WEIGHTS)))
    checks = np.frombuffer(ID_CHECKS.encode(), np.uint8)[total % 11]
    return _kept(frame, checks == signs[:, 17])


def usccs() -> pl.Expr:
    """Codes whose own check digit and that of the organisation code inside are right."""
    code = pl.col("cell").str.to_uppercase()
    shaped = code.str.contains(rf"^[{USCC_ALPHABET}]{{2}}[0-9]{{6}}[{USCC_ALPHABET}]{{10}}$")
    values = {c: i for i, c in enumerate(USCC_ALPHABET)}
    letters = {c: int(c, 36) for c in USCC_ALPHABET}
    total = reduce(add, (_mapped(code, i, values) * w for i, w in enumerate(USCC_WEIGHTS)))
    inner = reduce(add, (_mapped(code, 8 + i, letters) * w for i, w in enumerate(ORGANISATION_WEIGHTS)))
    right = ((31 - total % 31) % 31) == _mapped(code, 17, values)
    inside = (inner % 11).replace_strict(dict(enumerate("0X987654321")), default=None, return_dtype=pl.String)
    return pl.when(shaped & right & (inside == code.str.slice(16, 1))).then(code)


def mobiles() -> pl.Expr:
    """Eleven digits and nothing else."""
    return pl.when(pl.col("cell").str.contains(r"^1[3-9][0-9]{9}$")).then(pl.col("cell"))


def cards(cells: pl.Series) -> pl.Series:
    """13 to 19 digits with a right Luhn check; zeros in front change nothing, so all are made 19 long."""
    frame = pl.DataFrame({"cell": cells, "likely": cells.str.contains(r"^[0-9]{13,19}$")})
    signs = _signs(frame["cell"].filter(frame["likely"]).str.pad_start(_LONGEST_CARD, "0"), _LONGEST_CARD)
    doubled = np.array([sum(divmod(2 * i, 10)) for i in range(10)])
    places = (_values(signs[:, i]) for i in range(_LONGEST_CARD))
    total = reduce(add, (doubled[digit] if i % 2 else digit for i, digit in enumerate(places)))
    return _kept(frame, total % 10 == 0)


def _signs(texts: pl.Series, width: int) -> Signs:
    """ASCII texts of one width as a table of bytes, a row each."""
    return np.frombuffer("".join(texts.to_list()).encode(), np.uint8).reshape(-1, width)


def _values(signs: Signs) -> Signs:
    """What digits stand for."""
    return signs.astype(np.int32) - ord("0")


def _kept(frame: pl.DataFrame, right: Signs) -> pl.Series:
    """The likely cells that are right."""
    kept = frame["likely"].fill_null(value=False).to_numpy(writable=True)
    kept[kept] = right
    return frame.select(pl.when(pl.lit(pl.Series(kept))).then("cell")).to_series()


def texts(least: int, most: int) -> pl.Expr:
    """Plain Chinese and ASCII that the tidy form does not change."""
    plain = pl.col("cell").str.contains(rf"^[{_HAN}0-9A-Za-z][{_HAN}0-9A-Za-z _.,:/()+-]*$")
    return pl.when(plain & pl.col("cell").str.len_chars().is_between(least, most)).then(pl.col("cell"))


def names() -> pl.Expr:
    """Two to fifty Chinese characters."""
    return pl.when(pl.col("cell").str.contains(rf"^[{_HAN}]{{2,50}}$")).then(pl.col("cell"))


def _mapped(text: pl.Expr, at: int, values: dict[str, int]) -> pl.Expr:
    return text.str.slice(at, 1).replace_strict(values, default=None, return_dtype=pl.Int16)
