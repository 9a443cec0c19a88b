"""Which sheets there are, what their rows are about, and the columns that say so."""

from __future__ import annotations

from typing import Final, Literal

from attrs import frozen

Name = Literal["customers", "loans", "receipts", "credit", "followups", "collateral"]


@frozen
class SheetKind:
    """One kind of sheet. Paths are those of the field dictionary.

    `first`: the columns that stand first, whatever else is chosen. `beside`: what a template asks for
    besides the fields of the kind. `required`: what a row cannot be stored without. `unique`: numbers that
    no two rows share.
    """

    name: Name
    kind: str
    first: tuple[str, ...]
    beside: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()


WHO: Final = ("customer.name", "customer.id_number", "customer.uscc", "customer.mobile")
"""What tells a reader, and the intake, whose a row is."""

SHEETS: Final[dict[str, SheetKind]] = {
    sheet.name: sheet
    for sheet in (
        SheetKind(
            "customers",
            "customer",
            first=("customer.name", "customer.customer_type", "customer.id_number", "customer.mobile"),
            beside=(
                "relation.spouse_name",
                "relation.spouse_phone",
                "relation.contact_name",
                "relation.contact_phone",
                "relation.controller_name",
            ),
            required=("customer.name",),
            unique=("customer.id_number", "customer.uscc", "customer.customer_no"),
        ),
        SheetKind(
            "loans",
            "loan",
            first=("loan.loan_no", *WHO, "loan.product", "loan.amount"),
            beside=("relation.guarantor_name", "relation.guarantor_phone"),
            required=("loan.loan_no", "customer.name", "loan.amount"),
            unique=("loan.loan_no",),
        ),
        SheetKind(
            "receipts",
            "receipt",
            first=("loan.loan_no", "loan.contract_no", "customer.name", "receipt.paid_date"),
            required=("loan.loan_no", "receipt.paid_date", "receipt.paid_amount"),
        ),
        SheetKind("credit", "credit", first=WHO, required=("customer.name",)),
        SheetKind(
            "followups",
            "follow_up",
            first=(*WHO, "loan.loan_no", "follow_up.time", "follow_up.content"),
            required=("customer.name", "follow_up.time", "follow_up.content"),
        ),
        SheetKind(
            "collateral",
            "collateral",
            first=("loan.loan_no", "loan.contract_no", "customer.name", "collateral.name"),
            required=("loan.loan_no", "collateral.name"),
        ),
    )
}
NAMES: Final = ("customers", "loans", "receipts", "credit", "followups", "collateral")
