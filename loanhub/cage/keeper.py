"""Outside the cage: start the child, listen, keep the time, and say in plain codes how it ended."""

from __future__ import annotations

import os
import pickle
import queue
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import TimeoutExpired
from tempfile import TemporaryDirectory
from threading import Event, Thread
from typing import Any, BinaryIO, Final

from loanhub import errors, system
from loanhub.cage import frames
from loanhub.cage.child import OUT_OF_MEMORY
from loanhub.cage.frames import Broken, Kind
from loanhub.errors import Interrupted, LoanHubError, Refused
from loanhub.system import Child, Limits

# What a child gets from our environment: enough to start, nothing that could hold a secret.
KEPT: Final = (
    "PATH",
    "SYSTEMROOT",
    "WINDIR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "LD_LIBRARY_PATH",
    "PYTHONHOME",
)
FRUGAL: Final = {
    # One arena of memory a thread would count fully against the limit though nothing is in it.
    "MALLOC_ARENA_MAX": "2",
    # Blocks of some megabytes come and go all the time: giving each back to the system costs a tenth more.
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
    "POLARS_MAX_THREADS": "1",
}
"""For the C library of Linux, and for polars; others do not look."""
_START: Final = "import sys; from loanhub.cage import child; child.main(int(sys.argv[1]))"
_GLANCE: Final = 0.1  # seconds between looks at the clock and at `stop`
_LAST_WORDS: Final = 4096
_NOTHING_YET: Final = (Kind.PROGRESS, None)


def run(
    function: str,
    *arguments: Any,
    memory: int,
    cpu: int,
    wall: float,
    on_progress: Callable[[Any], None] | None = None,
    stop: Event | None = None,
    scratch: Path | None = None,
) -> Any:
    """Call the module-level `function` ("module:name") in a limited child; its result, as JSON gives it back.

    `memory` bytes of address space, `cpu` and `wall` seconds. `scratch` is the child's working folder
    and stays; without it there is one that is gone afterwards. `on_progress` gets what the function
    gives to `cage.report`, in this thread.

    A LoanHubError of the function is raised here as it is. Any other exception raises
    Refused("reader-failed", reason=its class, where=file and line); a child that is killed or breaks
    down Refused("reader-died", reason="memory", "time" or "crash"); `stop` Interrupted("reading-stopped").
    """
    with _room(scratch) as room, _listening(room, Limits(memory, cpu), function, arguments) as cage:
        deadline = time.monotonic() + wall
        while True:
            frame = cage.hear(min(_GLANCE, deadline - time.monotonic()))
            if frame is not None:
                kind, content = frame
                if kind is not Kind.PROGRESS:
                    return _outcome(kind, content)
                if on_progress is not None:
                    on_progress(content)
            if stop is not None and stop.is_set():
                raise Interrupted("reading-stopped")
            if time.monotonic() >= deadline:
                raise Refused("reader-died", reason="time")


class _Cage:
    """A running child and the two threads that empty its pipes (Windows cannot wait for several pipes)."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._heard: queue.Queue[tuple[Kind, Any] | None] = queue.Queue(maxsize=64)
        self._last_words = b""
        self._closed = False
        process = child.process
        assert process.stdout is not None
        assert process.stderr is not None
        self._threads = (
            Thread(target=self._listen, args=(process.stdout,), daemon=True),
            Thread(target=self._overhear, args=(process.stderr,), daemon=True),
        )
        for thread in self._threads:
            thread.start()

    def hear(self, patience: float) -> tuple[Kind, Any] | None:
        """The next frame, or None when none came in time. Raises Refused when the child is gone."""
        try:
            frame = self._heard.get(timeout=max(patience, 0.001))
        except queue.Empty:
            return None
        if frame is None:
            raise self._post_mortem()
        return frame

    def close(self) -> int:
        """End the child and both threads; the exit status."""
        self._closed = True
        self._child.kill()
        for thread in self._threads:
            thread.join(1.0)
        return self._child.end()

    def _post_mortem(self) -> Refused:
        self._threads[1].join(1.0)  # stdout ends a moment before stderr
        with suppress(TimeoutExpired):
            self._child.process.wait(1.0)
        status = self.close()
        if status == OUT_OF_MEMORY:
            return Refused("reader-died", reason="memory")
        return Refused("reader-died", reason=self._child.death(status, self._last_words))

    def _listen(self, stream: BinaryIO) -> None:
        frame: tuple[Kind, Any] | None = _NOTHING_YET
        while frame is not None and not self._closed:
            try:
                frame = frames.read(stream)
            except Broken:
                frame = None
            self._pass_on(frame)

    def _pass_on(self, frame: tuple[Kind, Any] | None) -> None:
        while not self._closed:  # a full queue holds the child back, but never our own end
            with suppress(queue.Full):
                self._heard.put(frame, timeout=_GLANCE)
                return

    def _overhear(self, stream: BinaryIO) -> None:
        """The end of stderr tells how it died. It may hold cell contents: never shown, never stored."""
        while words := stream.read1(_LAST_WORDS):  # type: ignore[attr-defined]
            self._last_words = (self._last_words + words)[-_LAST_WORDS:]


@contextmanager
def _listening(room: Path, limits: Limits, function: str, arguments: tuple[Any, ...]) -> Iterator[_Cage]:
    task = pickle.dumps((function, arguments, limits), protocol=5)
    command = [
        "-P",
        "-X",
        "utf8",
        *(["-B"] if sys.dont_write_bytecode else []),
        "-c",
        _START,
        str(os.getpid()),
    ]
    child = system.spawn(command, cwd=room, environment=_environment(room), limits=limits)
    cage = _Cage(child)
    try:
        assert child.process.stdin is not None
        with suppress(BrokenPipeError, OSError):  # it died at once: the listener will say why
            child.process.stdin.write(task)
            child.process.stdin.flush()
        yield cage
    finally:
        cage.close()


def _environment(room: Path) -> dict[str, str]:
    paths = [entry or str(Path.cwd()) for entry in sys.path]
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    own = dict.fromkeys(("TMPDIR", "TEMP", "TMP", "HOME", "USERPROFILE"), str(room))
    return {**kept, **own, **FRUGAL, "PYTHONPATH": os.pathsep.join(paths)}


@contextmanager
def _room(scratch: Path | None) -> Iterator[Path]:
    if scratch is not None:
        yield system.private_folder(scratch)
        return
    with TemporaryDirectory(prefix="cage-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def _outcome(kind: Kind, content: Any) -> Any:
    """The result, or the exception the child told of; what it tells is checked, for it may lie."""
    if kind is Kind.RESULT:
        return content
    match kind, content:
        case Kind.ERROR, {"kind": str(name), "code": str(code), "facts": dict(facts)}:
            found = vars(errors).get(name)
            if isinstance(found, type) and issubclass(found, LoanHubError):
                raise found(code, **facts)
        case Kind.FAILURE, {"reason": str(reason), "where": str(where)} if reason.isidentifier():
            raise Refused("reader-failed", reason=reason[:100], where=where[:100])
    raise Refused("reader-died", reason="crash")
