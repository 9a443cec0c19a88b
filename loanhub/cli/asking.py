"""A request class as the parameters of a command: attributes become arguments and options."""

from __future__ import annotations

import types
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import click
from attrs import frozen
from click.core import ParameterSource

from loanhub.acts import PARAM, Param
from loanhub.cli.acting import Command
from loanhub.cli.helping import about, command_help, parameter, usage_line
from loanhub.cli.names import metavar, option_name
from loanhub.cli.session import Session
from loanhub.cli.values import PAIR, value_type
from loanhub.texts import Message

SHORT = {"output": "-o", "limit": "-n"}
"""Options people know by a letter."""


@frozen
class Shape:
    """What an attribute takes: one or many values of a type, or pairs NAME=VALUE."""

    base: Any
    many: bool = False
    pairs: bool = False
    optional: bool = False


def shape(hint: Any) -> Shape:
    """The shape of an annotation: `tuple[int, ...]`, `date | None`, `Mapping[str, str]`."""
    options = [a for a in get_args(hint) if a is not type(None)]
    if get_origin(hint) in (Union, types.UnionType) and options:
        return attrs.evolve(shape(options[0]), optional=True)
    origin = get_origin(hint) or hint
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return Shape(str, many=True, pairs=True)
    if isinstance(origin, type) and issubclass(origin, Collection) and not issubclass(origin, str | bytes):
        return Shape(options[0] if options else str, many=True)
    return Shape(hint)


@frozen
class Asked:
    """One attribute of a request with all that decides how it is asked for."""

    name: str
    about: Param
    shape: Shape
    required: bool

    @property
    def flag(self) -> bool:
        """Whether it is a switch without a value."""
        return self.about.flag or (self.shape.base is bool and not self.about.argument)

    @property
    def many(self) -> bool:
        """Whether it may be given several times."""
        return self.about.many or self.shape.many

    def parameter(self) -> click.Parameter:
        """As click knows it."""
        kind = PAIR if self.shape.pairs else value_type(self.shape.base, self.about.choices)
        if self.about.argument:
            nargs = -1 if self.many else 1
            return click.Argument([self.name], type=kind, nargs=nargs, required=self.required)
        option = option_name(self.name)
        if self.flag:
            both = f"{option}/--no-{option[2:]}" if self.shape.optional else option
            return click.Option([both, self.name], is_flag=True, default=None)
        names = [option, self.name, *([SHORT[self.name]] if self.name in SHORT else [])]
        return click.Option(names, type=kind, multiple=self.many, required=self.required)

    def value(self, given: Any) -> Any:
        """What click read, as the attribute wants it."""
        if self.shape.pairs:
            return dict(given)
        return tuple(given) if self.many else given


def asked(request: type) -> list[Asked]:
    """The attributes of a request class, arguments first."""
    hints = get_type_hints(request)
    found = [
        Asked(a.name, a.metadata.get(PARAM, Param()), shape(hints[a.name]), a.default is attrs.NOTHING)
        for a in attrs.fields(request)
        if a.init
    ]
    return sorted(found, key=lambda one: not one.about.argument)


class Clicked(click.Command):
    """A command that click parses and whose help we write."""

    def __init__(self, command: Command[Any]) -> None:
        self.about = command
        self.wanted = asked(command.request)
        super().__init__(
            name=command.name.rpartition(".")[2].replace("_", "-"),
            params=[one.parameter() for one in self.wanted],
            callback=self._call,
            add_help_option=False,
        )
        helps = click.Option(["--help", "-h"], is_flag=True, is_eager=True, expose_value=False)
        helps.callback = self._helped
        self.params.append(helps)

    def get_help(self, ctx: click.Context) -> str:
        """How it is called, what it does, an example, every parameter; in the reader's language."""
        session = ctx.ensure_object(Session)
        arguments = [(_metavar(one), self._says(one, session)) for one in self.wanted if one.about.argument]
        options = [(_option(one), self._says(one, session)) for one in self.wanted if not one.about.argument]
        usage = usage_line(ctx.command_path, self.about.name, [left for left, _ in arguments], session)
        said = about(self.about.name, session.lang) or Message(self.about.name, self.about.says)
        return command_help(session, usage, said, arguments, options)

    def _says(self, one: Asked, session: Session) -> str:
        words = parameter(self.about.name, one.name, session.lang)
        choices = [choice for choice in one.about.choices if choice]
        missing = [choice for choice in choices if choice not in words]
        return f"{words} ({', '.join(choices)})".strip() if missing else words

    def _helped(self, ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.ensure_object(Session).help = self.get_help(ctx)
            ctx.exit()

    def _call(self, **values: Any) -> Any:
        context = click.get_current_context()
        given = {
            one.name: one.value(values[one.name])
            for one in self.wanted
            if context.get_parameter_source(one.name) is ParameterSource.COMMANDLINE
        }
        return self.about.run(context.ensure_object(Session), self.about.request(**given))


def clicked(command: Command[Any]) -> click.Command:
    """The command as click knows it."""
    return Clicked(command)


def _metavar(one: Asked) -> str:
    name = metavar(one.name) + ("..." if one.many else "")
    return name if one.required else f"[{name}]"


def _option(one: Asked) -> str:
    short = f"{SHORT[one.name]}, " if one.name in SHORT and not one.flag else ""
    option = option_name(one.name)
    if one.flag:
        return f"{option} / --no-{option[2:]}" if one.shape.optional else option
    kind = "NAME=VALUE" if one.shape.pairs else value_type(one.shape.base, one.about.choices).name.upper()
    return f"{short}{option} {kind}{' ...' if one.many else ''}"


def parameters(command: Command[Any]) -> Iterator[str]:
    """Names of all parameters, to be held against the words."""
    yield from (one.name for one in asked(command.request))
