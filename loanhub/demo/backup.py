"""The end of the demo: a backup of the throwaway home to object storage, its restore, and the comparison.

The storage is a real S3 server on this computer where one is installed (`make run` does), else a folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import frozen

from loanhub.cli.outcome import DAMAGED, DONE
from loanhub.cli.run import run as command
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.records import Query
from loanhub.testing.servers import seaweedfs
from loanhub.texts import Lang, render

COUNTED: Final = ("customer", "loan", "credit", "follow_up", "rating", "message", "batch")
FOREIGN: Final = ("AWS_", "LOANHUB_SYNC_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
"""Beginnings of settings that would lead the demo to the reader's own storage."""


@frozen
class Storage:
    """Where the backup goes, and how programs are told of it; `real` is an S3 server."""

    address: str
    environment: Mapping[str, str]
    real: bool


@contextmanager
def storage(folder: Path) -> Iterator[Storage]:
    """A server with its data in `folder`, or a folder in it where no server is installed or none comes up."""
    with ExitStack() as running:
        try:
            server = running.enter_context(seaweedfs(folder))
        except (FileNotFoundError, TimeoutError):
            place = Storage(str(folder / "vault"), {}, real=False)
        else:
            told = server.settings()
            keys = {"AWS_ACCESS_KEY_ID": told["access_key"], "AWS_SECRET_ACCESS_KEY": told["secret_key"]}
            there = {"AWS_ENDPOINT_URL_S3": told["endpoint"], "AWS_DEFAULT_REGION": "us-east-1", **keys}
            place = Storage(f"s3://{server.bucket()}/demo", there, real=True)
        yield place


def back_up_and_restore(home: Path, lang: Lang, name: str) -> int:
    """Back `home` up, restore it beside itself, find `name` there, compare; the status of what failed."""
    target = home.with_name(f"{home.name}-restored")
    with TemporaryDirectory(prefix="loanhub-demo-storage-") as folder, storage(Path(folder)) as place:
        _title(lang, "demo.storage" if place.real else "demo.no-server", address=place.address)
        state = {"LOANHUB_SYNC_STATE": str(Path(folder) / "state"), "LOANHUB_SYNC_VAULT": place.address}
        own = {word: value for word, value in os.environ.items() if not word.upper().startswith(FOREIGN)}
        environment = {**own, **state, **place.environment, "PYTHONUTF8": "1", "LOANHUB_LANG": lang}
        for title, arguments in (
            ("demo.vault", ["init", place.address, "--home", str(home)]),
            ("demo.backup", ["backup", str(home)]),
            ("demo.restore", ["restore", "latest", "--home", str(home), "--to", str(target)]),
        ):
            _title(lang, title)
            if status := _sync(arguments, environment):
                return status
    return _looked_over(home, target / home.name, lang, name)


def _sync(arguments: list[str], environment: Mapping[str, str]) -> int:
    """`loanhub-sync` with these arguments, as it is typed; what it says is said here."""
    _typed("loanhub-sync", arguments)
    argv = [sys.executable, "-m", "sync_agent", *arguments, "--yes"]
    came = subprocess.run(
        argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=False, encoding="utf-8",
    )  # fmt: skip
    print(came.stdout.rstrip(), flush=True)
    return came.returncode


def _looked_over(home: Path, restored: Path, lang: Lang, name: str) -> int:
    """Find in the restored home, which is held, and compare what is in both."""
    _title(lang, "demo.held")
    _typed("loanhub", ["--home", str(restored), "find", name])
    if status := command(["--home", str(restored), "--lang", lang, "find", name]):
        return status
    _title(lang, "demo.compare")
    here, there = _counts(home), _counts(restored)
    for kind, count in here.items():
        same = "=" if count == there[kind] else "≠"
        print(f"  {render(f'demo.count.{kind}', lang).text}: {count} {same} {there[kind]}")
    equal = here == there
    print(render("demo.equal" if equal else "demo.differs", lang).text, flush=True)
    return DONE if equal else DAMAGED


def _counts(home: Path) -> dict[str, int]:
    """How many records of each kind and how many audit lines a home has."""
    passphrase = Secret(os.environ["LOANHUB_PASSPHRASE"])
    with Institution.open(home, unlock=lambda: passphrase) as house, house.store.reading() as tx:
        found = {kind: tx.columns(Query(kind, fields=("id",))).height for kind in COUNTED}
        return {**found, "line": sum(1 for _ in tx.lines())}


def _title(lang: Lang, code: str, **facts: object) -> None:
    print(f"\n== {render(code, lang, **facts).text}\n", flush=True)


def _typed(program: str, arguments: list[str]) -> None:
    quoted = [f'"{one}"' if " " in one else one for one in arguments]
    print(f"$ {program} {' '.join(quoted)}\n", flush=True)
