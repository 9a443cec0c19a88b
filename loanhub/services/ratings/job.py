"""The job that assesses everybody: one short act a chunk, so it can be stopped anywhere and run again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

from loanhub.acts import Asked
from loanhub.jobs import Progress
from loanhub.services.ratings.acts import ASSESS_CHUNK, AssessChunk

if TYPE_CHECKING:
    from loanhub.desk import Desk


def assess_all(desk: Desk, as_of: date | None = None) -> Iterator[Progress]:
    """Assess every customer, in order of id. What did not change is left as it is, so it can be run again."""
    done, after = 0, 0
    while True:
        answer = desk.do(ASSESS_CHUNK, AssessChunk(after, as_of))
        if isinstance(answer, Asked):  # the chunk has no checker and no key, so nobody is asked
            return
        done += answer.new + answer.unchanged + len(answer.waiting)
        yield Progress(done, 0, "assess.progress")
        if answer.last is None:
            return
        after = answer.last
