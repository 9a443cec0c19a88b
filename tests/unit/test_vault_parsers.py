"""Every parser of the vault, given anything: it answers, or refuses with a code, and never crashes."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loanhub.errors import Damaged, LoanHubError, Misconfigured
from sync_agent.vault import bases, sealed, strict
from sync_agent.vault.commits import check_body, open_commit
from sync_agent.vault.head import last_of
from sync_agent.vault.index import Index, Marks
from sync_agent.vault.keys import VaultKeys, read_start
from sync_agent.vault.names import commit_name, object_in
from sync_agent.vault.records import Record, gather, read_records
from sync_agent.vault.sealed import Directory
from tests.faults.remotes import AgingRemote
from tests.unit.vaults import contents, new_vault, snapshot

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def stored() -> tuple[VaultKeys, AgingRemote]:
    """A vault with every kind of object."""
    remote = AgingRemote()
    vault = new_vault(remote)
    for number in range(34):
        snapshot(vault, contents(number, 2, 40))
    vault.forget([3])
    vault.add_epoch()
    return vault.keys, remote


def answers(work: Callable[[], object]) -> bool:
    """Whether `work` answered; anything but a refusal with a code is a crash."""
    try:
        work()
    except LoanHubError:
        return False
    return True


# Bytes ----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=400))
def test_no_bytes_crash_a_parser(data: bytes) -> None:
    answers(lambda: read_start(data))
    answers(lambda: strict.read_fields(data, ("a",), "name"))
    answers(lambda: list(read_records(data, "name")))
    answers(lambda: sealed.decompress(data, "name"))


@settings(max_examples=150)
@given(
    kind=st.sampled_from([(sealed.PACK, "p/"), (sealed.COMMIT, "c/"), (sealed.BASE, "i/")]),
    at=st.floats(0, 1, exclude_max=True),
    flip=st.integers(0, 255),
    cut=st.floats(0, 1),
)
def test_a_changed_object_never_opens(
    stored: tuple[VaultKeys, AgingRemote], kind: tuple[int, str], at: float, flip: int, cut: float
) -> None:
    keys, remote = stored
    name = remote.names(kind[1])[0]
    good = remote.get(name)
    bad = bytearray(good)
    bad[int(at * len(bad))] ^= flip
    changed = bytes(bad[: int(cut * len(bad))] if flip % 3 == 0 else bad)

    def whole(data: bytes) -> None:
        found = sealed.open_object(keys.of_epoch, keys.aad, data, kind[0], name)
        for position in range(len(found.directory)):
            found.plain(position)

    assert answers(lambda: whole(changed)) == (changed == good)


@settings(max_examples=60)
@given(at=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_changed_commit_or_base_never_reads(
    stored: tuple[VaultKeys, AgingRemote], at: float, flip: int
) -> None:
    keys, remote = stored
    commit, base = commit_name(33), remote.names("i/")[0]
    good = {name: remote.get(name) for name in (commit, base)}
    for name, data in good.items():
        bad = bytearray(data)
        bad[int(at * len(bad))] ^= flip
        remote.replace(name, bytes(bad))
    assert not answers(lambda: open_commit(keys, 33, remote.get(commit)))
    assert not answers(lambda: bases.read_base(remote, keys, base))
    for name, data in good.items():
        remote.replace(name, data)


def test_an_object_under_another_name_does_not_open(stored: tuple[VaultKeys, AgingRemote]) -> None:
    keys, remote = stored
    with pytest.raises(Damaged):
        open_commit(keys, 4, remote.get(commit_name(5)))
    with pytest.raises(Damaged):
        sealed.open_object(keys.of_epoch, keys.aad, remote.get(commit_name(5)), sealed.PACK, "p")


# Fields ---------------------------------------------------------------------------------------------------


@given(st.sampled_from(["snapshot", "packs", "forget", "prune-plan", "prune", "key-epoch", "x"]), ANY_JSON)
def test_no_body_crashes_its_check(type: str, body: Any) -> None:
    answers(lambda: check_body(type, body, "name"))
    answers(lambda: check_body(body, {}, "name"))


@settings(max_examples=200)
@given(field=st.sampled_from(bases._FIELDS), value=ANY_JSON)
def test_no_state_of_a_base_crashes_its_parser(field: str, value: Any) -> None:
    fields: dict[str, Any] = {
        "version": 1, "sequence": 3, "hash": "0" * 64, "segments": [["i/" + "0" * 32, 5]],
        "snapshots": [{"sequence": 1, "hash": "1" * 64, "time": "2026-01-31T09:00:00Z",
                       "device": "2" * 64, "body": {}}],
        "doomed": {"p/33/" + "3" * 32: 2}, "epoch": 1, "retired": 0, "floor": 1, "devices": ["4" * 64],
    }  # fmt: skip
    assert answers(lambda: bases._state_of(fields, "name"))
    answers(lambda: bases._state_of({**fields, field: value}, "name"))


def test_what_a_later_version_may_add_is_refused_not_skipped() -> None:
    with pytest.raises(Misconfigured, match="vault-newer"):
        strict.read_fields(strict.canonical({"a": 1, "later": 2}), ("a",), "name")
    with pytest.raises(Misconfigured, match="vault-newer"):
        check_body("merge", {}, "name")
    with pytest.raises(Misconfigured, match="vault-newer"):
        check_body("forget", {"snapshots": [1], "why": "x"}, "name")


@given(ANY_JSON.filter(lambda value: isinstance(value, dict)))
def test_json_written_another_way_is_refused(fields: Any) -> None:
    once = strict.canonical(fields)
    assert strict.read_fields(once, fields, "name") == fields
    other = json.dumps(fields, indent=1, ensure_ascii=True).encode()
    if other != once:
        with pytest.raises(Damaged):
            strict.read_fields(other, fields, "name")


@given(st.text(alphabet="pi/c0123456789abcdef-", max_size=50))
def test_only_names_of_objects_have_an_object_id(name: str) -> None:
    found = object_in(name)
    if found is not None:
        assert found.hex() in name


# Models ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 70), st.integers(0, 70))
def test_the_head_is_the_last_number_whatever_was_known(last: int, known: int) -> None:
    remote = AgingRemote()
    for number in range(1, last + 1):
        remote.put_new(commit_name(number), b"")
    assert last_of(remote, commit_name, min(known, last)) == last


def a_record(ids: list[bytes], lengths: list[int]) -> Record:
    columns = np.frombuffer(b"".join(ids), np.uint8).reshape(len(ids), 32)
    directory = Directory(np.ones(len(ids), np.uint8), np.array(lengths, np.uint32), columns)
    return Record(os.urandom(16), 1, 100 + sum(lengths), directory)


PACKS = st.lists(st.lists(st.integers(0, 40), min_size=1, max_size=8, unique=True), max_size=12)


@given(PACKS, st.sets(st.integers(0, 11)), st.sets(st.integers(0, 11)), st.booleans())
def test_the_index_finds_what_a_plain_dict_would(
    packs: list[list[int]], doomed: set[int], gone: set[int], at_once: bool
) -> None:
    records = [a_record([bytes([n]) * 32 for n in pack], [20 + n for n in pack]) for pack in packs]
    index = Index()
    if at_once:
        index.add_all(records)
    for record in records:
        index.add(record)
    model: dict[int, set[tuple[bytes, int, int]]] = {}
    for number, (pack, record) in enumerate(zip(packs, records, strict=True)):
        if number in doomed:
            index.doom(record.object_id)
        if number in gone:
            index.remove(record.object_id)
        at = 66
        for n in pack:
            if number not in gone:
                model.setdefault(n, set()).add((record.object_id, at, 20 + n))
            at += 20 + n
    sure = {n for number, pack in enumerate(packs) if number not in gone | doomed for n in pack}
    for _ in range(2):
        for n in range(41):
            spots = index.spots(bytes([n]) * 32)
            found = {(index.packs[spot.pack].object_id, spot.offset, spot.length) for spot in spots}
            assert found == model.get(n, set())
            assert index.usable(bytes([n]) * 32) == (n in sure)
        index.settle()
    marks = Marks(index)
    for n in model:
        assert marks.mark(bytes([n]) * 32)
        assert not marks.mark(bytes([n]) * 32)
    assert marks.live_bytes().sum() == sum(20 + n for n in model)


@given(PACKS)
def test_records_come_back_from_their_blobs(packs: list[list[int]]) -> None:
    records = [a_record([bytes([n]) * 32 for n in pack], [20 + n for n in pack]) for pack in packs]
    blobs = list(gather(record.to_bytes() for record in records))
    back = [record for blob in blobs for record in read_records(blob, "name")]
    assert [record.to_bytes() for record in back] == [record.to_bytes() for record in records]
