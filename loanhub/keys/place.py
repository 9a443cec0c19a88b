"""Where a keyring is kept: read whole, replaced whole, readable by its owner only; and key files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attrs import frozen

from loanhub.errors import Damaged, NotFound, Usage
from loanhub.keys.public import is_private_key, new_pair
from loanhub.keys.secret import Secret
from loanhub.keys.suites import KEY_BYTES

OWNER_ONLY: Final = 0o600
_LARGEST: Final = 4 * 1024 * 1024
_LONGEST_PAIR: Final = 4096
Protect = Callable[[Path, int], None]


@frozen
class Place:
    """Where a keyring stands: a file, or an object of a vault. `read` gives None when nothing is there."""

    read: Callable[[], bytes | None]
    write: Callable[[bytes], None]


def file_place(path: Path, *, protect: Protect = os.chmod) -> Place:
    """The keyring file at `path`; `protect` narrows who may read it."""

    def read() -> bytes | None:
        try:
            if path.stat().st_size > _LARGEST:
                raise Damaged("keyring-damaged")
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def write(content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, content, protect=protect)

    return Place(read, write)


def write_private(path: Path, content: bytes, *, protect: Protect = os.chmod) -> None:
    """Replaces `path` by `content`; a crash at any moment leaves the old file or the new one, whole."""
    beside = path.with_name(f".{path.name}.{os.urandom(4).hex()}.new")
    try:
        _write_new(beside, content, protect)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    _settle(path.parent)


def _write_new(path: Path, content: bytes, protect: Protect) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    protect(path, OWNER_ONLY)


def _settle(folder: Path) -> None:
    """Makes the renamed name itself survive a power cut, where a folder can be opened for that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def new_key_file(path: Path, *, protect: Protect = os.chmod) -> Secret:
    """Writes 32 random bytes to a new file for a `key-file` slot. Raises Usage `key-file-exists`."""
    key = os.urandom(KEY_BYTES)
    try:
        _write_new(path, key, protect)
    except FileExistsError:
        raise Usage("key-file-exists") from None
    _settle(path.parent)
    return Secret(key)


def new_private_file(path: Path, *, protect: Protect = os.chmod) -> str:
    """Writes the private key of a new pair to a new file; the public line to be handed over.

    Raises Usage `key-file-exists`.
    """
    private, line = new_pair()
    try:
        _write_new(path, f"# {line}\n{private.text()}\n".encode(), protect)
    except FileExistsError:
        raise Usage("key-file-exists") from None
    _settle(path.parent)
    return line


def read_key_file(path: Path) -> Secret:
    """The secret in a key file, or the private key in the file of a pair.

    Raises NotFound `key-file-missing`, Usage `key-file-length`.
    """
    try:
        with path.open("rb") as file:
            key = file.read(_LONGEST_PAIR)
    except FileNotFoundError:
        raise NotFound("key-file-missing") from None
    for line in key.decode("utf-8", "replace").splitlines() if len(key) != KEY_BYTES else ():
        if is_private_key(line):
            return Secret(line.strip())
    if len(key) != KEY_BYTES:
        raise Usage("key-file-length", found=len(key), expected=KEY_BYTES)
    return Secret(key)
