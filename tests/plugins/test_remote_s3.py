"""Object storage: the suite of every remote against real servers, honest and lying, and over bad lines."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import time_machine
from attrs import evolve

from loanhub import Busy, Capabilities, LoanHubError, Misconfigured, NotAllowed, Remote
from loanhub.testing import servers
from loanhub.testing.remotes import PLAIN, RemoteSuite
from loanhub.testing.servers import KEEPER, S3Server
from loanhub.texts import LANGS, catalogue, say
from loanhub_remote_s3 import open_s3, remotes
from loanhub_remote_s3.opening import Place, Wishes, _dialect
from tests.plugins import storms

SEAWEED = PLAIN
SEAWEED_KEEPER = evolve(PLAIN, can_delete=False)
SEAWEED_LOCKED = evolve(PLAIN, versioning=True, object_lock=True)
MOTO = PLAIN
RCLONE = evolve(PLAIN, conditional_put=False)
"""What each server was found able to do; a change of one is seen here."""

_numbers = count(1)


@pytest.fixture(scope="session")
def bucket(seaweed: S3Server) -> str:
    return seaweed.bucket()


@pytest.fixture
def address(bucket: str) -> str:
    """A place of one's own in the bucket."""
    return f"s3://{bucket}/test-{next(_numbers)}/vault"


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
    remote = open_s3(f"s3://vault-1/test-{next(_numbers)}", liar.settings())
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
    remote = opened(line, seaweed, address, condition="x-oss-forbid-overwrite")
    assert remote.probe() == PLAIN
    RemoteSuite().test_of_many_who_put_one_name_one_is_told_that_it_did(remote)
    assert remote.put_new("c/1", b"late") is False


def test_a_provider_that_knows_no_condition_has_one_writer(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    line.always = like_aliyun
    remote = opened(line, seaweed, address)
    assert remote.probe().conditional_put is False
    assert [remote.put_new("c/1", b"first"), remote.put_new("c/1", b"second")] == [True, False]
    assert remote.get("c/1") == b"first"


@pytest.mark.parametrize(
    ("endpoint", "addressing", "condition"),
    [
        ("https://s3.oss-cn-hangzhou.aliyuncs.com", "virtual", "x-oss-forbid-overwrite"),
        ("https://cos.ap-guangzhou.myqcloud.com", "virtual", "x-cos-forbid-overwrite"),
        ("https://obs.cn-north-4.myhuaweicloud.com", "virtual", "if-none-match"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "path", "if-none-match"),
        ("https://s3.eu-central-1.amazonaws.com", "auto", "if-none-match"),
        ("http://192.168.1.20:8333", "path", "if-none-match"),
        ("https://notaliyuncs.com", "path", "if-none-match"),
        ("", "auto", "if-none-match"),
    ],
)
def test_each_provider_is_spoken_to_in_its_own_way(endpoint: str, addressing: str, condition: str) -> None:
    dialect = _dialect(endpoint)
    assert (dialect.addressing, dialect.condition) == (addressing, condition)


# -- bad lines -----------------------------------------------------------------------------------------------


@pytest.fixture
def line(seaweed: S3Server) -> Iterator[storms.Line]:
    with storms.bad_line(seaweed.endpoint) as line:
        yield line


def opened(line: storms.Line, server: S3Server, address: str, **more: object) -> Remote:
    return open_s3(address, {**server.settings(), "endpoint": line.endpoint, "patience": 20.0, **more})


@pytest.mark.parametrize("spoil", [storms.lose_the_answer, storms.busy_after_doing])
def test_a_lost_acknowledgement_is_made_good(
    line: storms.Line, seaweed: S3Server, address: str, spoil: storms.Spoil
) -> None:
    remote = opened(line, seaweed, address)
    line.spoils = [spoil]
    assert remote.put_new("c/1", b"mine") is True
    assert remote.get("c/1") == b"mine"
    line.spoils = [spoil]
    assert remote.put_new("c/1", b"more") is False
    assert remote.get("c/1") == b"mine"


def test_what_another_stored_meanwhile_is_not_taken_for_ours(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    remote, other = opened(line, seaweed, address), open_s3(address, seaweed.settings())

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
    remote = opened(line, seaweed, address)
    for call, answer in calls(remote):
        line.spoils = [spoil, spoil]
        line.seen.clear()
        assert call() == answer
        assert len(line.seen) == 3


def calls(remote: Remote) -> Iterator[tuple[Callable[[], object], object]]:
    yield lambda: remote.put_new("c/1", b"first"), True
    yield lambda: remote.get("c/1"), b"first"
    yield lambda: remote.size("c/1"), 5
    yield lambda: [one.name for one in remote.list("c/")], ["c/1"]
    yield lambda: remote.delete("c/1"), None


def test_an_answer_cut_short_is_asked_for_again(line: storms.Line, seaweed: S3Server, address: str) -> None:
    remote = opened(line, seaweed, address)
    data = bytes(range(256)) * 4000
    remote.put_new("p/1", data)
    line.spoils = [storms.cut_short, storms.cut_short]
    assert remote.get("p/1") == data
    line.spoils = [storms.cut_short]
    assert remote.get("p/1", 5, 500_000) == data[5:500_005]


def test_patience_has_an_end(line: storms.Line, seaweed: S3Server, address: str) -> None:
    remote = opened(line, seaweed, address, patience=0.5)
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


# -- refusals, each in its own words ---------------------------------------------------------------------


@pytest.mark.parametrize("who", [("demo-key", "wrong-secret"), ("nobody", "wrong-secret")])
def test_wrong_credentials_are_refused_in_every_call(
    seaweed: S3Server, address: str, who: tuple[str, str]
) -> None:
    remote = open_s3(address, seaweed.settings(who))
    for call, _ in [*calls(remote), (remote.probe, None)]:
        with pytest.raises(NotAllowed, match="remote-credentials-refused"):
            call()


def test_a_missing_bucket_is_not_taken_for_an_empty_one(seaweed: S3Server) -> None:
    for call in (
        lambda r: r.size("c/1"),
        lambda r: list(r.list("")),
        lambda r: r.probe(),
        lambda r: r.get("c/1"),
    ):
        with pytest.raises(Misconfigured, match="remote-bucket-missing"):
            call(open_s3("s3://vault-nowhere/x", seaweed.settings()))


def test_a_wrong_clock_is_named_with_its_minutes(seaweed: S3Server, address: str) -> None:
    remote = open_s3(address, seaweed.settings())
    with (
        time_machine.travel(datetime.now(UTC) + timedelta(minutes=90)),
        pytest.raises(Misconfigured, match="remote-clock-wrong") as caught,
    ):
        remote.probe()
    assert caught.value.facts["minutes"] in (89, 90, 91)


@pytest.mark.parametrize(
    ("status", "code", "kind", "said"),
    [
        (403, "AccessDenied", NotAllowed, "remote-access-refused"),
        (403, "ExpiredToken", NotAllowed, "remote-credentials-refused"),
        (400, "AuthorizationHeaderMalformed", Misconfigured, "remote-region-wrong"),
        (507, "InsufficientStorage", Busy, "remote-full"),
        (403, "QuotaExceeded", Busy, "remote-full"),
        (400, "InvalidArgument", Misconfigured, "remote-request-refused"),
        (500, "InternalError", Busy, "remote-not-answering"),
    ],
)
def test_what_a_provider_answers_has_a_name_here(
    line: storms.Line,
    seaweed: S3Server,
    address: str,
    status: int,
    code: str,
    kind: type[LoanHubError],
    said: str,
) -> None:
    remote = opened(line, seaweed, address, patience=0.2)
    line.always = storms.refusing(status, code)
    with pytest.raises(kind, match=said):
        remote.put_new("c/1", b"first")


def test_credentials_that_may_only_read_can_restore(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    open_s3(address, seaweed.settings()).put_new("c/1", b"first")
    remote = opened(line, seaweed, address)

    def read_only(one: storms.Exchange) -> None:
        one.refuse(403, "AccessDenied") if one.method in ("PUT", "DELETE") else one.pass_through()

    line.always = read_only
    assert remote.probe() == Capabilities(False, False, False, False, False)
    assert remote.probe().notes == ("remote-read-only",)
    assert remote.get("c/1") == b"first"


# -- addresses, settings, secrets ------------------------------------------------------------------------


def test_an_address_is_a_bucket_and_a_prefix() -> None:
    assert Place.of("s3://bucket") == Place.of("s3://bucket/") == Place("bucket", "")
    assert Place.of("s3://my.bucket-1/Backups/of_us/") == Place("my.bucket-1", "Backups/of_us/")
    assert Place.of("s3://bucket/a/b").name == "s3://bucket/a/b"
    for wrong in (
        "s3://",
        "s3://B",
        "s3:///x",
        "s4://bucket",
        "bucket",
        "s3://bucket/a//b",
        "s3://bucket/名",
    ):
        with pytest.raises(Misconfigured, match="remote-address-unclear"):
            Place.of(wrong)


def test_a_key_in_an_address_is_refused_and_not_repeated() -> None:
    for wrong in ("s3://AKIA:TOPSECRET@bucket/x", "s3://bucket/x?key=TOPSECRET"):
        with pytest.raises(Misconfigured, match="remote-address-secret") as caught:
            open_s3(wrong, {})
        assert "TOPSECRET" not in repr(caught.value) + str(caught.value)
    with pytest.raises(Misconfigured, match="remote-address-secret") as caught:
        open_s3("s3://bucket", {"endpoint": "https://AKIA:TOPSECRET@host"})
    assert "TOPSECRET" not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"secret": "x"}, "remote-setting-unknown"),
        ({"addressing": "sideways"}, "remote-setting-wrong"),
        ({"patience": "long"}, "remote-setting-wrong"),
        ({"patience": -1}, "remote-setting-wrong"),
        ({"timeout": True}, "remote-setting-wrong"),
        ({"region": 3}, "remote-setting-wrong"),
        ({"endpoint": "ftp://host"}, "remote-endpoint-unclear"),
        ({"access_key": "only"}, "remote-credentials-missing"),
        ({"profile": "nobody"}, "remote-credentials-missing"),
        ({"credentials": "/nowhere"}, "remote-credentials-missing"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: dict[str, object], code: str) -> None:
    with pytest.raises(Misconfigured, match=code):
        open_s3("s3://bucket", settings)


def test_credentials_come_from_a_file_or_the_environment(
    seaweed: S3Server, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "credentials"
    pair = "aws_access_key_id = {}\naws_secret_access_key = {}\n".format(*servers.ADMIN)
    file.write_text(f"[default]\n{pair}[second]\n{pair}")
    for profile in ("", "second"):
        settings = {"endpoint": seaweed.endpoint, "credentials": str(file), "profile": profile}
        assert open_s3(address, settings).size("c/1") is None
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", seaweed.endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", servers.ADMIN[0])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", servers.ADMIN[1])
    assert open_s3(address, {}).size("c/1") is None


def test_without_credentials_it_says_where_to_put_them(
    seaweed: S3Server, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(Misconfigured, match="remote-credentials-missing"):
        open_s3(address, {"endpoint": seaweed.endpoint}).size("c/1")


def test_no_secret_is_shown(seaweed: S3Server, address: str) -> None:
    settings = {**seaweed.settings(("AKIAVISIBLE", "TOPSECRET")), "session_token": "TOKENSECRET"}
    remote = open_s3(address, settings)
    shown = [repr(remote), str(remote), remote.name, repr(Wishes.of(settings))]
    with pytest.raises(LoanHubError) as caught:
        remote.probe()
    shown += [repr(caught.value), str(caught.value), *(str(say(caught.value, lang)) for lang in LANGS)]
    assert not [text for text in shown for word in ("AKIAVISIBLE", "SECRET") if word in text]


def test_it_joins_by_the_hook_and_loads_nothing_before_it_is_used() -> None:
    (kind,) = remotes()
    assert (kind.scheme, kind.open) == ("s3", open_s3)
    light = "import sys, loanhub_remote_s3 as p; p.remotes(); sys.exit('boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", light], check=False).returncode == 0


def test_every_note_and_error_has_words() -> None:
    source = "".join(p.read_text() for p in Path("plugins/loanhub_remote_s3").glob("*.py"))
    codes = {
        word for word in source.replace("(", " ").replace(",", " ").split() if word.startswith('"remote-')
    }
    assert len(codes) >= 16
    assert {code.strip('":)') for code in codes} <= catalogue().keys()
