"""A workbook to be filled in: one sheet with the columns of a kind, one that says how, lists behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from loanhub.acts import Act, Books, Facts
from loanhub.fields import FieldType
from loanhub.services.sheets.columns import Column, columns_of, in_order, own_paths
from loanhub.services.sheets.examples import example, shown_choices, spoken
from loanhub.services.sheets.export import refuse_target
from loanhub.services.sheets.kinds import SHEETS, SheetKind
from loanhub.services.sheets.parts import letters
from loanhub.services.sheets.rules import LONGEST, Place, hint_of, marks, rule
from loanhub.system import make_private
from loanhub.texts import Lang, render
from loanhub.words import Words
from loanhub.workbook import FormColumn, Workbook

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.institution import Institution

WIDTHS: Final[Mapping[str, int]] = {
    "text": 16, "long": 34, "money": 15, "percent": 11, "date": 13, "time": 18, "whole": 10, "term": 11,
    "choice": 14,
}  # fmt: skip
WIDEST: Final = 30
NUMBERS: Final = frozenset({FieldType.RESIDENT_ID, FieldType.USCC, FieldType.CARD})
NUMBER_WIDTH: Final = 22
HELP_WIDTH: Final = 66
TOLD: Final = frozenset({FieldType.TEXT, FieldType.NAME, FieldType.ADDRESS, FieldType.RESIDENT_ID})
"""Types whose example is told in the help; of the others the hint says it already."""


@frozen
class Template:
    """Ask for the columns of a template."""

    sheet: str


@frozen
class Outline:
    """The columns of a template by path; which of them every row needs, and which rows of some products."""

    sheet: str
    paths: tuple[str, ...]
    required: frozenset[str]
    of_products: Mapping[str, tuple[str, ...]] = field(factory=dict)


def outline(books: Books, request: Template) -> Facts[Outline]:
    """What a template asks for: the fields in use, custom ones too, and what is required of which product."""
    sheet, known = SHEETS[request.sheet], books.dictionary
    own = own_paths(known, sheet)
    first = [p for p in sheet.first if p in known.fields]
    paths = in_order(sheet, [*first, *own, *sheet.beside], own)
    required = {*sheet.required, *known.required.get("*", ())} if sheet.kind == "loan" else {*sheet.required}
    of_products: dict[str, list[str]] = {}
    for product, fields in known.required.items() if sheet.kind == "loan" else ():
        for path in sorted(fields) if product != "*" else ():
            of_products.setdefault(path, []).append(product)
    missing = [
        path for path in sorted(required | set(of_products)) if path not in paths and path in known.fields
    ]
    found = Outline(
        sheet=request.sheet,
        paths=(*paths, *missing),
        required=frozenset(required),
        of_products={path: tuple(products) for path, products in of_products.items()},
    )
    return Facts(found)


OUTLINE: Final = Act("template.outline", Template, "template.read", outline, writes=False, hidden=True)


@frozen
class Drawn:
    """A template that was written."""

    file: Path
    sheet: str
    fields: tuple[str, ...]


@define
class _Drawing:
    """One template being drawn."""

    words: Words
    lang: Lang
    sheet: SheetKind
    outline: Outline
    columns: list[Column]
    lists: Mapping[str, str] = field(factory=dict)

    def forms(self) -> list[FormColumn]:
        """All columns of the form."""
        return [self._form(at, column) for at, column in enumerate(self.columns)]

    def labels(self, column: Column) -> Mapping[str, str]:
        """What may be chosen, by value; nothing where a person writes freely."""
        name = "yes_no" if column.about.type is FieldType.YES_NO else column.about.choices
        if name is None or name not in self.words.choices:
            return {}
        known = self.words.choices[name]
        return {value: known.label(value, self.lang) for value in known.values}

    def long_lists(self) -> dict[str, list[str]]:
        """Choices by path that do not fit into a rule."""
        found = {column.path: list(self.labels(column).values()) for column in self.columns}
        return {path: labels for path, labels in found.items() if len(",".join(labels)) > LONGEST}

    def need(self, column: Column) -> str:
        """must, some or may."""
        if column.path in self.outline.required:
            return "must"
        return "some" if column.path in self.outline.of_products else "may"

    def needed(self, column: Column) -> str:
        """The same in words."""
        said = []
        if column.path in self.outline.required:
            said.append(render("template.must", self.lang).text)
        elif products := self.outline.of_products.get(column.path):
            said.append(render("template.some", self.lang, products=", ".join(products)).text)
        if column.path in self.sheet.unique:
            said.append(render("template.unique", self.lang).text)
        return ("" if self.lang == "zh" else " ").join(said)

    def example(self, at: int, column: Column) -> object:
        """Its cell in the example row."""
        return example(column, self.lang, self.labels(column), first=at == 0)

    def _form(self, at: int, column: Column) -> FormColumn:
        place = Place(
            at,
            len(self.columns),
            unique=column.path in self.sheet.unique,
            required=column.path in self.outline.required,
            id_type=self._other_paper(),
        )
        choices = list(self.labels(column).values())
        listed = self.lists.get(column.path, "")
        note = " ".join(filter(None, [self.needed(column), hint_of(column, self.lang)]))
        shown = str(self.example(at, column) or "")
        return FormColumn(
            header=column.header,
            look=column.look,
            width=self._wide(column, shown if at == 0 else ""),
            note=note,
            need=self.need(column),
            rule=rule(column, place, choices, listed, self.lang),
            marks=marks(column, place),
            example=self.example(at, column),
        )

    def _other_paper(self) -> str:
        """A formula: the row names a paper that is no resident ID card."""
        at = next((i for i, c in enumerate(self.columns) if c.path == "customer.id_type"), None)
        if at is None:
            return ""
        label = self.words.choices["id_type"].label("resident_id", self.lang)
        cell = f"${letters(at)}2"
        return f'AND({cell}<>"",{cell}<>"{label}")'

    def _wide(self, column: Column, shown: str) -> float:
        least = NUMBER_WIDTH if column.about.type in NUMBERS else WIDTHS[column.look]
        labels = [_cells(label) + 4 for label in self.labels(column).values()]
        return min(max([least, _cells(column.header) + 2, _cells(shown) + 4, *labels]), max(WIDEST, least))


def _cells(text: str) -> int:
    return sum(2 if ord(c) > 0x2E7F else 1 for c in text)


def draw(house: Institution, desk: Desk, sheet: str, target: Path, lang: Lang) -> Drawn:
    """Write a template to `target`, a new .xlsx.

    Raises Usage("sheet-suffix", "sheet-target-exists", "sheet-target-folder"), NotAllowed.
    """
    refuse_target(target, (".xlsx",))
    found: Outline = desk.do(OUTLINE, Template(sheet))
    words = Words.of(house.home, house.settings, house.dictionary)
    kind = SHEETS[sheet]
    columns = columns_of(house.dictionary, words, kind, found.paths, lang)
    drawing = _Drawing(words, lang, kind, found, columns)
    with Workbook.at(target) as book:
        form = book.form(render(f"sheet.{sheet}", lang).text)
        _help(book, drawing)
        long = drawing.long_lists()
        names = book.lists(render("template.lists", lang).text, list(long.values())) if long else []
        drawing.lists = dict(zip(long, names, strict=True))
        form.lay_out(drawing.forms())
    make_private(target)
    return Drawn(target, sheet, tuple(found.paths))


def _help(book: Workbook, drawing: _Drawing) -> None:
    """The sheet that says how: its first cell marks it as no data."""
    lang = drawing.lang
    sheet = book.sheet(render("template.help", lang).text)
    sheet.row([render("template.help-title", lang).text], book.title, fit=False)
    sheet.row([render("template.help-intro", lang).text], book.plain, fit=False)
    sheet.row([])
    heads = ("header", "need", "how", "choices")
    sheet.row([render(f"template.column.{name}", lang).text for name in heads], book.head)
    for at, column in enumerate(drawing.columns):
        example = spoken(drawing.example(at, column), column.look)
        how = hint_of(column, lang)
        if example and at and column.about.type in TOLD:
            how = f"{how} {render('template.pick', lang, example=example).text}"
        choices = shown_choices(list(drawing.labels(column).values()))
        lines = max(-(-_cells(text) // HELP_WIDTH) for text in (how, choices, drawing.needed(column)))
        sheet.row([column.header, drawing.needed(column), how, choices], book.wrap, height=14 * lines + 3)
    sheet.freeze(4)
    sheet.print_wide()
