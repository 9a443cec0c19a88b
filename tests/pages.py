"""The project's own pages as tests read them: fences, links, and what a reader would type."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

ROOT: Final = Path(__file__).resolve().parent.parent
FENCE: Final = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
EXIT: Final = re.compile(r"#.*?(?:exit|退出码) (\d+)")


def pages() -> list[Path]:
    """Every page of the project."""
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def text_of(page: str) -> str:
    """A page by its place in the project."""
    return (ROOT / page).read_text(encoding="utf-8")


@frozen
class Block:
    """A fenced block: the words behind its three backticks, its text, and the heading it stands under."""

    info: str
    text: str
    heading: str


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page in order."""
    return [Block(f[1].strip(), f[2], _heading(text[: f.start()])) for f in FENCE.finditer(text)]


def _heading(before: str) -> str:
    found = re.findall(r"^#+ (.*)$", FENCE.sub("", before), re.MULTILINE)
    return found[-1] if found else ""


def file_in(page: str, name: str) -> str:
    """The file a page tells to save under that name."""
    return next(b.text for b in blocks(text_of(page)) if b.info.endswith(f"file={name}"))


@frozen
class Typed:
    """A line a reader would type: its arguments behind `loanhub`, and the exit status the page promises."""

    argv: tuple[str, ...]
    exit: int

    @property
    def shape(self) -> tuple[str, ...]:
        """The command and its options without what differs by language: names of files, people, columns."""
        words = [w for w in self.argv if re.fullmatch(r"[a-z-]{3,}", w)]
        return (*words, str(len(self.argv)), str(self.exit))


def typed(text: str) -> Iterator[Typed]:
    """The `loanhub` lines of a page's shell blocks."""
    for block in blocks(text):
        if block.info in ("sh", "powershell"):
            for line in block.text.splitlines():
                if line.startswith("loanhub "):
                    promised = EXIT.search(line)
                    argv = shlex.split(line, comments=True)[1:]
                    yield Typed(tuple(argv), int(promised[1]) if promised else 0)


def anchors(text: str) -> set[str]:
    """What a link to a heading of the page may name, by the rules of common forges."""
    titles = re.findall(r"^#+ (.*)$", FENCE.sub("", text), re.MULTILINE)
    return {_anchor(title) for title in titles}


def _anchor(title: str) -> str:
    kept = [c for c in title.lower() if c in " -_" or unicodedata.category(c)[0] in "LN"]
    return "".join(kept).replace(" ", "-")


def links(text: str) -> list[str]:
    """Where the page's links lead, those in blocks of code left out."""
    return LINK.findall(FENCE.sub("", text))
