"""Vault objects and signatures: what one key opens, and who wrote what."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub.errors import Damaged, LoanHubError, NotAllowed
from loanhub.keys import (
    Keyring,
    SealKey,
    Secret,
    new_signing_key,
    new_vault_object,
    public_key,
    read_vault_object,
    sign,
    signed_by,
    vault_object,
)

CHEAP = {"memory_kib": 64, "time": 1, "lanes": 1}
KEY = SealKey(1, 3, Secret(bytes(range(32))))


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_a_piece_opens_at_its_offset_in_its_object_only(suite: int) -> None:
    key = SealKey(suite, 3, Secret(bytes(range(32))))
    made = new_vault_object(key, 1)
    sealed = made.seal_at(66, False, b"piece", b"vault")
    assert read_vault_object(key, made.header).open_at(66, False, sealed, b"vault") == b"piece"
    assert vault_object(key, made.object_id, 1).open_at(66, False, sealed, b"vault") == b"piece"
    strangers = [
        (made, 67, False, b"vault"),
        (made, 66, True, b"vault"),
        (made, 66, False, b"other"),
        (vault_object(key, made.object_id, 2), 66, False, b"vault"),
        (new_vault_object(key, 1), 66, False, b"vault"),
    ]
    for other, offset, last, aad in strangers:
        with pytest.raises(Damaged, match="seal-damaged"):
            other.open_at(offset, last, sealed, aad)


@given(at=st.integers(0, 65), flip=st.integers(1, 255))
def test_any_changed_byte_of_a_header_is_found_before_anything_is_opened(at: int, flip: int) -> None:
    header = bytearray(vault_object(KEY, bytes(16), 1).header)
    header[at] ^= flip
    with pytest.raises(LoanHubError):
        read_vault_object(KEY, bytes(header))


def test_two_new_objects_never_share_a_key() -> None:
    one, two = new_vault_object(KEY, 1), new_vault_object(KEY, 1)
    assert one.object_id != two.object_id
    assert one.seal_at(66, False, b"same", b"") != two.seal_at(66, False, b"same", b"")


def test_signatures_are_those_of_the_published_example() -> None:
    """RFC 8032 section 7.1, test 2."""
    seed = Secret(bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"))
    assert public_key(seed).hex() == "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    assert sign(seed, b"\x72").hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )


def test_a_signature_fits_one_key_and_one_message() -> None:
    key, other = new_signing_key(), new_signing_key()
    signature = sign(key, b"paid")
    assert signed_by(public_key(key), b"paid", signature)
    assert not signed_by(public_key(key), b"owed", signature)
    assert not signed_by(public_key(other), b"paid", signature)
    assert not signed_by(b"short", b"paid", signature)


def test_an_open_keyring_takes_over_the_epoch_another_program_added(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    mine, _ = Keyring.create(path, "纸船", parameters=CHEAP)
    Keyring.open(path, "纸船").add_epoch()
    assert mine.current_epoch == 1
    mine.reload()
    assert mine.current_epoch == 2
    assert mine.purpose("vault").reveal() == Keyring.open(path, "纸船").purpose("vault", 2).reveal()


def test_a_keyring_of_another_home_in_its_place_is_not_taken_over(tmp_path: Path) -> None:
    path, other = tmp_path / "keyring.json", tmp_path / "other.json"
    mine, _ = Keyring.create(path, "纸船", parameters=CHEAP)
    Keyring.create(other, "纸船", parameters=CHEAP)
    other.replace(path)
    with pytest.raises((Damaged, NotAllowed)):
        mine.reload()
    assert mine.current_epoch == 1
