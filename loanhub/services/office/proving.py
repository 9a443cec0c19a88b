"""Whether a restored home works: the store, the audit chain, settings, keys, what plugins demand."""

from __future__ import annotations

from pathlib import Path

from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.services.office import doctor
from loanhub.services.office.doctor import Finding

STORED = (
    doctor.store_whole,
    doctor.audit_whole,
    doctor.settings_readable,
    doctor.plugins_well,
    doctor.invariants_hold,
    doctor.keys_safe,
)
"""Checks of what is stored; those of the computer it lies on say nothing of a restored copy."""


def prove_home(root: Path, secret: Secret) -> list[Finding]:
    """What is broken in the home at `root`, opened with a secret of its keyring; empty when it works.

    Raises what `Institution.open` raises.
    """
    with Institution.open(root, unlock=lambda: secret) as house:
        return [found for found in doctor.examine(house, STORED) if found.severity == "error"]
