"""Small helpers of the judges: how an answer is compared with what a case expects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from loanhub.readings import Reading

Answer = Callable[[Any], Any]


def cell(inputs: Mapping[str, Any]) -> tuple[str, bool]:
    """The text of a case's cell, and whether it was a numeric cell."""
    value = inputs["value"]
    numeric = isinstance(value, int | float) or any(
        inputs.get(key) in {"number", "numeric"} for key in ("cell", "cell_type", "kind", "type")
    )
    return "" if value is None else str(value), numeric


def plain(value: Any) -> Answer:
    """The value as it is."""
    return lambda _: value


def number(value: Decimal | int | None) -> Answer:
    """A number, equal in any writing of it ("0.049" and 0.04900000)."""

    def answer(expected: Any) -> Any:
        if value is None or expected is None:
            return value
        try:
            return expected if Decimal(str(expected)) == value else str(value)
        except InvalidOperation:
            return str(value)

    return answer


def said(present: object) -> Answer:
    """A warning or hint in words: a case writes its own, we only must have one (or none)."""

    def answer(expected: Any) -> Any:
        wanted = bool(expected)
        return expected if wanted == bool(present) else present

    return answer


def reason(code: str | None, words: Mapping[str, tuple[str, ...]]) -> Answer:
    """Why something was refused: our code, agreeing when the case names it in one of these words."""

    def answer(expected: Any) -> Any:
        if code is None or expected is None:
            return code
        text = str(expected).lower()
        return expected if any(word in text for word in (code, *words.get(code, ()))) else code

    return answer


def ok(reading: Reading[Any]) -> Answer:
    return plain(reading.ok)
