"""Which kind of workbook a file is, by its first bytes and its directory, never by its name."""

from __future__ import annotations

import re
import zipfile
from typing import Final

from loanhub_format_excel.source import Source

HEAD: Final = 4096

_OLE: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BIFF: Final = (
    b"\x09\x00\x04\x00",
    b"\x09\x02\x06\x00",
    b"\x09\x04\x06\x00",
    b"\x09\x08\x08\x00",
    b"\x09\x08\x10\x00",
)
_OFFICE_NAMES: Final = (b"[Content_Types].xml", b"_rels/", b"docProps/", b"xl/", b"xl\\")
_MIMETYPE: Final = b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet"
_TEXTS: Final = (
    (re.compile(rb"urn:schemas-microsoft-com:office:spreadsheet"), "xml-2003"),
    (re.compile(rb"<office:document\b"), "flat-ods"),
    (re.compile(rb"\AID;P"), "sylk"),
    (re.compile(rb"<(?:!doctype\s+html|html|table|head|body|meta|div)\b", re.IGNORECASE), "html"),
    (re.compile(rb"\AMIME-Version:", re.IGNORECASE), "mhtml"),
)
SUFFIXES: Final = {
    "xlsx": (".xlsx", ".xlsm", ".xltx", ".xltm"),
    "xlsb": (".xlsb",),
    "ods": (".ods",),
    "xls": (".xls", ".xlt", ".et"),
    "password-protected": (".xlsx", ".xlsm", ".xlsb", ".xls", ".et"),
    "html": (".htm", ".html"),
    "mhtml": (".mht", ".mhtml"),
    "xml-2003": (".xml",),
    "flat-ods": (".fods",),
    "sylk": (".slk",),
}


def content_of(source: Source) -> str | None:
    """The content of a workbook (a key of SUFFIXES), or None when it is no workbook."""
    with source.open() as file:
        head = file.read(HEAD)
    if head.startswith(b"PK\x03\x04"):
        return _zip_content(source, head)
    if head.startswith(_OLE):
        return _ole_content(source)
    if head.startswith(_BIFF):
        return "xls"
    text = head.removeprefix(b"\xef\xbb\xbf").replace(b"\0", b"").removeprefix(b"\xff\xfe").lstrip()
    if not text.startswith((b"<", b"ID;P", b"MIME-Version:")):
        return None
    return next((content for pattern, content in _TEXTS if pattern.search(text)), None)


def _zip_content(source: Source, head: bytes) -> str | None:
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            names = {name.replace("\\", "/").lstrip("/").lower() for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        return "ods" if _MIMETYPE in head else "xlsx" if head[30:].startswith(_OFFICE_NAMES) else None
    if any(name.startswith("xl/") and name.endswith(".bin") and "workbook" in name for name in names):
        return "xlsb"
    if _MIMETYPE in head:
        return "ods"
    foreign = any(name.startswith(("word/", "ppt/", "meta-inf/manifest.mf")) for name in names)
    office = {"[content_types].xml", "_rels/.rels"} & names or any(name.startswith("xl/") for name in names)
    return "xlsx" if office and not foreign else None


def _ole_content(source: Source) -> str | None:
    """An OLE container, told by the names of its streams."""
    with source.searched() as held:

        def holds(*names: str) -> bool:
            return any(held.find(name.encode("utf-16-le")) >= 0 for name in names)

        if holds("EncryptedPackage"):
            return "password-protected"
        if holds("WordDocument") or holds("PowerPoint Document"):
            return None
        return "xls" if holds("Workbook", "Book", "WORKBOOK", "BOOK", "workbook", "book") else None
