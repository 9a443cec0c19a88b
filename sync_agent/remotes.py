"""Opens the place where a backup lies, by its address, and holds it to a share of the line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import attrs
from attrs import define

from loanhub import Capabilities, Holding, Misconfigured, Plugins, Remote, Stored, holding_of

FOLDER: Final = "file"
CUSTOMARY: Final = "loanhub_remote_"
"""How plugins that bring remotes are called: they are asked first, without loading all the others."""
LIMIT: Final = "limit"
"""The setting every kind of remote has: kilobytes (1,000) a second, both ways together."""

_SAVED: Final = 1.0
"""Seconds of an idle line that may be caught up."""


def open_remote(
    address: str, settings: Mapping[str, Any] | None = None, *, plugins: Plugins | None = None
) -> Remote:
    """The remote of `SCHEME://...` or of a folder's path, by the plugin for it; not yet probed.

    `settings` are those of its kind (docs/remotes.md) and `limit`; `plugins` those of a home, else all
    that are installed. Raises Misconfigured.
    """
    own = dict(settings or {})
    limit = own.pop(LIMIT, 0)
    if isinstance(limit, bool) or not isinstance(limit, int | float) or limit < 0:
        raise Misconfigured("remote-setting-wrong", setting=LIMIT)
    scheme = _scheme(address)
    known = (plugins or Plugins.load(like=CUSTOMARY)).remotes
    if scheme not in known and plugins is None:
        known = Plugins.load().remotes
    if scheme not in known:
        raise Misconfigured("remote-scheme-unknown", scheme=scheme, known=", ".join(sorted(known)))
    remote = known[scheme].open(address, own)
    return Limited(remote, limit * 1000) if limit else remote


def _scheme(address: str) -> str:
    scheme, found, _ = address.partition("://")
    if found:
        return scheme.lower()
    return FOLDER


@define
class Limited:
    """A remote that moves `rate` bytes a second on average, whoever asks and however many.

    An object goes over the line in one piece, at the speed the line has, and the next one waits until
    the average is kept: with packs of 16 MiB that is a matter of seconds, not of the single packet.
    """

    remote: Remote
    rate: float
    now: Callable[[], float] = attrs.field(default=time.monotonic, repr=False)
    pause: Callable[[float], None] = attrs.field(default=time.sleep, repr=False)
    _paid: float = attrs.field(default=float("-inf"), init=False, repr=False)
    """The moment up to which the line is used by what was moved."""
    _turn: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    @property
    def name(self) -> str:
        """As the remote's own."""
        return self.remote.name

    @property
    def capabilities(self) -> Capabilities | None:
        """As the remote's own."""
        return self.remote.capabilities

    @property
    def holding(self) -> Holding | None:
        """As the remote's own."""
        return holding_of(self.remote)

    def put_new(self, name: str, data: bytes) -> bool:
        """As `Remote.put_new`, when it is its turn."""
        self._wait(len(data))
        return self.remote.put_new(name, data)

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """As `Remote.get`; what it brings is paid for by the next one."""
        self._wait(0)
        data = self.remote.get(name, start, length)
        self._use(len(data))
        return data

    def size(self, name: str) -> int | None:
        """As `Remote.size`."""
        return self.remote.size(name)

    def list(self, prefix: str) -> Iterator[Stored]:
        """As `Remote.list`."""
        return self.remote.list(prefix)

    def delete(self, name: str) -> None:
        """As `Remote.delete`."""
        self.remote.delete(name)

    def probe(self) -> Capabilities:
        """As `Remote.probe`."""
        return self.remote.probe()

    def _wait(self, size: int) -> None:
        begins = self._use(size)
        if (rest := begins - self.now()) > 0:
            self.pause(rest)

    def _use(self, size: int) -> float:
        """Use the line for `size` bytes; the moment at which it is free for them."""
        with self._turn:
            begins = max(self._paid, self.now() - _SAVED)
            self._paid = begins + size / self.rate
            return begins
