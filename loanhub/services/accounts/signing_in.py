"""Signing in and out: the slow work with the password before the transaction, what came of it within it.

Whoever guesses learns nothing: an unknown login costs as much time and gets the same answer as a wrong
password. After three mistakes each further one doubles a wait, at most a quarter of an hour; nobody is locked
out for good by a stranger.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from attrs import evolve, field, frozen

from loanhub.accounts import (
    SECRET_BYTES,
    WHOLE_DAY,
    Recognised,
    digest_of,
    open_for,
    recognise,
    refuse_closed,
    seal_for,
)
from loanhub.acts import Act, Books, Facts
from loanhub.entities import Account, SignIn
from loanhub.errors import Busy, Misconfigured, NotAllowed
from loanhub.keys import Secret, is_cheap, keep_password, new_signing_key, open_password, public_key
from loanhub.policy import Principal
from loanhub.records import Query, Test, to_entity
from loanhub.services.accounts.passwords import PROFILES, check_password, is_old
from loanhub.services.accounts.people import plain_login

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.institution import Institution

FREE_TRIES: Final = 3
LONGEST_WAIT: Final = timedelta(minutes=15)
LABEL_BYTES: Final = 4


@frozen
class Opened:
    """A sign-in that was made: its secret, to be kept by the person's machine only, and who it is.

    `must_change`: a new password has to be chosen before anything else.
    """

    secret: Secret = field(repr=False)
    who: Recognised
    must_change: bool = False


def sign_in(house: Institution, login: str, password: Secret, *, via: str, address: str = "") -> Opened:
    """Sign in with a password.

    Raises NotAllowed("wrong-password") for whatever does not fit, Busy("sign-in-later", seconds) during a
    wait, NotAllowed("account-closed") to who knows the password of a closed account.
    """
    account = _account(house, login)
    now = house.clock.now()
    if account is not None and account.retry_at is not None and now < account.retry_at:
        _failed(house, account, "waiting", via=via, address=address)
        raise Busy("sign-in-later", seconds=int((account.retry_at - now).total_seconds()) + 1)
    try:
        key = open_password(account.password if account and account.password else _nobodys(), password)
    except NotAllowed:
        _failed(house, account, "password", via=via, address=address)
        raise
    assert account is not None  # nobody's password is random and was forgotten
    refuse_closed(account, now.astimezone(house.zone).date())
    must = account.password_new or is_old(PROFILES[profile(house)], account.password_since, now)
    signing_key = open_for(key, account.id, account.signing_key)
    if is_cheap(account.password):
        kept, key = keep_password(password)
        account = evolve(account, password=kept, signing_key=seal_for(key, account.id, signing_key))
    return _opened(house, account, signing_key, must=must, via=via, address=address)


def activate(
    house: Institution, login: str, code: Secret, password: Secret, *, via: str, address: str = ""
) -> Opened:
    """Use an activation code, once: the account gets its password and its signing key.

    Raises NotAllowed("activation-refused"), and what `check_password` raises (the code is not used up then).
    """
    account = _account(house, login)
    now = house.clock.now()
    told = Secret((code.text() or "").strip().upper())
    fits = (
        account is not None
        and account.state == "invited"
        and account.invitation != ""
        and secrets.compare_digest(account.invitation, digest_of(told))
        and account.invitation_until is not None
        and now < account.invitation_until
    )
    if account is None or not fits:
        _failed(house, account, "activation", via=via, address=address)
        raise NotAllowed("activation-refused")
    check_password(password, PROFILES[profile(house)], _names(house, account), account.passwords_before)
    fresh, signing_key = _with_password(account, password, now, new_signing_key())
    fresh = evolve(fresh, state="active", invitation="", invitation_until=None)
    fresh = evolve(fresh, public_key=public_key(signing_key))
    return _opened(house, fresh, signing_key, must=False, via=via, address=address)


def change_password(house: Institution, who: Recognised, old: Secret, new: Secret) -> None:
    """A new password, for who knows the old one; all other sign-ins of the account end.

    Raises NotAllowed("wrong-password"), and what `check_password` raises.
    """
    account = _account(house, who.account.login)
    if account is None:
        raise NotAllowed("wrong-password")
    try:
        key = open_password(account.password, old)
    except NotAllowed:
        _failed(house, account, "password", via=who.principal.via, address=who.principal.address)
        raise
    before = [*account.passwords_before, account.password]
    check_password(new, PROFILES[profile(house)], _names(house, account), before)
    signing_key = open_for(key, account.id, account.signing_key)
    fresh, _ = _with_password(account, new, house.clock.now(), signing_key)
    house.desk(who.principal).do(CHANGED, Changed(fresh, who.sign_in.id))


def sign_out(house: Institution, who: Recognised) -> None:
    """End this sign-in."""
    house.desk(who.principal).do(ENDED, Ended(who.sign_in.id))


def profile(house: Institution) -> str:
    """The profile of passwords: the home's, else `dengbao` for Chinese homes and `modern` for others.

    Raises Misconfigured("settings-wrong").
    """
    told = house.settings.passwords or ("dengbao" if house.settings.lang == "zh" else "modern")
    if told not in PROFILES:
        faults = f"passwords must be one of {', '.join(PROFILES)}"
        raise Misconfigured("settings-wrong", file="loanhub.toml", faults=faults)
    return told


# -- acts, each a step of the above --------------------------------------------------------------------


@frozen
class SignedIn:
    """A sign-in was made."""

    account: Account = field(repr=False)
    sign_in: SignIn = field(repr=False)


@frozen
class Failed:
    """A sign-in was refused: why."""

    account: int | None
    why: str


@frozen
class Changed:
    """A password was changed; this sign-in goes on."""

    account: Account = field(repr=False)
    kept: int


@frozen
class Ended:
    """A sign-in ends."""

    id: int


def signed_in(books: Books, request: SignedIn) -> Facts[SignIn]:
    """The sign-in kept, and the account's mistakes forgotten."""
    account = evolve(request.account, failures=0, retry_at=None, seen=books.now)
    kept = evolve(request.sign_in, id=books.allot(SignIn.KIND))
    return Facts(kept, (account, kept), about=f"account:{account.id}", reason=kept.label)


def failed(books: Books, request: Failed) -> Facts[None]:
    """A line in the log, and a longer wait for the next try."""
    if request.account is None:
        return Facts(None, about="account:0", reason=request.why, outcome="failed")
    account = books.get(Account, request.account)
    about = f"account:{account.id}"
    if request.why == "waiting":
        return Facts(None, about=about, reason=request.why, outcome="failed")
    failures = account.failures + 1
    wait = min(timedelta(seconds=2 ** max(failures - FREE_TRIES, 0)), LONGEST_WAIT)
    later = books.now + wait if failures >= FREE_TRIES else None
    changed = evolve(account, failures=failures, retry_at=later)
    return Facts(None, (changed,), about=about, reason=request.why, outcome="failed")


def changed(books: Books, request: Changed) -> Facts[None]:
    """The new password kept; other sign-ins end."""
    others = books.listed(SignIn, Test("account_id", "eq", request.account.id), Test("ended", "null"))
    ended = [
        evolve(one, ended=books.now, why="password", signing_key=b"")
        for one in others
        if one.id != request.kept and one.kind == "session"
    ]
    return Facts(None, (request.account, *ended), about=f"account:{request.account.id}")


def ended(books: Books, request: Ended) -> Facts[None]:
    """The sign-in ended."""
    one = books.get(SignIn, request.id)
    gone = evolve(one, ended=books.now, why="logout", signing_key=b"")
    return Facts(None, (gone,), about=f"account:{one.account_id}", reason=one.label)


SIGNED_IN: Final = Act("login.done", SignedIn, "sign_in.write", signed_in, hidden=True)
FAILED: Final = Act("login.failed", Failed, "sign_in.write", failed, hidden=True)
CHANGED: Final = Act("password.changed", Changed, "sign_in.own", changed, hidden=True)
ENDED: Final = Act("logout", Ended, "sign_in.own", ended, hidden=True)


# -- inside --------------------------------------------------------------------------------------------


def _opened(
    house: Institution, account: Account, signing_key: Secret, *, must: bool, via: str, address: str
) -> Opened:
    secret, now = Secret(secrets.token_bytes(SECRET_BYTES)), house.clock.now()
    made = SignIn(
        account_id=account.id,
        digest=digest_of(secret),
        label=secrets.token_hex(LABEL_BYTES),
        via=via,
        address=address,
        started=now,
        seen=now,
        until=now + WHOLE_DAY,
        signing_key=seal_for(secret, account.id, signing_key),
    )
    _desk(house, account, via, address).do(SIGNED_IN, SignedIn(account, made))
    return Opened(secret, recognise(house, secret, via=via, address=address), must)


def _failed(house: Institution, account: Account | None, why: str, *, via: str, address: str) -> None:
    _desk(house, account, via, address).do(FAILED, Failed(account.id if account else None, why))


def _desk(house: Institution, account: Account | None, via: str, address: str) -> Desk:
    """Somebody who is not signed in yet, and may do nothing else."""
    name = account.login if account else "?"
    return house.desk(
        Principal(name, "signing-in", frozenset({"sign_in.write", "account.write"}), via=via, address=address)
    )


def _account(house: Institution, login: str) -> Account | None:
    with house.store.reading() as tx:
        q = Query(Account.KIND, (Test("login", "eq", plain_login(login)),), limit=1)
        found = next(iter(tx.find(q)), None)
    return None if found is None else cast("Account", to_entity(Account.KIND, found))


def _with_password(
    account: Account, password: Secret, now: datetime, signing_key: Secret
) -> tuple[Account, Secret]:
    kept, key = keep_password(password)
    before = [*account.passwords_before, *filter(None, [account.password])]
    fresh = evolve(
        account,
        password=kept,
        passwords_before=before[-max(p.remembered for p in PROFILES.values()) :],
        password_since=now,
        password_new=False,
        signing_key=seal_for(key, account.id, signing_key),
    )
    return fresh, signing_key


def _names(house: Institution, account: Account) -> list[str]:
    return [account.login, account.name, *account.also, house.settings.institution, "loanhub"]


@cache
def _nobodys() -> str:
    """A kept password that nobody has, so that an unknown login takes as long as a known one."""
    return keep_password(Secret(secrets.token_hex(16)))[0]
