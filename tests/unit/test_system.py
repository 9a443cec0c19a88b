"""What differs by operating system: the POSIX branch as it runs here, the Windows branch against fakes."""

from __future__ import annotations

import ctypes
import inspect
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from typing import Any

import pytest

from loanhub import system
from loanhub.errors import Busy
from loanhub.system import homes, posix, windows
from loanhub.system.shapes import Limits
from loanhub.texts import LANGS, say

HOLDER = """
import sys, time
from pathlib import Path
from loanhub import system
with system.lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(path: Path, checkout: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_two_processes_do_not_work_in_one_home(tmp_path: Path, checkout: Path) -> None:
    path = tmp_path / "lock"
    with holder(path, checkout) as other:
        with pytest.raises(Busy) as caught, system.lock(path):
            pass
        assert caught.value.code == "home-busy"
        assert caught.value.facts["pid"] == other.pid
        for lang in LANGS:
            assert str(other.pid) in say(caught.value, lang).text
        other.communicate("")
    with system.lock(path):
        owner = system.lock_owner(path)
        assert owner is not None
        assert owner.pid == os.getpid()
    assert system.lock_owner(path) is None


def test_the_second_process_can_wait_for_the_first(tmp_path: Path, checkout: Path) -> None:
    path = tmp_path / "lock"
    with holder(path, checkout) as other:
        assert other.stdin is not None
        began = time.monotonic()
        with pytest.raises(Busy), system.lock(path, wait=0.2):
            pass
        assert time.monotonic() - began >= 0.2
        other.stdin.close()
        with system.lock(path, wait=10):
            assert True


def test_a_lock_dies_with_its_process(tmp_path: Path, checkout: Path) -> None:
    path = tmp_path / "lock"
    with holder(path, checkout) as other:
        other.kill()
        other.wait()
    with system.lock(path, wait=1):
        owner = system.lock_owner(path)
        assert owner is not None
        assert owner.pid == os.getpid()


def test_one_process_cannot_take_a_lock_twice(tmp_path: Path) -> None:
    with system.lock(tmp_path / "lock"), pytest.raises(Busy), system.lock(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("junk", [b"", b"{", b"[1]", b'{"pid": "x"}', b"\xff\xfe", b"null"])
def test_a_lock_file_half_written_names_no_owner(junk: bytes, tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(junk)
    assert system.lock_owner(tmp_path / "lock") is None


def test_private_means_nobody_else(tmp_path: Path) -> None:
    folder = system.private_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700
    file = folder / "key"
    file.write_bytes(b"")
    system.make_private(file)
    assert file.stat().st_mode & 0o777 == 0o600


def test_only_a_regular_file_is_opened_and_nothing_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    with system.open_plain(tmp_path / "file") as stream:
        assert stream.read() == b"x"
    for name in ("link", "pipe", "missing", "."):
        with pytest.raises(OSError):
            system.open_plain(tmp_path / name)


STOPPER = """
import sys
from loanhub import system
stop = system.stop_event()
print("ready", flush=True)
while not stop.wait(0.05):
    pass
print("stopping", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_the_second_ends(number: signal.Signals, checkout: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STOPPER],
        cwd=checkout,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "stopping\n"
        process.send_signal(number)
        assert process.wait(10) == -number


@pytest.mark.parametrize(
    ("encoding", "terminal", "shown"),
    [
        ("gbk", True, "张三 ? ?\n".encode("gbk")),
        ("gbk", False, "张三 😀 𠮷\n".encode()),
        ("ascii", True, "张三 😀 𠮷\n".encode()),
        ("utf-8", True, "张三 😀 𠮷\n".encode()),
    ],
)
def test_no_console_makes_the_program_fall_over(
    encoding: str, terminal: bool, shown: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return terminal

    raw = io.BytesIO()
    stream = Terminal(raw, encoding=encoding, newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    system.ready_console()
    print("张三 😀 𠮷", flush=True)
    assert raw.getvalue() == shown


def mountinfo(folder: Path, *lines: str) -> Path:
    file = folder / "mountinfo"
    file.write_text("\n".join(f"{n} 1 0:{n} / {line}" for n, line in enumerate(lines, 20)) + "\n")
    return file


@pytest.mark.parametrize(
    ("mount", "shared"),
    [
        ("/srv/share rw,relatime shared:5 - cifs //server/loans rw", True),
        ("/srv/share rw - nfs4 server:/loans rw", True),
        ("/srv rw - fuse.sshfs me@server: rw", True),
        ("/srv rw - 9p drvfs rw", True),
        ("/srv/share rw - ext4 /dev/sdb1 rw", False),
        ("/srv/share rw - fuse.ntfs-3g /dev/sdc1 rw", False),
        ("/srv/shared rw - nfs4 server:/loans rw", False),
        ("/srv/share/loans/tmp rw - nfs4 server:/loans rw", False),
    ],
)
def test_a_home_on_a_share_is_told_by_its_mount(mount: str, shared: bool, tmp_path: Path) -> None:
    file = mountinfo(tmp_path, "/ rw - ext4 /dev/vda rw", mount)
    assert posix.on_network_share(Path("/srv/share/loans"), file) is shared


def test_mounts_with_spaces_and_mounts_over_mounts_are_understood(tmp_path: Path) -> None:
    file = mountinfo(
        tmp_path,
        "/ rw - ext4 /dev/vda rw",
        r"/mnt/our\040loans rw - cifs //s/x rw",
        "/data rw - nfs s:/x rw",
        "/data rw - xfs /dev/vdb rw",
    )
    assert posix.on_network_share(Path("/mnt/our loans/home"), file)
    assert not posix.on_network_share(Path("/data/home"), file)


def test_a_home_on_this_disk_is_no_problem(tmp_path: Path) -> None:
    assert system.home_problem(tmp_path / "not yet" / "there") is None


@pytest.mark.parametrize(
    "folder",
    [
        "OneDrive", "OneDrive - 某小额贷款公司", "Dropbox", "Dropbox (Personal)", "Nutstore", "我的坚果云",
        "BaiduSyncdisk", "百度网盘", "WPSDrive", "WPS云盘", "腾讯微云", "Mobile Documents", "iCloudDrive",
        "Google Drive", "GoogleDrive-me",
    ],
)  # fmt: skip
def test_a_home_in_a_cloud_folder_is_refused(folder: str, tmp_path: Path) -> None:
    assert system.home_problem(tmp_path / folder / "贷款" / "home") == "home-in-cloud-folder"
    plain = tmp_path / "plain"
    (tmp_path / folder).mkdir()
    plain.symlink_to(tmp_path / folder)
    assert system.home_problem(plain / "home") == "home-in-cloud-folder"


@pytest.mark.parametrize("folder", ["OneDriver", "my dropbox notes", "云", "weiyunlong", "Box"])
def test_a_name_that_only_resembles_a_cloud_folder_is_fine(folder: str, tmp_path: Path) -> None:
    assert system.home_problem(tmp_path / folder / "home") is None


def test_a_cloud_folder_under_another_name_is_told_by_what_lies_in_it(tmp_path: Path) -> None:
    (tmp_path / "sync" / ".stfolder").mkdir(parents=True)
    assert system.home_problem(tmp_path / "sync" / "loans") == "home-in-cloud-folder"


@pytest.mark.parametrize(
    "name", ["CON", "nul", "NUL.xlsx", "com1", "LPT9.tar.gz", "COM¹", "aux .txt", "x.", "x "]
)
def test_windows_keeps_some_names_for_itself(name: str) -> None:
    assert system.reserved_name(name)


@pytest.mark.parametrize("name", ["CONTRACT", "console.txt", "COM10", "a.con", "客户", ".x"])
def test_other_names_are_free(name: str) -> None:
    assert not system.reserved_name(name)


def test_the_memory_of_all_our_processes_is_counted_while_they_live() -> None:
    alone = system.tree_memory()
    with subprocess.Popen(
        [sys.executable, "-c", "x = b'1' * (64 << 20); print(); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        both = system.tree_memory()
        child.communicate(b"\n")
    assert alone is not None
    assert both is not None
    assert both - alone > 64 << 20
    assert system.footprint().peak > 1 << 20


def test_there_is_no_key_store_to_count_on_here() -> None:
    assert system.key_store() is None


@pytest.mark.parametrize(
    ("status", "words", "cause"),
    [
        (-signal.SIGXCPU, b"", "time"),
        (-signal.SIGKILL, b"", "memory"),
        (-signal.SIGABRT, b"memory allocation of 8388608 bytes failed", "memory"),
        (-signal.SIGABRT, b"terminate called after throwing an instance of 'std::bad_alloc'", "memory"),
        (-signal.SIGSEGV, b"", "crash"),
        (1, b"", "crash"),
    ],
)
def test_the_cause_of_death_is_read_from_the_status(status: int, words: bytes, cause: str) -> None:
    assert posix.cause_of_death(status, words) == cause


# ---- Windows, against fakes -------------------------------------------------------------------------


def test_both_branches_offer_the_same() -> None:
    def offered(branch: Any) -> dict[str, Any]:
        return {
            name: list(inspect.signature(thing).parameters) if inspect.isfunction(thing) else None
            for name, thing in vars(branch).items()
            if getattr(thing, "__module__", None) == branch.__name__ and name[0] != "_"
        }

    ours, theirs = offered(posix), offered(windows)
    structures = {"ExtendedLimits", "MemoryCounters", "Blob"}
    assert ours.keys() == theirs.keys() - structures
    differing = {name for name in ours if ours[name] != theirs[name]}
    assert differing == {"on_network_share"}  # posix.on_network_share can be told where the mounts stand
    for name in ("kill", "close", "__init__"):
        assert inspect.signature(getattr(posix.Leash, name)) == inspect.signature(
            getattr(windows.Leash, name)
        )


class Library:
    """A Windows library: remembers each call, answers 1 unless told otherwise."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.answers: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        def function(*arguments: Any) -> Any:
            self.calls.append((name, arguments))
            answer = self.answers.get(name, 1)
            return answer(*arguments) if callable(answer) else answer

        return self.__dict__.setdefault(name, function)

    def called(self) -> list[str]:
        return [name for name, _ in self.calls]

    def of(self, name: str) -> tuple[Any, ...]:
        return next(arguments for called, arguments in self.calls if called == name)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setattr(ctypes, "WinDLL", lambda name, use_last_error: made, raising=False)
    monkeypatch.setattr(ctypes, "get_last_error", lambda: 5, raising=False)
    monkeypatch.setattr(ctypes, "WINFUNCTYPE", lambda *types: lambda function: function, raising=False)
    return made


def test_structures_are_laid_out_as_64_bit_windows_has_them() -> None:
    assert ctypes.sizeof(windows.ExtendedLimits) == 144
    assert windows.ExtendedLimits.ProcessMemoryLimit.offset == 112
    assert ctypes.sizeof(windows.MemoryCounters) == 72
    assert windows.MemoryCounters.PeakWorkingSetSize.offset == 8
    assert ctypes.sizeof(windows.Blob) == 16


def test_windows_locks_one_far_byte_so_that_the_owner_can_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[int, int]] = []

    def locking(handle: int, mode: int, length: int) -> None:
        asked.append((os.lseek(handle, 0, os.SEEK_CUR), mode))
        assert length == 1
        if mode == 2 and len(asked) > 2:
            raise PermissionError

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2, LK_UNLCK=0))
    with (tmp_path / "lock").open("wb") as file:
        assert windows.try_lock(file.fileno())
        windows.unlock(file.fileno())
        assert not windows.try_lock(file.fileno())
    assert asked == [(1 << 30, 2), (1 << 30, 0), (1 << 30, 2)]


def test_windows_waits_for_a_reader_before_it_replaces_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "new").write_bytes(b"new")
    refusals, truly = [PermissionError(), PermissionError()], os.replace

    def held(source: Path, target: Path) -> None:
        if refusals:
            raise refusals.pop()
        truly(source, target)

    monkeypatch.setattr(os, "replace", held)
    windows.replace(tmp_path / "new", tmp_path / "old", 5.0)
    assert (tmp_path / "old").read_bytes() == b"new"
    refusals.extend(PermissionError() for _ in range(100))
    with pytest.raises(PermissionError):
        windows.replace(tmp_path / "old", tmp_path / "other", 0.05)


def test_a_windows_child_is_held_by_a_job_with_its_limits(library: Library) -> None:
    told: list[tuple[int, int, int]] = []

    def set_information(job: Any, kind: int, limits: Any, size: int) -> int:
        given = limits._obj
        told.append((given.Basic.LimitFlags, given.Basic.PerProcessUserTimeLimit, given.ProcessMemoryLimit))
        assert (kind, size) == (9, 144)
        return 1

    library.answers = {"CreateJobObjectW": 77, "OpenProcess": 88, "SetInformationJobObject": set_information}
    leash = windows.Leash(SimpleNamespace(pid=4711), Limits(memory=1 << 30, cpu=60))  # type: ignore[arg-type]
    assert told == [(0x2000 | 0x400 | 0x100 | 0x2, 600_000_000, 1 << 30)]
    assert library.of("OpenProcess")[2] == 4711
    job, child = library.of("AssignProcessToJobObject")
    assert (job.value, child.value) == (77, 88)
    leash.kill()
    leash.close()
    leash.close()
    leash.kill()
    assert library.called()[-3:] == ["CloseHandle", "TerminateJobObject", "CloseHandle"]


def test_a_windows_child_that_cannot_be_held_is_an_error(library: Library) -> None:
    library.answers = {"AssignProcessToJobObject": 0}
    running = SimpleNamespace(pid=1, poll=lambda: None)
    with pytest.raises(OSError, match="AssignProcessToJobObject"):
        windows.Leash(running, None)  # type: ignore[arg-type]
    library.answers = {"CreateJobObjectW": None}
    with pytest.raises(OSError, match="CreateJobObjectW"):
        windows.Leash(running, None)  # type: ignore[arg-type]


def test_a_windows_virtual_environment_is_left_so_that_the_job_holds_the_real_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "_base_executable", "base-python")
    assert windows.python() == ("base-python", {"__PYVENV_LAUNCHER__": sys.executable})
    monkeypatch.setattr(sys, "_base_executable", sys.executable)
    assert windows.python() == (sys.executable, {})


@pytest.mark.parametrize(
    ("path", "drive", "shared"),
    [
        ("\\\\server\\loans\\home", 3, True),
        ("\\\\?\\UNC\\server\\loans\\home", 3, True),
        ("\\\\?\\C:\\home", 3, False),
        ("Z:\\home", 4, True),
        ("C:\\LoanHub", 3, False),
    ],
)
def test_a_windows_share_is_told_by_its_path_or_drive(
    path: str, drive: int, shared: bool, library: Library
) -> None:
    library.answers = {"GetDriveTypeW": drive}
    assert windows.on_network_share(PureWindowsPath(path)) is shared


def test_windows_drives_are_told_by_their_letters(library: Library) -> None:
    library.answers = {"GetLogicalDrives": 0b1_0100}
    assert [str(drive) for drive in windows.drives()] == ["C:\\", "E:\\"]


def test_windows_gives_a_name_only_when_it_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(source: Path, target: Path) -> None:  # as Windows does it
        if target.exists():
            raise FileExistsError
        source.replace(target)

    monkeypatch.setattr(os, "rename", rename)
    for name, free in (("one", True), ("two", False)):
        (tmp_path / name).write_text(name)
        assert windows.place(tmp_path / name, tmp_path / "target", 0.0) is free
    assert (tmp_path / "target").read_text() == "one"
    assert (tmp_path / "two").exists()


def test_a_windows_home_named_like_a_device_is_refused(tmp_path: Path, library: Library) -> None:
    assert homes.problem_on(tmp_path / "nul", windows) == "home-name-reserved"
    assert homes.problem_on(tmp_path / "loans", windows) is None
    library.answers = {"GetDriveTypeW": 4}
    assert homes.problem_on(tmp_path / "loans", windows) == "home-on-network-share"


@pytest.mark.parametrize(
    ("status", "words", "cause"),
    [
        (1816, b"", "time"),
        (0xC0000017, b"", "memory"),
        (-0x3FFFFFE9, b"", "memory"),
        (0xC0000409, b"memory allocation of 5 bytes failed", "memory"),
        (0xC0000005, b"", "crash"),
        (3, b"", "crash"),
    ],
)
def test_the_cause_of_death_is_read_from_a_windows_status(status: int, words: bytes, cause: str) -> None:
    assert windows.cause_of_death(status, words) == cause


def test_windows_tells_what_the_process_used(library: Library) -> None:
    def counters(process: Any, place: Any, size: int) -> int:
        place._obj.PeakWorkingSetSize = 123 << 20
        return 1

    library.answers = {"K32GetProcessMemoryInfo": counters}
    assert windows.footprint().peak == 123 << 20
    library.answers = {"K32GetProcessMemoryInfo": 0}
    with pytest.raises(OSError, match="K32GetProcessMemoryInfo"):
        windows.footprint()


def test_the_windows_key_store_wraps_for_this_user(library: Library) -> None:
    kept: list[Any] = []

    def turn(source: Any, *between: Any) -> int:
        given = ctypes.string_at(source._obj.data, source._obj.size)
        kept.append(ctypes.create_string_buffer(given[::-1], len(given)))
        place = between[-1]._obj
        place.size, place.data = len(given), ctypes.addressof(kept[-1])
        assert between[-2] == 1  # never ask the user
        return 1

    library.answers = {"CryptProtectData": turn, "CryptUnprotectData": turn}
    store = windows.key_store()
    assert store is not None
    sealed = store.wrap(b"\0secret\0")
    assert sealed == b"\0terces\0"
    assert store.unwrap(sealed) == b"\0secret\0"
    assert library.called().count("LocalFree") == 2
    library.answers = {"CryptUnprotectData": 0}
    with pytest.raises(OSError, match="CryptUnprotectData"):
        store.unwrap(b"x")


def test_a_closed_windows_console_asks_to_stop_and_is_held_for_a_moment(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(time, "sleep", lambda seconds: asked.append(f"held {seconds}"))
    windows.on_console_close(lambda: asked.append("stop"))
    handler, add = library.of("SetConsoleCtrlHandler")
    assert add == 1
    assert handler(0) == 0  # Ctrl-C is a signal, not ours
    assert asked == []
    assert handler(2) == 1
    assert asked == ["stop", "held 4.5"]


def test_windows_opens_no_link_and_needs_no_modes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    with windows.open_plain(tmp_path / "file") as stream:
        assert stream.read() == b"x"
    with pytest.raises(OSError):
        windows.open_plain(tmp_path / "link")
    assert (windows.cut_network(), windows.die_with_parent(1), windows.tree_memory()) == (False, True, None)
