"""Drives the service over a folder and watches it from outside: its answers, time, memory and death."""

from __future__ import annotations

import csv
import json
import queue
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from types import TracebackType
from typing import Final, Self

from attrs import frozen

LONGEST: Final = 60.0  # seconds a file may take
MOST: Final = 1_500  # megabytes of the service and its child together
PATIENCE: Final = 180.0  # seconds after which a hanging service is killed
GLANCE: Final = 0.01
ENDS: Final = ("stored", "refused", "needs-mapping")
EXPECTED: Final = Path(__file__).with_name("expected.csv")
CHECKOUT: Final = Path(__file__).resolve().parent.parent.parent


@frozen
class Line:
    """What became of one file: `outcome` is one of ENDS, or died, hung, failed; `peak` 0 where not told."""

    name: str
    outcome: str
    code: str = ""
    seconds: float = 0.0
    peak: float = 0.0

    def faults(self) -> list[str]:
        """Why this must not happen, whatever the file holds."""
        return [
            *([f"{self.outcome} {self.code}".rstrip()] if self.outcome not in ENDS else []),
            *([f"took {self.seconds:.0f} s"] if self.seconds > LONGEST else []),
            *([f"took {self.peak:.0f} MB"] if self.peak > MOST else []),
        ]

    def __str__(self) -> str:
        said = f"{self.outcome} {self.code}".rstrip()
        return f"{said:36} {self.seconds:5.1f} s {self.peak:6.0f} MB  {shown(self.name)}"


def shown(name: str) -> str:
    """A file name without what would turn a terminal upside down."""
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def files_of(folder: Path) -> list[Path]:
    """Every file below `folder`, but for the list that describes them."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path.name != "MANIFEST.csv")


def sweep(folder: Path, files: Iterable[Path] | None = None) -> Iterator[Line]:
    """One line a file, in the order of their names. A service that died is started anew."""
    with TemporaryDirectory(prefix="sweep-") as room:
        service: Service | None = None
        for number, path in enumerate(files_of(folder) if files is None else files):
            service = service or Service(Path(room) / f"home-{number}")
            line = service.take(path, path.relative_to(folder).as_posix())
            if not service.alive:
                service.close()
                service = None
            yield line
        if service is not None:
            service.close()


class Service:
    """The process of `tests.corpus.service`, with an eye on it."""

    def __init__(self, home: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.corpus.service", str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=CHECKOUT,
            text=True,
            encoding="utf-8",
        )
        self._heard: queue.Queue[str] = queue.Queue()
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.alive = True
        if self._hear() is None:
            raise RuntimeError("it does not start: see python -m tests.corpus.service FOLDER")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def take(self, path: Path, name: str) -> Line:
        """What becomes of one file."""
        began = time.monotonic()
        assert self._process.stdin is not None
        with suppress(OSError):  # it is gone: nothing will be heard
            self._process.stdin.write(json.dumps(str(path)) + "\n")
            self._process.stdin.flush()
        self._peak = 0.0
        found = self._hear()
        seconds = time.monotonic() - began
        if found is None:
            self.alive = False
            died = self._process.poll() is not None
            return Line(name, "died" if died else "hung", "", seconds, self._peak)
        return Line(name, found["outcome"], found["code"], seconds, self._peak)

    def kill(self) -> None:
        """Let it die."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it, and its child with it."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(5.0 if self.alive else 0.0)
        except subprocess.TimeoutExpired:
            self.kill()
        self._listener.join(5.0)

    def _hear(self) -> dict[str, str] | None:
        """The next answer; None when it died or hangs. Meanwhile its memory is looked at."""
        deadline = time.monotonic() + PATIENCE
        self._peak = 0.0
        while time.monotonic() < deadline:
            with suppress(queue.Empty):
                text = self._heard.get(timeout=GLANCE)
                return json.loads(text) if text else None
            self._peak = max(self._peak, memory(self._process.pid))
        return None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as answers:
            for line in answers:
                self._heard.put(line)
        self._process.wait()
        self._heard.put("")


def memory(process: int) -> float:
    """Megabytes a process holds now, and the most its living children ever held; 0 where not told."""
    own = _command(process)
    born = (child for child in _children(process) if _command(child) != own)
    return _status(process, "VmRSS:") + sum(_status(child, "VmHWM:") for child in born)


def _children(process: int) -> list[int]:
    """Children of any thread: a process is the child of the thread that started it."""
    found: list[int] = []
    for thread in Path(f"/proc/{process}/task").glob("*/children"):
        with suppress(OSError):
            found += map(int, thread.read_text(encoding="ascii").split())
    return found


def _command(process: int) -> bytes:
    """How it was started; a child that is just being born shares memory and command with its parent."""
    with suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def _status(process: int, what: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith(what):
                return int(line.split()[1]) / 1024
    return 0.0


# -- the kept table --------------------------------------------------------------------------------


def kept(table: Path = EXPECTED) -> dict[str, tuple[str, str]]:
    """Outcome and code by file name, as kept."""
    with table.open(encoding="utf-8", newline="") as file:
        return {row["file"]: (row["outcome"], row["code"]) for row in csv.DictReader(file)}


def keep(lines: Iterable[Line], table: Path = EXPECTED) -> None:
    """Write the table anew: names and results, nothing of the files."""
    with table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["file", "outcome", "code"])
        rows.writerows([line.name, line.outcome, line.code] for line in lines)


def differences(lines: Iterable[Line], table: dict[str, tuple[str, str]]) -> list[str]:
    """What is otherwise than kept; a file the table does not know only has to end well."""
    found = []
    for line in lines:
        found += [f"{shown(line.name)}: {fault}" for fault in line.faults()]
        before = table.get(line.name, (line.outcome, line.code))
        if before != (line.outcome, line.code):
            now = f"{line.outcome} {line.code}".rstrip()
            found.append(f"{shown(line.name)}: {now}, not {' '.join(before).rstrip()} as kept")
    return found
