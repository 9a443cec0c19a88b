"""Texts as they stand in XML, made readable: entities, escaped control characters, line ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import polars as pl

from loanhub import CellKind
from loanhub_format_excel.looks import Cell

_NEEDED: Final = r"[&\r]|_x[0-9A-Fa-f]{4}_"
_ENTITY: Final = re.compile(r"&(#x[0-9A-Fa-f]+|#[0-9]+|[A-Za-z]+);")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_NAMED: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
HIGHEST_CHARACTER: Final = 0x10FFFF
LONGEST_REFERENCE: Final = 12  # of a character, as in #x10FFFF; leading zeros are rare


def clean(text: str) -> str:
    """One text without entities, with real line ends, `_x000D_` and the like resolved."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return unescaped(_ENTITY.sub(_entity, text))


def unescaped(text: str) -> str:
    """Excel's own `_xHHHH_` escapes resolved; a carriage return among them ends a line like any other."""
    if "_x" not in text:
        return text
    return _ESCAPED.sub(_character, text).replace("\r\n", "\n").replace("\r", "\n")


def _entity(found: re.Match[str]) -> str:
    name = found.group(1)
    if not name.startswith("#"):
        return _NAMED.get(name, found.group())
    if len(name) > LONGEST_REFERENCE:
        return ""
    number = int(name[2:], 16) if name[1] == "x" else int(name[1:])  # noqa: FURB166 - base 0 takes more
    return _sound(number)


def _character(found: re.Match[str]) -> str:
    return _sound(int(found.group(1), 16))


def _sound(number: int) -> str:
    """The character; none for what no text can hold."""
    if number > HIGHEST_CHARACTER or 0xD800 <= number < 0xE000 or number == 0:
        return ""
    return chr(number)


def cleaned(texts: pl.Series) -> pl.Series:
    """Many texts cleaned; only those that need it are looked at one by one."""
    needed = texts.str.contains(_NEEDED)
    if not needed.any():
        return texts
    at = needed.arg_true()
    return texts.scatter(at, pl.Series([clean(text) for text in texts.gather(at)], dtype=pl.String))


def mapped(texts: pl.Series, answer: Callable[[str], Cell]) -> tuple[pl.Series, pl.Series]:
    """Text and kind of every cell, asked once for each distinct text."""
    distinct = texts.unique()
    shown = [answer(text) for text in distinct]
    table = pl.DataFrame(
        {
            "stored": distinct,
            "text": pl.Series([text for text, _ in shown], dtype=pl.String),
            "kind": pl.Series([int(kind) for _, kind in shown], dtype=pl.UInt8),
        }
    )
    found = texts.alias("stored").to_frame().join(table, on="stored", how="left", maintain_order="left")
    return found["text"], found["kind"]


def truth(stored: str) -> Cell:
    """A stored truth value."""
    stored = stored.strip()
    if not stored:
        return None, CellKind.EMPTY
    words = {"1": "TRUE", "0": "FALSE", "true": "TRUE", "false": "FALSE"}
    return (words[stored], CellKind.BOOL) if stored in words else (stored, CellKind.ERROR)


def error_value(stored: str) -> Cell:
    """A stored error such as #DIV/0!."""
    return (clean(stored), CellKind.ERROR) if stored else (None, CellKind.EMPTY)


_ISO: Final = re.compile(r"(?:(\d{4}-\d\d-\d\d))?T?(?:(\d\d:\d\d:\d\d)(?:\.\d+)?Z?)?")


def iso_moment(stored: str) -> Cell:
    """A date stored as text of ISO 8601 (t="d")."""
    found = _ISO.fullmatch(stored.strip())
    if not found or not any(found.groups()):
        return (stored, CellKind.TEXT) if stored else (None, CellKind.EMPTY)
    day, clock = found.groups()
    if day is None:
        return clock, CellKind.TIME
    return (f"{day} {clock}" if clock and clock != "00:00:00" else day), CellKind.DATE
