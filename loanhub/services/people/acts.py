"""What may be asked about people: find, show, reveal, add, edit, merge and unmerge; credit and follow-ups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from loanhub.acts import Act
from loanhub.hookspecs import hookimpl
from loanhub.services.people import credit, duplicates, edit, find, followups, merge, show, unmerge

FIND: Final = Act("find", find.Find, "customer.read", find.find, writes=False)
SHOW: Final = Act("customer.show", show.ShowCustomer, "customer.read", show.show, writes=False)
REVEAL: Final = Act(
    "customer.reveal", show.RevealCustomer, "customer.reveal", show.reveal, writes=False, audited=True
)
ADD: Final = Act("customer.add", edit.AddCustomer, "customer.write", edit.add)
EDIT: Final = Act("customer.edit", edit.EditCustomer, "customer.write", edit.edit)
MERGE: Final = Act(
    "customer.merge", merge.MergeCustomers, "customer.merge", merge.merge, checker=True, confirms=True
)
COMPARE: Final = Act(
    "customer.compare", merge.CompareCustomers, "customer.merge", merge.compare, writes=False
)
UNMERGE: Final = Act(
    "customer.unmerge",
    unmerge.UnmergeCustomer,
    "customer.merge",
    unmerge.unmerge,
    checker=True,
    confirms=True,
)
MERGED: Final = Act("customer.merged", unmerge.MergedCustomer, "customer.merge", unmerge.merged, writes=False)
DUPLICATES: Final = Act(
    "customer.duplicates",
    duplicates.FindDuplicates,
    "customer.merge",
    duplicates.duplicates,
    writes=False,
)
CREDIT_ADD: Final = Act("credit.add", credit.AddCredit, "credit.write", credit.add)
CREDIT_SHOW: Final = Act("credit.show", credit.ShowCredit, "credit.read", credit.show, writes=False)
FOLLOWUP_ADD: Final = Act("followup.add", followups.AddFollowUp, "follow_up.write", followups.add)
FOLLOWUP_LIST: Final = Act(
    "followup.list", followups.ListFollowUps, "follow_up.read", followups.list_follow_ups, writes=False
)


@hookimpl
def acts() -> Sequence[Act[Any, Any]]:
    """What may be asked about people."""
    return [
        FIND,
        SHOW,
        REVEAL,
        ADD,
        EDIT,
        MERGE,
        COMPARE,
        UNMERGE,
        MERGED,
        DUPLICATES,
        CREDIT_ADD,
        CREDIT_SHOW,
        FOLLOWUP_ADD,
        FOLLOWUP_LIST,
    ]
