"""Object storage: what is refused and how that is called, where settings come from, that no secret shows."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from loanhub import Busy, Capabilities, LoanHubError, Misconfigured, NotAllowed
from loanhub.testing import servers
from loanhub.testing.servers import S3Server
from loanhub.texts import LANGS, catalogue, say
from loanhub_remote_s3 import open_s3, remotes
from loanhub_remote_s3.opening import Place, Wishes, dialect_of
from tests.plugins import storms

# -- refusals, each in its own words ---------------------------------------------------------------------


@pytest.mark.parametrize("who", [("demo-key", "wrong-secret"), ("nobody", "wrong-secret")])
def test_wrong_credentials_are_refused_in_every_call(
    seaweed: S3Server, address: str, who: tuple[str, str]
) -> None:
    remote = open_s3(address, seaweed.settings(who))
    for call, _ in [*storms.calls(remote), (remote.probe, None)]:
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
        (403, "SecondLevelDomainForbidden", Misconfigured, "remote-request-refused"),
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
    remote = storms.opened(line, seaweed, address, patience=0.2)
    line.always = storms.refusing(status, code)
    with pytest.raises(kind, match=said):
        remote.put_new("c/1", b"first")


def test_credentials_that_may_only_read_can_restore(
    line: storms.Line, seaweed: S3Server, address: str
) -> None:
    open_s3(address, seaweed.settings()).put_new("c/1", b"first")
    remote = storms.opened(line, seaweed, address)

    def read_only(one: storms.Exchange) -> None:
        one.refuse(403, "AccessDenied") if one.method in ("PUT", "DELETE") else one.pass_through()

    line.always = read_only
    assert remote.probe() == Capabilities(False, False, False, False, False)
    assert remote.probe().notes == ("remote-read-only",)
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
    dialect = dialect_of(endpoint)
    assert (dialect.addressing, dialect.condition) == (addressing, condition)


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
        ({"signature": "none"}, "remote-setting-wrong"),
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


def test_a_server_on_this_computer_is_not_looked_for_behind_a_proxy(
    seaweed: S3Server, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = servers._free_ports(1)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    assert open_s3(address, {**seaweed.settings(), "patience": 0.1}).size("c/1") is None


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
