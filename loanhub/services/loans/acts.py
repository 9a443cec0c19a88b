"""What may be asked about loans: show one, list many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from loanhub.acts import Act
from loanhub.hookspecs import hookimpl
from loanhub.services.loans import listing, show

SHOW: Final = Act("loan.show", show.ShowLoan, "loan.read", show.show, writes=False)
LIST: Final = Act("loan.list", listing.ListLoans, "loan.read", listing.list_loans, writes=False)


@hookimpl
def acts() -> Sequence[Act[Any, Any]]:
    """What may be asked about loans."""
    return [SHOW, LIST]
