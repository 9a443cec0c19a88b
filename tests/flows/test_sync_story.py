"""One office on a real S3 server, from its first backup to a drill after a rotation; and several agents."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from loanhub.testing.servers import KEEPER, S3Server
from sync_agent.remotes import open_remote
from sync_agent.vault.names import PACKS
from tests.flows.syncing import Machine, contents, environment_of, written


@pytest.fixture
def machine(seaweed: S3Server, tmp_path: Path) -> Machine:
    address = f"s3://{seaweed.bucket()}/office"
    return Machine(tmp_path / "state", address, settings=environment_of(seaweed))


def test_the_life_of_a_vault_on_object_storage(machine: Machine, seaweed: S3Server, tmp_path: Path) -> None:
    office = written(tmp_path / "办公室", {f"合同/{n}.txt": f"第 {n} 号合同" * 50 for n in range(40)})
    assert machine("probe", machine.vault).data["writers"] == "many"
    machine.init(seaweed.settings())
    recovery = machine("keys", "add", "recovery").data["recovery_key"]

    # Two backups; the second stores the difference.
    first = machine("backup", office).data
    (office / "合同" / "7.txt").write_text("改过", encoding="utf-8")
    second = machine("backup", office).data
    assert second["stored"] < first["stored"]
    assert [one["id"] for one in machine("snapshots").data["snapshots"]] == [
        first["snapshot"],
        second["snapshot"],
    ]
    assert machine("verify", "--read-data").data["damaged"] == []

    # Restored on a machine that has the recovery key only.
    bare = Machine(tmp_path / "bare", machine.vault, recovery, machine.settings)
    assert bare("restore", "latest", "--to", tmp_path / "out").code == 0
    assert contents(tmp_path / "out" / "办公室") == contents(office)

    # Old snapshots go, and their data with them.
    assert len(machine("forget", "--keep-last", "1").data["forgotten"]) == 1
    machine("prune", "--now")
    assert machine("verify", "--read-data").code == 0

    # A copy in a second bucket, with credentials of its own that may not delete.
    target = f"s3://{seaweed.bucket()}/copy"
    settings = tmp_path / "remotes.toml"
    keeper = seaweed.settings(KEEPER)
    lines = [f'["{target}"]', *(f'{name} = "{value}"' for name, value in keeper.items())]
    settings.write_text("\n".join(lines), encoding="utf-8")
    copied = machine("copy", target, "--config", settings).data
    assert copied["can_delete"] is False
    assert machine("copy", target, "--config", settings).data["objects"] == 0
    assert machine("status").data["copies"][0]["commits_behind"] == 0

    # New keys for everything, proven by a drill.
    rotated = machine("keys", "rotate", "--now").data
    assert (rotated["done"], [one["packs"] > 0 for one in rotated["epochs"]]) == (True, [False, True])
    drilled = machine("drill").data
    assert (drilled["passed"], drilled["files"]) == (True, 40)
    assert machine("status").data["copies"][0]["commits_behind"] > 0
    assert drilled["evidence"] == machine("status").data["head"]["sequence"]


def test_a_flipped_bit_on_object_storage_is_found_and_named(
    machine: Machine, seaweed: S3Server, tmp_path: Path
) -> None:
    machine.init(seaweed.settings())
    machine("backup", written(tmp_path / "office", {"one.txt": "1" * 5000}))
    remote = open_remote(machine.vault, seaweed.settings())
    name = max(remote.list(PACKS), key=lambda one: one.size).name
    stored = bytearray(remote.get(name))
    stored[len(stored) // 2] ^= 1
    remote.delete(name)
    assert remote.put_new(name, bytes(stored))
    came = machine("verify", "--read-data")
    assert (came.code, came.data["damaged"]) == (7, [name])


def test_three_agents_on_one_vault_lose_nothing(machine: Machine, seaweed: S3Server, tmp_path: Path) -> None:
    machine.init(seaweed.settings())
    offices = [written(tmp_path / name, {"file.txt": name}) for name in ("总行", "支行", "分理处")]
    machines = [Machine(tmp_path / f"s{n}", machine.vault, settings=machine.settings) for n in range(3)]

    def works(number: int) -> str:
        return str(machines[number].apart("backup", offices[number]).data["snapshot"])

    with ThreadPoolExecutor() as pool:
        taken = list(pool.map(works, range(3)))
    found = machine("snapshots").data["snapshots"]
    assert sorted(one["id"] for one in found) == sorted(taken)
    assert [one["sequence"] for one in found] == [1, 2, 3]
    assert machine("verify", "--read-data").code == 0
    for number, office in enumerate(offices):
        assert machine("restore", taken[number], "--to", tmp_path / f"out{number}").code == 0
        assert contents(tmp_path / f"out{number}" / office.name) == contents(office)


def test_wrong_credentials_are_told_and_nobody_is_asked_for_a_passphrase(
    machine: Machine, seaweed: S3Server
) -> None:
    machine.init(seaweed.settings())
    came = machine("snapshots", AWS_SECRET_ACCESS_KEY="wrong", LOANHUB_SYNC_PASSPHRASE="")
    assert (came.code, came.error) == (6, "remote-credentials-refused")
