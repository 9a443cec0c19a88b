"""Where the secret of a sign-in is kept between commands: one private file for each home."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loanhub.accounts import recognise
from loanhub.errors import Damaged, NotAllowed
from loanhub.keys import Secret
from loanhub.system import private_folder

if TYPE_CHECKING:
    from loanhub.institution import Institution

STATE: Final = "LOANHUB_STATE"
VIA: Final = "cli"


def kept_file(house: Institution) -> Path:
    """The file of this home's sign-in, in LOANHUB_STATE or where the system keeps such things."""
    told = os.environ.get(STATE) or os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_STATE_HOME")
    folder = Path(told).expanduser() if told else Path.home() / ".local" / "state"
    return folder / "loanhub" / "sign-ins" / house.keyring.home


def keep(house: Institution, secret: Secret) -> None:
    """Keep a sign-in for the commands to come."""
    path = kept_file(house)
    private_folder(path.parent)
    forget(house)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret.reveal().hex().encode())


def forget(house: Institution) -> None:
    """Keep none."""
    kept_file(house).unlink(missing_ok=True)


def sign_in_again(house: Institution) -> None:
    """Go on as whoever signed in before. Nobody, a sign-in that has ended, one of another home or a file that
    cannot be read is no fault here: what needs a person says so.
    """
    if not house.has_accounts:
        return
    try:
        told = kept_file(house).read_text(encoding="ascii")
        house.signed_in = recognise(house, Secret(bytes.fromhex(told)), via=VIA)
    except (OSError, ValueError, NotAllowed, Damaged):
        house.signed_in = None
