"""The checked values of one sheet, part by part: of a large sheet they wait in scratch, not in memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import polars as pl
from attrs import define, field

MEMORY: Final = 250_000
"""Rows up to which all parts stay in memory."""


@define
class Shelf:
    """Frames put down one after another, which may differ in columns, and read again by row position.

    Beyond some rows they lie in `folder`, and only the one that was looked at last is in memory.
    """

    folder: Path
    name: str
    columns: dict[str, pl.DataType] = field(factory=dict)
    """All columns that any part has, in the order in which they came."""
    _starts: list[int] = field(factory=list)
    _height: int = 0
    _open: dict[int, pl.DataFrame] = field(factory=dict, repr=False)

    @property
    def height(self) -> int:
        """Rows put down so far."""
        return self._height

    def put(self, frame: pl.DataFrame) -> None:
        """Put a part behind the others."""
        self.columns |= {name: type_ for name, type_ in frame.schema.items() if name not in self.columns}
        self._open[len(self._starts)] = frame
        self._starts.append(self._height)
        self._height += frame.height
        if self._height > MEMORY:
            for number, part in self._open.items():
                part.write_ipc(self._path(number), compression="lz4")
            self._open.clear()

    def parts(self) -> Iterator[pl.DataFrame]:
        """All parts in order, each with every column."""
        return (self._part(number) for number in range(len(self._starts)))

    def slice(self, start: int, count: int) -> pl.DataFrame:
        """So many rows from a position on."""
        found, end = [], start + count
        for number, (first, behind) in enumerate(pairwise([*self._starts, self._height])):
            if first < end and start < behind:
                at = max(start, first)
                found.append(self._part(number).slice(at - first, end - at))
        return found[0] if len(found) == 1 else pl.concat([pl.DataFrame(schema=self.columns), *found])

    def close(self) -> None:
        """Let go of what is in memory."""
        self._open.clear()

    def _part(self, number: int) -> pl.DataFrame:
        if number not in self._open:
            self._open = {number: pl.read_ipc(self._path(number))}
        frame = self._open[number]
        if frame.columns == list(self.columns):
            return frame
        missing = {name: type_ for name, type_ in self.columns.items() if name not in frame.columns}
        nothing = (pl.lit(None, type_).alias(name) for name, type_ in missing.items())
        return frame.with_columns(nothing).select(list(self.columns))

    def _path(self, number: int) -> Path:
        return self.folder / f"{self.name}-{number:05}.arrow"
