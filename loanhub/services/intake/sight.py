"""Whose batches somebody sees: who works with some customers only sees the files of those people."""

from __future__ import annotations

from loanhub.acts import Books
from loanhub.entities import Batch
from loanhub.errors import NotFound


def in_sight(books: Books, batch: Batch) -> bool:
    """Whether a batch is one's own, or of somebody whose customers one works with."""
    scope = books.who.scope
    return scope.everything or batch.owner == books.who.name or batch.owner in scope.managers


def batch_of(books: Books, key: int) -> Batch:
    """The batch. Raises NotFound("no-record"), also for one out of sight."""
    batch = books.get(Batch, key)
    if not in_sight(books, batch):
        raise NotFound("no-record", kind=Batch.KIND, id=key)
    return batch
