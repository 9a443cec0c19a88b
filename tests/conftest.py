"""What every test has: no settings leaking in from the shell, and property tests free of luck."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from loanhub.testing.servers import S3Server

# A shared machine is slow at times: a test that is slow is seen in --durations, not by a deadline.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("desk"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "desk")


@pytest.fixture(autouse=True)
def no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own LOANHUB_ and AWS_ variables change no result."""
    for name in [name for name in os.environ if name.startswith(("LOANHUB_", "AWS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the project's own files."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real S3 server, started by the first test that wants it and killed after the last."""
    from loanhub.testing.servers import seaweedfs

    with seaweedfs(tmp_path_factory.mktemp("seaweed")) as server:
        yield server
