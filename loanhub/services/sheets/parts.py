"""The fixed parts of a workbook that is written in blocks: its package, and the styles of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final, Literal

Style = Literal[
    "text", "long", "money", "percent", "date", "time", "whole", "term", "choice", "quiet", "quiet-whole"
]

NAMESPACE: Final = (
    'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPES: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"

CONTENT_TYPES: Final = (
    f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/>{{sheets}}</Types>'
)
RELATIONS: Final = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
)
DOCUMENT_RELATIONS: Final = (
    f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{{sheets}}'
    f'<Relationship Id="rIdStyles" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
)

STYLE_NUMBERS: Final[Mapping[str, int]] = {
    "head": 1,
    "head-quiet": 2,
    "text": 3,
    "choice": 3,
    "long": 4,
    "money": 5,
    "percent": 6,
    "date": 7,
    "time": 8,
    "whole": 9,
    "term": 9,
    "quiet": 10,
    "quiet-whole": 11,
}
"""Places in `cellXfs` below. Texts have the format "text", so that editing one never makes a formula."""

_FONT: Final = '<name val="Microsoft YaHei"/><family val="2"/><charset val="134"/>'
_PLAIN, _BOLD, _SMALL = 0, 1, 2
"""Fonts."""
_NO_FILL, _BLUE, _GREY = 0, 2, 3
_HAIR, _RULE = 1, 2
"""Borders."""
_TEXT_FORMAT: Final = 49

_BEFORE: Final = (
    f'{_XML}<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<numFmts count="3"><numFmt numFmtId="164" formatCode="0.00##%"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="166" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/></numFmts>'
    f'<fonts count="3"><font><sz val="10"/>{_FONT}</font>'
    f'<font><b/><sz val="10"/><color rgb="FF1F3B57"/>{_FONT}</font>'
    f'<font><sz val="8"/><color rgb="FF8A8F98"/>{_FONT}</font></fonts>'
    '<fills count="4"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFDDE7F0"/></patternFill></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFF1F3F5"/></patternFill></fill></fills>'
    '<borders count="3"><border><left/><right/><top/><bottom/></border>'
    '<border><left/><right/><top/><bottom style="hair"><color rgb="FFC9D2DC"/></bottom></border>'
    '<border><left/><right/><top/><bottom style="medium"><color rgb="FF5B7A99"/></bottom></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
)
_AFTER: Final = (
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


@cache
def styles() -> str:
    """The styles part; `STYLE_NUMBERS` counts its cell formats."""
    middle = 'vertical="center"'
    wrapped = f'{middle} wrapText="1"'
    formats = (
        _xf(0, edge=0),
        _xf(_TEXT_FORMAT, _BOLD, _BLUE, _RULE, f'{wrapped} horizontal="center"'),
        _xf(_TEXT_FORMAT, _SMALL, _GREY, _RULE, f'{wrapped} horizontal="center"'),
        _xf(_TEXT_FORMAT, how=f'{middle} horizontal="left" indent="1"'),
        _xf(_TEXT_FORMAT, how=f'{wrapped} horizontal="left" indent="1"'),
        _xf(4),
        _xf(164),
        _xf(165, how=f'{middle} horizontal="center"'),
        _xf(166, how=f'{middle} horizontal="center"'),
        _xf(1),
        _xf(_TEXT_FORMAT, _SMALL, how=f'{middle} horizontal="left" indent="1"'),
        _xf(1, _SMALL),
    )
    return f'{_BEFORE}<cellXfs count="{len(formats)}">{"".join(formats)}</cellXfs>{_AFTER}'


def _xf(
    number: int, font: int = _PLAIN, fill: int = _NO_FILL, edge: int = _HAIR, how: str = 'vertical="center"'
) -> str:
    return (
        f'<xf numFmtId="{number}" fontId="{font}" fillId="{fill}" borderId="{edge}" xfId="0" '
        'applyNumberFormat="1" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1">'
        f"<alignment {how}/></xf>"
    )


def letters(column: int) -> str:
    """The letters of a column, 0 is A."""
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(ord("A") + rest) + found
    return found
