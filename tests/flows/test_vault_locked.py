"""A vault in a bucket with object lock: held day after day, pruned when locks end, and what markers hide."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from loanhub import Holding, Interrupted, Remote, holding_of
from loanhub.testing.servers import ADMIN, S3Server
from loanhub_remote_s3 import open_s3
from sync_agent import holding as upkeep
from sync_agent.agent import Agent, Habits, verify_share
from sync_agent.holding import needed, uphold
from sync_agent.places import Notes
from sync_agent.retention import Policy
from sync_agent.snapshots import Options
from sync_agent.vault import Vault
from sync_agent.vault.checking import verify
from sync_agent.vault.findings import HIDDEN, Finding
from sync_agent.vault.pruning import prune, sweep
from tests.flows.syncing import Machine, written
from tests.plugins import storms
from tests.unit.vaults import contents, needs_of, new_vault, reopened, restored, snapshot

BUCKET = "vault-flow-lock"
MONTH = timedelta(days=30)
STRICT = {"lock_days": 30, "lock_mode": "compliance"}
NOW = timedelta(0)
DAY = timedelta(days=1)


@pytest.fixture(scope="session")
def client(seaweed: S3Server) -> Any:
    import boto3

    who = {"aws_access_key_id": ADMIN[0], "aws_secret_access_key": ADMIN[1], "region_name": "us-east-1"}
    made = boto3.client("s3", endpoint_url=seaweed.endpoint, **who)
    made.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    return made


@pytest.fixture
def address(client: Any) -> str:
    return f"s3://{BUCKET}/test-{secrets.token_hex(4)}"


@pytest.fixture
def remote(seaweed: S3Server, address: str) -> Remote:
    return open_s3(address, {**seaweed.settings(), **STRICT})


@pytest.fixture
def line(seaweed: S3Server) -> Iterator[storms.Line]:
    with storms.bad_line(seaweed.endpoint) as line:
        yield line


def refuses_locks(one: storms.Exchange) -> None:
    """Credentials that may put and not extend a lock."""
    if "retention" in one.path:
        one.refuse(403, "AccessDenied")
    else:
        one.pass_through()


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "held.json")


def holder(remote: Remote) -> Holding:
    found = holding_of(remote)
    assert found is not None
    return found


def held(vault: Vault) -> list[datetime]:
    found = [holder(vault.remote).held_until(name) for name in needed(vault)]
    assert None not in found
    return [one for one in found if one is not None]


# -- upkeep --------------------------------------------------------------------------------------------------


def test_what_counts_is_held_on_before_its_time_runs_out(remote: Remote, notes: Notes) -> None:
    vault, now = new_vault(remote), datetime.now(UTC)
    snapshot(vault, contents(1, 3))
    names = needed(vault)
    first = uphold(remote, names, notes, now, Event())
    assert first is not None
    assert (first.objects, first.extended, first.loose) == (len(names), 0, 0)
    assert first.until is not None
    assert abs(first.until - now - MONTH) < timedelta(minutes=2)
    later = uphold(remote, names, notes, now + 20 * DAY, Event())
    assert later is not None
    assert (later.objects, later.extended) == (len(names), len(names))
    assert min(held(vault)) > now + 49 * DAY
    assert later.until is not None
    assert later.until <= min(held(vault))


def test_what_needs_no_upkeep_costs_no_request(
    line: storms.Line, seaweed: S3Server, address: str, client: Any, notes: Notes
) -> None:
    remote = storms.opened(line, seaweed, address, **STRICT)
    line.always = storms.Exchange.pass_through
    vault = new_vault(remote)
    snapshot(vault, contents(1, 3))
    first = uphold(remote, needed(vault), notes, datetime.now(UTC), Event())
    line.seen.clear()
    assert uphold(remote, needed(vault), notes, datetime.now(UTC) + 10 * DAY, Event()) == first
    assert line.seen == []
    snapshot(vault, contents(2, 3))
    line.seen.clear()
    again = uphold(remote, needed(vault), notes, datetime.now(UTC), Event())
    assert again is not None
    assert [method for method, _ in line.seen] == ["HEAD"] * (again.objects - first.objects if first else 0)


def test_an_upkeep_that_was_stopped_goes_on_where_it_was(
    remote: Remote, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault, then = new_vault(remote), datetime.now(UTC) + 20 * DAY
    snapshot(vault, contents(1, 3))
    monkeypatch.setattr(upkeep, "_BATCH", 2)
    stop = Event()
    stop.set()
    with pytest.raises(Interrupted, match="stopped"):
        uphold(remote, needed(vault), notes, then, stop)
    rest = uphold(remote, needed(vault), notes, then, Event())
    assert rest is not None
    assert rest.extended == rest.objects - 2


def test_what_cannot_be_held_is_said_and_locked_until_is_not(
    line: storms.Line, seaweed: S3Server, address: str, client: Any, notes: Notes
) -> None:
    plain = new_vault(open_s3(address, seaweed.settings()))  # made before anybody wished for locks
    snapshot(plain, contents(1, 3))
    remote = storms.opened(line, seaweed, address, **STRICT)
    line.always = lambda one: (
        one.refuse(403, "AccessDenied") if "retention" in one.path else one.pass_through()
    )
    done = uphold(remote, needed(plain), notes, datetime.now(UTC), Event())
    assert done is not None
    assert (done.extended, done.until, done.troubles) == (0, None, ("remote-lock-refused",))
    assert done.loose == done.objects == len(needed(plain))
    line.always = storms.Exchange.pass_through
    done = uphold(remote, needed(plain), notes, datetime.now(UTC), Event())
    assert done is not None
    assert (done.extended, done.loose) == (done.objects, 0)


def test_the_agent_holds_what_it_keeps_and_status_says_until_when(
    seaweed: S3Server, address: str, client: Any, tmp_path: Path
) -> None:
    machine = Machine(tmp_path / "state", address)
    settings = {**seaweed.settings(), **STRICT}
    vault = machine.init(settings)
    lines = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    (tmp_path / "state" / "remotes.toml").write_text(f'["{address}"]\n{lines}\n', encoding="utf-8")
    office = written(tmp_path / "office", {"notes.txt": "one"})
    before = machine("status").data
    assert (before["lock_days"], before["lock_until"]) == (30, None)
    came = machine("run", office, "--once")
    assert came.data["done"]["hold"] == 1
    told = machine("status").data["lock_until"]
    until = datetime.strptime(told, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert abs(until - datetime.now(UTC) - MONTH) < timedelta(minutes=5)
    assert until <= min(held(reopened(vault.remote)))
    assert "nobody can delete anything" in machine.says("--lang", "en", "status")[1]


def test_a_copy_holds_what_it_has_by_its_own_settings(
    seaweed: S3Server, address: str, client: Any, tmp_path: Path
) -> None:
    machine = Machine(tmp_path / "state", str(tmp_path / "disk"))
    machine.init()
    settings = {**seaweed.settings(), **STRICT}
    lines = "\n".join(f"{name} = {value!r}" for name, value in settings.items())
    (tmp_path / "state" / "remotes.toml").write_text(f'["{address}"]\n{lines}\n', encoding="utf-8")
    machine("backup", written(tmp_path / "office", {"notes.txt": "one"}))
    told = machine("copy", address).data["lock_until"]
    assert machine("status").data["copies"][0]["lock_until"] == told
    assert machine("status", "--vault", address).data["lock_until"] == told
    assert machine("status").data["lock_until"] is None
    until = datetime.strptime(told, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    assert until <= min(held(reopened(open_s3(address, settings))))
    assert abs(until - datetime.now(UTC) - MONTH) < timedelta(minutes=5)


def test_an_agent_whose_locks_are_refused_backs_up_and_says_so(
    line: storms.Line, seaweed: S3Server, address: str, client: Any, tmp_path: Path
) -> None:
    vault = new_vault(open_s3(address, seaweed.settings()))
    vault.remote = storms.opened(line, seaweed, address, lock_days=30)
    line.always = lambda one: (
        one.refuse(403, "AccessDenied") if "retention" in one.path else one.pass_through()
    )
    office = written(tmp_path / "office", {"notes.txt": "one"})
    agent = Agent(vault, [office], Options(), Habits(policy=Policy(last=3)), folder=tmp_path / "state")
    did = list(agent.look_after(Event(), anyway=True))
    assert [one.what for one in did] == ["backup", "forget", "prune", "hold", "trouble", "verify"]
    assert did[4].facts["code"] == "remote-lock-refused"
    assert agent.journal.read()["hold"]["until"] is None


# -- prune ---------------------------------------------------------------------------------------------------


def test_what_is_locked_stays_doomed_until_its_lock_ends(
    seaweed: S3Server, address: str, client: Any
) -> None:
    unlocked = open_s3(address, seaweed.settings())
    vault = new_vault(unlocked)
    gone = snapshot(vault, contents(1, 3))
    kept = snapshot(vault, contents(2, 3))
    packs = [one.name for one in unlocked.list("p/")]
    remote = open_s3(address, {**seaweed.settings(), "lock_days": 30})
    end = max(holder(remote).hold(name, datetime.now(UTC) + timedelta(seconds=4)) for name in packs)
    vault.remote = remote
    vault.forget([gone.sequence])
    done = prune(vault, needs_of(vault), grace=NOW)
    assert (done.deleted, done.doomed, done.held, done.held_until) == (0, 2, 2, end)
    assert sorted(one.name for one in remote.list("p/")) == sorted(packs)
    assert restored(reopened(remote), kept) == contents(2, 3)
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()) + 1.0)
    assert sweep(vault, grace=NOW) == 2
    assert len(list(remote.list("p/"))) == len(packs) - 2
    assert restored(reopened(remote), kept) == contents(2, 3)


# -- delete markers ------------------------------------------------------------------------------------------


def test_what_a_delete_marker_hides_is_named_so_and_comes_back_without_it(
    remote: Remote, address: str, client: Any
) -> None:
    vault = new_vault(remote)
    first = snapshot(vault, contents(1, 3))
    snapshot(vault, contents(2, 3))
    pack = next(one.name for one in remote.list("p/"))
    hidden = [f"c/{first.sequence:010}", pack]
    for name in hidden:
        remote.delete(name)
    assert set(verify(vault, read_data=True)) == {Finding(name, HIDDEN) for name in hidden}
    assert verify_share(vault, 0, 1) == [Finding(pack, HIDDEN)]
    for name in hidden:
        key = f"{address.removeprefix(f's3://{BUCKET}/')}/{name}"
        told = client.list_object_versions(Bucket=BUCKET, Prefix=key)
        for marker in told["DeleteMarkers"]:
            client.delete_object(Bucket=BUCKET, Key=key, VersionId=marker["VersionId"])
    assert verify(vault, read_data=True) == ()
    assert restored(reopened(remote), first) == contents(1, 3)


def test_what_is_gone_for_good_is_missing(seaweed: S3Server, address: str, client: Any) -> None:
    vault = new_vault(open_s3(address, seaweed.settings()))
    snapshot(vault, contents(1, 3))
    pack = next(one.name for one in vault.remote.list("p/"))
    key = f"{address.removeprefix(f's3://{BUCKET}/')}/{pack}"
    for one in client.list_object_versions(Bucket=BUCKET, Prefix=key)["Versions"]:
        client.delete_object(Bucket=BUCKET, Key=key, VersionId=one["VersionId"])
    assert verify(vault, read_data=False) == (Finding(pack, "missing"),)
