r"""The audit log's hash chain: every line carries the hash of the one before, so no line can be changed,
dropped or moved without all later hashes changing.

A line's hash is SHA-256 over its fields as canonical JSON (sorted keys, no spaces, UTF-8) with the
previous hash in hex, prefixed by `loanhub-audit-1\n`. Lines hold names of fields, never their values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import cast

from attrs import field, frozen

from loanhub.errors import Damaged
from loanhub.policy import Principal
from loanhub.records import MOMENT


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


EMPTY = bytes(32)


def digest(values: Mapping[str, object], previous: bytes) -> bytes:
    """The hash of a line's values linked to `previous`."""
    text = json.dumps(
        {**values, "previous": previous.hex()}, ensure_ascii=False, sort_keys=True, separators=(",", ":")
    )
    return hashlib.sha256(b"loanhub-audit-1\n" + text.encode()).digest()


def values_of(seq: int, entry: Entry) -> dict[str, object]:
    """The values of a line that its hash covers, in the form they are hashed."""
    return {
        "seq": seq,
        "at": entry.at.astimezone(UTC).strftime(MOMENT),
        "who": one_line(entry.who.name),
        "role": entry.who.role,
        "via": entry.who.via,
        "act": entry.act,
        "object": one_line(entry.object),
        "fields": sorted(entry.fields),
        "reason": one_line(entry.reason),
        "outcome": entry.outcome,
        "counts": dict(entry.counts),
    }


def one_line(text: str) -> str:
    """Text that cannot forge a line of its own: control characters shown as their code."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)


def check(lines: Iterable[Mapping[str, object]]) -> int:
    """The number of lines, all whole. Raises Damaged("audit-broken", seq=...) at the first bad one.

    Each mapping has the keys of `values_of` and `previous`, `hash` as bytes.
    """
    previous, expected = EMPTY, 0
    for line in lines:
        expected += 1
        values = {k: v for k, v in line.items() if k not in ("previous", "hash")}
        whole = (
            line["seq"] == expected
            and line["previous"] == previous
            and line["hash"] == digest(values, previous)
        )
        if not whole:
            raise Damaged("audit-broken", seq=expected)
        previous = cast("bytes", line["hash"])
    return expected
