"""The Merkle tree over the hashes of all lines: one root stands for the log, a path proves a line.

RFC 9162, section 2.1: a leaf is SHA-256(00 || line hash), a node SHA-256(01 || left || right).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import define, field

EMPTY_ROOT: Final = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
"""SHA-256 of nothing."""


def leaf(line_hash: bytes) -> bytes:
    """The leaf of a line."""
    return hashlib.sha256(b"\0" + line_hash).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The node above two."""
    return hashlib.sha256(b"\1" + left + right).digest()


@define
class Tree:
    """A tree that grows at its end and keeps only the roots of its whole parts, largest first."""

    size: int = 0
    _parts: list[bytes] = field(factory=list)

    def add(self, line_hash: bytes) -> None:
        """One more line."""
        found, size = leaf(line_hash), self.size
        while size & 1:
            found, size = node(self._parts.pop(), found), size >> 1
        self._parts.append(found)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root of all lines added so far."""
        if not self._parts:
            return EMPTY_ROOT
        found = self._parts[-1]
        for part in reversed(self._parts[:-1]):
            found = node(part, found)
        return found


def root_of(line_hashes: Iterable[bytes]) -> bytes:
    """The root over lines from the first on."""
    tree = Tree()
    for one in line_hashes:
        tree.add(one)
    return tree.root


def path_of(index: int, line_hashes: Sequence[bytes]) -> list[bytes]:
    """The hashes that lead from line `index` (counted from 0) up to the root, lowest first.

    Raises IndexError.
    """
    if not 0 <= index < len(line_hashes):
        raise IndexError(index)
    level, found = [leaf(one) for one in line_hashes], []
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):
            found.append(level[beside])
        level = [
            node(level[at], level[at + 1]) if at + 1 < len(level) else level[at]
            for at in range(0, len(level), 2)
        ]
        index >>= 1
    return found


def leads_to(line_hash: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path proves that the line stands at `index` of a log of `size` lines with this root."""
    if not 0 <= index < size:
        return False
    found, last, rest = leaf(line_hash), size - 1, list(path)
    while last > 0:
        if index == last and not index & 1:  # alone at this level: it is carried up as it is
            index, last = index >> 1, last >> 1
            continue
        if not rest:
            return False
        beside = rest.pop(0)
        found = node(beside, found) if index & 1 else node(found, beside)
        index, last = index >> 1, last >> 1
    return not rest and found == root
