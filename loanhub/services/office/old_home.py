"""What survives of a home that was lost: its newer records and audit lines, read from a copy of its database.

The old disk itself is only read. Where its log and ours part is found by their hashes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from loanhub import audit
from loanhub.audit import Line
from loanhub.errors import Usage
from loanhub.files import need_space
from loanhub.home import Home
from loanhub.kinds import ReadTx
from loanhub.system import private_folder

if TYPE_CHECKING:
    from loanhub.institution import Institution

LEFT_OUT: Final = ("*-shm", "*.lock", "held.json", "told")
RETURNING: Final = ("batch.", "mapping.", "remind.", "assess", "reindex")
"""Beginnings of acts that are not listed: what they did comes back with the sheets, or is done anew."""


@frozen
class Past:
    """An open view of the lost home: `fork` is the last audit line that both have."""

    tx: ReadTx
    fork: int

    def lines(self) -> tuple[list[Line], int]:
        """Its lines behind the fork as far as the chain is whole, and the first broken one's number or 0."""
        found: list[Line] = []
        last = _line(self.tx, self.fork)
        previous = audit.EMPTY if last is None else last.hash
        for line in self.tx.lines(self.fork):
            if line.previous != previous or audit.digest(line) != line.hash:
                return found, line.seq
            found.append(line)
            previous = line.hash
        return found, 0


@contextmanager
def looking_back(house: Institution, old: Path) -> Iterator[Past]:
    """The lost home at `old`, as far as its database can still be read.

    Raises Usage("resume-another-home"), NotFound("database-key-unknown"), Busy("disk-full"), Damaged, OSError
    for the old disk.
    """
    if old.resolve() == house.home.root.resolve():
        raise Usage("resume-another-home")
    with house.scratch() as folder:
        copy = Home(folder / "old")
        _copied(old / "data", private_folder(copy / "data"))
        store = house.store_of(copy)
        try:
            with house.store.reading() as ours, store.reading() as theirs:
                fork = _fork(ours, theirs)
                if fork == 0 and _line(ours, 1) is not None:
                    raise Usage("resume-another-home")
                yield Past(theirs, fork)
        finally:
            store.close()


def _copied(data: Path, target: Path) -> None:
    """The files of a database, as they lie there."""
    files = [file for file in data.iterdir() if file.is_file() and not any(map(file.match, LEFT_OUT))]
    need_space(target, sum(file.stat().st_size for file in files))
    for file in files:
        shutil.copyfile(file, target / file.name)


def edits(house: Institution, lines: Sequence[Line]) -> list[Line]:
    """Of these lines those that a person must see to again: receipts, approvals, edits; no mere looks."""
    looks = {name for name, act in house.plugins.acts.items() if not act.writes}
    return [
        line
        for line in lines
        if line.outcome != "denied" and line.act not in looks and not line.act.startswith(RETURNING)
    ]


# -- the fork --------------------------------------------------------------------------------------


def _fork(ours: ReadTx, theirs: ReadTx) -> int:
    """The last line that both logs have: they are the same up to it, and never again behind it."""
    same = 0
    step = 1
    while _agree(ours, theirs, same + step):
        same, step = same + step, step * 2
    while step > 1:
        step //= 2
        if _agree(ours, theirs, same + step):
            same += step
    return same


def _agree(ours: ReadTx, theirs: ReadTx, seq: int) -> bool:
    mine, other = _line(ours, seq), _line(theirs, seq)
    return mine is not None and other is not None and mine.hash == other.hash


def _line(tx: ReadTx, seq: int) -> Line | None:
    return next((line for line in tx.lines(seq - 1, 1) if line.seq == seq), None)
