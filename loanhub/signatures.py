"""Who asked and who approved, signed with their own keys: whoever has the files cannot approve as another.

What is signed names the home, the matter, its digest, the person, the part and the moment, so no signature
fits anywhere else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Literal

from loanhub.entities import Account, Pending
from loanhub.keys import signed_by

Part = Literal["maker", "checker"]
KNOWN: Final = b"loanhub approval 1\n"


def signed_text(home: str, pending: Pending, part: Part) -> bytes:
    """What the maker or the checker of a matter signs."""
    who, at = (pending.maker, pending.asked) if part == "maker" else (pending.decided_by, pending.decided)
    said = {
        "home": home,
        "id": pending.id,
        "act": pending.act,
        "about": f"{pending.about_kind}:{pending.about_id}",
        "digest": pending.digest,
        "part": part,
        "state": "waiting" if part == "maker" else pending.state,
        "who": who,
        "at": None if at is None else at.astimezone(UTC).isoformat(),
    }
    return KNOWN + json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def unsigned_parts(
    home: str, pending: Pending, accounts: Callable[[datetime], Iterable[Account]]
) -> list[Part]:
    """The parts of an approved matter that nobody signed who should have. `accounts`: those of a moment.

    Before the first account nobody signs. A maker who has no account, such as a drop folder, cannot.
    """
    if pending.state != "approved" or pending.decided is None or pending.asked is None:
        return []
    found: list[Part] = []
    askers = {one.login: one for one in accounts(pending.asked)}
    if pending.maker in askers and not _fits(askers[pending.maker], home, pending, "maker"):
        found.append("maker")
    deciders = {one.login: one for one in accounts(pending.decided)}
    if deciders:
        decider = deciders.get(pending.decided_by or "")
        if decider is None or not _fits(decider, home, pending, "checker"):
            found.append("checker")
    return found


def _fits(account: Account, home: str, pending: Pending, part: Part) -> bool:
    signature = pending.maker_signature if part == "maker" else pending.checker_signature
    return bool(account.public_key) and signed_by(
        account.public_key, signed_text(home, pending, part), signature
    )
