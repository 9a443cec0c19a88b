"""The slot of a public recovery key: locked for somebody who is not here, opened by nobody else."""

from __future__ import annotations

from base64 import b32encode
from contextlib import suppress
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loanhub.errors import Damaged, LoanHubError, Misconfigured, NotAllowed, NotFound, Usage
from loanhub.keys import (
    BUILT_IN_SLOTS,
    Keyring,
    Secret,
    SlotPlace,
    is_private_key,
    new_pair,
    new_private_file,
    public_line_of,
    read_key_file,
)

CHEAP = {"memory_kib": 8, "time": 1, "lanes": 1}
PLACE = SlotPlace("00" * 16, "0badcafe", "public", 1)
MASTER = Secret(bytes(range(32)))
SLOT = BUILT_IN_SLOTS["public"]


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring.create(tmp_path / "keyring.json", "三只纸船", parameters=CHEAP)[0]


def test_head_office_opens_with_its_private_key_what_was_locked_for_its_public_one(
    keyring: Keyring, tmp_path: Path
) -> None:
    line = new_private_file(tmp_path / "headoffice.key")
    keyring.add_slot("public", line, label="总部")
    private = read_key_file(tmp_path / "headoffice.key")
    opened = Keyring.open(tmp_path / "keyring.json", private)
    assert opened.purpose("database").reveal() == keyring.purpose("database").reveal()
    assert [slot.kind for slot in opened.slots] == ["passphrase", "recovery", "public"]  # type: ignore[union-attr]


def test_the_line_that_is_handed_over_opens_nothing(keyring: Keyring, tmp_path: Path) -> None:
    _, line = new_pair()
    keyring.add_slot("public", line)
    with pytest.raises(NotAllowed):
        Keyring.open(tmp_path / "keyring.json", line)


def test_another_private_key_is_refused_by_name(keyring: Keyring, tmp_path: Path) -> None:
    keyring.add_slot("public", new_pair()[1])
    with pytest.raises(NotAllowed, match="wrong-private-key"):
        Keyring.open(tmp_path / "keyring.json", new_pair()[0])


def test_the_passphrase_still_opens_beside_it_and_a_private_key_is_never_tried_as_one(
    keyring: Keyring, tmp_path: Path
) -> None:
    private, _ = new_pair()
    with pytest.raises(NotAllowed, match=r"keyring-no-such-slot|wrong-passphrase"):
        Keyring.open(tmp_path / "keyring.json", private)
    keyring.add_slot("public", new_pair()[1])
    Keyring.open(tmp_path / "keyring.json", "三只纸船")


def test_a_file_of_a_pair_is_private_is_not_written_over_and_names_its_public_key(tmp_path: Path) -> None:
    path = tmp_path / "pair.key"
    line = new_private_file(path)
    assert path.stat().st_mode & 0o077 == 0
    assert public_line_of(read_key_file(path)) == line
    assert line in path.read_text(encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(Usage, match="key-file-exists"):
        new_private_file(path)
    assert path.read_bytes() == before
    with pytest.raises(NotFound, match="key-file-missing"):
        read_key_file(tmp_path / "none")


def test_a_key_as_text_is_read_as_people_copy_it() -> None:
    private, line = new_pair()
    text = private.text() or ""
    assert is_private_key(f"  {text.upper()}\n")
    spaced = Secret(f" {text[:30]} {text[30:]}\r\n")
    assert public_line_of(spaced) == line
    wide = Secret("".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text))
    assert public_line_of(wide) == line


def test_every_slip_in_a_line_is_found() -> None:
    _, line = new_pair()
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    for at in range(len("loanhub-public-"), len(line)):
        for symbol in alphabet:
            if symbol != line[at]:
                with pytest.raises(Usage, match="pair-text"):
                    SLOT.wrap(MASTER, Secret(line[:at] + symbol + line[at + 1 :]), PLACE, {})
    for wrong in (
        "",
        "loanhub-public-",
        line[:-1],
        line + "a",
        line.replace("public", "private"),
        "普通口令",
    ):
        with pytest.raises(Usage, match="pair-text"):
            SLOT.wrap(MASTER, Secret(wrong), PLACE, {})


def test_a_public_key_of_low_order_is_refused() -> None:
    """With it everybody would come to the same shared secret. The points: RFC 7748, section 6.1."""
    import hashlib

    for point in (bytes(32), bytes([1]) + bytes(31)):
        check = hashlib.sha256(b"loanhub-public-1" + point).digest()[:4]
        line = "loanhub-public-" + b32encode(point + check).decode().rstrip("=").lower()
        with pytest.raises(Damaged, match="keyring-slot-damaged"):
            SLOT.wrap(MASTER, Secret(line), PLACE, {})


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_a_slot_opens_in_its_own_place_only_and_every_changed_bit_is_noticed(suite: int) -> None:
    private, line = new_pair()
    place = evolve(PLACE, suite=suite)
    wrapped = SLOT.wrap(MASTER, Secret(line), place, {})
    assert SLOT.unwrap(wrapped, private, place) == MASTER
    for other in (evolve(place, home="11" * 16), evolve(place, slot="deadbeef"), evolve(place, kind="other")):
        with pytest.raises(LoanHubError):
            SLOT.unwrap(wrapped, private, other)
    for at in range(len(wrapped.key)):
        flipped = bytearray(wrapped.key)
        flipped[at] ^= 1
        with pytest.raises(LoanHubError):
            SLOT.unwrap(evolve(wrapped, key=bytes(flipped)), private, place)
    for at in range(31):  # the last bit of a point is not looked at (RFC 7748, section 5)
        sent = bytearray(wrapped.salt)
        sent[at] ^= 1
        with pytest.raises(LoanHubError):
            SLOT.unwrap(evolve(wrapped, salt=bytes(sent)), private, place)


def test_what_a_slot_may_not_hold_is_refused() -> None:
    private, line = new_pair()
    with pytest.raises(Misconfigured, match="keyring-unknown-field"):
        SLOT.wrap(MASTER, Secret(line), PLACE, {"memory_kib": 8})
    wrapped = SLOT.wrap(MASTER, Secret(line), PLACE, {})
    with pytest.raises(Misconfigured, match="keyring-unknown-field"):
        SLOT.unwrap(evolve(wrapped, parameters={**wrapped.parameters, "more": 1}), private, PLACE)
    for broken in ({}, {"public": 5}, {"public": "zz"}, {"public": "00"}):
        with pytest.raises(Damaged, match="keyring-slot-damaged"):
            SLOT.unwrap(evolve(wrapped, parameters=broken), private, PLACE)
    with pytest.raises(Damaged, match="keyring-slot-damaged"):
        SLOT.unwrap(evolve(wrapped, salt=b"short"), private, PLACE)


@settings(max_examples=200)
@given(st.text(max_size=120) | st.from_regex(r"loanhub-(public|private)-[a-z2-7]{50,66}", fullmatch=True))
@example("loanhub-private-" + "a" * 58)
def test_any_text_is_a_key_or_refused(text: str) -> None:
    for read in (lambda: SLOT.wrap(MASTER, Secret(text), PLACE, {}), lambda: public_line_of(Secret(text))):
        with suppress(Usage):  # and nothing else
            read()
