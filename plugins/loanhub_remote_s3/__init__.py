"""Keeps backups in object storage that speaks S3, of a provider or one's own; the slot of a key service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from loanhub import RemoteKind, SlotKind, hookimpl

if TYPE_CHECKING:
    from loanhub_remote_s3.bucket import S3Remote


def open_s3(address: str, settings: Mapping[str, Any]) -> S3Remote:
    """The remote of `s3://bucket/prefix`; nothing is asked of the network yet.

    Settings (each has the AWS variable of the environment as its default): docs/remotes.md. Raises
    Misconfigured for an address, a setting or an endpoint that cannot be meant.
    """
    from loanhub_remote_s3.bucket import S3Remote
    from loanhub_remote_s3.holding import GOVERNANCE, Lock
    from loanhub_remote_s3.opening import Place, Wishes, client

    wishes = Wishes.of(settings)
    mode = wishes.lock_mode.upper() or GOVERNANCE
    lock = Lock(mode, timedelta(days=wishes.lock_days)) if wishes.lock_days else None
    return S3Remote(Place.of(address), client(wishes), wishes.patience, lock)


@hookimpl
def remotes() -> Sequence[RemoteKind]:
    """Object storage."""
    return [RemoteKind("s3", open_s3)]


@hookimpl
def slots() -> Sequence[SlotKind]:
    """A key service."""
    from loanhub_remote_s3.kms import KMS_SLOT

    return [KMS_SLOT]
