"""`python -m tests.bench`: an intake measured, beside what a user would take instead.

    --small      500 rows, and no yardsticks
    --million    1,000,000 rows too: how long, how much memory, and look-ups among so many
    ROWS=n       in the environment: so many rows instead of 200,000

Every number printed was measured in this run: CPU seconds are of all processes, user and system; memory is
the most they held together at one moment. Ratios say how many times less we take.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, Final

from loanhub.system import tree_memory
from tests.bench.yardsticks import MISSING, YARDSTICKS

ROWS: Final = 200_000
SMALL: Final = 500
MILLION: Final = 1_000_000
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


def step(module: str, *arguments: str) -> dict[str, Any]:
    """One step in a process of its own, and what it found."""
    command = [sys.executable, "-m", f"tests.bench.{module}", *arguments]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


def watched(module: str, *arguments: str) -> dict[str, Any]:
    """A step with its `peak`: that of the process and all its children at once."""
    watch = Watch()
    watch.start()
    found = step(module, *arguments)
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
    print("".join(f"{cell:<26}" if i == 0 else f"{cell:>18}" for i, cell in enumerate(cells)))


def table(ours: dict[str, Any], others: dict[str, dict[str, Any]]) -> None:
    """Ours, and beside it the others with how many times less ours takes."""
    line("", "loanhub", *others)

    def row(name: str, form: str, *values: float) -> None:
        mine, *rest = values
        line(name, format(mine, form), *(f"{value:{form}} ({value / mine:.2f}x)" for value in rest))

    measured = [ours, *others.values()]
    row("CPU s, all processes", ".2f", *(m["cpu"] + m["children"] for m in measured))
    row("wall s", ".2f", *(m["wall"] for m in measured))
    row("peak memory MB, all", ".0f", *(m["peak"] / MB for m in measured))
    line("rows a second", *(f"{m['rows'] / m['wall']:,.0f}" for m in measured))
    print("\nCPU s by part")
    line("  reading, in a child", f"{ours['children']:.2f}")
    for word, part in PARTS.items():
        if word in ours["parts"]:
            line(f"  {part}", f"{ours['parts'][word]:.2f}")
    print(f"\nall rows checked and readable after {ours['readable']:.1f} s, all search keys and the report")
    print(f"after {ours['wall']:.1f} s; database {ours['bytes'] / MB:.0f} MB")
    print(f"{ours['stored']:,} of {ours['rows']:,} rows stored")


def looked_up(found: dict[str, Any]) -> None:
    """Milliseconds of look-ups."""
    print("\nlook-ups in that home")
    line("  kind", "p50 ms", "p99 ms", "p99 CPU ms", "found")
    for kind, times in found.items():
        shown = [f"{times[name] * 1000:.2f}" for name in ("p50", "p99", "cpu99")]
        line(f"  {kind}", *shown, times["found"])


def others(folder: str) -> dict[str, dict[str, Any]]:
    """What the yardsticks take for the same rows; those that are not installed are named."""
    found = {}
    for name in YARDSTICKS:
        measured = watched("yardsticks", name, folder)
        if MISSING in measured:
            print(f"{measured[MISSING]} is not installed here: `make bench` installs it")
        else:
            found[name] = measured
    return found


def disturbed(folder: str) -> None:
    """The same intake while somebody works in the home."""
    home = Path(folder) / "beside"
    home.mkdir()
    (home / "贷款台账.xlsx").hardlink_to(Path(folder) / "贷款台账.xlsx")
    command = [sys.executable, "-m", "tests.bench.beside", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as clerk:
        while not (home / "ready").exists() and clerk.poll() is None:
            time.sleep(GLANCE)
        step("steps", "intake", str(home))
        (home / "stop").touch()
        said, _ = clerk.communicate()
    print("\nsomebody at work in the home meanwhile")
    line("  what", "times", "p50 ms", "p99 ms", "at most ms")
    for name, found in json.loads(said).items():
        line(f"  {name}", found["count"], *(f"{found[n]:.1f}" for n in ("p50", "p99", "most")))


def measure(rows: int, *, beside: bool, clerk: bool) -> None:
    """An intake of so many rows, and look-ups in its home."""
    with TemporaryDirectory(prefix="loanhub-bench-") as folder:
        made = step("steps", "make", folder, str(rows))
        print(f"{made['rows']:,} rows of 20 columns, {made['bytes'] / MB:.1f} MB of .xlsx\n")
        ours = watched("steps", "intake", folder)
        table(ours, others(folder) if beside else {})
        looked_up(step("steps", "finds", folder))
        if clerk:
            disturbed(folder)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    small = "--small" in arguments
    measure(SMALL if small else int(os.environ.get("ROWS", ROWS)), beside=not small, clerk=True)
    if "--million" in arguments:
        print()
        measure(MILLION, beside=False, clerk=False)
    print("\nstarting, wall ms")
    line("", "best", "median")
    for name, command in (
        ("  loanhub --help", ("-m", "loanhub", "--help")),
        ("  python -c pass", ("-c", "pass")),
    ):
        seconds = starts(*command)
        line(name, f"{min(seconds) * 1000:.0f}", f"{statistics.median(seconds) * 1000:.0f}")


if __name__ == "__main__":
    main(sys.argv[1:])
