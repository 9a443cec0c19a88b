"""The shapes both branches of `system` speak: limits, what a process used, where a secret is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from attrs import frozen

Death = Literal["memory", "time", "crash"]


@frozen
class Limits:
    """What a child may use: bytes of memory, CPU seconds, open files, bytes of any one file it writes."""

    memory: int
    cpu: int
    files: int = 64
    disk: int = 8 << 30


@frozen
class Footprint:
    """What this process and its ended children used: peak bytes of memory and CPU seconds.

    `children_peak` is that of the largest child and, on POSIX, never below this process's own size
    at the moment it started the child: the kernel counts so.
    """

    peak: int
    children_peak: int
    cpu: float
    children_cpu: float


@frozen
class KeyStore:
    """The user's own key store: `wrap` makes bytes that only this user on this machine can `unwrap`."""

    wrap: Callable[[bytes], bytes]
    unwrap: Callable[[bytes], bytes]
