"""What people call things: labels of fields, kinds and choices, and the headers that mean a field.

Data of `config/words.toml` and `config/choices.toml`, with the home's own files laid over them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from attrs import define, field

from loanhub.fields import Dictionary, FieldType
from loanhub.home import Home
from loanhub.readings.choices import ChoiceList, choice_key, choice_lists, shipped_document
from loanhub.settings import Settings, config, default
from loanhub.texts import LANGS, Lang


@define
class Words:
    """The words of one home. A path such as `loan.monthly_rate` may be a pseudo field: a column that sheets
    have and that fills a field.
    """

    dictionary: Dictionary
    entries: Mapping[str, Mapping[str, Any]] = field(repr=False)
    kinds: Mapping[str, Mapping[str, str]] = field(repr=False)
    ambiguous: Mapping[str, tuple[str, ...]] = field(repr=False)
    choices: Mapping[str, ChoiceList] = field(repr=False)

    @classmethod
    def of(cls, home: Home, settings: Settings, dictionary: Dictionary) -> Words:
        """The words of a home; fields switched off have no aliases."""
        document = config(home, "words.toml")
        entries: dict[str, Mapping[str, Any]] = {
            f"{kind}.{name}": words
            for kind, names in document.items()
            if kind not in {"kinds", "ambiguous"}
            for name, words in names.items()
        }
        for custom in settings.fields.custom:
            entries[f"{custom.kind}.{custom.name}"] = {
                "label_zh": custom.label_zh,
                "label_en": custom.label_en,
                "aliases_zh": custom.aliases,
            }
        ambiguous = {choice_key(header): tuple(paths) for header, paths in document["ambiguous"].items()}
        own = config(home, "choices.toml")
        choices = choice_lists(shipped_document(), own) if own else choice_lists(shipped_document())
        return cls(dictionary, entries, document["kinds"], ambiguous, choices)

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Comparison key of a header to the field path it means; ambiguous headers are not here."""
        found: dict[str, str] = {}
        for path, words in self.entries.items():
            if not self.in_use(path):
                continue
            names = [words["label_zh"], words["label_en"]]
            for name in [*names, *words.get("aliases_zh", ()), *words.get("aliases_en", ())]:
                found.setdefault(choice_key(name), path)
        return {key: path for key, path in found.items() if key not in self.ambiguous}

    def in_use(self, path: str) -> bool:
        """Whether a column may be mapped to the path: an imported field, or a pseudo field."""
        about = self.dictionary.get(path)
        if about is not None:
            return about.imported or about.custom
        words = self.entries.get(path, {})
        if not words.get("pseudo"):
            return False
        fills = words.get("fills", ())
        targets = [fills] if isinstance(fills, str) else list(fills)
        return not targets or any(self.dictionary.get(target) for target in targets)

    def label(self, path: str, lang: Lang) -> str:
        """The label of a field path; an unknown path shows itself."""
        return str(self.entries.get(path, {}).get(f"label_{lang}", path))

    def kind(self, kind: str, lang: Lang) -> str:
        """The label of a kind of record."""
        return str(self.kinds.get(kind, {}).get(f"label_{lang}", kind))

    def shown(self, path: str, value: Any, lang: Lang) -> str:
        """A value for a reader: choices by their label, yes and no in words, the rest as text."""
        about = self.dictionary.get(path)
        if value is None:
            return ""
        if about is not None and about.choices is not None and about.choices in self.choices:
            return self.choices[about.choices].label(str(value), lang)
        if about is not None and about.type is FieldType.YES_NO:
            return {"zh": ("否", "是"), "en": ("no", "yes")}[lang][bool(value)]
        return str(value)


def shipped_labels() -> Mapping[str, str]:
    """Comparison key of the labels LoanHub ships to the field path, for columns a sheet may have."""
    return {
        choice_key(words[f"label_{lang}"]): f"{kind}.{name}"
        for kind, names in default("words.toml").items()
        if kind not in {"kinds", "ambiguous"}
        for name, words in names.items()
        for lang in LANGS
    }
