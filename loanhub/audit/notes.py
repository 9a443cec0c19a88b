"""Checkpoints of the log as signed notes, the text form that other people's tools read and check.

C2SP tlog-checkpoint and signed-note: origin, number of lines, root in base64; a blank line; then a signature
line of the key's name and base64 of (4 bytes of the key's hash || Ed25519 signature over the text).
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode, b64encode
from binascii import Error

from attrs import frozen

from loanhub.errors import Damaged
from loanhub.keys import Secret, public_key, sign, signed_by

ED25519 = b"\x01"
_NOTE = re.compile(
    r"([^\n]+)\n(0|[1-9]\d{0,18})\n([A-Za-z0-9+/]{43}=)\n\n\u2014 ([^ \n]+) ([A-Za-z0-9+/]+=*)\n"
)


@frozen
class Checkpoint:
    """So many lines had this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def signed_note(checkpoint: Checkpoint, signing_key: Secret) -> str:
    """The note of a checkpoint; the key's name is the origin."""
    key = public_key(signing_key)
    signature = sign(signing_key, checkpoint.text.encode())
    sealed = b64encode(key_hash(checkpoint.origin, key) + signature).decode()
    return f"{checkpoint.text}\n\u2014 {checkpoint.origin} {sealed}\n"


def read_note(note: str, public: bytes) -> Checkpoint:
    """The checkpoint of a note. Raises Damaged("checkpoint-damaged") unless that key signed it."""
    found = _NOTE.fullmatch(note)
    if found is None:
        raise Damaged("checkpoint-damaged")
    origin, size, root, name, sealed = found.groups()
    try:
        checkpoint, signature = (
            Checkpoint(origin, int(size), b64decode(root)),
            b64decode(sealed, validate=True),
        )
    except Error:
        raise Damaged("checkpoint-damaged") from None
    fits = name == origin and signature[:4] == key_hash(origin, public)
    if not fits or not signed_by(public, checkpoint.text.encode(), signature[4:]):
        raise Damaged("checkpoint-damaged")
    return checkpoint


def verifier_key(origin: str, public: bytes) -> str:
    """The key as tools for signed notes take it: name, hash, type and key."""
    return f"{origin}+{key_hash(origin, public).hex()}+{b64encode(ED25519 + public).decode()}"


def key_hash(name: str, public: bytes) -> bytes:
    """The first 4 bytes of SHA-256(name || newline || type || key)."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]
