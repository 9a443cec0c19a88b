"""Object lock: objects that nobody can delete before a day, and what a delete marker hides.

What a server says of a lock is compared with what it does: by a version that is put to be deleted, and by
asking for the time again after every change of it.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import md5
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field, frozen
from botocore.exceptions import ClientError

from loanhub import Misconfigured, NotAllowed, NotFound
from loanhub_remote_s3.opening import Place
from loanhub_remote_s3.trying import Patience, status_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

COMPLIANCE: Final = "COMPLIANCE"
GOVERNANCE: Final = "GOVERNANCE"
PROBE: Final = "probe-lock"
_NEVER: Final = "probe-of-deleting"
_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_SECOND: Final = timedelta(seconds=1)
"""Servers keep whole seconds."""


@frozen
class Lock:
    """How new objects are held: `mode` in the words of S3, and for how long from now."""

    mode: str
    period: timedelta

    def of(self, data: bytes) -> dict[str, Any]:
        """What a put of `data` says besides. AWS takes a lock only with a checksum, and this one all know."""
        digest = b64encode(md5(data, usedforsecurity=False).digest()).decode("ascii")
        until = datetime.now(UTC) + self.period
        return {"ContentMD5": digest, "ObjectLockMode": self.mode, "ObjectLockRetainUntilDate": until}


@frozen
class _Version:
    """A version as the server tells of it."""

    id: str
    until: datetime | None
    mode: str


@define
class S3Holding:
    """As `loanhub.Holding`, for the objects of one place. `lock`: how new ones are held, None: not at all."""

    _place: Place
    _client: BaseClient = field(repr=False)
    _patience: Patience
    lock: Lock | None

    @property
    def period(self) -> timedelta:
        """As `Holding.period`."""
        return timedelta(0) if self.lock is None else self.lock.period

    def held_until(self, name: str) -> datetime | None:
        """As `Holding.held_until`; of an object that a delete marker hides, the version behind it."""
        return self._found(name)[0].until

    def hold(self, name: str, until: datetime) -> datetime:
        """As `Holding.hold`. A lock in mode compliance stays one whatever the settings say now."""
        version, hidden = self._found(name)
        if version.until is not None and version.until >= until:
            return version.until
        wished = GOVERNANCE if self.lock is None else self.lock.mode
        mode = COMPLIANCE if version.mode == COMPLIANCE else wished
        asked: dict[str, Any] = {"Retention": {"Mode": mode, "RetainUntilDate": until}}
        if hidden:
            asked["VersionId"] = version.id
        self._call("put_object_retention", name, refused="remote-lock-refused", **asked)
        now = self._found(name)[0].until
        if now is None or now < until - _SECOND:
            raise Misconfigured("remote-lock-broken", remote=self._place.name)
        return now

    def is_hidden(self, name: str) -> bool:
        """As `Holding.is_hidden`."""
        return self._version(name) is None and self._behind_marker(name) is not None

    # -- does it hold? ---------------------------------------------------------------------------------

    def prove(self) -> tuple[str, ...]:
        """Locks a small version for a day and tries to delete it; codes of what to know of this lock.

        Raises Misconfigured `remote-lock-missing` where the storage takes no lock and `remote-lock-broken`
        where it takes one and does not keep it; NotAllowed `remote-lock-refused`.
        """
        assert self.lock is not None
        version = self._locked_probe(self.lock)
        self._try_to_delete(version.id)
        if self._version(PROBE, version.id) is None:
            raise Misconfigured("remote-lock-broken", remote=self._place.name)
        notes = [] if self._may_delete_versions() else ["remote-lock-untried"]
        if self._may_shorten(version):
            if version.mode == COMPLIANCE:
                raise Misconfigured("remote-lock-broken", remote=self._place.name)
            notes.append("remote-lock-lifted")
        return tuple(notes)

    def _may_shorten(self, version: _Version) -> bool:
        """Whether these credentials can shorten a lock: by a second, for others may be probing too."""
        assert version.until is not None
        shorter = {"Mode": version.mode, "RetainUntilDate": version.until - _SECOND}
        try:
            self._call(
                "put_object_retention", PROBE, VersionId=version.id, Retention=shorter,
                BypassGovernanceRetention=True,
            )  # fmt: skip
        except (NotAllowed, Misconfigured):
            return False
        found = self._version(PROBE, version.id)
        return found is None or found.until is None or found.until < version.until

    def _locked_probe(self, lock: Lock) -> _Version:
        """A version that must be locked now; one of an earlier probe where there is one."""
        soon = datetime.now(UTC) + _HOUR
        found = self._version(PROBE)
        if found is not None and found.mode == lock.mode and found.until is not None and found.until > soon:
            return found
        if found is not None:
            self._try_to_delete(found.id)
        try:
            self._call(
                "put_object", PROBE, refused="remote-lock-refused", Body=b"probe",
                **Lock(lock.mode, _DAY).of(b"probe"),
            )  # fmt: skip
        except Misconfigured as fault:
            if fault.code != "remote-request-refused":
                raise
            raise Misconfigured("remote-lock-missing", remote=self._place.name) from None
        found = self._version(PROBE)
        if found is None or found.mode != lock.mode or found.until is None or found.until < soon:
            raise Misconfigured("remote-lock-broken", remote=self._place.name)
        return found

    def _try_to_delete(self, version: str) -> None:
        """What came of it is seen by looking, not by the answer."""
        try:
            self._call("delete_object", PROBE, VersionId=version)
        except (NotAllowed, Misconfigured):
            return

    def _may_delete_versions(self) -> bool:
        """Whether a refusal was the lock's and not that of missing rights."""
        try:
            self._call("delete_object", _NEVER, VersionId="null")
        except NotAllowed:
            return False
        return True

    # -- single calls ----------------------------------------------------------------------------------

    def _found(self, name: str) -> tuple[_Version, bool]:
        """The version that counts and whether a marker hides it. Raises NotFound."""
        found = self._version(name)
        if found is not None:
            return found, False
        behind = self._behind_marker(name)
        version = self._version(name, behind) if behind is not None else None
        if version is None:
            raise NotFound("remote-object-missing", remote=self._place.name, name=name)
        return version, True

    def _version(self, name: str, version: str = "") -> _Version | None:
        """The newest version of an object, or the one named; None when there is none."""
        more = {"VersionId": version} if version else {}
        told = self._call("head_object", name, absent=True, **more)
        if told is None:
            return None
        return _Version(
            str(told.get("VersionId", "null")), told.get("ObjectLockRetainUntilDate"),
            str(told.get("ObjectLockMode", "")),
        )  # fmt: skip

    def _behind_marker(self, name: str) -> str | None:
        """The newest version behind the delete marker that hides an object.

        None where there is no such thing, or where these credentials may not list versions.
        """
        key = self._place.prefix + name
        try:
            told = self._patience.with_(
                lambda _: self._client.list_object_versions(Bucket=self._place.bucket, Prefix=key)
            )
        except (NotAllowed, Misconfigured):
            return None
        if not any(one["Key"] == key and one.get("IsLatest") for one in told.get("DeleteMarkers", ())):
            return None
        versions = [one for one in told.get("Versions", ()) if one["Key"] == key]
        newest = max(versions, key=lambda one: one["LastModified"], default=None)
        return None if newest is None else str(newest["VersionId"])

    def _call(
        self,
        what: str,
        name: str,
        *,
        refused: str = "remote-access-refused",
        absent: bool = False,
        **more: Any,
    ) -> Any:
        """An answer of the server; None for what is `absent` where that may be."""
        ask = partial(getattr(self._client, what), Bucket=self._place.bucket, Key=self._place.prefix + name)

        def call(_: bool) -> Any:
            try:
                return ask(**more)
            except ClientError as fault:
                if absent and status_of(fault) in (404, 405):
                    return None
                raise

        return self._patience.with_(call, refused=refused)
