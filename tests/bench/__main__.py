"""`python -m tests.bench`: an intake measured, beside pandas; `--small` for 500 rows and no pandas.

ROWS in the environment says how many rows (200,000 if not named). Every number printed was measured in this
run: CPU seconds are of all processes, user and system; memory is the most they held together at one moment.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Final

from loanhub.system import tree_memory

ROWS: Final = 200_000
SMALL: Final = 500
GLANCE: Final = 0.2
"""Seconds between looks at the memory: each look holds up the process a little."""
STARTS: Final = 10
MB: Final = 1_000_000

PARTS: Final = {"landing": "checking", "indexing": "landing", "finishing": "indexing, report, seal"}
"""What went on until a job first said this word: its first chunk counts to the part before. Search keys of a
small file are put as its rows land.
"""


class Watch(Thread):
    """The most memory that our descendants hold together, looked at again and again."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._own = tree_memory()
        self._over = Event()
        self.peak = 0

    def run(self) -> None:
        while not self._over.wait(GLANCE):
            self.peak = max(self.peak, (tree_memory() or 0) - (self._own or 0))

    def end(self) -> int:
        """The peak, in bytes; 0 where the system does not tell."""
        self._over.set()
        self.join()
        return self.peak


def step(name: str, *arguments: str) -> dict[str, Any]:
    """One step in a process of its own, and what it found."""
    command = [sys.executable, "-m", "tests.bench.steps", name, *arguments]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def watched(name: str, *arguments: str) -> dict[str, Any]:
    """A step with its `peak`: that of the process and all its children at once."""
    watch = Watch()
    watch.start()
    found = step(name, *arguments)
    peak = watch.end()
    return {**found, "peak": peak or found.get("peak", 0) + found.get("children_peak", 0)}


def starts(*arguments: str) -> list[float]:
    """Wall seconds of starting Python with these arguments, several times."""
    seconds = []
    for _ in range(STARTS):
        begun = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - begun)
    return seconds


def line(*cells: object) -> None:
    """One line of a table."""
    print("".join(f"{cell:<26}" if i == 0 else f"{cell:>14}" for i, cell in enumerate(cells)))


def intakes(ours: dict[str, Any], theirs: dict[str, Any] | None) -> None:
    """Ours beside theirs, and the ratio: how many times less ours takes."""
    measured = [ours] if theirs is None else [ours, theirs]
    line("", "loanhub", *["pandas", "times less"][: len(measured) * 2 - 2])

    def row(name: str, values: list[float], form: str) -> None:
        ratio = [f"{values[1] / values[0]:.2f}"] if len(values) > 1 else []
        line(name, *(format(value, form) for value in values), *ratio)

    row("CPU s, all processes", [m["cpu"] + m["children"] for m in measured], ".2f")
    row("wall s", [m["wall"] for m in measured], ".2f")
    row("peak memory MB, all", [m["peak"] / MB for m in measured], ".0f")
    line("rows a second", *(f"{m['rows'] / m['wall']:,.0f}" for m in measured))
    line("rows a CPU second", *(f"{m['rows'] / (m['cpu'] + m['children']):,.0f}" for m in measured))
    print("\nCPU s by part")
    line("  reading, in a child", f"{ours['children']:.2f}")
    for word, part in PARTS.items():
        if word in ours["parts"]:
            line(f"  {part}", f"{ours['parts'][word]:.2f}")
    print(f"\ndatabase {ours['bytes'] / MB:.0f} MB, {ours['stored']:,} of {ours['rows']:,} rows stored")


def looked_up(found: dict[str, Any]) -> None:
    """Milliseconds of look-ups."""
    print("\nlook-ups in that home")
    line("  kind", "p50 ms", "p99 ms", "found")
    for kind, times in found.items():
        line(f"  {kind}", f"{times['p50'] * 1000:.2f}", f"{times['p99'] * 1000:.2f}", times["found"])


def main(small: bool) -> None:
    """Measure and print."""
    rows = SMALL if small else int(os.environ.get("ROWS", str(ROWS)))
    with TemporaryDirectory(prefix="loanhub-bench-") as folder:
        made = step("make", folder, str(rows))
        print(f"{made['rows']:,} rows of 20 columns, {made['bytes'] / MB:.1f} MB of .xlsx\n")
        ours = watched("intake", folder)
        theirs = None if small else watched("pandas", folder)
        intakes(ours, None if theirs is None or "missing" in theirs else theirs)
        if theirs is not None and "missing" in theirs:
            print("pandas is not installed here: `make bench` installs it")
        looked_up(step("finds", folder))
    print("\nstarting, wall ms")
    line("", "best", "median")
    for name, arguments in (
        ("  loanhub --help", ("-m", "loanhub", "--help")),
        ("  python -c pass", ("-c", "pass")),
    ):
        seconds = starts(*arguments)
        line(name, f"{min(seconds) * 1000:.0f}", f"{statistics.median(seconds) * 1000:.0f}")


if __name__ == "__main__":
    main("--small" in sys.argv[1:])
