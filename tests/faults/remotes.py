"""A remote that misbehaves as real ones do, by a seed: to be wrapped around any other.

lost       stores, and the answer does not arrive
torn       stores the beginning only, and says that it failed
twice      stores, and the client's own retry is told that something is there already (412 after success)
stale      lists without the newest objects, and with some that were deleted
refused    answers 503 before it does anything
slow       answers late
full       has no room for another byte after `room` bytes
no_delete  refuses every delete
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import attrs

from loanhub.errors import Busy, NotAllowed
from loanhub.kinds import Capabilities, Remote, Stored
from loanhub.testing.remotes import MemoryRemote

PUTS: Final = ("lost", "torn", "twice", "refused", "slow")
READS: Final = ("refused", "slow")
SLOW_SECONDS: Final = 0.002
T = TypeVar("T")


@attrs.define(eq=False)
class FaultyRemote:
    """`inner`, but each call goes wrong with the chance given for a fault (0 to 1).

    `happened` counts the faults injected. Nothing goes wrong while `calm` is set.
    """

    inner: Remote
    seed: int
    chances: Mapping[str, float] = attrs.field(factory=dict)
    room: int | None = None
    no_delete: bool = False
    calm: bool = False
    meanwhile: Callable[[str], None] | None = None
    """What others do before an object of that name is put."""
    happened: Counter[str] = attrs.field(factory=Counter)
    _random: random.Random = attrs.field(init=False)
    _late: list[Stored] = attrs.field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        self._random = random.Random(self.seed)

    @property
    def name(self) -> str:
        """As the inner one."""
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities | None:
        """As the inner one."""
        return self.inner.capabilities

    def put_new(self, name: str, data: bytes) -> bool:
        """As `Remote.put_new`, if nothing goes wrong."""
        if self.meanwhile is not None and not self.calm:
            self.meanwhile(name)
        self._take_room(len(data))
        match self._fault(PUTS):
            case "lost":
                self.inner.put_new(name, data)
                raise Busy("remote-unreachable", remote=self.name)
            case "torn":
                self.inner.put_new(name, data[: self._random.randrange(len(data) + 1)])
                raise Busy("remote-unreachable", remote=self.name)
            case "twice":
                self.inner.put_new(name, data)
                return self.inner.put_new(name, data)
        return self.inner.put_new(name, data)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """As `Remote.get`, if nothing goes wrong."""
        self._fault(READS)
        return self.inner.get(name, start, length)

    def size(self, name: str) -> int | None:
        """As `Remote.size`, if nothing goes wrong."""
        self._fault(READS)
        return self.inner.size(name)

    def list(self, prefix: str) -> Iterator[Stored]:
        """As `Remote.list`; a stale one lacks new objects and shows old ones."""
        self._fault(READS)
        found = list(self.inner.list(prefix))
        if self._fault(("stale",)) == "stale":
            found = [one for one in found if self._random.random() < 0.8]
            found += [one for one in self._late if one.name.startswith(prefix)]
        return iter(found)

    def delete(self, name: str) -> None:
        """As `Remote.delete`, if nothing goes wrong."""
        if self.no_delete:
            self.happened["no_delete"] += 1
            raise NotAllowed("remote-delete-refused", remote=self.name)
        self._fault(READS)
        size = self.inner.size(name)
        if size is not None:
            self._late.append(Stored(name, size))
        self.inner.delete(name)

    def probe(self) -> Capabilities:
        """As the inner one."""
        return self.inner.probe()

    def _fault(self, kinds: tuple[str, ...]) -> str | None:
        if self.calm:
            return None
        for kind in kinds:
            if self._random.random() < self.chances.get(kind, 0):
                self.happened[kind] += 1
                if kind == "slow":
                    time.sleep(SLOW_SECONDS)
                elif kind == "refused":
                    raise Busy("remote-unreachable", remote=self.name)
                else:
                    return kind
        return None

    def _take_room(self, size: int) -> None:
        if self.room is not None and not self.calm:
            if size > self.room:
                self.happened["full"] += 1
                raise Busy("disk-full", path=self.name)
            self.room -= size


class Killed(BaseException):
    """The process is no more: nothing in it may catch this and go on."""


@attrs.define(eq=False)
class DyingRemote:
    """`inner`, until call number `last`, counted from 1: there the process dies, before or after the effect.

    Every later call finds it dead too, whatever thread makes it. `calls` counts.
    """

    inner: Remote
    last: int
    after: bool
    calls: int = 0
    _turn: threading.RLock = attrs.field(factory=threading.RLock, repr=False)

    @property
    def name(self) -> str:
        """As the inner one."""
        return self.inner.name

    @property
    def capabilities(self) -> Capabilities | None:
        """As the inner one."""
        return self.inner.capabilities

    def put_new(self, name: str, data: bytes) -> bool:
        """As `Remote.put_new`, in life."""
        return self._live(lambda: self.inner.put_new(name, data))

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """As `Remote.get`, in life."""
        return self._live(lambda: self.inner.get(name, start, length))

    def size(self, name: str) -> int | None:
        """As `Remote.size`, in life."""
        return self._live(lambda: self.inner.size(name))

    def list(self, prefix: str) -> Iterator[Stored]:
        """As `Remote.list`, in life."""
        return self._live(lambda: self.inner.list(prefix))

    def delete(self, name: str) -> None:
        """As `Remote.delete`, in life."""
        self._live(lambda: self.inner.delete(name))

    def probe(self) -> Capabilities:
        """As the inner one."""
        return self.inner.probe()

    def _live(self, work: Callable[[], T]) -> T:
        with self._turn:
            self.calls += 1
            if self.calls > self.last or (self.calls == self.last and not self.after):
                raise Killed
            done = work()
            if self.calls == self.last:
                raise Killed
            return done


@attrs.define(eq=False)
class AgingRemote(MemoryRemote):
    """A remote in memory whose clock only moves when told to. `asked` counts gets and lists."""

    clock: datetime = datetime(2026, 5, 20, 12, tzinfo=UTC)
    asked: Counter[str] = attrs.field(factory=Counter, repr=False)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """As `Remote.get`."""
        self.asked[name] += 1
        return MemoryRemote.get(self, name, start, length)

    def list(self, prefix: str) -> Iterator[Stored]:
        """As `Remote.list`."""
        self.asked[f"list {prefix}"] += 1
        return MemoryRemote.list(self, prefix)

    def put_new(self, name: str, data: bytes) -> bool:
        """As `Remote.put_new`, at the time of its own clock."""
        stored = MemoryRemote.put_new(self, name, data)
        if stored:
            self._objects[name] = bytes(data), self.clock
        return stored

    def wait(self, time: timedelta) -> None:
        """Time goes by."""
        self.clock += time

    def replace(self, name: str, data: bytes) -> None:
        """Somebody with the right to change objects does it."""
        self._objects[name] = data, self._objects[name][1]

    def names(self, prefix: str = "") -> Sequence[str]:
        """What is stored."""
        return sorted(one.name for one in self.list(prefix))
