"""The timetable of reminders: `reminders.toml`, typed, checked, and read once a call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs
from attrs import frozen

from loanhub import money
from loanhub.acts import Books
from loanhub.errors import Misconfigured
from loanhub.settings import structure
from loanhub.texts import Lang

FILE: Final = "reminders.toml"
LETTERS: Final = ("due", "overdue", "maturity")
"""What a customer may be written about; the rest is for our own people."""
ABOUT: Final = (*LETTERS, "follow_up", "promise")
INBOX: Final = "inbox"
"""Work for our own people: listed, never sent."""

IN_TEXT: Final = frozenset({"salutation", "lines", "as_of", "institution"})
IN_LINE: Final = frozenset({"loan", "date", "amount"})
_HOLE: Final = re.compile(r"\{([^{}]*)\}")


@frozen(kw_only=True)
class Occasion:
    """When to remind of what: `offset` days after the day it is about; see `config/reminders.toml`."""

    about: str
    offset: int
    text_class: str
    channel: str
    template: str
    only_large: bool = False


@frozen(kw_only=True)
class Template:
    """Words of a letter in both languages."""

    subject_zh: str
    subject_en: str
    line_zh: str
    line_en: str
    text_zh: str
    text_en: str

    def words(self, part: str, lang: Lang) -> str:
        """`part` is subject, line or text."""
        words: str = getattr(self, f"{part}_{lang}")
        return words


@frozen(kw_only=True)
class Timetable:
    """All of `reminders.toml`. `large` in yuan."""

    catch_up: int
    large: str
    large_methods: list[str]
    lease_minutes: int
    retry_minutes: int
    most_tries: int
    occasions: list[Occasion]
    templates: dict[str, Template]

    @property
    def large_fen(self) -> int:
        """The amount from which a loan is large, in fen."""
        return money.parse(self.large)


def timetable_of(books: Books) -> Timetable:
    """The institution's timetable: the home's own reminders.toml over the shipped one."""
    return timetable(books.config(FILE))


def timetable(values: Mapping[str, Any]) -> Timetable:
    """The timetable of the file's values.

    Raises Misconfigured("settings-wrong") for a wrong key or type, ("reminder-occasion") for an occasion that
    is about nothing known or a letter without template, ("reminder-variable") for words that want more than
    the few variables they may have.
    """
    found = structure(Timetable, values, FILE)
    for one in found.occasions:
        known = one.about in ABOUT if one.channel == INBOX else one.about in LETTERS
        if not known or (one.channel != INBOX and one.template not in found.templates):
            raise Misconfigured("reminder-occasion", about=one.about, template=one.template, file=FILE)
    for name, template in found.templates.items():
        for part, words in attrs.asdict(template).items():
            allowed = {"subject": frozenset[str](), "line": IN_LINE}.get(part.partition("_")[0], IN_TEXT)
            for variable in _HOLE.findall(words):
                if variable not in allowed:
                    raise Misconfigured("reminder-variable", template=name, variable=variable, file=FILE)
    return found


def fill(words: str, values: Mapping[str, str]) -> str:
    """Words with their variables filled in; nothing but names is understood between the braces."""
    return _HOLE.sub(lambda hole: values[hole[1]], words)
