"""Seals and blind indexes: what was sealed opens whole, in its place, with its key, or not at all."""

from __future__ import annotations

import io
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loanhub.errors import Damaged, LoanHubError, NotAllowed, NotFound, Refused
from loanhub.keys import (
    BlindKey,
    SealKey,
    Secret,
    bind,
    blind,
    blind_many,
    label_of,
    new_object,
    open_file,
    open_many,
    open_sealed,
    seal,
    seal_file,
    seal_many,
    unseal_file,
)

KEYS = {suite: SealKey(suite, 4, Secret(bytes([suite]) * 32)) for suite in (1, 2, 3)}
KEY = KEYS[1]
OTHER = SealKey(1, 4, Secret(b"o" * 32))
AAD = bind("customer", "bank_card", 7)
CHUNK = 1 << 16

suites = st.sampled_from([1, 2, 3])


def sealed_file(plain: bytes, key: SealKey = KEY, aad: bytes = AAD) -> bytes:
    target = io.BytesIO()
    assert seal_file(key, io.BytesIO(plain), target, aad, power=16) == len(plain)
    return target.getvalue()


def opened_file(sealed: bytes, key: SealKey | Callable[[int], SealKey] = KEY, aad: bytes = AAD) -> bytes:
    target = io.BytesIO()
    unseal_file(key, io.BytesIO(sealed), target, aad)
    return target.getvalue()


# Values ---------------------------------------------------------------------------------------------------


@given(suites, st.binary(max_size=200), st.binary(max_size=40))
def test_what_was_sealed_opens(suite: int, plain: bytes, aad: bytes) -> None:
    sealed = seal(KEYS[suite], plain, aad)
    assert len(sealed) == len(plain) + 45
    assert open_sealed(KEYS[suite], sealed, aad) == plain
    assert open_sealed(lambda epoch: KEYS[suite], sealed, aad) == plain


@given(suites, st.binary(max_size=30), st.data())
def test_any_flipped_bit_is_refused(suite: int, plain: bytes, data: st.DataObject) -> None:
    sealed = bytearray(seal(KEYS[suite], plain, AAD))
    at = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8
    for keys in (KEYS[suite], lambda epoch: KEYS[suite]):
        with pytest.raises(LoanHubError, match="seal-"):
            open_sealed(keys, bytes(sealed), AAD)


@given(suites, st.binary(max_size=30), st.integers(0, 200))
def test_a_value_cut_short_is_refused(suite: int, plain: bytes, left: int) -> None:
    sealed = seal(KEYS[suite], plain, AAD)
    with pytest.raises(LoanHubError, match="seal-"):
        open_sealed(KEYS[suite], sealed[: min(left, len(sealed) - 1)], AAD)


def test_a_value_moved_to_another_row_is_refused() -> None:
    sealed = seal(KEY, b"6200", AAD)
    with pytest.raises(Damaged, match="seal-damaged"):
        open_sealed(KEY, sealed, bind("customer", "bank_card", 8))


def test_a_wrong_key_is_told_from_damage() -> None:
    sealed = seal(KEY, b"6200", AAD)
    with pytest.raises(NotAllowed, match="seal-wrong-key"):
        open_sealed(OTHER, sealed, AAD)
    with pytest.raises(Damaged, match="seal-damaged"):
        open_sealed(KEY, sealed[:-1] + bytes([sealed[-1] ^ 1]), AAD)
    with pytest.raises(NotAllowed, match="seal-wrong-key"):
        open_sealed(SealKey(2, 4, KEY.secret), sealed, AAD)


def test_an_unknown_version_or_suite_is_refused_by_name() -> None:
    sealed = seal(KEY, b"6200", AAD)
    for at in (2, 4):
        changed = sealed[:at] + b"\x09" + sealed[at + 1 :]
        for refused in (lambda it: open_sealed(KEY, it, AAD), label_of, opened_file):
            with pytest.raises(Refused, match="seal-unknown-version"):
                cast("Callable[[bytes], object]", refused)(changed)


@pytest.mark.parametrize("content", [b"", b"LH", b"119999199003070011", b"PK\x03\x04" + bytes(60)])
def test_what_is_not_sealed_is_refused(content: bytes) -> None:
    for refused in (lambda: open_sealed(KEY, content, AAD), lambda: opened_file(content)):
        with pytest.raises(Damaged, match="seal-not-sealed"):
            cast("Callable[[], object]", refused)()


def test_a_value_is_no_file_and_a_file_is_no_value() -> None:
    with pytest.raises(Damaged, match="seal-not-sealed"):
        open_sealed(KEY, sealed_file(b"x"), AAD)
    with pytest.raises(Damaged, match="seal-not-sealed"):
        opened_file(seal(KEY, bytes(100), AAD))


@given(suites, st.lists(st.none() | st.binary(max_size=30), max_size=30))
def test_a_column_seals_and_opens_like_its_values(suite: int, plains: list[bytes | None]) -> None:
    key = KEYS[suite]
    aads = [bind("customer", "bank_card", row) for row in range(len(plains))]
    sealed = seal_many(key, plains, aads)
    assert open_many(key, sealed, aads) == plains
    for one, aad, plain in zip(sealed, aads, plains, strict=True):
        assert plain is None if one is None else open_sealed(key, one, aad) == plain


def test_a_column_of_two_epochs_opens_and_an_epoch_without_key_is_named() -> None:
    newer = SealKey(3, 5, Secret(b"n" * 32))
    both = {4: KEY, 5: newer}

    def key_of(epoch: int) -> SealKey:
        if epoch not in both:
            raise NotFound("key-epoch-unknown", epoch=epoch)
        return both[epoch]

    column = [seal(KEY, b"a", AAD), seal(newer, b"b", AAD), None, seal(KEY, b"c", AAD)]
    assert open_many(key_of, column, [AAD] * 4) == [b"a", b"b", None, b"c"]
    del both[5]
    with pytest.raises(NotFound, match="epoch=5"):
        open_many(key_of, column, [AAD] * 4)


def test_the_damaged_row_of_a_column_is_named_and_its_value_is_not() -> None:
    aads = [bind(row) for row in range(5)]
    sealed = cast("list[bytes]", seal_many(KEY, [b"canary-%d" % row for row in range(5)], aads))
    sealed[3] = sealed[3][:-1] + bytes([sealed[3][-1] ^ 1])
    with pytest.raises(Damaged) as caught:
        open_many(KEY, sealed, aads)
    assert (caught.value.code, caught.value.facts) == ("seal-damaged-row", {"position": 3})
    assert caught.value.__suppress_context__
    with pytest.raises(ValueError):
        seal_many(KEY, [b"a"], [])
    with pytest.raises(ValueError):
        open_many(KEY, [], [AAD])


def test_equal_values_never_look_equal() -> None:
    sealed = seal_many(KEY, [b"6200"] * 2000, [AAD] * 2000)
    assert len({one[17:29] for one in sealed if one}) == 2000
    assert len({one[29:] for one in sealed if one}) == 2000


@given(st.lists(st.text(max_size=5) | st.integers() | st.binary(max_size=5), max_size=4))
def test_a_place_reads_only_one_way(parts: list[str | int | bytes]) -> None:
    read, rest = [], bind(*parts)
    while rest:
        size = int.from_bytes(rest[:4], "big")
        read.append(rest[4 : 4 + size])
        rest = rest[4 + size :]
    assert read == [part if isinstance(part, bytes) else str(part).encode() for part in parts]


# Files ----------------------------------------------------------------------------------------------------

EDGES = (0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17)


@pytest.mark.parametrize("suite", [1, 2, 3])
@pytest.mark.parametrize("size", EDGES)
def test_a_file_of_any_size_opens(suite: int, size: int) -> None:
    plain = os.urandom(size)
    sealed = sealed_file(plain, KEYS[suite])
    assert len(sealed) == 66 + size + 16 * max(1, -(-size // CHUNK))
    assert opened_file(sealed, lambda epoch: KEYS[suite]) == plain


def test_a_file_cut_anywhere_is_refused() -> None:
    sealed = sealed_file(os.urandom(2 * CHUNK + 100))
    edges = [66 + chunk * (CHUNK + 16) for chunk in (0, 1, 2)]
    cuts = [
        *range(70),
        *(edge + by for edge in edges for by in (-17, -16, -1, 1, 15, 16, 17)),
        len(sealed) - 1,
    ]
    for cut in cuts:
        with pytest.raises(LoanHubError, match="seal-"):
            opened_file(sealed[:cut])
    for edge in edges[1:]:
        with pytest.raises(Damaged, match="seal-truncated"):
            opened_file(sealed[:edge])


def test_chunks_swapped_repeated_dropped_or_added_are_refused() -> None:
    sealed = sealed_file(os.urandom(3 * CHUNK))
    head, size = sealed[:66], CHUNK + 16
    a, b, c = (sealed[66 + at * size : 66 + (at + 1) * size] for at in range(3))
    foreign = sealed_file(os.urandom(CHUNK))[66:]
    assert opened_file(head + a + b + c)
    for chunks in (
        b + a + c,
        a + a + b + c,
        a + c,
        b + c,
        a + b + c + c,
        a + b + c + b"x",
        a + b + foreign,
        c,
    ):
        with pytest.raises(Damaged):
            opened_file(head + chunks)


def test_an_empty_last_chunk_after_full_ones_is_refused_because_a_file_has_one_form() -> None:
    made, plain = new_object(KEY, power=16), os.urandom(CHUNK)
    sealed = made.header + made.seal_chunk(0, False, plain, AAD) + made.seal_chunk(1, True, b"", AAD)
    with pytest.raises(Damaged, match="seal-damaged"):
        opened_file(sealed)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_flipped_bit_of_a_file_is_refused(data: st.DataObject) -> None:
    sealed = bytearray(SEALED)
    at = data.draw(st.integers(0, 66 * 8 - 1) | st.integers(0, len(sealed) * 8 - 1))
    sealed[at // 8] ^= 1 << at % 8
    with pytest.raises(LoanHubError, match="seal-"):
        opened_file(bytes(sealed), lambda epoch: KEY)


SEALED = sealed_file(os.urandom(CHUNK + 50))


def test_a_file_in_another_place_or_with_another_key_is_refused() -> None:
    with pytest.raises(Damaged, match="seal-damaged"):
        opened_file(SEALED, aad=bind("archive", "other"))
    with pytest.raises(NotAllowed, match="seal-wrong-key"):
        opened_file(SEALED, OTHER)


def test_two_seals_of_one_file_share_nothing_but_the_prefix() -> None:
    one, two = sealed_file(b"x" * 1000), sealed_file(b"x" * 1000)
    assert one[:17] == two[:17]
    assert one[17:33] != two[17:33]
    assert one[34:66] != two[34:66]
    assert one[66:98] != two[66:98]


class Trickle(io.RawIOBase):
    """A pipe: gives, and takes, at most 1,000 bytes at a time."""

    def __init__(self, content: bytes = b"") -> None:
        self.inner = io.BytesIO(content)

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return self.inner.read(min(size, 1000))

    def write(self, content: object) -> int:
        return self.inner.write(memoryview(cast("bytes", content))[:1000])


def test_a_pipe_that_trickles_gives_the_same_file() -> None:
    plain = os.urandom(CHUNK + 5000)
    sealed, opened = Trickle(), Trickle()
    seal_file(KEY, cast("BinaryIO", Trickle(plain)), cast("BinaryIO", sealed), AAD, power=16)
    assert opened_file(sealed.inner.getvalue()) == plain
    size = unseal_file(KEY, cast("BinaryIO", Trickle(sealed.inner.getvalue())), cast("BinaryIO", opened), AAD)
    assert (size, opened.inner.getvalue()) == (len(plain), plain)


class Endless(io.RawIOBase):
    """So many zero bytes, held nowhere."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        got = min(size, self.left)
        self.left -= got
        return bytes(got)


def test_a_large_file_is_sealed_and_opened_in_little_memory(tmp_path: Path) -> None:
    size = 64 * 1024 * 1024
    path = tmp_path / "sealed"
    tracemalloc.start()
    try:
        with path.open("wb") as target:
            seal_file(KEY, cast("BinaryIO", Endless(size)), target, AAD)
        with path.open("rb") as source:
            assert sum(len(plain) for plain in open_file(KEY, source, AAD)) == size
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1024 * 1024


@pytest.mark.parametrize("power", [0, 15, 21])
def test_chunk_sizes_out_of_range_are_not_made(power: int) -> None:
    with pytest.raises(ValueError):
        new_object(KEY, power=power)


# Blind index ----------------------------------------------------------------------------------------------


@given(suites, st.lists(st.none() | st.text(max_size=20), max_size=30))
def test_equal_texts_of_a_field_have_equal_indexes_and_others_do_not(
    suite: int, column: list[str | None]
) -> None:
    key = BlindKey(suite, 1, "customer.resident_id", Secret(b"b" * 32))
    indexes = blind_many(key, column)
    assert [None if text is None else blind(key, text) for text in column] == indexes
    assert len(set(column)) == len(set(indexes))
    assert all(index is None or len(index) == 16 for index in indexes)


@pytest.mark.parametrize("suite", [1, 3])
def test_an_index_says_nothing_across_fields_homes_and_epochs(suite: int) -> None:
    found = {
        blind(BlindKey(suite, 1, name, Secret(secret)), "13800000000")
        for name in ("customer.mobile", "guarantor.mobile", "guarantor.mobile_of_a_very_long_field_name")
        for secret in (b"b" * 32, b"c" * 32)
    }
    assert len(found) == 6
