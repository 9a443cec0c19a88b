"""What the bench measures, each step a process of its own that says what it found as JSON.

make FOLDER ROWS      the workbook, 20 columns, and what to look for in it later
intake FOLDER         it taken into a new home, encrypted and indexed
finds FOLDER          look-ups of every kind in that home
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

SEED: Final = 1
COLUMNS: Final = 20
LOOK_UPS: Final = 200
"""Look-ups of each kind."""
PASSPHRASE: Final = "a passphrase for the bench"
BOOK: Final = "贷款台账.xlsx"


def make(folder: Path, rows: int) -> dict[str, Any]:
    """The workbook. Every eighth loan is somebody's second."""
    from loanhub.testing import Book, tidy_workbook

    book = Book.make(SEED, customers=max(rows * 7 // 8, 1), receipts=False)
    tidy_workbook(book, folder / BOOK, columns=COLUMNS)
    (folder / "sought.json").write_text(json.dumps(_sought(book), ensure_ascii=False), encoding="utf-8")
    return {"rows": book.loans.height, "bytes": (folder / BOOK).stat().st_size}


def _sought(book: Any) -> dict[str, list[str]]:
    """Texts a clerk types into the search box, by kind."""
    from loanhub.searching import initials

    people = book.people.filter(book.people["customer_type"] == "person").drop_nulls(["name", "mobile"])
    names, mobiles = people["name"].to_list(), people["mobile"].to_list()
    numbers, cards = people["id_number"].drop_nulls().to_list(), people["bank_card"].drop_nulls().to_list()
    kinds = {
        "name": names,
        "part of a name": [name[1:] for name in names if len(name) > 2] or names,
        "initials": [initials(name) for name in names[: 4 * LOOK_UPS]],
        "mobile": mobiles,
        "last four": [number[-4:] for number in numbers],
        "ID number": numbers,
        "card": cards,
        "loan number": book.loans["loan_no"].drop_nulls().to_list(),
        "nobody": [f"无此人{i}" for i in range(LOOK_UPS)],
    }
    chance = random.Random(SEED)
    return {kind: chance.choices(texts, k=LOOK_UPS) for kind, texts in kinds.items() if texts}


def intake(folder: Path) -> dict[str, Any]:
    """The workbook into a new home; CPU seconds by part, of this process and of its reading child."""
    from loanhub.institution import Institution
    from loanhub.keys import Secret
    from loanhub.services.intake.job import Incoming, Intake
    from loanhub.system import footprint

    home, secret = folder / "home", Secret(PASSPHRASE)
    if home.exists():  # somebody is at work in it
        house = Institution.open(home, unlock=lambda: secret)
    else:
        house, _ = Institution.create(home, secret, {"institution": "bench"})
    started, marks = time.perf_counter(), [("start", footprint())]
    begun: dict[str, float] = {}
    with house:
        job = Intake.of(house, "zh")
        for progress in job.take(Incoming(folder / BOOK, BOOK)):
            if progress.note != marks[-1][0]:
                marks.append((progress.note, footprint()))
                begun[progress.note] = time.perf_counter() - started
        marks.append(("finishing", footprint()))
        batch = job.done[-1]
    own = {note: used.cpu for note, used in marks}
    found = dict(zip([note for note, _ in marks[1:]], _steps(list(own.values())), strict=True))
    return {
        "status": batch.status,
        "rows": batch.rows,
        "stored": batch.stored,
        "wall": time.perf_counter() - started,
        "cpu": footprint().cpu - marks[0][1].cpu,
        "children": footprint().children_cpu - marks[0][1].children_cpu,
        "parts": found,
        "readable": begun.get("indexing", time.perf_counter() - started),
        "bytes": (folder / "home" / "data" / "loanhub.db").stat().st_size,
        "peak": footprint().peak,
        "children_peak": footprint().children_peak,
    }


def _steps(values: list[float]) -> Iterator[float]:
    yield from (after - before for before, after in pairwise(values))


def finds(folder: Path) -> dict[str, Any]:
    """Look-ups by kind: seconds within which half and 99 of 100 of them end, and how many found somebody."""
    from loanhub.institution import Institution
    from loanhub.keys import Secret
    from loanhub.services.people.acts import FIND
    from loanhub.services.people.find import Find

    sought = json.loads((folder / "sought.json").read_text(encoding="utf-8"))
    with Institution.open(folder / "home", unlock=lambda: Secret(PASSPHRASE)) as house:
        desk = house.desk()
        desk.do(FIND, Find("a first one, for what is only loaded once"))
        return {
            kind: _timed(lambda text: len(desk.do(FIND, Find(text)).results), sought[kind]) for kind in sought
        }


def _timed(find: Callable[[str], int], texts: list[str]) -> dict[str, float]:
    seconds, found = [], 0
    for text in texts:
        begun = time.perf_counter()
        found += bool(find(text))
        seconds.append(time.perf_counter() - begun)
    seconds.sort()
    return {"p50": seconds[len(seconds) // 2], "p99": seconds[len(seconds) * 99 // 100], "found": found}


if __name__ == "__main__":
    step, where, *more = sys.argv[1:]
    steps: dict[str, Callable[..., dict[str, Any]]] = {
        "make": lambda folder: make(folder, int(more[0])),
        "intake": intake,
        "finds": finds,
    }
    print(json.dumps(steps[step](Path(where))))
