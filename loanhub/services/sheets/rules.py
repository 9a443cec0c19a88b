"""What Excel checks while a template is filled in: what may be typed, and what it colours.

Uniqueness is counted by comparing texts: COUNTIF takes long numbers for numbers and compares 15 digits only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from attrs import frozen

from loanhub.fields import Field, FieldType
from loanhub.services.sheets.columns import Column
from loanhub.services.sheets.parts import letters
from loanhub.texts import Lang, catalogue, render
from loanhub.workbook import FORM_ROWS

T = FieldType

FIRST, LAST = date(1900, 3, 1), date(2199, 12, 31)
MOST_MONTHS: Final = 600
STRICT: Final = "stop"
SOFT: Final = "warning"
LONGEST: Final = 255
"""Characters of an input message, and of a list that stands in the rule itself."""
TITLE: Final = 32


@frozen
class Place:
    """A column's place in the sheet, for formulas that start at the second row."""

    at: int
    columns: int
    unique: bool
    required: bool
    id_type: str = ""
    """Where the type of the paper stands, and the label of the resident ID card: `=$C2=居民身份证`."""

    @property
    def cell(self) -> str:
        """The cell of the first row of data, with its column held fast."""
        return f"${letters(self.at)}2"

    @property
    def twice(self) -> str:
        """Whether the value stands more than once."""
        column = letters(self.at)
        return f"SUMPRODUCT(--(${column}$2:${column}${FORM_ROWS + 1}={self.cell}))>1"

    @property
    def row(self) -> str:
        """Whether anything stands in the row."""
        return f"COUNTA($A2:${letters(self.columns - 1)}2)>0"


def rule(column: Column, place: Place, choices: Sequence[str], listed: str, lang: Lang) -> dict[str, Any]:
    """What may be typed, with a message before and after, as XlsxWriter takes it."""
    about = column.about
    found = _allowed(about, place, choices, listed)
    hint = hint_of(column, lang)
    wrong = render("fill.wrong", lang, header=column.header).text
    return {
        "ignore_blank": True,
        "input_title": column.header[:TITLE],
        "input_message": hint[:LONGEST],
        "error_title": column.header[:TITLE],
        "error_message": f"{wrong}{hint}"[:LONGEST],
        **found,
    }


def _allowed(about: Field, place: Place, choices: Sequence[str], listed: str) -> Mapping[str, Any]:
    kind, cell = about.type, place.cell
    if choices:
        source: Any = listed or list(choices)
        return {"validate": "list", "source": source, "error_type": STRICT}
    if kind is T.MONEY:
        least = 0.01 if about.check and about.check.least == 1 else 0
        formula = f"=AND(ISNUMBER({cell}),{cell}>={least},ROUND({cell},2)={cell})"
        return {"validate": "custom", "value": formula, "error_type": STRICT}
    if kind in (T.DATE, T.TIME):
        return _between("date", FIRST, LAST, STRICT)
    if kind is T.INTEGER:
        least = about.check.least if about.check and about.check.least is not None else 0
        most = about.check.most if about.check and about.check.most is not None else 2**31
        return _between("integer", least, most, STRICT)
    if kind is T.TERM:
        return _between("integer", 1, MOST_MONTHS, SOFT)
    if kind is T.RATE:
        return _between("decimal", 0, 1, SOFT)
    if kind is T.RATIO:
        return _between("decimal", 0, 10, SOFT)
    tests = _tests(about, place)
    if tests:
        return {"validate": "custom", "value": f"=AND({','.join(tests)})", "error_type": SOFT}
    longest = about.check.longest if about.check and about.check.longest else 500
    return {"validate": "length", "criteria": "<=", "value": longest, "error_type": STRICT}


def _between(what: str, least: object, most: object, how: str) -> Mapping[str, Any]:
    return {"validate": what, "criteria": "between", "minimum": least, "maximum": most, "error_type": how}


def _tests(about: Field, place: Place) -> list[str]:
    tests = [good] if (good := _shape(about, place)) else []
    return [*tests, f"NOT({place.twice})"] if place.unique else tests


def _shape(about: Field, place: Place) -> str:
    """What a number of a paper, a card or a phone looks like."""
    cell = place.cell
    resident = f"OR(LEN({cell})=18,LEN({cell})=15)"
    shapes = {
        T.RESIDENT_ID: f"OR({resident},{place.id_type})" if place.id_type else resident,
        T.USCC: f"LEN({cell})=18",
        T.MOBILE: f'AND(LEN({cell})=11,LEFT({cell},1)="1")',
        T.CARD: f"AND(LEN({cell})>=8,LEN({cell})<=30)",
        T.EMAIL: f'ISNUMBER(FIND("@",{cell}))',
    }
    return shapes.get(about.type, "")


def marks(column: Column, place: Place) -> list[tuple[str, str]]:
    """Formulas and looks: twice red, of a wrong length red, text for a number amber, a hole yellow."""
    cell, found = place.cell, []
    if place.unique:
        found.append((f'=AND({cell}<>"",{place.twice})', "wrong"))
    if shape := _shape(column.about, place):
        found.append((f'=AND({cell}<>"",NOT({shape}))', "wrong"))
    if column.look in ("money", "percent", "date", "time", "whole"):
        found.append((f"=ISTEXT({cell})", "odd"))
    if place.required:
        found.append((f"=AND({place.row},ISBLANK({cell}))", "missing"))
    return found


def hint_of(column: Column, lang: Lang) -> str:
    """How a column is filled in, in a sentence."""
    about = column.about
    facts: dict[str, object] = {"least": 0, "most": "", "longest": 500}
    if about.check is not None:
        facts.update({k: v for k in facts if (v := getattr(about.check, k)) is not None})
    own = f"fill.{column.path}"
    if own in catalogue():
        return render(own, lang, **facts).text
    kind = "choice" if about.choices is not None else str(about.type.value)
    if about.type is T.INTEGER and not facts["most"]:
        kind = "count"
    return render(f"fill.{kind}", lang, **facts).text
