"""Which kinds of slots may open a keyring: the built-in ones, and those of plugins where it has any."""

from __future__ import annotations

from collections.abc import Mapping

from loanhub import BUILT_IN_SLOTS, Keyring, LoanHubError, Place, Plugins, SlotKind


def kinds_for(place: Place) -> Mapping[str, SlotKind]:
    """The kinds that the keyring at `place` needs; plugins are looked for only when it has slots of others.

    What is wrong with the keyring is told by whoever opens it.
    """
    try:
        used = {getattr(slot, "kind", "") for slot in Keyring.peek(place).slots}
    except LoanHubError:
        return BUILT_IN_SLOTS
    return BUILT_IN_SLOTS if used <= set(BUILT_IN_SLOTS) else all_kinds()


def all_kinds() -> Mapping[str, SlotKind]:
    """Every kind that is installed."""
    return Plugins.load().slots
