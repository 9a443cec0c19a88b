"""Values typed at the command line, read by type; what cannot be read is told with its parameter's name.

The value itself is not repeated: it may be an ID or a phone number.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, get_args, get_origin

import click

from loanhub.cli.names import metavar, option_name
from loanhub.errors import Usage


class Value(click.ParamType[Any]):
    """A type of value: `read` turns text into it or raises ValueError; `code` says what was expected."""

    def __init__(self, name: str, code: str, read: Callable[[str], Any]) -> None:
        self.name = name
        self.code = code
        self.read = read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The value. Raises Usage naming the parameter."""
        del ctx
        if not isinstance(value, str):
            return value
        try:
            return self.read(value)
        except (ValueError, InvalidOperation, OverflowError):
            raise Usage(self.code, name=_called(param), **self.facts()) from None

    def facts(self) -> dict[str, str]:
        """What the message tells besides the parameter."""
        return {}


class Choice(Value):
    """One of a few words."""

    def __init__(self, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)
        super().__init__("choice", "usage-choice", self._chosen)

    def _chosen(self, text: str) -> str:
        if text not in self.choices:
            raise ValueError
        return text

    def facts(self) -> dict[str, str]:
        """What may be chosen."""
        return {"choices": ", ".join(choice for choice in self.choices if choice)}


def _day(text: str) -> date:
    return date.fromisoformat(text.strip().replace("/", "-"))


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.strip().replace("/", "-"))


def _yes(text: str) -> bool:
    words = {
        "yes": True,
        "true": True,
        "1": True,
        "是": True,
        "no": False,
        "false": False,
        "0": False,
        "否": False,
    }
    if text.lower() not in words:
        raise ValueError
    return words[text.lower()]


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise ValueError
    return name.strip(), value


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if not value.is_finite():
        raise ValueError
    return value


TEXT: Final = Value("text", "usage-value", str)
PAIR: Final = Value("name=value", "usage-pair", _pair)
TYPES: Final[dict[Any, Value]] = {
    int: Value("number", "usage-whole", int),
    date: Value("date", "usage-day", _day),
    datetime: Value("time", "usage-moment", _moment),
    Decimal: Value("number", "usage-number", _decimal),
    float: Value("number", "usage-number", float),
    bool: Value("yes|no", "usage-yes", _yes),
}


def value_type(base: Any, choices: Sequence[str] = ()) -> Value:
    """How a value of an annotation is read."""
    if choices:
        return Choice(choices)
    if get_origin(base) is Literal:
        return Choice([str(choice) for choice in get_args(base)])
    if isinstance(base, type) and issubclass(base, enum.Enum):
        return Choice([str(member.value) for member in base])
    return TYPES.get(base, TEXT)


def _called(param: click.Parameter | None) -> str:
    if param is None or param.name is None:
        return ""
    return metavar(param.name) if isinstance(param, click.Argument) else option_name(param.name)
