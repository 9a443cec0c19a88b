"""An export measured: a million loans with their customers out of an encrypted home into one .xlsx.

    python -m tests.bench.export 1000000 loans

The home is made by putting records straight into its store; only the export is timed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

SEED: Final = 1
PART: Final = 20_000
PASSPHRASE: Final = "a passphrase for the bench"
TWENTY: Final = (
    "loan_no", "customer.id_number", "customer.mobile", "customer.branch", "product", "amount", "balance",
    "term", "rate", "method", "guarantee", "disburse_date", "maturity_date", "due_day", "status",
    "next_due_date", "instalment", "overdue_days", "contract_no",
)  # fmt: skip
"""With the customer's name twenty columns, besides the two that mark the record."""


def fill(root: Path, rows: int) -> None:
    """A new home with so many customers and a loan each."""
    from loanhub.audit import Entry, link
    from loanhub.institution import Institution
    from loanhub.keys import Secret
    from loanhub.policy import system
    from loanhub.records import Columns, seal

    house, _ = Institution.create(root, Secret(PASSPHRASE), {"institution": "样例小贷"})
    now = datetime.now(UTC)
    with house:
        with house.store.writing() as tx:
            tx.append(lambda head: [link(head, Entry(now, system("bench"), "bench.fill"))])
        for kind, frame in _records(rows):
            with house.store.writing() as tx:
                tx.put(seal(Columns(kind, frame), house.field_keys), at=now, line=1)


def _records(rows: int) -> Iterator[tuple[str, Any]]:
    """Customers and loans in stored form, some thousand at a time."""
    import polars as pl

    from loanhub.testing import Book

    for start in range(0, rows, PART):
        size = min(PART, rows - start)
        book = Book.make(SEED + start, size, size, follow_ups=0, receipts=False)
        ids = pl.int_range(start + 1, start + size + 1, eager=True).alias("id")
        yield "customer", _shaped("customer", book.people.with_columns(ids))
        owners = pl.col("customer") + start + 1
        yield "loan", _shaped("loan", book.loans.with_columns(ids, owners.alias("customer_id")))


def _shaped(kind: str, frame: Any) -> Any:
    """Every column of the kind, in its order."""
    import polars as pl

    from loanhub.records import plain_schema

    filled = {"version": 0, "extra": "{}", "live": False}
    columns = []
    for name, dtype in plain_schema(kind).items():
        value = pl.col(name) if name in frame.columns else pl.lit(filled.get(name))
        if name in frame.columns and frame.schema[name] == pl.Date:
            value = value.dt.to_string("%Y-%m-%d")
        columns.append(value.cast(dtype).alias(name))
    return frame.select(columns)


def export(root: Path, sheet: str, target: Path) -> dict[str, Any]:
    """Export from the home at `root`: rows, bytes, seconds of wall and CPU, peak memory in bytes.

    The peak is that of this process: call it in one of its own.
    """
    from loanhub.institution import Institution
    from loanhub.keys import Secret
    from loanhub.services.sheets.asking import Export
    from loanhub.services.sheets.export import Exporting
    from loanhub.system import footprint

    with Institution.open(root, unlock=lambda: Secret(PASSPHRASE)) as house:
        wall, cpu = time.perf_counter(), time.process_time()
        columns = TWENTY if sheet == "loans" else ()
        work = Exporting(house, house.desk(), "zh", Export(sheet, columns=columns), target)
        for _ in work.run():
            pass
        assert work.done is not None
        return {
            "rows": work.done.rows,
            "columns": len(work.done.fields) + 2,
            "bytes": target.stat().st_size,
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "peak": footprint().peak,
        }


def measure(rows: int, sheet: str = "loans") -> dict[str, Any]:
    """Make a home and export from it in a process of its own."""
    import subprocess

    with TemporaryDirectory() as folder:
        root = Path(folder) / "home"
        fill(root, rows)
        command = [sys.executable, "-m", "tests.bench.export", "--from", str(root), sheet]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(said.stdout)
    return found


if __name__ == "__main__":
    if sys.argv[1] == "--from":
        home = Path(sys.argv[2])
        print(json.dumps(export(home, sys.argv[3], home.parent / "export.xlsx")))
    else:
        print(json.dumps(measure(int(sys.argv[1]), *sys.argv[2:3])))
