"""Pages of stored values as cells: the text that stands in the file, and whether it is a number there.

Numbers are exact decimal text made from whole fen and units of 1e-8; nothing passes through a float but
moments, which Excel counts in days.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl
from attrs import frozen

from loanhub.fields import FieldType
from loanhub.readings.choices import ChoiceList
from loanhub.records import MOMENT
from loanhub.services.sheets.columns import Column
from loanhub.texts import Lang

T = FieldType

FIRST_DAY: Final = 25_569
"""Excel's number of 1 January 1970."""
SURE_FROM: Final = 61
"""Excel has a 29 February 1900: numbers of days before 1 March are not told apart, so those are texts."""
UNITS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "zh": (("day", "天"), ("period", "期")),
    "en": (("day", " days"), ("period", " periods")),
}
"""What stands behind a term that is not in months."""


@frozen
class Cells:
    """One column of a block: `texts` null where empty; `numbers`: all, none, or those marked."""

    texts: pl.Series
    numbers: bool | pl.Series = False


@frozen
class Painter:
    """Makes cells for one reader: in a workbook dates and percents are numbers, in csv they are texts."""

    lang: Lang
    zone: ZoneInfo
    choices: Mapping[str, ChoiceList]
    workbook: bool

    def cells(self, page: pl.DataFrame, columns: Sequence[Column]) -> list[Cells]:
        """The cells of a page, a `Cells` a column."""
        return [self._cells(page, column) for column in columns]

    def _cells(self, page: pl.DataFrame, column: Column) -> Cells:
        values, kind = page[column.path], column.about.type
        if column.about.choices is not None:
            return Cells(self._choice(page, column))
        if kind is T.YES_NO:
            labels = self.choices["yes_no"]
            words = {True: labels.label("yes", self.lang), False: labels.label("no", self.lang)}
            return Cells(values.replace_strict(words, default=None, return_dtype=pl.String))
        if kind is T.MONEY:
            return Cells(decimal(values, 2), numbers=True)
        if kind in (T.RATE, T.RATIO):
            return self._rate(page, values, column.path)
        if kind is T.DATE:
            return self._days(values)
        if kind is T.TIME:
            return self._moments(values)
        if kind is T.TERM:
            return self._term(page, values)
        return Cells(values.cast(pl.String), numbers=kind is T.INTEGER)

    def _choice(self, page: pl.DataFrame, column: Column) -> pl.Series:
        known = self.choices[str(column.about.choices)]
        labels = {value: known.label(value, self.lang) for value in known.values}
        shown = page[column.path].replace(labels)
        own = f"#{column.about.name}_text"
        return page.select(pl.coalesce(shown, own)).to_series() if own in page.columns else shown

    def _rate(self, page: pl.DataFrame, values: pl.Series, path: str) -> Cells:
        if self.workbook:
            texts = decimal(values, 8)
        else:
            texts = decimal(values, 6).str.strip_chars_end("0").str.strip_chars_end(".") + "%"
        if path != "loan.rate":
            return Cells(texts, numbers=self.workbook)
        spread = pl.col("#spread_bp")
        floating = page.select(
            pl.when((pl.col("#rate_type") == "floating") & pl.lit(values).is_null()).then(
                pl.concat_str(
                    pl.lit("LPR"),
                    pl.format("({})", "#lpr_tenor").fill_null(""),
                    pl.when(spread > 0)
                    .then(pl.format("+{}BP", spread))
                    .when(spread < 0)
                    .then(pl.format("{}BP", spread))
                    .otherwise(pl.lit("")),
                )
            )
        ).to_series()
        fixed = floating.is_null()
        return Cells(texts.zip_with(fixed, floating), numbers=fixed if self.workbook else False)

    def _days(self, values: pl.Series) -> Cells:
        iso = values.dt.to_string("%Y-%m-%d")
        if not self.workbook:
            return Cells(iso)
        serial = values.cast(pl.Int32) + FIRST_DAY
        sure = (serial >= SURE_FROM).fill_null(value=False)
        return Cells(serial.cast(pl.String).zip_with(sure, iso), numbers=sure)

    def _moments(self, values: pl.Series) -> Cells:
        utc = values.str.to_datetime(MOMENT.replace("%S.%f", "%S%.f"), time_unit="us", strict=False)
        local = (
            utc.dt.replace_time_zone("UTC").dt.convert_time_zone(str(self.zone)).dt.replace_time_zone(None)
        )
        if not self.workbook:
            return Cells(local.dt.to_string("%Y-%m-%d %H:%M:%S"))
        seconds = local.dt.epoch("s")
        days = seconds // 86_400 + FIRST_DAY
        rest = (seconds % 86_400).cast(pl.Float64) / 86_400
        fraction = (rest * 10**10).round().cast(pl.Int64)
        return Cells(decimal(days * 10**10 + fraction, 10), numbers=True)

    def _term(self, page: pl.DataFrame, values: pl.Series) -> Cells:
        texts = values.cast(pl.String)
        if "#term_unit" not in page.columns:
            return Cells(texts, numbers=True)
        unit = page["#term_unit"].fill_null("month")
        for name, word in UNITS[self.lang]:
            texts = (texts + word).zip_with(unit == name, texts)
        return Cells(texts, numbers=~unit.is_in([name for name, _ in UNITS[self.lang]]))


def decimal(values: pl.Series, places: int) -> pl.Series:
    """Whole numbers of 10^-places as exact decimal text: 1234 with 2 places is 12.34."""
    size = 10**places
    whole, rest = values.abs() // size, values.abs() % size
    sign = pl.select(pl.when(pl.lit(values) < 0).then(pl.lit("-")).otherwise(pl.lit(""))).to_series()
    text: pl.Series = sign + whole.cast(pl.String) + "." + rest.cast(pl.String).str.zfill(places)
    return text
