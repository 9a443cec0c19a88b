"""`loanhub init` makes a home; `loanhub demo` shows LoanHub at work in a throwaway one."""

from __future__ import annotations

import getpass
import sys
import tempfile
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click
from attrs import evolve, frozen

from loanhub.acts import param
from loanhub.cli.acting import Command
from loanhub.cli.outcome import DONE, Outcome
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.cli.unlocking import KEY_FILE, from_environment, hidden
from loanhub.errors import LoanHubError, Misconfigured, Usage
from loanhub.files import write_atomically
from loanhub.home import Home
from loanhub.institution import Institution, refuse_unfit
from loanhub.keys import Secret, new_key_file
from loanhub.system import make_private
from loanhub.texts import LANGS, Lang, render, say

DROP: Final = "drop"


@frozen
class Init:
    """Make a home; what is not given is asked for."""

    institution: str = param(default="")
    owner: str = param(default="")
    key_file: str = param(default="")


@frozen
class Made:
    """A new home: where it is, where to drop sheets, where the answers come back."""

    home: Path
    institution: str
    lang: str
    drop: Path
    owner: str
    returns: Path
    recovery_key_file: Path | None
    key_file: Path | None


def init(session: Session, request: Init) -> Outcome:
    """Make a home. Raises Misconfigured: home-exists, no-passphrase, recovery-file-exists, unfit places."""
    home = Home(session.home)
    refuse_unfit(session.home)
    if home.exists:
        raise Misconfigured("home-exists", home=str(session.home))
    if not session.wishes.yes and not session.asks:
        raise Usage("init-needs-answers")
    wanted, lang, passphrase = _asked(session, request) if session.asks else _told(session, request)
    page = None if session.asks else _reserved(session.home)
    key_path = Path(wanted.key_file).expanduser().absolute() if wanted.key_file else None
    try:
        house, recovery = _create(session.home, wanted, lang, passphrase, key_path)
    except BaseException:
        if page is not None:
            page.unlink(missing_ok=True)
        raise
    session.adopt(house)
    session.lang = lang
    if page is not None:
        _write_page(page, house, lang, recovery)
    else:
        _typed_back(session, house, recovery)
    folder = session.home / "returns" / wanted.owner
    made = Made(
        session.home, wanted.institution, lang, session.home / DROP, wanted.owner, folder, page, key_path
    )
    return Outcome(plain(made), text=_next(made, lang))


# -- answers -------------------------------------------------------------------------------------------


def _told(session: Session, request: Init) -> tuple[Init, Lang, Secret]:
    """What stands in the call and the environment; nothing is asked."""
    passphrase = from_environment()
    if passphrase is None:
        raise Misconfigured("no-passphrase")
    return evolve(request, owner=request.owner or _user()), session.lang, passphrase


def _asked(session: Session, request: Init) -> tuple[Init, Lang, Secret]:
    """What is missing, asked on the terminal."""
    lang = session.lang
    if not session.wishes.lang:
        # Asked in both languages: nobody has said yet which one is read here.
        lang = click.prompt("语言 / Language", default=lang, type=click.Choice(list(LANGS)), err=True)
        session.lang = lang
    name = request.institution or click.prompt(session.say("ask.institution").text, default="", err=True)
    owner = request.owner or click.prompt(session.say("ask.owner").text, default=_user(), err=True)
    passphrase = from_environment() or _twice(session)
    return evolve(request, institution=name, owner=owner), lang, passphrase


def _twice(session: Session) -> Secret:
    while True:
        first = hidden(session.say("ask.new-passphrase").text)
        if first == hidden(session.say("ask.again").text):
            return first
        click.echo(session.say("ask.differ").text, err=True)


def _typed_back(session: Session, house: Institution, recovery: Secret) -> None:
    """Show the recovery key once, and let it be typed back: only then it is known to be written down."""
    click.echo(session.say("ask.recovery", key=recovery.text()).text, err=True)
    while True:
        typed = click.prompt(session.say("ask.recovery-back").text, err=True, prompt_suffix="")
        try:
            house.keyring.prove_recovery(typed)
            return
        except LoanHubError as error:
            click.echo(str(say(error, session.lang)), err=True)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "host"


# -- making --------------------------------------------------------------------------------------------


def _create(
    root: Path, wanted: Init, lang: Lang, passphrase: Secret, key_path: Path | None
) -> tuple[Institution, Secret]:
    values: dict[str, Any] = {
        "institution": wanted.institution,
        "lang": lang,
        "drop": [{"folder": DROP, "owner": wanted.owner}],
    }
    if key_path is not None:
        values["start"] = f"{KEY_FILE}{key_path}"
    house, recovery = Institution.create(root, passphrase, values)
    if key_path is not None:
        house.keyring.add_slot("key-file", new_key_file(key_path))
    return house, recovery


def _reserved(home: Path) -> Path:
    """The file for the recovery key, made before the home is, so that the key is never without a place."""
    page = home.with_name(f"{home.name}-recovery-key.txt")
    if page.exists():
        raise Misconfigured("recovery-file-exists", file=str(page))
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(page, b"")
    return page


def _write_page(page: Path, house: Institution, lang: Lang, recovery: Secret) -> None:
    day = f"{house.clock.now().astimezone(house.zone):%Y-%m-%d}"
    facts = {"institution": house.settings.institution, "home": house.home.root, "id": house.keyring.home}
    text = render("recovery.page", lang, key=recovery.text(), day=day, **facts).text
    write_atomically(page, text.encode())
    make_private(page)


def _next(made: Made, lang: Lang) -> str:
    """What is there now, and what to do next."""
    lines = [render("init.made", lang, home=made.home, drop=made.drop, returns=made.returns).text]
    if made.recovery_key_file is not None:
        lines.append(render("init.recovery-file", lang, file=made.recovery_key_file).text)
    if made.key_file is not None:
        lines.append(render("init.key-file", lang, file=made.key_file).text)
    return "\n".join([*lines, "", render("init.next", lang, drop=made.drop).text])


# -- demo ----------------------------------------------------------------------------------------------


@frozen
class Demo:
    """Show LoanHub at work; only a home named by --home is used, never a real one by chance."""


@frozen
class Shown:
    """Where the throwaway institution lies, its drop folder and its answers."""

    home: Path
    drop: Path
    returns: Path


def demo(session: Session, _: Demo) -> Outcome:
    """Make a throwaway institution, take in an invented workbook, show what came of it."""
    home = session.home if session.wishes.home else Path(tempfile.mkdtemp(prefix="loanhub-demo-"))
    room = import_module("loanhub.demo")
    if session.wishes.json:
        with redirect_stdout(sys.stderr):  # stdout holds one object only
            came = room.run(home, session.lang)
    else:
        came = room.run(home, session.lang)
    data = plain(Shown(home, home / DROP, home / "returns"))
    return Outcome(data, status=came if isinstance(came, int) else DONE)


INIT: Final = Command("init", Init, init, Made)
DEMO: Final = Command("demo", Demo, demo, Shown)
