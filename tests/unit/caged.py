"""Functions that the tests of the cage run inside it; named module:name, so they stand in a module."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from loanhub.cage import report
from loanhub.errors import Refused, Stale


class HouseRule(Stale):
    """An error class of a plugin, unknown to the keeper."""


def echo(value: Any) -> Any:
    print("a reader that talks on stdout")
    return value


def surroundings() -> dict[str, Any]:
    return {
        "cwd": str(Path.cwd()),
        "environment": dict(os.environ),
        "handles": len(list(Path("/proc/self/fd").iterdir())),
        "polars": "polars" in sys.modules,
        "group": os.getpgid(0),
    }


def steps(count: int) -> int:
    for step in range(count):
        report({"row": step})
    return count


def allocate(size: int) -> int:
    return len(b"\1" * size)


def allocate_and_forget(size: int) -> str:
    """What a native library does when memory ends: a line on stderr and abort."""
    try:
        bytearray(size)
    except MemoryError:
        os.write(2, b"memory allocation of 123456 bytes failed\n")
        os.abort()
    return "there was enough"


def spin() -> None:
    while True:
        pass


def sleep(seconds: float) -> None:
    time.sleep(seconds)


def tell_and_sleep(place: str) -> None:
    Path(place).write_text(str(os.getpid()))
    time.sleep(60)


def abort() -> None:
    os.write(2, b"cell 110105199001011234 was bad\n")
    os.abort()


def leave() -> None:
    sys.exit(3)


def refuse() -> None:
    raise Refused("password-protected", sheet="Sheet1", row=7, path=Path("a.xlsx"))


def refuse_the_house_way() -> None:
    raise HouseRule("changed-meanwhile", version=3)


def stumble() -> None:
    raise ValueError("cell 119999199001011234 is no amount")


def connect(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), timeout=1)


def start_a_program() -> None:
    subprocess.run([sys.executable, "-c", "pass"], check=True)


def answer_in_objects() -> object:
    return Path("x")


def answer_nan() -> float:
    return float("nan")


def write_much(size: int) -> None:
    Path("big").write_bytes(bytes(size))


def forge(sent: bytes) -> None:
    """A reader taken over by its file writes to the keeper's pipe what it likes."""
    from loanhub.cage import child

    child._pipes[0].write(sent)
    child._pipes[0].flush()
    os._exit(0)


def flood_stderr() -> str:
    for _ in range(100):
        os.write(2, b"x" * 65536)
    return "done"


def threads() -> int:
    workers = [threading.Thread(target=time.sleep, args=(0.01,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(workers)
