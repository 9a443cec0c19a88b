"""Roles: what `roles.toml` says a post may do and see, compiled once to sets and levels.

Of the words that cover a field the most specific counts: its own path, then `kind.*`, then its privacy class
(business, personal, sensitive); among equals the strictest. A field that no word covers is hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import attrs
from attrs import frozen

from loanhub.errors import Misconfigured
from loanhub.fields import Dictionary, Field, Privacy
from loanhub.policy.levels import SHUT, Level, Sight
from loanhub.policy.principal import Permission

Reach = Literal["own", "team", "branch", "all"]
"""Whose customers: one's own, those of one's team, of one's branch, everybody's."""

REACHES: Final[tuple[Reach, ...]] = ("own", "team", "branch", "all")
LEVELS: Final[Mapping[str, Level]] = {"shows": Level.SHOW, "masks": Level.MASK, "hides": Level.HIDE}
WORDS: Final = frozenset({"label_zh", "label_en", "scope", "may", "reveals", "idle", *LEVELS})


@frozen
class Role:
    """One post. `reveals`: paths of fields it may ask to see in plain, with a reason. `idle`: minutes after
    which a sign-in that does nothing ends.
    """

    name: str
    label_zh: str
    label_en: str
    scope: Reach
    may: frozenset[Permission]
    sees: Sight = attrs.field(repr=False)
    reveals: frozenset[str] = frozenset()
    idle: int = 60


def read_roles(document: Mapping[str, Any], dictionary: Dictionary) -> Mapping[str, Role]:
    """The roles of a `roles.toml`, by name. Raises Misconfigured("settings-wrong") with every fault in it."""
    faults: list[str] = []
    found = {name: _role(name, words, dictionary, faults) for name, words in document.items()}
    if faults:
        raise Misconfigured("settings-wrong", file="roles.toml", faults="; ".join(faults))
    return {name: role for name, role in found.items() if role is not None}


def _role(name: str, words: Any, dictionary: Dictionary, faults: list[str]) -> Role | None:
    if not isinstance(words, Mapping):
        faults.append(f"{name} is no table")
        return None
    faults += [f"{name}.{word} is unknown" for word in sorted(set(words) - WORDS)]
    reach = words.get("scope", "")
    if reach not in REACHES:
        faults.append(f"{name}.scope must be one of {', '.join(REACHES)}")
    idle = words.get("idle", 60)
    if not isinstance(idle, int) or isinstance(idle, bool) or not 1 <= idle <= 24 * 60:
        faults.append(f"{name}.idle must be minutes from 1 to 1440")
    lists = {word: _texts(name, word, words.get(word, []), faults) for word in ("may", "reveals", *LEVELS)}
    said: dict[str, Level] = {}
    for word, level in LEVELS.items():
        for path in lists[word]:
            if not _covers_something(path, dictionary):
                faults.append(f"{name}.{word}: there is no field {path}")
            said[path] = min(level, said.get(path, level))
    faults += [
        f"{name}.reveals: there is no field {p}" for p in lists["reveals"] if dictionary.get(p) is None
    ]
    return Role(
        name,
        str(words.get("label_zh", name)),
        str(words.get("label_en", name)),
        reach,
        frozenset(lists["may"]),
        compiled(said, dictionary.fields.values()),
        frozenset(lists["reveals"]),
        idle if isinstance(idle, int) else 60,
    )


def _texts(name: str, word: str, told: Any, faults: list[str]) -> list[str]:
    if isinstance(told, list) and all(isinstance(one, str) for one in told):
        return told
    faults.append(f"{name}.{word} must be a list of texts")
    return []


def _covers_something(path: str, dictionary: Dictionary) -> bool:
    if path in set(Privacy) or dictionary.get(path) is not None:
        return True
    kind, _, rest = path.partition(".")
    return rest == "*" and any(about.kind == kind for about in dictionary.fields.values())


def compiled(said: Mapping[str, Level], fields: Iterable[Field]) -> Sight:
    """The level of every field under these words."""
    levels = {about.path: _level(said, about) for about in fields}
    return attrs.evolve(SHUT, levels={path: level for path, level in levels.items() if level > Level.HIDE})


def _level(said: Mapping[str, Level], about: Field) -> Level:
    for word in (about.path, f"{about.kind}.*", about.privacy.value):
        if word in said:
            return said[word]
    return Level.HIDE
