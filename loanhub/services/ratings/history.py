"""Overdue history out of what sheets say of it: a status string, 连三累六 in words, or plain counts.

A status string has a character a month, the newest last: `N` normal, `*` nothing due, `/` not open, `1` to
`7` months behind, `C` settled, `G` ended otherwise, `D` guarantor paid, `Z` debt swap, `#` unknown; the last
24 months count (DOMAIN.md section 5).
"""

from __future__ import annotations

from typing import Final

import polars as pl

HISTORY: Final = ("overdue_months", "consecutive_overdue_months", "worst_status", "bad_ending")

MONTHS: Final = 24
_DIGITS: Final = {w: str(n) for n, w in enumerate("零一二三四五六七八九")} | {"两": "2", "＊": "*"}
_CLEAN: Final = r"^(无|没有|无逾期|从未逾期|从无逾期|没有逾期|正常|良好|NONE|NO|CLEAN|NEVER|0)[。.]?$"
_STRING: Final = r"[N*/1-7CGDZ#]{12,60}"
_WORDS: Final = r"连(?:续)?(\d+).?累(?:计)?(\d+)"


def overdue_history(credit: pl.DataFrame) -> pl.DataFrame:
    """`credit` (overdue_record, overdue_count, max_overdue) with the columns of HISTORY.

    Months overdue and longest run within 24 months, the worst status (1 to 7), and whether an account
    ended badly (G, D, Z); null where the sheet does not tell. `max_overdue` comes as days or as periods:
    above 7 it can only be days, 1 is status 1 either way, and what lies between is not guessed at.
    """
    text = pl.col("overdue_record").str.strip_chars().str.to_uppercase()
    string = text.str.extract(f"({_STRING})")
    string = pl.when(string.str.contains(r"[N*C]")).then(string.str.tail(MONTHS))
    words = text.str.replace_many(list(_DIGITS), list(_DIGITS.values()))
    clean = pl.when(text.str.contains(_CLEAN)).then(0)
    frame = credit.with_columns(string.alias("_string"), words.alias("_words"), clean.alias("_clean"))
    frame = frame.with_columns(_total().alias(HISTORY[0]), _run().alias(HISTORY[1]))
    frame = frame.with_columns(
        _worst().alias(HISTORY[2]), pl.col("_string").str.contains("[GDZ]").alias(HISTORY[3])
    )
    return frame.drop("_string", "_words", "_clean")


def _total() -> pl.Expr:
    counted = pl.col("_string").str.count_matches("[1-7]").cast(pl.Int64)
    said = pl.col("_words").str.extract(_WORDS, 2).cast(pl.Int64, strict=False)
    return pl.coalesce(counted, said, "overdue_count", "_clean")


def _run() -> pl.Expr:
    runs = pl.col("_string").str.extract_all("[1-7]+").list.eval(pl.element().str.len_chars())
    longest = pl.when(pl.col("_string").is_not_null()).then(runs.list.max().fill_null(0))
    said = pl.col("_words").str.extract(_WORDS, 1).cast(pl.Int64, strict=False)
    none = pl.when(pl.col("overdue_count") == 0).then(0)
    return pl.coalesce(longest.cast(pl.Int64), said, "_clean", none)


def _worst() -> pl.Expr:
    marks = pl.col("_string").str.extract_all("[1-7]").list.eval(pl.element().cast(pl.Int64))
    seen = pl.when(pl.col("_string").is_not_null()).then(marks.list.max().fill_null(0))
    longest = pl.col("max_overdue")
    months = pl.when((longest < 2) | (longest > 7)).then(((longest + 29) // 30).clip(upper_bound=7))
    none = pl.when(pl.col(HISTORY[0]) == 0).then(0)
    run = pl.when(pl.col(HISTORY[1]) > 0).then(HISTORY[1]).clip(upper_bound=7)
    return pl.coalesce(seen, none, run, months)
