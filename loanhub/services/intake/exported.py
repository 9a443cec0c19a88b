"""Rows that come back from our own exports: what was changed in them, and of which record they speak.

Two columns of an export name the record and the version it had. What a cell says as it was exported, or as
a mask, is not stated; what is left is an edit, compared with the record as of that version: if the record
changed since, the edit is a conflict. A row speaks of its own record only: columns of the customer or loan
beside it are there to be read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import polars as pl
from attrs import evolve

from loanhub.fields import Field, FieldType
from loanhub.policy import MASKS, maskable
from loanhub.readings.plain import read_name, read_text
from loanhub.records import MOMENT, Query, Test, dtype, moment
from loanhub.services.intake.crosschecks import CROSS_CHECKS
from loanhub.sheets import read_marks

if TYPE_CHECKING:
    from loanhub.acts import Books
    from loanhub.books import DeskBooks
    from loanhub.services.intake.land import Landing

RECORD, VERSION = "#record", "#version"
"""What a row's two columns say; then, once looked up:"""
KIND, ID, CUSTOMER, LOAN = "#their_kind", "#their_id", "#their_customer", "#their_loan"

SHOWN: Final = ("customer", "loan")
"""Kinds whose columns stand beside the records that hang on them."""
DERIVED: Final[Mapping[str, str]] = {
    "loan.term_unit": "loan.term",
    "loan.rate_type": "loan.rate",
    "loan.lpr_tenor": "loan.rate",
    "loan.spread_bp": "loan.rate",
    "loan.status_text": "loan.status",
    "loan.term": "loan.maturity_date",
    "customer.uscc": "customer.id_number",
}
"""Fields that are read out of another one's column where they have none of their own."""
TEXTS: Final = frozenset({FieldType.TEXT, FieldType.NAME, FieldType.ADDRESS, FieldType.LUNAR})
OLDEST: Final = 50
"""Versions looked back at for one record."""


def named(values: pl.DataFrame, cells: pl.DataFrame, record: tuple[int, int] | None) -> pl.DataFrame:
    """The values with what each row says of its record; `cells` are the same rows."""
    if record is None:
        return values
    mark, version = (cells[f"c{column}"].str.strip_chars() for column in record)
    mark = mark.set(mark == "", None)
    number = version.str.strip_suffix(".0").cast(pl.Int64, strict=False).fill_null(0)
    return values.with_columns(mark.alias(RECORD), number.alias(VERSION))


def claimed(values: pl.DataFrame) -> dict[str, frozenset[int]]:
    """Ids by kind that rows of a sheet name as theirs: no other row of it is taken for one of them."""
    if RECORD not in values.columns:
        return {}
    parts = values[RECORD].drop_nulls().str.splitn(":", 3).struct
    frame = pl.DataFrame(
        {"kind": parts.field("field_0"), "id": parts.field("field_1").cast(pl.Int64, strict=False)}
    )
    return {kind: frozenset(ids) for kind, ids in frame.drop_nulls().group_by("kind").agg("id").iter_rows()}


def torn(values: pl.DataFrame, other: pl.Series) -> pl.Series:
    """All rows of records that are named twice with different contents: none of them can be believed."""
    if RECORD not in values.columns:
        return other
    twice = values[RECORD].filter(other).drop_nulls()
    return values[RECORD].is_in(twice.implode()).fill_null(value=False)


# -- a chunk ---------------------------------------------------------------------------------------


def settle(landing: Landing) -> None:
    """Look up the records that rows name, and leave of these rows only what was changed in them."""
    if RECORD not in landing.rows.columns or landing.rows[RECORD].null_count() == landing.rows.height:
        return
    rows = landing.rows.with_columns(
        pl.lit(None, pl.String).alias(KIND),
        *(pl.lit(None, pl.Int64).alias(name) for name in (ID, CUSTOMER, LOAN)),
    )
    landing.rows = rows
    marked = rows.filter(pl.col(RECORD).is_not_null())
    said = _said(landing, marked)
    known: set[int] = set()
    for kind in said["kind"].unique(maintain_order=True).to_list():
        known |= _settle_kind(landing, kind, said.filter(pl.col("kind") == kind).drop("kind"))
    lost = landing.rows.select(
        (pl.col(RECORD).is_not_null() & ~pl.col("row").is_in(list(known))).alias("lost")
    ).to_series()
    landing.reject(lost, "record-unknown", "")
    landing.rows = landing.rows.filter(~lost)
    _forgive(landing, known)


def _said(landing: Landing, marked: pl.DataFrame) -> pl.DataFrame:
    """`row`, `kind`, `id`, `version` of the marks that this home made."""
    home = next((line.hash for line in landing.books.lines(0, 1)), b"")
    found = read_marks(marked[RECORD].to_list(), marked[VERSION].to_list(), home)
    shape: dict[str, Any] = {"row": pl.UInt32, "kind": pl.String, "id": pl.Int64, "version": pl.Int64}
    lines = [
        (row, *one, version)
        for row, version, one in zip(marked["row"], marked[VERSION], found, strict=True)
        if one is not None
    ]
    return pl.DataFrame(lines, schema=shape, orient="row")


def _settle_kind(landing: Landing, kind: str, said: pl.DataFrame) -> set[int]:
    """The rows of one kind: records, owners, edits. Returns the rows whose record is there."""
    books = landing.books
    now = books.columns(Query(kind, (Test("id", "in", said["id"].unique().to_list()),)))
    found = said.join(now.select("id", pl.col("version").alias("now")), on="id", how="inner")
    found = found.filter(pl.col("version").is_between(1, pl.col("now")))
    if found.is_empty():
        return set()
    own = [p for p in landing.paths if p.startswith(f"{kind}.")]
    base = _based(books, kind, now, found, own)
    heads = _heads(books, found["id"]) if kind == "follow_up" else {}
    owners = _owners(books, kind, now)
    theirs = found.select(
        "row",
        pl.lit(kind).alias(KIND),
        pl.col("id").replace(heads).alias(ID) if heads else pl.col("id").alias(ID),
    )
    theirs = theirs.with_columns(found["id"].alias("id")).join(owners, on="id", how="left").drop("id")
    landing.rows = landing.rows.update(theirs, on="row", how="left")
    _unmask(landing, kind, base)
    _leave_edits(landing, own, base)
    _leave_shown(landing, kind, found["row"])
    return set(found["row"].to_list())


def _owners(books: Books, kind: str, now: pl.DataFrame) -> pl.DataFrame:
    """Customer and loan of each record; who was merged into another customer is that one."""
    none = pl.lit(None, pl.Int64)
    if kind == "customer":
        return now.select("id", pl.coalesce("merged_into", "id").alias(CUSTOMER), none.alias(LOAN))
    if kind == "loan":
        return now.select("id", pl.col("customer_id").alias(CUSTOMER), pl.col("id").alias(LOAN))
    if "customer_id" in now.columns:
        return now.select("id", pl.col("customer_id").alias(CUSTOMER), none.alias(LOAN))
    loans = books.columns(Query("loan", (Test("id", "in", now["loan_id"].unique().to_list()),)))
    mine = loans.select(pl.col("id").alias("loan_id"), pl.col("customer_id").alias(CUSTOMER))
    return now.join(mine, on="loan_id", how="left").select("id", CUSTOMER, pl.col("loan_id").alias(LOAN))


def _heads(books: Books, ids: pl.Series) -> dict[int, int]:
    """Follow-ups that others correct, to the last of those."""
    heads = {key: key for key in ids.to_list()}
    while True:
        newer = books.columns(Query("follow_up", (Test("corrects", "in", sorted(set(heads.values()))),)))
        later = dict(newer.sort("id").select("corrects", "id").iter_rows())
        if not later:
            return heads
        heads = {key: later.get(head, head) for key, head in heads.items()}


# -- the record as it was --------------------------------------------------------------------------


def _based(books: Books, kind: str, now: pl.DataFrame, found: pl.DataFrame, own: list[str]) -> pl.DataFrame:
    """`row` and a column for each path: what the record said in the version that was exported."""
    wanted = found.select("row", "id", "version").join(
        now.select("id", pl.col("version").alias("have"), "at"), on="id"
    )
    frames = []
    present, at = now, wanted.filter(pl.col("have") == pl.col("version"))
    for _ in range(OLDEST):
        if at.height:
            frames.append(at.select("row", "id").join(_values(books, present, own), on="id").drop("id"))
        wanted = wanted.filter(pl.col("have") > pl.col("version"))
        if wanted.is_empty():
            break
        present = _before(books, kind, wanted)
        wanted = wanted.drop("have", "at").join(
            present.select("id", pl.col("version").alias("have"), "at"), on="id"
        )
        at = wanted.filter(pl.col("have") <= pl.col("version"))
        wanted = wanted.filter(pl.col("have") > pl.col("version"))
    return pl.concat(frames)


def _before(books: Books, kind: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The records of `id`, a version earlier than the one written `at`."""
    frames = []
    for written, ids in rows.group_by("at").agg(pl.col("id").unique()).iter_rows():
        then = cast("Any", moment(written)) - timedelta(microseconds=1)
        frames.append(books.columns(Query(kind, (Test("id", "in", ids),), as_of=then)))
    return pl.concat(frames)


def _values(books: Books, frame: pl.DataFrame, paths: Iterable[str]) -> pl.DataFrame:
    """Records as a sheet's values have them: plain, days as text, own fields out of `extra`."""
    columns = [frame["id"]]
    for path in paths:
        about = books.dictionary.get(path)
        name = path.split(".", 1)[1]
        if about is not None and about.custom:
            texts = frame.select(pl.col("extra").str.json_path_match(f"$.{name}")).to_series()
            wanted = dtype(about)
            series = texts == "true" if wanted == pl.Boolean else texts.cast(wanted, strict=False)
        elif name not in frame.columns:
            continue
        elif about is not None and about.sealed:
            desk = cast("DeskBooks", books)
            opened = desk.open_column(path, frame["id"].to_list(), frame[name].to_list())
            series = pl.Series(opened, dtype=pl.String)
        else:
            series = frame[name]
        series = series.dt.to_string("%Y-%m-%d") if series.dtype == pl.Date else series
        columns.append(series.alias(path))
    return pl.DataFrame(columns)


# -- what is left of a row -------------------------------------------------------------------------


def _leave_edits(landing: Landing, own: list[str], base: pl.DataFrame) -> None:
    """Values that say what was exported become empty; what was exported becomes what was said before."""
    paths = [p for p in own if p in base.columns]
    renamed = base.rename({path: f"{path}#base" for path in paths})
    joined = landing.rows.join(renamed, on="row", how="left", maintain_order="left")
    theirs = joined["row"].is_in(base["row"].implode())
    kept: dict[str, pl.Series] = {}
    for path in paths:
        stated, was = joined[path], joined[f"{path}#base"].cast(joined.schema[path])
        same = stated.eq_missing(was) | _reads_same(landing, path, stated, was, theirs)
        kept[path] = stated.set(theirs & same, None)
    for path, source in DERIVED.items():
        if path in kept and path not in landing.chunk.headers:
            silent = kept[source].is_null() if source in kept else theirs
            # A cell that says what it said has nothing new to say of this field either.
            again = silent & joined[source].is_not_null() if source in kept else silent
            kept[path] = kept[path].set(theirs & silent & (joined[f"{path}#base"].is_null() | again), None)
    landing.rows = landing.rows.with_columns(series.alias(path) for path, series in kept.items())
    said = joined.filter(theirs).select(
        pl.col("#hash").alias("key"), *(pl.col(f"{p}#base").cast(joined.schema[p]).alias(p) for p in paths)
    )
    others = landing.chunk.said.filter(~pl.col("key").is_in(said["key"].implode()))
    both = [frame for frame in (others, said.unique("key")) if frame.height]
    landing.chunk = evolve(landing.chunk, said=pl.concat(both, how="diagonal_relaxed"))


def _reads_same(
    landing: Landing, path: str, stated: pl.Series, was: pl.Series, theirs: pl.Series
) -> pl.Series:
    """Whether a cell reads as the exported value does: moments to the second, texts in their tidy form."""
    about = landing.books.dictionary.get(path)
    none = pl.repeat(value=False, n=stated.len(), eager=True)
    if about is None:
        return none
    if about.type is FieldType.TIME:
        zone = str(landing.books.settings.timezone)
        return (stated == _to_the_second(was, zone)).fill_null(value=False)
    if about.type not in TEXTS:
        return none
    differs = theirs & (stated != was).fill_null(value=False)
    if not differs.any():
        return none
    read = read_name if about.type is FieldType.NAME else read_text
    again = [read(text).value if d else None for text, d in zip(was, differs, strict=True)]
    return (stated == pl.Series(again, dtype=pl.String)).fill_null(value=False)


def _to_the_second(moments: pl.Series, zone: str) -> pl.Series:
    utc = moments.str.to_datetime(MOMENT.replace("%S.%f", "%S%.f"), time_unit="us", strict=False)
    local = utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    local = local.dt.truncate("1s").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null")
    return local.dt.convert_time_zone("UTC").dt.to_string(MOMENT.replace("%f", "%6f"))


def _unmask(landing: Landing, kind: str, base: pl.DataFrame) -> None:
    """A masked cell must be the mask of what was exported: what somebody typed over it is no value."""
    for path in landing.chunk.masked["field"].unique().to_list():
        about = landing.books.dictionary.get(path)
        if path not in base.columns or not path.startswith(f"{kind}.") or about is None:
            continue
        mine = landing.chunk.masked.filter(pl.col("field") == path)
        both = mine.join(base.select("row", path), on="row")
        cover = MASKS[about.type]
        wrong = [
            row
            for row, _, text, plain in both.iter_rows()
            if text.strip() != ("" if plain is None else cover(plain))
        ]
        landing.reject(landing.rows["row"].is_in(wrong), "masked-changed", path)


def _leave_shown(landing: Landing, kind: str, rows: pl.Series) -> None:
    """Columns beside the record are not written; who changed one is told so."""
    for other in (k for k in SHOWN if k != kind):
        paths = [p for p in landing.paths if p.startswith(f"{other}.") and p in landing.rows.columns]
        if not paths:
            continue
        link = CUSTOMER if other == "customer" else LOAN
        mine = landing.rows.filter(pl.col("row").is_in(rows.implode()))
        edited = _edited(landing.books, other, link, mine, paths)
        for path, places in edited.items():
            lines = pl.DataFrame({"row": places}, schema={"row": pl.UInt32})
            landing.add(lines.with_columns(pl.lit("column-for-reading").alias("code")), path, "warning")
        theirs = pl.col("row").is_in(rows.implode())
        landing.rows = landing.rows.with_columns(
            pl.when(theirs).then(None).otherwise(pl.col(path)).alias(path) for path in paths
        )


def _edited(books: Books, kind: str, link: str, rows: pl.DataFrame, paths: list[str]) -> dict[str, list[int]]:
    """Rows by path where a column beside the record says what its own record never said."""
    stated = rows.select("row", pl.col(link).alias("id"), *paths)
    open_ = stated.filter(pl.any_horizontal(pl.col(p).is_not_null() for p in paths))
    found: dict[str, list[int]] = {path: [] for path in paths}
    ids = open_["id"].drop_nulls().unique().to_list()
    now = books.columns(Query(kind, (Test("id", "in", ids),)))
    for _ in range(OLDEST):
        if open_.is_empty() or now.is_empty():
            break
        then = _values(books, now, paths)
        shared = [p for p in paths if p in then.columns]
        joined = open_.join(then, on="id", how="left", suffix="#then", maintain_order="left")
        open_ = joined.select(
            "row",
            "id",
            *(
                pl.when(pl.col(p) != pl.col(f"{p}#then").fill_null("")).then(pl.col(p)).alias(p)
                if joined.schema[p] == pl.String
                else pl.when(pl.col(p).ne_missing(pl.col(f"{p}#then"))).then(pl.col(p)).alias(p)
                for p in shared
            ),
        ).filter(pl.any_horizontal(pl.col(p).is_not_null() for p in shared))
        older = now.filter(pl.col("version") > 1, pl.col("id").is_in(open_["id"].implode()))
        if older.is_empty():
            break
        now = _before(books, kind, older.select("id", "at"))
    for path in paths:
        if path in open_.columns:
            found[path] = open_.filter(pl.col(path).is_not_null())["row"].to_list()
    return {path: places for path, places in found.items() if places}


def _forgive(landing: Landing, known: set[int]) -> None:
    """A row that says nothing new is no fault, whatever the checks between its values say today."""
    paths = [p for p in landing.paths if p in landing.rows.columns]
    cleared = landing.chunk.cleared["row"]
    idle = landing.rows.filter(
        pl.col("row").is_in(list(known)),
        ~pl.col("row").is_in(cleared.implode()),
        pl.all_horizontal(pl.col(p).is_null() for p in paths),
    )["row"]
    checks = pl.col("code").is_in([*CROSS_CHECKS, "row-repeated"])
    noise = pl.col("row").is_in(idle.implode()) & (checks | (pl.col("severity") == "warning"))
    shown = pl.col("code") == "column-for-reading"
    before = [frame.filter(~noise | shown) for frame in landing.problems]
    landing.problems = before
    still = {row for frame in before for row in frame.filter(pl.col("severity") == "error")["row"].to_list()}
    landing.rejected &= still


def masked_cells(
    cells: pl.DataFrame, column: int, path: str, about: Field, record: tuple[int, int] | None
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """Cells of exported rows that hold a mask taken out: the frame without them, and what they said."""
    if record is None or not maskable(about):
        return cells, None
    name = f"c{column}"
    covered = (cells[name].str.contains("*", literal=True) & cells[f"c{record[0]}"].is_not_null()).fill_null(
        value=False
    )
    if not covered.any():
        return cells, None
    said = cells.filter(covered).select("row", pl.lit(path).alias("field"), pl.col(name).alias("text"))
    hole = cells[name].set(covered, None)
    kind = cells[f"k{column}"].set(covered, 0)
    return cells.with_columns(hole, kind), said
