"""The keyring of a home: opens with any of its slots, derives every key, and keeps the old ones.

docs/keys.md is the format and says what is protected.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from attrs import evolve

from loanhub.errors import Damaged, Misconfigured, NotFound, Stale, Usage
from loanhub.keys.document import DamagedSlot, Document, Epoch, Slot, read_document
from loanhub.keys.kinds import BUILT_IN_SLOTS
from loanhub.keys.place import Place, file_place
from loanhub.keys.purposes import PURPOSES, PurposeKey, derive_purpose
from loanhub.keys.recovery import new_recovery_key
from loanhub.keys.secret import Secret, plain_word, secret_of
from loanhub.keys.slots import NOTHING, Parameters, SlotPlace
from loanhub.keys.suites import DEFAULT_SUITE, KEY_BYTES, usable_suite
from loanhub.keys.unlock import Kinds, Opened, epoch_lock, mac_of, open_epochs, unlock
from loanhub.keys.values import SealKey, seal

Now = Callable[[], datetime]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Keyring:
    """An open keyring. Made by `create` and `open`; every change is written before the method returns."""

    def __init__(self, place: Place, document: Document, opened: Opened, kinds: Kinds, now: Now) -> None:
        self._place = place
        self._document = document
        self._opened = opened
        self._kinds = kinds
        self._now = now
        self._derived: dict[tuple[str, int], PurposeKey] = {}

    # Opening --------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: Path | Place,
        secret: Secret | bytes | str,
        *,
        kind: str = "passphrase",
        label: str = "",
        parameters: Parameters = NOTHING,
        suite: int = DEFAULT_SUITE,
        kinds: Kinds = BUILT_IN_SLOTS,
        now: Now = _utc_now,
    ) -> tuple[Keyring, Secret]:
        """A new keyring with a slot for `secret` and one for a recovery key, whose `.text()` gets printed.

        Raises Usage `keyring-exists`, Misconfigured `suite-unknown` or `suite-missing`.
        """
        place = path if isinstance(path, Place) else file_place(path)
        if place.read() is not None:
            raise Usage("keyring-exists")
        number = usable_suite(suite).number
        empty = Document(os.urandom(16).hex(), number, _stamp(now()), PURPOSES, (), ())
        made = cls(place, empty, Opened(Secret(os.urandom(KEY_BYTES)), {}), kinds, now)
        recovery = new_recovery_key()
        slots = (
            made._new_slot(kind, secret_of(secret), label, parameters),
            made._new_slot("recovery", recovery, "", NOTHING),
        )
        epoch, key = made._new_epoch(1, number)
        made._save(evolve(empty, slots=slots, epochs=(epoch,)))
        made._opened = evolve(made._opened, epochs={1: key})
        return made, recovery

    @classmethod
    def open(
        cls,
        path: Path | Place,
        secret: Secret | bytes | str,
        *,
        kind: str | None = None,
        kinds: Kinds = BUILT_IN_SLOTS,
        now: Now = _utc_now,
    ) -> Keyring:
        """The keyring, opened by the first slot that `secret` fits; `kind` says how the secret is meant.

        Raises NotFound `keyring-missing`; NotAllowed `wrong-passphrase`, `wrong-recovery-key`,
        `wrong-key-file`, `wrong-private-key`, `wrong-secret-or-damaged-slot`, `keyring-no-such-slot`; Usage
        `recovery-key-mistyped`, `recovery-key-length`; Damaged `keyring-damaged`, `keyring-slot-damaged`;
        Misconfigured for what is unknown.
        """
        place = path if isinstance(path, Place) else file_place(path)
        document = _read(place)
        master = unlock(document, secret_of(secret), kind, kinds)
        return cls(place, document, open_epochs(document, master), kinds, now)

    @staticmethod
    def peek(path: Path | Place) -> Document:
        """What can be read without a secret: home id, slots, epochs, key checks, proven recovery."""
        return _read(path if isinstance(path, Place) else file_place(path))

    # Facts ----------------------------------------------------------------------------------------------

    @property
    def document(self) -> Document:
        """The keyring as it stands in its file."""
        return self._document

    @property
    def home(self) -> str:
        """The random id of the home, 32 hex digits; not secret."""
        return self._document.home

    @property
    def slots(self) -> tuple[Slot | DamagedSlot, ...]:
        """All slots, damaged ones too."""
        return self._document.slots

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """All epochs, oldest first; the last one is written with."""
        return self._document.epochs

    @property
    def current_epoch(self) -> int:
        """The number of the epoch that is written with."""
        return self._document.epochs[-1].number

    @property
    def recovery_proven(self) -> str | None:
        """The day on which somebody typed the recovery key back, as YYYY-MM-DD, or None."""
        return self._document.recovery_proven

    def __repr__(self) -> str:
        return f"Keyring(home={self.home}, revision={self._document.revision})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a keyring is not pickled")

    # Keys -----------------------------------------------------------------------------------------------

    def purpose(self, name: str, epoch: int | None = None) -> PurposeKey:
        """The key of a purpose ("database", "field", a plugin's own) in an epoch, by default the current.

        Raises NotFound `key-epoch-unknown`, Usage `purpose-name`.
        """
        number = self.current_epoch if epoch is None else epoch
        found = self._derived.get((name, number))
        if found is None:
            suite = self._suite_of_epoch(number)
            found = derive_purpose(self.home, name, number, suite, self._opened.epochs[number])
            self._derived[name, number] = found
        return found

    def seal_key(self, name: str, epoch: int | None = None) -> SealKey:
        """The sealing key of a purpose. Raises as `purpose`."""
        return self.purpose(name, epoch).seal_key

    def seal_keys(self, name: str) -> Callable[[int], SealKey]:
        """All sealing keys of a purpose by epoch: what `open_sealed` and `open_file` take for old and new."""
        return lambda epoch: self.seal_key(name, epoch)

    def owner_of(self, check: bytes) -> tuple[str, int] | None:
        """The (purpose, epoch) a key check belongs to; None: another home's key, or an undeclared purpose."""
        return self._document.owner_of(check)

    def _suite_of_epoch(self, number: int) -> int:
        for epoch in self.epochs:
            if epoch.number == number:
                return epoch.suite
        raise NotFound("key-epoch-unknown", epoch=number)

    def reload(self) -> None:
        """Takes over what somebody else changed meanwhile: new slots, and new epochs with their keys.

        Raises NotFound `keyring-missing`, Damaged `keyring-damaged` (also for another home's keyring).
        """
        document = _read(self._place)
        self._opened = open_epochs(document, self._opened.master)
        self._document = document
        self._derived.clear()

    # Changes --------------------------------------------------------------------------------------------

    def add_epoch(self, *, suite: int | None = None) -> int:
        """A new epoch, written with from now on; old ones still open what they sealed. Its number."""
        number = self.current_epoch + 1
        chosen = usable_suite(self.epochs[-1].suite if suite is None else suite).number
        epoch, key = self._new_epoch(number, chosen)
        self._save(evolve(self._document, epochs=(*self.epochs, epoch)))
        self._opened = evolve(self._opened, epochs={**self._opened.epochs, number: key})
        return number

    def declare(self, name: str) -> None:
        """Adds a plugin's purpose to those whose key checks stand in the file."""
        if name in self._document.purposes:
            return
        epochs = tuple(
            evolve(epoch, checks={**epoch.checks, name: self.purpose(name, epoch.number).check.hex()})
            for epoch in self.epochs
        )
        purposes = tuple(sorted((*self._document.purposes, name)))
        self._save(evolve(self._document, purposes=purposes, epochs=epochs))

    def add_slot(
        self,
        kind: str,
        secret: Secret | bytes | str,
        *,
        label: str = "",
        parameters: Parameters = NOTHING,
        kinds: Kinds | None = None,
    ) -> str:
        """Another way in; the slot's id. A new recovery slot is not proven yet. `kinds`: known from now on.

        Raises Misconfigured `slot-kind-unknown`, and what the kind raises.
        """
        self._kinds = {**self._kinds, **(kinds or {})}
        slot = self._new_slot(kind, secret_of(secret), label, parameters)
        self._save(self._with_slots((*self.slots, slot), unproven=kind == "recovery"))
        return slot.id

    def remove_slot(self, slot: str) -> None:
        """Takes a way in away. Raises NotFound `slot-unknown`, Usage `keyring-last-slot`."""
        gone = self._slot(slot)
        kept = tuple(other for other in self.slots if other.id != slot)
        if not any(isinstance(other, Slot) and other.kind in self._kinds for other in kept):
            raise Usage("keyring-last-slot")
        unproven = isinstance(gone, Slot) and gone.kind == "recovery"
        self._save(self._with_slots(kept, unproven=unproven))

    def rewrap(
        self, slot: str, secret: Secret | bytes | str, *, parameters: Parameters | None = None
    ) -> None:
        """Puts a new secret on a slot, which keeps its id, kind and label: a changed passphrase.

        Parameters stay unless given. Raises NotFound `slot-unknown`, Damaged `keyring-slot-damaged`.
        """
        old = self._slot(slot)
        if isinstance(old, DamagedSlot):
            raise Damaged("keyring-slot-damaged", slot=slot)
        chosen = old.wrapped.parameters if parameters is None else parameters
        new = self._new_slot(old.kind, secret_of(secret), old.label, chosen, slot)
        slots = tuple(new if other.id == slot else other for other in self.slots)
        self._save(self._with_slots(slots, unproven=old.kind == "recovery"))

    def prove_recovery(self, text: Secret | str) -> None:
        """Notes that somebody holds a recovery key that works.

        Raises Usage `recovery-key-mistyped`, NotAllowed `wrong-recovery-key`, Damaged `keyring-slot-damaged`.
        """
        found = unlock(self._document, secret_of(text), "recovery", self._kinds)
        if found != self._opened.master:
            raise Damaged("keyring-damaged")
        self._save(evolve(self._document, recovery_proven=_stamp(self._now())[:10]))

    # Inside ---------------------------------------------------------------------------------------------

    def _slot(self, slot: str) -> Slot | DamagedSlot:
        for found in self.slots:
            if found.id == slot:
                return found
        raise NotFound("slot-unknown", slot=plain_word(slot))

    def _with_slots(self, slots: Iterable[Slot | DamagedSlot], *, unproven: bool) -> Document:
        proven = None if unproven else self._document.recovery_proven
        return evolve(self._document, slots=tuple(slots), recovery_proven=proven)

    def _new_slot(
        self, kind: str, secret: Secret, label: str, parameters: Parameters, slot: str | None = None
    ) -> Slot:
        chosen = self._kinds.get(kind)
        if chosen is None:
            raise Misconfigured("slot-kind-unknown", kind=plain_word(kind))
        place = SlotPlace(self.home, slot or os.urandom(4).hex(), kind, self._document.suite)
        wrapped = chosen.wrap(self._opened.master, secret, place, parameters)
        if chosen.same_secret and chosen.unwrap(wrapped, secret, place) != self._opened.master:
            raise Damaged("keyring-slot-damaged", slot=place.slot)  # a slot that cannot open is never kept
        return Slot(place.slot, kind, _clean(label), _stamp(self._now()), wrapped)

    def _new_epoch(self, number: int, suite: int) -> tuple[Epoch, Secret]:
        key = Secret(os.urandom(KEY_BYTES))
        checks = {
            name: derive_purpose(self.home, name, number, suite, key).check.hex()
            for name in self._document.purposes
        }
        wrapping, aad = epoch_lock(self._document, self._opened.master, number, suite)
        return Epoch(number, suite, _stamp(self._now()), seal(wrapping, key.reveal(), aad), checks), key

    def _save(self, changed: Document) -> None:
        """Writes `changed`, unless somebody else wrote since we read."""
        stored = self._place.read()
        if (read_document(stored).revision if stored else 0) != self._document.revision:
            raise Stale("keyring-changed")
        changed = evolve(changed, revision=self._document.revision + 1)
        changed = changed.with_mac(mac_of(changed, self._opened.master))
        content = changed.to_bytes()
        if read_document(content) != changed:
            raise Damaged("keyring-damaged")  # never replace a good file by one that would not be read
        self._place.write(content)
        self._document = changed


def _read(place: Place) -> Document:
    content = place.read()
    if content is None:
        raise NotFound("keyring-missing")
    return read_document(content)


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _clean(label: str) -> str:
    """A label that cannot forge a line of a log or screen."""
    return "".join(letter if letter.isprintable() else "?" for letter in label)[:80]
