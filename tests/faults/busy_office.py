"""An office at work for the tests of moments: files change and a database is written to, all the time.

python -m tests.faults.busy_office FOLDER JOURNAL KEY       stops when its input ends

The journal has a line for everything done: what ("count" or the name of a file), the how manieth time, and
between which two moments it happened, by the clock that all processes of a machine share.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

from attrs import define, field

from tests.unit.counting import count, opened

FILES: Final = 10_000
CHANGING: Final = 400
DATABASE: Final = "till.db"
LOG_PAGES: Final = 20_000
"""So much stands in the log only: whoever reads the file alone gets an office of an earlier moment."""


def name_of(number: int) -> str:
    """Where the file of that number lies."""
    return f"{number % 100:02}/{number}.txt"


def content(name: str, version: int) -> bytes:
    """What a file holds in its version; the first is 0."""
    return random.Random(f"{name} {version}").randbytes(200 + len(name) * version % 3000)


def furnish(folder: Path) -> None:
    """All files in their first version."""
    for number in range(FILES):
        path = folder / name_of(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(name_of(number), 0))


@define
class Journal:
    """What was done when: for each thing, (version, begun, done) in order."""

    lines: dict[str, list[tuple[int, int, int]]] = field(factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, path: Path) -> Journal:
        """What a writer that has ended wrote down."""
        journal = cls()
        for line in path.read_text(encoding="utf-8").splitlines():
            what, *numbers = line.split()
            version, begun, done = map(int, numbers)
            journal.lines[what].append((version, begun, done))
        return journal

    def possible(self, what: str, begun: int, ended: int) -> range:
        """The versions that a look between these two moments may have seen."""
        least = max((one for one, _, done in self.lines[what] if done <= begun), default=0)
        most = max((one for one, started, _ in self.lines[what] if started <= ended), default=0)
        return range(least, most + 1)


def main(folder: Path, journal: Path, key: str) -> None:
    """Works until the input ends."""
    ended, chance, versions = threading.Event(), random.Random(7), dict.fromkeys(range(CHANGING), 0)
    threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
    connection, commits = opened(folder / DATABASE, key), 0
    connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
    aside = journal.with_suffix(".new")
    with journal.open("w", encoding="utf-8") as lines:
        print("ready", flush=True)
        while not ended.is_set():
            commits += 1
            _noted(lines, "count", commits, lambda: count(connection))
            number = chance.randrange(CHANGING)
            name, versions[number] = name_of(number), versions[number] + 1
            aside.write_bytes(content(name, versions[number]))
            _noted(lines, name, versions[number], lambda: aside.replace(folder / name))  # noqa: B023  # now
            time.sleep(0.002)
    connection.close()


def _wait_for_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def _noted(lines: TextIO, what: str, version: int, work: Callable[[], object]) -> None:
    begun = time.monotonic_ns()
    work()
    lines.write(f"{what} {version} {begun} {time.monotonic_ns()}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
