"""The columns of a sheet: which fields, under headers that map back without a question, and how they look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

from attrs import frozen

from loanhub.fields import Dictionary, Field, FieldType, Privacy
from loanhub.readings.choices import choice_key
from loanhub.services.sheets.kinds import SheetKind
from loanhub.texts import Lang
from loanhub.words import Words

T = FieldType
Look = Literal["text", "long", "money", "percent", "date", "time", "whole", "term", "choice"]

LOOKS: Final[Mapping[FieldType, Look]] = {
    T.MONEY: "money",
    T.RATE: "percent",
    T.RATIO: "percent",
    T.DATE: "date",
    T.TIME: "time",
    T.INTEGER: "whole",
    T.TERM: "term",
    T.CHOICE: "choice",
    T.YES_NO: "choice",
    T.ADDRESS: "long",
}
"""How values of a type look; all others are text."""

LONG_FROM: Final = 100
"""Characters from which on a text is one that people read in several lines."""

MONTHS: Final[Mapping[str, str]] = {"zh": "(月)", "en": " (months)"}
"""Behind the header of a term: a bare number counts months."""


@frozen
class Column:
    """One column. `context`: of another record than the row is about, shown so that a person can read it."""

    path: str
    about: Field
    header: str
    context: bool = False

    @property
    def look(self) -> Look:
        """How its values look."""
        if self.about.choices is not None:
            return "choice"
        longest = self.about.check.longest if self.about.check else None
        if self.about.type is T.TEXT and longest and longest >= LONG_FROM:
            return "long"
        return LOOKS.get(self.about.type, "text")


def about(dictionary: Dictionary, path: str) -> Field:
    """The field of a path; a column beside the fields (spouse, guarantor) is a name or a phone."""
    known = dictionary.get(path)
    if known is not None:
        return known
    kind, name = path.split(".", 1)
    phone = name.endswith("phone")
    privacy = Privacy.SENSITIVE if phone else Privacy.PERSONAL
    return Field(kind, name, T.PHONE if phone else T.NAME, privacy)


def own_paths(dictionary: Dictionary, sheet: SheetKind) -> list[str]:
    """The fields of the sheet's own kind that a sheet may fill: custom ones too, none switched off."""
    return [f.path for f in dictionary.of(sheet.kind) if f.imported or f.custom]


def in_order(sheet: SheetKind, paths: Iterable[str], known: Iterable[str]) -> list[str]:
    """Paths once each, those first that say what a row is."""
    wanted = list(dict.fromkeys(paths))
    first = [path for path in sheet.first if path in wanted]
    own = list(known)
    rest = [path for path in own if path in wanted and path not in first]
    return [*first, *rest, *(path for path in wanted if path not in {*first, *rest})]


def columns_of(
    dictionary: Dictionary, words: Words, sheet: SheetKind, paths: Iterable[str], lang: Lang
) -> list[Column]:
    """The columns of these paths, as a reader of `lang` sees them."""
    return [
        Column(path, about(dictionary, path), header(words, path, lang), path.split(".")[0] != sheet.kind)
        for path in paths
    ]


def header(words: Words, path: str, lang: Lang) -> str:
    """A header that means this field and no other: the label, else another name that does."""
    entry = words.entries.get(path, {})
    other: Lang = "en" if lang == "zh" else "zh"
    names = [words.label(path, lang), *entry.get(f"aliases_{lang}", ()), words.label(path, other)]
    found = next((str(name) for name in names if _means(words, str(name), path)), str(names[0]))
    field = words.dictionary.get(path)
    return found + MONTHS[lang] if field is not None and field.type is T.TERM else found


def _means(words: Words, name: str, path: str) -> bool:
    return words.aliases.get(choice_key(name)) == path
