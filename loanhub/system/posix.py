"""The POSIX branch of `system`: Linux first, macOS where it differs."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import resource
import signal
import stat
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final

from loanhub.system.shapes import Death, Footprint, KeyStore, Limits

RESERVES_NAMES: Final = False
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NETWORK_TYPES: Final = frozenset(
    "nfs nfs4 cifs smb2 smb3 smbfs ncpfs afs 9p davfs ceph glusterfs lustre beegfs coda gpfs".split()
)
NETWORK_FUSE: Final = frozenset(
    "sshfs davfs davfs2 rclone s3fs glusterfs gvfsd-fuse curlftpfs smbnetfs onedriver".split()
)
MOUNTS: Final = Path("/proc/self/mountinfo")
VOLUMES: Final = Path("/Volumes")  # macOS
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_NEW_USER, _NEW_NET = 0x10000000, 0x40000000
_PARENT_DEATH_SIGNAL = 1
_RANGE: Final = struct.Struct("hhqqi4x")
"""A lock as 64-bit Linux takes it: type, whence, start, length, owner."""
_TETHER: Final = (
    "import os, sys; from loanhub.system import die_with_parent; die_with_parent(int(sys.argv[1])); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)
_OUT_OF_MEMORY = re.compile(rb"memory allocation of \d+ bytes failed|bad_alloc|MemoryError|[Oo]ut of memory")


def try_lock(handle: int) -> bool:
    """Take the exclusive lock of an open file without waiting; False when another holds it."""
    try:
        # flock, not lockf: it belongs to this opening, so a second opening in the same process collides too.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(handle: int) -> None:
    """Give the lock of an open file back."""
    fcntl.flock(handle, fcntl.LOCK_UN)


def share_range(handle: int, start: int, length: int, *, free: bool = False) -> bool | None:
    """Keep others from locking these bytes of an open file for themselves, or (`free`) let them again.

    False: somebody has them so locked. None: this system's locks would not do.
    """
    if not hasattr(fcntl, "F_OFD_SETLK"):
        return None
    # Locks of the opening, not of the process: those would be lost when any descriptor of the file is closed.
    wish = _RANGE.pack(fcntl.F_UNLCK if free else fcntl.F_RDLCK, os.SEEK_SET, start, length, 0)
    try:
        fcntl.fcntl(handle, fcntl.F_OFD_SETLK, wish)
    except OSError as failure:
        if failure.errno in (errno.EAGAIN, errno.EACCES):
            return False
        if failure.errno in (errno.EINVAL, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP):
            return None
        raise
    return True


def range_is_taken(handle: int, start: int, length: int) -> bool:
    """Whether another has any lock on these bytes of an open file. Only where `share_range` works."""
    wish = _RANGE.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
    answer = fcntl.fcntl(handle, fcntl.F_OFD_GETLK, wish)
    return bool(_RANGE.unpack(answer)[0] != fcntl.F_UNLCK)


def replace(source: Path, target: Path, patience: float) -> None:
    """Put `source` in the place of `target`, whoever has it open."""
    os.replace(source, target)


def place(source: Path, target: Path, patience: float) -> bool:
    """Give `source` the name `target` unless that is taken; False then, and `source` stays."""
    try:
        os.link(source, target)
    except FileExistsError:
        if not os.path.samefile(source, target):  # it is, where a share lost the answer and asked again
            return False
    except OSError as failure:
        if failure.errno not in _NO_LINKS:
            raise
        return _place_in_turn(source, target)
    source.unlink()
    return True


def _place_in_turn(source: Path, target: Path) -> bool:
    """As `place`, on FAT and the like, which have no links: one after the other by a lock of the folder."""
    handle = os.open(target.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.lexists(target):
            return False
        os.rename(source, target)
        return True
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_private(path: Path) -> None:
    """Nobody but the owner may read: 0700 for a folder, 0600 for a file."""
    path.chmod(0o700 if path.is_dir() else 0o600)


def open_plain(path: Path) -> BinaryIO:
    """Open a regular file for reading; OSError for a link, a pipe or a device, and never a wait."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError("not a regular file")
    return os.fdopen(handle, "rb")


def python() -> tuple[str, dict[str, str]]:
    """The interpreter to start a child with, and what its environment needs for that."""
    return sys.executable, {}


def popen_arguments() -> dict[str, Any]:
    """What subprocess.Popen needs so that the child can be killed with all it starts."""
    return {"start_new_session": True, "close_fds": True}


class Leash:
    """Holds a child and all it started; the limits are the child's own business here (`limit_self`)."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits | None) -> None:
        self._group = process.pid

    def kill(self) -> None:
        """End them all at once. Call it before the child is waited for: later the number may be another's."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._group, signal.SIGKILL)

    def close(self) -> None:
        """Nothing is held."""


def limit_self(limits: Limits) -> None:
    """Limit this process for good. A limit the system does not know is left out; the wall limit remains."""
    wanted = {
        resource.RLIMIT_CORE: (0, 0),
        resource.RLIMIT_AS: (limits.memory, limits.memory),
        resource.RLIMIT_CPU: (limits.cpu, limits.cpu + 2),
        resource.RLIMIT_NOFILE: (limits.files, limits.files),
        resource.RLIMIT_FSIZE: (limits.disk, limits.disk),
    }
    for which, (soft, hard) in wanted.items():
        ceiling = resource.getrlimit(which)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        with suppress(ValueError, OSError):  # macOS refuses RLIMIT_AS
            resource.setrlimit(which, (soft, hard))


def cut_network() -> bool:
    """Move this process into a network of its own that leads nowhere; False where that is not permitted.

    Must be called while there is one thread. Privileged processes stay who they are, so that files of
    other users remain readable; others need a user namespace, in which owning a file is enough.
    """
    if sys.platform != "linux":
        return False
    kernel = ctypes.CDLL(None, use_errno=True)
    return any(kernel.unshare(wish) == 0 for wish in (_NEW_NET, _NEW_USER | _NEW_NET))


def die_with_parent(parent: int) -> bool:
    """Ask the system to kill this process when process `parent` ends; False where it cannot.

    Call it after `cut_network`: a change of credentials clears the wish.
    """
    if sys.platform != "linux":
        return False
    ctypes.CDLL(None, use_errno=True).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the wish was made
        os._exit(1)
    return True


def tethered(command: Sequence[str]) -> list[str]:
    """`command` such that its process ends with this one (Linux), by a step between that makes the wish."""
    return [sys.executable, "-c", _TETHER, str(os.getpid()), *command]


def cause_of_death(status: int, last_words: bytes) -> Death:
    """Why a child ended, from its exit status and the end of its stderr."""
    if status == -signal.SIGXCPU:
        return "time"
    if status == -signal.SIGKILL or _OUT_OF_MEMORY.search(last_words):
        return "memory"  # nobody but the kernel's memory killer sends SIGKILL unasked
    return "crash"


def footprint() -> Footprint:
    """What this process and its ended children used so far."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    unit = 1 if sys.platform == "darwin" else 1024
    return Footprint(
        peak=_high_water() or own.ru_maxrss * unit,
        children_peak=children.ru_maxrss * unit,
        cpu=own.ru_utime + own.ru_stime,
        children_cpu=children.ru_utime + children.ru_stime,
    )


def _high_water() -> int | None:
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def tree_memory() -> int | None:
    """Bytes that this process and all its living descendants hold now, shared pages counted once.

    None where the system does not tell (only Linux does).
    """
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (
                (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            )
            parents[int(folder.name)] = int(fields[1])
    if not parents:
        return None
    tree = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= grown
    return sum(_proportional(pid) for pid in tree)


def _proportional(pid: int) -> int:
    try:
        found = re.search(
            r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text("ascii"), re.MULTILINE
        )
    except (OSError, UnicodeDecodeError):
        return 0
    return int(found[1]) * 1024 if found else 0


def on_network_share(path: PurePath, mounts: Path = MOUNTS) -> bool:
    """Whether `path` (absolute, links resolved) lies on a file system of another machine."""
    kind, longest = "", -1
    for point, mounted, _ in _mounted(mounts):
        if (
            path.is_relative_to(point) and len(point.parts) >= longest
        ):  # of two mounts in one place the later counts
            kind, longest = mounted, len(point.parts)
    family, _, member = kind.partition(".")
    return kind in NETWORK_TYPES or (family == "fuse" and member in NETWORK_FUSE)


def drives() -> list[Path]:
    """Where disks of this computer are mounted; no shares: one that hangs would hold us up."""
    disks = [Path(point) for point, _, source in _mounted(MOUNTS) if source.startswith("/dev/")]
    return disks or sorted(VOLUMES.glob("*"))


def _mounted(mounts: Path) -> Iterator[tuple[PurePath, str, str]]:
    """Place, type and source of each mount; nothing where the system does not say."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(" - ")
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), before.split()[4])
        kind, source, *_ = after.split(" ")
        yield PurePath(point), kind, source


def key_store() -> KeyStore | None:
    """None: no key store can be counted on here without a desktop session."""
    return None


def on_console_close(tell: Callable[[], None]) -> None:
    """Nothing to add: a closed terminal is SIGHUP."""
