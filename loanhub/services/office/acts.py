"""What may be asked of the office: approvals and papers. Looking a home over is `doctor.examine`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from loanhub.acts import Act
from loanhub.entities import KINDS
from loanhub.hookspecs import hookimpl
from loanhub.services.office import approvals, documents
from loanhub.services.office.resuming import RESUMED

APPROVALS: Final = Act(
    "approvals.list", approvals.ListApprovals, "approval.read", approvals.list_approvals, writes=False
)
APPROVAL: Final = Act(
    "approvals.show", approvals.ShowApproval, "approval.read", approvals.show_approval, writes=False
)
APPROVE: Final = Act(
    "approvals.approve",
    approvals.Approve,
    "approval.decide",
    approvals.approve,
    confirms=True,
    covers=tuple(KINDS),
)
REJECT: Final = Act("approvals.reject", approvals.Reject, "approval.decide", approvals.reject)


@hookimpl
def acts() -> Sequence[Act[Any, Any]]:
    """What may be asked of the office."""
    papers: list[Act[Any, Any]] = [documents.FILE, documents.LIST, documents.OPEN]
    return [APPROVALS, APPROVAL, APPROVE, REJECT, *papers, RESUMED]
