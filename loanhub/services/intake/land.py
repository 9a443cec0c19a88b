"""Rows to records, one chunk an act: who exists, what is new, what the sheet itself changed, what conflicts.

A row stands or falls whole. It counts once, as the first that applies: rejected, conflict, stored (anything
new), changed, unchanged. What is compared is what this source said last time, never just the record: only
what the sheet itself changed is applied, and where the record changed since, that is a conflict.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

import polars as pl
from attrs import define, evolve, field, frozen

from loanhub.acts import Act, Books, Facts
from loanhub.entities import KINDS, Batch, Entity, Statement
from loanhub.fields import fields_of
from loanhub.records import Columns, Order, Query, Test, plain_schema, to_record
from loanhub.schema import SEARCH_KEY
from loanhub.services.intake import children, exported, who
from loanhub.services.intake.check import MASKED, no_problems, problem
from loanhub.services.intake.compare import Verdict, compare, extra_changes, own_fields
from loanhub.services.intake.said import OUTCOMES, pack, packed

UPDATED: Final = ("customer", "loan")
"""Kinds a row may change as well as make; the others of a row are looked up by their own natural key."""


@frozen
class Chunk:
    """A run of checked rows of one sheet. `values` as `identity.identify` leaves them, `said` what the
    source said before of these rows. Of what earlier chunks of this batch made, `made` has all ids by kind,
    `people` and `loans` the ids of keys that stand in several rows.
    """

    batch: int
    number: int
    sheet: int
    subject: str
    source: str
    values: pl.DataFrame = field(repr=False)
    problems: pl.DataFrame = field(repr=False)
    cleared: pl.DataFrame = field(repr=False)
    said: pl.DataFrame = field(repr=False)
    people: Mapping[str, int] = field(repr=False, factory=dict)
    loans: Mapping[str, int] = field(repr=False, factory=dict)
    made: Mapping[str, AbstractSet[int]] = field(repr=False, factory=dict)
    masked: pl.DataFrame = field(repr=False, factory=lambda: pl.DataFrame(schema=MASKED))
    claimed: Mapping[str, AbstractSet[int]] = field(repr=False, factory=dict)
    """Ids by kind that rows of the file's exports name as theirs."""
    headers: Mapping[str, tuple[int, str]] = field(repr=False, factory=dict)
    """Column and header by field path, to name the cell at fault."""


@frozen
class Landed:
    """What a chunk came to: rows by outcome, the problems, and the people and loans it made."""

    counts: Mapping[str, int]
    problems: pl.DataFrame = field(repr=False, eq=False)
    people: Mapping[str, int] = field(repr=False, factory=dict)
    loans: Mapping[str, int] = field(repr=False, factory=dict)
    waiting: tuple[int, ...] = ()


@define
class Landing:
    """One chunk being decided: rows fall out of `rows` when rejected, and gather flags as they go."""

    books: Books
    chunk: Chunk
    rows: pl.DataFrame = field(repr=False)
    problems: list[pl.DataFrame] = field(repr=False)
    searchable: bool = True
    """Whether there are search keys at all: into a new home nobody has to be looked up."""
    puts: list[Entity | Columns] = field(factory=list, repr=False)
    verdicts: dict[int, Verdict] = field(factory=dict, repr=False)
    """By row, for rows that meet a record that is there already."""
    fresh: set[int] = field(factory=set, repr=False)
    """Rows that made something new."""
    rejected: set[int] = field(factory=set, repr=False)
    made_people: dict[str, int] = field(factory=dict, repr=False)
    made_loans: dict[str, int] = field(factory=dict, repr=False)

    @classmethod
    def of(cls, books: Books, chunk: Chunk) -> Landing:
        """A landing of all rows; those that the checks rejected are known as such."""
        bad = chunk.problems.filter(pl.col("severity") == "error")["row"]
        any_key = books.columns(Query(SEARCH_KEY, order=Order("token"), limit=1))
        problems, rejected = [chunk.problems], set(bad.to_list())
        return cls(books, chunk, chunk.values, problems, any_key.height > 0, rejected=rejected)

    def reject(self, mask: pl.Series, code: str, path: str) -> None:
        """An error for some rows; they stay until all their problems are known (see `drop_rejected`)."""
        if mask.any():
            self.note(mask, code, path, "error")
            self.rejected.update(self.rows["row"].filter(mask).to_list())

    def drop_rejected(self) -> None:
        """Take the rejected rows out: a row stands or falls whole."""
        self.rows = self.rows.filter(~pl.col("row").is_in(list(self.rejected)))

    def note(self, mask: pl.Series, code: str, path: str, severity: str) -> None:
        """A problem at a field for some of the rows."""
        lines = self.rows.filter(mask).select("row").with_columns(pl.lit(code).alias("code"))
        self.add(lines, path, severity)

    def add(self, lines: pl.DataFrame, path: str, severity: str) -> None:
        """Problem lines (`row`, `code`) at a field's column."""
        if lines.is_empty():
            return
        column, header = self.chunk.headers.get(path, (-1, ""))
        self.problems.append(
            problem(lines, None, path, severity).with_columns(
                pl.lit(column, pl.Int32).alias("column"), pl.lit(header).alias("header")
            )
        )

    def cleared(self, row: int) -> set[str]:
        """Field paths that a row says to clear."""
        marks = self.chunk.cleared
        return set() if marks.is_empty() else set(marks.filter(pl.col("row") == row)["field"])

    @property
    def paths(self) -> list[str]:
        """Field paths of the values."""
        return [c for c in self.chunk.values.columns if "." in c and not c.startswith("#")]

    def of_kind(self, kind: str) -> dict[str, str]:
        """Field name to path, for the kind's own stored fields that the rows have."""
        known = fields_of(KINDS[kind])
        return {
            p.split(".", 1)[1]: p
            for p in self.paths
            if p.startswith(f"{kind}.") and p.split(".", 1)[1] in known
        }

    def said_before(self) -> dict[int, dict[str, Any]]:
        """What the source said of each row last time, by row number."""
        if self.chunk.said.is_empty():
            return {}
        joined = self.rows.select("row", "#hash").join(self.chunk.said, left_on="#hash", right_on="key")
        return {int(r["row"]): r for r in joined.drop("#hash").iter_rows(named=True)}


def decide(books: Books, chunk: Chunk) -> Facts[Landed]:
    """The whole of a chunk: identities, rejections, records, conflicts, and the statement that keeps it."""
    landing = Landing.of(books, chunk)
    exported.settle(landing)
    same = _unchanged(landing) & ~landing.rows["row"].is_in(list(landing.rejected))
    quiet = landing.rows.filter(same)
    landing.rows = landing.rows.filter(~same)
    who.find_loans(landing)
    who.find_people(landing)
    who.reject_unfit(landing)
    landing.drop_rejected()
    _customers(landing)
    _loans(landing)
    children.land(landing)
    return _facts(landing, quiet)


def _unchanged(landing: Landing) -> pl.Series:
    """Rows that say nothing new: every value stated is what this source said last time."""
    rows, said = landing.rows, landing.chunk.said
    none = pl.repeat(value=False, n=rows.height, eager=True)
    if said.is_empty() or rows.is_empty():
        return rows["#repeat"]
    shared = [p for p in landing.paths if p in said.columns]
    fresh = [p for p in landing.paths if p not in said.columns]
    joined = rows.join(
        said.select("key", *shared),
        left_on="#hash",
        right_on="key",
        how="left",
        suffix="#last",
        maintain_order="left",
    )
    known = rows["#hash"].is_in(said["key"].to_list())
    moved = [pl.col(p).is_not_null() & pl.col(p).ne_missing(pl.col(f"{p}#last")) for p in shared]
    moved += [pl.col(p).is_not_null() for p in fresh]
    changed = joined.select(pl.any_horizontal(moved).alias("c")).to_series() if moved else none
    cleared = rows["row"].is_in(landing.chunk.cleared["row"].to_list())
    return (known & ~changed & ~cleared) | rows["#repeat"]


def _customers(landing: Landing) -> None:
    """New people from the first value each of their rows gives; known people compared field by field."""
    fields = landing.of_kind("customer")
    rows = landing.rows
    if "#customer" not in rows.columns or rows.is_empty():
        return
    new = rows.filter(pl.col("#customer").is_null() & pl.col("#person").is_not_null())
    if new.height and fields:
        landing.rows = _make_people(landing, new, fields)
    known = rows.filter(pl.col("#customer").is_not_null())
    if known.height and fields:
        _meet(landing, "customer", known, fields)


def _make_people(landing: Landing, new: pl.DataFrame, fields: dict[str, str]) -> pl.DataFrame:
    firsts = _firsts(new, fields)
    start = landing.books.allot("customer", firsts.height)
    firsts = firsts.with_columns(pl.int_range(start, start + firsts.height, eager=True).alias("id"))
    _contradictions(landing, new, fields)
    extra = _custom(landing, new, "customer", firsts)
    landing.puts.append(Columns("customer", _new(firsts.drop("#person", "row"), "customer", extra)))
    landing.made_people.update(dict(zip(firsts["#person"], firsts["id"], strict=True)))
    landing.fresh.update(firsts["row"].to_list())
    return who.assign(landing.rows, "#customer", "#person", landing.made_people)


def _firsts(new: pl.DataFrame, fields: dict[str, str]) -> pl.DataFrame:
    """One row a person: the first value that any of its rows gives for each field."""
    single = new.select("#person", "row", *(pl.col(path).alias(name) for name, path in fields.items()))
    again = single["#person"].is_duplicated()
    if not again.any():
        return single
    gathered = single.filter(again).group_by("#person", maintain_order=True)
    merged = gathered.agg([pl.col(name).drop_nulls().first() for name in fields] + [pl.col("row").first()])
    return pl.concat([single.filter(~again), merged.select(single.columns)]).sort("row")


def _contradictions(landing: Landing, new: pl.DataFrame, fields: dict[str, str]) -> None:
    """Later rows of a new person that say otherwise than the first: reported, the first stands."""
    several = new.filter(pl.col("#person").is_duplicated())
    if several.is_empty():
        return
    firsts = several.group_by("#person").agg(pl.col(path).drop_nulls().first() for path in fields.values())
    both = several.join(firsts, on="#person", suffix="#first", maintain_order="left")
    for path in fields.values():
        other = (both[path] != both[f"{path}#first"]).fill_null(value=False)
        if other.any():
            lines = both.filter(other).select("row", pl.lit("differs-from-earlier-row").alias("code"))
            landing.add(lines, path, "warning")


def _loans(landing: Landing) -> None:
    fields = landing.of_kind("loan")
    rows = landing.rows
    if "#loan" not in rows.columns or not who.states_loans(landing):
        return
    new = rows.filter(pl.col("#loan").is_null())
    known = rows.filter(pl.col("#loan").is_not_null())
    if new.height:
        start = landing.books.allot("loan", new.height)
        made = new.select(
            pl.int_range(start, start + new.height, eager=True).alias("id"),
            pl.col("#customer").alias("customer_id"),
            pl.lit(landing.books.today.isoformat()).alias("stated_on"),
            *(pl.col(path).alias(name) for name, path in fields.items()),
        )
        extra = _custom(landing, new, "loan", None)
        landing.puts.append(Columns("loan", _new(made, "loan", extra)))
        keys = new["#loan_key"].to_list()
        landing.made_loans.update(zip(keys, made["id"].to_list(), strict=True))
        landing.made_loans.pop(None, None)  # type: ignore[call-overload]
        landing.fresh.update(new["row"].to_list())
        mine = start - 1 + pl.col("#loan").is_null().cum_sum().cast(pl.Int64)
        landing.rows = rows.with_columns(pl.coalesce("#loan", mine).alias("#loan"))
    if known.height:
        _meet(landing, "loan", known, fields)


def _meet(landing: Landing, kind: str, rows: pl.DataFrame, fields: dict[str, str]) -> None:
    """Rows that state fields of records that are there: each field applied, skipped or a conflict."""
    before = landing.said_before()
    ids = rows[f"#{kind}"].unique().to_list()
    made = landing.chunk.made.get(kind, frozenset())
    records = {e.id: to_record(e) for e in landing.books.find(Query(kind, (Test("id", "in", ids),)))}
    changed: dict[int, dict[str, Any]] = {}
    own = own_fields(landing.books.dictionary, kind, landing.paths)
    for row in rows.select("row", f"#{kind}", *fields.values(), *own.values()).iter_rows(named=True):
        number, key = int(row["row"]), row[f"#{kind}"]
        record = records.get(key)
        if record is None:
            continue
        stated = {name: row[path] for name, path in fields.items()}
        last = before.get(number)
        past = None if last is None else {name: last.get(path) for name, path in fields.items()}
        gone = {p.split(".", 1)[1] for p in landing.cleared(number) if p.startswith(f"{kind}.")}
        verdict = compare(record, stated, past, gone, same_file=key in made)
        if own:
            verdict = verdict.and_(extra_changes(record, row, own, last, gone, same_file=key in made))
        for name in verdict.conflicts:
            code = "differs-from-earlier-row" if key in made else "conflict"
            lines = pl.DataFrame(
                {"row": [number], "code": [code]}, schema={"row": pl.UInt32, "code": pl.String}
            )
            landing.add(lines, fields.get(name) or own[name], "warning" if key in made else "conflict")
        if key in made:
            verdict = evolve(verdict, conflicts=())
        landing.verdicts[number] = landing.verdicts.get(number, Verdict()).and_(verdict)
        if verdict.changes:
            record.update(verdict.changes)
            if kind == "loan":
                record["stated_on"] = landing.books.today.isoformat()
            changed[key] = record
    if changed:
        landing.puts.append(Columns(kind, pl.DataFrame(list(changed.values()), schema=plain_schema(kind))))


def _new(frame: pl.DataFrame, kind: str, extra: pl.Series | None) -> pl.DataFrame:
    """New rows as they are put: columns that nothing states are left out, `extra` is an empty object."""
    shape = plain_schema(kind)
    filled: dict[str, pl.Expr | pl.Series] = {"version": pl.lit(0, pl.Int64)}
    if "extra" in shape:
        filled["extra"] = pl.lit("{}") if extra is None else extra
    if "live" in shape:
        filled["live"] = pl.lit(value=False)
    given = (pl.col(name).cast(dtype) for name, dtype in shape.items() if name in frame.columns)
    missing = (value.alias(name) for name, value in filled.items() if name not in frame.columns)
    return frame.select(*given, *missing)


def _custom(landing: Landing, rows: pl.DataFrame, kind: str, firsts: pl.DataFrame | None) -> pl.Series | None:
    """The institution's own fields of new rows as the JSON of `extra`; None when no column has one."""
    dictionary = landing.books.dictionary
    paths = own_fields(dictionary, kind, landing.paths)
    if kind == "loan" and "receipt.paid_date" not in landing.paths:
        totals = ("receipt.paid_principal", "receipt.paid_interest", "receipt.paid_amount")
        paths |= {p.split(".", 1)[1]: p for p in totals if p in landing.paths}
    if not paths:
        return None
    if firsts is not None:
        rows = firsts.select("row").join(rows, on="row", maintain_order="left")
    return rows.select(
        pl.struct([pl.col(path).alias(name) for name, path in sorted(paths.items())]).struct.json_encode()
    ).to_series()


def _facts(landing: Landing, quiet: pl.DataFrame) -> Facts[Landed]:
    chunk = landing.chunk
    rows = landing.rows
    kept = pl.concat(
        [
            rows.with_columns(_outcomes(landing)),
            quiet.with_columns(pl.lit(OUTCOMES["unchanged"], pl.UInt8).alias("#outcome")),
        ],
        how="diagonal",
    ).sort("row")
    problems = pl.concat([p for p in landing.problems if p.height] or [no_problems()])
    problems = problems.with_columns(pl.lit(chunk.sheet, pl.Int32).alias("sheet")).sort("row", "column")
    counts = {name: int((kept["#outcome"] == code).sum()) for name, code in OUTCOMES.items()}
    counts["rejected"] = chunk.values.height - kept.height
    counts["rows"] = chunk.values.height
    warned = problems.filter(pl.col("severity") == "warning").height
    batch = landing.books.get(Batch, chunk.batch) if chunk.batch else Batch()
    statement = Statement(
        id=landing.books.allot("statement"),
        batch_id=chunk.batch,
        chunk=chunk.number,
        source=chunk.source,
        said=pack(kept, chunk.said, chunk.sheet, chunk.cleared),
        problems=packed(problems),
    )
    counted = evolve(
        batch,
        chunks=chunk.number + 1,
        rows=batch.rows + counts["rows"],
        stored=batch.stored + counts["stored"],
        changed=batch.changed + counts["changed"],
        unchanged=batch.unchanged + counts["unchanged"],
        conflicts=batch.conflicts + counts["conflicts"],
        rejected=batch.rejected + counts["rejected"],
        warnings=batch.warnings + warned,
    )
    answer = Landed(counts, problems, landing.made_people, landing.made_loans)
    about = f"batch:{chunk.batch}"
    return Facts(answer, (*landing.puts, statement, counted), about=about, counts={"rows": counts["rows"]})


def _outcomes(landing: Landing) -> pl.Series:
    """What each row that landed counts as."""
    found = dict.fromkeys(landing.fresh, OUTCOMES["stored"])
    for row, verdict in landing.verdicts.items():
        if verdict.conflicts:
            found[row] = OUTCOMES["conflicts"]
        elif verdict.changes:
            found.setdefault(row, OUTCOMES["changed"])
    unchanged = OUTCOMES["unchanged"]
    codes = [found.get(row, unchanged) for row in landing.rows["row"].to_list()]
    return pl.Series("#outcome", codes, pl.UInt8)


LAND: Final = Act("batch.land", Chunk, "batch.write", decide, hidden=True)
LAND_LATER: Final = Act("batch.land", Chunk, "batch.write", decide, hidden=True, indexes=False)
"""For a file that is large against the table: the search keys of new records are built afterwards."""
