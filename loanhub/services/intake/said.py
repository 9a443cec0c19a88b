"""What a source said: rows kept as compressed columns with what became of them, and found again.

A source is a drop folder (or `ingest`) with one kind of sheet. A packed chunk has `key` (the row's key as a
number), `row`, `sheet`, `outcome`, the ids of the records the row is about (`#customer`, `#loan`, ...) and a
column for every field path: what was stated now, else what was before.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

import polars as pl

from loanhub.entities import Batch, Statement
from loanhub.records import Cursor, Order, Query, Test, Where

if TYPE_CHECKING:
    from loanhub.acts import Books

OUTCOMES: Final = {"stored": 1, "changed": 2, "unchanged": 3, "conflicts": 4}
AT_ONCE: Final = 8
"""Statements read at once."""
PARTS: Final = ("customer", "relation", "loan", "instalment", "receipt", "credit", "follow_up", "collateral")


def packed(frame: pl.DataFrame) -> bytes:
    """A frame as compressed Arrow bytes."""
    target = io.BytesIO()
    frame.write_ipc(target, compression="zstd")
    return target.getvalue()


def pack(rows: pl.DataFrame, before: pl.DataFrame, sheet: int, cleared: pl.DataFrame) -> bytes:
    """Rows of a chunk as they are kept: what was said before stays said where a cell is empty now.

    `cleared` (row, field path) was taken back: to say it again is to say something new.
    """
    paths = [c for c in rows.columns if "." in c and not c.startswith("#")]
    ids = [f"#{kind}" for kind in PARTS if f"#{kind}" in rows.columns]
    frame = rows.select(
        pl.col("#hash").alias("key"),
        "row",
        pl.lit(sheet, pl.Int32).alias("sheet"),
        pl.col("#outcome").alias("outcome"),
        *ids,
        *paths,
    )
    if not before.is_empty():
        old = [c for c in before.columns if "." in c and not c.startswith("#")]
        joined = frame.join(
            before.select("key", *old, *_ids(before)),
            on="key",
            how="left",
            suffix="#old",
            maintain_order="left",
        )
        both = [c for c in [*paths, *ids] if f"{c}#old" in joined.columns]
        frame = joined.with_columns([pl.coalesce(c, f"{c}#old").alias(c) for c in both]).drop(
            [f"{c}#old" for c in both]
        )
    for path in cleared["field"].unique().to_list():
        gone = cleared.filter(pl.col("field") == path)["row"].implode()
        frame = frame.with_columns(pl.when(~pl.col("row").is_in(gone)).then(path).alias(path))
    return packed(frame)


def _ids(frame: pl.DataFrame) -> list[str]:
    return [c for c in frame.columns if c.startswith("#")]


def unpacked(data: bytes) -> pl.DataFrame:
    """The frame again."""
    return pl.read_ipc(io.BytesIO(data))


def statements(books: Books, batch: int) -> Iterator[Statement]:
    """The chunks of a batch in order."""
    return _in_turn(books, (Test("batch_id", "eq", batch),), Order("chunk"))


def _in_turn(books: Books, where: Where, order: Order) -> Iterator[Statement]:
    """Statements a few at a time: each holds thousands of rows."""
    after = None
    while True:
        q = Query(Statement.KIND, where, order=order, after=after, limit=AT_ONCE)
        page = [entity for entity in books.find(q) if isinstance(entity, Statement)]
        yield from page
        if len(page) < AT_ONCE:
            return
        after = Cursor(getattr(page[-1], order.field), page[-1].id)


def last_said(books: Books, source: str, keys: pl.Series, batch: int) -> pl.DataFrame:
    """What the source said last of the rows with these keys, in batches stored before this one."""
    others = (Test("source", "eq", source), Test("batch_id", "ne", batch))
    wanted, found = keys.unique(), []
    undone: set[object] | None = None
    for entity in _in_turn(books, others, Order("id", down=True)):
        if undone is None:
            undone = {b["id"] for b in _batches(books) if b["status"] in {"undone", "undoing"}}
        if wanted.is_empty():
            break
        if entity.batch_id in undone:
            continue
        frame = unpacked(entity.said).drop("row", "sheet", "outcome")
        frame = frame.filter(pl.col("key").is_in(wanted.implode())).unique("key", keep="last")
        if frame.height:
            found.append(frame)
            wanted = wanted.filter(~wanted.is_in(frame["key"].implode()))
    return pl.concat(found, how="diagonal_relaxed") if found else pl.DataFrame(schema={"key": pl.Int64})


def _batches(books: Books) -> list[dict[str, object]]:
    return books.columns(Query(Batch.KIND)).select("id", "status").to_dicts()
