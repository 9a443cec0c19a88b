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
        for kind, n in re.findall(r"^ {2}(\D+?)\s+[\d.]+\s+[\d.]+\s+(\d+)$", said, re.MULTILINE)
    }
    assert rows == read > 400
    assert found.pop("nobody") == 0
    assert len(found) == 8
    assert set(found.values()) == {200}
    assert re.search(r"CPU s, all processes +\d", said)
    assert re.search(r"loanhub --help +\d+ +\d+", said)
