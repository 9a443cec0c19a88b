"""What the bench measures, each step a process of its own that says what it found as JSON.

make FOLDER ROWS      the workbook, 20 columns, and what to look for in it later
intake FOLDER         it taken into a new home, encrypted and indexed
finds FOLDER          look-ups of every kind in that home
"""

from __future__ import annotations

import json
import random
import re
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

SEED: Final = 1
COLUMNS: Final = 20
LOOK_UPS: Final = 200
"""Look-ups of each kind."""
PASSPHRASE: Final = "a passphrase for the bench"
BOOK: Final = "贷款台账.xlsx"
WORD: Final = r".{2}[市县]|.{2}[区镇乡]|.{2}[路街巷]|.{2}大道|\d+号|\d+幢"
"""Words of an address as a clerk remembers them."""
NEXT_PAGES: Final = ("common surname", "address word")
"""Kinds whose second page is timed too: both have thousands."""


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
    words = [re.findall(WORD, address) for address in people["address"].head(4 * LOOK_UPS)]
    chance = random.Random(SEED)
    kinds = {
        "name": names,
        "common surname": list("王李张刘陈"),
        "part of a name": [name[1:] for name in names if len(name) > 2] or names,
        "initials": [initials(name) for name in names[: 4 * LOOK_UPS]],
        "two initials": [initials(name)[:2] for name in names[: 4 * LOOK_UPS]],
        "mobile": mobiles,
        "last four": [number[-4:] for number in numbers],
        "ID number": numbers,
        "card": cards,
        "loan number": book.loans["loan_no"].drop_nulls().to_list(),
        "address word": [chance.choice(some) for some in words],
        "address words": [" ".join(chance.sample(some, 3)) for some in words],
        "name, address word": [
            f"{name[0]} {chance.choice(some)}" for name, some in zip(names, words, strict=False)
        ],
        "nobody": [f"无此人{i}" for i in range(LOOK_UPS)],
        "no such address": [f"无此街 {i + 100}号" for i in range(LOOK_UPS)],
    }
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
    found: dict[str, dict[str, float]] = {}
    with Institution.open(folder / "home", unlock=lambda: Secret(PASSPHRASE)) as house:
        desk = house.desk()
        desk.do(FIND, Find("第一次 for what is only loaded once"))
        for kind, texts in sought.items():
            found[kind] = _timed([Find(text) for text in texts], ask := partial(desk.do, FIND))
            if kind in NEXT_PAGES:
                firsts = [(text, ask(Find(text)).after) for text in texts]
                nexts = [Find(text, after=after) for text, after in firsts if after]
                found[f"{kind}, page 2"] = _timed(nexts, ask)
    return {kind: times for kind, times in found.items() if times}


def _timed(requests: list[Any], ask: Callable[[Any], Any]) -> dict[str, float]:
    """Wall and CPU seconds within which half and 99 of 100 end: others at work on the machine cost wall."""
    wall, cpu, found = [], [], 0
    for request in requests:
        begun, used = time.perf_counter(), time.process_time()
        found += bool(ask(request).results)
        wall.append(time.perf_counter() - begun)
        cpu.append(time.process_time() - used)
    if not wall:
        return {}
    middle, last = len(wall) // 2, len(wall) * 99 // 100
    wall.sort()
    cpu.sort()
    return {"p50": wall[middle], "p99": wall[last], "cpu99": cpu[last], "found": found}


if __name__ == "__main__":
    step, where, *more = sys.argv[1:]
    steps: dict[str, Callable[..., dict[str, Any]]] = {
        "make": lambda folder: make(folder, int(more[0])),
        "intake": intake,
        "finds": finds,
    }
    print(json.dumps(steps[step](Path(where))))
