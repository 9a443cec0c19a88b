"""Words for people: a message is a code with facts, rendered in Chinese or English at the edge.

The words stand in `config/messages/*.toml`, one table a code:

    [wrong-passphrase]
    zh = "口令不对。"
    en = "The passphrase is wrong."
    hint_zh = "请再试一次；若已忘记，用恢复密钥打开。"
    hint_en = "Try again; if it is lost, open the home with the recovery key."

Labels of fields, kinds and choices stand in `config/words.toml` and are read by `loanhub.settings`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from attrs import frozen

from loanhub.errors import LoanHubError

Lang = Literal["zh", "en"]
LANGS: Final[tuple[Lang, ...]] = ("zh", "en")


@frozen
class Message:
    """What is shown: `text` says what and where, `hint` what to do next (may be empty)."""

    code: str
    text: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.hint}".strip()


@cache
def catalogue() -> dict[str, dict[str, str]]:
    """All messages by code. Raises ValueError when two files give one code."""
    found: dict[str, dict[str, str]] = {}
    for entry in sorted((files("loanhub_defaults") / "messages").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            for code, words in _topic(entry.name).items():
                if code in found:
                    raise ValueError(f"message {code} stands twice, again in {entry.name}")
                found[code] = words
    return found


@cache
def _topic(name: str) -> dict[str, dict[str, str]]:
    """The messages of one file; none if there is no such file."""
    entry = files("loanhub_defaults") / "messages" / name
    return tomllib.loads(entry.read_text(encoding="utf-8")) if entry.is_file() else {}


def _words(code: str) -> dict[str, str] | None:
    """The words of a code. Many stand in the file of their first word, which is read without the others."""
    return _topic(f"{code.partition('.')[0]}.toml").get(code) or catalogue().get(code)


def render(code: str, lang: Lang, /, **facts: object) -> Message:
    """The message of `code` in `lang`; an unknown code shows itself rather than nothing."""
    words = _words(code)
    if words is None:
        return Message(code, LoanHubError(code, **facts).__str__())
    return Message(code, _fill(words[lang], facts), _fill(words.get(f"hint_{lang}", ""), facts))


def say(error: LoanHubError, lang: Lang) -> Message:
    """The words of an error."""
    return render(error.code, lang, **error.facts)


class _Shown(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "{" + name + "}"


def _fill(words: str, facts: dict[str, object]) -> str:
    return words.format_map(_Shown(facts))
