"""What a file is, told by its content and never by its name; and whether all of it is there."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import BinaryIO, Final

from loanhub.files.containers import CFB_MAGIC, Compound, ZipEntry, size_of, zip_entries, zip_head, zip_torn


class Content(Enum):
    """What a file holds."""

    XLSX = "xlsx"
    XLSM = "xlsm"  # with macros, never run
    XLSB = "xlsb"
    ODS = "ods"
    ZIP_OTHER = "zip_other"
    OLE_XLS = "ole_xls"  # BIFF5 and BIFF8, also what WPS calls .et
    OLE_ENCRYPTED = "ole_encrypted"  # an .xlsx behind a password
    OLE_OTHER = "ole_other"
    OLD_BIFF = "old_biff"  # Excel 2 to 4, or a later stream without its container
    XML_SPREADSHEET = "xml_spreadsheet"  # Excel 2003 XML
    XML_OTHER = "xml_other"
    HTML = "html"
    PDF = "pdf"
    IMAGE = "image"
    TEXT = "text"
    EMPTY = "empty"
    UNKNOWN = "unknown"


_HEAD: Final = 1 << 16
_IMAGES: Final = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*")
_OLD_BIFF: Final = (
    b"\x09\0\x04\0",
    b"\x09\x02\x06\0",
    b"\x09\x04\x06\0",
    b"\x09\x08\x08\0",
    b"\x09\x08\x10\0",
)
_BOMS: Final = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_HTML: Final = re.compile(
    rb"<(?:!doctype\s+html|html|head|body|table|meta|style|script|div|center|font|title)\b", re.IGNORECASE
)
_XML: Final = re.compile(rb"<\?xml\b|<(?:\w+:)?[a-z]+\s[^>]*\bxmlns\b", re.IGNORECASE)
_XML_BOOK: Final = re.compile(rb"<(?:\w+:)?Workbook\b")
_XML_BOOK_SPACE: Final = b"urn:schemas-microsoft-com:office:spreadsheet"
_CONTROLS: Final = bytes(sorted({*range(32), 127} - set(b"\t\n\f\r\x1a\x1b")))


def sniff(path: Path) -> Content:
    """What the file at `path` is. Raises OSError; a damaged file is what it can still be taken for."""
    with path.open("rb") as stream:
        return content_of(stream)


def content_of(stream: BinaryIO) -> Content:
    """As `sniff`, of an open file."""
    stream.seek(0)
    head = stream.read(_HEAD)
    if not head:
        return Content.EMPTY
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_content(stream)
    if head.startswith(CFB_MAGIC):
        return _compound_content(stream)
    if head.startswith(_OLD_BIFF):
        return Content.OLD_BIFF
    if head.startswith(_IMAGES) or _framed_image(head, stream):
        return Content.IMAGE
    return _text_content(head)


def _zip_content(stream: BinaryIO) -> Content:
    entries = {entry.name.lstrip("/"): entry for entry in zip_entries(stream)}
    names = set(entries)
    if "xl/workbook.bin" in names:
        return Content.XLSB
    if "xl/workbook.xml" in names:
        macros = "xl/vbaproject.bin" in names or any(name.startswith("xl/macrosheets/") for name in names)
        return Content.XLSM if macros else Content.XLSX
    if "mimetype" in names and b"opendocument.spreadsheet" in zip_head(stream, entries["mimetype"]):
        return Content.ODS
    return _declared_content(stream, entries.get("[content_types].xml"))


def _declared_content(stream: BinaryIO, types: ZipEntry | None) -> Content:
    """A package whose parts lie elsewhere is what its list of content types says."""
    declared = zip_head(stream, types) if types is not None else b""
    if b"spreadsheetml.sheet.main+xml" in declared:  # first: some writers list the binary type as well
        return Content.XLSX
    if b"ms-excel.sheet.macroEnabled.main+xml" in declared:
        return Content.XLSM
    return Content.XLSB if b"sheet.binary.macroEnabled.main" in declared else Content.ZIP_OTHER


def _compound_content(stream: BinaryIO) -> Content:
    names = {name.casefold() for name in Compound(stream).names()}
    if "encryptedpackage" in names:
        return Content.OLE_ENCRYPTED
    return Content.OLE_XLS if names & {"workbook", "book"} else Content.OLE_OTHER


def _framed_image(head: bytes, stream: BinaryIO) -> bool:
    if head.startswith(b"BM"):  # also two letters of a text: the size after them must be that of the file
        return int.from_bytes(head[2:6], "little") == size_of(stream)
    return (head[:4] == b"RIFF" and head[8:12] == b"WEBP") or head[4:12] in (
        b"ftypheic",
        b"ftypavif",
        b"ftypmif1",
    )


def _text_content(head: bytes) -> Content:
    plain = _as_bytes(head)
    if plain is None:
        return Content.UNKNOWN
    start = plain.lstrip()[:8192]
    if start.startswith(b"%PDF-"):
        return Content.PDF
    if start.startswith(b"{\\rtf"):
        return Content.UNKNOWN
    if _XML_BOOK.search(start) and _XML_BOOK_SPACE in start and _XML.match(start):
        return Content.XML_SPREADSHEET
    if start[:13].lower() == b"mime-version:" or _HTML.match(
        re.sub(rb"\A(?:<\?.*?\?>|<!--.*?-->|\s)+", b"", start)
    ):
        return Content.HTML
    return Content.XML_OTHER if _XML.match(start) else Content.TEXT


def _as_bytes(head: bytes) -> bytes | None:
    """The head as UTF-8 or as it is when it can be a text at all, else None."""
    for mark, encoding in _BOMS.items():
        if head.startswith(mark):
            return head[len(mark) :].decode(encoding, "ignore").encode("utf-8", "ignore")
    if head.startswith(b"%PDF-"):
        return head
    controls = len(head) - len(head.translate(None, _CONTROLS))
    if controls <= max(2, len(head) // 100):
        return head
    return _wide(head)


def _wide(head: bytes) -> bytes | None:
    """UTF-16 without a mark: one of both orders of bytes makes a plain text with lines of it."""
    for encoding in ("utf-16-le", "utf-16-be"):
        text = head[: len(head) & ~1].decode(encoding, "replace")
        strange = sum(not (letter.isprintable() or letter in "\t\r\n") for letter in text)
        if "\n" in text and strange <= len(text) // 100:
            return text.encode("utf-8", "replace")
    return None


def torn(path: Path) -> str | None:
    """Why the file is not whole; None when it is, or when its kind cannot tell (texts, images).

    A zip must have its end record and directory, an OLE file the sectors it counts: a copy that is still
    under way has not. Raises OSError.
    """
    with path.open("rb") as stream:
        return torn_stream(stream)


def torn_stream(stream: BinaryIO) -> str | None:
    """As `torn`, of an open file."""
    stream.seek(0)
    head = stream.read(8)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return zip_torn(stream)
    return Compound(stream).torn() if head == CFB_MAGIC else None


def is_whole(path: Path) -> bool:
    """Whether all of the file is there, as far as its kind can tell. Raises OSError."""
    return torn(path) is None
