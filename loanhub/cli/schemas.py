"""The JSON of a command as a schema, read off the class of its answer: `plain` in the mirror."""

from __future__ import annotations

import enum
import types
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal, Union, cast, get_args, get_origin, get_type_hints

import attrs
import polars as pl

from loanhub.acts import Act
from loanhub.cli.acting import Command, list_name
from loanhub.entities import Entity
from loanhub.fields import INTEGERS, SECRET, Field, FieldType, fields_of
from loanhub.policy import Masked, Shown

Schema = dict[str, Any]

DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
MESSAGE: Final[Schema] = {
    "type": "object",
    "required": ["code", "message", "hint"],
    "additionalProperties": False,
    "properties": {name: {"type": "string"} for name in ("code", "message", "hint")},
}
WAITS: Final[Schema] = {
    "type": "object",
    "required": ["waiting"],
    "additionalProperties": False,
    "properties": {"waiting": {"type": "array", "items": {"type": "integer"}}},
}
"""What is answered instead when a second person must decide first."""
SIMPLE: Final[dict[Any, Schema]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    str: {"type": "string"},
    Path: {"type": "string"},
    Masked: {"type": "string"},
    Decimal: {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    date: {"type": "string", "format": "date"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}


class Schemas:
    """Schemas of annotations; classes are defined once under `$defs` and named from there."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {}

    def of(self, hint: Any) -> Schema:
        """The schema of an annotation; what is not known may be anything."""
        if hint in SIMPLE:
            return dict(SIMPLE[hint])
        arguments = get_args(hint)
        if get_origin(hint) in (Union, types.UnionType):
            return _either([self.of(one) for one in arguments])
        if get_origin(hint) is Literal:
            return {"enum": list(arguments)}
        origin = get_origin(hint) or hint
        if not isinstance(origin, type):
            return {}
        if issubclass(origin, enum.Enum):
            return {"enum": [member.value for member in origin]}
        if issubclass(origin, pl.DataFrame):
            return {"type": "array", "items": {"type": "object"}}
        if issubclass(origin, Mapping):
            values = self.of(arguments[1]) if len(arguments) == 2 else {}
            return {"type": "object", "additionalProperties": values}
        if issubclass(origin, Collection) and not issubclass(origin, bytes):
            return self._many(arguments)
        return self._class(origin) if attrs.has(origin) else {}

    def _many(self, arguments: tuple[Any, ...]) -> Schema:
        kinds = [one for one in arguments if one is not Ellipsis]
        items = _either([self.of(one) for one in kinds]) if kinds else {}
        return {"type": "array", "items": items}

    def _class(self, kind: type) -> Schema:
        if kind.__name__ not in self.defs:
            self.defs[kind.__name__] = {}  # a class that holds itself finds its name here
            self.defs[kind.__name__] = self._object(kind)
        return {"$ref": f"#/$defs/{kind.__name__}"}

    def _object(self, kind: type) -> Schema:
        if kind in (Shown, Entity):
            known: Schema = {"kind": {"type": "string"}, "id": SIMPLE[int], "version": SIMPLE[int]}
            return {"type": "object", "required": list(known), "properties": known}
        if issubclass(kind, Entity):
            return _record(kind)
        hints = get_type_hints(kind)
        names = [n for n in attrs.fields_dict(cast("Any", kind)) if n[0] != "_" and hints[n] is not bytes]
        return _closed({name: self.of(hints[name]) for name in names})


def _record(kind: type[Entity]) -> Schema:
    """A record; what its reader may not see of it is not there."""
    always: Schema = {"kind": {"const": kind.KIND}, "id": {"type": "integer"}, "version": {"type": "integer"}}
    known = {
        name: _field(about)
        for name, about in fields_of(kind).items()
        if about.type is not FieldType.BYTES and about.privacy is not SECRET
    }
    return {**_closed({**always, **known}), "required": list(always)}


def _field(about: Field) -> Schema:
    if about.type is FieldType.JSON:
        return {}
    if about.type is FieldType.MONEY:
        return {"type": ["integer", "null"], "description": "fen (0.01 yuan)"}
    if about.type in INTEGERS and about.type not in (FieldType.RATE, FieldType.RATIO):
        return {"type": ["integer", "null"]}
    if about.type is FieldType.YES_NO:
        return {"type": ["boolean", "null"]}
    return {"type": ["string", "null"]}


def _closed(properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "additionalProperties": False,
        "properties": properties,
    }


def _either(options: list[Schema]) -> Schema:
    distinct = [one for number, one in enumerate(options) if one not in options[:number]]
    if len(distinct) == 1:
        return distinct[0]
    if all(set(one) == {"type"} for one in distinct):
        return {"type": [one["type"] for one in distinct]}
    return {"anyOf": distinct}


def data_schema(command: Command[Any]) -> Schema:
    """The schema of a command's `data`, without the envelope."""
    schemas = Schemas()
    answer = command.answer
    hint = _answer_of(answer) if isinstance(answer, Act) else answer
    found = {"type": "object"} if hint is None else schemas.of(hint)
    if found.get("type") == "array":
        found = _closed({list_name(command.name): found})
    if isinstance(answer, Act) and answer.checker:
        found = _either([found, WAITS])
    return {**found, "$defs": schemas.defs} if schemas.defs else found


def _answer_of(act: Act[Any, Any]) -> Any:
    """`Facts[Answer]` of the deciding function: the answer's class."""
    arguments = get_args(get_type_hints(act.decide).get("return"))
    return arguments[0] if arguments else None


def envelope_schema(command: Command[Any]) -> Schema:
    """The schema of the whole object a command prints with `--json`."""
    data = data_schema(command)
    defs = {**data.pop("$defs", {}), "Message": MESSAGE}
    message = {"$ref": "#/$defs/Message"}
    return {
        "$schema": DRAFT,
        **_closed(
            {
                "ok": {"type": "boolean"},
                "code": {"type": "integer"},
                "data": {"anyOf": [data, {"type": "null"}]},
                "error": {"anyOf": [message, {"type": "null"}]},
                "warnings": {"type": "array", "items": message},
            }
        ),
        "$defs": defs,
    }
