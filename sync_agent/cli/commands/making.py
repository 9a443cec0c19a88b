"""`loanhub-sync init`: a new vault, and the recovery key that is shown once."""

from __future__ import annotations

from operator import methodcaller

import click

from loanhub import LoanHubError, Secret, say
from sync_agent.cli.commands.checking import abilities, told_abilities
from sync_agent.cli.opening import VARIABLE, home_keyring, new_secret, remote_at
from sync_agent.cli.outcome import Outcome
from sync_agent.cli.session import Session
from sync_agent.cli.told import Told
from sync_agent.places import Places, state_folder
from sync_agent.status import Journal
from sync_agent.vault import Vault


@click.command("init", cls=Told)
@click.argument("vault", required=False, default="")
@click.option("--suite", type=click.IntRange(1, 3), default=1)
@click.option("--label", default="")
@click.pass_obj
def init(session: Session, vault: str, suite: int, label: str) -> Outcome:
    """Make a vault. Raises Usage `vault-exists`, and what the remote raises."""
    address = vault or session.address
    remote = remote_at(session, address, known=False)
    able = remote.probe()
    cache = state_folder()
    if session.home is not None:
        made, recovery = Vault.create(remote, home_keyring(session), cache=cache)
    else:
        secret = new_secret(session, VARIABLE)
        made, recovery = Vault.create(remote, secret, suite=suite, label=label, cache=cache)
    Places().remember(address, made.id)
    Journal.of(made).ran(made, "init")
    told_abilities(session, able)
    data = {"vault": made.id, "address": address, "suite": made.keyring.epochs[-1].suite, **abilities(able)}
    lines = [session.say("sync.init.made", vault=made.id, address=address).text]
    if recovery is None:
        lines.append(session.say("sync.init.home-key").text)
    elif session.asks:
        _typed_back(session, made, recovery)
    else:
        data["recovery_key"] = recovery.text()
        lines.append(session.say("sync.ask.recovery", key=recovery.text()).text)
    lines.append(session.say("sync.init.next").text)
    return Outcome(data, "\n".join(lines))


def _typed_back(session: Session, vault: Vault, recovery: Secret) -> None:
    """Show the recovery key once, and let it be typed back: only then it is known to be written down."""
    click.echo(session.say("sync.ask.recovery", key=recovery.text()).text, err=True)
    while True:
        typed = str(click.prompt(session.say("ask.recovery-back").text, err=True, prompt_suffix=""))
        try:
            vault.rekey(methodcaller("prove_recovery", typed))
        except LoanHubError as error:
            click.echo(str(say(error, session.lang)), err=True)
        else:
            return
