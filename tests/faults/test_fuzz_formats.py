"""Workbooks and texts made wrong at random: each ends as read or refused, and nothing dies.

`make prove` reads them for FUZZ_SECONDS (60 if not set, 3600 is an hour); FUZZ_FIRST is the number to begin
with, so that a longer search goes on where another ended. A case is its seed and number: `Case.content()`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from loanhub import cage
from tests.corpus.sweep import Service, differences
from tests.faults.fuzzing import Case, fuzz
from tests.faults.mutations import mutated, seeds

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="the limits of a cage are told by POSIX names"
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return seeds(tmp_path_factory.mktemp("seeds"))


def test_the_good_files_themselves_are_read(good: list[Path], tmp_path: Path) -> None:
    ends = cage.run(f"{__name__}:ends_of", [str(path) for path in good], memory=1 << 30, cpu=60, wall=120.0)
    assert ends == {path.name: "read" for path in good}


def ends_of(paths: list[str]) -> dict[str, str]:
    from loanhub.plugins import Plugins
    from tests.faults.fuzzing import ending

    plugins = Plugins.load(Path("none"), [])
    return {Path(path).name: ending(plugins, Path(path)) for path in paths}


def test_the_same_number_makes_the_same_file_wrong_in_the_same_way(good: list[Path]) -> None:
    for seed in good:
        content = seed.read_bytes()
        assert len({mutated(content, number) for number in range(20)}) > 10
        assert [mutated(content, n) for n in range(5)] == [mutated(content, n) for n in range(5)]


def test_some_files_made_wrong_are_read_or_refused(good: list[Path], tmp_path: Path) -> None:
    tally = fuzz(good, tmp_path / "room", most=220)
    assert tally.faults == []
    assert tally.files == 220
    assert {"read", "not-whole"} < set(tally.ends)


def test_a_reader_that_dies_over_one_file_is_noticed_and_the_next_are_read(
    good: list[Path], tmp_path: Path
) -> None:
    tally = fuzz(good[:1], tmp_path / "room", most=6, reading=f"{__name__}:dying_over_the_third")
    assert dict(tally.ends) == {"read": 4, "reader-died crash": 2}
    assert [fault.rpartition(":")[0] for fault in tally.faults] == ["usual.xlsx 2", "usual.xlsx 5"]


def dying_over_the_third(given: list[tuple[str, int]], patience: float) -> None:
    for at in range(len(given)):
        cage.report(at)
        if at == 2:
            os.abort()
        cage.report(["read", 0.0])


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_files_made_wrong_for_as_long_as_wished_are_read_or_refused(good: list[Path], tmp_path: Path) -> None:
    seconds, first = float(os.environ.get("FUZZ_SECONDS", "60")), int(os.environ.get("FUZZ_FIRST", "1000"))
    tally = fuzz(good, tmp_path / "room", first=first, until=time.monotonic() + seconds)
    print(f"{tally.files} files, numbers from {first}: {dict(tally.ends.most_common())}")
    assert tally.faults == []
    assert tally.files > seconds


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_the_whole_service_outlives_files_made_wrong(good: list[Path], tmp_path: Path) -> None:
    """The same files through claim, spool, layout, mapping, landing and report: a tenth of the time."""
    until = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", "60")) / 3
    number, lines = int(os.environ.get("FUZZ_FIRST", "1000")), []
    with Service(tmp_path / "home") as service:
        while time.monotonic() < until and service.alive:
            seed = good[number % len(good)]
            path = tmp_path / f"case-{number}{seed.suffix}"
            path.write_bytes(Case(seed, number).content())
            lines.append(service.take(path, path.name))
            path.unlink()
            number += 1
    assert differences(lines, {}) == []
    assert {"stored", "refused"} <= {line.outcome for line in lines}
