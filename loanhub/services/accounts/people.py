"""Accounts: made by invitation, moved to another post, closed when somebody leaves."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Final, cast

from attrs import evolve, frozen

from loanhub.accounts import digest_of, names_of
from loanhub.acts import Books, Facts, param
from loanhub.entities import Account, Customer, Delegation, Entity, Pending, SignIn
from loanhub.errors import NotAllowed, NotFound, Usage
from loanhub.keys import Secret
from loanhub.policy import of, read_roles
from loanhub.records import Query, Test

ADMIN: Final = "admin"
INVITED_FOR: Final = timedelta(hours=24)
_LOGIN: Final = re.compile(r"\w[\w.-]{1,39}")
_CODE: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no letter that is read as another
_CODE_LENGTH: Final = 20  # 98 bits


@frozen
class AddUser:
    """Make an account and a code with which its owner activates it."""

    login: str = param(argument=True)
    name: str = param()
    role: tuple[str, ...] = param(many=True)
    also: tuple[str, ...] = param(default=(), many=True)
    team: str | None = param(default=None)
    branch: str | None = param(default=None)
    until: date | None = param(default=None)


@frozen
class ListUsers:
    """List the accounts, those who left too with `all`."""

    all: bool = param(default=False, flag=True)


@frozen
class MoveUser:
    """Give an account another post: the old roles are taken away, the named ones given. Team and branch stay
    as they are unless told; an empty one takes them away.
    """

    login: str = param(argument=True)
    role: tuple[str, ...] = param(many=True)
    team: str | None = param(default=None)
    branch: str | None = param(default=None)


@frozen
class Offboard:
    """Close an account: its sign-ins and tokens end at once, its customers go to somebody else."""

    login: str = param(argument=True)
    to: str | None = param(default=None)
    reason: str = param(default="")


@frozen
class ResetUser:
    """Take the password and second factor away, end all sign-ins, and make a new activation code."""

    login: str = param(argument=True)
    reason: str = param(default="")


@frozen
class Invited:
    """An account that its owner activates with this code, shown once, until then."""

    id: int
    login: str
    code: str
    until: datetime


@frozen
class UserLine:
    """One account. `signed_in`: how many sign-ins and tokens of it are open."""

    id: int
    login: str
    name: str = of("account.name")
    roles: tuple[str, ...] = of()
    team: str | None = of()
    branch: str | None = of()
    state: str = of()
    until: date | None = of()
    seen: datetime | None = of()
    signed_in: int = 0


@frozen
class Left:
    """An account was closed: what ended, which customers have another manager now, what it had asked for
    and still waits.
    """

    login: str
    ended: int
    handed_over: int
    to: str | None
    waiting_approvals: tuple[int, ...]


def add_user(books: Books, request: AddUser) -> Facts[Invited]:
    """A new account.

    Raises Usage: `login-unfit`, `login-taken`, `name-taken`, `role-unknown`, `first-is-admin`.
    """
    login = plain_login(request.login)
    if not _LOGIN.fullmatch(login):
        raise Usage("login-unfit", login=login[:40])
    accounts = books.listed(Account)
    if any(account.login == login for account in accounts):
        raise Usage("login-taken", login=login)
    _refuse_unknown_roles(books, request.role)
    if not accounts and ADMIN not in request.role:
        raise Usage("first-is-admin")
    code, until = _new_code(), books.now + INVITED_FOR
    account = Account(
        id=books.allot(Account.KIND),
        login=login,
        name=request.name.strip(),
        also=[name.strip() for name in request.also],
        roles=list(request.role),
        team=request.team,
        branch=request.branch,
        until=request.until,
        invitation=digest_of(Secret(code)),
        invitation_until=until,
    )
    _refuse_namesakes(account, accounts)
    return Facts(Invited(account.id, login, code, until), (account,), about=f"account:{account.id}")


def list_users(books: Books, request: ListUsers) -> Facts[list[UserLine]]:
    """Every account with what it may do and when it was seen."""
    open_ones = books.listed(SignIn, Test("ended", "null"))
    found = [one for one in books.listed(Account) if request.all or one.state != "left"]
    return Facts([_line(one, open_ones, books.now) for one in found])


def move_user(books: Books, request: MoveUser) -> Facts[UserLine]:
    """The account in its new post; its sign-ins go on, with the new rights from the next command.

    Raises NotFound("account-unknown"), Usage("role-unknown", "last-admin"), NotAllowed("own-account").
    """
    account = account_called(books, request.login)
    _refuse_own(books, account)
    _refuse_unknown_roles(books, request.role)
    if ADMIN not in request.role:
        _keep_an_admin(books, account)
    team = account.team if request.team is None else request.team or None
    branch = account.branch if request.branch is None else request.branch or None
    moved = evolve(account, roles=list(request.role), team=team, branch=branch)
    return Facts(_line(moved, (), books.now), (moved,), about=f"account:{account.id}")


def offboard(books: Books, request: Offboard) -> Facts[Left]:
    """The account closed. Raises NotFound("account-unknown"), Usage("account-left", "heir-needed",
    "last-admin"), NotAllowed("own-account").
    """
    account = account_called(books, request.login)
    _refuse_own(books, account)
    if account.state == "left":
        raise Usage("account-left", login=account.login)
    _keep_an_admin(books, account)
    heir = None if request.to is None else account_called(books, request.to)
    theirs = books.listed(Customer, Test("manager", "in", sorted(names_of(account))))
    if theirs and heir is None:
        raise Usage("heir-needed", login=account.login, count=len(theirs))
    if heir is not None and (heir.state == "left" or heir.id == account.id):
        raise Usage("account-left", login=heir.login)
    ended = _ended(books, account, "offboarded")
    lent = [d for d in books.listed(Delegation) if account.id in (d.from_id, d.to_id) and d.ended is None]
    left = evolve(account, state="left", invitation="", invitation_until=None, until=books.today)
    puts: list[Entity] = [left, *ended, *(evolve(one, ended=books.now) for one in lent)]
    puts += [evolve(customer, manager=heir.name if heir else None) for customer in theirs]
    waiting = books.listed(Pending, Test("state", "eq", "waiting"), Test("maker", "eq", account.login))
    answer = Left(
        account.login, len(ended), len(theirs), heir.login if heir else None, tuple(p.id for p in waiting)
    )
    about = f"account:{account.id}" + (f" account:{heir.id}" if heir else "")
    return Facts(answer, tuple(puts), about=about, reason=request.reason)


def reset_user(books: Books, request: ResetUser) -> Facts[Invited]:
    """A new activation code. The signing key is made anew, too: what was signed before stays provable by the
    public key in the history. Raises NotFound("account-unknown"), Usage("account-left").
    """
    account = account_called(books, request.login)
    if account.state == "left":
        raise Usage("account-left", login=account.login)
    code, until = _new_code(), books.now + INVITED_FOR
    fresh = evolve(
        account,
        state="invited",
        password="",
        factor=b"",
        factor_codes=[],
        signing_key=b"",
        failures=0,
        retry_at=None,
        invitation=digest_of(Secret(code)),
        invitation_until=until,
    )
    puts = (fresh, *_ended(books, account, "reset"))
    answer = Invited(account.id, account.login, code, until)
    return Facts(answer, puts, about=f"account:{account.id}", reason=request.reason)


# -- inside --------------------------------------------------------------------------------------------


def plain_login(told: str) -> str:
    """A login as it is compared: NFKC, lower case."""
    return unicodedata.normalize("NFKC", told).strip().casefold()


def account_called(books: Books, login: str) -> Account:
    """The account of a login. Raises NotFound("account-unknown")."""
    found = books.listed(Account, Test("login", "eq", plain_login(login)))
    if not found:
        raise NotFound("account-unknown", login=plain_login(login)[:40])
    return found[0]


def _new_code() -> str:
    symbols = "".join(secrets.choice(_CODE) for _ in range(_CODE_LENGTH))
    return "-".join(symbols[at : at + 5] for at in range(0, _CODE_LENGTH, 5))


def _refuse_unknown_roles(books: Books, roles: Iterable[str]) -> None:
    known = read_roles(books.config("roles.toml"), books.dictionary)
    named = list(roles)
    for role in named:
        if role not in known:
            raise Usage("role-unknown", role=role[:40], known=", ".join(known))
    if not named:
        raise Usage("role-unknown", role="", known=", ".join(known))


def _refuse_namesakes(account: Account, others: Iterable[Account]) -> None:
    """Whose customer one is, is told by a name: two of one name would see each other's."""
    for other in others:
        if other.state != "left" and (same := sorted(names_of(account) & names_of(other))):
            raise Usage("name-taken", login=other.login, name=same[0][:40])


def _refuse_own(books: Books, account: Account) -> None:
    if account.login == books.who.name and books.who.session:
        raise NotAllowed("own-account", login=account.login)


def _keep_an_admin(books: Books, account: Account) -> None:
    others = (one for one in books.listed(Account) if one.id != account.id)
    if ADMIN in account.roles and not any(ADMIN in o.roles and o.state == "active" for o in others):
        raise Usage("last-admin", login=account.login)


def _ended(books: Books, account: Account, why: str) -> list[SignIn]:
    mine = books.find(Query(SignIn.KIND, (Test("account_id", "eq", account.id), Test("ended", "null"))))
    return [evolve(one, ended=books.now, why=why, signing_key=b"") for one in cast("Iterable[SignIn]", mine)]


def _line(account: Account, open_ones: Iterable[SignIn], now: datetime) -> UserLine:
    live = [
        one for one in open_ones if one.account_id == account.id and (one.until is None or one.until > now)
    ]
    return UserLine(
        account.id,
        account.login,
        account.name,
        tuple(account.roles),
        account.team,
        account.branch,
        account.state,
        account.until,
        account.seen,
        len(live),
    )
