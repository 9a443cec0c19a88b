"""Keeps backups in a folder: a second disk, a share of the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from loanhub import Misconfigured, RemoteKind, hookimpl

if TYPE_CHECKING:
    from loanhub_remote_folder.folder import FolderRemote

SETTINGS: Final = frozenset({"vault", "seen", "roots"})


def open_folder(address: str, settings: Mapping[str, Any]) -> FolderRemote:
    """The folder of a path or `file:///...`; nothing is made before the first `put_new`.

    `vault` is the id of the vault that was there last, and `seen` the day (text): then nothing is read
    or written where that vault's marker is not. `roots` are the folders below which it is looked for
    when it is not at its address; the disks of this computer if not given. Raises Misconfigured.
    """
    from loanhub_remote_folder.folder import FolderRemote

    if unknown := sorted(settings.keys() - SETTINGS):
        raise Misconfigured("remote-setting-unknown", setting=unknown[0], known=", ".join(sorted(SETTINGS)))
    vault = settings.get("vault")
    return FolderRemote(
        _path(address),
        vault=None if vault is None else str(vault),
        seen=str(settings.get("seen", "—")),
        roots=tuple(Path(root) for root in settings.get("roots", ())),
    )


def _path(address: str) -> Path:
    if address.startswith("file:"):
        from urllib.request import url2pathname

        place = urlsplit(address)
        if "@" in place.netloc:
            raise Misconfigured("remote-address-secret")
        if place.netloc not in ("", "localhost") or not place.path.strip("/"):
            raise Misconfigured("remote-address-unclear", address=address)
        return Path(url2pathname(place.path))
    if not address.strip():
        raise Misconfigured("remote-address-unclear", address=address)
    return Path(address).expanduser().absolute()


@hookimpl
def remotes() -> Sequence[RemoteKind]:
    """Folders."""
    return [RemoteKind("file", open_folder)]
