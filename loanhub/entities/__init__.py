"""What the institution knows: frozen records whose attributes carry their `Field`.

Every entity has an `id` (0 until stored) and a `version` (0 until stored, then 1, 2, ... with each change).
"""

from __future__ import annotations

from typing import Final

from loanhub.entities.base import Entity
from loanhub.entities.business import (
    Collateral,
    CreditRecord,
    Customer,
    Document,
    FollowUp,
    Instalment,
    Loan,
    Receipt,
    Relation,
)
from loanhub.entities.house import Batch, Layout, Message, Pending, Rating, Sequence, Statement
from loanhub.entities.security import Account, Delegation, SignIn

ENTITIES: Final[tuple[type[Entity], ...]] = (
    Customer,
    Relation,
    Loan,
    Instalment,
    Receipt,
    CreditRecord,
    FollowUp,
    Document,
    Collateral,
    Batch,
    Statement,
    Layout,
    Pending,
    Rating,
    Message,
    Sequence,
    Account,
    SignIn,
    Delegation,
)
KINDS: Final[dict[str, type[Entity]]] = {entity.KIND: entity for entity in ENTITIES}

__all__ = [
    "ENTITIES",
    "KINDS",
    "Account",
    "Batch",
    "Collateral",
    "CreditRecord",
    "Customer",
    "Delegation",
    "Document",
    "Entity",
    "FollowUp",
    "Instalment",
    "Layout",
    "Loan",
    "Message",
    "Pending",
    "Rating",
    "Receipt",
    "Relation",
    "Sequence",
    "SignIn",
    "Statement",
]
