"""The stories of faults can fail: a vault built wrongly is noticed by them, each in its way."""

from __future__ import annotations

import pytest

from sync_agent.vault import bases, packing, writer
from tests.faults.broken_vault import NOTICED, WAYS
from tests.faults.vault_story import told

STORIES = 60


def noticed(seed: int) -> bool:
    """Whether a story goes wrong, or cannot be told to its end."""
    try:
        return bool(told(seed).wrong)
    except NOTICED:
        return True


@pytest.mark.prove
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_vault_built_wrongly_is_noticed(way: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "COMMITS_BETWEEN", 4)
    monkeypatch.setattr(packing, "PACK_FULL", 5_000)
    monkeypatch.setattr(writer, "PACKS_BETWEEN", 3)
    way(monkeypatch)  # type: ignore[operator]
    assert any(noticed(seed) for seed in range(1000, 1000 + STORIES))
