"""A person's password: what is kept to recognise it, and the key it gives for what only that person may open.

One Argon2id run gives 32 bytes; a check (kept) and a key (never kept) are derived from them, so whoever has
the kept text has to guess, and whoever only reads the database cannot act for the person. Kept as text:

    argon2id$m=65536,t=3,p=4$<salt, 32 hex>$<check, 64 hex>
"""

from __future__ import annotations

import hmac
import os
import re
from typing import Final

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw

from loanhub.errors import Busy, Damaged, NotAllowed, Usage
from loanhub.keys.secret import Secret
from loanhub.keys.slots import ARGON2_DEFAULT, ARGON2_MOST, SALT_BYTES
from loanhub.keys.suites import DEFAULT_SUITE, KEY_BYTES, suite_of

_KEPT: Final = re.compile(r"argon2id\$m=(\d{1,9}),t=(\d{1,3}),p=(\d{1,3})\$([0-9a-f]{32})\$([0-9a-f]{64})")
Cost = tuple[int, int, int]
"""Memory in KiB, passes, lanes."""


def keep_password(password: Secret) -> tuple[str, Secret]:
    """What is kept of a new password, and the key it gives.

    Raises Usage("password-empty"), Busy("passphrase-no-memory").
    """
    salt, cost = os.urandom(SALT_BYTES), _cost()
    check, key = _derived(password, salt, cost)
    memory, passes, lanes = cost
    return f"argon2id$m={memory},t={passes},p={lanes}${salt.hex()}${check.hex()}", key


def open_password(kept: str, password: Secret) -> Secret:
    """The key a password gives. Raises NotAllowed("wrong-password"), Damaged("password-kept-damaged").

    The password is taken byte for byte, of any length: nothing is trimmed, folded or cut.
    """
    parts = _KEPT.fullmatch(kept)
    if parts is None:
        raise Damaged("password-kept-damaged")
    cost = (int(parts[1]), int(parts[2]), int(parts[3]))
    most = (ARGON2_MOST["memory_kib"], ARGON2_MOST["time"], ARGON2_MOST["lanes"])
    if any(not 1 <= n <= int(limit) for n, limit in zip(cost, most, strict=True)) or cost[0] < 8 * cost[2]:
        raise Damaged("password-kept-damaged")
    check, key = _derived(password, bytes.fromhex(parts[4]), cost)
    if not hmac.compare_digest(check, bytes.fromhex(parts[5])):
        raise NotAllowed("wrong-password")
    return key


def is_cheap(kept: str) -> bool:
    """Whether a password was kept at another cost than today's, so that it should be kept anew."""
    parts = _KEPT.fullmatch(kept)
    return parts is None or (int(parts[1]), int(parts[2]), int(parts[3])) != _cost()


def _cost() -> Cost:
    return (int(ARGON2_DEFAULT["memory_kib"]), int(ARGON2_DEFAULT["time"]), int(ARGON2_DEFAULT["lanes"]))


def _derived(password: Secret, salt: bytes, cost: Cost) -> tuple[bytes, Secret]:
    memory, passes, lanes = cost
    if not password.reveal():
        raise Usage("password-empty")
    try:
        root = hash_secret_raw(password.reveal(), salt, passes, memory, lanes, KEY_BYTES, Type.ID)
    except HashingError:
        raise Busy("passphrase-no-memory", mebibytes=memory // 1024) from None
    suite = suite_of(DEFAULT_SUITE)
    return suite.derive(root, salt, "password-check"), Secret(suite.derive(root, salt, "password-key"))
