"""Child processes: started on a leash, limited, without network, and ended with all they started."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from loanhub.system.branch import here
from loanhub.system.shapes import Death, Limits

FORBIDDEN: Final = frozenset(
    {
        *("socket.__new__", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
        *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"),
        *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"),
        *("os.startfile", "os.startfile/2", "pty.spawn"),
    }
)


class Child:
    """A process on a leash. `end` may be called at any time and any number of times."""

    def __init__(self, process: subprocess.Popen[bytes], limits: Limits | None) -> None:
        self.process = process
        try:
            self._leash = here.Leash(process, limits)
        except BaseException:
            process.kill()
            process.wait()
            raise

    def kill(self) -> None:
        """End it and all it started, now."""
        if self.process.returncode is None:
            self._leash.kill()

    def end(self) -> int:
        """End it if it still runs, wait for it, close its pipes; its exit status (negative: a signal)."""
        self.kill()
        status = self.process.wait()
        self._leash.close()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return status

    def death(self, status: int, last_words: bytes) -> Death:
        """Why it ended, from its exit status and the end of its stderr."""
        return here.cause_of_death(status, last_words)


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    limits: Limits | None = None,
    pipes: bool = True,
) -> Child:
    """Start Python with the arguments `command` and nothing inherited but three pipes.

    Without `pipes` its stdout and stderr are ours. On POSIX the child limits itself (`limit_self`)
    before it does anything; on Windows the limits are those of its job. Raises OSError.
    """
    interpreter, needed = here.python()
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL}
    if pipes:
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(
        [interpreter, *command],
        cwd=cwd,
        env={**environment, **needed},
        **streams,
        **here.popen_arguments(),
    )
    return Child(process, limits)


def forbid_network() -> bool:
    """No network and no new processes in this process, for good; must be called while there is one thread.

    True when the system itself cut the network. The audit hook stands besides: it refuses what Python
    code asks for, native code could walk around it. Refused calls raise PermissionError.
    """
    cut = here.cut_network()
    sys.addaudithook(_refuse)
    return cut


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in FORBIDDEN:
        raise PermissionError(f"{event} is not allowed in the cage")
