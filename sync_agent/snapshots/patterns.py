"""Which files are meant: patterns as in a .gitignore, for taking, finding and restoring alike.

*.tmp       whatever ends so, anywhere        /build      only at the top
cache/      folders of that name, anywhere    logs/**     everything below logs at the top
a/**/b      b any number of folders below a   !keep.tmp   after all
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Self

from attrs import frozen

from loanhub import Usage

_CLASS: Final = re.compile(r"\[(?P<not>[!^]?)(?P<set>\]?(?:\\.|[^\]\\])*)\]")


@frozen
class _Rule:
    shape: re.Pattern[str]
    folders_only: bool
    undoes: bool

    def says(self, path: str, *, folder: bool) -> bool:
        return (folder or not self.folders_only) and self.shape.fullmatch(path) is not None


@frozen
class Patterns:
    """What is wanted: everything, or what `include` names, without what `exclude` names.

    Paths are relative, parts between slashes. What lies below a folder that is meant is meant too.
    """

    include: tuple[_Rule, ...] = ()
    exclude: tuple[_Rule, ...] = ()

    @classmethod
    def of(cls, include: Iterable[str] = (), exclude: Iterable[str] = ()) -> Self:
        """From patterns as people write them; empty ones do not count. Raises `snapshot-pattern-wrong`."""
        return cls(*(tuple(_rule(text) for text in texts if text.strip()) for texts in (include, exclude)))

    def excludes(self, path: str, *, folder: bool) -> bool:
        """Whether `exclude` names it. The last pattern that fits decides; folders above are not looked at."""
        return _last_word(self.exclude, path, folder=folder)

    def includes(self, path: str, *, folder: bool, above: bool) -> bool:
        """Whether it is wanted, `above` being whether its folder is; if not, it may hold some that are."""
        return above or not self.include or _last_word(self.include, path, folder=folder)

    def wants(self, path: str, *, folder: bool = False) -> bool:
        """Whether it is wanted, every folder above it being looked at too."""
        parts = path.split("/")
        above = not self.include
        for depth in range(1, len(parts) + 1):
            here = "/".join(parts[:depth])
            is_folder = folder or depth < len(parts)
            if self.excludes(here, folder=is_folder):
                return False
            above = self.includes(here, folder=is_folder, above=above)
        return above


def _last_word(rules: Iterable[_Rule], path: str, *, folder: bool) -> bool:
    said = False
    for rule in rules:
        if rule.undoes == said and rule.says(path, folder=folder):
            said = not said
    return said


def _rule(text: str) -> _Rule:
    undoes = text.startswith("!")
    text = text[1:] if undoes else text
    folders_only = text.endswith("/")
    text = text.rstrip("/")
    anchored = "/" in text
    shape = _translated(text.removeprefix("/"))
    try:
        compiled = re.compile(shape if anchored else f"(?:.*/)?{shape}", re.DOTALL)
    except re.error:  # a range that runs backwards
        raise Usage("snapshot-pattern-wrong", pattern=text) from None
    return _Rule(compiled, folders_only, undoes)


def _translated(text: str) -> str:
    out, at = "", 0
    while at < len(text):
        if text.startswith("**/", at) and (at == 0 or text[at - 1] == "/"):
            out, at = out + "(?:.*/)?", at + 3
        elif text[at:] == "**" and (at == 0 or text[at - 1] == "/"):
            out, at = out + ".+", at + 2
        elif text[at] == "*":
            out, at = out + "[^/]*", at + 1
        elif text[at] == "?":
            out, at = out + "[^/]", at + 1
        elif found := _CLASS.match(text, at):
            out, at = out + _class(found), found.end()
        elif text[at] == "\\" and at + 1 < len(text):
            out, at = out + re.escape(text[at + 1]), at + 2
        else:
            out, at = out + re.escape(text[at]), at + 1
    return out


def _class(found: re.Match[str]) -> str:
    letters = re.sub(r"\\(.)", r"\1", found["set"])
    inside = re.sub(r"[^\w-]", lambda one: f"\\{one[0]}", letters)
    return f"(?!/)[{'^' if found['not'] else ''}{inside}]" if inside else re.escape(found[0])
