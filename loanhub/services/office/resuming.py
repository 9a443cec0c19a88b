"""The line that says that a restored home works again, and since which moment what it says is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from loanhub.acts import Act, Books, Facts, param
from loanhub.holding import STAMP, Held


@frozen
class Resume:
    """What the home was restored from, where it lies now, the last line both homes have, and what was done.

    `line`: 0 when nothing of the lost home's log survives.
    """

    held: Held = param()
    home: str = param()
    line: int = param(default=0)
    counts: Mapping[str, int] = param(default={})


def resumed(books: Books, request: Resume) -> Facts[int]:
    """The line that continues the chain: restored from where to where by whom, resumed by who acts."""
    held = request.held
    reason = (
        f"restored from snapshot {held.snapshot} of {held.taken.strftime(STAMP)} in vault {held.vault} "
        f"to {request.home} by {held.by} at {held.restored.strftime(STAMP)}, resumed by {books.who.name}"
    )
    counts = {"line": request.line, **request.counts}
    return Facts(request.line, about=f"snapshot:{held.snapshot}", reason=reason, counts=counts)


RESUMED: Final = Act("resume", Resume, "home.resume", resumed, hidden=True)
