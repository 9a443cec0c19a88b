"""Reads files made wrong at random in caged children, many in each, and says how every one ended."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attrs import Factory, define, frozen

from loanhub import cage
from loanhub.errors import LoanHubError, Refused
from loanhub.plugins import Plugins
from loanhub.sheets import CellKind
from tests.faults.mutations import mutated

AT_ONCE: Final = 400  # files a child
MEMORY: Final = 1_500 << 20
SLOW: Final = 10.0  # CPU seconds a small file may take
CPU: Final = 60
WALL: Final = 240.0
KINDS: Final = len(CellKind)


@frozen
class Case:
    """A seed file and the number of what was done to it: enough to do it again."""

    seed: Path
    number: int

    def content(self) -> bytes:
        """The file made wrong."""
        return mutated(self.seed.read_bytes(), self.number)


@define
class Tally:
    """How the files ended: "read", or the code of a refusal (a panic is one); and what must not happen."""

    ends: Counter[str] = Factory(Counter)
    faults: list[str] = Factory(list)

    @property
    def files(self) -> int:
        return self.ends.total()

    def add(self, case: Case, end: str, seconds: float) -> None:
        self.ends[end] += 1
        if end.startswith(("reader-failed ", "odd", "reader-died")) or seconds > SLOW:
            self.faults.append(f"{case.seed.name} {case.number}: {end} in {seconds:.1f} s")


def fuzz(seeds: list[Path], room: Path, *, first: int = 0, most: int | None = None, until: float = 0.0,
         reading: str = "tests.faults.fuzzing:read_many") -> Tally:  # fmt: skip
    """Read mutation after mutation of all seeds, `most` of them or `until` (monotonic seconds)."""
    tally, number, last = Tally(), first, None if most is None else first + most
    while (last is None or number < last) and (not until or time.monotonic() < until):
        size = AT_ONCE if last is None else min(AT_ONCE, last - number)
        cases = [Case(seeds[at % len(seeds)], at) for at in range(number, number + size)]
        number += _some(cases, room, tally, until, reading)
    return tally


def _some(cases: list[Case], room: Path, tally: Tally, until: float, reading: str) -> int:
    """Run a child over the cases; how many are done, the one that killed it among them."""
    begun: list[int] = []

    def hear(told: Any) -> None:
        if isinstance(told, int):
            begun.append(told)
        else:
            tally.add(cases[begun[-1]], str(told[0]), float(told[1]))

    given = [(str(case.seed), case.number) for case in cases]
    left = max(until - time.monotonic(), 1.0) if until else 1e9
    try:
        cage.run(reading, given, left, memory=MEMORY, cpu=CPU, wall=WALL, on_progress=hear, scratch=room)
    except Refused as refused:
        if not begun or refused.code != "reader-died":
            raise
        tally.add(cases[begun[-1]], f"{refused.code} {refused.facts.get('reason')}", 0.0)
    return len(begun)


# -- in the child ----------------------------------------------------------------------------------


def read_many(given: list[tuple[str, int]], patience: float) -> None:
    """Read them one after the other, telling before each which it is, and after each how it ended."""
    plugins, deadline = Plugins.load(Path("none"), []), time.monotonic() + patience
    for at, (seed, number) in enumerate(given):
        cage.report(at)
        path = Path(f"case{Path(seed).suffix}")
        path.write_bytes(mutated(Path(seed).read_bytes(), number))
        began = _cpu()
        end = ending(plugins, path)
        cage.report([end, _cpu() - began])
        if time.monotonic() > deadline or _cpu() > CPU / 2:
            return


def ending(plugins: Plugins, path: Path) -> str:
    """ "read", or why not; "odd" with what is wrong when the blocks are not what a format promises."""
    try:
        claiming = [one for one in plugins.formats if one.claims(path) is not None]
        if len(claiming) != 1:
            return "claimed-by-none" if not claiming else "odd: claimed twice"
        for sheet in claiming[0].sheets(path):
            for wrong in _wrong(sheet.blocks()):
                return f"odd: {wrong}"
            sheet.merged(), sheet.noted()
    except LoanHubError as error:
        return error.code
    except Exception as error:  # noqa: BLE001 - in the real cage it becomes reader-failed
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        where = f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
        return f"reader-failed {type(error).__name__} {where}"
    return "read"


def _wrong(blocks: Iterator[Any]) -> Iterator[str]:
    last = 0
    for block in blocks:
        rows = block["row"]
        if block.height and (rows.item(0) <= last or not rows.is_sorted() or rows.n_unique() < block.height):
            yield "rows out of order"
        last = rows.item(-1) if block.height else last
        cells = [name[1:] for name in block.columns if name[0] == "c"]
        for at in cells:
            if (
                block[f"k{at}"].max() >= KINDS
                or (block[f"c{at}"].is_not_null() & (block[f"k{at}"] == 0)).any()
            ):
                yield f"cells of column {at}"


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
