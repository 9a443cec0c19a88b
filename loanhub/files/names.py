"""Names of files: made safe, and told apart by what they mean (temporary, owner's mark, our own)."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Final

from loanhub.system import reserved_name

LONGEST: Final = 255  # bytes of UTF-8; no file system we know takes more
_LONGEST_SUFFIX: Final = 20
_LONGEST_SPOKEN: Final = 200  # ".mapping.toml" and the like must fit behind it
_LONGEST_REMOTE: Final = 200  # a folder of Windows leaves 260 for the whole path
_PART: Final = re.compile(r"[a-z0-9_-][a-z0-9._-]*")
_PLAIN: Final = frozenset(" ._-+()[]@,'#&（）【】《》〈〉「」、，·～－—￥")
_TEMPORARY: Final = re.compile(
    r"(?:.*\.(?:tmp|temp|part|partial|filepart|crdownload|download|opdownload|swp|bak~)|[0-9a-f]{8}|~.*\.tmp|.*~)",
    re.IGNORECASE,
)
_OWNER: Final = re.compile(r"~\$.*|\.~lock\..*#|\.~.*")
_SYSTEM: Final = frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"})
_OWN: Final = (".mapping.toml",)


def safe_name(text: str, *, limit: int = LONGEST) -> str:
    """A file name made of `text`: letters, digits and a few marks, the ending kept; never empty.

    Control, bidirectional and invisible characters vanish, separators and the rest become "_", a dot,
    tilde or dash at the start and dots and spaces at the end vanish, names that Windows keeps get a
    "_" in front, and it is cut to `limit` bytes of UTF-8. Applying it again changes nothing.
    """
    allowed = "".join(_allowed(letter) for letter in text)
    name = _unreserved(_trim(unicodedata.normalize("NFC", allowed)))
    stem, dot, suffix = name.rpartition(".")
    ending = (dot + suffix).encode()
    if not stem or len(ending) > _LONGEST_SUFFIX:
        stem, ending = name, b""
    short = _cut(stem, limit - len(ending))
    return _unreserved(_trim(short) + ending.decode()) if short != stem else name


def _unreserved(name: str) -> str:
    return f"_{name}" if reserved_name(name) else name or "file"


def _allowed(letter: str) -> str:
    category = unicodedata.category(letter)
    if letter in _PLAIN or category[0] in "LN" or category in ("Mn", "Mc"):
        return letter
    return "" if category[0] == "C" else "_"


def _trim(name: str) -> str:
    return re.sub(r"[. ]+$", "", re.sub(r"^[\s.~-]+", "", name))


def _cut(name: str, limit: int) -> str:
    return name.encode()[:limit].decode(errors="ignore")


def ignored(name: str) -> str | None:
    """Why a file of this name in a drop folder is nobody's workbook; None when it may be one."""
    if _OWNER.fullmatch(name):
        return "owner-mark"
    if _TEMPORARY.fullmatch(name):
        return "temporary"
    if name.startswith("."):
        return "hidden"
    if name.casefold() in _SYSTEM:
        return "system"
    return "own" if name.casefold().endswith(_OWN) else None


def owner_file(path: Path) -> Path | None:
    """The mark beside `path` of a program that has it open: Excel, WPS (~$, .~) or LibreOffice (.~lock)."""
    marks = (f"~${path.name}", f".~{path.name}", f".~lock.{path.name}#")
    return beside(path, *marks)


def beside(path: Path, *names: str) -> Path | None:
    """The first of `names` that lies beside `path`; a name that is longer than names can be does not."""
    return next((other for other in map(path.with_name, names) if _is_there(other)), None)


def remote_name(name: str) -> str:
    """`name` if objects of a remote may be called so, on object storage and on any disk; else ValueError.

    Parts of [a-z0-9._-] between slashes, none with a dot at an end or kept by Windows, 200 letters in all.
    """
    parts = name.split("/")
    if len(name) > _LONGEST_REMOTE or not all(_PART.fullmatch(p) and not reserved_name(p) for p in parts):
        raise ValueError(f"objects may not be called {name!r}")
    return name


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def spoken_name(name: str) -> str:
    """A file's name as text that can be kept and said: at most 200 bytes of UTF-8, the ending kept.

    Bytes that are not UTF-8 (names out of old archives) are read as GB18030.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("gb18030", "replace")
    stem, dot, ending = name.rpartition(".")
    if len(name.encode()) <= _LONGEST_SPOKEN:
        return name
    if not stem or len(ending.encode()) > _LONGEST_SUFFIX:
        return _cut(name, _LONGEST_SPOKEN)
    return _cut(stem, _LONGEST_SPOKEN - len((dot + ending).encode())) + dot + ending
