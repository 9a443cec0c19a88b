"""Putting an object for certain: an answer that was lost is settled by reading what is there."""

from __future__ import annotations

import contextlib

from loanhub import LoanHubError, NotFound, Remote


def put_settled(remote: Remote, name: str, data: bytes) -> bool:
    """Whether `name` now holds exactly `data`; False: it holds something else, which was left alone.

    Raises what the remote raises, if nothing is there by that name or it cannot be known.
    """
    able = remote.capabilities or remote.probe()
    if not able.conditional_put and remote.size(name) is not None:
        return remote.get(name) == data  # this storage would overwrite
    try:
        if remote.put_new(name, data):
            return True
    except LoanHubError:
        found = None
        with contextlib.suppress(NotFound):
            found = remote.get(name)
        if found is None:
            raise
        return found == data
    return remote.get(name) == data
