"""The slot of a key service, against a server that speaks AWS KMS and holds its keys itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from attrs import evolve
from moto.server import ThreadedMotoServer

from loanhub.errors import Busy, Damaged, LoanHubError, Misconfigured, NotAllowed
from loanhub.keys import NOBODY, Keyring, Secret, SlotPlace, Wrapped
from loanhub.plugins import Plugins
from loanhub_remote_s3.kms import KMS_SLOT

CHEAP = {"memory_kib": 8, "time": 1, "lanes": 1}
MASTER = Secret(bytes(range(32)))
PLACE = SlotPlace("00" * 16, "0badcafe", "kms", 1)


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def told(service: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The parameters of a key that was made just now."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    client = boto3.client("kms", region_name="cn-north-1", endpoint_url=service)
    key = client.create_key(Description="home")["KeyMetadata"]["KeyId"]
    return {"key": key, "region": "cn-north-1", "endpoint": service}


def test_a_home_opens_without_a_word_where_the_service_knows_the_machine(
    tmp_path: Path, told: dict[str, str]
) -> None:
    kinds = Plugins.load(like="loanhub_remote_").slots
    made, recovery = Keyring.create(tmp_path / "keyring.json", "三只纸船", parameters=CHEAP, kinds=kinds)
    with pytest.raises(NotAllowed, match="keyring-no-such-slot"):
        Keyring.open(tmp_path / "keyring.json", NOBODY, kinds=kinds)
    made.add_slot("kms", NOBODY, label="机房", parameters=told)
    opened = Keyring.open(tmp_path / "keyring.json", NOBODY, kinds=kinds)
    assert opened.purpose("field").reveal() == made.purpose("field").reveal()
    assert b"test" not in (tmp_path / "keyring.json").read_bytes(), "no credentials are kept"
    for secret in ("三只纸船", recovery):
        Keyring.open(tmp_path / "keyring.json", secret, kinds=kinds)
    Keyring.open(tmp_path / "keyring.json", "三只纸船")  # where the plugin is not installed it is passed over


def test_what_was_locked_for_one_slot_opens_in_no_other(told: dict[str, str]) -> None:
    wrapped = KMS_SLOT.wrap(MASTER, NOBODY, PLACE, told)
    assert KMS_SLOT.unwrap(wrapped, NOBODY, PLACE) == MASTER
    for other in (evolve(PLACE, home="11" * 16), evolve(PLACE, slot="deadbeef")):
        with pytest.raises(LoanHubError):
            KMS_SLOT.unwrap(wrapped, NOBODY, other)
    with pytest.raises((NotAllowed, Misconfigured, Busy)):
        KMS_SLOT.unwrap(evolve(wrapped, key=b"rubbish"), NOBODY, PLACE)


def test_a_service_that_is_away_is_no_wrong_secret(told: dict[str, str]) -> None:
    with pytest.raises(Busy, match="kms-away"):
        KMS_SLOT.wrap(MASTER, NOBODY, PLACE, {**told, "endpoint": "http://127.0.0.1:9"})


def test_a_key_that_is_not_there_is_said(told: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="kms-no-key"):
        KMS_SLOT.wrap(MASTER, NOBODY, PLACE, {**told, "key": "11111111-2222-3333-4444-555555555555"})


@pytest.mark.parametrize("wrong", [{"endpoint": "not an address"}, {"region": "no region!"}])
def test_a_place_that_is_none_is_said_and_other_slots_still_open(
    tmp_path: Path, told: dict[str, str], wrong: dict[str, str]
) -> None:
    with pytest.raises(Misconfigured, match="kms-place-wrong"):
        KMS_SLOT.wrap(MASTER, NOBODY, PLACE, {**told, **wrong})
    wrapped = KMS_SLOT.wrap(MASTER, NOBODY, PLACE, told)
    with pytest.raises(Misconfigured, match="kms-place-wrong"):
        KMS_SLOT.unwrap(evolve(wrapped, parameters={**told, **wrong}), NOBODY, PLACE)


def test_while_the_service_is_away_the_passphrase_opens(tmp_path: Path, told: dict[str, str]) -> None:
    kinds = Plugins.load(like="loanhub_remote_").slots
    made, _ = Keyring.create(tmp_path / "keyring.json", "三只纸船", parameters=CHEAP, kinds=kinds)
    made.add_slot("kms", NOBODY, parameters=told)
    content = (tmp_path / "keyring.json").read_text(encoding="utf-8")
    assert told["endpoint"] in content
    away = {**kinds, "kms": evolve(KMS_SLOT, unwrap=_away)}
    with pytest.raises(Busy, match="kms-away"):
        Keyring.open(tmp_path / "keyring.json", NOBODY, kinds=away)
    Keyring.open(tmp_path / "keyring.json", "三只纸船", kinds=away)


def _away(wrapped: Wrapped, secret: Secret, place: SlotPlace) -> Secret:
    gone = {**wrapped.parameters, "endpoint": "http://127.0.0.1:9"}
    return KMS_SLOT.unwrap(evolve(wrapped, parameters=gone), secret, place)


@pytest.mark.parametrize("wrong", [{}, {"region": "x"}, {"key": 5}])
def test_without_a_key_there_is_no_slot(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured, match="kms-key-needed"):
        KMS_SLOT.wrap(MASTER, NOBODY, PLACE, wrong)


def test_unknown_parameters_and_answers_of_another_length_are_refused(told: dict[str, str]) -> None:
    with pytest.raises(Misconfigured, match="keyring-unknown-field"):
        KMS_SLOT.wrap(MASTER, NOBODY, PLACE, {**told, "grant": "x"})
    short = KMS_SLOT.wrap(Secret(b"short"), NOBODY, PLACE, told)
    with pytest.raises(Damaged, match="keyring-slot-damaged"):
        KMS_SLOT.unwrap(short, NOBODY, PLACE)


def test_a_passphrase_is_never_shown_to_the_service() -> None:
    assert KMS_SLOT.accepts(NOBODY)
    assert not KMS_SLOT.accepts(Secret("三只纸船"))
    assert not KMS_SLOT.accepts(Secret(bytes(32)))
