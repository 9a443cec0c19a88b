"""Folders for tests of snapshots: made from a seed, and told apart by all a snapshot keeps of them."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path
from typing import Final

NAMES: Final = (
    *("账本", "客户 甲.txt", "~$合同.xlsx", "a", "a.b", "-x", ".hidden", "con", "dot.", " lead", "*", "[1]"),
    *("\u202eevil", "new\nline", "\u00e9", "e\u0301", "'\"", "\udcff\udcfe raw", "x" * 200, "\\back"),
)
"""Names that people and programs give to files, and some that only programs do."""


def fill(folder: Path, seed: int, files: int = 25) -> None:
    """Files, folders and links under `folder`, the same for a seed."""
    chance = random.Random(seed)
    folders = [folder]
    for number in range(files):
        path = chance.choice(folders) / f"{chance.choice(NAMES)}{chance.choice(('', number))}"
        if os.path.lexists(path):
            continue
        kind = chance.random()
        if kind < 0.2:
            path.mkdir()
            folders.append(path)
        elif kind < 0.3:
            path.symlink_to(chance.choice(("a", "../a", "/etc/passwd", "gone", "账本", "\udcfe")))
        else:
            path.write_bytes(content(chance))
            path.chmod(chance.choice((0o644, 0o600, 0o755, 0o444, 0o400)))
            stamp = chance.randrange(-(10**9), 2 * 10**9) * 10**9 + chance.randrange(10**9)
            os.utime(path, ns=(stamp, stamp))
    for path in reversed(folders[1:]):
        path.chmod(chance.choice((0o755, 0o700, 0o550)))
        os.utime(path, ns=(10**18 + chance.randrange(10**9), 10**18 + chance.randrange(10**18)))


def content(chance: random.Random) -> bytes:
    """Nothing, a little, or enough to be cut; some of it more than once."""
    size = chance.choice((0, 1, 100, 5_000, 70_000, 1_500_000))
    return random.Random(chance.randrange(3)).randbytes(size)


def picture(folder: Path) -> dict[str, tuple[object, ...]]:
    """Everything below `folder` that a snapshot keeps, by relative path."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        about = path.lstat()
        mode = stat.S_IMODE(about.st_mode)
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()), about.st_mtime_ns)
        elif path.is_dir():
            found[name] = ("folder", mode, about.st_mtime_ns)
        else:
            found[name] = ("file", mode, about.st_mtime_ns, path.read_bytes())
    return found


def loosen(folder: Path) -> None:
    """Lets pytest delete the folder again."""
    folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IRWXU)
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
