"""Everything that differs by operating system; nothing outside this package asks which one it is.

locks       one process at a time
homes       where a home may not lie, names Windows keeps
processes   children with limits, without network
signals     when to stop
console     what can be shown
branch      `here`: the primitives of posix or windows, which offer the same names
"""

from __future__ import annotations

from pathlib import Path

from loanhub.system.branch import here
from loanhub.system.console import ready_console
from loanhub.system.homes import home_problem, is_kept_name, reserved_name
from loanhub.system.locks import Owner, lock, lock_owner
from loanhub.system.processes import Child, forbid_network, spawn
from loanhub.system.shapes import Death, Footprint, KeyStore, Limits
from loanhub.system.signals import stop_event

__all__ = [
    "Child",
    "Death",
    "Footprint",
    "KeyStore",
    "Limits",
    "Owner",
    "die_with_parent",
    "drives",
    "footprint",
    "forbid_network",
    "home_problem",
    "is_kept_name",
    "key_store",
    "limit_self",
    "lock",
    "lock_owner",
    "make_private",
    "open_plain",
    "place",
    "private_folder",
    "range_is_taken",
    "ready_console",
    "replace",
    "reserved_name",
    "share_range",
    "spawn",
    "stop_event",
    "sync_folder",
    "tethered",
    "tree_memory",
]

die_with_parent = here.die_with_parent
drives = here.drives
footprint = here.footprint
key_store = here.key_store
limit_self = here.limit_self
make_private = here.make_private
open_plain = here.open_plain
range_is_taken = here.range_is_taken
share_range = here.share_range
sync_folder = here.sync_folder
tethered = here.tethered
tree_memory = here.tree_memory


def replace(source: Path, target: Path, *, patience: float = 5.0) -> None:
    """Put `source` in the place of `target`, atomically, also while a reader has it open.

    On Windows it is tried again for `patience` seconds. Raises OSError.
    """
    here.replace(source, target, patience)


def place(source: Path, target: Path, *, patience: float = 5.0) -> bool:
    """Give `source` the name `target` (on the same disk) unless something has it: never replaces.

    Of many callers at once exactly one is told True; after False `source` still stands. Where there are
    no links (FAT) this holds among the processes of one computer. On Windows it is tried again for
    `patience` seconds while `source` is in use. Raises OSError.
    """
    return here.place(source, target, patience)


def private_folder(path: Path) -> Path:
    """Make `path` (and what is missing above it) and let nobody but the owner in; returns it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    make_private(path)
    return path
