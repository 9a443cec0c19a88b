"""The keyring file as a value: read strictly, written the same way every time. Nothing in it is secret.

docs/keys.md section 2 is the format.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

from attrs import evolve, frozen

from loanhub.errors import Damaged, Misconfigured
from loanhub.keys.secret import plain_word
from loanhub.keys.slots import Wrapped
from loanhub.keys.suites import suite_of

FORMAT: Final = "loanhub-keyring"
VERSION: Final = 1
SUM_BYTES: Final = 8
_HOME: Final = re.compile(r"[0-9a-f]{32}")
_SLOT_ID: Final = re.compile(r"[0-9a-f]{8}")
_KIND: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_CHECK: Final = re.compile(r"[0-9a-f]{16}")
_MAC: Final = re.compile(r"[0-9a-f]{64}")
PURPOSE: Final = _KIND

_SLOT_FIELDS: Final = ("id", "kind", "label", "created", "salt", "parameters", "wrapped", "sum")
_EPOCH_FIELDS: Final = ("number", "suite", "created", "wrapped", "checks")
_FIELDS: Final = ("format", "version", "revision", "home", "suite", "created", "recovery_proven", "purposes",
                  "slots", "epochs", "mac")  # fmt: skip


@frozen
class Slot:
    """One lock of the master key; `label` is the institution's own word for it."""

    id: str
    kind: str
    label: str
    created: str
    wrapped: Wrapped


@frozen
class DamagedSlot:
    """A slot that is not what was written; kept as it is, because somebody may still mend it."""

    id: str
    raw: object


@frozen
class Epoch:
    """One generation of keys; `checks` tells the key of each purpose from any other."""

    number: int
    suite: int
    created: str
    wrapped: bytes
    checks: Mapping[str, str]


@frozen
class Document:
    """A keyring as it stands in its file, readable without any secret."""

    home: str
    suite: int
    created: str
    purposes: tuple[str, ...]
    slots: tuple[Slot | DamagedSlot, ...]
    epochs: tuple[Epoch, ...]
    recovery_proven: str | None = None
    revision: int = 0
    mac: str = ""

    @property
    def whole_slots(self) -> tuple[Slot, ...]:
        """The slots that can be tried."""
        return tuple(slot for slot in self.slots if isinstance(slot, Slot))

    def owner_of(self, check: bytes) -> tuple[str, int] | None:
        """The (purpose, epoch) a key check belongs to; None: another home's key, or an undeclared purpose."""
        wanted = check.hex()
        for epoch in self.epochs:
            for name, known in epoch.checks.items():
                if known == wanted:
                    return name, epoch.number
        return None

    def without_mac(self) -> bytes:
        """What the MAC covers: everything but the slots and itself."""
        fields = _fields_of(self)
        del fields["slots"], fields["mac"]
        return _canonical(fields)

    def to_bytes(self) -> bytes:
        """The file."""
        return json.dumps(_fields_of(self), ensure_ascii=False, indent=2).encode("utf-8") + b"\n"

    def with_mac(self, mac: bytes) -> Document:
        """The same with that MAC."""
        return evolve(self, mac=mac.hex())


def read_document(content: bytes) -> Document:
    """The keyring in a file's bytes.

    Raises Damaged `keyring-damaged`; Misconfigured `keyring-unknown-field`, `keyring-newer-version`,
    `suite-unknown`. A damaged slot is no error.
    """
    try:
        fields = json.loads(content.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        _damaged()
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        _damaged()
    version = _number(fields.get("version"))
    if version != VERSION:
        raise Misconfigured("keyring-newer-version", version=version, known=VERSION)
    _exactly(fields, _FIELDS, "")
    proven = fields["recovery_proven"]
    return Document(
        home=_text(fields["home"], _HOME),
        suite=suite_of(_number(fields["suite"])).number,
        created=_text(fields["created"], _TIME),
        purposes=_purposes(fields["purposes"]),
        slots=tuple(_slot(raw) for raw in _list(fields["slots"])),
        epochs=_epochs(fields["epochs"]),
        recovery_proven=None if proven is None else _text(proven, _DAY),
        revision=_number(fields["revision"]),
        mac=_text(fields["mac"], _MAC),
    )


def _purposes(raw: object) -> tuple[str, ...]:
    names = tuple(_text(name, PURPOSE) for name in _list(raw))
    if list(names) != sorted(set(names)):
        _damaged()
    return names


def _epochs(raw: object) -> tuple[Epoch, ...]:
    epochs = tuple(_epoch(entry) for entry in _list(raw))
    numbers = [epoch.number for epoch in epochs]
    if not numbers or numbers != sorted(set(numbers)):
        _damaged()
    return epochs


def _epoch(raw: object) -> Epoch:
    if not isinstance(raw, dict):
        _damaged()
    _exactly(raw, _EPOCH_FIELDS, "epochs.")
    checks = raw["checks"]
    if not isinstance(checks, dict):
        _damaged()
    return Epoch(
        number=_number(raw["number"], least=1),
        suite=suite_of(_number(raw["suite"])).number,
        created=_text(raw["created"], _TIME),
        wrapped=_hex(raw["wrapped"]),
        checks={_text(name, PURPOSE): _text(check, _CHECK) for name, check in checks.items()},
    )


def _slot(raw: object) -> Slot | DamagedSlot:
    """A slot; only one whose sum is right may be refused for a field this program does not know."""
    if not isinstance(raw, dict) or raw.get("sum") != _sum(raw):
        return DamagedSlot(_slot_id(raw), raw)
    _none_unknown(raw, _SLOT_FIELDS, "slots.")
    try:
        _exactly(raw, _SLOT_FIELDS, "slots.")
        return Slot(
            id=_text(raw["id"], _SLOT_ID),
            kind=_text(raw["kind"], _KIND),
            label=_text(raw["label"]),
            created=_text(raw["created"], _TIME),
            wrapped=Wrapped(_hex(raw["salt"]), _parameters(raw["parameters"]), _hex(raw["wrapped"])),
        )
    except Damaged:
        return DamagedSlot(_slot_id(raw), raw)


def _slot_id(raw: object) -> str:
    found = raw.get("id") if isinstance(raw, dict) else None
    return found if isinstance(found, str) and _SLOT_ID.fullmatch(found) else "?"


def _parameters(raw: object) -> dict[str, int | str]:
    if not isinstance(raw, dict):
        _damaged()
    for value in raw.values():
        if not isinstance(value, int | str) or isinstance(value, bool):
            _damaged()
    return raw


def _fields_of(document: Document) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "revision": document.revision,
        "home": document.home,
        "suite": document.suite,
        "created": document.created,
        "recovery_proven": document.recovery_proven,
        "purposes": list(document.purposes),
        "slots": [_slot_fields(slot) for slot in document.slots],
        "epochs": [
            {
                "number": epoch.number,
                "suite": epoch.suite,
                "created": epoch.created,
                "wrapped": epoch.wrapped.hex(),
                "checks": dict(sorted(epoch.checks.items())),
            }
            for epoch in document.epochs
        ],
        "mac": document.mac,
    }


def _slot_fields(slot: Slot | DamagedSlot) -> object:
    if isinstance(slot, DamagedSlot):
        return slot.raw
    fields: dict[str, object] = {
        "id": slot.id,
        "kind": slot.kind,
        "label": slot.label,
        "created": slot.created,
        "salt": slot.wrapped.salt.hex(),
        "parameters": dict(slot.wrapped.parameters),
        "wrapped": slot.wrapped.key.hex(),
    }
    return {**fields, "sum": _sum(fields)}


def _sum(fields: Mapping[str, object]) -> str:
    counted = {name: value for name, value in fields.items() if name != "sum"}
    return hashlib.sha256(_canonical(counted)).digest()[:SUM_BYTES].hex()


def _canonical(fields: Mapping[str, object]) -> bytes:
    # A lone surrogate can come out of a JSON escape; it must give a wrong sum, not a crash.
    text = json.dumps(fields, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def _exactly(fields: Mapping[str, object], known: Iterable[str], where: str) -> None:
    _none_unknown(fields, known, where)
    if set(known) - set(fields):
        _damaged()


def _none_unknown(fields: Mapping[str, object], known: Iterable[str], where: str) -> None:
    for name in sorted(set(fields) - set(known)):
        raise Misconfigured("keyring-unknown-field", field=where + plain_word(name))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError
    return fields


def _number(raw: object, least: int = 0) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not least <= raw < 2**32:
        _damaged()
    return raw


def _text(raw: object, shape: re.Pattern[str] | None = None) -> str:
    if not isinstance(raw, str) or (shape is not None and not shape.fullmatch(raw)):
        _damaged()
    return raw


def _hex(raw: object) -> bytes:
    text = _text(raw)
    try:
        found = bytes.fromhex(text)
    except ValueError:
        _damaged()
    if found.hex() != text:
        _damaged()
    return found


def _list(raw: object) -> list[object]:
    if not isinstance(raw, list):
        _damaged()
    return raw


def _damaged() -> NoReturn:
    raise Damaged("keyring-damaged")
