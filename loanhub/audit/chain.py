r"""The hash chain: every line carries the hash of the one before, so no line can be changed, dropped or moved
without all later hashes changing.

A line's hash is SHA-256 over its values as canonical JSON (sorted keys, no spaces, UTF-8) with the previous
hash in hex, prefixed by `loanhub-audit-1\n`. Lines hold names of fields, never their values. `session` and
`address` stand in it only where there are any, so lines of before they were known keep their hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from loanhub.errors import Damaged

if TYPE_CHECKING:
    from loanhub.policy import Principal

EMPTY: Final = bytes(32)
MOMENT: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


@frozen
class Head:
    """The end of a log: the sequence number and hash of its last line (0 and 32 zero bytes when empty)."""

    seq: int
    hash: bytes


@frozen
class Line:
    """One line of the audit log, linked to the one before."""

    seq: int
    at: datetime
    who: str
    role: str
    via: str
    act: str
    object: str
    fields: tuple[str, ...]
    reason: str
    outcome: str
    counts: Mapping[str, int]
    previous: bytes
    hash: bytes
    session: str = ""
    address: str = ""


@frozen
class Entry:
    """What is to be logged, before it has a place in the chain."""

    at: datetime
    who: Principal
    act: str
    object: str = ""
    fields: tuple[str, ...] = ()
    reason: str = ""
    outcome: str = "done"
    counts: Mapping[str, int] = field(factory=dict)


def link(head: Head, entry: Entry) -> Line:
    """The line that continues the log behind `head`."""
    line = Line(
        head.seq + 1,
        entry.at.astimezone(UTC),
        one_line(entry.who.name),
        one_line(entry.who.role),
        one_line(entry.who.via),
        entry.act,
        one_line(entry.object),
        tuple(sorted(entry.fields)),
        one_line(entry.reason),
        entry.outcome,
        dict(entry.counts),
        head.hash,
        EMPTY,
        one_line(entry.who.session),
        one_line(entry.who.address),
    )
    return evolve(line, hash=digest(line))


def digest(line: Line) -> bytes:
    """The hash of a line linked to the one before; the one it carries is not looked at."""
    said = {**values(line), "previous": line.previous.hex()}
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(b"loanhub-audit-1\n" + text.encode()).digest()


def values(line: Line) -> dict[str, object]:
    """The values that a line's hash covers, in the form they are hashed."""
    beside = {"session": line.session, "address": line.address}
    return {
        **{name: text for name, text in beside.items() if text},
        "seq": line.seq,
        "at": line.at.strftime(MOMENT),
        "who": line.who,
        "role": line.role,
        "via": line.via,
        "act": line.act,
        "object": line.object,
        "fields": list(line.fields),
        "reason": line.reason,
        "outcome": line.outcome,
        "counts": dict(line.counts),
    }


def one_line(text: str) -> str:
    """Text that cannot forge a line of its own: control characters shown as their code."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def check(lines: Iterable[Line], head: Head | None = None) -> int:
    """The number of the last line, when all behind `head` (the beginning if not given) are whole.

    Raises Damaged("audit-broken", seq=...) at the first bad one.
    """
    seq, previous = (0, EMPTY) if head is None else (head.seq, head.hash)
    for line in lines:
        seq += 1
        if line.seq != seq or line.previous != previous or line.hash != digest(line):
            raise Damaged("audit-broken", seq=seq)
        previous = line.hash
    return seq
