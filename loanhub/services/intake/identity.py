"""Who and what each row is about, within a file: keys of people, loans and rows.

A person is the same by ID number, by 统一社会信用代码, or by name and mobile together; never by name alone.
A row key names the row from one revision of a sheet to the next.
"""

from __future__ import annotations

import hashlib
from typing import Final

import polars as pl

from loanhub.services.intake.subjects import subjects_of

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


def identify(values: pl.DataFrame, subject: str, number: int) -> pl.DataFrame:
    """The values with `#person`, `#weak` (a person known by name only), `#loan_key` and `#key` added.

    `number` is the sheet's place in the file; rows that nothing else names are named by it and their row.
    """
    name = _column(values, "customer.name")
    mobile = _column(values, "customer.mobile")
    strong = pl.coalesce(
        pl.lit("I:") + _column(values, "customer.id_number").str.to_uppercase(),
        pl.lit("U:") + _column(values, "customer.uscc"),
    )
    both = pl.lit("N:") + name.str.to_lowercase() + pl.lit("|") + mobile
    own = pl.lit("K:") + _column(values, "customer.customer_no")
    loan = pl.coalesce(
        pl.lit("L:") + _column(values, "loan.loan_no"), pl.lit("C:") + _column(values, "loan.contract_no")
    )
    here = pl.format("R:{}:{}", pl.lit(number), pl.col("row"))
    values = values.with_columns(strong.alias("#strong"), both.alias("#both"), loan.alias("#loan_key"))
    people = _joined(values).with_columns(pl.coalesce("#joined", own).alias("#person"))
    people = people.with_columns(
        pl.col("#person").is_null().alias("#weak"),
        pl.coalesce("#person", pl.lit("M:") + name + pl.lit("|") + pl.coalesce("#loan_key", here)).alias(
            "#person"
        ),
    ).drop("#joined", "#strong")
    key = _row_key(people, subject, here)
    if "#record" in people.columns:  # a row of our own export is named by the record it says it is
        key = pl.coalesce(pl.lit("@") + pl.col("#record"), key)
    return people.with_columns(key.alias("#key"))


def _joined(values: pl.DataFrame) -> pl.DataFrame:
    """People by ID or code; a row with name and mobile only belongs to the one ID that shows both."""
    pairs = values.filter(pl.col("#strong").is_not_null() & pl.col("#both").is_not_null())
    one = (
        pairs.group_by("#both")
        .agg(pl.col("#strong").n_unique().alias("n"), pl.col("#strong").first().alias("#through"))
        .filter(pl.col("n") == 1)
        .drop("n")
    )
    joined = values.join(one, on="#both", how="left", maintain_order="left")
    return joined.with_columns(pl.coalesce("#strong", "#through", "#both").alias("#joined")).drop("#through")


def _row_key(values: pl.DataFrame, subject: str, here: pl.Expr) -> pl.Expr:
    first = subject if subject in ROW_KEYS else (subjects_of(values.columns) or ["customers"])[0]
    parts = [p for p in ROW_KEYS[first] if p in values.columns]
    main = pl.col(parts[0])
    if first == "loans":
        main = pl.coalesce("#loan_key", "#person")
    rest = [pl.lit("|") + pl.col(p).cast(pl.String).fill_null("") for p in parts[1:]]
    key = pl.concat_str([main, *rest]) if rest else main
    return pl.coalesce(key, here)


def numbered(values: pl.DataFrame) -> pl.DataFrame:
    """Receipts and other rows that may rightly stand twice get the number of their occurrence in the key."""
    again = pl.col("#key").cum_count().over("#key")
    if "#record" in values.columns:
        again = pl.when(pl.col("#record").is_null()).then(again).otherwise(1)
    return values.with_columns(
        pl.when(again > 1).then(pl.format("{}#{}", "#key", again)).otherwise(pl.col("#key")).alias("#key")
    )


def repeated(values: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Rows whose key stood before in the file: those that say the same again, and those that contradict."""
    stated = [c for c in values.columns if not c.startswith("#") and c != "row"]
    again = ~values["#key"].is_first_distinct().alias("again")
    if not again.any():
        return again, again
    firsts = values.unique("#key", keep="first").select("#key", *stated)
    joined = values.join(firsts, on="#key", how="left", suffix="#first", maintain_order="left")
    differs = pl.any_horizontal(
        [pl.col(c).ne_missing(pl.col(f"{c}#first")) & pl.col(c).is_not_null() for c in stated]
    )
    other = joined.select(differs.alias("differs")).to_series()
    return again & ~other, again & other


def hashed(keys: pl.Series) -> pl.Series:
    """Row keys as whole numbers, the same on every machine."""
    return pl.Series(
        "key",
        [int.from_bytes(hashlib.blake2b(k.encode(), digest_size=8).digest()[:8]) >> 1 for k in keys],
        dtype=pl.Int64,
    )
