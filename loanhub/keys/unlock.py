"""Opening a keyring: the master key by one of the slots, then every epoch key; or why not."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from attrs import field, frozen

from loanhub.errors import Damaged, LoanHubError, NotAllowed, Usage
from loanhub.keys.document import DamagedSlot, Document
from loanhub.keys.secret import Secret, bind
from loanhub.keys.slots import SlotKind, SlotPlace
from loanhub.keys.suites import suite_of, usable_suite
from loanhub.keys.values import SealKey, open_sealed

Kinds = Mapping[str, SlotKind]


@frozen(eq=False)
class Opened:
    """The secrets of an open keyring."""

    master: Secret = field(repr=False)
    epochs: Mapping[int, Secret] = field(repr=False)


def unlock(document: Document, secret: Secret, kind: str | None, kinds: Kinds) -> Secret:
    """The master key by the first slot that opens; otherwise raises the most telling of the refusals.

    `kind` says how the secret is meant; without it every kind that accepts the secret is tried.
    """
    usable_suite(document.suite)
    refusals: list[LoanHubError] = []
    for known in kinds.values():
        if known.kind != kind and (kind is not None or not known.accepts(secret)):
            continue
        for slot in document.whole_slots:
            if slot.kind == known.kind:
                try:
                    place = SlotPlace(document.home, slot.id, slot.kind, document.suite)
                    return known.unwrap(slot.wrapped, secret, place)
                except Usage:
                    raise
                except LoanHubError as refusal:
                    refusals.append(refusal)
    raise _most_telling(document, refusals)


def _most_telling(document: Document, refusals: list[LoanHubError]) -> LoanHubError:
    damaged = [slot for slot in document.slots if isinstance(slot, DamagedSlot)]
    wrong = [refusal for refusal in refusals if isinstance(refusal, NotAllowed)]
    if wrong and (damaged or len(wrong) < len(refusals)):
        return NotAllowed("wrong-secret-or-damaged-slot")
    if wrong:
        return wrong[0]
    if refusals:
        return refusals[0]
    if damaged:
        return Damaged("keyring-slot-damaged", slot=damaged[0].id)
    return NotAllowed("keyring-no-such-slot")


def open_epochs(document: Document, master: Secret) -> Opened:
    """All epoch keys. Raises Damaged `keyring-damaged` when the file was changed by anything but us."""
    if not hmac.compare_digest(mac_of(document, master).hex(), document.mac):
        raise Damaged("keyring-damaged")
    keys = {}
    for epoch in document.epochs:
        usable_suite(epoch.suite)
        wrapping, aad = epoch_lock(document, master, epoch.number, epoch.suite)
        try:
            keys[epoch.number] = Secret(open_sealed(wrapping, epoch.wrapped, aad))
        except (NotAllowed, Damaged):
            raise Damaged("keyring-damaged") from None
    return Opened(master, keys)


def epoch_lock(document: Document, master: Secret, number: int, suite: int) -> tuple[SealKey, bytes]:
    rules = suite_of(document.suite)
    key = rules.derive(master.reveal(), bytes.fromhex(document.home), "epochs")
    return SealKey(rules.number, 0, Secret(key)), bind("epoch", document.home, number, suite)


def mac_of(document: Document, master: Secret) -> bytes:
    rules = suite_of(document.suite)
    key = rules.derive(master.reveal(), bytes.fromhex(document.home), "keyring-mac")
    return rules.mac(key, document.without_mac())
