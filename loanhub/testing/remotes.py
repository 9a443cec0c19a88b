"""The suite every remote passes, and a remote in memory. A new one's test is a class that opens it:

class TestMyRemote(RemoteSuite):
    expected = Capabilities(conditional_put=True, versioning=False, ...)

    @pytest.fixture
    def remote(self, tmp_path: Path) -> Iterator[Remote]:
        yield open_mine(str(tmp_path), {})      # empty, and the test's own
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

import attrs

from loanhub.errors import NotAllowed, NotFound
from loanhub.files import remote_name
from loanhub.kinds import Capabilities, Holding, Remote, Stored, holding_of
from loanhub.testing.store_asking import raises

RACERS: Final = 8
ROUNDS: Final = 20
LEEWAY: Final = timedelta(seconds=5)
"""Servers keep whole seconds, and have clocks of their own."""
MANY: Final = 1100
"""More objects than one answer of object storage lists."""
PACK: Final = 32 << 20
"""Bytes of the largest object a vault stores."""

PROBES: Final = frozenset({"probe", "probe-lock"})
"""What a probe may leave."""

PLAIN: Final = Capabilities(
    conditional_put=True, versioning=False, object_lock=False, can_delete=True, can_overwrite=True
)


@attrs.define
class MemoryRemote:
    """A remote that lasts as long as the object: for tests, and for trying things out.

    `able` is what it can do and is told by `probe`: without `can_delete` it refuses deletes, without
    `conditional_put` it overwrites, as some servers do.
    """

    name: str = "memory"
    able: Capabilities = PLAIN
    capabilities: Capabilities | None = None
    _objects: dict[str, tuple[bytes, datetime]] = attrs.field(factory=dict, repr=False)
    _turn: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def put_new(self, name: str, data: bytes) -> bool:
        """As `Remote.put_new`."""
        remote_name(name)
        with self._turn:
            if name in self._objects and self.able.conditional_put:
                return False
            self._objects[name] = bytes(data), datetime.now(UTC)
        return True

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """As `Remote.get`."""
        return self._bytes(name)[start : None if length is None else start + length]

    def size(self, name: str) -> int | None:
        """As `Remote.size`."""
        return len(self._bytes(name)) if name in self._objects else None

    def list(self, prefix: str) -> Iterator[Stored]:
        """As `Remote.list`."""
        with self._turn:
            found = [(name, *kept) for name, kept in self._objects.items() if name.startswith(prefix)]
        return (Stored(name, len(data), at) for name, data, at in found)

    def delete(self, name: str) -> None:
        """As `Remote.delete`."""
        if not self.able.can_delete:
            raise NotAllowed("remote-delete-refused", remote=self.name)
        with self._turn:
            self._objects.pop(name, None)

    def probe(self) -> Capabilities:
        """What it was made able to do."""
        self.capabilities = self.able
        return self.able

    def _bytes(self, name: str) -> bytes:
        try:
            return self._objects[name][0]
        except KeyError:
            raise NotFound("remote-object-missing", remote=self.name, name=name) from None


class RemoteSuite:
    """What a remote promises (`loanhub.kinds.Remote`), as tests; each gets an empty remote."""

    expected: ClassVar[Capabilities] = PLAIN
    """What `probe` must find."""
    clock_off: ClassVar[timedelta] = timedelta(minutes=5)
    """How far the remote's clock may be from ours."""

    # -- putting and getting ---------------------------------------------------------------------------

    def test_what_was_put_comes_back(self, remote: Remote) -> None:
        """Whatever bytes they are; none at all too."""
        for name, data in (("plain", b"abc"), ("empty", b""), ("every-byte", bytes(range(256)) * 40)):
            assert remote.put_new(name, data) is True
            assert remote.get(name) == data
            assert remote.size(name) == len(data)

    def test_a_name_that_is_taken_is_never_overwritten(self, remote: Remote) -> None:
        """Neither by other bytes nor by none; and a name is free again after a delete."""
        assert remote.put_new("c/1", b"first") is True
        assert remote.put_new("c/1", b"second") is False
        assert remote.put_new("c/1", b"") is False
        assert remote.get("c/1") == b"first"
        if self.expected.can_delete:
            remote.delete("c/1")
            assert remote.put_new("c/1", b"second") is True
            assert remote.get("c/1") == b"second"

    def test_of_many_who_put_one_name_one_is_told_that_it_did(self, remote: Remote) -> None:
        """And it is that one's bytes that are there, of every name."""
        names = [f"c/{turn}" for turn in range(ROUNDS)]
        won = _race(remote, names)
        assert [len(won[name]) for name in names] == [1] * ROUNDS
        assert all(remote.get(name) == b"%d" % won[name][0] for name in names)

    def test_the_largest_object_comes_back_whole_and_in_part(self, remote: Remote) -> None:
        """32 MiB, no part of it like another."""
        pack = random.Random(7).randbytes(PACK)
        assert remote.put_new("p/00/pack", pack) is True
        assert remote.size("p/00/pack") == PACK
        assert remote.get("p/00/pack") == pack
        assert remote.get("p/00/pack", PACK - 16, 16) == pack[-16:]

    def test_a_part_is_what_was_asked_for(self, remote: Remote) -> None:
        """From the start, the middle, up to the end and beyond it."""
        remote.put_new("ten", b"0123456789")
        assert remote.get("ten", 3) == b"3456789"
        assert remote.get("ten", 3, 4) == b"3456"
        assert remote.get("ten", 0, 1) == b"0"
        assert remote.get("ten", 8, 99) == b"89"
        assert remote.get("ten", 4, 0) == b""
        assert remote.get("ten", 10) == b""
        assert remote.get("ten", 99, 5) == b""

    def test_names_have_many_parts_and_marks(self, remote: Remote) -> None:
        """Names that begin alike are others."""
        names = [
            "a/b/c/d/e/f/g/h",
            "a/b/c/d/e/f/g/h-1",
            "a/b/c/d/e/f/g/h.1",
            "a.b",
            "0_9-z",
            "p/ff/" + "0" * 64,
        ]
        for name in names:
            assert remote.put_new(name, name.encode()) is True
        assert {one.name for one in remote.list("")} - PROBES == set(names)
        assert all(remote.get(name) == name.encode() for name in names)

    def test_a_name_that_no_object_may_have_is_refused(self, remote: Remote) -> None:
        """Before anything is stored."""
        for name in (
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/./b",
            "A",
            "a b",
            "名",
            "a.",
            "nul",
            "x" * 201,
            ".hidden",
        ):
            with raises(ValueError):
                remote.put_new(name, b"")
        assert {one.name for one in remote.list("")} <= PROBES

    # -- what is not there -----------------------------------------------------------------------------

    def test_an_absent_object_is_said_to_be_absent(self, remote: Remote) -> None:
        """Also beside others, and in part."""
        remote.put_new("a/there", b"1")
        for name in ("gone", "a/gone", "a/there2", "b/c/d"):
            assert remote.size(name) is None
            for start, length in ((0, None), (3, None), (0, 5), (0, 0)):
                with raises(NotFound, "remote-object-missing"):
                    remote.get(name, start, length)
        assert remote.size("a") is None

    def test_a_deleted_object_is_gone(self, remote: Remote) -> None:
        """And deleting what is absent is no mistake."""
        remote.put_new("p/1", b"1")
        remote.put_new("p/2", b"2")
        if not self.expected.can_delete:
            with raises(NotAllowed, "remote-delete-refused"):
                remote.delete("p/1")
            assert remote.get("p/1") == b"1"
            return
        remote.delete("p/1")
        remote.delete("p/1")
        remote.delete("never/there")
        assert remote.size("p/1") is None
        assert [one.name for one in remote.list("p/")] == ["p/2"]

    # -- listing ---------------------------------------------------------------------------------------

    def test_a_listing_has_every_object_once(self, remote: Remote) -> None:
        """Though they are more than one answer holds."""
        names = [f"i/{n % 7}/{n:05}" for n in range(MANY)]
        with ThreadPoolExecutor(RACERS) as pool:
            assert all(pool.map(lambda name: remote.put_new(name, b"x"), names))
        assert sorted(one.name for one in remote.list("i/")) == sorted(names)
        assert sorted(one.name for one in remote.list("i/3/")) == sorted(n for n in names if n[2] == "3")

    def test_a_listing_begins_as_asked_and_tells_size_and_time(self, remote: Remote) -> None:
        """A beginning may end within a part; one that nothing has gives nothing."""
        for name, data in (("c/a-1", b"1"), ("c/a-22", b"22"), ("c/b", b"333"), ("ca", b"4444")):
            remote.put_new(name, data)
        assert _sizes(remote, "c/a") == {"c/a-1": 1, "c/a-22": 2}
        assert _sizes(remote, "c/") == {"c/a-1": 1, "c/a-22": 2, "c/b": 3}
        assert _sizes(remote, "c") == {"c/a-1": 1, "c/a-22": 2, "c/b": 3, "ca": 4}
        assert _sizes(remote, "c/b") == {"c/b": 3}
        assert _sizes(remote, "x") == _sizes(remote, "x/y") == _sizes(remote, "ca/") == {}
        for one in remote.list("c"):
            assert one.modified is None or abs(datetime.now(UTC) - one.modified) < self.clock_off

    # -- what it can do --------------------------------------------------------------------------------

    def test_a_probe_finds_what_it_can_do_and_leaves_others_alone(self, remote: Remote) -> None:
        """As often as it is asked, and all it may leave are the objects of `PROBES`."""
        assert remote.capabilities in (None, self.expected)
        remote.put_new("c/1", b"1")
        for _ in range(2):
            assert remote.probe() == self.expected
            assert remote.capabilities == self.expected
        assert {one.name for one in remote.list("")} - PROBES == {"c/1"}
        assert remote.get("c/1") == b"1"

    def test_it_is_named_before_people(self, remote: Remote) -> None:
        """By one line of text."""
        assert remote.name.strip() == remote.name != ""
        assert "\n" not in remote.name


class HoldingSuite:
    """What a remote promises that holds objects (`loanhub.kinds.Holding`); opened so that it holds new ones.

    `expected` has `object_lock`. Whatever the tests put stays there until its time is over.
    """

    def test_what_is_put_is_held_for_the_period(self, remote: Remote) -> None:
        """A second name is held no less, and nothing is said of what is absent."""
        holding, before = _holding(remote), datetime.now(UTC)
        assert remote.probe().object_lock
        for name in ("c/1", "p/00/a"):
            assert remote.put_new(name, b"first") is True
            held = holding.held_until(name)
            assert held is not None
            assert before - LEEWAY < held - holding.period < datetime.now(UTC) + LEEWAY
        for ask in (holding.held_until, lambda name: holding.hold(name, before + timedelta(days=1))):
            with raises(NotFound, "remote-object-missing"):
                ask("c/2")

    def test_a_hold_is_extended_and_never_shortened(self, remote: Remote) -> None:
        """And what is told is what the storage tells afterwards."""
        holding = _holding(remote)
        remote.put_new("c/1", b"first")
        later = datetime.now(UTC) + 3 * holding.period
        assert abs(holding.hold("c/1", later) - later) < LEEWAY
        assert abs(holding.hold("c/1", datetime.now(UTC) + holding.period) - later) < LEEWAY
        found = holding.held_until("c/1")
        assert found is not None
        assert abs(found - later) < LEEWAY

    def test_what_a_delete_hides_is_told_apart_and_held_on(self, remote: Remote) -> None:
        """From what is there, and from what never was; also when it is put again."""
        holding = _holding(remote)
        for name in ("c/1", "c/11"):
            remote.put_new(name, b"first")
        remote.delete("c/1")
        assert remote.size("c/1") is None
        assert [holding.is_hidden(name) for name in ("c/1", "c/11", "c/2")] == [True, False, False]
        later = datetime.now(UTC) + 2 * holding.period
        assert abs(holding.hold("c/1", later) - later) < LEEWAY
        assert remote.size("c/1") is None
        assert remote.put_new("c/1", b"again") is True
        assert holding.is_hidden("c/1") is False


def _holding(remote: Remote) -> Holding:
    holding = holding_of(remote)
    assert holding is not None
    assert holding.period
    return holding


def _race(remote: Remote, names: list[str]) -> dict[str, list[int]]:
    """Who of the racers for each name was told that it stored it; all for one name start at once.

    The names are raced for side by side: some servers take a second to settle one.
    """
    together = {name: threading.Barrier(RACERS, timeout=30) for name in names}

    def put(name: str, racer: int) -> bool:
        together[name].wait()
        return remote.put_new(name, b"%d" % racer)

    with ThreadPoolExecutor(RACERS * len(names)) as pool:
        puts = {name: [pool.submit(put, name, racer) for racer in range(RACERS)] for name in names}
        return {name: [n for n, told in enumerate(ours) if told.result()] for name, ours in puts.items()}


def _sizes(remote: Remote, prefix: str) -> dict[str, int]:
    return {one.name: one.size for one in remote.list(prefix)}
