"""The remote in memory passes the suite of every remote, so that tests with it say something."""

from __future__ import annotations

import attrs
import pytest

from loanhub import Remote
from loanhub.testing.remotes import PLAIN, MemoryRemote, RemoteSuite


class TestMemoryRemote(RemoteSuite):
    @pytest.fixture
    def remote(self) -> Remote:
        return MemoryRemote()


class TestMemoryRemoteThatKeeps(RemoteSuite):
    expected = attrs.evolve(PLAIN, can_delete=False)

    @pytest.fixture
    def remote(self) -> Remote:
        return MemoryRemote(able=self.expected)
