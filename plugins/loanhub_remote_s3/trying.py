"""Calls that are tried again while that can help, within a time; what fails for good, in our own words.

Nothing of what a server said is passed on but its code: an answer may quote the key it was asked with.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

from attrs import frozen
from botocore import exceptions as boto

from loanhub import Busy, LoanHubError, Misconfigured, NotAllowed

R = TypeVar("R")

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 8.0
"""Seconds. The pause doubles from one to the other; how much of it is waited is drawn by lot."""
LEAST: Final = 3
"""Tries, though a single one took all the time there was: large objects on slow lines."""

_LATER_STATUS: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, *range(520, 530)})
_LATER: Final = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.IncompleteReadError,
)
_CREDENTIALS: Final = frozenset(
    """
    InvalidAccessKeyId SignatureDoesNotMatch InvalidToken ExpiredToken TokenRefreshRequired InvalidSecurity
    AuthFailure UnrecognizedClientException InvalidClientTokenId 401
    """.split()
)
_REGION: Final = frozenset(
    "PermanentRedirect AuthorizationHeaderMalformed IllegalLocationConstraintException 301 307".split()
)
_FULL: Final = frozenset("QuotaExceeded XMinioStorageFull InsufficientStorage EntityTooLarge 507".split())
_SKEWED: Final = frozenset("RequestTimeTooSkewed RequestExpired RequestInTheFuture".split())
_MISUSED: Final = frozenset({"SecondLevelDomainForbidden", "InvalidRequest"})
"""Refusals with the status of a missing right that are about how one asks: OSS takes no path style."""
_LOT: Final = random.SystemRandom()


@frozen
class Patience:
    """How long calls to one remote are tried, in seconds."""

    remote: str
    seconds: float
    pause: Callable[[float], None] = time.sleep

    def with_(self, call: Callable[[bool], R], *, refused: str = "remote-access-refused") -> R:
        """What `call(again)` answers; `again` is False the first time and True after a failure in doubt.

        Raises NotAllowed (`refused` where the credentials are right and may not), Misconfigured, and
        Busy("remote-unreachable" or "remote-not-answering") when the time is over.
        """
        end, longest, tries = time.monotonic() + self.seconds, FIRST_PAUSE, 0
        while True:
            tries += 1
            try:
                return call(tries > 1)
            except (boto.BotoCoreError, boto.ClientError) as fault:
                error, later = in_words(fault, self.remote, refused), worth_trying(fault)
            pause = _LOT.uniform(0, longest)
            if not later or (time.monotonic() + pause > end and tries >= LEAST):
                raise error
            self.pause(pause)
            longest = min(longest * 2, LONGEST_PAUSE)


def status_of(fault: boto.ClientError) -> int:
    """The status of the answer; 0 if there was none."""
    return int(fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def code_of(fault: boto.ClientError) -> str:
    """What the server calls it (the status as text for a HEAD, which has no words)."""
    return str(fault.response.get("Error", {}).get("Code", ""))


def worth_trying(fault: boto.BotoCoreError | boto.ClientError) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(fault, boto.ClientError):
        return status_of(fault) in _LATER_STATUS and code_of(fault) not in _FULL
    return isinstance(fault, _LATER) and not _untrusted(fault)


def in_words(fault: boto.BotoCoreError | boto.ClientError, remote: str, refused: str) -> LoanHubError:
    """What a failure is called here."""
    if isinstance(fault, boto.ClientError):
        return _refusal(fault, remote, refused)
    kind = type(fault).__name__
    if _untrusted(fault):
        return Misconfigured("remote-certificate-unknown", remote=remote)
    if isinstance(fault, _LATER):
        return Busy("remote-unreachable", remote=remote, what=kind)
    if "Credential" in kind or "Token" in kind:
        return Misconfigured("remote-credentials-missing")
    return Misconfigured("remote-request-refused", remote=remote, what=kind)


def _refusal(fault: boto.ClientError, remote: str, refused: str) -> LoanHubError:
    code, status = code_of(fault), status_of(fault)
    if code == "NoSuchBucket":
        return Misconfigured("remote-bucket-missing", remote=remote)
    if code in _CREDENTIALS:
        return NotAllowed("remote-credentials-refused", remote=remote)
    if code in _SKEWED:
        return Misconfigured("remote-clock-wrong", remote=remote, minutes=_minutes_off(fault))
    if code in _REGION:
        return Misconfigured("remote-region-wrong", remote=remote)
    if code in _FULL:
        return Busy("remote-full", remote=remote)
    if status == 403 and code not in _MISUSED:
        return NotAllowed(refused, remote=remote)
    if status in _LATER_STATUS:
        return Busy("remote-not-answering", remote=remote, status=status)
    return Misconfigured("remote-request-refused", remote=remote, what=code or status)


def _minutes_off(fault: boto.ClientError) -> object:
    """Minutes between our clock and the server's, by the date of its answer."""
    headers: dict[str, Any] = fault.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        theirs = parsedate_to_datetime(str(headers.get("date")))
    except ValueError:
        return "?"
    return round(abs(datetime.now(UTC) - theirs).total_seconds() / 60)


def _untrusted(fault: Exception) -> bool:
    return isinstance(fault, boto.SSLError) and "certificate" in str(fault).lower()
