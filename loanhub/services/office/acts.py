"""What may be asked of the office: approvals and papers. Looking a home over is `doctor.examine`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from loanhub.acts import Act
from loanhub.entities import KINDS
from loanhub.hookspecs import hookimpl
from loanhub.services.office import approvals, auditing, documents
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


LOG: Final = Act("audit.list", auditing.ListLines, "audit.read", auditing.list_lines, writes=False)
VERIFY: Final = Act("audit.verify", auditing.VerifyLog, "audit.read", auditing.verify, writes=False)
CHECKPOINT: Final = Act(
    "audit.checkpoint", auditing.MakeCheckpoint, "audit.read", auditing.checkpoint, writes=False, audited=True
)
PROVE: Final = Act(
    "audit.prove", auditing.ProveLine, "audit.read", auditing.prove, writes=False, audited=True
)


@hookimpl
def acts() -> Sequence[Act[Any, Any]]:
    """What may be asked of the office."""
    papers: list[Act[Any, Any]] = [documents.FILE, documents.LIST, documents.OPEN]
    return [APPROVALS, APPROVAL, APPROVE, REJECT, *papers, RESUMED, LOG, VERIFY, CHECKPOINT, PROVE]
