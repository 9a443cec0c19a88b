"""Help in the reader's language, from the messages alone."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from loanhub.cli.names import spoken_name
from loanhub.texts import Lang, Message, catalogue, render

if TYPE_CHECKING:
    from loanhub.cli.session import Session

WIDTH: Final = 96
COMMON: Final = {
    "--json": "common.json",
    "--home DIR": "common.home",
    "--lang zh|en": "common.lang",
    "--yes": "common.yes",
    "--no-color": "common.no-color",
    "--help": "common.help",
}
Lines = Iterable[tuple[str, str]]


def about(name: str, lang: Lang) -> Message | None:
    """What the messages say of a command or a group: its sentence, and as hint its example."""
    for kind in ("command", "act", "group"):
        if f"{kind}.{name}" in catalogue():
            return render(f"{kind}.{name}", lang)
    return None


def group_help(session: Session, path: str, prefix: str, parts: Sequence[str]) -> str:
    """The help of the root or a group: what may follow, each with its sentence."""
    said = about(prefix or "loanhub", session.lang)
    names = {part: f"{prefix}.{part}".lstrip(".").replace("-", "_") for part in parts}
    lines = [(part, m.text if (m := about(name, session.lang)) else "") for part, name in names.items()]
    blocks = [f"{session.say('label.usage').text}{path} {session.say('label.usage-group').text}"]
    if said is not None:
        blocks.append(_wrapped(said.text))
    blocks += [_table(session.say("label.commands").text, lines), common(session)]
    if said is not None and said.hint:
        blocks.append(said.hint)
    return "\n\n".join(blocks) + "\n"


def command_help(session: Session, usage: str, said: Message, arguments: Lines, options: Lines) -> str:
    """The help of a command: how it is called, what it does, an example, every parameter."""
    blocks = [f"{session.say('label.usage').text}{usage}", _wrapped(said.text)]
    if said.hint:
        blocks.append(said.hint)
    for title, lines in (("label.arguments", arguments), ("label.options", options)):
        if found := list(lines):
            blocks.append(_table(session.say(title).text, found))
    return "\n\n".join([*blocks, common(session)]) + "\n"


def common(session: Session) -> str:
    """The options every command has."""
    lines = [(option, session.say(code).text) for option, code in COMMON.items()]
    return _table(session.say("label.common").text, lines)


def parameter(name: str, field: str, lang: Lang) -> str:
    """What the messages say of a parameter; nothing when they know nothing."""
    for code in (f"option.{name}.{field}", f"param.{name}.{field}"):
        if code in catalogue():
            return render(code, lang).text
    return ""


def usage_line(path: str, name: str, metavars: Sequence[str], session: Session) -> str:
    """`loanhub customer show CUSTOMER [options]`."""
    words = [path or f"loanhub {spoken_name(name)}", *metavars, session.say("label.usage-command").text]
    return " ".join(words)


def _table(title: str, lines: Lines) -> str:
    rows = list(lines)
    width = min(max((_cells(left) for left, _ in rows), default=0) + 2, 30)
    found = [title]
    for left, right in rows:
        parts = _folded(right, WIDTH - width - 2) or [""]
        if _cells(left) > width - 2:
            found.append(f"  {left}")
        else:
            found.append(f"  {left}{' ' * (width - _cells(left))}{parts.pop(0)}".rstrip())
        found += [f"  {' ' * width}{part}" for part in parts if part]
    return "\n".join(found)


def _wrapped(text: str) -> str:
    return "\n".join(_folded(text, WIDTH))


def _folded(text: str, width: int) -> list[str]:
    """Text in lines of so many cells; Chinese breaks anywhere, English between words."""
    if _cells(text) == len(text):
        return textwrap.wrap(text, width)
    lines, line, used = [], "", 0
    for letter in text:
        if used + _cells(letter) > width and letter not in "，。；：！？）、”":
            lines.append(line)
            line, used = "", 0
        line, used = line + letter, used + _cells(letter)
    return [*lines, line]


def _cells(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
