"""Where large files are cut does not depend on how much of them is read at once."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

import pytest

from loanhub.testing.remotes import MemoryRemote
from sync_agent.snapshots import contents
from sync_agent.snapshots.contents import MOST, Contents
from tests.unit.vaults import new_vault

MIB = 1024 * 1024
LARGE = random.Random(3).randbytes(6 * MIB) + bytes(9 * MIB) + random.Random(4).randbytes(6 * MIB)
"""The zeros in the middle have no place to cut at: there chunks are as large as they may be."""


@pytest.fixture
def reader() -> Iterator[Contents]:
    with new_vault(MemoryRemote()).writer() as writer:
        yield Contents(writer, 7, lambda path: None)


def lengths(reader: Contents) -> list[int]:
    return [len(chunk) for chunk in reader._chunks(io.BytesIO(LARGE))]


@pytest.mark.parametrize("room", [MOST, MOST + 1, 8 * MIB])
def test_a_file_is_cut_alike_whatever_the_buffer(
    reader: Contents, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    monkeypatch.setattr(contents, "_BUFFER", 2 * len(LARGE))
    at_once = lengths(reader)
    assert max(at_once) == MOST
    assert sum(at_once) == len(LARGE)
    monkeypatch.setattr(contents, "_BUFFER", room)
    assert lengths(reader) == at_once


def test_a_buffer_smaller_than_the_largest_chunk_is_refused(
    reader: Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_BUFFER", MOST - 1)
    with pytest.raises(AssertionError, match="largest chunk"):
        lengths(reader)
