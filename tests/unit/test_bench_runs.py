"""The bench itself, on a small workbook: whoever breaks it hears of it before `make bench` is run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_bench_measures_a_small_intake_and_finds_everybody_in_it_again() -> None:
    """Every kind of look-up finds all it looks for, but for those who are not there."""
    bench = [sys.executable, "-m", "tests.bench", "--small"]
    said = subprocess.run(bench, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout

    rows, read = (int(n) for n in re.findall(r"(\d+) of (\d+) rows stored", said)[0])
    found = {
        kind.strip(): int(n)
        for kind, n in re.findall(r"^ {2}(\D+?(?:page 2)?)(?:\s+[\d.]+){3}\s+(\d+)$", said, re.MULTILINE)
    }
    assert rows == read > 400
    assert [found.pop(kind) for kind in ("nobody", "no such address")] == [0, 0]
    assert all(found.pop(f"{kind}, page 2") for kind in ("common surname", "address word"))
    assert len(found) == 13
    assert set(found.values()) == {200}
    assert re.search(r"CPU s, all processes +\d", said)
    assert re.search(r"loanhub --help +\d+ +\d+", said)


def test_the_bench_of_backups_measures_and_compares_what_it_restores() -> None:
    """The change of one page in a hundred adds little, and nothing changed adds next to nothing."""
    bench = [sys.executable, "-m", "tests.bench.vault", "--small"]
    said = subprocess.run(bench, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=120).stdout

    shown = dict(re.findall(r"^ *(\S.*?) {2,}([\d.]+)$", said, re.MULTILINE))
    data = int(re.findall(r"(\d+) MB of mixed data", said)[0])
    assert data * 0.3 < float(shown["stored MB"]) < data
    assert 0 < float(shown["added MB"]) < data * 0.1
    steps = ("first backup", "nothing changed", "1 % of pages", "restore of all")
    assert all(0 < float(shown[f"{step}, wall s"]) < 60 for step in steps)
