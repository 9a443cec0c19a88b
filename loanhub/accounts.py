"""From a person's account to the principal that acts: roles, rows, and which sign-in a secret belongs to.

Until a home has its first account the host operator acts, whoever opens it by its passphrase. From then on
everybody acts as the person whose sign-in is shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import evolve, field, frozen

from loanhub.acts import Act, Books, Facts
from loanhub.entities import Account, Delegation, SignIn
from loanhub.errors import Damaged, NotAllowed
from loanhub.keys import DEFAULT_SUITE, SUITES, Secret, bind, open_sealed, seal
from loanhub.keys import SealKey as Key
from loanhub.policy import SHUT, Principal, Scope, read_roles
from loanhub.records import Query, Record, Test, to_entity
from loanhub.settings import config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loanhub.institution import Institution
    from loanhub.kinds import ReadTx
    from loanhub.policy import Role

SECRET_BYTES: Final = 32
OWN: Final = "sign_in.own"
"""What everybody may who is signed in: sign out, change the password."""
WHOLE_DAY: Final = timedelta(hours=12)
"""A sign-in ends after so long, whatever was done with it."""


@frozen
class Recognised:
    """Who shows a sign-in's secret: the principal, the records behind it, and the key that signs for it."""

    principal: Principal
    account: Account
    sign_in: SignIn
    signing_key: Secret | None = field(default=None, repr=False)


def roles_of(house: Institution) -> Mapping[str, Role]:
    """The posts of a home. Raises Misconfigured("settings-wrong")."""
    return read_roles(config(house.home, "roles.toml"), house.dictionary)


def digest_of(secret: Secret) -> str:
    """What is kept of a sign-in's or an invitation's secret."""
    return hashlib.sha256(secret.reveal()).hexdigest()


def recognise(house: Institution, secret: Secret, *, via: str, address: str = "") -> Recognised:
    """Who shows this secret, as things are at this moment: role, rows and dates are looked up anew each time.

    Raises NotAllowed: `sign-in-unknown`, `sign-in-ended` (why), `account-closed`.
    """
    now = house.clock.now()
    with house.store.reading() as tx:
        sign_in = _one(tx, SignIn, Test("digest", "eq", digest_of(secret)))
        if sign_in is None:
            raise NotAllowed("sign-in-unknown")
        account = _one(tx, Account, Test("id", "eq", sign_in.account_id))
        if account is None:
            raise NotAllowed("sign-in-unknown")
        principal = principal_of(
            house, tx, account, via=via, only=sign_in.rights if sign_in.kind == "token" else None
        )
    refuse_closed(account, now.astimezone(house.zone).date())
    idle = min((role.idle for name, role in roles_of(house).items() if name in account.roles), default=1)
    _refuse_ended(sign_in, now, timedelta(minutes=idle))
    _touch(house, sign_in, now, timedelta(minutes=idle))
    principal = evolve(principal, session=sign_in.label, address=address)
    return Recognised(principal, account, sign_in, _signing_key(sign_in, secret))


def principal_of(
    house: Institution, tx: ReadTx, account: Account, *, via: str, only: Iterable[str] | None = None
) -> Principal:
    """The principal an account acts as: of its roles all rights, and of every field and row the most.

    `only`: of these rights, those an API token was given. An account without a known role may nothing.
    """
    known = roles_of(house)
    held = [known[name] for name in account.roles if name in known]
    rights = frozenset[str]().union(*(role.may for role in held))
    reveals = frozenset[str]().union(*(role.reveals for role in held))
    rights |= {OWN}
    scope, sees = Scope(), SHUT
    today = house.clock.now().astimezone(house.zone).date()
    for role in held:
        scope = scope.with_(_reach(tx, account, role.scope, today))
        sees = sees.over(role.sees)
    if only is not None:
        whole = Principal(account.login, "", rights)
        rights = frozenset(right for right in only if whole.may(right))
    called = "+".join(account.roles) or "none"
    return Principal(account.login, called, rights, scope, via, sees, reveals=reveals)


def names_of(account: Account) -> frozenset[str]:
    """What sheets may call this person."""
    return frozenset(name for name in (account.login, account.name, *account.also) if name)


def seal_for(secret: Secret, account: int, signing_key: Secret) -> bytes:
    """An account's signing key, locked with what the person holds: a password's key or a sign-in's secret."""
    return seal(_lock(secret), signing_key.reveal(), bind("account", account))


def open_for(secret: Secret, account: int, sealed: bytes) -> Secret:
    """The signing key again. Raises Damaged("signing-key-damaged") when it does not open."""
    try:
        return Secret(open_sealed(_lock(secret), sealed, bind("account", account)))
    except (NotAllowed, Damaged):
        raise Damaged("signing-key-damaged", account=account) from None


def refuse_closed(account: Account, today: date) -> None:
    """Raises NotAllowed("account-closed") for one that is not active, or whose last day is over."""
    if account.state != "active" or (account.until is not None and account.until < today):
        raise NotAllowed("account-closed", login=account.login)


# -- inside --------------------------------------------------------------------------------------------


def _lock(secret: Secret) -> Key:
    return Key(DEFAULT_SUITE, 0, Secret(SUITES[DEFAULT_SUITE].derive(secret.reveal(), b"", "signing-key")))


def _signing_key(sign_in: SignIn, secret: Secret) -> Secret | None:
    return open_for(secret, sign_in.account_id, sign_in.signing_key) if sign_in.signing_key else None


def _reach(tx: ReadTx, account: Account, reach: str, today: date) -> Scope:
    if reach == "all":
        return Scope(everything=True)
    if reach == "branch":
        return Scope(branches=frozenset({account.branch} if account.branch else ()))
    people = [account, *_lent(tx, account, today)]
    if reach == "team" and account.team:
        people += _all(tx, Account, Test("team", "eq", account.team))
    return Scope(managers=frozenset[str]().union(*map(names_of, people)))


def _lent(tx: ReadTx, account: Account, today: date) -> Iterable[Account]:
    """Accounts whose customers this one looks after today."""
    for lent in _all(tx, Delegation, Test("to_id", "eq", account.id)):
        if lent.ended is None and (lent.since or today) <= today <= (lent.until or today):
            yield from _all(tx, Account, Test("id", "eq", lent.from_id))


def _refuse_ended(sign_in: SignIn, now: datetime, idle: timedelta) -> None:
    if sign_in.ended is not None:
        raise NotAllowed("sign-in-ended", why=sign_in.why or "logout")
    if sign_in.until is not None and now >= sign_in.until:
        raise NotAllowed("sign-in-ended", why="until")
    if sign_in.kind == "session" and sign_in.seen is not None and now - sign_in.seen >= idle:
        raise NotAllowed("sign-in-ended", why="idle")


def _touch(house: Institution, sign_in: SignIn, now: datetime, idle: timedelta) -> None:
    """Note that the sign-in is used; not at every step, so a tenth of the idle time is forgiven."""
    if sign_in.seen is None or now - sign_in.seen >= idle / 10:
        house.system_desk("sign-in").do(SEEN, Used(sign_in.id))


@frozen
class Used:
    """A sign-in was used."""

    id: int


def _seen(books: Books, request: Used) -> Facts[None]:
    sign_in = evolve(books.get(SignIn, request.id), seen=books.now)
    return Facts(None, (sign_in,), about=f"account:{sign_in.account_id}")


SEEN: Final = Act("sign_in.seen", Used, "sign_in.write", _seen, hidden=True)


def _all(tx: ReadTx, kind: type[Any], *tests: Test) -> list[Any]:
    return [to_entity(kind.KIND, record) for record in tx.find(Query(kind.KIND, tests))]


def _one(tx: ReadTx, kind: type[Any], *tests: Test) -> Any | None:
    found: Sequence[Record] = list(tx.find(Query(kind.KIND, tests, limit=1)))
    return cast("Any", to_entity(kind.KIND, found[0])) if found else None
