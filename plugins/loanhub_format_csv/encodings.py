"""Finds the encoding of a text file: byte order mark, UTF-8, GB18030, UTF-16, and only then a guess."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from attrs import frozen

from loanhub import Refused

HEAD: Final = 1 << 16
PIECE: Final = 1 << 20
LONGEST_LINE: Final = 4 << 20  # bytes; a row of 16,384 cells of 200 bytes

_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_MARKUP: Final = re.compile(r"\s*(?:<[?!a-zA-Z]|ID;P|MIME-Version:|\{\\rtf|%PDF)")
_CONTROL: Final = re.compile(r"[\x01-\x08\x0b\x0e-\x19\x1b-\x1f]")
_SQUARE: Final = re.compile(r"[一-龥]")
STRAY_CONTROLS: Final = 100  # characters of a text for each control character among them
COMMON_SHARE: Final = 0.7  # of the Chinese characters; names and addresses in GB18030 reach 0.9


@frozen
class Text:
    """A text file with its encoding; `guessed` when only likelihood speaks for it."""

    path: Path
    encoding: str
    guessed: bool = False

    def open(self) -> TextIO:
        """The text from its start, line ends as they are."""
        return self.path.open(encoding=self.encoding, newline="")


def is_text(path: Path) -> bool:
    """Whether the first bytes are text that is neither markup nor one of the old workbook texts."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    wide = _marked(head) or _wide(head)
    if not head.strip() or (not wide and head.count(0) > max(4, len(head) // 10)):
        return False
    encoding = wide or _first_fit([head], final=False) or "latin-1"
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    # A control character that a system let through makes no binary file of a table; those hold zeros too.
    stray = 0 if not wide and 0 in head else len(text) // STRAY_CONTROLS
    return not _MARKUP.match(text.lstrip("\ufeff")) and len(_CONTROL.findall(text)) <= stray


def text_of(path: Path) -> Text:
    """The file with its encoding. Raises Refused for NUL bytes, endless lines or when no encoding fits."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    marked = _marked(head)
    wide = marked is None and _wide(head)
    if marked or wide:
        encoding = marked or str(wide)
        if _first_fit(_pieces(path, wide="16" in encoding or "32" in encoding), (encoding,), final=True):
            return Text(path, encoding, guessed=bool(wide))
        raise Refused("encoding-unknown")
    encoding_found = _first_fit(_pieces(path), final=True)
    if encoding_found == "utf-8" or (encoding_found and _reads_as_chinese(head)):
        return Text(path, encoding_found)
    return Text(path, _guess(path, head), guessed=True)


def _marked(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)


def _wide(head: bytes) -> str | None:
    """UTF-16 without a mark: every ASCII character has its zero byte on the same side."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if min(even, odd) or max(even, odd) < max(2, len(head) // 40):
        return None
    encoding = "utf-16-be" if even else "utf-16-le"
    return encoding if not _CONTROL.search(head.decode(encoding, "replace")) else None


def _first_fit(
    pieces: Iterator[bytes] | list[bytes], encodings: tuple[str, ...] = ("utf-8", "gb18030"), *, final: bool
) -> str | None:
    """The first of the encodings in which all the pieces are valid."""
    decoders = {encoding: codecs.getincrementaldecoder(encoding)() for encoding in encodings}
    for piece in pieces:
        for encoding in list(decoders):
            if not _fits(decoders[encoding], piece, final=False):
                del decoders[encoding]
        if not decoders:
            return None
    return next(
        (name for name, decoder in decoders.items() if not final or _fits(decoder, b"", final=True)), None
    )


def _fits(decoder: codecs.IncrementalDecoder, piece: bytes, *, final: bool) -> bool:
    try:
        decoder.decode(piece, final)
    except UnicodeError:
        return False
    return True


def _pieces(path: Path, *, wide: bool = False) -> Iterator[bytes]:
    """The bytes of the file, watched for NUL and for lines without end."""
    line = 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            if not wide and b"\0" in piece:
                raise Refused("nul-byte")
            end = max(piece.rfind(b"\n"), piece.rfind(b"\r"))
            line = line + len(piece) if end < 0 else len(piece) - end
            if line > LONGEST_LINE:
                raise Refused("too-large", part="line")
            yield piece


def _reads_as_chinese(head: bytes) -> bool:
    """Whether the text makes sense as GB18030: Big5 fits it too, but as characters nobody uses."""
    text = codecs.getincrementaldecoder("gb18030")("replace").decode(head)
    wide = [char for char in text if ord(char) > 127]
    if not wide:
        return True
    common = sum(1 for char in wide if _is_common(char))
    return common >= COMMON_SHARE * len(wide)


def _is_common(char: str) -> bool:
    """In the first level of GB 2312 (the 3,755 usual characters), or its punctuation and full-width forms."""
    try:
        lead = char.encode("gb2312")[0]
    except UnicodeEncodeError:
        return False
    return lead <= 0xD7


def _guess(path: Path, head: bytes) -> str:
    from charset_normalizer import from_bytes

    found = from_bytes(head, cp_isolation=["big5", "gb18030", "shift_jis", "euc_kr", "cp1252"]).best()
    names = [name for name in (found.encoding if found else None, "big5hkscs", "gb18030") if name]
    for name in names:
        encoding = "big5hkscs" if name == "big5" else name
        if _first_fit(_pieces(path), (encoding,), final=True):
            return encoding
    raise Refused("encoding-unknown")
