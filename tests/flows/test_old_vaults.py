"""Every vault ever written in a format opens with today's code, whole, and goes on working."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from loanhub import Secret
from sync_agent.remotes import open_remote
from sync_agent.vault import Vault
from sync_agent.vault.checking import verify
from tests.fixtures.vaults import HERE, PASSPHRASE, digest
from tests.unit.vaults import contents, restored, snapshot

VAULTS = sorted(path.name for path in HERE.iterdir() if (path / "expected.json").is_file())


@pytest.fixture(params=VAULTS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a kept vault: the kept one is never touched."""
    return Path(shutil.copytree(HERE / request.param, tmp_path / request.param))


def expected(kept: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((kept / "expected.json").read_text(encoding="utf-8"))
    return found


def test_an_old_vault_opens_with_each_of_its_secrets_and_gives_back_every_snapshot(kept: Path) -> None:
    wanted = expected(kept)
    for secret in (PASSPHRASE, wanted["recovery"], Secret(b"k" * 32)):
        vault = Vault.open(open_remote(str(kept / "vault")), secret)
        assert {str(one.sequence): digest(vault, one) for one in vault.snapshots} == wanted["snapshots"]
        assert [*vault.head] == wanted["head"]
        assert len(vault.state.doomed) == wanted["doomed"]
        assert vault.findings == verify(vault, read_data=True) == ()


def test_an_old_vault_takes_new_snapshots(kept: Path) -> None:
    vault = Vault.open(open_remote(str(kept / "vault")), PASSPHRASE)
    made = snapshot(vault, contents(3, 3, 300))
    again = Vault.open(open_remote(str(kept / "vault")), PASSPHRASE)
    assert restored(again, made) == contents(3, 3, 300)
    assert len(again.snapshots) == len(expected(kept)["snapshots"]) + 1


def test_a_vault_is_kept_for_each_suite_the_format_may_use() -> None:
    assert {"1-aes", "1-sm"} <= set(VAULTS)
