"""What goes through the pipe between a cage and its keeper: framed JSON, as reading it runs nothing.

A frame is one byte for its kind, four for its length (big-endian), then that many bytes of UTF-8 JSON.
The keeper must expect anything: the child may have been taken over by the file it reads.
"""

from __future__ import annotations

import json
import math
import struct
from enum import Enum
from typing import Any, BinaryIO, Final, NoReturn

LONGEST: Final = 64 << 20
_HEAD: Final = struct.Struct(">cI")


class Kind(Enum):
    """What a frame says."""

    PROGRESS = b"P"
    RESULT = b"R"
    ERROR = b"E"  # a LoanHubError: class, code, facts
    FAILURE = b"X"  # any other exception: its class name and where, never its words


class Broken(Exception):
    """The other side ended, or what it sent is no frame."""


def write(stream: BinaryIO, kind: Kind, content: Any) -> None:
    """Send one frame. Raises TypeError or ValueError for what JSON cannot say or is longer than 64 MiB."""
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    sent = body.encode("utf-8", "surrogatepass")
    if len(sent) > LONGEST:
        raise ValueError("too long for the pipe: write a file in the scratch folder and send its name")
    stream.write(_HEAD.pack(kind.value, len(sent)) + sent)
    stream.flush()


def read(stream: BinaryIO) -> tuple[Kind, Any]:
    """Receive one frame. Raises Broken."""
    try:
        letter, length = _HEAD.unpack(_exactly(stream, _HEAD.size))
        if length > LONGEST:
            raise Broken
        text = _exactly(stream, length).decode("utf-8", "surrogatepass")
        return Kind(letter), json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError, OSError) as reason:
        raise Broken from reason


def _exactly(stream: BinaryIO, length: int) -> bytes:
    received = stream.read(length)
    if len(received) < length:
        raise Broken
    return received


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
