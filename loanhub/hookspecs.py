"""The questions LoanHub asks of its plugins: the product's table of contents.

A plugin is any module or object with functions marked `@hookimpl`. Named things are registered once, when
a home is opened, and called as objects afterwards; told things come after the commit. Core services join
by the same door. docs/hooks.md shows every hook with an example that the tests run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loanhub.acts import Act
    from loanhub.audit import Line
    from loanhub.fields import Field
    from loanhub.keys import SlotKind
    from loanhub.kinds import Backup, Channel, Fault, Format, RemoteKind, Rule, StoreKind

PROJECT = "loanhub"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# -- things registered by name ---------------------------------------------------------------------


@hookspec
def fields() -> Sequence[Field]:  # type: ignore[empty-body]
    """Custom fields: they live in the column `extra` of their kind and never migrate."""


@hookspec
def formats() -> Sequence[Format]:  # type: ignore[empty-body]
    """File formats that can be ingested; exactly one may claim a file."""


@hookspec
def rules() -> Sequence[Rule]:  # type: ignore[empty-body]
    """Rating rules. All are asked; the worst answer counts."""


@hookspec
def channels() -> Sequence[Channel]:  # type: ignore[empty-body]
    """Ways to reach people."""


@hookspec
def stores() -> Sequence[StoreKind]:  # type: ignore[empty-body]
    """Storage backends; the home's settings name the one in use."""


@hookspec
def remotes() -> Sequence[RemoteKind]:  # type: ignore[empty-body]
    """Places for backups: folders, object storage. The beginning of an address names the one in use."""


@hookspec
def slots() -> Sequence[SlotKind]:  # type: ignore[empty-body]
    """Ways to lock the master key away, beside passphrase, recovery key, key file and public key."""


@hookspec
def acts() -> Sequence[Act]:  # type: ignore[type-arg, empty-body]
    """What may be asked: each is a command (later a form and a JSON route) at once."""


@hookspec
def backups() -> Sequence[Backup]:  # type: ignore[empty-body]
    """Backup agents, asked for their state by `doctor`."""


# -- questions -------------------------------------------------------------------------------------


@hookspec
def invariants(home: Path) -> Sequence[Fault]:  # type: ignore[empty-body]
    """Faults found in an open or restored home; `doctor` asks."""


# -- told after commit -----------------------------------------------------------------------------


@hookspec
def happened(line: Line) -> None:
    """A line was committed to the audit log. At least once; a failure is recorded and undoes nothing."""
