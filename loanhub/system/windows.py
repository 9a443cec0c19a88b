"""The Windows branch of `system`, written from Microsoft's documentation and tested against fakes.

Nothing of Windows is touched at import, so the tests can run this file anywhere. Numbers carry their
names from the Windows headers. Structures use types of a fixed width: `DWORD` is 8 bytes wide on Linux.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any, BinaryIO, Final

from loanhub.system.shapes import Death, Footprint, KeyStore, Limits

RESERVES_NAMES: Final = True
STOP_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)
# msvcrt locks are mandatory: a byte far behind the end is locked, so that others can read who holds it.
_LOCK_BYTE: Final = 1 << 30
_DRIVE_REMOTE: Final = 4
_ERROR_NOT_ENOUGH_QUOTA: Final = 1816
_STATUS_NO_MEMORY: Final = 0xC0000017
_CREATE_NEW_PROCESS_GROUP, _CREATE_NO_WINDOW = 0x00000200, 0x08000000
_PROCESS_TERMINATE, _PROCESS_SET_QUOTA = 0x0001, 0x0100
_JOB_EXTENDED_LIMITS: Final = 9
_LIMIT_PROCESS_TIME, _LIMIT_PROCESS_MEMORY = 0x00000002, 0x00000100
_LIMIT_DIE_ON_EXCEPTION, _LIMIT_KILL_ON_JOB_CLOSE = 0x00000400, 0x00002000
_CLOSING: Final = (2, 5, 6)  # CTRL_CLOSE_EVENT, CTRL_LOGOFF_EVENT, CTRL_SHUTDOWN_EVENT
_GRACE: Final = 4.5  # seconds; Windows ends the process about 5 s after a close event
_CRYPTPROTECT_UI_FORBIDDEN: Final = 1
_kept_alive: Final[list[object]] = []


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    )


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = (
        ("Basic", _BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


class MemoryCounters(ctypes.Structure):
    """PROCESS_MEMORY_COUNTERS."""

    _fields_ = (
        ("cb", ctypes.c_uint32),
        ("PageFaultCount", ctypes.c_uint32),
        ("PeakWorkingSetSize", ctypes.c_size_t),
        ("Others", ctypes.c_size_t * 7),
    )


class Blob(ctypes.Structure):
    """DATA_BLOB."""

    _fields_ = (("size", ctypes.c_uint32), ("data", ctypes.c_void_p))


def _library(name: str) -> Any:
    return getattr(ctypes, "WinDLL")(name, use_last_error=True)  # noqa: B009 - not there on other systems


def _failed(what: str) -> OSError:
    number = getattr(ctypes, "get_last_error")()  # noqa: B009
    return OSError(number, f"{what} failed")


def try_lock(handle: int) -> bool:
    """Take the exclusive lock of an open file without waiting; False when another holds it."""
    msvcrt: Any = importlib.import_module("msvcrt")
    os.lseek(handle, _LOCK_BYTE, os.SEEK_SET)
    try:
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def unlock(handle: int) -> None:
    """Give the lock of an open file back."""
    msvcrt: Any = importlib.import_module("msvcrt")
    os.lseek(handle, _LOCK_BYTE, os.SEEK_SET)
    msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)


def share_range(handle: int, start: int, length: int, *, free: bool = False) -> bool | None:
    """Nothing: a lock here would keep others from reading, too."""
    return None


def range_is_taken(handle: int, start: int, length: int) -> bool:
    """Nothing is known of the locks of others here."""
    return False


def replace(source: Path, target: Path, patience: float) -> None:
    """Put `source` in the place of `target`; a reader or a virus scanner that has it open is waited for."""
    _patiently(os.replace, source, target, patience)


def place(source: Path, target: Path, patience: float) -> bool:
    """Give `source` the name `target` unless that is taken; False then, and `source` stays."""
    try:
        _patiently(os.rename, source, target, patience)  # on Windows it never replaces
    except FileExistsError:
        return False
    return True


def _patiently(rename: Callable[[Path, Path], None], source: Path, target: Path, patience: float) -> None:
    deadline, pause = time.monotonic() + patience, 0.01
    while True:
        try:
            rename(source, target)
            return
        except PermissionError:
            if time.monotonic() + pause > deadline:
                raise
            time.sleep(pause)
            pause = min(pause * 2, 0.5)


def sync_folder(folder: Path) -> None:
    """Nothing to do: a folder cannot be flushed here, NTFS journals the rename."""


def make_private(path: Path) -> None:
    """Nothing to do: below the user profile the access list is inherited, and mode bits mean nothing here."""


def open_plain(path: Path) -> BinaryIO:
    """Open a file for reading; OSError for a link, and when another program keeps it to itself."""
    if path.is_symlink():
        raise OSError("not a regular file")
    return path.open("rb")


def python() -> tuple[str, dict[str, str]]:
    """The interpreter to start a child with, and what its environment needs for that.

    In a virtual environment python.exe only starts the real one, which would then be outside the job;
    so the real one is started and told where it belongs, as multiprocessing does.
    """
    base: str = getattr(sys, "_base_executable", sys.executable)
    return base, ({"__PYVENV_LAUNCHER__": sys.executable} if base != sys.executable else {})


def popen_arguments() -> dict[str, Any]:
    """What subprocess.Popen needs so that the child has no window and no part in our Ctrl-C."""
    return {"creationflags": _CREATE_NEW_PROCESS_GROUP | _CREATE_NO_WINDOW, "close_fds": True}


class Leash:
    """A job object that holds a child and all it starts: limits, killing, and dying with this process."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits | None) -> None:
        self._kernel = kernel = _library("kernel32")
        kernel.CreateJobObjectW.restype = kernel.OpenProcess.restype = ctypes.c_void_p
        self._job: int | None = kernel.CreateJobObjectW(None, None)
        if not self._job:
            raise _failed("CreateJobObjectW")
        told = _as_job_limits(limits)
        if not kernel.SetInformationJobObject(
            ctypes.c_void_p(self._job), _JOB_EXTENDED_LIMITS, ctypes.byref(told), ctypes.sizeof(told)
        ):
            raise _failed("SetInformationJobObject")
        child = kernel.OpenProcess(_PROCESS_TERMINATE | _PROCESS_SET_QUOTA, False, process.pid)
        held = child and kernel.AssignProcessToJobObject(ctypes.c_void_p(self._job), ctypes.c_void_p(child))
        if child:
            kernel.CloseHandle(ctypes.c_void_p(child))
        if not held and process.poll() is None:
            raise _failed("AssignProcessToJobObject")

    def kill(self) -> None:
        """End them all at once."""
        if self._job:
            self._kernel.TerminateJobObject(ctypes.c_void_p(self._job), 1)

    def close(self) -> None:
        """Let go of the job, which ends whoever is still in it."""
        if self._job:
            self._kernel.CloseHandle(ctypes.c_void_p(self._job))
            self._job = None


def _as_job_limits(limits: Limits | None) -> ExtendedLimits:
    told = ExtendedLimits()
    flags = _LIMIT_KILL_ON_JOB_CLOSE | _LIMIT_DIE_ON_EXCEPTION
    if limits is not None:
        flags |= _LIMIT_PROCESS_TIME | _LIMIT_PROCESS_MEMORY
        told.Basic.PerProcessUserTimeLimit = limits.cpu * 10_000_000  # units of 100 ns
        told.ProcessMemoryLimit = limits.memory
    told.Basic.LimitFlags = flags
    return told


def limit_self(limits: Limits) -> None:
    """Nothing to do: the job that the parent made holds the limits."""


def cut_network() -> bool:
    """False: there is no such thing without a service; the audit hook has to do."""
    return False


def die_with_parent(parent: int) -> bool:
    """True: the job ends its processes when the parent's handle closes."""
    return True


def tethered(command: Sequence[str]) -> list[str]:
    """`command` as it is: only children that `popen_arguments` starts are in the job that ends with us."""
    return list(command)


def cause_of_death(status: int, last_words: bytes) -> Death:
    """Why a child ended, from its exit status and the end of its stderr."""
    if status == _ERROR_NOT_ENOUGH_QUOTA:
        return "time"
    if status & 0xFFFFFFFF == _STATUS_NO_MEMORY or b"memory allocation of" in last_words:
        return "memory"
    return "memory" if b"MemoryError" in last_words or b"bad_alloc" in last_words else "crash"


def footprint() -> Footprint:
    """What this process used so far; ended children are not counted here."""
    kernel = _library("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    counters = MemoryCounters()
    counters.cb = ctypes.sizeof(counters)
    here = ctypes.c_void_p(kernel.GetCurrentProcess())
    if not kernel.K32GetProcessMemoryInfo(here, ctypes.byref(counters), counters.cb):
        raise _failed("K32GetProcessMemoryInfo")
    times = os.times()
    return Footprint(counters.PeakWorkingSetSize, 0, times.user + times.system, 0.0)


def tree_memory() -> int | None:
    """None: not told here."""
    return None


def on_network_share(path: PurePath) -> bool:
    """Whether `path` is a UNC path or on a mapped network drive."""
    drive = PureWindowsPath(path).drive
    if drive.startswith("\\\\"):
        return not drive.startswith(("\\\\?\\", "\\\\.\\")) or drive.upper().startswith("\\\\?\\UNC")
    return bool(_library("kernel32").GetDriveTypeW(ctypes.c_wchar_p(drive + "\\")) == _DRIVE_REMOTE)


def drives() -> list[Path]:
    """The drives of this computer, by letter."""
    letters = _library("kernel32").GetLogicalDrives()
    return [Path(f"{chr(ord('A') + n)}:\\") for n in range(26) if letters >> n & 1]


def key_store() -> KeyStore | None:
    """DPAPI: bound to the Windows login of this user on this machine."""
    return KeyStore(
        wrap=lambda secret: _protected("CryptProtectData", secret),
        unwrap=lambda sealed: _protected("CryptUnprotectData", sealed),
    )


def _protected(function: str, given: bytes) -> bytes:
    buffer = ctypes.create_string_buffer(given, len(given))
    source = Blob(len(given), ctypes.cast(buffer, ctypes.c_void_p))
    target = Blob()
    call = getattr(_library("crypt32"), function)
    if not call(
        ctypes.byref(source), None, None, None, None, _CRYPTPROTECT_UI_FORBIDDEN, ctypes.byref(target)
    ):
        raise _failed(function)
    try:
        return ctypes.string_at(target.data, target.size)
    finally:
        _library("kernel32").LocalFree(ctypes.c_void_p(target.data))


def on_console_close(tell: Callable[[], None]) -> None:
    """Call `tell` when the console window closes, the user logs off or the machine shuts down."""

    def handler(event: int) -> int:
        if event not in _CLOSING:
            return 0
        tell()
        time.sleep(_GRACE)  # the process ends when this returns; until then the main thread can finish
        return 1

    made = getattr(ctypes, "WINFUNCTYPE")(ctypes.c_int, ctypes.c_uint32)(handler)  # noqa: B009
    _kept_alive.append(made)  # Windows calls it later: it must not be collected
    _library("kernel32").SetConsoleCtrlHandler(made, 1)
