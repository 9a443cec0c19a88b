"""What a user would take instead, measured on the same rows; each a process of its own, as JSON.

pandas FOLDER            pandas.read_excel as it comes (openpyxl) and to_sql
pandas-calamine FOLDER   the same with the fast reader
sqlite-utils FOLDER      `sqlite-utils insert --csv` on the same rows as CSV

All of them plain: no checks, no encryption, no index, no history, no report.
"""

from __future__ import annotations

import csv
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

BOOK: Final = "贷款台账.xlsx"
MISSING: Final = "missing"


def by_pandas(engine: str) -> Callable[[Path], dict[str, Any]]:
    """read_excel by an engine, then to_sql."""

    def run(folder: Path) -> dict[str, Any]:
        try:
            pd: Any = import_module("pandas")
        except ImportError:
            return {MISSING: "pandas"}
        from loanhub.system import footprint

        begun, before = time.perf_counter(), footprint()
        frame = pd.read_excel(folder / BOOK, engine=engine)
        with sqlite3.connect(folder / f"{engine}.db") as connection:
            frame.to_sql("loans", connection, index=False)
        connection.close()
        wall, after = time.perf_counter() - begun, footprint()
        return _measured(len(frame), wall, after.cpu - before.cpu, after.peak)

    return run


def by_sqlite_utils(folder: Path) -> dict[str, Any]:
    """The command line tool on a CSV of the same rows; writing the CSV is not timed."""
    from loanhub.system import footprint

    rows = to_csv(folder / BOOK, folder / "rows.csv")
    command = [
        sys.executable,
        "-m",
        "sqlite_utils",
        "insert",
        "sqlite-utils.db",
        "loans",
        "rows.csv",
        "--csv",
    ]
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, used = time.perf_counter() - begun, footprint()
    return _measured(rows, wall, used.children_cpu, used.children_peak)


def to_csv(book: Path, target: Path) -> int:
    """The first sheet as a CSV; its rows without the header."""
    from python_calamine import CalamineWorkbook

    rows = 0
    with target.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        for row in CalamineWorkbook.from_path(book).get_sheet_by_index(0).iter_rows():
            writer.writerow(row)
            rows += 1
    return rows - 1


def _measured(rows: int, wall: float, cpu: float, peak: int) -> dict[str, Any]:
    return {"rows": rows, "wall": wall, "cpu": cpu, "children": 0.0, "peak": peak}


YARDSTICKS: Final[dict[str, Callable[[Path], dict[str, Any]]]] = {
    "pandas": by_pandas("openpyxl"),
    "pandas-calamine": by_pandas("calamine"),
    "sqlite-utils": by_sqlite_utils,
}

if __name__ == "__main__":
    name, where = sys.argv[1:]
    print(json.dumps(YARDSTICKS[name](Path(where))))
