"""JSON that is written one way only and read strictly: what is not expected is refused, never skipped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from loanhub import Damaged, Misconfigured

HEX_32: Final = re.compile(r"[0-9a-f]{32}")
HEX_64: Final = re.compile(r"[0-9a-f]{64}")
HEX_128: Final = re.compile(r"[0-9a-f]{128}")
TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MOST: Final = 2**63


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The one way a JSON object is written."""
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8")


def read_fields(content: bytes, known: Iterable[str], name: str) -> dict[str, Any]:
    """A JSON object with exactly these fields, written canonically.

    Raises Damaged `vault-object-damaged`, Misconfigured `vault-newer` for a field it does not know. `name`
    is the stored object it stands in.
    """
    fields = _loaded(content)
    if fields is None:
        raise Damaged("vault-object-damaged", name=name)
    expect(fields, known, name)
    return fields


def comes_back(content: bytes, fields: Mapping[str, Any]) -> bool:
    """Whether a reader of `content` will get exactly `fields`."""
    return _loaded(content) == fields


def _loaded(content: bytes) -> dict[str, Any] | None:
    """The object, if it is one and is written the one way."""
    try:
        fields = json.loads(content.decode("utf-8"), parse_float=_refused, parse_constant=_refused)
        same = isinstance(fields, dict) and canonical(fields) == content
    except (ValueError, RecursionError):
        return None
    return fields if same else None


def expect(fields: object, known: Iterable[str], name: str) -> None:
    """Raises unless `fields` is an object with exactly these fields."""
    wanted = set(known)
    if not isinstance(fields, dict):
        raise Damaged("vault-object-damaged", name=name)
    for unknown in sorted(set(fields) - wanted):
        raise Misconfigured("vault-newer", name=name, what=ascii(unknown)[1:-1][:40])
    if wanted - set(fields):
        raise Damaged("vault-object-damaged", name=name)


def text(value: object, shape: re.Pattern[str], name: str) -> str:
    """`value`, a text of that shape. Raises Damaged."""
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise Damaged("vault-object-damaged", name=name)
    return value


def number(value: object, name: str, least: int = 0) -> int:
    """`value`, a whole number. Raises Damaged."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < MOST:
        raise Damaged("vault-object-damaged", name=name)
    return value


def numbers(value: object, name: str) -> tuple[int, ...]:
    """`value`, a list of numbers from 1 that only grow. Raises Damaged."""
    found = tuple(number(one, name, least=1) for one in items(value, name))
    if list(found) != sorted(set(found)):
        raise Damaged("vault-object-damaged", name=name)
    return found


def items(value: object, name: str) -> list[Any]:
    """`value`, a list. Raises Damaged."""
    if not isinstance(value, list):
        raise Damaged("vault-object-damaged", name=name)
    return value


def _refused(text: str) -> None:
    raise ValueError(text)
