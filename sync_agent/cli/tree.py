"""Names to commands; a command is made when it is used, so that `--help` loads none."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Final

import click

from loanhub import Usage
from sync_agent.cli.session import Session
from sync_agent.cli.told import group_help

COMMANDS: Final[Mapping[str, str]] = {
    "init": "making:init",
    "backup": "taking:backup",
    "snapshots": "looking:snapshots",
    "ls": "looking:ls",
    "diff": "looking:diff",
    "find": "looking:find",
    "restore": "restoring:restore",
    "verify": "checking:verify",
    "status": "checking:status",
    "forget": "keeping:forget",
    "prune": "keeping:prune",
    "copy": "keeping:copy",
    "run": "running:run",
    "drill": "drilling:drill",
    "plan": "drilling:plan",
    "keys.list": "keying:list_keys",
    "keys.add": "keying:add",
    "keys.pair": "keying:pair",
    "keys.remove": "keying:remove",
    "keys.passphrase": "keying:passphrase",
    "keys.rotate": "keying:rotate",
    "probe": "checking:probe",
}
"""In the order of the help: where in `sync_agent.cli.commands` each one stands."""


class Branch(click.Group):
    """The root, or the group of the commands that begin alike."""

    def __init__(self, prefix: str = "") -> None:
        super().__init__(name=prefix or "loanhub-sync", invoke_without_command=True, add_help_option=False)
        self.prefix = prefix
        helps = click.Option(["--help", "-h"], is_flag=True, is_eager=True, expose_value=False)
        helps.callback = self._helped
        self.params.append(helps)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # as click calls it
        """What may follow, in the order of the help."""
        return list(dict.fromkeys(name.partition(".")[0] for name in self._below()))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command or group of that name."""
        name = f"{self.prefix}.{cmd_name}".lstrip(".")
        if (place := COMMANDS.get(name)) is not None:
            module, _, attribute = place.partition(":")
            made: click.Command = getattr(import_module(f"sync_agent.cli.commands.{module}"), attribute)
            return made
        return Branch(name) if any(one.startswith(f"{name}.") for one in COMMANDS) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; an unknown name is told with the nearest one."""
        command = self.get_command(ctx, args[0])
        if command is None:
            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            if near:
                raise Usage("usage-command-near", near=near[0], help=ctx.command_path)
            raise Usage("usage-command-unknown", help=ctx.command_path)
        return args[0], command, args[1:]

    def invoke(self, ctx: click.Context) -> object:
        """A group alone shows its help, or says what it wants to know."""
        if ctx._protected_args or ctx.args:  # noqa: SLF001  # click's own place for what follows a group
            return super().invoke(ctx)
        if self.prefix:
            raise Usage("usage-which", name=ctx.command_path, names=", ".join(self.list_commands(ctx)))
        self._show(ctx)
        return None

    def _below(self) -> list[str]:
        start = f"{self.prefix}." if self.prefix else ""
        return [name.removeprefix(start) for name in COMMANDS if name.startswith(start)]

    def _helped(self, ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
        if wanted:
            self._show(ctx)
            ctx.exit()

    def _show(self, ctx: click.Context) -> None:
        session = ctx.ensure_object(Session)
        session.help = group_help(session, ctx.command_path, self.prefix, self.list_commands(ctx))
