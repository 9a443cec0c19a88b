"""The shelf on which checked values wait, in memory and in scratch."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from loanhub.services.intake import shelf
from loanhub.services.intake.shelf import Shelf

HEIGHTS = (4, 1, 7, 3)


@pytest.fixture(params=(2, 5, 100), ids=("all in scratch", "from the third part on", "all in memory"))
def filled(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    monkeypatch.setattr(shelf, "MEMORY", request.param)
    kept, start = Shelf(tmp_path, "values"), 0
    for number, height in enumerate(HEIGHTS):
        rows = pl.int_range(start, start + height, dtype=pl.UInt32, eager=True).alias("row")
        more = {} if number < 2 else {"loan.term": pl.repeat(number, height, dtype=pl.Int64, eager=True)}
        kept.put(pl.DataFrame({"row": rows, **more}))
        start += height
    return kept


def test_every_run_of_rows_comes_back_as_it_was_put(filled: Shelf) -> None:
    """Whatever runs over the edge of a part is put together, with every column that any part has."""
    total = sum(HEIGHTS)
    for start in range(total):
        for count in range(1, total + 2):
            found = filled.slice(start, count)
            assert found["row"].to_list() == list(range(start, min(start + count, total)))
            assert found.columns == ["row", "loan.term"]


def test_all_parts_come_in_order(filled: Shelf) -> None:
    whole = pl.concat(list(filled.parts()))
    assert whole["row"].to_list() == list(range(filled.height))
    assert whole["loan.term"].to_list() == [None] * 5 + [2] * 7 + [3] * 3


def test_what_lies_in_scratch_is_read_again_after_it_was_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MEMORY", 2)
    kept = Shelf(tmp_path, "values")
    for start in (0, 3):
        kept.put(pl.DataFrame({"row": [start, start + 1, start + 2]}))
    kept.close()
    assert kept.slice(2, 2)["row"].to_list() == [2, 3]
