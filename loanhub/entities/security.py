"""Who works here: accounts, sign-ins, and whose customers somebody looks after for a while."""

from __future__ import annotations

from datetime import date, datetime
from typing import ClassVar

import attrs
from attrs import frozen

from loanhub.entities.base import Entity
from loanhub.fields import PERSONAL, SECRET, FieldType, field

T = FieldType


@frozen(kw_only=True)
class Account(Entity):
    """One person who signs in. `name` and `also` are what sheets call this person in the column 客户经理."""

    KIND: ClassVar[str] = "account"

    login: str = field(T.TEXT, imported=False, default="")
    name: str = field(T.NAME, privacy=PERSONAL, imported=False, default="")
    also: list[str] = field(T.JSON, imported=False, default=attrs.Factory(list))
    roles: list[str] = field(T.JSON, imported=False, default=attrs.Factory(list))
    team: str | None = field(T.TEXT, imported=False)
    branch: str | None = field(T.TEXT, imported=False)
    state: str = field(T.TEXT, imported=False, default="invited")
    """invited (no password yet), active, suspended or left."""
    until: date | None = field(T.DATE, imported=False)
    """The last day on which the account works."""
    password: str = field(T.TEXT, privacy=SECRET, imported=False, default="")
    """As `keys.passwords` keeps it; empty while invited."""
    passwords_before: list[str] = field(T.JSON, privacy=SECRET, imported=False, default=attrs.Factory(list))
    password_since: datetime | None = field(T.TIME, imported=False)
    password_new: bool = field(T.YES_NO, imported=False, default=False)
    """Whether the next sign-in must choose a new one."""
    invitation: str = field(T.TEXT, privacy=SECRET, imported=False, default="")
    """SHA-256 of the code that activates the account, hex; empty when there is none or it was used."""
    invitation_until: datetime | None = field(T.TIME, imported=False)
    failures: int = field(T.INTEGER, imported=False, default=0)
    """Wrong passwords since the last right one."""
    retry_at: datetime | None = field(T.TIME, imported=False)
    factor: bytes = field(T.BYTES, privacy=SECRET, imported=False, default=b"")
    """The sealed TOTP secret; empty when there is no second factor."""
    factor_step: int = field(T.INTEGER, imported=False, default=0)
    """The last TOTP step that was used: a code counts once."""
    factor_codes: list[str] = field(T.JSON, privacy=SECRET, imported=False, default=attrs.Factory(list))
    """SHA-256 of the one-time recovery codes that are left, hex."""
    public_key: bytes = field(T.BYTES, imported=False, default=b"")
    """Ed25519: signs what this person asks for or approves under four eyes."""
    signing_key: bytes = field(T.BYTES, privacy=SECRET, imported=False, default=b"")
    """Its secret half, sealed with the key the password gives."""
    seen: datetime | None = field(T.TIME, imported=False)


@frozen(kw_only=True)
class SignIn(Entity):
    """A sign-in, or an API token: its holder has a secret of 256 bits, of which only SHA-256 is kept."""

    KIND: ClassVar[str] = "sign_in"

    account_id: int = field(T.REF, refers="account", imported=False, default=0)
    digest: str = field(T.TEXT, privacy=SECRET, imported=False, default="")
    label: str = field(T.TEXT, imported=False, default="")
    """A short name, shown in lists and in the audit log."""
    kind: str = field(T.TEXT, imported=False, default="session")
    """session, or token for a program."""
    name: str = field(T.TEXT, imported=False, default="")
    """What a token is for."""
    rights: list[str] = field(T.JSON, imported=False, default=attrs.Factory(list))
    """Of a token: the only rights it has, of those its account has."""
    via: str = field(T.TEXT, imported=False, default="")
    address: str = field(T.TEXT, imported=False, default="")
    started: datetime | None = field(T.TIME, imported=False)
    seen: datetime | None = field(T.TIME, imported=False)
    until: datetime | None = field(T.TIME, imported=False)
    ended: datetime | None = field(T.TIME, imported=False)
    why: str = field(T.TEXT, imported=False, default="")
    """Why it ended: logout, idle, offboarded, password, revoked."""
    signing_key: bytes = field(T.BYTES, privacy=SECRET, imported=False, default=b"")
    """The account's signing key, sealed with the secret that the person holds; none for a token."""


@frozen(kw_only=True)
class Delegation(Entity):
    """One account sees another's customers for some days."""

    KIND: ClassVar[str] = "delegation"

    from_id: int = field(T.REF, refers="account", imported=False, default=0)
    to_id: int = field(T.REF, refers="account", imported=False, default=0)
    since: date | None = field(T.DATE, imported=False)
    until: date | None = field(T.DATE, imported=False)
    reason: str = field(T.TEXT, imported=False, default="")
    ended: datetime | None = field(T.TIME, imported=False)
