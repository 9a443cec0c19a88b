"""What one machine found wrong with a vault, every machine knows, until somebody finds it well again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import define

from loanhub.errors import NotAllowed
from loanhub.testing.remotes import MemoryRemote
from sync_agent.evidence import Verified, damage_after, hear, keep_verified, known_damage
from sync_agent.keeping import points_of
from sync_agent.retention import Policy, kept
from sync_agent.snapshots import take
from sync_agent.status import Journal, moment_of
from sync_agent.vault import Finding, Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.names import pack_name
from tests.unit.vaults import new_vault, reopened


@define
class Guarded(MemoryRemote):
    """A remote whose credentials may only read, once `closed`."""

    closed: bool = False

    def put_new(self, name: str, data: bytes) -> bool:
        if self.closed:
            raise NotAllowed("remote-denied", remote=self.name)
        return super().put_new(name, data)


@pytest.fixture
def remote() -> Guarded:
    return Guarded()


@pytest.fixture
def vault(remote: Guarded, tmp_path: Path) -> Vault:
    """Two snapshots, the second with a pack of its own."""
    made, office = new_vault(remote), tmp_path / "office"
    office.mkdir()
    for name in ("one", "two"):
        (office / name).write_text(name)
        take(made, [office])
    return made


def journal(vault: Vault, machine: Path) -> Journal:
    return Journal.of(vault, machine)


def flipped(remote: Guarded, vault: Vault) -> tuple[str, bytes]:
    """The newest pack's content, one bit of it turned; its name and what it was."""
    names = [one.name for one in remote.list("p/")]
    before, name = remote.get(names[-1]), names[-1]
    remote.delete(name)
    remote.put_new(name, before[:40] + bytes([before[40] ^ 1]) + before[41:])
    return name, before


def looked(vault: Vault, machine: Path, *, read_data: bool = True) -> Any:
    verified = Verified(verify(vault, read_data=read_data), read_data, vault.state.index.present)
    return keep_verified(vault, journal(vault, machine), verified)


def test_what_was_read_and_found_damaged_counts_for_no_policy_on_any_machine(
    remote: Guarded, vault: Vault, tmp_path: Path
) -> None:
    """Its size is right, so that only who read it knows; brought back and read again it counts."""
    name, before = flipped(remote, vault)
    here, there = tmp_path / "here", tmp_path / "there"
    assert all(point.sound for point in points_of(vault, journal(vault, there)))
    assert looked(vault, here).body["objects"] == [[name, "damaged"]]
    other = reopened(remote)
    points = points_of(other, journal(other, there))
    assert [point.sound for point in points] == [True, False]
    assert list(kept(points, Policy(last=1)).values()) == [("last",), ("unsound",)]
    looked(vault, here, read_data=False)
    assert not points_of(other, journal(other, there))[1].sound  # sizes say nothing of what is inside
    remote.delete(name)
    remote.put_new(name, before)
    looked(vault, here)
    other.catch_up()
    assert all(point.sound for point in points_of(other, journal(other, there)))


def test_a_machine_hears_of_a_verify_that_another_made(vault: Vault, tmp_path: Path) -> None:
    commit = looked(vault, tmp_path / "here")
    there = journal(vault, tmp_path / "there")
    hear(vault, there)
    noted = there.read()["verify"]
    assert (noted["damaged"], noted["read_data"], noted["head"]) == (0, True, commit.sequence)
    assert moment_of(noted["at"]) is not None
    there.ran(vault, "verify", read_data=False, damaged=3)
    hear(vault, there)
    assert there.read()["verify"]["damaged"] == 3  # what was heard before does not come again


def test_who_may_only_read_verifies_and_notes_it_for_himself(
    remote: Guarded, vault: Vault, tmp_path: Path
) -> None:
    remote.closed, head = True, vault.head
    assert looked(vault, tmp_path / "here") is None
    assert vault.head == head
    assert journal(vault, tmp_path / "here").read()["verify"]["damaged"] == 0


def test_a_share_that_is_well_says_nothing_of_the_others() -> None:
    even, odd = (Finding(pack_name(bytes([last]) * 16), "damaged") for last in (2, 3))
    body = {"share": [0, 2], "read_data": True, "objects": []}
    assert damage_after([even, odd], body) == {odd}
    assert damage_after([even, odd], {**body, "share": None}) == set()
    assert damage_after([even], {**body, "share": None, "read_data": False}) == {even}


@pytest.mark.parametrize(
    "change",
    [
        *({"objects": wrong} for wrong in ("p/x", [["p/x"]], [["p/x", 1]])),
        *({"share": wrong} for wrong in ([1, 0], [1], "1/28", [True, 2])),
        *({"at": "soon"}, {"version": 2}, {"kind": "dance"}, {"damaged": "none"}, {"host": None}),
    ],
    ids=str,
)
def test_evidence_that_is_not_understood_is_passed_over(
    vault: Vault, tmp_path: Path, change: dict[str, Any]
) -> None:
    verified = Verified([Finding(pack_name(bytes(16)), "damaged")], True, 1)
    there = journal(vault, tmp_path / "there")
    vault.commit("evidence", {**verified.to_body(), **change})
    hear(vault, there)
    assert "verify" not in there.read()
    assert known_damage(there) == []
    vault.commit("evidence", verified.to_body())
    hear(vault, there)
    assert known_damage(there) == list(verified.findings)
