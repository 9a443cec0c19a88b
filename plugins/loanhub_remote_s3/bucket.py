"""A remote that is a bucket (or a part of one) of object storage.

An object is one plain put: a vault's largest is 32 MiB, so an upload resumes at whole objects and needs
no multipart. A put carries the condition that nothing has its name; a storage that does not keep it is
found by `probe`, and then the name is looked for first, which is safe for one writer only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from attrs import define, field
from botocore.exceptions import ClientError, ParamValidationError

from loanhub import Capabilities, Misconfigured, NotAllowed, NotFound, Stored, remote_name
from loanhub_remote_s3.holding import Lock, S3Holding
from loanhub_remote_s3.opening import Place
from loanhub_remote_s3.trying import Patience, code_of, status_of

if TYPE_CHECKING:
    from botocore.client import BaseClient

R = TypeVar("R")

PROBE: Final = "probe"
"""Never deleted, so that a probe says the truth while others probe."""
_NEVER: Final = "probe-of-deleting"
_UNDER_WAY: Final = frozenset({"ConditionalRequestConflict", "OperationAborted"})


@define
class S3Remote:
    """Object storage by way of a client of boto3."""

    _place: Place
    _client: BaseClient = field(repr=False)
    _patience_seconds: float
    _lock: Lock | None = None
    capabilities: Capabilities | None = field(default=None, init=False)
    _found: bool = field(default=False, init=False, repr=False)

    @property
    def name(self) -> str:
        """The address."""
        return self._place.name

    @property
    def holding(self) -> S3Holding:
        """Its object lock, as `loanhub.Holding`."""
        patience = Patience(self.name, self._patience_seconds)
        return S3Holding(self._place, self._client, patience, self._lock)

    # -- objects ---------------------------------------------------------------------------------------

    def put_new(self, name: str, data: bytes) -> bool:
        """As `Remote.put_new`. A lost acknowledgement is made good: what is there is compared with `data`."""
        key = self._key(name)
        if self.capabilities is None or self.capabilities.conditional_put:
            return self._patiently(partial(self._put_new, name, key, data))
        if self.size(name) is not None:
            return False
        self._patiently(lambda _: self._put(key, data))
        return True

    def get(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """As `Remote.get`."""
        if length == 0:
            if self.size(name) is None:
                raise self._missing(name)
            return b""
        return self._patiently(partial(self._get, name, self._key(name), start, length))

    def size(self, name: str) -> int | None:
        """As `Remote.size`."""
        key = self._key(name)
        try:
            told = self._patiently(lambda _: self._unless(404, self._client.head_object, Key=key))
        except NotAllowed:
            self._find_bucket()  # the answer to a HEAD has no words: ask what is wrong
            raise
        if told is None and not self._found:  # nor does it say which is missing, object or bucket
            self._find_bucket()
        return None if told is None else int(told["ContentLength"])

    def list(self, prefix: str) -> Iterator[Stored]:
        """As `Remote.list`; keys that no object of ours can have are left out."""
        asked: dict[str, Any] = {"Bucket": self._place.bucket, "Prefix": self._place.prefix + prefix}
        while True:
            page = self._patiently(lambda _: self._client.list_objects_v2(**asked))
            for one in page.get("Contents", ()):
                name = one["Key"].removeprefix(self._place.prefix)
                if _ours(name):
                    yield Stored(name, int(one["Size"]), one.get("LastModified"))
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def delete(self, name: str) -> None:
        """As `Remote.delete`. Where versions are kept the storage keeps this one too."""
        self._delete(self._key(name))

    # -- what it can do --------------------------------------------------------------------------------

    def probe(self) -> Capabilities:
        """As `Remote.probe`: about eight small calls. Raises what a missing bucket or wrong key is called.

        Where objects are to be locked, the lock is tried too: as `S3Holding.prove`.
        """
        self._find_bucket()
        try:
            conditional = self._keeps_conditions()
        except NotAllowed:
            able = Capabilities(False, False, False, False, False, ("remote-read-only",))
        else:
            able = Capabilities(
                conditional,
                self._told("get_bucket_versioning", "Status"),
                self._lock is not None
                or self._told(
                    "get_object_lock_configuration", "ObjectLockConfiguration", "ObjectLockEnabled"
                ),
                self._may(lambda: self._delete(self._key(_NEVER))),
                self._may(self._overwrite),
                (*self._lock_notes(), *(() if conditional else ("remote-ignores-conditions",))),
            )
        self.capabilities = able
        return able

    def _keeps_conditions(self) -> bool:
        """Whether of two puts of one name the second is refused; the first, where the object was left."""
        put = partial(self._put_new, PROBE, self._key(PROBE), b"probe")
        try:
            return not self._patiently(lambda _: put(False)) or not self._patiently(lambda _: put(False))
        except Misconfigured as fault:
            if fault.code != "remote-request-refused":
                raise
            return False

    def _lock_notes(self) -> tuple[str, ...]:
        return () if self._lock is None else self.holding.prove()

    def _overwrite(self) -> None:
        key = self._key(PROBE)
        self._patiently(lambda _: self._put(key, b"probe"))

    def _told(self, question: str, *path: str) -> bool:
        """Whether the storage answers "Enabled"; servers without the feature refuse in many ways."""
        try:
            answer: Any = self._patiently(
                lambda _: getattr(self._client, question)(Bucket=self._place.bucket)
            )
        except (Misconfigured, NotAllowed):
            return False
        for key in path:
            answer = answer.get(key, {})
        return bool(answer == "Enabled")

    def _may(self, call: Callable[[], object]) -> bool:
        try:
            call()
        except NotAllowed:
            return False
        return True

    def _find_bucket(self) -> None:
        self._patiently(lambda _: self._client.list_objects_v2(Bucket=self._place.bucket, MaxKeys=1))
        self._found = True

    # -- single calls ----------------------------------------------------------------------------------

    def _put_new(self, name: str, key: str, data: bytes, again: bool) -> bool:
        try:
            self._put(key, data, IfNoneMatch="*")
        except ClientError as fault:
            if not self._says_taken(fault, name):
                raise
            return again and self._is(name, data)
        return True

    def _put(self, key: str, data: bytes, **condition: str) -> None:
        """The probe's object is never locked: each probe writes it anew."""
        locked = self._lock.of(data) if self._lock and key != self._key(PROBE) else {}
        self._client.put_object(Bucket=self._place.bucket, Key=key, Body=data, **locked, **condition)

    def _says_taken(self, fault: ClientError, name: str) -> bool:
        """Whether a put was refused for its name: 412, or 409 by providers with a header of their own.

        AWS says 409 while another put or a delete of the name is under way: then it is tried again.
        """
        if status_of(fault) == 409 and code_of(fault) not in _UNDER_WAY:
            return self.size(name) is not None
        return status_of(fault) == 412

    def _is(self, name: str, data: bytes) -> bool:
        """Whether this object was stored by an earlier try of ours, which was not told so."""
        try:
            return self.size(name) == len(data) and self.get(name) == data
        except NotFound:
            return False

    def _get(self, name: str, key: str, start: int, length: int | None, again: bool) -> bytes:
        del again
        part = "" if length is None else start + length - 1
        asked = {"Range": f"bytes={start}-{part}"} if start or length is not None else {}
        try:
            answer = self._client.get_object(Bucket=self._place.bucket, Key=key, **asked)
        except ClientError as fault:
            if code_of(fault) in ("NoSuchKey", "404"):
                raise self._missing(name) from None
            if status_of(fault) == 416:  # it begins behind the end
                return b""
            raise
        with closing(answer["Body"]) as body:
            data: bytes = body.read()
        if asked and "ContentRange" not in answer:  # a server may answer with the whole of it
            return data[start : None if length is None else start + length]
        return data

    def _delete(self, key: str) -> None:
        self._patiently(
            lambda _: self._unless(404, self._client.delete_object, Key=key), refused="remote-delete-refused"
        )

    def _unless(self, status: int, call: Callable[..., Any], **asked: str) -> Any:
        try:
            return call(Bucket=self._place.bucket, **asked)
        except ClientError as fault:
            if status_of(fault) == status and code_of(fault) != "NoSuchBucket":
                return None
            raise

    def _patiently(self, call: Callable[[bool], R], **more: str) -> R:
        try:
            return Patience(self.name, self._patience_seconds).with_(call, **more)
        except ParamValidationError:
            raise Misconfigured("remote-address-unclear", address=self.name) from None

    def _key(self, name: str) -> str:
        return self._place.prefix + remote_name(name)

    def _missing(self, name: str) -> NotFound:
        return NotFound("remote-object-missing", remote=self.name, name=name)


def _ours(name: str) -> bool:
    try:
        return bool(remote_name(name))
    except ValueError:
        return False
