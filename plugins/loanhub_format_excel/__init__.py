"""Reads workbooks: .xlsx and .xlsm by an own streaming reader, .xls by xlrd, .xlsb and .ods by calamine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from loanhub import Claim, Refused, Sheet, hookimpl
from loanhub_format_excel.sniff import SUFFIXES, content_of
from loanhub_format_excel.source import Source

NAME = "excel"


class Excel:
    """The format of the usual spreadsheet programs.

    It also claims what only looks like a workbook (an html table named .xls, a protected file), so that
    the refusal can say what to do.
    """

    name = NAME

    def claims(self, path: Path) -> Claim | None:
        """Judged by content; a name that says otherwise is noted as `wrong-extension`."""
        content = content_of(Source(path))
        if content is None:
            return None
        right = path.suffix.lower() in SUFFIXES[content]
        return Claim(NAME, content, () if right else ("wrong-extension",))

    def sheets(self, path: Path) -> Iterator[Sheet]:
        """The worksheets in order. Raises Refused with the reason for what may not or cannot be read."""
        return self.sheets_behind(path, None)

    def sheets_behind(self, path: Path, password: str | None) -> Iterator[Sheet]:
        """The worksheets in order, of a protected file by its password; any other file needs none."""
        try:
            yield from _sheets(Source(path))
            return
        except Refused as refused:
            if refused.code != "password-protected":
                raise
        from loanhub_format_excel.locked import unlocked

        for sheet in _sheets(unlocked(Source(path), password)):
            sheet.findings.note("opened-with-password")
            yield sheet


def _sheets(source: Source) -> Iterator[Sheet]:
    content = content_of(source)
    if content == "xlsx":
        from loanhub_format_excel.xlsx import xlsx_sheets

        return xlsx_sheets(source)
    if content == "xls":
        from loanhub_format_excel.xls import xls_sheets

        return xls_sheets(source)
    if content in ("xlsb", "ods"):
        from loanhub_format_excel.xlsx import guarded_sheets

        return guarded_sheets(source)
    if content == "password-protected":
        raise Refused("password-protected")
    raise Refused("not-a-workbook" if content is None else "not-a-real-workbook", content=content)


@hookimpl
def formats() -> list[Excel]:
    """The one format of this plugin."""
    return [Excel()]
