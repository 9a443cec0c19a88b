"""Every home ever closed with a part opens with today's code, whole, and goes on working."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.services.office.doctor import examine
from loanhub.services.office.reindex import reindex
from loanhub.services.people.acts import FIND
from loanhub.services.people.find import Find
from sync_agent.cli.run import run
from tests.fixtures.homes import HERE, PASSPHRASE, counts

HOMES = sorted(path.name for path in HERE.iterdir() if (path / "expected.json").is_file())


@pytest.fixture(params=HOMES)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a kept home: the kept one is never touched."""
    return Path(shutil.copytree(HERE / request.param, tmp_path / request.param))


def test_an_old_home_opens_with_its_passphrase_and_all_its_records(kept: Path) -> None:
    expected = json.loads((kept / "expected.json").read_text(encoding="utf-8"))
    with Institution.open(kept / "home", unlock=lambda: Secret(PASSPHRASE)) as house:
        found = counts(house)
        assert {kind: found[kind] for kind in expected["counts"]} == expected["counts"]
        assert [f for f in examine(house) if f.severity == "error"] == []
        assert house.desk().do(FIND, Find("李")).results


def test_an_old_home_finds_by_a_part_of_a_name_before_and_after_it_is_reindexed(kept: Path) -> None:
    with Institution.open(kept / "home", unlock=lambda: Secret(PASSPHRASE)) as house:
        before = house.desk().do(FIND, Find("伟波")).results
        for _ in reindex(house.system_desk("test")):
            pass
        assert [f.code for f in examine(house) if f.code == "doctor-search-keys"] == []
        assert house.desk().do(FIND, Find("伟波")).results == before
        assert before


def test_an_old_home_opens_with_its_recovery_key(kept: Path) -> None:
    expected = json.loads((kept / "expected.json").read_text(encoding="utf-8"))
    with Institution.open(kept / "home", unlock=lambda: Secret(expected["recovery"])) as house:
        assert house.has_accounts is False


@pytest.mark.parametrize("name", [name for name in HOMES if (HERE / name / "vault").is_dir()])
def test_an_old_backup_brings_its_home_back_by_the_recovery_key(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Path(shutil.copytree(HERE / name, tmp_path / name))
    expected = json.loads((kept / "expected.json").read_text(encoding="utf-8"))
    shutil.rmtree(kept / "home")
    monkeypatch.setenv("LOANHUB_SYNC_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("LOANHUB_SYNC_VAULT", str(kept / "vault"))
    monkeypatch.setenv("LOANHUB_SYNC_PASSPHRASE", expected["recovery"])
    assert run(["verify", "--read-data", "--json"]) == 0
    assert run(["restore", "latest", "--to", str(tmp_path / "out"), "--json"]) == 0
    with Institution.open(tmp_path / "out" / "home", unlock=lambda: Secret(PASSPHRASE)) as house:
        found = counts(house)
    assert {kind: found[kind] for kind in expected["counts"]} == expected["counts"]
