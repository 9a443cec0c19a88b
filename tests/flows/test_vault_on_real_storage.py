"""A vault's whole life on a folder and on a real S3 server: two machines, verify, prune, new keys, a copy."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sync_agent.remotes import open_remote
from sync_agent.vault.checking import verify
from sync_agent.vault.mirroring import mirror
from sync_agent.vault.pruning import prune
from sync_agent.vault.rotation import reencrypt
from tests.unit.vaults import contents, needs_of, new_vault, reopened, snapshot, whole

NOW = timedelta(0)


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    """An empty place for a vault: its address and settings."""
    if request.param == "folder":
        (tmp_path / "disk").mkdir()
        return str(tmp_path / "disk"), {}
    server = request.getfixturevalue("seaweed")
    return f"s3://{server.bucket()}/vault", server.settings()


def test_a_vault_lives_its_life(place: tuple[str, dict[str, Any]], tmp_path: Path) -> None:
    one = new_vault(open_remote(*place), cache=tmp_path / "one")
    two = reopened(open_remote(*place), cache=tmp_path / "two")
    expected = {}
    for number in range(6):
        pieces = contents(number // 2, 8, 20_000)
        expected[snapshot(two if number % 2 else one, pieces).sequence] = pieces
    assert list(expected) == [1, 2, 3, 4, 5, 6]
    assert whole(reopened(open_remote(*place)), expected)

    one.forget([1, 2])
    del expected[1], expected[2]
    assert prune(one, needs_of(one), grace=NOW).deleted > 0
    two.add_epoch()
    assert reencrypt(two, grace=NOW).stated
    prune(two, needs_of(two), grace=NOW)

    copy = open_remote(str(tmp_path / "copy"))
    (tmp_path / "copy").mkdir()
    assert mirror(open_remote(*place), copy).head == two.head[0]
    for remote in (open_remote(*place), copy):
        vault = reopened(remote)
        assert whole(vault, expected)
        assert vault.findings == verify(vault, read_data=True) == ()
