"""Customers as the acts of this room fetch them, and what they answer when something was kept."""

from __future__ import annotations

from datetime import datetime

from attrs import frozen

from loanhub.acts import Books
from loanhub.entities import Customer
from loanhub.errors import NotFound, Usage
from loanhub.records import Test
from loanhub.values import Noted


@frozen
class Saved:
    """A record was kept: its id and version. `waiting` are changes that a person must confirm first."""

    id: int
    version: int
    waiting: tuple[int, ...] = ()
    warnings: tuple[Noted, ...] = ()


def customer_of(books: Books, key: int, as_of: datetime | None = None) -> Customer:
    """The customer, as of now or of a past moment. Raises NotFound("customer-unknown")."""
    found = books.listed(Customer, Test("id", "eq", key), as_of=as_of)
    if not found:
        raise NotFound("customer-unknown", id=key)
    return found[0]


def open_customer(books: Books, key: int) -> Customer:
    """The customer, to write about. Raises Usage("customer-merged") when it was merged into another."""
    customer = customer_of(books, key)
    if customer.merged_into is not None:
        raise Usage("customer-merged", id=key, into=customer.merged_into)
    return customer


def target_of(books: Books, customer: Customer) -> Customer:
    """The customer whom this one was merged into, at the end of the chain; itself when it was not."""
    seen = {customer.id}
    while customer.merged_into is not None and customer.merged_into not in seen:
        seen.add(customer.merged_into)
        customer = customer_of(books, customer.merged_into)
    return customer
