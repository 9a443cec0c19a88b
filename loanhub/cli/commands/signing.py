"""`loanhub login`, `logout`, `whoami`, `password`: who works here from now on."""

from __future__ import annotations

import os
from typing import Final

import click
from attrs import frozen

from loanhub.accounts import Recognised
from loanhub.acts import param
from loanhub.cli.acting import Command
from loanhub.cli.outcome import Outcome
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.cli.signing import VIA, forget, keep
from loanhub.cli.unlocking import hidden
from loanhub.errors import Misconfigured, NotAllowed, Usage
from loanhub.keys import Secret
from loanhub.services.accounts.signing_in import Opened, activate, change_password, sign_in, sign_out

PASSWORD: Final = "LOANHUB_PASSWORD"  # noqa: S105  # the name of a variable
NEW_PASSWORD: Final = "LOANHUB_NEW_PASSWORD"  # noqa: S105
CODE: Final = "LOANHUB_ACTIVATION_CODE"


@frozen
class Login:
    """Sign in; with `activate` use the code of an invitation and choose a password."""

    login: str = param(argument=True)
    activate: bool = param(default=False, flag=True)


@frozen
class Nothing:
    """Nothing is asked."""


@frozen
class Here:
    """Who works here: login, roles, how this sign-in is called in the log."""

    login: str
    name: str
    roles: tuple[str, ...]
    sign_in: str


def login(session: Session, request: Login) -> Outcome:
    """Sign in. Raises Usage("no-accounts"), NotAllowed, Busy("sign-in-later")."""
    house = session.house
    if not house.has_accounts:
        raise Usage("no-accounts")
    if request.activate:
        code = _secret(session, CODE, "ask.activation")
        came = activate(house, request.login, code, _new(session), via=VIA)
    else:
        password = _secret(session, PASSWORD, "ask.password")
        came = sign_in(house, request.login, password, via=VIA)
        if came.must_change:
            came = _changed(session, came, password)
    keep(house, came.secret)
    house.signed_in = came.who
    return _here(session, came.who, "login.done")


def logout(session: Session, _: Nothing) -> Outcome:
    """End the sign-in. Raises NotAllowed("sign-in-needed")."""
    house = session.house
    who = _who(session)
    sign_out(house, who)
    forget(house)
    house.signed_in = None
    return Outcome({"login": who.account.login}, text=session.say("logout.done").text)


def whoami(session: Session, _: Nothing) -> Outcome:
    """Who works here. Raises NotAllowed("sign-in-needed")."""
    if not session.house.has_accounts:
        who = session.house.person
        here = Here(who.name, who.name, (who.role,), "")
        return Outcome(plain(here), text=session.say("whoami.host", login=who.name).text)
    return _here(session, _who(session), "whoami.done")


def password(session: Session, _: Nothing) -> Outcome:
    """Choose another password; other sign-ins end. Raises NotAllowed("wrong-password"), Usage."""
    who = _who(session)
    change_password(session.house, who, _secret(session, PASSWORD, "ask.password"), _new(session))
    return Outcome({"login": who.account.login}, text=session.say("password.done").text)


def _changed(session: Session, came: Opened, old: Secret) -> Opened:
    """A new password where one is due; without it the sign-in is not used."""
    try:
        change_password(session.house, came.who, old, _new(session))
    except BaseException:
        sign_out(session.house, came.who)
        raise
    return came


def _here(session: Session, who: Recognised, code: str) -> Outcome:
    account = who.account
    here = Here(account.login, account.name, tuple(account.roles), who.sign_in.label)
    said = session.say(code, login=account.login, name=account.name, roles=", ".join(account.roles))
    return Outcome(plain(here), text=said.text)


def _who(session: Session) -> Recognised:
    if session.house.signed_in is None:
        raise NotAllowed("sign-in-needed")
    return session.house.signed_in


def _secret(session: Session, variable: str, question: str) -> Secret:
    if told := os.environ.get(variable, ""):
        return Secret(told)
    if not session.asks:
        raise Misconfigured("no-password", variable=variable)
    return hidden(session.say(question).text)


def _new(session: Session) -> Secret:
    if told := os.environ.get(NEW_PASSWORD, ""):
        return Secret(told)
    if not session.asks:
        raise Misconfigured("no-password", variable=NEW_PASSWORD)
    while True:
        first = hidden(session.say("ask.new-password").text)
        if first == hidden(session.say("ask.again").text):
            return first
        click.echo(session.say("ask.differ").text, err=True)


LOGIN: Final = Command("login", Login, login, Here)
LOGOUT: Final = Command("logout", Nothing, logout)
WHOAMI: Final = Command("whoami", Nothing, whoami, Here)
PASSWORD_COMMAND: Final = Command("password", Nothing, password)
