"""How a home is unlocked: LOANHUB_PASSPHRASE, then the start slot chosen at init, then a hidden prompt."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from loanhub.errors import Misconfigured
from loanhub.home import Home
from loanhub.keys import NOBODY, Secret, read_key_file

if TYPE_CHECKING:
    from loanhub.cli.session import Session

VARIABLE: Final = "LOANHUB_PASSPHRASE"
FILE_VARIABLE: Final = "LOANHUB_FILE_PASSWORD"
KEY_FILE: Final = "file:"
SERVICE: Final = "service"
"""A slot that this machine opens by itself, such as a key service."""


def from_environment() -> Secret | None:
    """The passphrase of the environment; an empty one counts as none."""
    told = os.environ.get(VARIABLE, "")
    return Secret(told) if told else None


def unlock(session: Session) -> Secret:
    """The secret for the home: a passphrase, a recovery key or a key file's bytes.

    Raises Misconfigured("no-passphrase") when there is none and nobody to ask, NotFound("key-file-missing").
    """
    told = kept_secret(session.home)
    if told is not None:
        return told
    if not session.asks:
        raise Misconfigured("no-passphrase")
    session.typed = hidden(session.say("ask.passphrase").text)
    return session.typed


def kept_secret(home: Path) -> Secret | None:
    """The secret for a home that nobody needs to be asked for; None: a person must say it.

    Raises NotFound("key-file-missing"), Misconfigured("start-unknown").
    """
    told = from_environment()
    if told is not None:
        return told
    from loanhub.settings import read  # who only backs up a folder has none

    start = read(Home(home)).start
    if start == SERVICE:
        return NOBODY
    if start.startswith(KEY_FILE):
        return read_key_file(key_file(home, start))
    if start != "ask":
        raise Misconfigured("start-unknown", start=start)
    return None


def key_file(home: Path, start: str) -> Path:
    """The key file of a start slot; a relative path counts from the home."""
    return home / Path(start.removeprefix(KEY_FILE)).expanduser()


def file_password(session: Session) -> Secret:
    """The password of files to be read. Raises Misconfigured("no-file-password") with nobody to ask."""
    if told := os.environ.get(FILE_VARIABLE, ""):
        return Secret(told)
    if not session.asks:
        raise Misconfigured("no-file-password")
    return hidden(session.say("ask.file-password").text)


def hidden(question: str) -> Secret:
    """Ask for a secret without showing it; the question goes to stderr."""
    return Secret(str(click.prompt(question, hide_input=True, err=True, prompt_suffix="")))
