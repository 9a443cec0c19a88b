"""The log that nobody can forge: chained, summed up by a tree, signed so that others can check it."""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from loanhub import audit
from loanhub.acts import Act, Facts
from loanhub.audit import Entry, Head, Line
from loanhub.audit.merkle import EMPTY_ROOT, Tree, leads_to, path_of, root_of
from loanhub.audit.notes import Checkpoint, read_note, signed_note, verifier_key
from loanhub.errors import Damaged, NotFound
from loanhub.home import FOLDERS, Home
from loanhub.institution import Institution
from loanhub.keys import Keyring, Secret, new_signing_key, public_key
from loanhub.policy import system
from loanhub.services.office import acts, auditing
from loanhub.settings import write

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
HASHES = [hashlib.sha256(bytes([n])).digest() for n in range(70)]


def log(count: int) -> list[Line]:
    head, lines = Head(0, audit.EMPTY), list[Line]()
    for n in range(count):
        who = evolve(
            system(f"job{n % 3}"), session="ab12" if n % 2 else "", address="10.0.0.9" if n % 5 else ""
        )
        entry = Entry(
            NOON + timedelta(seconds=n), who, "customer.edit", f"customer:{n}", ("customer.name",), "why"
        )
        lines.append(audit.link(head, evolve(entry, counts={"customer.changed": n})))
        head = Head(lines[-1].seq, lines[-1].hash)
    return lines


# -- the chain -----------------------------------------------------------------------------------------


def test_a_thousand_single_edits_are_all_found_and_named() -> None:
    lines, chance = log(200), random.Random(7)
    texts = ("who", "role", "via", "act", "object", "reason", "outcome", "session", "address")
    assert audit.check(lines) == 200
    for _ in range(1000):
        at = chance.randrange(200)
        field = chance.choice([*texts, "at", "fields", "counts", "seq", "previous", "hash"])
        line = lines[at]
        other = {
            "at": line.at + timedelta(microseconds=1),
            "fields": (*line.fields, "customer.mobile"),
            "counts": {**line.counts, "more": 1},
            "seq": line.seq + 1,
            "previous": bytes(32) if at else bytes([1]) * 32,
            "hash": hashlib.sha256(line.hash).digest(),
        }.get(field, f"{getattr(line, field, '')}x")
        forged = [*lines[:at], evolve(line, **{field: other}), *lines[at + 1 :]]
        with pytest.raises(Damaged, match="audit-broken") as found:
            audit.check(forged)
        assert found.value.facts["seq"] == at + 1


def test_lines_dropped_swapped_or_added_are_found() -> None:
    lines = log(9)
    for forged in (
        lines[1:],
        [*lines[:4], *lines[5:]],
        [*lines[:4], lines[5], lines[4], *lines[6:]],
        [*lines[:5], lines[4], *lines[5:]],
    ):
        with pytest.raises(Damaged, match="audit-broken"):
            audit.check(forged)
    assert audit.check(lines[4:], Head(4, lines[3].hash)) == 9


def test_a_name_cannot_forge_a_line() -> None:
    """ASVS 16.4.1."""
    entry = Entry(NOON, evolve(system("x"), name="a\r\n2 root \x1b[31m"), "act", reason="b\u2028c")
    line = audit.link(Head(0, audit.EMPTY), entry)
    assert all(text.isprintable() for text in (line.who, line.reason))


# -- the tree ------------------------------------------------------------------------------------------


def plain_root(hashes: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashlib.sha256(b"\0" + hashes[0]).digest()
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\1" + plain_root(hashes[:k]) + plain_root(hashes[k:])).digest()


def test_the_tree_is_that_of_the_rfc_at_every_size() -> None:
    tree = Tree()
    assert tree.root == EMPTY_ROOT == plain_root([])
    for size in range(1, len(HASHES) + 1):
        tree.add(HASHES[size - 1])
        assert tree.size == size
        assert tree.root == plain_root(HASHES[:size]) == root_of(HASHES[:size])


@settings(max_examples=150)
@given(st.integers(1, 70), st.data())
def test_a_path_proves_its_line_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    path, root = path_of(index, HASHES[:size]), plain_root(HASHES[:size])
    assert leads_to(HASHES[index], index, size, path, root)
    assert not leads_to(hashlib.sha256(b"other").digest(), index, size, path, root)
    assert not leads_to(HASHES[index], index, size, [*path, root], root)
    if path:
        assert not leads_to(HASHES[index], index, size, path[:-1], root)
        at = data.draw(st.integers(0, len(path) - 1))
        forged = [*path[:at], hashlib.sha256(path[at]).digest(), *path[at + 1 :]]
        assert not leads_to(HASHES[index], index, size, forged, root)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert not leads_to(HASHES[index], other, size, path, root)
    with pytest.raises(IndexError):
        path_of(size, HASHES[:size])


# -- notes ---------------------------------------------------------------------------------------------


def test_a_note_is_read_by_tools_that_know_the_form_only() -> None:
    """Taken apart as C2SP's pages say, with nothing of ours."""
    key = new_signing_key()
    note = signed_note(Checkpoint("loanhub/abc", 5, HASHES[0]), key)
    text, _, tail = note.partition("\n\n")
    assert text == f"loanhub/abc\n5\n{base64.b64encode(HASHES[0]).decode()}"
    dash, name, sealed = tail.rstrip("\n").split(" ")
    assert (dash, name) == ("\u2014", "loanhub/abc")
    name, keyhash, told = verifier_key("loanhub/abc", public_key(key)).split("+", 2)
    kind, public = base64.b64decode(told)[:1], base64.b64decode(told)[1:]
    assert kind == b"\x01"
    expected = hashlib.sha256(name.encode() + b"\n" + kind + public).digest()[:4]
    assert base64.b64decode(sealed)[:4] == expected == bytes.fromhex(keyhash)
    signature = base64.b64decode(sealed)[4:]
    Ed25519PublicKey.from_public_bytes(public).verify(signature, f"{text}\n".encode())


def test_every_changed_byte_of_a_note_is_noticed() -> None:
    key = new_signing_key()
    note = signed_note(Checkpoint("loanhub/abc", 5, HASHES[0]), key)
    assert read_note(note, public_key(key)) == Checkpoint("loanhub/abc", 5, HASHES[0])
    raw = note.encode()
    for at in range(len(raw)):
        for other in (raw[:at] + b"A" + raw[at + 1 :], raw[:at] + raw[at + 1 :]):
            if other == raw:
                continue
            with pytest.raises(Damaged, match="checkpoint-damaged"):
                read_note(other.decode("utf-8", "replace"), public_key(key))
    with pytest.raises(Damaged, match="checkpoint-damaged"):
        read_note(note, public_key(new_signing_key()))


@given(st.text(max_size=200))
def test_any_text_is_a_note_or_refused(text: str) -> None:
    with pytest.raises(Damaged, match="checkpoint-damaged"):
        read_note(text, bytes(32))


# -- at the desk ---------------------------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Institution]:
    root = tmp_path / "home"
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    Keyring.create(Home(root).keyring, "纸船", parameters={"memory_kib": 8, "time": 1, "lanes": 1})
    write(Home(root), {"institution": "示范小贷"})
    with Institution.open(root, unlock=lambda: Secret("纸船")) as house:
        say(house, 12)
        yield house


def say(house: Institution, times: int) -> None:
    act = Act("test.say", auditing.MakeCheckpoint, "x.write", lambda _, __: Facts(None, about="customer:7"))
    for _ in range(times):
        house.desk().do(act, auditing.MakeCheckpoint())


def test_the_log_is_read_page_by_page_of_one_person_act_or_object(house: Institution) -> None:
    desk = house.desk()
    first = desk.do(acts.LOG, auditing.ListLines(act="test.say", limit=5))
    assert [line.seq for line in first.results] == [1, 2, 3, 4, 5]
    rest = desk.do(acts.LOG, auditing.ListLines(act="test.say", after=first.after))
    assert (len(rest.results), rest.more) == (7, False)
    assert len(desk.do(acts.LOG, auditing.ListLines(object="customer:7")).results) == 12
    assert desk.do(acts.LOG, auditing.ListLines(who="nobody")).results == ()


def test_a_checkpoint_kept_elsewhere_finds_a_log_that_was_cut_or_rewritten(
    house: Institution, tmp_path: Path
) -> None:
    desk, note = house.desk(), tmp_path / "june.note"
    note.write_text(desk.do(acts.CHECKPOINT, auditing.MakeCheckpoint()).note, encoding="utf-8")
    say(house, 3)
    whole = desk.do(acts.VERIFY, auditing.VerifyLog((note,)))
    assert whole.checkpoints == 1
    origin, key = f"loanhub-{house.keyring.home}", Secret(house.keyring.purpose("audit", 1).reveal())
    longer = signed_note(Checkpoint(origin, whole.lines + 1, HASHES[0]), key)
    (tmp_path / "later.note").write_text(longer, encoding="utf-8")
    with pytest.raises(Damaged, match="audit-cut"):
        desk.do(acts.VERIFY, auditing.VerifyLog((note, tmp_path / "later.note")))
    other = signed_note(Checkpoint(origin, 4, HASHES[0]), key)
    (tmp_path / "other.note").write_text(other, encoding="utf-8")
    with pytest.raises(Damaged, match="audit-rewritten"):
        desk.do(acts.VERIFY, auditing.VerifyLog((tmp_path / "other.note",)))
    with pytest.raises(NotFound, match="checkpoint-missing"):
        desk.do(acts.VERIFY, auditing.VerifyLog((tmp_path / "none.note",)))
    foreign = signed_note(Checkpoint("loanhub/other", 4, HASHES[0]), key)
    (tmp_path / "foreign.note").write_text(foreign, encoding="utf-8")
    with pytest.raises(Damaged, match="checkpoint-damaged"):
        desk.do(acts.VERIFY, auditing.VerifyLog((tmp_path / "foreign.note",)))


def test_a_line_is_proven_to_somebody_who_has_only_the_proof(house: Institution) -> None:
    desk = house.desk()
    for seq in (1, 7, 12):
        proof = desk.do(acts.PROVE, auditing.ProveLine(seq))
        # From here on nothing of ours is used: SHA-256, base64, Ed25519.
        line = hashlib.sha256(b"loanhub-audit-1\n" + proof.line.encode()).digest()
        assert line.hex() == proof.hash
        text, _, tail = proof.note.partition("\n\n")
        size, root = int(text.split("\n")[1]), base64.b64decode(text.split("\n")[2])
        found, index, last = hashlib.sha256(b"\0" + line).digest(), proof.index, size - 1
        path = [base64.b64decode(one) for one in proof.path]
        while last:
            if not (index == last and index % 2 == 0):
                beside = path.pop(0)
                pair = beside + found if index % 2 else found + beside
                found = hashlib.sha256(b"\1" + pair).digest()
            index, last = index // 2, last // 2
        assert found == root
        public = base64.b64decode(proof.key.split("+", 2)[2])[1:]
        signature = base64.b64decode(tail.rstrip("\n").split(" ")[2])[4:]
        Ed25519PublicKey.from_public_bytes(public).verify(signature, f"{text}\n".encode())
    with pytest.raises(NotFound, match="audit-no-line"):
        desk.do(acts.PROVE, auditing.ProveLine(0))
