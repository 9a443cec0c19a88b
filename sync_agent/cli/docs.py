"""docs/sync.md, written from the commands themselves: `python -m sync_agent.cli.docs [FILE]`.

A test writes it again and compares, so it cannot fall behind.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import click

from sync_agent.cli.run import PROGRAM
from sync_agent.cli.session import Session, Wishes
from sync_agent.cli.told import group_help
from sync_agent.cli.tree import COMMANDS, Branch

INTRO: Final = """\
# The command loanhub-sync

*Written by `python -m sync_agent.cli.docs` from the commands themselves; a test holds that it is up to date.*

[Backing up an office, step by step](backup.md) · [where backups lie](remotes.md) · [the
format](vault-format.md) · [the command loanhub](cli.md)

`python -m sync_agent` is the same as `loanhub-sync`. All commands are also there in Chinese (`--lang zh`).

## What every command has

The options `--vault`, `--passphrase-file`, `--key-file`, `--home`, `--config`, `--json`, `--lang`, `--yes`
and `--no-color` may stand before or after the command.

**Vault**: `--vault`, else `LOANHUB_SYNC_VAULT`: a folder's path or `s3://bucket/prefix`.
**Passphrase**: `LOANHUB_SYNC_PASSPHRASE`, else the first line of `--passphrase-file`, else `--key-file`,
else (with a home) the home's own ways, else a hidden prompt. A recovery key is taken wherever a passphrase
is. A new one: `LOANHUB_SYNC_NEW_PASSPHRASE`,
`--new-passphrase-file`, or a prompt.
**Language**: `--lang`, else `LOANHUB_LANG`, else that of the home, else Chinese.
**Settings of remotes**: `--config`, else `LOANHUB_SYNC_CONFIG`, else `remotes.toml` in the folder of the
state; a table for each address, with the settings of [remotes.md](remotes.md). Credentials of object
storage stand there, or where every S3 program looks for them:

    ["s3://first-bucket/vault"]
    endpoint = "https://s3.example.com"
    credentials = "/etc/loanhub/first.ini"

    ["s3://second-bucket/vault"]
    profile = "second"
    limit = 2000

**State**: what this machine remembers (the last head, its signing key, what was read, when what was done)
is in `LOANHUB_SYNC_STATE`, else
`loanhub-sync` in `%LOCALAPPDATA%`, `$XDG_STATE_HOME` or `~/.local/state`. It may be deleted: then
everything is read once more, and the
alarm about a storage that went back in time begins anew.
**A snapshot** is called `latest` (the newest that was not taken before a restore), by its number (`12`), or
by its id (`12-9f3a01bc`).

With `--json` stdout holds exactly one object, also on failure; all else goes to stderr:

    {"ok": true, "code": 0, "data": {...}, "error": null, "warnings": []}

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | a fault of ours |
| 2 | the call is wrong |
| 3 | done, but something could not be read or written; each is named |
| 4 | not found: no vault, no snapshot, no file |
| 6 | not allowed, or a wrong passphrase |
| 7 | what is stored is damaged, or the storage went back in time |
| 8 | try again later: disk not plugged in or full, no network, an agent at work |
| 9 | configuration: no vault named, no passphrase, a setting |
| 130 | interrupted; what was done is kept |

"""


def page() -> str:
    """The whole page."""
    session = Session(Wishes(), "en")
    root = Branch()
    context = click.Context(root, info_name=PROGRAM, obj=session)
    found = [f"## {PROGRAM}\n\n{_block(group_help(session, PROGRAM, '', root.list_commands(context)))}"]
    found += [_section(name, session) for name in COMMANDS]
    return INTRO + "\n".join(found)


def _section(name: str, session: Session) -> str:
    spoken = f"{PROGRAM} {name.replace('.', ' ')}"
    command = Branch(name.rpartition(".")[0]).get_command(click.Context(Branch()), name.rpartition(".")[2])
    assert command is not None
    text = command.get_help(click.Context(command, info_name=spoken, obj=session))
    return f"## {spoken}\n\n{_block(text.partition(session.say('label.common').text)[0])}"


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


if __name__ == "__main__":
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/sync.md")
    file.write_text(page(), encoding="utf-8", newline="\n")
