"""The base of all records: an id and a version."""

from __future__ import annotations

from typing import ClassVar

from attrs import frozen


@frozen(kw_only=True)
class Entity:
    """The base of all records."""

    KIND: ClassVar[str] = ""

    id: int = 0
    version: int = 0
