"""Read a file in a limited child process: its sheets go into scratch as Arrow files, facts come back.

The child holds no keys and no network. What it hands back are plain JSON values; the cells themselves
stay in files of the private scratch folder, which is emptied at every start.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import polars as pl
from attrs import field, frozen

from loanhub import cage
from loanhub.errors import Refused
from loanhub.files import Content, saying_full, sniff
from loanhub.keys import Secret
from loanhub.kinds import Format, LockedFormat
from loanhub.plugins import GROUP, Plugins
from loanhub.settings import Intake
from loanhub.sheets import Sheet

SERVICES: Final = "loanhub.services."
PLAIN_REASONS = {
    Content.HTML: "file-is-html",
    Content.EMPTY: "file-empty",
    Content.PDF: "file-is-pdf",
    Content.IMAGE: "file-is-image",
    Content.OLE_ENCRYPTED: "password-protected",
}

MOST_COLUMNS: Final = 2_000
"""Columns of a table; what stands beyond them is not looked at."""
MOST_SHEETS: Final = 500
"""Sheets with rows: each is planned and landed by itself, which takes some hundredths of a second."""
SHORTEST: Final = 20
"""CPU seconds that any file may take to be read."""
SECONDS_A_MB: Final = 2
"""And more for each megabyte: the slowest way takes one. A small file that takes long is a hostile one."""


@frozen
class Spooled:
    """One sheet in scratch: `blocks` are Arrow files in order, `merges` ranges (row, column, row, column)."""

    name: str
    hidden: bool
    blocks: tuple[Path, ...] = field(repr=False)
    rows: int
    width: int
    merges: tuple[tuple[int, int, int, int], ...] = field(repr=False, default=())
    notes: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The scratch folder."""
        return self.blocks[0].parent

    def cells(self, columns: list[int], first: int | None = None) -> pl.DataFrame:
        """Row numbers, hidden marks and the named columns.

        `first`: of so many blocks only. A column that a block lacks is empty there.
        """
        names = ["row", "hidden", *(f"{letter}{i}" for i in columns for letter in "ck")]
        frames = [_completed(pl.read_ipc(path), names) for path in self.blocks[:first]]
        return pl.concat(frames) if frames else _completed(_nothing(), names)

    def head(self, rows: int) -> pl.DataFrame:
        """The first rows whole."""
        columns = list(range(self.width))
        return self.cells(columns, first=1).head(rows)


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={"row": pl.UInt32, "hidden": pl.Boolean})


def _completed(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    there = set(frame.columns)
    missing = [
        (pl.lit(None, pl.String) if name[0] == "c" else pl.lit(0, pl.UInt8)).alias(name)
        for name in names
        if name not in there
    ]
    return frame.with_columns(missing).select(names)


@frozen
class Contents:
    """What was read: which format claimed the file, what it is, and its sheets."""

    format: str
    content: str
    notes: tuple[str, ...]
    sheets: tuple[Spooled, ...]


def spool(
    path: Path,
    folder: Path,
    plugins: Path,
    disabled: list[str],
    limits: Intake,
    password: Secret | None = None,
) -> Contents:
    """Read a file into `folder`. Raises Refused with a plain reason; a child that dies is Refused too.

    The password goes to the child through its pipe, and stays there.
    """
    found: dict[str, Any] = cage.run(
        "loanhub.services.intake.spool:read",
        str(path),
        str(folder),
        str(plugins),
        disabled,
        password.text() if password else None,
        memory=limits.read_memory_mb << 20,
        cpu=(seconds := min(limits.read_seconds, SHORTEST + SECONDS_A_MB * (path.stat().st_size >> 20))),
        wall=float(seconds * 2),
    )
    sheets = tuple(
        Spooled(
            name=str(s["name"]),
            hidden=bool(s["hidden"]),
            blocks=tuple(folder / Path(str(b)).name for b in s["blocks"]),
            rows=int(s["rows"]),
            width=int(s["width"]),
            merges=tuple((int(m[0]), int(m[1]), int(m[2]), int(m[3])) for m in s["merges"]),
            notes=tuple(str(n) for n in s["notes"]),
        )
        for s in found["sheets"]
    )
    return Contents(
        str(found["format"]), str(found["content"]), tuple(str(n) for n in found["notes"]), sheets
    )


def read(
    path: str, folder: str, plugins: str, disabled: list[str], password: str | None = None
) -> dict[str, Any]:
    """In the child: find the one format that claims the file, and write its sheets out block by block."""
    file = Path(path)
    # The house's own services read no files: a third of a second less for every file.
    services = [point.name for point in entry_points(group=GROUP) if point.name.startswith(SERVICES)]
    loaded = Plugins.load(Path(plugins), [*disabled, *services])
    claims = [(f, claim) for f in loaded.formats if (claim := f.claims(file)) is not None]
    if not claims:
        raise Refused(PLAIN_REASONS.get(sniff(file), "file-not-recognised"))
    if len(claims) > 1:
        raise Refused("file-claimed-twice", formats=", ".join(f.name for f, _ in claims))
    reader, claim = claims[0]
    sheets, filled = [], 0
    for number, sheet in enumerate(_sheets(reader, file, password)):
        sheets.append(_written(sheet, Path(folder), number))
        filled += sheets[-1]["rows"] > 0
        if filled > MOST_SHEETS:
            raise Refused("too-large", part="sheets")
    return {"format": claim.format, "content": claim.content, "notes": list(claim.notes), "sheets": sheets}


def _written(sheet: Sheet, folder: Path, number: int) -> dict[str, Any]:
    """What is to be told of a sheet whose blocks have been written out."""
    blocks, rows, width = [], 0, 0
    for part, frame in enumerate(sheet.blocks()):
        target = folder / f"sheet-{number}-{part:05}.arrow"
        frame = _narrowed(frame, sheet)
        with saying_full(folder):
            frame.write_ipc(target, compression="lz4")
        blocks.append(target.name)
        rows += frame.height
        width = max(width, *(int(c[1:]) + 1 for c in frame.columns if c[0] == "c"), 0)
    return {
        "name": sheet.name,
        "hidden": sheet.hidden,
        "blocks": blocks,
        "rows": rows,
        "width": width,
        "merges": [list(m) for m in sheet.merged()],
        "notes": list(sheet.noted()),
    }


def _narrowed(frame: pl.DataFrame, sheet: Sheet) -> pl.DataFrame:
    """Without what stands beyond the columns any table has: a stray cell in column XFD is part of none."""
    beyond = [name for name in frame.columns[2:] if int(name[1:]) >= MOST_COLUMNS]
    if beyond:
        sheet.findings.note("columns-cut")
    return frame.drop(beyond)


def _sheets(reader: Format, file: Path, password: str | None) -> Iterator[Sheet]:
    if password is not None and isinstance(reader, LockedFormat):
        return reader.sheets_behind(file, password)
    return reader.sheets(file)
