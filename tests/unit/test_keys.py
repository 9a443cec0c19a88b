"""The keyring: what opens it, what does not, and what it never gives away."""

from __future__ import annotations

import ast
import copy
import json
import os
import pickle
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from loanhub import errors, keys, texts
from loanhub.errors import Damaged, LoanHubError, Misconfigured, NotAllowed, NotFound, Stale, Usage
from loanhub.keys import (
    BUILT_IN_SLOTS,
    DamagedSlot,
    Keyring,
    Place,
    SealKey,
    Secret,
    Slot,
    SlotKind,
    SlotPlace,
    Wrapped,
    bind,
    file_place,
    new_key_file,
    new_recovery_key,
    open_sealed,
    read_key_file,
    read_recovery_text,
    seal,
    unwrap_master,
    wrap_master,
)
from loanhub.keys import recovery as recovery_module

CHEAP = {"memory_kib": 64, "time": 1, "lanes": 1}
PASSPHRASE = "三只纸船过河去"
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


def at_noon() -> datetime:
    return NOON


def create(path: Path | Place, **more: object) -> tuple[Keyring, Secret]:
    return Keyring.create(path, PASSPHRASE, parameters=CHEAP, now=at_noon, **more)  # type: ignore[arg-type]


class Shelf:
    """A keyring kept in memory, as a vault keeps one."""

    def __init__(self, content: bytes | None = None) -> None:
        self.content = content
        self.place = Place(lambda: self.content, self.put)

    def put(self, content: bytes) -> None:
        self.content = content

    def edit(self, change: object) -> None:
        fields = json.loads(self.content or b"")
        change(fields)  # type: ignore[operator]
        self.content = json.dumps(fields).encode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "keyring.json"


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def code_of(caught: pytest.ExceptionInfo[LoanHubError]) -> str:
    return caught.value.code


# Ways in --------------------------------------------------------------------------------------------------


def test_the_passphrase_and_the_recovery_key_open_the_same_keys(path: Path) -> None:
    made, recovery = create(path)
    for secret in (PASSPHRASE, recovery, (recovery.text() or "").lower().replace("-", " ")):
        assert Keyring.open(path, secret).purpose("database").reveal() == made.purpose("database").reveal()


def test_a_key_file_opens_a_home_that_starts_without_a_person(path: Path, tmp_path: Path) -> None:
    key_file = tmp_path / "stick.key"
    made, _ = Keyring.create(path, new_key_file(key_file), kind="key-file")
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    opened = Keyring.open(path, read_key_file(key_file))
    assert opened.purpose("field").reveal() == made.purpose("field").reveal()
    with pytest.raises(Usage, match="key-file-exists"):
        new_key_file(key_file)
    with pytest.raises(NotAllowed, match="wrong-key-file"):
        Keyring.open(path, os.urandom(32))


def test_a_wrong_passphrase_is_refused_with_exit_status_6(path: Path) -> None:
    create(path)
    with pytest.raises(NotAllowed) as caught:
        Keyring.open(path, "三只纸船过河来")
    assert (code_of(caught), caught.value.exit_status) == ("wrong-passphrase", 6)


def test_the_same_passphrase_typed_by_another_keyboard_opens(shelf: Shelf) -> None:
    Keyring.create(shelf.place, "cafe\u0301 door", parameters=CHEAP)
    Keyring.open(shelf.place, "caf\u00e9 door")


def test_the_default_passphrase_slot_costs_64_mebibytes(path: Path) -> None:
    made, _ = Keyring.create(path, PASSPHRASE)
    first = made.slots[0]
    assert isinstance(first, Slot)
    assert first.wrapped.parameters == {"memory_kib": 65536, "time": 3, "lanes": 4}
    Keyring.open(path, PASSPHRASE)


def test_another_homes_recovery_key_is_told_from_a_mistyped_one(path: Path) -> None:
    _, recovery = create(path)
    with pytest.raises(NotAllowed, match="wrong-recovery-key"):
        Keyring.open(path, new_recovery_key(), kind="recovery")
    typed = recovery.text() or ""
    wrong = typed[:6] + ("0" if typed[6] != "0" else "1") + typed[7:]
    with pytest.raises(Usage) as caught:
        Keyring.open(path, wrong)
    assert (code_of(caught), caught.value.facts) == ("recovery-key-mistyped", {"group": 2})


def test_a_mistyped_recovery_key_costs_no_slow_derivation(shelf: Shelf) -> None:
    _, recovery = create(shelf.place)
    asked = []

    def slow(wrapped: Wrapped, secret: Secret, place: SlotPlace) -> Secret:
        asked.append(place.slot)
        raise NotAllowed("wrong-passphrase")

    passphrase = BUILT_IN_SLOTS["passphrase"]
    kinds = {
        **BUILT_IN_SLOTS,
        "passphrase": SlotKind("passphrase", passphrase.wrap, slow, passphrase.accepts),
    }
    with pytest.raises(Usage):
        Keyring.open(shelf.place, (recovery.text() or "")[:-1] + "*", kinds=kinds, kind="recovery")
    with pytest.raises(Usage):
        Keyring.open(shelf.place, (recovery.text() or "")[:-1], kinds=kinds)
    assert asked == []
    with pytest.raises(NotAllowed):
        Keyring.open(shelf.place, "something else", kinds=kinds)
    assert len(asked) == 1


def test_a_secret_of_a_kind_without_a_slot_is_refused(path: Path) -> None:
    create(path)
    with pytest.raises(NotAllowed, match="keyring-no-such-slot"):
        Keyring.open(path, os.urandom(32))


def test_an_empty_passphrase_is_refused(path: Path) -> None:
    with pytest.raises(Usage, match="passphrase-empty"):
        Keyring.create(path, "")
    assert not path.exists()


# Slots ----------------------------------------------------------------------------------------------------


def test_a_changed_passphrase_keeps_every_key_and_refuses_the_old_one(path: Path) -> None:
    made, _ = create(path)
    before = made.purpose("archive").reveal()
    made.rewrap(made.slots[0].id, "另一句更长的口令")
    with pytest.raises(NotAllowed):
        Keyring.open(path, PASSPHRASE)
    assert Keyring.open(path, "另一句更长的口令").purpose("archive").reveal() == before
    assert made.slots[0].wrapped.parameters == CHEAP  # type: ignore[union-attr]


def test_slots_come_and_go_but_the_last_one_stays(path: Path) -> None:
    made, recovery = create(path)
    second = made.add_slot("passphrase", "给第二个人的口令", label="manager\n\x1b[2J", parameters=CHEAP)
    assert made.slots[-1].label == "manager??[2J"  # type: ignore[union-attr]
    Keyring.open(path, "给第二个人的口令")
    made.remove_slot(second)
    with pytest.raises(NotAllowed):
        Keyring.open(path, "给第二个人的口令")
    made.remove_slot(made.slots[0].id)
    with pytest.raises(Usage, match="keyring-last-slot"):
        made.remove_slot(made.slots[0].id)
    with pytest.raises(NotFound, match="slot-unknown"):
        made.remove_slot("00000000")
    Keyring.open(path, recovery)


def test_a_damaged_slot_locks_nobody_out_and_is_named(shelf: Shelf) -> None:
    _, recovery = create(shelf.place)
    shelf.edit(lambda fields: fields["slots"][0].update(salt="00" * 16))
    opened = Keyring.open(shelf.place, recovery)
    assert isinstance(opened.slots[0], DamagedSlot)
    with pytest.raises(Damaged, match="keyring-slot-damaged") as caught:
        Keyring.open(shelf.place, PASSPHRASE)
    assert caught.value.exit_status == 7
    opened.add_slot("passphrase", PASSPHRASE, parameters=CHEAP)
    Keyring.open(shelf.place, PASSPHRASE)
    with pytest.raises(NotAllowed, match="wrong-secret-or-damaged-slot"):
        Keyring.open(shelf.place, "wrong")
    opened.remove_slot(opened.slots[0].id)
    with pytest.raises(NotAllowed, match="wrong-passphrase"):
        Keyring.open(shelf.place, "wrong")


def test_a_slot_does_not_open_in_another_keyring(shelf: Shelf) -> None:
    create(shelf.place)
    other = Shelf()
    create(other.place)
    stolen = json.loads(shelf.content or b"")["slots"]
    other.edit(lambda fields: fields.update(slots=stolen))
    with pytest.raises(Damaged):
        Keyring.open(other.place, PASSPHRASE)


def public_key_slots() -> SlotKind:
    """A public recovery key, as a plugin would add it: the wrapping side holds nothing that opens."""

    def slot_key(private: X25519PrivateKey, other: bytes, public: bytes, place: SlotPlace) -> Secret:
        agreed = private.exchange(X25519PublicKey.from_public_bytes(other))
        return Secret(keys.SUITES[place.suite].derive(agreed, public, "plugin-x25519"))

    def wrap(master: Secret, public: Secret, place: SlotPlace, parameters: object) -> Wrapped:
        once = X25519PrivateKey.generate()
        key = slot_key(once, public.reveal(), public.reveal(), place)
        return Wrapped(once.public_key().public_bytes_raw(), {}, wrap_master(master, key, place))

    def unwrap(wrapped: Wrapped, secret: Secret, place: SlotPlace) -> Secret:
        private = X25519PrivateKey.from_private_bytes(secret.reveal())
        key = slot_key(private, wrapped.salt, private.public_key().public_bytes_raw(), place)
        return unwrap_master(wrapped.key, key, place, "wrong-key-file")

    return SlotKind("x25519", wrap, unwrap, lambda secret: len(secret) == 32, same_secret=False)


def test_a_plugins_slot_kind_wraps_and_opens(shelf: Shelf) -> None:
    private = X25519PrivateKey.generate()
    kinds = {**BUILT_IN_SLOTS, "x25519": public_key_slots()}
    made, _ = create(shelf.place, kinds=kinds)
    made.add_slot("x25519", private.public_key().public_bytes_raw())
    opened = Keyring.open(shelf.place, private.private_bytes_raw(), kind="x25519", kinds=kinds)
    assert opened.purpose("audit").reveal() == made.purpose("audit").reveal()
    without_plugin = Keyring.open(shelf.place, PASSPHRASE)
    without_plugin.add_epoch()
    assert Keyring.open(shelf.place, private.private_bytes_raw(), kinds=kinds).current_epoch == 2
    with pytest.raises(NotAllowed):
        Keyring.open(shelf.place, private.public_key().public_bytes_raw(), kind="x25519", kinds=kinds)
    with pytest.raises(Misconfigured, match="slot-kind-unknown"):
        without_plugin.add_slot("x25519", private.public_key().public_bytes_raw())


# The file -------------------------------------------------------------------------------------------------


def test_the_file_is_for_its_owner_only_and_never_overwritten(path: Path) -> None:
    create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(Usage, match="keyring-exists"):
        create(path)


def test_an_unknown_field_anywhere_is_refused(shelf: Shelf) -> None:
    _made, recovery = create(shelf.place)
    whole = shelf.content

    def refused(change: object) -> str:
        shelf.content = whole
        shelf.edit(change)
        with pytest.raises(Misconfigured) as caught:
            Keyring.open(shelf.place, recovery)
        assert code_of(caught) == "keyring-unknown-field"
        return str(caught.value.facts["field"])

    def in_slot(fields: dict[str, list[dict[str, str]]]) -> None:
        slot = fields["slots"][0]
        slot["expires\n"] = "2027"
        slot["sum"] = keys.document._sum(slot)

    assert refused(lambda fields: fields.update(policy={})) == "policy"
    assert refused(lambda fields: fields["epochs"][0].update(sealed=True)) == "epochs.sealed"
    assert refused(in_slot) == "slots.expires\\n"


def test_an_unknown_slot_parameter_or_one_that_eats_the_machine_is_refused(shelf: Shelf) -> None:
    _made, _ = create(shelf.place)
    whole = shelf.content
    for parameters, code in (
        ({**CHEAP, "pepper": 1}, "keyring-unknown-field"),
        ({**CHEAP, "memory_kib": 2**31}, "keyring-parameter"),
        ({**CHEAP, "time": 0}, "keyring-parameter"),
        ({"time": 1}, "keyring-slot-damaged"),
    ):

        def change(fields: dict[str, list[dict[str, object]]], parameters: object = parameters) -> None:
            slot = fields["slots"][0]
            slot["parameters"] = parameters
            slot["sum"] = keys.document._sum(slot)

        shelf.content = whole
        shelf.edit(change)
        with pytest.raises(LoanHubError, match=code):
            Keyring.open(shelf.place, PASSPHRASE)


def test_a_keyring_of_a_newer_version_is_refused_by_name(shelf: Shelf) -> None:
    create(shelf.place)
    shelf.edit(lambda fields: fields.update(version=2, surprise=1))
    with pytest.raises(Misconfigured, match="keyring-newer-version"):
        Keyring.peek(shelf.place)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b"{}", b"[" * 100_000, b'{"format": "other"}']
)
def test_what_is_no_keyring_is_damaged(content: bytes) -> None:
    with pytest.raises(Damaged, match="keyring-damaged"):
        Keyring.open(Shelf(content).place, PASSPHRASE)


def test_a_missing_keyring_is_not_found(path: Path) -> None:
    with pytest.raises(NotFound, match="keyring-missing"):
        Keyring.open(path, PASSPHRASE)


def test_a_forged_fact_is_found_when_the_keyring_opens(shelf: Shelf) -> None:
    made, recovery = create(shelf.place)
    made.add_epoch()
    whole = shelf.content
    for change in (
        lambda fields: fields.update(recovery_proven="2026-01-01"),
        lambda fields: fields["epochs"].pop(),
        lambda fields: fields["epochs"][1].update(suite=2),
        lambda fields: fields["epochs"][0]["checks"].update(database="00" * 8),
        lambda fields: fields.update(revision=1),
    ):
        shelf.content = whole
        shelf.edit(change)
        with pytest.raises(Damaged, match="keyring-damaged"):
            Keyring.open(shelf.place, recovery)


@settings(max_examples=1500, deadline=None)
@given(st.data())
def test_no_flipped_bit_in_the_file_ever_gives_other_keys(data: st.DataObject) -> None:
    whole = KEPT.content or b""
    at = data.draw(st.integers(0, len(whole) * 8 - 1))
    changed = bytearray(whole)
    changed[at // 8] ^= 1 << at % 8
    for secret in (PASSPHRASE, RECOVERY):
        try:
            opened = Keyring.open(Shelf(bytes(changed)).place, secret)
        except LoanHubError:
            continue
        assert opened.purpose("database").reveal() == KEPT_KEY


KEPT = Shelf()
_kept, RECOVERY = create(KEPT.place)
KEPT_KEY = _kept.purpose("database").reveal()


def test_a_change_over_somebody_elses_change_is_refused(path: Path) -> None:
    one, _ = create(path)
    other = Keyring.open(path, PASSPHRASE)
    one.add_epoch()
    with pytest.raises(Stale, match="keyring-changed"):
        other.add_epoch()
    assert other.current_epoch == 1
    assert Keyring.open(path, PASSPHRASE).current_epoch == 2


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(path: Path) -> None:
    _made, _ = create(path)
    before = path.read_bytes()

    def full(path: Path, mode: int) -> None:
        raise OSError("disk full")

    opened = Keyring.open(file_place(path, protect=full), PASSPHRASE)
    with pytest.raises(OSError, match="disk full"):
        opened.add_epoch()
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["keyring.json"]
    assert opened.current_epoch == 1


# Keys -----------------------------------------------------------------------------------------------------


def test_each_purpose_and_each_epoch_has_its_own_key(path: Path) -> None:
    made, _ = create(path)
    made.add_epoch()
    found = {made.purpose(name, epoch).reveal() for name in (*keys.PURPOSES, "webhooks") for epoch in (1, 2)}
    assert len(found) == 2 * (len(keys.PURPOSES) + 1)
    assert {len(key) for key in found} == {32}
    with pytest.raises(NotFound, match="key-epoch-unknown"):
        made.purpose("field", 3)
    for name in ("", "Field", "a b", "地"):
        with pytest.raises(Usage, match="purpose-name"):
            made.purpose(name)


def test_after_a_new_epoch_old_values_open_and_new_ones_are_written_with_it(path: Path) -> None:
    made, _ = create(path)
    aad = bind("customer", "bank_card", 7)
    old = seal(made.seal_key("field"), b"6200", aad)
    assert made.add_epoch() == made.current_epoch == 2
    new = seal(made.seal_key("field"), b"6200", aad)
    opened = Keyring.open(path, PASSPHRASE)
    assert keys.open_many(opened.seal_keys("field"), [old, None, new], [aad] * 3) == [b"6200", None, b"6200"]
    assert keys.epochs_in([old, None, new, new]) == {1: 1, 2: 2}


def test_a_home_moves_to_the_national_suite_with_its_next_epoch(path: Path) -> None:
    made, _ = create(path)
    old = seal(made.seal_key("field"), b"x", b"")
    made.add_epoch(suite=3)
    new = seal(made.seal_key("field"), b"x", b"")
    opened = Keyring.open(path, PASSPHRASE)
    assert [keys.label_of(value).suite for value in (old, new)] == [1, 3]
    assert keys.open_many(opened.seal_keys("field"), [old, new], [b"", b""]) == [b"x", b"x"]
    with pytest.raises(Misconfigured, match="suite-unknown"):
        made.add_epoch(suite=9)


@pytest.mark.parametrize("suite", [1, 2, 3])
def test_a_keyring_of_every_suite_opens(shelf: Shelf, suite: int) -> None:
    made, recovery = create(shelf.place, suite=suite)
    for secret in (PASSPHRASE, recovery):
        assert Keyring.open(shelf.place, secret).purpose("field").check == made.purpose("field").check


def test_a_key_check_says_without_a_secret_whose_key_a_file_needs(path: Path, shelf: Shelf) -> None:
    made, _ = create(path)
    made.add_epoch()
    foreign, _ = create(shelf.place)
    facts = Keyring.peek(path)
    assert facts.owner_of(made.purpose("database", 1).check) == ("database", 1)
    assert facts.owner_of(foreign.purpose("database", 1).check) is None
    sealed = seal(made.seal_key("archive"), b"x", b"")
    assert facts.owner_of(keys.label_of(sealed).check) == ("archive", 2)
    assert facts.home == made.home != foreign.home


def test_a_plugins_purpose_is_declared_for_all_epochs(path: Path) -> None:
    made, _ = create(path)
    made.add_epoch()
    made.declare("webhooks")
    made.declare("webhooks")
    opened = Keyring.open(path, PASSPHRASE)
    for epoch in (1, 2):
        assert opened.owner_of(opened.purpose("webhooks", epoch).check) == ("webhooks", epoch)


def test_recovery_is_proven_by_typing_it_back_and_a_new_one_is_not_proven(path: Path) -> None:
    made, recovery = create(path)
    assert made.recovery_proven is None
    with pytest.raises(NotAllowed):
        made.prove_recovery(new_recovery_key())
    assert made.recovery_proven is None
    made.prove_recovery(recovery)
    assert Keyring.peek(path).recovery_proven == "2026-05-20"
    made.rewrap(made.slots[1].id, new_recovery_key())
    assert Keyring.peek(path).recovery_proven is None


# What is never given away ---------------------------------------------------------------------------------


def test_no_secret_is_shown_pickled_or_stored_in_the_clear(path: Path) -> None:
    made, recovery = create(path)
    key = made.purpose("database")
    everything = "".join(
        f"{thing!r} {thing!s} {thing:>9}" if isinstance(thing, Secret) else f"{thing!r} {thing!s}"
        for thing in (made, recovery, key, key.seal_key, key.blind_key("card"), made.document, made._opened)
    )
    master = made._opened.master.reveal()
    stored = path.read_text(encoding="utf-8")
    for secret in (master, key.reveal(), made._opened.epochs[1].reveal()):
        for shown in (everything, stored):
            assert secret.hex() not in shown
            assert repr(secret) not in shown
    for word in (PASSPHRASE, recovery.text() or "", (recovery.text() or "").replace("-", "")):
        assert word not in everything + stored
    for thing in (made, recovery, key, key.seal_key, key.blind_key("card"), made._opened):
        with pytest.raises(TypeError):
            pickle.dumps(thing)


def test_a_secret_compares_copies_and_hides(path: Path) -> None:
    secret = Secret("暗号")
    assert secret == Secret("暗号".encode()) != Secret("口令")
    assert copy.deepcopy([secret])[0] is copy.copy(secret) is secret
    assert f"{secret}" == str(secret) == repr(secret) == "***"
    with pytest.raises(AttributeError):
        secret._value = "x"
    with pytest.raises(TypeError):
        hash(secret)


def test_errors_of_the_keyring_never_hold_what_was_typed(path: Path) -> None:
    create(path)
    for secret in ("my dog is called Pixel", "00000-" * 8 + "0000U", b"\x07" * 32):
        with pytest.raises(LoanHubError) as caught:
            Keyring.open(path, secret)
        assert not re.search("Pixel|0000U|x07", f"{caught.value!r}{caught.value.facts}")


def raised_codes() -> list[tuple[str, set[str]]]:
    """(code, names of its facts) of every error that the package makes."""
    modules = Path(keys.__file__).parent.glob("*.py")
    calls = [
        node
        for module in modules
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(getattr(errors, getattr(node.func, "id", ""), None), type)
    ]
    found = [(call.args[0], {str(fact.arg) for fact in call.keywords}) for call in calls]
    codes = [(str(code.value), facts) for code, facts in found if isinstance(code, ast.Constant)]
    return [*codes, ("wrong-passphrase", set()), ("wrong-recovery-key", set()), ("wrong-key-file", set())]


def test_every_code_has_words_in_both_languages_and_is_given_their_facts() -> None:
    raised = raised_codes()
    assert len(raised) > 50
    for code, facts in raised:
        words = texts.catalogue()[code]
        assert set(words) == {"zh", "en", "hint_zh", "hint_en"}, code
        assert set(re.findall(r"\{(\w+)\}", "".join(words.values()))) <= facts, code


# The recovery key -----------------------------------------------------------------------------------------

recovery_bytes = st.binary(min_size=20, max_size=20)


@given(recovery_bytes)
def test_a_printed_key_is_read_back_however_it_is_typed(key: bytes) -> None:
    text = recovery_module.recovery_text(key)
    wide = "".join(chr(ord(letter) + 0xFEE0) for letter in text)
    sloppy = text.replace("1", "l").replace("0", "O").replace("-", "—")
    for typed in (text, text.lower(), f" {text.replace('-', '')}\n", wide, sloppy):
        assert keys.looks_like_recovery_key(typed)
        assert read_recovery_text(typed) == key


@given(recovery_bytes, st.integers(0, 44), st.sampled_from(recovery_module.ALPHABET))
def test_a_single_wrong_letter_is_found_and_its_group_named(key: bytes, at: int, letter: str) -> None:
    symbols = list(recovery_module.recovery_text(key).replace("-", ""))
    if symbols[at] == letter:
        letter = "U"
    symbols[at] = letter
    with pytest.raises(Usage) as caught:
        read_recovery_text("".join(symbols))
    assert caught.value.facts == {"group": at // 5 + 1}


@given(recovery_bytes, st.integers(0, 44), st.integers(0, 44))
def test_two_letters_swapped_in_a_group_or_two_groups_swapped_are_found(
    key: bytes, one: int, two: int
) -> None:
    text = recovery_module.recovery_text(key)
    symbols, groups = list(text.replace("-", "")), text.split("-")
    two = one // 5 * 5 + two % 5
    swapped = symbols.copy()
    swapped[one], swapped[two] = symbols[two], symbols[one]
    a, b = one // 5, two % 5 + (one // 5 + 1) % 5
    groups[a], groups[b] = groups[b], groups[a]
    for typed, same in (
        ("".join(swapped), swapped == symbols),
        ("-".join(groups), a == b or groups[a] == groups[b]),
    ):
        if not same:
            with pytest.raises(Usage, match="recovery-key-mistyped"):
                read_recovery_text(typed)


@pytest.mark.parametrize(
    "text",
    [
        "", "三只纸船过河去", "correct horse battery staple and some more words",
        "horse house mouse tables apple grape lemon melon peach", "a" * 45, "12345678", "x" * 2000,
    ],
)  # fmt: skip
def test_a_passphrase_is_not_taken_for_a_recovery_key(text: str) -> None:
    assert not keys.looks_like_recovery_key(text)


def test_a_sealing_key_of_another_length_is_never_made() -> None:
    for wrong in (b"", b"k" * 31, b"k" * 33):
        with pytest.raises(ValueError):
            SealKey(1, 1, Secret(wrong))
    with pytest.raises(Misconfigured):
        SealKey(0, 1, Secret(b"k" * 32))
    assert (
        open_sealed(SealKey(1, 1, Secret(b"k" * 32)), seal(SealKey(1, 1, Secret(b"k" * 32)), b"", b""), b"")
        == b""
    )
