"""What a row is about, told by its columns: a customer, a loan, receipts, credit, a follow-up, collateral."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

REFERENCES: Final = frozenset({"loan.loan_no", "loan.contract_no", "loan.application_no", "loan.product"})
"""Loan columns that only point at a loan."""

PEOPLE: Final = frozenset({"customer.name", "customer.id_number", "customer.uscc", "customer.customer_no"})
"""Columns that say who a row is about."""

PRIMARY: Final[dict[str, tuple[str, ...]]] = {
    "loans": ("loan",),
    "receipts": ("receipt", "instalment"),
    "credit": ("credit",),
    "followups": ("follow_up",),
    "collateral": ("collateral",),
    "customers": ("customer",),
    "mixed": ("loan",),
}
"""The kinds a sheet of each subject is first of all about."""

WITHIN: Final[dict[str, tuple[str, ...]]] = {
    "loans": ("loan", "customer", "relation", "credit", "collateral"),
    "receipts": ("receipt", "instalment", "customer"),
    "credit": ("credit", "customer", "relation"),
    "followups": ("follow_up", "customer"),
    "collateral": ("collateral", "customer"),
    "customers": ("customer", "relation", "credit"),
    "mixed": ("loan", "customer", "relation", "credit", "collateral"),
}
"""The kinds that may stand in a row of each subject."""


def subjects_of(paths: Iterable[str]) -> list[str]:
    """All subjects of rows with these columns; customers only when they are about nothing else."""
    found = {p for p in paths if p}
    kinds = {p.split(".")[0] for p in found}
    loan = bool({p for p in found if p.startswith("loan.")} - REFERENCES)
    money = bool(kinds & {"receipt", "instalment"})
    subjects = []
    if "loan.amount" in found or (loan and not money):
        subjects.append("loans")
    elif money:
        subjects.append("receipts")
    if "credit" in kinds:
        subjects.append("credit")
    if "follow_up.content" in found or ({"follow_up.time", "follow_up.result"} <= found):
        subjects.append("followups")
    if "collateral" in kinds and "loans" not in subjects:
        subjects.append("collateral")
    if not subjects and found & PEOPLE:
        subjects.append("customers")
    return subjects


def subject_of(paths: Iterable[str]) -> str | None:
    """The subject, `mixed` for several, None when the rows could not be told apart (no name, no number)."""
    given = [p for p in paths if p]
    found = subjects_of(given)
    if not found or not _has_key(set(given), found):
        return None
    return found[0] if len(found) == 1 else "mixed"


def _has_key(found: set[str], subjects: list[str]) -> bool:
    loan = bool(found & {"loan.loan_no", "loan.contract_no"})
    person = bool(found & PEOPLE)
    return loan if {"receipts", "collateral"} & set(subjects) else loan or person
