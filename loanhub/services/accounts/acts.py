"""What may be asked about accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from loanhub.accounts import SEEN
from loanhub.acts import Act
from loanhub.hookspecs import hookimpl
from loanhub.services.accounts import people, signing_in

ADD: Final = Act("users.add", people.AddUser, "account.write", people.add_user)
LIST: Final = Act("users.list", people.ListUsers, "account.read", people.list_users, writes=False)
MOVE: Final = Act("users.move", people.MoveUser, "account.write", people.move_user)
OFFBOARD: Final = Act(
    "users.offboard", people.Offboard, "account.write", people.offboard, confirms=True, covers=("customer",)
)
RESET: Final = Act("users.reset", people.ResetUser, "account.write", people.reset_user)


@hookimpl
def acts() -> Sequence[Act[Any, Any]]:
    """Accounts, and the steps of signing in."""
    steps = (SEEN, signing_in.SIGNED_IN, signing_in.FAILED, signing_in.CHANGED, signing_in.ENDED)
    return [ADD, LIST, MOVE, OFFBOARD, RESET, *steps]
