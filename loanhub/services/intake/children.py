"""What hangs on people and loans: relations, credit records, follow-ups, instalments, receipts, collateral.

Each is found again by its own natural key (a receipt by loan, day and amount; an instalment by its number),
else made. Follow-ups are append-only: one that says otherwise corrects the old one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from loanhub.records import Columns, Query, Test, plain_schema, to_record
from loanhub.services.intake.compare import Verdict, compare, extra_changes, own_fields
from loanhub.services.intake.exported import ID, KIND

if TYPE_CHECKING:
    from loanhub.services.intake.land import Landing

NATURAL: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "instalment": ("loan_id", ("number", "due_date")),
    "receipt": ("loan_id", ("paid_date", "paid_amount", "number")),
    "collateral": ("loan_id", ("name",)),
    "credit": ("customer_id", ("report_date",)),
    "follow_up": ("customer_id", ("time", "content")),
}
"""Owner and natural key of each kind."""

RELATIONS: Final = ("spouse", "guarantor", "controller", "contact", "related")


def land(landing: Landing) -> None:
    """All the children of a chunk's rows."""
    for kind, (owner, natural) in NATURAL.items():
        parent = "#loan" if owner == "loan_id" else "#customer"
        fields = landing.of_kind(kind)
        if kind == "receipt" and "instalment.number" in landing.paths and "number" not in fields:
            fields["number"] = "instalment.number"
        if not fields or parent not in landing.rows.columns or _only_totals(landing, kind):
            continue
        _land_kind(landing, kind, parent, owner, natural, fields)
    _relations(landing)


def _only_totals(landing: Landing, kind: str) -> bool:
    """A ledger's paid sums without a day are facts of the loan, not receipts."""
    return kind == "receipt" and "receipt.paid_date" not in landing.paths


def _land_kind(
    landing: Landing, kind: str, parent: str, owner: str, natural: tuple[str, ...], fields: dict[str, str]
) -> None:
    stated = pl.any_horizontal(
        [pl.col(p).is_not_null() for n, p in fields.items() if n != "number"] or [pl.lit(False)]
    )
    rows = landing.rows.filter(stated & pl.col(parent).is_not_null())
    values = [pl.col(parent).alias(owner), *(pl.col(p).alias(n) for n, p in fields.items())]
    if KIND in rows.columns:
        mine = (pl.col(KIND) == kind).fill_null(value=False)
        own = landing.rows.filter(mine).select("row", *values, pl.col(ID).alias("id"))
        if own.height:
            _meet(landing, kind, own, fields)
        rows = rows.filter(~mine)
    if kind == "receipt":
        rows = rows.filter(pl.col("receipt.paid_date").is_not_null())
    if rows.is_empty():
        return
    rows = rows.select("row", *values, *_custom(landing, kind))
    key = [owner, *(n for n in natural if n in rows.columns)]
    rows = rows.with_columns(pl.int_range(pl.len()).over(key).alias("#nth"))
    known = _known(landing, kind, owner, key, rows)
    met = rows.join(known, on=[*key, "#nth"], how="left", nulls_equal=True, maintain_order="left")
    new = met.filter(pl.col("id").is_null())
    if new.height:
        _make(landing, kind, new.drop("id"))
    if met.height > new.height:
        _meet(landing, kind, met.filter(pl.col("id").is_not_null()), fields)


def _custom(landing: Landing, kind: str) -> list[pl.Expr]:
    """The institution's own fields of new records as the JSON of `extra`."""
    own = own_fields(landing.books.dictionary, kind, landing.paths)
    if not own or "extra" not in plain_schema(kind):
        return []
    values = [pl.col(path).alias(name) for name, path in sorted(own.items())]
    return [pl.struct(values).struct.json_encode().alias("extra")]


def _known(landing: Landing, kind: str, owner: str, key: list[str], rows: pl.DataFrame) -> pl.DataFrame:
    """Ids of records with the same natural key, numbered where it stands more than once."""
    made = set(landing.made_loans.values()) if owner == "loan_id" else set(landing.made_people.values())
    owners = [i for i in rows[owner].unique().to_list() if i not in made]
    shape: dict[str, Any] = {**{k: rows.schema[k] for k in key}, "id": pl.Int64, "#nth": pl.Int64}
    if not owners:
        return pl.DataFrame(schema=shape)
    found = landing.books.columns(Query(kind, (Test(owner, "in", owners),)))
    if found.is_empty():
        return pl.DataFrame(schema=shape)
    found = found.filter(~pl.col("id").is_in(list(landing.chunk.claimed.get(kind, ()))))
    days = [pl.col(c).dt.to_string("%Y-%m-%d") for c in key if found.schema[c] == pl.Date]
    found = found.with_columns(days).sort("id")
    return found.select(*key, "id", pl.int_range(pl.len()).over(key).alias("#nth"))


def _make(landing: Landing, kind: str, rows: pl.DataFrame) -> None:
    start = landing.books.allot(kind, rows.height)
    ids = pl.int_range(start, start + rows.height, eager=True)
    shape = plain_schema(kind)
    filled: dict[str, Any] = {
        "id": ids,
        "version": pl.lit(0, pl.Int64),
        "extra": pl.lit("{}"),
        "content": pl.lit(""),
    }
    columns = [
        (pl.col(n).cast(t) if n in rows.columns else filled.get(n, pl.lit(None, t))).alias(n)
        if n not in ("id", "version")
        else (ids if n == "id" else pl.lit(0, pl.Int64)).alias(n)
        for n, t in shape.items()
    ]
    landing.puts.append(Columns(kind, rows.select(columns)))
    landing.fresh.update(rows["row"].to_list())
    mine = dict(zip(rows["row"].to_list(), ids.to_list(), strict=True))
    column = pl.Series(f"#{kind}", [mine.get(r) for r in landing.rows["row"]], pl.Int64)
    landing.rows = landing.rows.with_columns(column)


def _meet(landing: Landing, kind: str, rows: pl.DataFrame, fields: dict[str, str]) -> None:
    ids = rows["id"].unique().to_list()
    records = {e.id: to_record(e) for e in landing.books.find(Query(kind, (Test("id", "in", ids),)))}
    before = landing.said_before()
    changed: list[dict[str, Any]] = []
    own = own_fields(landing.books.dictionary, kind, landing.paths)
    customs = {r["row"]: r for r in landing.rows.select("row", *own.values()).to_dicts()} if own else {}
    for row in rows.iter_rows(named=True):
        number, record = int(row["row"]), records[row["id"]]
        stated = {n: row[n] for n in fields}
        last = before.get(number)
        past = None if last is None else {n: last.get(p) for n, p in fields.items()}
        gone = {p.split(".", 1)[1] for p in landing.cleared(number) if p.startswith(f"{kind}.")}
        verdict = compare(record, stated, past, gone)
        if own:
            verdict = verdict.and_(extra_changes(record, customs[number], own, last, gone))
        for name in verdict.conflicts:
            lines = pl.DataFrame(
                {"row": [number], "code": ["conflict"]}, schema={"row": pl.UInt32, "code": pl.String}
            )
            landing.add(lines, fields.get(name) or own[name], "conflict")
        landing.verdicts[number] = landing.verdicts.get(number, Verdict()).and_(verdict)
        if verdict.changes:
            changed.append(_changed(landing, kind, record, verdict))
    if changed:
        landing.puts.append(Columns(kind, pl.DataFrame(changed, schema=plain_schema(kind))))


def _changed(landing: Landing, kind: str, record: dict[str, Any], verdict: Verdict) -> dict[str, Any]:
    """The record with its changes; of a follow-up a new one that corrects the old."""
    if kind != "follow_up":
        return {**record, **verdict.changes}
    new = landing.books.allot(kind)
    return {**record, **verdict.changes, "id": new, "version": 0, "corrects": record["id"]}


def _relations(landing: Landing) -> None:
    """Spouses, guarantors and others named in columns of a row: one relation a role and name."""
    if "#customer" not in landing.rows.columns:
        return
    found = []
    for role in RELATIONS:
        names, phones = f"relation.{role}_name", f"relation.{role}_phone"
        if names not in landing.paths:
            continue
        phone = pl.col(phones) if phones in landing.paths else pl.lit(None, pl.String)
        some = landing.rows.filter(pl.col(names).is_not_null() & pl.col("#customer").is_not_null())
        found.append(
            some.select(
                "row",
                pl.col("#customer").alias("customer_id"),
                pl.lit(role).alias("role"),
                pl.col(names).alias("name"),
                phone.alias("phone"),
            )
        )
    if not found:
        return
    rows = pl.concat(found).unique(["customer_id", "role", "name"], keep="first", maintain_order=True)
    owners = rows["customer_id"].unique().to_list()
    known = landing.books.columns(Query("relation", (Test("customer_id", "in", owners),)))
    new = rows.join(
        known.select("customer_id", "role", "name"), on=["customer_id", "role", "name"], how="anti"
    )
    if new.height:
        start = landing.books.allot("relation", new.height)
        shape = plain_schema("relation")
        base = new.with_columns(
            pl.int_range(start, start + new.height, eager=True).alias("id"),
            pl.lit(0, pl.Int64).alias("version"),
        )
        missing = [pl.lit(None, t).alias(n) for n, t in shape.items() if n not in base.columns]
        landing.puts.append(Columns("relation", base.with_columns(missing).select(list(shape))))
        landing.fresh.update(new["row"].to_list())
