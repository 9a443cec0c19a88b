"""Where a bucket is and how to speak with it: the address, the settings, and the client made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
from attrs import frozen

from loanhub import Misconfigured

if TYPE_CHECKING:
    from botocore.client import BaseClient
    from botocore.loaders import Loader

REGION: Final = "us-east-1"
"""Said to servers of one's own, which have no regions."""

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"[A-Za-z0-9._/-]*")
_HERE: Final = ("127.0.0.1", "localhost", "::1")
"""No proxy leads to these, though the environment names one."""
_CHOICES: Final = {
    "addressing": ("auto", "path", "virtual"),
    "signature": ("s3v4", "s3"),
    "lock_mode": ("governance", "compliance"),
}
_LONGEST_LOCK: Final = 3653
"""Days. Nobody can take back a lock in mode compliance: ten years are enough to regret."""
_CONDITION: Final = "if-none-match"


@frozen
class Dialect:
    """What a provider does its own way."""

    addressing: str
    condition: str = _CONDITION
    """The header of a put that says: only if nothing has this name."""


DIALECTS: Final = {
    "aliyuncs.com": Dialect("virtual", "x-oss-forbid-overwrite"),
    "myqcloud.com": Dialect("virtual", "x-cos-forbid-overwrite"),
    "myhuaweicloud.com": Dialect("virtual"),
}
"""By the end of the endpoint's name. Whether the header holds what it promises, the probe finds out."""


@frozen
class Place:
    """A bucket, and the beginning of the keys of all objects in it ("" or ending in a slash)."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, address: str) -> Place:
        """The place of `s3://bucket/prefix`. An address with anything like a key in it is not repeated."""
        if "@" in address or "?" in address:
            raise Misconfigured("remote-address-secret")
        scheme, _, rest = address.partition("://")
        bucket, _, prefix = rest.partition("/")
        prefix = prefix.strip("/")
        if (
            scheme.lower() != "s3"
            or not _BUCKET.fullmatch(bucket)
            or not _PREFIX.fullmatch(prefix)
            or "//" in prefix
        ):
            raise Misconfigured("remote-address-unclear", address=address)
        return cls(bucket, f"{prefix}/" if prefix else "")

    @property
    def name(self) -> str:
        """The address."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


@frozen
class Wishes:
    """The settings of one remote; for an empty one boto3 looks in AWS_ variables and in ~/.aws."""

    endpoint: str = ""
    region: str = ""
    addressing: str = ""
    condition: str = ""
    signature: str = ""
    credentials: str = ""
    profile: str = ""
    access_key: str = attrs.field(default="", repr=False)
    secret_key: str = attrs.field(default="", repr=False)
    session_token: str = attrs.field(default="", repr=False)
    patience: float = 60.0
    timeout: float = 60.0
    lock_days: int = 0
    lock_mode: str = ""

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Wishes:
        """The settings by name; unknown names and values of another type are refused."""
        known = {one.name: one for one in attrs.fields(cls)}
        for name, value in settings.items():
            if name not in known:
                raise Misconfigured("remote-setting-unknown", setting=name, known=", ".join(sorted(known)))
            if not _fits(value, known[name].default):
                raise Misconfigured("remote-setting-wrong", setting=name)
        wishes = cls(**settings)
        for name, choices in _CHOICES.items():
            if (chosen := getattr(wishes, name)) and chosen not in choices:
                raise Misconfigured("remote-setting-wrong", setting=name)
        if bool(wishes.access_key) != bool(wishes.secret_key):
            raise Misconfigured("remote-credentials-missing")
        return wishes


def _fits(value: object, default: object) -> bool:
    match default:
        case int():
            return type(value) is int and 0 <= value <= _LONGEST_LOCK
        case float():
            return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return isinstance(value, str)


def client(wishes: Wishes) -> BaseClient:
    """A client of boto3 that tries each call once: how often and how long is ours to say (`patience`)."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    core = Session(profile=wishes.profile or None)
    core.register_component("data_loader", _loader())
    if wishes.credentials:
        if not Path(wishes.credentials).expanduser().is_file():
            raise Misconfigured("remote-credentials-missing")
        core.set_config_variable("credentials_file", str(Path(wishes.credentials).expanduser()))
    try:
        endpoint = _endpoint(wishes.endpoint or core.get_config_variable("endpoint_url") or "")
        dialect = dialect_of(endpoint)
        made = boto3.Session(botocore_session=core).client(
            "s3",
            endpoint_url=endpoint or None,
            region_name=wishes.region or core.get_config_variable("region") or REGION,
            aws_access_key_id=wishes.access_key or None,
            aws_secret_access_key=wishes.secret_key or None,
            aws_session_token=wishes.session_token or None,
            config=Config(
                connect_timeout=min(wishes.timeout, 10.0),
                read_timeout=wishes.timeout,
                retries={"total_max_attempts": 1},
                max_pool_connections=32,
                signature_version=wishes.signature or None,
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                s3={"addressing_style": wishes.addressing or dialect.addressing},
                proxies={} if urlsplit(endpoint).hostname in _HERE else None,
            ),
        )
    except BotoCoreError as fault:
        raise _misconfigured(fault) from None
    condition = wishes.condition.lower() or dialect.condition
    if condition != _CONDITION:
        made.meta.events.register("before-call.s3.PutObject", _Condition(condition).put)
    return made


@cache
def _loader() -> Loader:
    """One reader of boto3's descriptions of services for all clients: they are large."""
    from botocore.loaders import create_loader

    return create_loader()


def _endpoint(url: str) -> str:
    if not url:
        return ""
    place = urlsplit(url)
    if place.username or place.password or place.query:
        raise Misconfigured("remote-address-secret")
    if place.scheme not in ("http", "https") or not place.hostname:
        raise Misconfigured("remote-endpoint-unclear", endpoint=url)
    return url


def dialect_of(endpoint: str) -> Dialect:
    """How the provider at this endpoint ("": AWS) is spoken to."""
    host = urlsplit(endpoint).hostname or ""
    own = (kept for end, kept in DIALECTS.items() if host == end or host.endswith(f".{end}"))
    return next(own, Dialect("path" if endpoint and not host.endswith(".amazonaws.com") else "auto"))


@frozen
class _Condition:
    """Says the condition of a put in the words of the provider."""

    header: str

    def put(self, params: dict[str, Any], **_: object) -> None:
        if params["headers"].pop("If-None-Match", None):
            params["headers"][self.header] = "true"


def _misconfigured(fault: Exception) -> Misconfigured:
    kind = type(fault).__name__
    if "Profile" in kind or "Credential" in kind or "Config" in kind:
        return Misconfigured("remote-credentials-missing")
    return Misconfigured("remote-request-refused", remote="s3", what=kind)
