"""An office whose work is cut off: its home, its books, and each day's work in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import xlsxwriter
from attrs import frozen

from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.testing.numbers import mobiles, resident_ids
from tests.faults.states import State

PASSPHRASE = "correct horse"
CHUNK = 50
SETTINGS: dict[str, Any] = {
    "institution": "测试小贷",
    "drop": [{"folder": "drop", "owner": "前台"}],
    "intake": {"chunk": CHUNK},
}
HEAD = [
    "客户姓名",
    "身份证号",
    "手机号码",
    "借据号",
    "贷款金额",
    "期限",
    "贷款利率",
    "放款日期",
    "客户经理",
    "贷款用途",
]
PAID = ["借据号", "实还日期", "实还金额"]
CHECKOUT = Path(__file__).resolve().parent.parent.parent

Rows = list[list[object]]


def loans(people: int, rounds: int, *, first: int = 0, purpose: str = "进货") -> Rows:
    """Rows of loans, one of everybody in turn: rows of one person lie `people` apart, in other chunks.

    Every seventh is known by name and mobile only, every eleventh by name only.
    """
    index = np.arange(first, first + people)
    ids, _, _ = resident_ids(index, 5, date(2000, 1, 1))
    phones = mobiles(index, 5)
    found: Rows = []
    for turn in range(rounds):
        for at in range(people):
            number = turn * people + at + first
            row: list[object] = [f"周{'一二三四五六七八九'[at % 9]}{chr(0x4E00 + at)}", ids[at], phones[at]]
            if at % 7 == 3:
                row[1] = None
            if at % 11 == 5:
                row[1] = row[2] = None
            found.append(
                [*row, f"JJ{number:05}", 10_000 + number, "12个月", "12%", "2026-01-15", "王经理", purpose]
            )
    return found


def receipts(count: int) -> Rows:
    """Rows of receipts, one a loan; the last is of a loan nobody knows."""
    return [[f"JJ{n:05}", "2026-02-15", 900 + n] for n in range(count - 1)] + [["JJ99999", "2026-02-15", 1]]


def workbook(path: Path, lent: Rows, paid: Rows = ()) -> Path:  # type: ignore[assignment]
    """A workbook of a sheet of loans and one of receipts."""
    with xlsxwriter.Workbook(str(path)) as book:
        for name, rows in (("借据", [HEAD, *lent]), ("还款", [PAID, *paid] if paid else [])):
            if rows:
                sheet = book.add_worksheet(name)
                for at, row in enumerate(rows):
                    sheet.write_row(at, 0, row)
    return path


@frozen
class Ended:
    """How a day's work ended: killed or not, what was seen of its effects, the state it left, and the codes
    of what was said while there was no room.
    """

    killed: bool
    seen: tuple[str, ...]
    state: State
    said: tuple[str, ...] = ()


@frozen
class Office:
    """A home, and the moment from which its clock runs: noon of 30 June 2026."""

    home: Path
    began: float

    @classmethod
    def open(cls, home: Path) -> Office:
        """A new home."""
        house, _ = Institution.create(home, Secret(PASSPHRASE), SETTINGS)
        house.close()
        return cls(home, time.time())

    def copy(self, home: Path) -> Office:
        """The same home once more."""
        shutil.copytree(self.home, home)
        return Office(home, self.began)

    def drop(self, path: Path) -> None:
        """Put a copy of a file into the drop folder, its time as it was."""
        shutil.copy2(path, self.home / "drop" / path.name)

    def work(self, **wish: Any) -> Ended:
        """A day's work (see `day.py`); `kill=N` dies just before its N-th effect, `full=N` has no room from
        there on.
        """
        answer = self.home.with_name(f"{self.home.name}-{time.monotonic_ns()}.json")
        told = json.dumps({"home": str(self.home), "began": self.began, "answer": str(answer), **wish})
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.day", told],
            cwd=CHECKOUT,
            env={**os.environ, "LOANHUB_TESTS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == -9:
            return Ended(True, (), {})
        assert done.returncode == 0, done.stderr[-3000:]
        said = json.loads(answer.read_text(encoding="utf-8"))
        return Ended(False, tuple(said["seen"]), said["state"], tuple(said["said"]))
