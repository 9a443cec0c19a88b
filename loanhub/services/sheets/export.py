"""An export into a file: page by page, beside its place, and put there whole when all of it is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
from attrs import define, field, frozen

from loanhub.errors import Usage
from loanhub.files import move, need_space
from loanhub.jobs import Progress
from loanhub.keys import Secret
from loanhub.services.sheets import texts
from loanhub.services.sheets.asking import Export, Page, Paged, Plan, Written, acts
from loanhub.services.sheets.cells import Cells, Painter
from loanhub.services.sheets.columns import Column, columns_of
from loanhub.services.sheets.kinds import SHEETS
from loanhub.services.sheets.stream import Head, SheetStream
from loanhub.sheets import RECORD_COLUMNS
from loanhub.system import make_private
from loanhub.texts import Lang, render
from loanhub.words import Words
from loanhub.workbook import encrypt, need_encryption

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.institution import Institution

SUFFIXES: Final = (".xlsx", ".csv")
SPACE: Final = 64 << 20
"""Free bytes asked for before an export begins."""
NARROW, WIDE, WIDE_LONG = 9, 26, 40
"""Widths of columns in characters: at least, at most, and at most of texts of several lines."""
MARK_WIDTH, VERSION_WIDTH = 20, 8

Write = Callable[[Sequence[Cells]], None]


@frozen
class Exported:
    """A file that was handed out: its columns by field, and which of them are masked."""

    file: Path
    sheet: str
    rows: int
    fields: tuple[str, ...]
    masked: tuple[str, ...]
    locked: bool = False


@define
class Exporting:
    """One export of a house. `run` yields its progress; `done` is there at the end."""

    house: Institution
    desk: Desk
    lang: Lang
    asked: Export
    target: Path
    password: Secret | None = field(default=None, repr=False)
    done: Exported | None = None
    _columns: list[Column] = field(factory=list, init=False)
    _rows: int = field(default=0, init=False)

    def run(self) -> Iterator[Progress]:
        """Write the file.

        Raises Usage("sheet-suffix", "sheet-target-exists", "sheet-target-folder", "sheet-csv-password",
        "password-extra-missing"), what `asking.decide` raises, and Busy("disk-full").
        """
        refuse_target(self.target, SUFFIXES)
        if self.password is not None:
            if self.target.suffix.lower() == ".csv":
                raise Usage("sheet-csv-password")
            need_encryption()
        need_space(self.target.parent, SPACE)
        plan: Plan = self._act(".plain" if self.asked.plain else "", self.asked)
        draft = self.target.with_name(f".{self.target.name}.part")
        try:
            yield from self._write(plan, draft)
            if self.password is not None:
                encrypt(draft, self.password)
            self._act(".written", Written(plan.sheet, self._rows, plan.plain))
            make_private(draft)
            move(draft, self.target)
        finally:
            draft.unlink(missing_ok=True)
        self.done = self._told(plan)

    def _act(self, step: str, request: Any) -> Any:
        return self.desk.do(acts()[f"export.{self.asked.sheet}{step}"], request)

    def _write(self, plan: Plan, draft: Path) -> Iterator[Progress]:
        first: Paged = self._act(".page", Page(plan))
        words = Words.of(self.house.home, self.house.settings, self.house.dictionary)
        paths = [path for path in plan.paths if _shown(plan, first, path)]
        self._columns = columns_of(self.house.dictionary, words, plan.kind, paths, self.lang)
        workbook = self.target.suffix.lower() == ".xlsx"
        painter = Painter(self.lang, self.house.zone, words.choices, workbook)
        with self._opened(draft, plan, workbook, painter, first) as write:
            page, seen = first, 0
            while True:
                write(_with_marks(painter.cells(page.frame, self._columns), page.frame))
                self._rows += page.frame.height
                seen = plan.last if page.next is None else page.next
                yield Progress(seen, plan.last, "exporting")
                if page.next is None:
                    return
                page = self._act(".page", Page(plan, page.next))

    def _opened(
        self, draft: Path, plan: Plan, workbook: bool, painter: Painter, first: Paged
    ) -> AbstractContextManager[Write]:
        marks = RECORD_COLUMNS[0 if self.lang == "zh" else 1]
        if not workbook:
            return _csv(draft, [*(c.header for c in self._columns), *marks])
        cells = painter.cells(first.frame.head(200), self._columns)
        heads = [_head(column, cell) for column, cell in zip(self._columns, cells, strict=True)]
        heads += [Head(marks[0], "quiet", MARK_WIDTH, quiet=True)]
        heads += [Head(marks[1], "quiet-whole", VERSION_WIDTH, quiet=True)]
        title = render(f"sheet.{plan.sheet}", self.lang).text
        return _xlsx(draft, title, heads, 2 if len(heads) > 5 else 1)

    def _told(self, plan: Plan) -> Exported:
        paths = tuple(column.path for column in self._columns)
        hidden = tuple(path for path in paths if path in plan.masked)
        return Exported(self.target, plan.sheet, self._rows, paths, hidden, self.password is not None)


def refuse_target(target: Path, suffixes: Sequence[str]) -> None:
    """Raises Usage when the file is there already, has another suffix, or its folder is missing."""
    if target.suffix.lower() not in suffixes:
        raise Usage("sheet-suffix", name=target.name, suffixes=" / ".join(suffixes))
    if target.exists():
        raise Usage("sheet-target-exists", name=target.name)
    if not target.parent.is_dir():
        raise Usage("sheet-target-folder", name=target.parent.name)


def _shown(plan: Plan, first: Paged, path: str) -> bool:
    """Columns that are empty in every row are left out, unless asked for; known of one page only."""
    if path not in first.frame.columns:
        return False
    keep = plan.chosen or first.next is not None or path in SHEETS[plan.sheet].required
    column = first.frame[path]
    own = f"#{path.split('.')[1]}_text"
    texts = own in first.frame.columns and first.frame[own].null_count() < first.frame.height
    floats = path == "loan.rate"
    return keep or texts or floats or column.null_count() < column.len()


def _with_marks(cells: list[Cells], frame: pl.DataFrame) -> list[Cells]:
    return [*cells, Cells(frame["#mark"]), Cells(frame["#version"].cast(pl.String), numbers=True)]


def _head(column: Column, cells: Cells) -> Head:
    """The header of a column, as wide as its first values need."""
    most = WIDE_LONG if column.look == "long" else WIDE
    lengths = [_width(text) for text in cells.texts.drop_nulls().to_list()]
    if column.look in ("date", "time", "percent"):
        lengths = [{"date": 11, "time": 16, "percent": 9}[column.look]]
    if column.look == "money":
        lengths = [length + length // 3 for length in lengths]
    needed = max([_width(column.header) + 3, *lengths], default=NARROW)
    return Head(column.header, column.look, max(NARROW, min(needed + 2, most)), quiet=False)


def _width(text: str) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text[:80])


@contextmanager
def _csv(draft: Path, titles: Sequence[str]) -> Iterator[Write]:
    with draft.open("wb") as out:
        make_private(draft)
        texts.write_head(out, titles)
        yield lambda cells: texts.write_rows(out, cells)


@contextmanager
def _xlsx(draft: Path, title: str, heads: Sequence[Head], frozen_columns: int) -> Iterator[Write]:
    draft.touch()
    make_private(draft)
    with SheetStream.at(draft, title, heads, frozen_columns) as stream:
        yield stream.write
