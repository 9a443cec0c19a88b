"""Who and what each row is about, within a file: keys of people, loans and rows.

A person is the same by ID number, by 统一社会信用代码, or by name and mobile together; never by name alone.
A row key names the row from one revision of a sheet to the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

import numpy as np
import polars as pl

ROW_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "loans": ("#loan_key",),
    "receipts": (
        "#loan_key",
        "receipt.paid_date",
        "receipt.paid_amount",
        "instalment.number",
        "receipt.number",
    ),
    "credit": ("#person", "credit.report_date"),
    "followups": ("#person", "follow_up.time", "follow_up.content"),
    "collateral": ("#loan_key", "collateral.name"),
    "customers": ("#person",),
}
"""What tells one row from another, by the first subject of the sheet."""


def _column(values: pl.DataFrame, path: str) -> pl.Expr:
    return pl.col(path).cast(pl.String) if path in values.columns else pl.lit(None, pl.String)


def marks(values: pl.DataFrame, subject: str) -> pl.DataFrame:
    """What identifies each row as far as the row itself says; `identify` then sees all rows of a sheet.

    `row`, `#strong` (ID or code), `#both` (name and mobile), `#own` (customer number), `#name`, `#loan_key`,
    and `#rest`: what else tells two rows of the sheet apart; `#record` where rows of an export name one.
    """
    name = _column(values, "customer.name")
    strong = pl.coalesce(
        pl.lit("I:") + _column(values, "customer.id_number").str.to_uppercase(),
        pl.lit("U:") + _column(values, "customer.uscc"),
    )
    both = pl.lit("N:") + name.str.to_lowercase() + pl.lit("|") + _column(values, "customer.mobile")
    loan = pl.coalesce(
        pl.lit("L:") + _column(values, "loan.loan_no"), pl.lit("C:") + _column(values, "loan.contract_no")
    )
    rest = [pl.lit("|") + _column(values, path).fill_null("") for path in _others(values, subject)]
    return values.select(
        "row",
        strong.alias("#strong"),
        both.alias("#both"),
        (pl.lit("K:") + _column(values, "customer.customer_no")).alias("#own"),
        name.alias("#name"),
        loan.alias("#loan_key"),
        (pl.concat_str(rest) if rest else pl.lit("")).alias("#rest"),
        *(["#record"] if "#record" in values.columns else []),
    )


def identify(marks: pl.DataFrame, subject: str, number: int) -> pl.DataFrame:
    """The marks of a whole sheet as `row`, `#person`, `#weak` (a person known by name only), `#both`,
    `#loan_key` and `#key`, with `#record` where it was there.

    `number` is the sheet's place in the file; rows that nothing else names are named by it and their row.
    """
    here = pl.format("R:{}:{}", pl.lit(number), pl.col("row"))
    people = _joined(marks).with_columns(pl.coalesce("#joined", "#own").alias("#person"))
    named = pl.lit("M:") + pl.col("#name") + pl.lit("|") + pl.coalesce("#loan_key", here)
    people = people.with_columns(
        pl.col("#person").is_null().alias("#weak"), pl.coalesce("#person", named).alias("#person")
    )
    main = {"#loan_key": pl.coalesce("#loan_key", "#person") if subject == "loans" else pl.col("#loan_key")}
    first = ROW_KEYS[subject][0]
    key = pl.coalesce(main.get(first, pl.col(first)) + pl.col("#rest"), here)
    if "#record" in people.columns:  # a row of our own export is named by the record it says it is
        key = pl.coalesce(pl.lit("@") + pl.col("#record"), key)
    return people.with_columns(key.alias("#key")).drop("#joined", "#strong", "#own", "#name", "#rest")


def _joined(values: pl.DataFrame) -> pl.DataFrame:
    """People by ID or code; a row with name and mobile only belongs to the one ID that shows both."""
    pairs = values.select("#strong", "#both").drop_nulls()
    weak = values.filter(pl.col("#strong").is_null() & pl.col("#both").is_not_null())["#both"]
    one = (
        pairs.filter(pl.col("#both").is_in(weak.implode()))
        .group_by("#both")
        .agg(pl.col("#strong").n_unique().alias("n"), pl.col("#strong").first().alias("#through"))
        .filter(pl.col("n") == 1)
        .drop("n")
    )
    joined = values.join(one, on="#both", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("#strong", "#through", "#both").alias("#joined")).drop("#through")


def _others(values: pl.DataFrame, subject: str) -> list[str]:
    """The field paths that tell rows of a sheet apart besides the first of their key."""
    return [path for path in ROW_KEYS[subject][1:] if path in values.columns]


def numbered(keys: pl.DataFrame) -> pl.DataFrame:
    """Receipts and other rows that may rightly stand twice get the number of their occurrence in the key."""
    again = pl.col("#key").cum_count().over("#key")
    if "#record" in keys.columns:
        again = pl.when(pl.col("#record").is_null()).then(again).otherwise(1)
    return keys.with_columns(
        pl.when(again > 1).then(pl.format("{}#{}", "#key", again)).otherwise(pl.col("#key")).alias("#key")
    )


def repeated(keys: pl.DataFrame, parts: Iterable[pl.DataFrame]) -> tuple[pl.Series, pl.Series]:
    """Rows whose key stood before in the file: those that say the same again, and those that contradict.

    `parts` are the values of the same rows, in order.
    """
    again = ~keys["#key"].is_first_distinct().alias("again")
    if not again.any():
        return again, again
    twice = keys.filter(pl.col("#key").is_in(keys["#key"].filter(again).implode())).select("row", "#key")
    values = pl.concat([part.join(twice, on="row", maintain_order="left") for part in parts])
    stated = [c for c in values.columns if not c.startswith("#") and c != "row"]
    firsts = values.unique("#key", keep="first").select("#key", *stated)
    joined = values.join(firsts, on="#key", how="left", suffix="#first", maintain_order="left")
    differs = pl.any_horizontal(
        [pl.col(c).ne_missing(pl.col(f"{c}#first")) & pl.col(c).is_not_null() for c in stated]
    )
    rows = joined.filter(differs)["row"]
    other = keys["row"].is_in(rows.implode())
    return again & ~other, again & other


def hashed(keys: pl.Series) -> pl.Series:
    """Row keys as whole numbers, the same on every machine."""
    digests = b"".join([blake2b(key.encode(), digest_size=8).digest() for key in keys.to_list()])
    return pl.Series("key", (np.frombuffer(digests, ">u8") >> 1).astype(np.int64))
