"""Words for one of a fixed set: 等额本息 is equal_installment. An exact alias or nothing; 等额 is not enough.

The sets with their labels and aliases are data: `config/choices.toml`, to which a home may add.
"""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from attrs import frozen

from loanhub.errors import Misconfigured
from loanhub.readings import LONGEST, Reading, refused, tidy
from loanhub.texts import Lang


@frozen
class ChoiceList:
    """One set, such as the repayment methods: its values in order, their labels, and what people write."""

    name: str
    labels_zh: Mapping[str, str]
    labels_en: Mapping[str, str]
    table: Mapping[str, str]

    @property
    def values(self) -> tuple[str, ...]:
        return tuple(self.labels_zh)

    def label(self, value: str, lang: Lang) -> str:
        """The label of a value; an unknown value shows itself."""
        return (self.labels_zh if lang == "zh" else self.labels_en).get(value, value)

    def read(self, text: str) -> Reading[str]:
        return read_choice(text, self.table)


def choice_key(text: str) -> str:
    """The form in which aliases are compared: NFKC, lower case, without spaces and punctuation."""
    return "".join(c for c in tidy(text).casefold() if unicodedata.category(c)[0] not in "PZC")


def read_choice(text: str, table: Mapping[str, str]) -> Reading[str]:
    """The value that `table` (from `choice_table`) has for this text, exactly."""
    if not tidy(text):
        return refused("cell-empty")
    value = table.get(choice_key(text[: 2 * LONGEST]))
    return refused("choice-unknown") if value is None else Reading(value)


def choice_table(aliases: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Comparison keys to values, from the aliases of each value; a value is an alias of itself.

    Raises Misconfigured when an alias is empty or means two values.
    """
    table: dict[str, str] = {}
    for value, words in aliases.items():
        for word in (value, *words):
            key = choice_key(word)
            if not key:
                raise Misconfigured("choice-alias-empty", choice=value)
            if table.setdefault(key, value) != value:
                raise Misconfigured("choice-alias-twice", alias=word, first=table[key], second=value)
    return table


def choice_lists(*documents: Mapping[str, Any]) -> dict[str, ChoiceList]:
    """The sets of one or more documents in the form of `config/choices.toml`; later ones add to earlier."""
    merged: dict[str, dict[str, dict[str, Any]]] = {}
    for document in documents:
        for name, values in document.items():
            for value, words in values.items():
                entry = merged.setdefault(name, {}).setdefault(value, {"aliases": []})
                entry.update({k: v for k, v in words.items() if k != "aliases"})
                entry["aliases"] = [*entry["aliases"], *words.get("aliases", ())]
    return {name: _choice_list(name, values) for name, values in merged.items()}


def _choice_list(name: str, values: Mapping[str, Mapping[str, Any]]) -> ChoiceList:
    for value, words in values.items():
        if not {"zh", "en"} <= words.keys():
            raise Misconfigured("choice-without-label", choice=f"{name}.{value}")
    aliases = {v: (w["zh"], w["en"], *w["aliases"]) for v, w in values.items()}
    zh = {v: str(w["zh"]) for v, w in values.items()}
    en = {v: str(w["en"]) for v, w in values.items()}
    return ChoiceList(name, zh, en, choice_table(aliases))


@cache
def shipped_document() -> dict[str, Any]:
    """`config/choices.toml` as it comes with the software."""
    return tomllib.loads((files("loanhub_defaults") / "choices.toml").read_text(encoding="utf-8"))


@cache
def shipped_choices() -> dict[str, ChoiceList]:
    """The sets that come with the software, by name."""
    return choice_lists(shipped_document())
