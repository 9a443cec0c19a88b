"""Thirty thousand files at once: each is handed over once, soon, with or without events of the system."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path
from threading import Event

import pytest

from loanhub.files import Settled, Settler, scan, watch

LONGEST = 120.0


def drop(folder: Path, count: int, *, first: int = 0) -> None:
    for number in range(first, first + count):
        (folder / f"台账{number:05}.csv").write_bytes(b"a,b\n1,2\n")


def handed_over(folder: Path, count: int, *, polling: bool) -> Counter[str]:
    """The files the watcher hands over until there are `count`, half of which come while it watches."""
    drop(folder, count // 2)
    found, stop, deadline = Counter[str](), Event(), time.monotonic() + LONGEST
    for event in watch([folder], settle=0.2, every=0.2, polling=polling, stop=stop):
        if not found:
            drop(folder, count - count // 2, first=count // 2)
        if isinstance(event, Settled):
            found[event.path.name] += 1
        if found.total() >= count or time.monotonic() > deadline:
            stop.set()
    return found


@pytest.mark.parametrize("polling", [False, True])
def test_a_burst_of_files_is_handed_over_once_each(polling: bool, tmp_path: Path) -> None:
    found = handed_over(tmp_path, 600, polling=polling)
    assert (len(found), set(found.values())) == (600, {1})


def test_looking_at_a_full_folder_again_costs_little_for_each_file(tmp_path: Path) -> None:
    drop(tmp_path, 2_000)
    settler = Settler(settle=0.0)
    assert sum(1 for _ in settler.look(tmp_path, scan(tmp_path), 1.0)) == 2_000
    began = time.process_time()
    assert list(settler.look(tmp_path, scan(tmp_path), 2.0)) == []
    assert (time.process_time() - began) / 2_000 < 0.000_5


@pytest.mark.prove
@pytest.mark.timeout(600)
@pytest.mark.parametrize("polling", [False, True])
def test_thirty_thousand_files_are_handed_over_once_each(polling: bool, tmp_path: Path) -> None:
    began = time.monotonic()
    found = handed_over(tmp_path, 30_000, polling=polling)
    assert (len(found), set(found.values())) == (30_000, {1})
    assert time.monotonic() - began < LONGEST
