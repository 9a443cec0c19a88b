"""Listings are written one way and read strictly; patterns mean what they mean in a .gitignore."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub.errors import Damaged, Misconfigured, Usage
from loanhub.testing.remotes import MemoryRemote
from sync_agent.blobs import LARGEST_BLOB
from sync_agent.snapshots.entries import (
    CHANGED,
    DATABASE,
    FILE,
    FOLDER,
    LINK,
    MOST_REFERENCES,
    PART_HEAD,
    THROUGH_LISTS,
    Entry,
    is_name,
    read_part,
)
from sync_agent.snapshots.listings import LARGEST_PART, Listing, entries_of, pieces_of, shortened
from sync_agent.snapshots.patterns import Patterns
from tests.unit.blobs import MemoryBlobs
from tests.unit.vaults import new_vault

HERE = bytes(32)
names = st.binary(min_size=1, max_size=40).filter(is_name)
modes = st.integers(0, 0o7777)
times = st.integers(-(2**63), 2**63 - 1)
references = st.lists(st.tuples(st.binary(min_size=32, max_size=32), st.integers(1, 4 << 20)), max_size=4)


@st.composite
def entry(draw: st.DrawFn) -> Entry:
    """Whatever a folder may hold."""
    name, mode, mtime = draw(names), draw(modes), draw(times)
    kind = draw(st.sampled_from((FILE, FOLDER, LINK)))
    if kind == LINK:
        target = draw(st.binary(min_size=1, max_size=60).filter(lambda one: b"\0" not in one))
        return Entry(name, LINK, mode, mtime, target=target)
    found = tuple(draw(references))
    if kind == FOLDER:
        return Entry(name, FOLDER, mode, mtime, references=found)
    flags = draw(st.sampled_from((0, DATABASE, CHANGED, DATABASE | CHANGED)))
    return Entry(name, FILE, mode, mtime, sum(length for _, length in found), flags, references=found)


def part(*entries: Entry) -> bytes:
    return PART_HEAD + b"".join(one.to_bytes() for one in entries)


@given(st.lists(entry(), min_size=1, max_size=8, unique_by=lambda one: one.name))
def test_a_listing_comes_back_as_it_was_written(entries: list[Entry]) -> None:
    entries.sort(key=lambda one: one.name)
    written = part(*entries)
    assert list(read_part(written, HERE)) == entries
    assert part(*read_part(written, HERE)) == written


@given(entry(), st.data())
def test_a_listing_with_changed_bytes_is_refused_or_another_listing(one: Entry, data: st.DataObject) -> None:
    """It never fails otherwise, and what is read is exactly what stands there."""
    written = bytearray(part(one))
    for _ in range(data.draw(st.integers(1, 3))):
        written[data.draw(st.integers(0, len(written) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(written[: data.draw(st.integers(0, len(written)))])
    with contextlib.suppress(Damaged, Misconfigured):
        assert part(*read_part(cut, HERE)) == cut


@given(st.binary(max_size=300))
def test_any_bytes_are_a_listing_or_are_refused(content: bytes) -> None:
    for blob in (content, PART_HEAD + content):
        with contextlib.suppress(Damaged, Misconfigured):
            assert part(*read_part(blob, HERE)) == blob


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/etc", b"../x", b"a\0b"])
def test_no_listing_holds_a_name_that_leads_elsewhere(name: bytes) -> None:
    with pytest.raises(Damaged, match="snapshot-listing-damaged"):
        list(read_part(part(Entry(name, FOLDER, 0o755, 0)), HERE))


@pytest.mark.parametrize(
    "wrong",
    [
        Entry(b"a", FILE, 0o644, 0, size=5),
        Entry(b"a", FILE, 0o644, 0, size=5, references=((HERE, 4),)),
        Entry(b"a", FILE, 0o644, 0, size=0, references=((HERE, 0),)),
        Entry(b"a", FILE, 0o644, 0, size=LARGEST_BLOB + 1, references=((HERE, LARGEST_BLOB + 1),)),
        Entry(b"a", FILE, 0o644, 0, target=b"b"),
        Entry(b"a", FILE, 0o644, 0, size=9, flags=THROUGH_LISTS, references=((HERE, 9),)),
        Entry(b"a", FOLDER, 0o755, 0, size=1),
        Entry(b"a", FOLDER, 0o755, 0, flags=DATABASE),
        Entry(b"a", LINK, 0o777, 0),
        Entry(b"a", LINK, 0o777, 0, target=b"b\0c"),
        Entry(b"a", LINK, 0o777, 0, target=b"b", references=((HERE, 1),)),
        Entry(b"a", FILE, 0o10000, 0),
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(wrong: Entry) -> None:
    with pytest.raises(Damaged, match="snapshot-listing-damaged"):
        list(read_part(part(wrong), HERE))


def test_names_out_of_order_or_twice_are_refused() -> None:
    one, two = Entry(b"a", FOLDER, 0o755, 0), Entry(b"b", FOLDER, 0o755, 0)
    for entries in ((two, one), (one, one)):
        with pytest.raises(Damaged, match="snapshot-listing-damaged"):
            list(read_part(part(*entries), HERE))


@pytest.mark.parametrize(("at", "value"), [(0, 2), (2, 4), (3, 8), (3, 128)])
def test_what_a_later_version_wrote_is_refused_as_such(at: int, value: int) -> None:
    written = bytearray(part(Entry(b"a", FILE, 0o644, 0)))
    written[at] = value
    with pytest.raises(Misconfigured, match="snapshot-newer"):
        list(read_part(bytes(written), HERE))


def test_a_large_folder_is_cut_so_that_a_change_makes_one_part_new() -> None:
    blobs = MemoryBlobs()

    def parts(changed: int) -> list[tuple[bytes, int]]:
        listing = Listing(blobs)
        for number in range(20_000):
            listing.add(Entry(b"%08d" % number, FILE, 0o644, int(number == changed)))
        return list(listing.finish())

    before, after = parts(-1), parts(12_345)
    assert sum(count for _, count in before) == 20_000
    assert len(before) > 5
    assert sum(one != two for one, two in zip(before, after, strict=True)) == 1
    assert all(len(blob) <= LARGEST_PART + len(PART_HEAD) for blob in blobs.pieces("tree"))
    assert [one.name for one in entries_of(blobs.load, before)] == [b"%08d" % n for n in range(20_000)]


def test_a_part_that_was_swapped_for_another_is_noticed() -> None:
    blobs = MemoryBlobs()
    listing = Listing(blobs)
    for number in range(20_000):
        listing.add(Entry(b"%08d" % number, FILE, 0o644, 0))
    first, second, *rest = listing.finish()
    for wrong in ((second, first, *rest), (first, first), ((first[0], first[1] + 1), second)):
        with pytest.raises(Damaged, match="snapshot-listing-damaged"):
            list(entries_of(blobs.load, wrong))


def test_a_file_of_very_many_pieces_goes_through_lists() -> None:
    blobs = MemoryBlobs()
    pieces = [(number.to_bytes(32, "big"), 64 * 1024) for number in range(2 * MOST_REFERENCES + 3)]
    found, flag = shortened(blobs, pieces)
    assert flag == THROUGH_LISTS
    assert [count for _, count in found] == [MOST_REFERENCES, MOST_REFERENCES, 3]
    long = Entry(b"db", FILE, 0o600, 0, 64 * 1024 * len(pieces), flag | DATABASE, references=found)
    assert list(read_part(part(long), HERE)) == [long]
    assert list(pieces_of(blobs.load, long)) == pieces
    with pytest.raises(Damaged, match="snapshot-listing-damaged"):
        list(pieces_of(blobs.load, Entry(b"db", FILE, 0o600, 0, 1, flag, references=found)))


def test_a_vault_keeps_listings() -> None:
    vault = new_vault(MemoryRemote())
    with vault.writer() as writer:
        listing = Listing(writer)
        listing.add(Entry("账本".encode(), FILE, 0o600, 1))
        parts = listing.finish()
        writer.commit({"any": 1})
    assert [one.name.decode() for one in entries_of(vault.load, parts)] == ["账本"]


# Patterns -------------------------------------------------------------------------------------------------

PATTERNS = """
*.tmp /build cache/ logs/** a/**/b **/deep !keep.tmp [ab]?.txt [!x]y doc/*.txt 贷款* x\\*y */mid/* **
""".split()
PATHS = """
one.tmp d/one.tmp d/keep.tmp build d/build cache/in d/cache/in logs/1 d/logs/1 a/b a/x/b a/x/y/b deep
p/q/deep/z a1.txt c1.txt zy xy doc/t.txt doc/d/t.txt 贷款台账.xlsx 合同/贷款.xlsx x*y xzy p/mid/z mid/z
""".split()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A git repository that holds the paths."""
    folder = tmp_path_factory.mktemp("patterns")
    for path in PATHS:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("") if not (folder / path).exists() else None
    if shutil.which("git") is None:
        pytest.skip("there is no git to compare with")
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@pytest.mark.parametrize(
    "chosen", [[one] for one in PATTERNS if one[0] != "!"] + [["*.tmp", "!keep.tmp"], PATTERNS]
)
def test_patterns_mean_what_they_mean_to_git(tree: Path, chosen: list[str]) -> None:
    (tree / ".git" / "info" / "exclude").write_text("\n".join(chosen), encoding="utf-8")
    asked = "\0".join(PATHS).encode()
    command = ["git", "-C", str(tree), "check-ignore", "-z", "--stdin", "--no-index"]
    ignored = (
        subprocess.run(command, input=asked, capture_output=True, check=False).stdout.decode().split("\0")
    )
    patterns = Patterns.of(exclude=chosen)
    assert {path for path in PATHS if not patterns.wants(path)} == set(filter(None, ignored))


def test_what_is_included_is_all_that_is_wanted() -> None:
    wanted = Patterns.of(include=["*.xlsx", "合同/"], exclude=["~$*"])
    chosen = ["a.xlsx", "d/b.xlsx", "合同/a.pdf", "d/合同/e/f"]
    assert all(wanted.wants(path) for path in chosen)
    assert not any(wanted.wants(path) for path in ("a.pdf", "d/~$b.xlsx", "合同", "合同/~$x"))
    assert wanted.wants("合同", folder=True)


def test_a_pattern_that_means_nothing_is_refused() -> None:
    with pytest.raises(Usage, match="snapshot-pattern-wrong"):
        Patterns.of(["[z-a]"])


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_text_is_a_pattern_or_is_refused(pattern: str, path: str) -> None:
    with contextlib.suppress(Usage):
        Patterns.of([pattern]).wants(path)
