"""Files: taken when they have come to rest, told apart by content, written whole, named safely."""

from __future__ import annotations

import errno
import io
import os
import struct
import subprocess
import sys
import threading
import time
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import xlsxwriter
from hypothesis import given
from hypothesis import strategies as st

from loanhub import files, system
from loanhub.errors import Busy
from loanhub.files import Content, Notice, Settled, Settler, whole
from loanhub.texts import LANGS, render, say

# ---- writing ----------------------------------------------------------------------------------------


def test_a_file_is_written_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "账.json"
    files.write_atomically(path, b"one")
    files.write_atomically(path, lambda out: out.write(b"two"))
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail(out: BinaryIO) -> None:
        out.write(b"half of the ne")
        raise KeyError("x")

    with pytest.raises(KeyError):
        files.write_atomically(path, fail)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_said_in_words(tmp_path: Path) -> None:
    def overflow(out: BinaryIO) -> None:
        with Path("/dev/full").open("wb", buffering=0) as full:
            full.write(b"x")

    with pytest.raises(Busy, match="disk-full") as caught:
        files.write_atomically(tmp_path / "a", overflow)
    with pytest.raises(Busy, match="disk-full"), files.saying_full(tmp_path):  # as a library may wrap it
        raise RuntimeError(OSError(errno.ENOSPC, "No space left on device"))
    assert list(tmp_path.iterdir()) == []
    for lang in LANGS:
        assert "{" not in str(say(caught.value, lang))


WRITER = """
import sys
from pathlib import Path
from loanhub import files
for number in range(10**6):
    files.write_atomically(Path(sys.argv[1]), b"%d " % number * 20000)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path, checkout: Path) -> None:
    path = tmp_path / "a"
    for pause in (0.0, 0.01, 0.02, 0.03):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=checkout)
        _until(path.exists)
        time.sleep(pause)
        process.kill()
        process.wait()
        assert len(set(path.read_bytes().split())) == 1
        assert path.read_bytes().count(b" ") == 20000
        path.unlink()


def test_a_file_moved_across_disks_is_copied_whole_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"a")
    files.move(tmp_path / "a", tmp_path / "b")
    replace: Callable[..., None] = system.replace

    def other_disk(source: Path, target: Path) -> None:
        if source.name == "b":
            raise OSError(errno.EXDEV, "cross-device")
        replace(source, target)

    monkeypatch.setattr(system, "replace", other_disk)
    files.move(tmp_path / "b", tmp_path / "c")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("c", b"a")]
    with pytest.raises(FileNotFoundError):
        files.move(tmp_path / "a", tmp_path / "d")


def test_a_file_is_known_by_the_digest_of_its_bytes(tmp_path: Path) -> None:
    for name in ("a.txt", "b.xlsx"):
        (tmp_path / name).write_bytes(b"abc")
        # The example of FIPS 180-4.
        expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        assert files.sha256_of(tmp_path / name) == expected


def test_room_is_asked_for_where_a_folder_will_be(tmp_path: Path) -> None:
    files.need_space(tmp_path / "not" / "yet", 1)
    with pytest.raises(Busy, match="disk-full") as caught:
        files.need_space(tmp_path / "not" / "yet", 1 << 60)
    assert caught.value.facts["need_mb"] == 1 << 40


def test_the_scratch_folder_is_emptied_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "book.xlsx").write_bytes(b"x")
    place = tmp_path / "tmp"
    (place / "deep" / "er").mkdir(parents=True)
    (place / "file").write_bytes(b"x")
    (place / "link").symlink_to(tmp_path / "precious")
    assert files.scratch(place) == place
    assert list(place.iterdir()) == []
    place.rmdir()
    place.symlink_to(tmp_path / "precious")
    files.scratch(place)
    assert (tmp_path / "precious" / "book.xlsx").exists()
    assert place.stat().st_mode & 0o777 == 0o700


# ---- names ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("放款明细（1月）.xlsx", "放款明细（1月）.xlsx"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("C:\\loans\\a.xlsx", "C__loans_a.xlsx"),
        ("a\u202egpj.xlsx", "agpj.xlsx"),
        ("a\r\nb\0\x1b[31m.csv", "ab[31m.csv"),
        ("con.xlsx", "_con.xlsx"),
        ("~$a.xlsx", "__a.xlsx"),
        ("-rf", "rf"),
        (" . . ", "file"),
        ("", "file"),
        ("x.", "x"),
        ("e\u0301.csv", "é.csv"),
        ("名" * 200 + ".xlsx", "名" * 83 + ".xlsx"),
        ("half \ud83d pair", "half  pair"),
    ],
)
def test_a_name_from_outside_is_made_safe(given_name: str, safe: str) -> None:
    assert files.safe_name(given_name) == safe


@given(st.text(max_size=300), st.integers(40, 255))
def test_a_safe_name_is_safe_everywhere_and_stays_what_it_is(text: str, limit: int) -> None:
    name = files.safe_name(text, limit=limit)
    assert name
    assert len(name.encode()) <= limit
    assert not set(name) & set('/\\:*?"<>|\0')
    assert not {unicodedata.category(letter) for letter in name} & {"Cc", "Cf", "Cs", "Co", "Cn"}
    assert not system.reserved_name(name)
    assert files.ignored(name) in (None, "temporary", "system", "own")
    assert files.safe_name(name, limit=limit) == name


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("~$放款明细.xlsx", "owner-mark"),
        (".~lock.a.ods#", "owner-mark"),
        (".~a.et", "owner-mark"),
        ("a.xlsx.TMP", "temporary"),
        ("a.xlsx.part", "temporary"),
        ("a.crdownload", "temporary"),
        ("5BA2F3C1", "temporary"),
        ("~WRL0001.tmp", "temporary"),
        (".DS_Store", "hidden"),
        ("Thumbs.db", "system"),
        ("a.xlsx.mapping.toml", "own"),
    ],
)
def test_what_is_nobodys_workbook_is_left_alone(name: str, reason: str) -> None:
    assert files.ignored(name) == reason


@pytest.mark.parametrize(
    "name", ["a.xlsx", "放款.report.xlsx", "5BA2F3C1.xls", "20240105", "x", "tmp.csv", "123456789"]
)
def test_a_workbook_is_not_overlooked(name: str) -> None:
    expected = "temporary" if name == "20240105" else None  # eight hexadecimal digits: Excel names its own so
    assert files.ignored(name) == expected


@pytest.mark.parametrize("mark", ["~$账.xlsx", ".~账.xlsx", ".~lock.账.xlsx#"])
def test_an_open_workbook_is_told_by_the_mark_beside_it(mark: str, tmp_path: Path) -> None:
    assert files.owner_file(tmp_path / "账.xlsx") is None
    (tmp_path / mark).write_bytes(b"x" * 165)
    assert files.owner_file(tmp_path / "账.xlsx") == tmp_path / mark
    assert files.owner_file(tmp_path / "另.xlsx") is None


# ---- contents ---------------------------------------------------------------------------------------


def workbook(rows: int = 3) -> bytes:
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream) as book:
        sheet = book.add_worksheet("放款")
        for row in range(rows):
            sheet.write_row(row, 0, ["姓名", row])
    return stream.getvalue()


def package(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


def compound(*streams: str, sectors: int = 8) -> bytes:
    """An OLE file with the named streams, its directory in sector 1, `sectors` sectors in one chain."""
    header = bytearray(b"\xff" * 512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    struct.pack_into("<HH", header, 30, 9, 6)
    struct.pack_into("<II", header, 44, 1, 1)
    struct.pack_into("<III", header, 68, 0xFFFFFFFE, 0, 0)
    chain = [0xFFFFFFFD, 0xFFFFFFFE, *range(3, sectors), 0xFFFFFFFE]
    table = struct.pack("<128I", *chain, *[0xFFFFFFFF] * (128 - len(chain)))
    directory = b""
    for name in ("Root Entry", *streams)[:4]:
        text = name.encode("utf-16-le") + b"\0\0"
        directory += text.ljust(64, b"\0") + struct.pack("<HB", len(text), 2) + bytes(61)
    return bytes(header) + table + directory.ljust(512, b"\0") + bytes(512 * (sectors - 2))


TYPES = '<Types><Default ContentType="application/vnd.ms-excel.sheet.binary.macroEnabled.main"/>{}</Types>'
SHEET_MAIN = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
XML = '<?xml version="1.0"?>\n'
BOOK_2003 = '<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet/></Workbook>'
TABLE = "姓名,贷款金额\n张三,20万\n"

SAMPLES: list[tuple[str, bytes, Content]] = [
    ("a written workbook", workbook(), Content.XLSX),
    ("backslashes and capitals", package(**{"XL\\Workbook.xml": b""}), Content.XLSX),
    ("parts elsewhere", package(**{"[Content_Types].xml": TYPES.format(SHEET_MAIN).encode()}), Content.XLSX),
    (
        "macros",
        package(xl__workbook_xml=b"", **{"xl/workbook.xml": b"", "xl/vbaProject.bin": b""}),
        Content.XLSM,
    ),
    ("excel 4 macros", package(**{"xl/workbook.xml": b"", "xl/macrosheets/sheet1.xml": b""}), Content.XLSM),
    ("binary", package(**{"xl/workbook.bin": b""}), Content.XLSB),
    ("open document", package(mimetype=ODS.encode(), **{"content.xml": b""}), Content.ODS),
    ("a letter", package(**{"word/document.xml": b""}), Content.ZIP_OTHER),
    ("an empty zip", package(), Content.ZIP_OTHER),
    ("excel 97", compound("Workbook"), Content.OLE_XLS),
    ("excel 95", compound("Book"), Content.OLE_XLS),
    ("behind a password", compound("EncryptionInfo", "EncryptedPackage"), Content.OLE_ENCRYPTED),
    ("an old letter", compound("WordDocument"), Content.OLE_OTHER),
    ("biff 2", b"\x09\0\x04\0\0\0\x10\0", Content.OLD_BIFF),
    ("biff 4", b"\x09\x04\x06\0\0\0\x10\0\0\0", Content.OLD_BIFF),
    (
        "excel 2003 xml",
        (XML + '<?mso-application progid="Excel.Sheet"?>' + BOOK_2003).encode(),
        Content.XML_SPREADSHEET,
    ),
    ("other xml", (XML + "<office:document xmlns:office='x'/>").encode(), Content.XML_OTHER),
    ("a bank's .xls", b"<html><table><tr><td>1</td></tr></table></html>", Content.HTML),
    ("a bare table", "\ufeff\n  <TABLE border=1>姓名".encode(), Content.HTML),
    ("xhtml", (XML + "<!-- bank -->\n<!DOCTYPE html><html/>").encode(), Content.HTML),
    ("a saved page", b"MIME-Version: 1.0\r\nContent-Type: multipart/related", Content.HTML),
    ("a pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", Content.PDF),
    ("a photo", b"\xff\xd8\xff\xe0\0\x10JFIF\0", Content.IMAGE),
    ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Content.IMAGE),
    ("a bitmap", b"BM" + struct.pack("<I", 64) + bytes(58), Content.IMAGE),
    ("a text that begins like a bitmap", b"BM,AMOUNT\n1,2\n", Content.TEXT),
    ("utf-8", TABLE.encode(), Content.TEXT),
    ("utf-8 with a mark", TABLE.encode("utf-8-sig"), Content.TEXT),
    ("gb18030", TABLE.encode("gb18030"), Content.TEXT),
    ("big5", "姓名,金額\n張三,20\n".encode("big5"), Content.TEXT),
    ("utf-16 with a mark", TABLE.encode("utf-16"), Content.TEXT),
    ("utf-16 without a mark", TABLE.encode("utf-16-be"), Content.TEXT),
    ("a stray zero", b"a,b\n1,\0002\n", Content.TEXT),
    ("nothing", b"", Content.EMPTY),
    ("bytes of no kind", bytes(range(256)) * 8, Content.UNKNOWN),
    ("rich text", b"{\\rtf1\\ansi}", Content.UNKNOWN),
]


@pytest.mark.parametrize(("content", "kind"), [s[1:] for s in SAMPLES], ids=[s[0] for s in SAMPLES])
def test_a_file_is_told_by_its_content(content: bytes, kind: Content, tmp_path: Path) -> None:
    path = tmp_path / "name.that.lies.pdf"
    path.write_bytes(content)
    assert files.sniff(path) is kind
    assert files.is_whole(path)


@given(st.sampled_from([s[1] for s in SAMPLES]), st.data())
def test_no_damage_confuses_the_sniffer(sample: bytes, data: st.DataObject) -> None:
    damaged = bytearray(sample)
    if damaged:
        for _ in range(data.draw(st.integers(0, 6))):
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at : at + 4] = data.draw(st.binary(min_size=1, max_size=4))
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    from loanhub.files.contents import content_of, torn_stream

    assert content_of(io.BytesIO(damaged)) in Content
    assert torn_stream(io.BytesIO(damaged)) in (None, "no-end", "no-directory", "no-header", "short")


def test_a_half_copied_workbook_is_not_whole_wherever_the_copy_stops(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    for content, least in ((workbook(), 4), (compound("Workbook"), 9)):
        for length in range(least, len(content) - 512, 97):
            path.write_bytes(content[:length])
            assert not files.is_whole(path), length
    assert files.torn(path) == "short"


def test_some_writers_do_not_fill_up_the_last_sector(tmp_path: Path) -> None:
    path = tmp_path / "a.xls"
    path.write_bytes(compound("Workbook")[:-500])
    assert files.is_whole(path)


def test_a_zip_with_large_offsets_is_understood(tmp_path: Path) -> None:
    content = package(**{"xl/workbook.xml": b"x"})
    end = content.rindex(b"PK\x05\x06")
    *_, size, offset, _comment = struct.unpack("<4s4H2IH", content[end:])
    big = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, size, offset)
    big += struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    big += struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path = tmp_path / "a.xlsx"
    path.write_bytes(content[:end] + big)
    assert files.sniff(path) is Content.XLSX
    assert files.is_whole(path)


# ---- watching: the decision, with time handed in ----------------------------------------------------


def test_a_zip_whose_writer_always_puts_the_long_record_is_whole_and_known(tmp_path: Path) -> None:
    """As Java's streaming writers do, also for a small workbook whose short record says it all."""
    content = workbook()
    end = content.rindex(b"PK\x05\x06")
    *_, count, size, offset, _comment = struct.unpack("<4s4H2IH", content[end:])
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    path = tmp_path / "a.xlsx"
    path.write_bytes(content[:end] + record + locator + content[end:])
    assert files.torn(path) is None
    assert files.sniff(path) is Content.XLSX


def said(settler: Settler, folder: Path, now: float) -> list[Settled | Notice]:
    return list(settler.look(folder, files.scan(folder), now))


def test_a_file_settles_once_after_a_quiet_while(tmp_path: Path) -> None:
    settler, path = Settler(settle=2), tmp_path / "a.xlsx"
    path.write_bytes(workbook())
    assert said(settler, tmp_path, 0.0) == []
    assert settler.due(0.5) == 1.5
    assert said(settler, tmp_path, 1.9) == []
    (settled,) = said(settler, tmp_path, 2.0)
    assert isinstance(settled, Settled)
    assert (settled.path, settled.size, settled.torn) == (path, path.stat().st_size, None)
    assert files.unchanged(settled)
    assert said(settler, tmp_path, 99.0) == []
    assert settler.due(99.0) is None
    path.write_bytes(workbook(9))
    assert not files.unchanged(settled)
    assert said(settler, tmp_path, 100.0) == []
    assert len(said(settler, tmp_path, 102.0)) == 1


def test_a_file_replaced_by_another_of_the_same_size_and_time_starts_anew(tmp_path: Path) -> None:
    settler, path = Settler(settle=2), tmp_path / "a.csv"
    path.write_bytes(b"a,b\n")
    said(settler, tmp_path, 0.0)
    times = path.stat()
    (tmp_path / "other").write_bytes(b"c,d\n")
    os.utime(tmp_path / "other", ns=(times.st_atime_ns, times.st_mtime_ns))
    (tmp_path / "other").rename(path)
    assert said(settler, tmp_path, 2.0) == []
    assert len(said(settler, tmp_path, 4.0)) == 1


def test_a_torn_file_is_given_time_and_then_handed_over_as_torn(tmp_path: Path) -> None:
    settler, path = Settler(settle=2, patience=60), tmp_path / "a.xlsx"
    path.write_bytes(workbook()[:2000])
    said(settler, tmp_path, 0.0)
    assert said(settler, tmp_path, 59.0) == []
    (settled,) = said(settler, tmp_path, 60.0)
    assert isinstance(settled, Settled)
    assert settled.torn == "no-end"
    assert said(settler, tmp_path, 61.0) == []


def test_an_open_workbook_is_waited_for_and_said_once(tmp_path: Path) -> None:
    settler, path, mark = Settler(settle=2), tmp_path / "a.xlsx", tmp_path / "~$a.xlsx"
    path.write_bytes(workbook())
    mark.write_bytes(b"x" * 165)
    said(settler, tmp_path, 0.0)
    assert said(settler, tmp_path, 2.0) == [Notice("file-still-open", path)]
    assert said(settler, tmp_path, 9999.0) == []
    mark.unlink()
    assert [type(s) for s in said(settler, tmp_path, 10000.0)] == [Settled]


def test_a_file_that_cannot_be_opened_is_said_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def kept(path: Path) -> BinaryIO:
        raise PermissionError  # as Windows does while another program keeps the file to itself

    settler, path = Settler(settle=2, patience=60), tmp_path / "a.xlsx"
    path.write_bytes(workbook())
    with monkeypatch.context() as patch:
        patch.setattr("loanhub.files.watching.open_plain", kept)
        said(settler, tmp_path, 0.0)
        assert said(settler, tmp_path, 59.0) == []
        assert said(settler, tmp_path, 60.0) == [Notice("file-unreadable", path)]
        assert said(settler, tmp_path, 61.0) == []
    assert [type(s) for s in said(settler, tmp_path, 62.0)] == [Settled]


def test_a_scan_finds_the_workbooks_of_the_folder_and_nothing_else(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_bytes(b"a\n")
    drop = tmp_path / "drop"
    drop.mkdir()
    for name in ("b.xlsx", "a.csv", "~$b.xlsx", "x.tmp", "a.csv.mapping.toml", ".hidden"):
        (drop / name).write_bytes(b"x")
    (drop / "empty.xlsx").write_bytes(b"")
    (drop / "link.csv").symlink_to(outside)
    (drop / "returns").mkdir()
    (drop / "returns" / "c.xlsx").write_bytes(b"x")
    os.mkfifo(drop / "pipe.csv")
    (drop / os.fsdecode(b"gb\xb7\xc5.csv")).write_bytes(b"x")
    assert [seen.path.name for seen in files.scan(drop)] == [
        "a.csv",
        "b.xlsx",
        os.fsdecode(b"gb\xb7\xc5.csv"),
    ]


# ---- watching: real folders, real time --------------------------------------------------------------


class Watcher:
    """A watch in a thread of its own, and what it said so far."""

    def __init__(self, *folders: Path, **options: Any) -> None:
        self.said: list[Settled | Notice] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(folders, options))
        self._thread.start()

    def _run(self, folders: tuple[Path, ...], options: Any) -> None:
        told = {"settle": 0.2, "every": 5.0, "stop": self._stop, **options}
        for one in files.watch(folders, **told):
            self.said.append(one)

    def names(self) -> list[str]:
        return [one.path.name for one in self.said]

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()


def _until(true: Callable[[], bool], patience: float = 10.0) -> None:
    deadline = time.monotonic() + patience
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Callable[..., Watcher]]:
    watchers: list[Watcher] = []

    def start(*folders: Path, **options: Any) -> Watcher:
        watchers.append(Watcher(*folders, **options))
        return watchers[-1]

    yield start
    for watcher in watchers:
        watcher.close()


def test_a_slow_writer_is_waited_for(watching: Callable[..., Watcher], tmp_path: Path) -> None:
    watcher, content = watching(tmp_path, settle=0.4), workbook(200)
    with (tmp_path / "slow.xlsx").open("wb") as out:
        for start in range(0, len(content), len(content) // 6 + 1):
            out.write(content[start : start + len(content) // 6 + 1])
            out.flush()
            time.sleep(0.15)
    _until(lambda: bool(watcher.said))
    (settled,) = watcher.said
    assert isinstance(settled, Settled)
    assert (settled.size, settled.torn) == (len(content), None)


def test_files_there_before_and_renamed_or_linked_into_the_folder_are_seen_soon(
    watching: Callable[..., Watcher], tmp_path: Path
) -> None:
    drop = tmp_path / "drop"
    drop.mkdir()
    (drop / "before.csv").write_bytes(b"a\n")
    watcher = watching(drop, every=60.0)
    _until(lambda: watcher.names() == ["before.csv"])
    (tmp_path / "x").write_bytes(b"b\n")
    (tmp_path / "x").rename(drop / "renamed.csv")
    (tmp_path / "y").write_bytes(b"c\n")
    (drop / "linked.csv").hardlink_to(tmp_path / "y")
    _until(lambda: sorted(watcher.names()) == ["before.csv", "linked.csv", "renamed.csv"])


def test_a_folder_without_events_is_looked_through_all_the_same(
    watching: Callable[..., Watcher], tmp_path: Path
) -> None:
    watcher = watching(tmp_path, polling=True, every=0.1)
    (tmp_path / "a.csv").write_bytes(b"a\n")
    _until(lambda: watcher.names() == ["a.csv"])


@pytest.mark.parametrize("polling", [False, True])
def test_a_folder_that_disappears_is_said_and_waited_for(
    polling: bool, watching: Callable[..., Watcher], tmp_path: Path
) -> None:
    drop, away = tmp_path / "drop", tmp_path / "away"
    drop.mkdir()
    watcher = watching(drop, polling=polling, every=0.2)
    (drop / "a.csv").write_bytes(b"a\n")
    _until(lambda: watcher.names() == ["a.csv"])
    drop.rename(away)
    _until(lambda: watcher.said[1:] == [Notice("folder-lost", drop)])
    drop.mkdir()
    (drop / "b.csv").write_bytes(b"b\n")
    _until(lambda: len(watcher.said) == 4)
    assert watcher.said[2] == Notice("folder-back", drop)
    assert watcher.names()[3] == "b.csv"
    (drop / "c.csv").write_bytes(b"c\n")
    _until(lambda: watcher.names()[4:] == ["c.csv"])


def test_two_thousand_files_at_once_are_all_taken_once(
    watching: Callable[..., Watcher], tmp_path: Path
) -> None:
    watcher = watching(tmp_path)
    for number in range(2000):
        (tmp_path / f"{number:04}.csv").write_bytes(b"a\n")
    _until(lambda: len(watcher.said) >= 2000)
    time.sleep(0.3)
    assert sorted(watcher.names()) == [f"{number:04}.csv" for number in range(2000)]


def test_an_excel_style_save_is_one_file(watching: Callable[..., Watcher], tmp_path: Path) -> None:
    path, mark = tmp_path / "账.xlsx", tmp_path / "~$账.xlsx"
    mark.write_bytes(b"x" * 165)
    path.write_bytes(workbook())
    watcher = watching(tmp_path, every=0.2)
    _until(lambda: watcher.said == [Notice("file-still-open", path)])
    saved = workbook(50)  # made once: a workbook holds the second it was made in
    (tmp_path / "5BA2F3C1").write_bytes(saved)
    path.rename(tmp_path / "7CD1A0B2.tmp")
    (tmp_path / "5BA2F3C1").rename(path)
    (tmp_path / "7CD1A0B2.tmp").unlink()
    mark.unlink()
    _until(lambda: len(watcher.said) == 2)
    settled = watcher.said[1]
    assert isinstance(settled, Settled)
    assert settled.size == len(saved)


def test_stopping_ends_the_watch_at_once(watching: Callable[..., Watcher], tmp_path: Path) -> None:
    watcher = watching(tmp_path, every=3600.0)
    time.sleep(0.2)
    began = time.monotonic()
    watcher.close()
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    "code", ["folder-lost", "folder-back", "file-still-open", "file-unreadable", "file-torn"]
)
def test_every_notice_has_words(code: str) -> None:
    for lang in LANGS:
        assert "drop" in render(code, lang, path=Path("drop")).text


def test_the_error_of_a_full_disk_names_what_is_missing() -> None:
    assert whole.disk_full(Path("/"), 3 << 20).facts["need_mb"] == 3
