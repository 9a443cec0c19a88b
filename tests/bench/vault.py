"""Backups measured beside restic and borg in one run, on the same data: `python -m tests.bench.vault`.

    --small      20 MB into a folder by loanhub-sync alone, one round
    MB=n         in the environment: so many megabytes instead of 538
    ROUNDS=n     so many rounds instead of 3

Each command runs as a user would run it, in a process of its own from its start to its end. Each has the data
in the page cache, and the order changes from round to round. Every restore is compared with the data.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from filecmp import cmp
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from attrs import define, field

from loanhub.testing.servers import S3Server, seaweedfs
from tests.bench import mixed
from tests.bench.backups import PROGRAMS, Backup, Bucket, program

MB: Final = 1_000_000
SMALL: Final = 20
ROUNDS: Final = 3
SETTLED: Final = 2.5
"""Seconds after which all three take the times of files for certain."""
STEPS: Final = ("first", "again", "changed", "restore")

ROWS: Final = {
    "first wall": ("first backup, wall s", ".2f"),
    "first cpu": ("  CPU s", ".2f"),
    "first stored": ("  stored MB", ".1f"),
    "first peak": ("  peak memory MB", ".0f"),
    "again wall": ("nothing changed, wall s", ".2f"),
    "again cpu": ("  CPU s", ".2f"),
    "again peak": ("  peak memory MB", ".0f"),
    "changed wall": ("1 % of pages, wall s", ".2f"),
    "changed cpu": ("  CPU s", ".2f"),
    "changed stored": ("  added MB", ".2f"),
    "restore wall": ("restore of all, wall s", ".2f"),
    "restore cpu": ("  CPU s", ".2f"),
    "restore peak": ("  peak memory MB", ".0f"),
}
"""What is shown, in this order, and how."""
TARGETS: Final = (
    ("first wall", "restic", 1 / 2),
    ("first wall", "borg", 1 / 1.5),
    ("again wall", "restic", 0.5),
    ("changed stored", "restic", 0.3),
    ("restore wall", "restic", 1.2),
    ("first stored", "restic", 1.1),
)
"""At most so much of what the other one takes."""

Found = dict[str, dict[str, list[float]]]
"""By program and measure, a number for each round."""


def timed(backup: Backup, command: list[str], folder: Path) -> dict[str, float]:
    """One command, timed, once everything written before is on the disk."""
    if hasattr(os, "sync"):
        os.sync()
    whole = [sys.executable, "-m", "tests.bench.timed", *command]
    paths = os.pathsep.join((str(Path.cwd()), os.environ.get("PYTHONPATH", "")))
    env = {**backup.environment(), "PYTHONPATH": paths}
    said = subprocess.run(whole, check=True, stdout=subprocess.PIPE, text=True, env=env, cwd=folder)
    found: dict[str, float] = json.loads(said.stdout)
    return found


def warm(data: Path) -> None:
    """Everything is in the page cache, for whoever comes first as well."""
    for path in files(data):
        path.read_bytes()


def files(folder: Path) -> list[Path]:
    """All files below a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def same(data: Path, target: Path) -> bool:
    """Whether what was restored into `target`, at whatever depth, is the data."""
    came = next(path.parent for path in files(target) if path.name == mixed.DATABASE_NAME)
    pairs = [(one, came / one.relative_to(data)) for one in files(data)]
    return all(there.is_file() and cmp(one, there, shallow=False) for one, there in pairs)


@define
class Round:
    """One round at one place: each program with a new repository, in the order given."""

    data: Path
    scratch: Path
    server: S3Server | None
    number: int
    """No two rounds of a run have the same: each changes the database anew."""
    found: Found
    _stored: dict[str, int] = field(factory=dict, init=False)

    def run(self, names: Sequence[str]) -> None:
        """All steps of each."""
        backups = {name: self._begin(name) for name in names}
        warm(self.data)
        for name, backup in backups.items():
            self._save("first", name, backup)
            self._save("again", name, backup)
        mixed.change(self.data, self.number)
        time.sleep(SETTLED)
        warm(self.data)
        for name, backup in backups.items():
            self._save("changed", name, backup)
        for name, backup in backups.items():
            self._restore(name, backup)
            shutil.rmtree(backup.own)

    def _begin(self, name: str) -> Backup:
        own = self.scratch / name
        own.mkdir()
        path = program(PROGRAMS[name][0])
        assert path is not None
        bucket = None if self.server is None else Bucket(self.server, self.server.bucket())
        made = PROGRAMS[name][1](path, own, bucket)
        timed(made, made.init(), own)
        self._stored[name] = made.stored()
        return made

    def _save(self, step: str, name: str, backup: Backup) -> None:
        self._note(step, name, timed(backup, backup.save(self.data), backup.own))
        stored = backup.stored()
        self._note(step, name, {"stored": stored - self._stored[name]})
        self._stored[name] = stored

    def _restore(self, name: str, backup: Backup) -> None:
        target = backup.own / "restored"
        target.mkdir()
        self._note("restore", name, timed(backup, backup.restore(target), target))
        if not same(self.data, target):
            sys.exit(f"{name}: what was restored is not what was saved")

    def _note(self, step: str, name: str, measured: Mapping[str, float]) -> None:
        mine = self.found.setdefault(name, {})
        for what, value in measured.items():
            mine.setdefault(f"{step} {what}", []).append(value)


def measure(
    data: Path, scratch: Path, server: S3Server | None, names: list[str], numbers: Sequence[int]
) -> Found:
    """A round for each number at one place; who begins changes."""
    found: Found = {}
    for number in numbers:
        first = number % len(names)
        Round(data, scratch, server, number, found).run(names[first:] + names[:first])
    return found


def table(found: Found, versions: Mapping[str, str]) -> Iterator[str]:
    """Ours, and beside it the others with how many times as much they take."""
    yield _line("", *(f"{name} {versions[name]}" for name in versions))
    for measure_, (title, form) in ROWS.items():
        unit = 1 if measure_.endswith(("wall", "cpu")) else MB
        values = [median(found[name][measure_]) / unit for name in versions]
        mine, *rest = values
        yield _line(title, format(mine, form), *(f"{one:{form}} ({one / mine:.2f}x)" for one in rest))
    for measure_, other, most in TARGETS:
        if other in versions:
            ratio = median(found["loanhub"][measure_]) / median(found[other][measure_])
            step, _, what = measure_.partition(" ")
            kept = "kept" if ratio <= most else "MISSED"
            yield f"  {step} {what}: {ratio:.2f} of {other}'s, at most {most:.2f} is wanted: {kept}"


def _line(*cells: str) -> str:
    return "".join(f"{cell:<26}" if i == 0 else f"{cell:>20}" for i, cell in enumerate(cells))


def present(*, alone: bool) -> dict[str, str]:
    """The programs that are here, with their versions; those that are not are named."""
    found: dict[str, str] = {}
    for name, (command, kind) in PROGRAMS.items():
        path = program(command)
        if alone and name != "loanhub":
            continue
        if path is None:
            print(f"{command} is not installed here, so nothing is compared with it")
        else:
            found[name] = kind(path, Path()).version()
    return found


def main(arguments: list[str]) -> None:
    """Measure and print."""
    small = "--small" in arguments
    megabytes = SMALL if small else int(os.environ.get("MB", mixed.WHOLE))
    rounds = 1 if small else int(os.environ.get("ROUNDS", ROUNDS))
    versions = present(alone=small)
    with TemporaryDirectory(prefix="loanhub-bench-") as folder, ExitStack() as stack:
        data, scratch = Path(folder) / "data", Path(folder) / "scratch"
        scratch.mkdir()
        size = mixed.make(data, megabytes)
        time.sleep(SETTLED)
        print(f"{size / MB:.0f} MB of mixed data in {len(files(data))} files, medians of {rounds} rounds\n")
        found = measure(data, scratch, None, [*versions], range(rounds))
        print("local folder\n" + "\n".join(table(found, versions)))
        if small:
            return
        try:
            server = stack.enter_context(seaweedfs(Path(folder) / "server"))
        except FileNotFoundError:
            print("\nseaweedfs-bin is not installed here: `make bench` installs it")
            return
        there = {name: version for name, version in versions.items() if name != "borg"}
        found = measure(data, scratch, server, [*there], range(rounds, 2 * rounds))
        print("\nSeaweedFS, a server that speaks S3, on this computer\n" + "\n".join(table(found, there)))


if __name__ == "__main__":
    main(sys.argv[1:])
