"""What an export asks of the books: its columns and conditions decided, then page by page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast
from zoneinfo import ZoneInfo

import polars as pl
from attrs import evolve, field, frozen

from loanhub.acts import Act, Books, Facts
from loanhub.errors import NotAllowed, Usage
from loanhub.fields import Field, FieldType
from loanhub.policy import Level, maskable
from loanhub.readings import tidy
from loanhub.records import Cursor, Order, Query, Test, dtype, stored
from loanhub.services.sheets.columns import in_order, own_paths
from loanhub.services.sheets.kinds import SHEETS, SheetKind
from loanhub.sheets import record_marks
from loanhub.values import choices_of, field_named, read_value

if TYPE_CHECKING:
    from loanhub.books import DeskBooks

EXPORTING: Final = "export.read"
"""The right to take records out in a file, beside the right to read them."""
PAGE: Final = 5_000
"""Records a page."""
OWNERS: Final = ("customer", "loan")
"""Kinds that other records hang on, and whose fields may stand beside theirs."""
EVERY: Final = {"customers": (Test("merged_into", "null"),)}
"""What holds of all rows of a sheet: a customer who was merged into another is that other one."""


@frozen
class Export:
    """Which records, and what of them. `where`: field to value, as people write them; all must hold.

    `columns`: names or labels of fields; none: all of the kind. `plain`: sensitive values unmasked, for a
    `reason` that the audit log keeps.
    """

    sheet: str
    where: Mapping[str, str] = field(factory=dict, repr=False)
    columns: tuple[str, ...] = ()
    plain: bool = False
    reason: str = ""


@frozen
class Plan:
    """An export as decided. `here` are conditions the store answers, `beside` those on columns joined to it.

    `home` marks the records, `last` is the highest id there is, `masked` are paths that are told as masked.
    """

    sheet: str
    paths: tuple[str, ...]
    here: tuple[Test, ...] = field(repr=False)
    beside: tuple[Test, ...] = field(repr=False)
    plain: bool
    chosen: bool
    home: bytes = field(repr=False)
    last: int = 0
    masked: tuple[str, ...] = ()

    @property
    def kind(self) -> SheetKind:
        """The kind of sheet."""
        return SHEETS[self.sheet]


@frozen
class Page:
    """The records behind an id."""

    plan: Plan
    after: int = 0


@frozen
class Paged:
    """A page in stored form: a column for each path, `#mark` and `#version`; dates as dates, sensitive values
    masked unless the export is plain. `next` is the id to go on behind, None at the end.
    """

    frame: pl.DataFrame = field(repr=False, eq=False)
    next: int | None


@frozen
class Written:
    """An export that was written: for the log."""

    sheet: str
    rows: int
    plain: bool


# -- deciding --------------------------------------------------------------------------------------


def decide(books: Books, request: Export) -> Facts[Plan]:
    """The plan of an export; the audit line names sheet, conditions (never their values) and reason.

    Raises Usage("reason-needed", "field-unknown", "values-wrong"), NotAllowed.
    """
    if request.plain and not request.reason.strip():
        raise Usage("reason-needed")
    sheet = SHEETS[request.sheet]
    _need_rights(books, sheet)
    own = own_paths(books.dictionary, sheet)
    asked = [_named(books, sheet, name).path for name in request.columns]
    if hidden := [path for path in asked if not _may_stand(books, path, request.plain)]:
        raise NotAllowed("field-not-yours", field=hidden[0])
    always = (*sheet.required, "customer.name") if asked else sheet.first
    wanted = [path for path in (*always, *(asked or own)) if _may_stand(books, path, request.plain)]
    paths = in_order(sheet, wanted, own)
    tests = [_test(books, sheet, name, text) for name, text in request.where.items()]
    here = tuple(test for about, test in tests if about is None or _stored(about, sheet))
    beside = tuple(test for about, test in tests if about is not None and not _stored(about, sheet))
    plan = Plan(
        sheet=request.sheet,
        paths=tuple(paths),
        here=(*EVERY.get(request.sheet, ()), *here),
        beside=beside,
        plain=request.plain,
        chosen=bool(asked),
        home=home_of(books),
        last=_last(books, sheet),
    )
    plan = evolve(plan, masked=covered_paths(books, plan))
    named = [test.field for _, test in tests]
    about = " ".join([f"export:{request.sheet}", *named])
    return Facts(plan, about=about, reason=request.reason.strip(), counts={"columns": len(paths)})


def _need_rights(books: Books, sheet: SheetKind) -> None:
    for needs in (EXPORTING, f"{sheet.kind}.read"):
        books.view.allow(needs)


def _may_stand(books: Books, path: str, plain: bool) -> bool:
    """Whether a column says anything, and a mask in it is known as one when the sheet comes back."""
    about, level = books.dictionary.get(path), books.view.level(path)
    if about is None:
        return False
    masked = level is Level.MASK and maskable(about)
    return level is Level.SHOW or masked or (plain and books.who.may_reveal(about))


def home_of(books: Books) -> bytes:
    """What tells this home from any other: the hash of the first line of its log."""
    return next((line.hash for line in books.lines(0, 1)), b"")


def _last(books: Books, sheet: SheetKind) -> int:
    found = books.columns(Query(sheet.kind, order=Order("id", down=True), limit=1))
    return int(found["id"][0]) if found.height else 0


def _stored(about: Field, sheet: SheetKind) -> bool:
    return about.kind == sheet.kind and not about.custom


def _named(books: Books, sheet: SheetKind, called: str) -> Field:
    """The field a person means: of the kind itself, else of the customer or the loan it belongs to."""
    kinds = [sheet.kind, *(kind for kind in _owners(sheet) if kind != sheet.kind)]
    for kind in kinds:
        try:
            return field_named(books, kind, called)
        except Usage:
            continue
    raise Usage("field-unknown", field=tidy(called)[:40], kind=sheet.kind)


def _owners(sheet: SheetKind) -> tuple[str, ...]:
    return {"customer": (), "loan": ("customer",)}.get(sheet.kind, OWNERS)


def _test(books: Books, sheet: SheetKind, called: str, text: str) -> tuple[Field | None, Test]:
    """A condition. `customer=12` and `loan=5` name records by id; an empty value asks for none."""
    if called in OWNERS and (sheet.kind == called or called in _owners(sheet)):
        name = "id" if sheet.kind == called else f"{called}_id"
        if name in {"id", *_references(sheet)} and text.strip().isdecimal():
            return None, Test(name, "eq", int(text))
    about = _named(books, sheet, called)
    books.view.refuse_asking(about, "eq" if text.strip() else "null")
    name = about.name if _stored(about, sheet) else about.path
    if not text.strip():
        return about, Test(name, "null")
    reading = read_value(
        about, text, choices_of(books), today=books.today, zone=ZoneInfo(books.settings.timezone)
    )
    if reading.problem:
        raise Usage("export-where", field=about.path)
    value = stored(about, reading.value)
    if about.sealed:
        return about, Test(f"{name}_blind", "eq", books.blind(about.path, [value])[0])
    return about, Test(name, "eq", value)


def _references(sheet: SheetKind) -> set[str]:
    customers = {"loan", "credit", "follow_up"}
    loans = {"receipt", "collateral", "follow_up"}
    return {
        *(["customer_id"] if sheet.kind in customers else []),
        *(["loan_id"] if sheet.kind in loans else []),
    }


# -- a page ----------------------------------------------------------------------------------------


def page(books: Books, request: Page) -> Facts[Paged]:
    """The next page: the records, whom they belong to, and nothing the principal may not see."""
    plan, sheet = request.plan, request.plan.kind
    _need_rights(books, sheet)
    after = Cursor(request.after, request.after) if request.after else None
    found = books.columns(Query(sheet.kind, plan.here, after=after, limit=PAGE))
    following = int(found["id"][-1]) if found.height == PAGE else None
    frame = _current(books, sheet, found)
    frame = _own(books, plan, frame)
    frame = _joined(books, plan, frame)
    for test in plan.beside:
        frame = frame.filter(_holds(test, frame))
    records = frame.select("id", "version").iter_rows()
    marks = record_marks(sheet.kind, records, plan.home)
    paths = [path for path in plan.paths if path in frame.columns]
    beside = [c for c in frame.columns if c.startswith("#")]
    shown = frame.select(
        *paths, *beside, pl.Series("#mark", marks, pl.String), pl.col("version").alias("#version")
    )
    return Facts(Paged(shown, following))


def _current(books: Books, sheet: SheetKind, frame: pl.DataFrame) -> pl.DataFrame:
    """Follow-ups only grow: one that another corrects is history."""
    if sheet.kind != "follow_up" or frame.is_empty():
        return frame
    newer = books.columns(Query("follow_up", (Test("corrects", "in", frame["id"].to_list()),)))
    return frame.filter(~pl.col("id").is_in(newer["corrects"].implode()))


def _own(books: Books, plan: Plan, frame: pl.DataFrame) -> pl.DataFrame:
    """The record's own columns under their paths, and what they are shown by."""
    kind = plan.kind.kind
    wanted = [p for p in plan.paths if p.startswith(f"{kind}.")]
    tested = [t.field for t in plan.beside if t.field.startswith(f"{kind}.")]
    columns = {path: _column(books, frame, path) for path in dict.fromkeys([*wanted, *tested])}
    helps = {
        "loan.term": ("term_unit",),
        "loan.rate": ("rate_type", "lpr_tenor", "spread_bp"),
        "loan.status": ("status_text",),
    }
    beside = [name for path, names in helps.items() if path in columns for name in names]
    owner = frame["customer_id"] if "customer_id" in frame.columns else None
    if kind == "customer":
        owner = frame["id"]
    loan = frame["loan_id"] if "loan_id" in frame.columns else frame["id"] if kind == "loan" else None
    return pl.DataFrame(
        [
            frame["id"],
            frame["version"],
            *(series.alias(path) for path, series in columns.items()),
            *(frame[name].alias(f"#{name}") for name in beside),
            *([owner.alias("%customer")] if owner is not None else []),
            *([loan.alias("%loan")] if loan is not None else []),
        ]
    )


def _column(books: Books, frame: pl.DataFrame, path: str) -> pl.Series:
    """A field's values: sealed ones opened, custom ones taken out of `extra`."""
    about = books.dictionary[path]
    if about.custom:
        texts = frame.select(pl.col("extra").str.json_path_match(f"$.{about.name}")).to_series()
        if about.type is FieldType.DATE:
            return texts.str.to_date("%Y-%m-%d", strict=False)
        if about.type is FieldType.YES_NO:
            return texts == "true"
        return texts.cast(dtype(about), strict=False)
    if not about.sealed:
        return frame[about.name]
    desk = cast("DeskBooks", books)
    return pl.Series(
        desk.open_column(path, frame["id"].to_list(), frame[about.name].to_list()), dtype=pl.String
    )


def _joined(books: Books, plan: Plan, frame: pl.DataFrame) -> pl.DataFrame:
    """Columns of the loan and the customer that a record belongs to; rows out of sight are left out."""
    if "%loan" in frame.columns and plan.kind.kind != "loan":
        frame = _beside(books, plan, frame, "loan")
    if plan.kind.kind != "customer":
        frame = _beside(books, plan, frame, "customer")
    return _masked(books, plan, frame)


def _beside(books: Books, plan: Plan, frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    """The frame with the wanted columns of the records of `kind` it hangs on, and their own owner."""
    wanted = [*plan.paths, *(test.field for test in plan.beside)]
    link = f"%{kind}"
    ids = frame[link].drop_nulls().unique().to_list()
    found = books.columns(Query(kind, (Test("id", "in", ids),)))
    columns = [found["id"].alias(link)]
    for path in dict.fromkeys(p for p in wanted if p.startswith(f"{kind}.")):
        blind = path.endswith("_blind")
        values = found[path.split(".", 1)[1]] if blind else _column(books, found, path)
        columns.append(values.alias(path))
    if kind == "loan" and "%customer" not in frame.columns:
        columns.append(found["customer_id"].alias("%customer"))
    seen = kind == "customer" and not books.who.scope.everything
    return frame.join(pl.DataFrame(columns), on=link, how="inner" if seen else "left", maintain_order="left")


def _masked(books: Books, plan: Plan, frame: pl.DataFrame) -> pl.DataFrame:
    """Values as they may be shown. What is in no column of an export is `frame`'s own, under `#` or `%`."""
    covered, view = [], books.view
    for path in covered_paths(books, plan):
        if path in frame.columns:
            texts = [view.shown(path, value) for value in frame[path].to_list()]
            covered.append(pl.Series(path, [None if t is None else str(t) for t in texts], pl.String))
    return frame.with_columns(covered)


def covered_paths(books: Books, plan: Plan) -> tuple[str, ...]:
    """The columns that are masked: in a plain export those that the principal may not ask for in plain."""
    view, plain = books.view, plan.plain and books.who.may("customer.reveal")
    covered = [path for path in plan.paths if view.level(path) is not Level.SHOW]
    return tuple(p for p in covered if not (plain and books.who.may_reveal(books.dictionary[p])))


def _holds(test: Test, frame: pl.DataFrame) -> pl.Expr:
    if test.field not in frame.columns:
        return pl.lit(test.op == "null")
    if test.op == "null":
        return pl.col(test.field).is_null()
    column = pl.col(test.field)
    if frame.schema[test.field] == pl.Date:
        column = column.dt.to_string("%Y-%m-%d")
    return (column == pl.lit(test.value)).fill_null(value=False)


def written(_: Books, request: Written) -> Facts[None]:
    """A line for what was handed out."""
    counts = {"rows": request.rows, **({"plain": 1} if request.plain else {})}
    return Facts(None, about=f"export:{request.sheet}", counts=counts)


# -- acts ------------------------------------------------------------------------------------------


@cache
def acts() -> Mapping[str, Act[Any, Any]]:
    """All of them by name: `export.loans`, and its steps."""
    found: list[Act[Any, Any]] = []
    for name, sheet in SHEETS.items():
        needs = f"{sheet.kind}.read"
        found += [
            _step(f"export.{name}", Export, needs, decide, audited=True),
            _step(f"export.{name}.plain", Export, "customer.reveal", decide, audited=True),
            _step(f"export.{name}.page", Page, needs, page),
            _step(f"export.{name}.written", Written, needs, written, audited=True),
        ]
    return {act.name: act for act in found}


def _step(name: str, request: type, needs: str, do: Any, *, audited: bool = False) -> Act[Any, Any]:
    return Act(name, request, needs, do, writes=False, audited=audited, hidden=True)
