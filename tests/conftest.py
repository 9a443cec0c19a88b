"""What every test has: no settings leaking in from the shell, and property tests free of luck."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A shared machine is slow at times: a test that is slow is seen in --durations, not by a deadline.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(autouse=True)
def no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own LOANHUB_ variables change no result."""
    for name in [name for name in os.environ if name.startswith("LOANHUB_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the project's own files."""
    return Path(__file__).resolve().parent.parent
