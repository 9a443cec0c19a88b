"""Names to commands: the names stand in the messages (`act.*`, `command.*`), a command is made when used.

So `loanhub --help` loads neither acts nor plugins. A name the messages do not know may be an act of a
plugin: then, and only then, the plugins are asked, those of the home too.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from loanhub.cli.helping import group_help
from loanhub.cli.names import spoken_name
from loanhub.cli.session import Session
from loanhub.errors import NotFound, Usage
from loanhub.texts import catalogue

if TYPE_CHECKING:
    from loanhub.acts import Act
    from loanhub.cli.acting import Command

OWN: Final[Mapping[str, str]] = {
    "init": "starting:INIT",
    "login": "signing:LOGIN",
    "logout": "signing:LOGOUT",
    "whoami": "signing:WHOAMI",
    "password": "signing:PASSWORD_COMMAND",
    "demo": "starting:DEMO",
    "ingest": "taking:INGEST",
    "watch": "taking:WATCH",
    "up": "taking:UP",
    "mapping.set": "taking:MAPPING_SET",
    "mapping.try": "mapping:TRY",
    "mapping.save": "mapping:SAVE",
    "template": "sheets:TEMPLATE",
    "export": "sheets:EXPORT",
    "batches.show": "batches:SHOW_BATCH",
    "batches.original": "papers:ORIGINAL",
    "document.add": "papers:ADD",
    "document.open": "papers:OPEN",
    "assess": "working:ASSESS",
    "remind.send": "working:SEND",
    "plugins": "looking:PLUGINS",
    "doctor": "looking:DOCTOR",
    "reindex": "working:REINDEX",
    "resume": "resuming:RESUME",
}
"""Commands that are no acts, or do more than ask one: where in `loanhub.cli.commands` they stand."""

ORDER: Final = (
    *("init", "template", "ingest", "watch", "mapping", "batches", "export", "find", "customer", "credit"),
    *("document", "loan", "followup", "approvals", "assess", "remind", "plugins", "doctor", "reindex"),
    *("resume", "audit", "users", "login", "logout", "whoami", "password", "up", "demo"),
)
"""How the commands stand in the help: as work goes; those of plugins follow."""


@cache
def known_names() -> tuple[str, ...]:
    """Names of all commands the messages know. An act whose example does not call it is a step of a job."""
    found = set()
    for code, words in catalogue().items():
        kind, _, name = code.partition(".")
        if kind == "command" or (kind == "act" and _called(name, words.get("hint_en", ""))):
            found.add(name)
    return tuple(sorted(found, key=_place))


def _called(name: str, example: str) -> bool:
    return f"loanhub {spoken_name(name)} " in f"{example} "


def _place(name: str) -> tuple[int, str]:
    first = name.partition(".")[0]
    return (ORDER.index(first) if first in ORDER else len(ORDER), name)


class Branch(click.Group):
    """A group of commands by the first parts of their names; the root has none."""

    def __init__(self, prefix: str = "", names: tuple[str, ...] = ()) -> None:
        called = prefix.rpartition(".")[2] or "loanhub"
        super().__init__(name=called, invoke_without_command=True, add_help_option=False)
        self.prefix = prefix
        self.names = names or known_names()

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # as click calls it
        """The parts that may follow, in the order of the help."""
        return list(dict.fromkeys(self._next(name) for name in self._below()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command or group behind one more part of the name; made when it is used."""
        name = f"{self.prefix}.{cmd_name}".lstrip(".").replace("-", "_")
        return self._made(name, known_names()) or self._foreign(name, ctx.find_object(Session))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name is told with the nearest one."""
        command = self.get_command(ctx, args[0])
        if command is None:
            raise self._unknown(ctx, args[0])
        return command.name, command, args[1:]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Options of a group: only the help."""
        if args and args[0] in ("--help", "-h"):
            self._help(ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """The command; without one, the root shows its help and a group says what may follow."""
        if ctx._protected_args or ctx.args:  # noqa: SLF001  # click's own place for what follows a group
            return super().invoke(ctx)
        if not self.prefix:
            self._help(ctx)
        raise Usage("usage-which", name=ctx.command_path, names=", ".join(self.list_commands(ctx)))

    def get_help(self, ctx: click.Context) -> str:
        """What there is, in the reader's language."""
        session = ctx.ensure_object(Session)
        return group_help(session, ctx.command_path, self.prefix, self.list_commands(ctx))

    # -- inside ----------------------------------------------------------------------------------------

    def _help(self, ctx: click.Context) -> None:
        ctx.ensure_object(Session).help = self.get_help(ctx)
        ctx.exit()

    def _below(self) -> list[str]:
        start = f"{self.prefix}." if self.prefix else ""
        return [name.removeprefix(start) for name in self.names if name.startswith(start)]

    @staticmethod
    def _next(name: str) -> str:
        return name.partition(".")[0].replace("_", "-")

    def _made(self, name: str, names: tuple[str, ...]) -> click.Command | None:
        if name in names:
            return _clicked(find_command(name))
        if any(known.startswith(f"{name}.") for known in names):
            return Branch(name)
        return None

    def _foreign(self, name: str, session: Session | None) -> click.Command | None:
        """A command that a plugin brings, of the home too."""
        acts = all_acts(session)
        names = tuple(known for known, act in acts.items() if not act.hidden)
        if name in names:
            return _clicked(find_command(name) if name in OWN else _command_of(acts[name]))
        return Branch(name, names) if any(known.startswith(f"{name}.") for known in names) else None

    def _unknown(self, ctx: click.Context, told: str) -> Usage:
        if told.startswith("-"):
            return Usage("usage-option-unknown", option=told, help=f"{ctx.command_path} --help")
        near = get_close_matches(told, self.list_commands(ctx), 1)
        if near:
            return Usage("usage-command-near", near=f"{ctx.command_path} {near[0]}", help=ctx.command_path)
        return Usage("usage-command-unknown", help=ctx.command_path)


class Root(Branch):
    """`loanhub` itself."""


def every_command() -> list[Command[Any]]:
    """All commands of what is installed, in the order of the help."""
    acts = [name for name, act in all_acts(None).items() if not act.hidden]
    return [find_command(name) for name in sorted({*acts, *OWN}, key=_place)]


def find_command(name: str) -> Command[Any]:
    """The command of a known name. Raises NotFound("command-off") when its plugin is switched off."""
    if name in OWN:
        module, _, attribute = OWN[name].partition(":")
        found: Command[Any] = getattr(import_module(f"loanhub.cli.commands.{module}"), attribute)
        return found
    act = all_acts(None).get(name)
    if act is None:
        raise NotFound("command-off", name=spoken_name(name))
    return _command_of(act)


def _command_of(act: Act[Any, Any]) -> Command[Any]:
    from loanhub.cli.acting import command_of

    return command_of(act)


def _clicked(command: Command[Any]) -> click.Command:
    from loanhub.cli.asking import clicked

    return clicked(command)


def all_acts(session: Session | None) -> Mapping[str, Act[Any, Any]]:
    """Acts of everything installed, and of the home's own plugins when there is a session."""
    from loanhub.plugins import Plugins

    folder = session.home / "plugins" if session is not None else None
    return Plugins.load(folder).acts
