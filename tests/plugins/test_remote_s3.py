"""Object storage: the suite of every remote against real servers, honest and lying, and over bad lines."""

from __future__ import annotations

import secrets
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from attrs import evolve
from botocore.exceptions import EndpointConnectionError

from loanhub import Busy, LoanHubError, NotAllowed, Remote
from loanhub.testing import servers
from loanhub.testing.remotes import PLAIN, RemoteSuite
from loanhub.testing.servers import KEEPER, S3Server
from loanhub_remote_s3 import open_s3
from loanhub_remote_s3.trying import FIRST_PAUSE, LONGEST_PAUSE, Patience
from tests.plugins import storms

SEAWEED = PLAIN
SEAWEED_KEEPER = evolve(PLAIN, can_delete=False)
SEAWEED_LOCKED = evolve(PLAIN, versioning=True, object_lock=True)
MOTO = PLAIN
RCLONE = evolve(PLAIN, conditional_put=False)
"""What each server was found able to do; a change of one is seen here."""


class TestSeaweed(RemoteSuite):
    expected = SEAWEED

    @pytest.fixture
    def remote(self, seaweed: S3Server, address: str) -> Remote:
        return open_s3(address, seaweed.settings())


class TestMoto(RemoteSuite):
    """The errors and headers that the authors of moto copied from AWS."""

    expected = MOTO

    @pytest.fixture
    def remote(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Remote]:
        import boto3
        from moto import mock_aws

        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        with mock_aws():
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="aws-bucket")
            yield open_s3("s3://aws-bucket", {"region": "us-east-1"})


# -- a server that overwrites ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def liar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """rclone serve s3: it answers 200 to a second put with `If-None-Match: *`, and overwrites."""
    folder = tmp_path_factory.mktemp("rclone")
    (folder / "data" / "vault-1").mkdir(parents=True)
    (port,) = servers._free_ports(1)
    server = S3Server(folder, {"s3": port})
    command = [
        *(str(Path(sysconfig.get_path("scripts")) / "rclone"), "serve", "s3", "--addr", f"127.0.0.1:{port}"),
        *("--auth-key", ",".join(servers.ADMIN), "--vfs-cache-mode", "full"),
        *("--cache-dir", str(folder / "cache"), "--config", str(folder / "none.conf"), str(folder / "data")),
    ]
    with (folder / "log.txt").open("ab") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            end = time.monotonic() + 30
            while time.monotonic() < end and not answers(server):
                time.sleep(0.05)
            yield server
        finally:
            process.kill()


def answers(server: S3Server) -> bool:
    try:
        return open_s3("s3://vault-1", {**server.settings(), "patience": 0.1}).size("x") is None
    except LoanHubError:
        return False


@pytest.mark.parametrize(
    "promise",
    [
        RemoteSuite.test_what_was_put_comes_back,
        RemoteSuite.test_a_name_that_is_taken_is_never_overwritten,
        RemoteSuite.test_a_part_is_what_was_asked_for,
        RemoteSuite.test_an_absent_object_is_said_to_be_absent,
        RemoteSuite.test_a_deleted_object_is_gone,
        RemoteSuite.test_a_listing_begins_as_asked_and_tells_size_and_time,
    ],
)
def test_a_storage_that_ignores_conditions_keeps_what_is_promised_to_one_writer(
    liar: S3Server, promise: Callable[[RemoteSuite, Remote], None]
) -> None:
    remote = open_s3(f"s3://vault-1/test-{secrets.token_hex(4)}", liar.settings())
    remote.capabilities = RCLONE
    promise(RemoteSuite(), remote)


def test_a_storage_that_ignores_conditions_is_found_out(liar: S3Server) -> None:
    remote = open_s3("s3://vault-1/found-out", liar.settings())
    assert remote.put_new("c/1", b"first") is True
    assert remote.put_new("c/1", b"second") is True  # taken at its word, it overwrites
    assert remote.probe() == RCLONE
    assert remote.probe().notes == ("remote-ignores-conditions",)
    assert remote.put_new("c/1", b"third") is False
    assert remote.get("c/1") == b"second"


def test_credentials_that_may_not_delete_back_up_all_the_same(seaweed: S3Server, address: str) -> None:
    remote = open_s3(address, seaweed.settings(KEEPER))
    assert remote.probe() == SEAWEED_KEEPER
    assert [remote.put_new("c/1", b"first"), remote.put_new("c/1", b"second")] == [True, False]
    with pytest.raises(NotAllowed, match="remote-delete-refused"):
        remote.delete("c/1")
    assert remote.get("c/1") == b"first"
    assert {one.name for one in remote.list("")} == {"c/1", "probe"}


def test_the_older_signature_that_some_providers_want_is_there(seaweed: S3Server, address: str) -> None:
    """This server takes it for objects, and not for listings."""
    remote = open_s3(address, {**seaweed.settings(), "signature": "s3"})
    assert [remote.put_new("c/1", b"first"), remote.put_new("c/1", b"second")] == [True, False]
    assert remote.get("c/1") == b"first"


def test_a_bucket_with_versions_and_locks_is_told_apart(seaweed: S3Server) -> None:
    import boto3

    who = dict(zip(("aws_access_key_id", "aws_secret_access_key"), servers.ADMIN, strict=True))
    client = boto3.client("s3", endpoint_url=seaweed.endpoint, region_name="us-east-1", **who)
    client.create_bucket(Bucket="vault-locked", ObjectLockEnabledForBucket=True)
    remote = open_s3("s3://vault-locked", seaweed.settings())
    assert remote.probe() == SEAWEED_LOCKED
    assert remote.put_new("c/1", b"first") is True
    assert remote.put_new("c/1", b"second") is False


# -- a header of the provider's own --------------------------------------------------------------------------


def like_aliyun(one: storms.Exchange) -> None:
    """Refuses the usual condition (501) and keeps `x-oss-forbid-overwrite` (409), as its documents say."""
    if "If-None-Match" in one.headers:
        one.refuse(501, "NotImplemented")
    elif one.headers.get("x-oss-forbid-overwrite") == "true":
        status, headers, body = one.pass_on(If_None_Match="*")
        if status == 412:
            one.refuse(409, "FileAlreadyExists")
        else:
            one.answer(status, headers, body)
    else:
        one.pass_through()


def test_a_provider_with_a_header_of_its_own_keeps_what_that_promises(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    line.always = like_aliyun
    remote = storms.opened(line, seaweed, address, condition="x-oss-forbid-overwrite")
    assert remote.probe() == PLAIN
    RemoteSuite().test_of_many_who_put_one_name_one_is_told_that_it_did(remote)
    assert remote.put_new("c/1", b"late") is False


def test_a_provider_that_knows_no_condition_has_one_writer(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    line.always = like_aliyun
    remote = storms.opened(line, seaweed, address)
    assert remote.probe().conditional_put is False
    assert [remote.put_new("c/1", b"first"), remote.put_new("c/1", b"second")] == [True, False]
    assert remote.get("c/1") == b"first"


# -- bad lines -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", [storms.lose_the_answer, storms.busy_after_doing])
def test_a_lost_acknowledgement_is_made_good(
    line: storms.Line, seaweed: S3Server, address: str, spoil: storms.Spoil
) -> None:
    remote = storms.opened(line, seaweed, address)
    line.spoils = [spoil]
    assert remote.put_new("c/1", b"mine") is True
    assert remote.get("c/1") == b"mine"
    line.spoils = [spoil]
    assert remote.put_new("c/1", b"more") is False
    assert remote.get("c/1") == b"mine"


def test_what_another_stored_meanwhile_is_not_taken_for_ours(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    remote, other = storms.opened(line, seaweed, address), open_s3(address, seaweed.settings())

    def other_was_first(one: storms.Exchange) -> None:
        other.put_new("c/1", b"his!")
        one.hang_up()

    line.spoils = [other_was_first]
    assert remote.put_new("c/1", b"mine") is False
    assert remote.get("c/1") == b"his!"


@pytest.mark.parametrize("spoil", [storms.lose_the_request, storms.busy, storms.under_way])
def test_what_was_not_done_is_done_again(
    line: storms.Line, seaweed: S3Server, address: str, spoil: storms.Spoil
) -> None:
    remote = storms.opened(line, seaweed, address)
    for call, answer in storms.calls(remote):
        line.spoils = [spoil, spoil]
        line.seen.clear()
        assert call() == answer
        assert len(line.seen) == 3


def test_an_answer_cut_short_is_asked_for_again(line: storms.Line, seaweed: S3Server, address: str) -> None:
    remote = storms.opened(line, seaweed, address)
    data = bytes(range(256)) * 4000
    remote.put_new("p/1", data)
    line.spoils = [storms.cut_short, storms.cut_short]
    assert remote.get("p/1") == data
    line.spoils = [storms.cut_short]
    assert remote.get("p/1", 5, 500_000) == data[5:500_005]


def test_a_server_that_answers_a_part_with_the_whole_is_understood(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    remote = storms.opened(line, seaweed, address)
    line.always = lambda one: one.answer(200, {"ETag": '"0"'}, b"0123456789")
    assert [remote.get("p/1", 3), remote.get("p/1", 3, 4), remote.get("p/1")] == [
        *(b"3456789", b"3456"),
        b"0123456789",
    ]


def test_pauses_grow_and_are_drawn_by_lot() -> None:
    """So that many who were refused at once do not come back at once."""

    class EnoughError(Exception):
        pass

    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 40:
            raise EnoughError

    def refused(again: bool) -> None:
        raise EndpointConnectionError(endpoint_url="http://nowhere")

    with pytest.raises(EnoughError):
        Patience("s3://bucket", 1000.0, pause).with_(refused)
    assert pauses[0] <= FIRST_PAUSE
    assert 1.0 < max(pauses) <= LONGEST_PAUSE
    assert len(set(pauses)) == 40


@pytest.mark.prove
def test_a_slow_line_has_time_for_a_large_object(line: storms.Line, seaweed: S3Server, address: str) -> None:
    """As long as something moves: 32 MiB take three seconds here, and a second of silence is too long."""
    remote = storms.opened(line, seaweed, address, timeout=1.0)
    line.pause, line.always = 0.1, storms.accept
    assert remote.put_new("p/1", bytes(32 << 20)) is True
    assert [method for method, _ in line.seen] == ["PUT"]


def test_a_call_that_took_all_the_time_is_tried_again(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    remote = storms.opened(line, seaweed, address, patience=0.01)
    line.spoils = [storms.lose_the_request, storms.lose_the_request]
    assert remote.put_new("c/1", b"first") is True


def test_patience_has_an_end(line: storms.Line, seaweed: S3Server, address: str) -> None:
    remote = storms.opened(line, seaweed, address, patience=0.5)
    line.always = storms.busy
    began = time.monotonic()
    with pytest.raises(Busy, match="remote-not-answering"):
        remote.put_new("c/1", b"first")
    assert time.monotonic() - began < 3
    assert len(line.seen) >= 2


def test_a_network_that_is_away_is_said_to_be_so(seaweed: S3Server, address: str) -> None:
    (port,) = servers._free_ports(1)
    settings = {**seaweed.settings(), "endpoint": f"http://127.0.0.1:{port}", "patience": 0.3}
    with pytest.raises(Busy, match="remote-unreachable"):
        open_s3(address, settings).size("c/1")
