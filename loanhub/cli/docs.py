"""docs/cli.md and docs/schemas, written from the commands themselves: `python -m loanhub.cli.docs [FOLDER]`.

A test writes them again and compares, so they cannot fall behind.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from loanhub.cli.acting import Command
from loanhub.cli.asking import clicked
from loanhub.cli.helping import group_help
from loanhub.cli.names import spoken_name
from loanhub.cli.schemas import envelope_schema
from loanhub.cli.session import Session, Wishes
from loanhub.cli.tree import Root, every_command

PAGE: Final = "cli.md"
SCHEMAS: Final = "schemas"

INTRO: Final = """\
# The command line

*Written by `python -m loanhub.cli.docs` from the commands themselves; a test holds that it is up to date.*

`python -m loanhub` is the same as `loanhub`. All commands are also there in Chinese (`--lang zh`).

## What every command has

The options `--json`, `--home`, `--lang`, `--yes` and `--no-color` may stand before or after the command.

**Home**: `--home`, else `LOANHUB_HOME`, else `~/LoanHub`.
**Language**: `--lang`, else `LOANHUB_LANG`, else the home's own, else Chinese.
**Passphrase**: `LOANHUB_PASSPHRASE`, else the key file that `loanhub.toml` names (`start = "file:PATH"`),
else a hidden prompt, where a recovery key is taken as well.

With `--json` stdout holds exactly one object, also on failure; all else goes to stderr:

    {"ok": true, "code": 0, "data": {...}, "error": null, "warnings": []}

`code` is the exit status. `error` and each of `warnings` have `code` (the same in every language), `message`
and `hint`. `ok` is false exactly when there is an `error`; `data` may be there all the same.

Money in `data` is whole fen, rates are fractions a year as decimal text, days and moments are ISO text.
Sensitive values are masked.

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | a fault of ours |
| 2 | the call is wrong |
| 3 | done, with rejected rows |
| 4 | not found (a `find` without results is ok all the same) |
| 5 | waits for a person: mapping, confirmation, second approval |
| 6 | not allowed, or a wrong passphrase |
| 7 | what is stored is damaged |
| 8 | busy: another process works on this home |
| 9 | configuration: settings, no home, no passphrase |
| 10 | a file is refused whole |
| 130 | interrupted; what was done is kept |

Of several files the first of 10, 7, 5, 3, 0 that occurred counts.

`LOANHUB_DEBUG=1` shows a traceback on stderr when something goes wrong inside; it may quote data.

"""


def pages() -> Mapping[str, str]:
    """Every generated file by its place under docs."""
    commands = every_command()
    found = {PAGE: INTRO + "\n".join([_root(), *map(_section, commands)])}
    for command in commands:
        text = json.dumps(envelope_schema(command), ensure_ascii=False, indent=1)
        found[f"{SCHEMAS}/{schema_name(command.name)}"] = f"{text}\n"
    return found


def schema_name(name: str) -> str:
    """The file of a command's schema."""
    return f"{spoken_name(name).replace(' ', '-')}.json"


def _session() -> Session:
    return Session(Wishes(), Path("LoanHub"), "en")


def _root() -> str:
    root = Root()
    context = click.Context(root, info_name="loanhub", obj=_session())
    names = root.list_commands(context)
    return f"## loanhub\n\n{_block(group_help(_session(), 'loanhub', '', names))}"


def _section(command: Command[Any]) -> str:
    name = spoken_name(command.name)
    made = clicked(command)
    context = click.Context(made, info_name=f"loanhub {name}", obj=_session())
    text = made.get_help(context).partition("\nOptions of every command")[0]
    link = f"JSON: [{SCHEMAS}/{schema_name(command.name)}]({SCHEMAS}/{schema_name(command.name)})"
    return f"## loanhub {name}\n\n{_block(text)}\n{link}\n"


def _block(text: str) -> str:
    return f"```text\n{text.strip()}\n```\n"


def write(folder: Path) -> None:
    """Write all pages under `folder`; schemas of commands that are gone go too."""
    (folder / SCHEMAS).mkdir(parents=True, exist_ok=True)
    wanted = pages()
    for old in (folder / SCHEMAS).glob("*.json"):
        if f"{SCHEMAS}/{old.name}" not in wanted:
            old.unlink()
    for place, text in wanted.items():
        (folder / place).write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs"))
