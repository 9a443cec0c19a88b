"""The end of a row of dense numbers on storage, found by asking for sizes alone."""

from __future__ import annotations

from collections.abc import Callable

from loanhub import Remote


def last_of(remote: Remote, name: Callable[[int], str], known: int) -> int:
    """The largest n for which `name(n)` is there, given that `known` is (or is 0).

    Numbers have no gaps, so doubling steps find one that is missing, and halving the last that is not.
    """
    low, step = known, 1
    while remote.size(name(low + step)) is not None:
        low, step = low + step, step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        if remote.size(name(middle)) is not None:
            low = middle
        else:
            high = middle
    return low
