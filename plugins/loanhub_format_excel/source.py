"""Where the bytes of a workbook are: in a file, or only in memory, once a password was taken off them."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from attrs import field, frozen


@frozen
class Source:
    """The bytes of a workbook. `held` stands for them all when they may not be written to any disk."""

    path: Path
    held: bytes | None = field(default=None, repr=False)

    def open(self) -> BinaryIO:
        """The bytes from their start."""
        return self.path.open("rb") if self.held is None else BytesIO(self.held)

    def read(self) -> bytes:
        """All the bytes."""
        return self.path.read_bytes() if self.held is None else self.held

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.path.stat().st_size if self.held is None else len(self.held)

    @contextmanager
    def searched(self) -> Iterator[mmap.mmap | bytes]:
        """The bytes to be looked through by `find`, without reading all of a file."""
        if self.held is not None:
            yield self.held
            return
        with self.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as shown:
            yield shown
