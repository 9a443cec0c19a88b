"""Object lock, against a real server: held, extended, tried by the probe; and servers that only say so."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve

from loanhub import Misconfigured, NotAllowed, Remote, holding_of
from loanhub.testing.remotes import PLAIN, HoldingSuite, RemoteSuite
from loanhub.testing.servers import ADMIN, KEEPER, S3Server
from loanhub_remote_s3 import open_s3
from sync_agent.remotes import open_remote
from tests.plugins import storms

LOCKED = evolve(PLAIN, versioning=True, object_lock=True)
MONTH = {"lock_days": 30}
STRICT = {**MONTH, "lock_mode": "compliance"}


@pytest.fixture(scope="session")
def locked(seaweed: S3Server) -> Any:
    """A client for a bucket with object lock, `vault-lock`."""
    import boto3

    who = {"aws_access_key_id": ADMIN[0], "aws_secret_access_key": ADMIN[1], "region_name": "us-east-1"}
    client = boto3.client("s3", endpoint_url=seaweed.endpoint, **who)
    client.create_bucket(Bucket="vault-lock", ObjectLockEnabledForBucket=True)
    return client


@pytest.fixture
def place(locked: Any) -> str:
    return f"s3://vault-lock/test-{secrets.token_hex(4)}"


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    import boto3
    from moto import mock_aws

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="aws-locked", ObjectLockEnabledForBucket=True)
        yield "s3://aws-locked"


class Promises(RemoteSuite):
    expected = LOCKED


class TestSeaweedLocked(HoldingSuite):
    @pytest.fixture
    def remote(self, seaweed: S3Server, place: str) -> Remote:
        return open_s3(place, {**seaweed.settings(), **STRICT})


class TestMotoLocked(HoldingSuite):
    """Answers copied from AWS; it lets nobody delete, though it lets everybody shorten."""

    @pytest.fixture
    def remote(self, moto: str) -> Remote:
        return open_s3(moto, {"region": "us-east-1", **MONTH})


def test_a_server_that_shortens_what_nobody_may_is_refused(moto: str) -> None:
    with pytest.raises(Misconfigured, match="remote-lock-broken"):
        open_s3(moto, {"region": "us-east-1", **STRICT}).probe()


@pytest.mark.parametrize(
    "promise",
    [
        RemoteSuite.test_a_name_that_is_taken_is_never_overwritten,
        RemoteSuite.test_of_many_who_put_one_name_one_is_told_that_it_did,
        RemoteSuite.test_a_deleted_object_is_gone,
        RemoteSuite.test_a_probe_finds_what_it_can_do_and_leaves_others_alone,
    ],
)
def test_a_lock_changes_nothing_of_what_a_remote_promises(
    seaweed: S3Server, place: str, promise: Callable[[RemoteSuite, Remote], None]
) -> None:
    promise(Promises(), open_s3(place, {**seaweed.settings(), **STRICT}))


def versions(client: Any, place: str, name: str) -> list[str]:
    told = client.list_object_versions(
        Bucket="vault-lock", Prefix=f"{place.removeprefix('s3://vault-lock/')}/{name}"
    )
    return [one["VersionId"] for one in told.get("Versions", ())]


def test_a_locked_version_cannot_be_deleted_by_anybody(seaweed: S3Server, locked: Any, place: str) -> None:
    remote = open_s3(place, {**seaweed.settings(), **STRICT})
    remote.put_new("c/1", b"first")
    key, (version,) = f"{place.removeprefix('s3://vault-lock/')}/c/1", versions(locked, place, "c/1")
    with pytest.raises(Exception, match="AccessDenied"):
        locked.delete_object(Bucket="vault-lock", Key=key, VersionId=version, BypassGovernanceRetention=True)
    assert remote.get("c/1") == b"first"


def test_a_limited_line_locks_as_well(seaweed: S3Server, place: str) -> None:
    remote = open_remote(place, {**seaweed.settings(), **STRICT, "limit": 10_000})
    remote.put_new("c/1", b"first")
    holding = holding_of(remote)
    assert holding is not None
    assert holding.held_until("c/1") is not None


def test_many_probes_leave_one_locked_version(seaweed: S3Server, locked: Any, place: str) -> None:
    for _ in range(3):
        assert open_s3(place, {**seaweed.settings(), **STRICT}).probe().notes == ()
    assert len(versions(locked, place, "probe-lock")) == 1


def test_who_can_lift_a_lock_of_governance_is_told_so(seaweed: S3Server, place: str) -> None:
    remote = open_s3(place, {**seaweed.settings(), **MONTH})
    for _ in range(2):
        assert remote.probe() == LOCKED
        assert remote.probe().notes == ("remote-lock-lifted",)


def test_many_may_probe_a_lock_at_once(seaweed: S3Server, place: str) -> None:
    """As the threads of a backup do, and two machines: none takes away what another is trying."""
    settings = {**seaweed.settings(), **MONTH}
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: open_s3(place, settings).probe(), range(24)))
    assert found == [LOCKED] * 24


def test_a_bucket_without_object_lock_is_refused(seaweed: S3Server, address: str) -> None:
    with pytest.raises(Misconfigured, match="remote-lock-missing"):
        open_s3(address, {**seaweed.settings(), **MONTH}).probe()


def test_credentials_that_may_not_lock_are_refused(seaweed: S3Server, place: str) -> None:
    with pytest.raises(NotAllowed, match="remote-lock-refused"):
        open_s3(place, {**seaweed.settings(KEEPER), **MONTH}).probe()


def test_what_is_unlocked_costs_no_request_more(line: storms.Line, seaweed: S3Server, address: str) -> None:
    remote = storms.opened(line, seaweed, address)
    line.always = storms.Exchange.pass_through
    remote.put_new("c/1", b"first")
    assert [method for method, _ in line.seen] == ["PUT"]
    assert remote.probe() == PLAIN
    assert not any("probe-lock" in path or "retention" in path for _, path in line.seen)


# -- servers that say so -------------------------------------------------------------------------------------


def forgets_the_lock(one: storms.Exchange) -> None:
    """Answers 200 to a locked put and locks nothing."""
    locks = [name for name in one.headers if name.lower().startswith("x-amz-object-lock")]
    if one.method == "PUT" and locks:
        one.answer(200, {"ETag": '"0"', "x-amz-version-id": "1"}, b"")
    elif one.method == "HEAD":
        one.answer(200, {"ETag": '"0"', "Content-Length": "5"}, b"")
    else:
        one.pass_through()


def lies_about_the_lock(one: storms.Exchange) -> None:
    """Tells of a lock, and a version that was deleted is gone."""
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    lock = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": until}
    if one.method == "HEAD" and "probe-lock" in one.path:
        gone = any(method == "DELETE" and "probe-lock" in path for method, path in one.line.seen)
        one.answer(404 if gone else 200, {"ETag": '"0"', "x-amz-version-id": "1", **lock}, b"")
    elif "probe-lock" in one.path:
        one.answer(204 if one.method == "DELETE" else 200, {"ETag": '"0"'}, b"")
    else:
        one.pass_through()


@pytest.mark.parametrize("server", [forgets_the_lock, lies_about_the_lock])
def test_a_server_that_takes_locks_and_keeps_none_is_refused(
    line: storms.Line, seaweed: S3Server, address: str, server: Callable[[storms.Exchange], None]
) -> None:
    remote = storms.opened(line, seaweed, address, **MONTH)
    line.always = server
    with pytest.raises(Misconfigured, match="remote-lock-broken"):
        remote.probe()


def test_a_server_that_does_not_extend_is_not_believed(
    line: storms.Line, seaweed: S3Server, locked: Any, place: str
) -> None:
    remote = storms.opened(line, seaweed, place, **STRICT)
    line.always = lambda one: one.answer(200, {}, b"") if "retention" in one.path else one.pass_through()
    remote.put_new("c/1", b"first")
    holding = holding_of(remote)
    assert holding is not None
    with pytest.raises(Misconfigured, match="remote-lock-broken"):
        holding.hold("c/1", datetime.now(UTC) + timedelta(days=60))


def test_credentials_that_cannot_try_the_lock_say_so(
    line: storms.Line, seaweed: S3Server, locked: Any, place: str
) -> None:
    def refuses_deletes(one: storms.Exchange) -> None:
        if one.method == "DELETE":
            one.refuse(403, "AccessDenied")
        else:
            one.pass_through()

    remote = storms.opened(line, seaweed, place, **STRICT)
    line.always = refuses_deletes
    assert remote.probe() == evolve(LOCKED, can_delete=False)
    assert remote.probe().notes == ("remote-lock-untried",)


@pytest.mark.parametrize(
    "wrong", [{"lock_days": -1}, {"lock_days": 1.5}, {"lock_days": True}, {"lock_mode": "x"}]
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="remote-setting-wrong"):
        open_s3("s3://bucket", wrong)


def test_nobody_who_did_not_ask_for_it_gets_a_lock_that_lasts(
    seaweed: S3Server, locked: Any, place: str
) -> None:
    """Without the setting a hold is one of governance, and one of compliance stays so."""
    plain = open_s3(place, seaweed.settings())
    plain.put_new("c/1", b"first")
    open_s3(place, {**seaweed.settings(), **STRICT}).put_new("c/2", b"first")
    holding = holding_of(plain)
    assert holding is not None
    assert holding.held_until("c/1") is None
    for name, mode in (("c/1", "GOVERNANCE"), ("c/2", "COMPLIANCE")):
        holding.hold(name, datetime.now(UTC) + timedelta(days=60))
        key = f"{place.removeprefix('s3://vault-lock/')}/{name}"
        assert locked.head_object(Bucket="vault-lock", Key=key)["ObjectLockMode"] == mode
