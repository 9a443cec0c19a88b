"""What a command works on: the remote at an address, the secret, the open vault.

Settings of a remote stand in a TOML file, a table for each address; S3 credentials may stand there or
where boto3 looks for them. Neither is ever repeated in a message.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final

import click

from loanhub import (
    NOBODY,
    Damaged,
    Home,
    Keyring,
    Misconfigured,
    NotFound,
    Remote,
    Secret,
    Usage,
    file_place,
    kept_secret,
    read_key_file,
)
from sync_agent.cli.session import Session
from sync_agent.places import Places, spoken_address, state_folder
from sync_agent.remotes import open_remote
from sync_agent.slots import kinds_for
from sync_agent.vault import Vault
from sync_agent.vault.keys import read_start
from sync_agent.vault.names import START

VARIABLE: Final = "LOANHUB_SYNC_PASSPHRASE"
NEW_VARIABLE: Final = "LOANHUB_SYNC_NEW_PASSPHRASE"
CONFIG: Final = "LOANHUB_SYNC_CONFIG"
CONFIG_NAME: Final = "remotes.toml"


# Remotes --------------------------------------------------------------------------------------------------


def remote_at(session: Session, address: str, *, known: bool = True) -> Remote:
    """The remote at an address; with `known` a vault seen there before must be there again.

    Raises Misconfigured for its settings, and what the remote raises.
    """
    settings = settings_of(session, address)
    place = Places().find(address) if known else None
    if place is not None and ("://" not in address or address.startswith("file:")):
        settings = {"vault": place.vault, "seen": place.seen, **settings}
    return open_remote(address, settings)


def settings_of(session: Session, address: str) -> dict[str, Any]:
    """What the settings file says of an address. Raises Misconfigured."""
    told = session.wishes.config or os.environ.get(CONFIG, "")
    path = Path(told).expanduser() if told else state_folder() / CONFIG_NAME
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        if told:
            raise NotFound("sync-config-missing", path=str(path)) from None
        return {}
    except (ValueError, OSError):
        raise Misconfigured("sync-config-unreadable", path=str(path)) from None
    tables = {spoken_address(name): table for name, table in content.items()}
    found = tables.get(spoken_address(address), {})
    if not isinstance(found, dict):
        raise Misconfigured("sync-config-unreadable", path=str(path))
    return found


# Secrets --------------------------------------------------------------------------------------------------


def secret(session: Session) -> Secret:
    """The secret for the vault: a passphrase, a recovery key, a key file's bytes or a private key.

    From LOANHUB_SYNC_PASSPHRASE, `--passphrase-file`, `--key-file`, the home's own ways, or a hidden prompt;
    none with `--no-secret`, where a slot is opened by this machine itself.
    Raises Misconfigured `sync-no-passphrase` when there is none and nobody to ask.
    """
    if session.secret is None:
        session.secret = _told_secret(session)
    if session.secret is None:
        if not session.asks:
            raise Misconfigured("sync-no-passphrase")
        session.secret = hidden(session, "sync.ask.passphrase")
    return session.secret


def _told_secret(session: Session) -> Secret | None:
    if session.wishes.no_secret:
        return NOBODY
    if told := os.environ.get(VARIABLE, ""):
        return Secret(told)
    if session.wishes.passphrase_file:
        return from_file(Path(session.wishes.passphrase_file).expanduser())
    if session.wishes.key_file:
        return read_key_file(Path(session.wishes.key_file).expanduser())
    if session.home is not None:
        return kept_secret(session.home)
    return None


def from_file(path: Path) -> Secret:
    """The passphrase in a file: its first line. Raises NotFound `sync-passphrase-file-missing`."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise NotFound("sync-passphrase-file-missing", path=str(path)) from None
    except ValueError:
        lines = []
    if not lines or not lines[0]:
        raise Usage("sync-passphrase-file-empty", path=str(path))
    return Secret(lines[0])


def new_secret(session: Session, variable: str, file: str = "") -> Secret:
    """A new passphrase: from the environment, a file, or asked twice. Raises as `secret`."""
    if told := os.environ.get(variable, ""):
        return Secret(told)
    if file:
        return from_file(Path(file).expanduser())
    if not session.asks:
        raise Misconfigured("sync-no-passphrase" if variable == VARIABLE else "sync-no-new-passphrase")
    while True:
        first = hidden(session, "sync.ask.new-passphrase")
        if first == hidden(session, "ask.again"):
            return first
        click.echo(session.say("ask.differ").text, err=True)


def hidden(session: Session, question: str) -> Secret:
    """Ask for a secret without showing it; the question goes to stderr."""
    return Secret(str(click.prompt(session.say(question).text, hide_input=True, err=True, prompt_suffix="")))


# The vault ------------------------------------------------------------------------------------------------


def is_copy(session: Session) -> bool:
    """Whether the vault that the call names is a copy of another, which is only read."""
    place = Places().find(session.address)
    return place is not None and bool(place.copy_of)


def vault_to_write(session: Session) -> Vault:
    """As `open_vault`, for what changes the vault. Raises Usage `sync-copy-is-read`."""
    place = Places().find(session.address)
    if place is not None and place.copy_of:
        raise Usage("sync-copy-is-read", address=session.address, first=place.copy_of)
    return open_vault(session)


def vault_to_rekey(session: Session) -> Vault:
    """As `vault_to_write`, for what changes its keys: those of a home are changed with the home.

    Raises Usage `sync-keys-of-home` when this machine knows that a home's keyring opens the vault.
    """
    place = Places().find(session.address)
    if session.home is None and place is not None and place.home and is_home(Path(place.home)):
        raise Usage("sync-keys-of-home", home=place.home)
    return vault_to_write(session)


def vault_at_any_rate(session: Session) -> tuple[Vault, Damaged | None]:
    """The vault, opened for reading even if something is wrong with it; and what that is."""
    try:
        return open_vault(session), None
    except Damaged as found:
        return open_vault(session, salvage=True), found


def open_vault(session: Session, *, salvage: bool = False) -> Vault:
    """The vault that the call names, opened. Raises what `Vault.open` and the remote raise."""
    address = session.address
    remote = remote_at(session, address)
    places = Places()
    place = places.find(address)
    # Whether it is there is known before anybody is asked for a passphrase.
    found = vault_at(remote)
    keyring = home_keyring(session) if session.home is not None else None
    vault = Vault.open(
        remote, keyring or secret(session), cache=places.cache(address), salvage=salvage,
        vault_id=place.vault if place is not None else found,
    )  # fmt: skip
    if place is None:
        places.remember(address, vault.id, home=_told_home(session))
    else:
        home = _told_home(session) or place.home
        places.remember(address, vault.id, copy_of=place.copy_of, apart=place.apart, home=home)
    for name, problem in sorted((one.name, one.problem) for one in vault.findings):
        session.warn(f"sync.finding.{problem}", name=name)
    if vault.new_devices:
        session.warn("sync.new-devices", count=len(vault.new_devices))
    return vault


def _told_home(session: Session) -> str:
    return "" if session.home is None else str(session.home)


def vault_at(remote: Remote) -> str:
    """The id of the vault at a remote, without any key. Raises NotFound `vault-missing`."""
    try:
        return read_start(remote.get(START)).vault
    except NotFound:
        raise NotFound("vault-missing") from None


def home_keyring(session: Session) -> Keyring:
    """The open keyring of the home that was named. Raises Misconfigured `sync-no-home` and its own."""
    assert session.home is not None
    home = Home(session.home)
    if not home.exists:
        raise Misconfigured("sync-no-home", home=str(session.home))
    place = file_place(home.keyring)
    return Keyring.open(place, secret(session), kinds=kinds_for(place))


def is_home(path: Path) -> bool:
    """Whether a folder is a LoanHub home."""
    return Home(path).exists
