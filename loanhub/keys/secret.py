"""A value that must not be shown, and the binding of a sealed value to its place."""

from __future__ import annotations

import hmac
from typing import Final, NoReturn

SHOWN: Final = "***"


class Secret:
    """A passphrase, key or other secret; shows itself as `***` and refuses to be pickled.

    Text is kept as text, because only text can be a passphrase. Two secrets compare in constant time.
    """

    __slots__ = ("_value",)

    _value: bytes | str

    def __init__(self, value: bytes | str) -> None:
        object.__setattr__(self, "_value", value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(name)

    def reveal(self) -> bytes:
        """The bytes; text as UTF-8, and never an error that would show it."""
        return self._value.encode("utf-8", "surrogatepass") if isinstance(self._value, str) else self._value

    def text(self) -> str | None:
        """The text, or None when the secret is bytes."""
        return self._value if isinstance(self._value, str) else None

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(SHOWN, spec)

    def __len__(self) -> int:
        return len(self.reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.reveal(), other.reveal())

    __hash__ = None  # type: ignore[assignment]  # a secret is no key of a dict: dicts get printed

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled")


def secret_of(value: Secret | bytes | str) -> Secret:
    """`value` as a Secret."""
    return value if isinstance(value, Secret) else Secret(value)


def bind(*parts: str | int | bytes) -> bytes:
    """Associated data for a place, such as `bind("customer", "resident_id", 7)`, that reads only one way.

    Each part is preceded by its length in 4 bytes; text is UTF-8, whole numbers are decimal text.
    """
    encoded = (part if isinstance(part, bytes) else str(part).encode("utf-8") for part in parts)
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def plain_word(name: str) -> str:
    """A name out of a file or a call, fit to stand in an error: ASCII, no control characters, 40 at most."""
    return ascii(name)[1:-1][:40]
