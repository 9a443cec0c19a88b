"""Help in the reader's language, from the messages `sync.COMMAND` and `sync.COMMAND.PARAMETER`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Final

import click

from sync_agent.cli.session import Session

WIDTH: Final = 96
COMMON: Final = {
    "--vault VAULT": "sync.common.vault",
    "--passphrase-file FILE": "sync.common.passphrase-file",
    "--key-file FILE": "sync.common.key-file",
    "--no-secret": "sync.common.no-secret",
    "--home DIR": "sync.common.home",
    "--config FILE": "sync.common.config",
    "--json": "common.json",
    "--lang zh|en": "common.lang",
    "--yes": "common.yes",
    "--no-color": "common.no-color",
    "--help": "common.help",
}
Lines = Iterable[tuple[str, str]]


class Told(click.Command):
    """A command whose parameters click reads and whose help we write."""

    def __init__(self, name: str | None, **settings: object) -> None:
        super().__init__(name, add_help_option=False, **settings)  # type: ignore[arg-type]
        helps = click.Option(["--help", "-h"], is_flag=True, is_eager=True, expose_value=False)
        helps.callback = self._helped
        self.params.append(helps)

    @property
    def code(self) -> str:
        """Where its words stand."""
        return f"sync.{self.name}"

    def get_help(self, ctx: click.Context) -> str:
        """How it is called, what it does, an example, every parameter."""
        session = ctx.ensure_object(Session)
        said = session.say(self.code)
        arguments = [one for one in self.params if isinstance(one, click.Argument)]
        options = [one for one in self.params if isinstance(one, click.Option) and one.expose_value]
        words = [ctx.command_path, *(one.make_metavar(ctx) for one in arguments)]
        blocks = [
            f"{session.say('label.usage').text}{' '.join(words)} {session.say('label.usage-command').text}",
            folded([("", said.text)]),
            said.hint,
        ]
        if arguments:
            lines = [(one.make_metavar(ctx), self._says(session, one)) for one in arguments]
            blocks.append(_table(session.say("label.arguments").text, lines))
        if options:
            lines = [(_option(one, ctx), self._says(session, one)) for one in options]
            blocks.append(_table(session.say("label.options").text, lines))
        return "\n\n".join([*filter(None, blocks), common(session)]) + "\n"

    def _says(self, session: Session, one: click.Parameter) -> str:
        return session.say(f"{self.code}.{one.name}").text

    def _helped(self, ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.ensure_object(Session).help = self.get_help(ctx)
            ctx.exit()


def group_help(session: Session, path: str, prefix: str, parts: Sequence[str]) -> str:
    """The help of the root or a group: what may follow, each with its sentence."""
    said = session.say(f"sync.{prefix}" if prefix else "sync")
    names = {part: f"{prefix}.{part}".lstrip(".") for part in parts}
    lines = [(part, session.say(f"sync.{name}").text) for part, name in names.items()]
    blocks = [
        f"{session.say('label.usage').text}{path} {session.say('label.usage-group').text}",
        folded([("", said.text)]),
        _table(session.say("label.commands").text, lines),
        common(session),
        said.hint,
    ]
    return "\n\n".join(filter(None, blocks)) + "\n"


def common(session: Session) -> str:
    """The options every command has."""
    lines = [(option, session.say(code).text) for option, code in COMMON.items()]
    return _table(session.say("label.common").text, lines)


def _option(one: click.Option, ctx: click.Context) -> str:
    names = ", ".join(sorted(one.opts, key=len))
    kind = "" if one.is_flag else f" {one.make_metavar(ctx)}"
    return f"{names}{kind}{' ...' if one.multiple else ''}"


def _table(title: str, lines: Lines) -> str:
    rows = list(lines)
    return f"{title}\n{folded(rows, indent=2)}"


def folded(rows: Sequence[tuple[str, str]], *, indent: int = 0) -> str:
    """Two columns, the right one folded; Chinese characters are two cells wide."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0), expand=False)
    left = max((Text(one).cell_len for one, _ in rows), default=0)
    if left:
        grid.add_column(width=min(left, 26), overflow="fold")
    grid.add_column(overflow="fold")
    for one, words in rows:
        grid.add_row(*([Text(one)] if left else []), Text(words))
    paper = StringIO()
    Console(file=paper, width=WIDTH - indent, color_system=None, legacy_windows=False).print(grid)
    return "\n".join(f"{' ' * indent}{line}".rstrip() for line in paper.getvalue().rstrip("\n").split("\n"))
