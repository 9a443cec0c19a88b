"""The KMS slot: a key service locks the master key, and opens it for whoever holds the machine's credentials.

Nobody has to type anything, and nothing secret lies on the disk: the service decides, and writes down, who
opens. What is locked is bound to its home, slot and kind by an encryption context.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from loanhub import Busy, Damaged, Misconfigured, NotAllowed, Secret, SlotKind, SlotPlace, Wrapped

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND: Final = "kms"
KNOWN: Final = ("key", "region", "endpoint")
_MASTER_BYTES: Final = 32
_REFUSED: Final = (
    "AccessDeniedException",
    "InvalidCiphertextException",
    "IncorrectKeyException",
)
_NO_KEY: Final = ("NotFoundException", "DisabledException", "KMSInvalidStateException", "ValidationException")


def _wrap(master: Secret, secret: Secret, place: SlotPlace, parameters: Mapping[str, Any]) -> Wrapped:  # noqa: ARG001
    told = _told(parameters, place)
    answer = _asked("encrypt", told, place, KeyId=told["key"], Plaintext=master.reveal())
    return Wrapped(b"", told, answer["CiphertextBlob"])


def _unwrap(wrapped: Wrapped, secret: Secret, place: SlotPlace) -> Secret:  # noqa: ARG001
    told = _told(wrapped.parameters, place)
    answer = _asked("decrypt", told, place, KeyId=told["key"], CiphertextBlob=wrapped.key)
    if len(answer["Plaintext"]) != _MASTER_BYTES:
        raise Damaged("keyring-slot-damaged", slot=place.slot)
    return Secret(answer["Plaintext"])


def _accepts(secret: Secret) -> bool:
    """Nothing is said: the machine's own credentials count."""
    return secret.text() is None and len(secret) == 0


KMS_SLOT: Final = SlotKind(KIND, _wrap, _unwrap, _accepts)


def _told(parameters: Mapping[str, Any], place: SlotPlace) -> dict[str, str]:
    unknown = sorted(set(parameters) - set(KNOWN))
    if unknown:
        raise Misconfigured("keyring-unknown-field", field=f"slots.{place.slot}.{unknown[0]}"[:80])
    told = {name: parameters.get(name, "") for name in KNOWN}
    if not told["key"] or not all(isinstance(text, str) for text in told.values()):
        raise Misconfigured("kms-key-needed")
    return {name: text for name, text in told.items() if text}


def _asked(call: str, told: Mapping[str, str], place: SlotPlace, **what: Any) -> Mapping[str, Any]:
    """Raises NotAllowed `kms-refused`, Misconfigured `kms-no-key` and `kms-place-wrong`, Busy `kms-away`."""
    from botocore.exceptions import BotoCoreError, ClientError, InvalidRegionError, NoRegionError

    context = {"loanhub-home": place.home, "loanhub-slot": place.slot, "loanhub-kind": place.kind}
    try:
        answer: Mapping[str, Any] = getattr(_client(told), call)(EncryptionContext=context, **what)
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code in _REFUSED:
            raise NotAllowed("kms-refused") from None
        if code in _NO_KEY:
            raise Misconfigured("kms-no-key") from None
        raise Busy("kms-away") from None
    except (NoRegionError, InvalidRegionError, ValueError):  # ValueError: an endpoint that is none
        raise Misconfigured("kms-place-wrong") from None
    except BotoCoreError:
        raise Busy("kms-away") from None
    return answer


def _client(told: Mapping[str, str]) -> Any:
    import boto3
    from botocore.config import Config

    patience = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "max_attempts": 3})
    region = told.get("region") or None
    return boto3.client("kms", region_name=region, endpoint_url=told.get("endpoint") or None, config=patience)
