"""`loanhub-sync` as a test calls it: one machine with a memory of its own, and what each call came to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

from attrs import field, frozen

from loanhub.testing.servers import S3Server
from sync_agent.cli.run import run
from sync_agent.places import Places
from sync_agent.remotes import open_remote
from sync_agent.vault import Vault
from tests.unit.vaults import CHEAP

PASSPHRASE = "三只纸船过河去"


@frozen
class Came:
    """What a call came to: the exit status, and the envelope it printed."""

    code: int
    told: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What programs read."""
        data: dict[str, Any] = self.told["data"]
        return data

    @property
    def error(self) -> str:
        """The code of the error, or ""."""
        return str((self.told["error"] or {}).get("code", ""))


@frozen
class Machine:
    """A computer with a state folder of its own, that backs up to `vault`."""

    state: Path
    vault: str
    passphrase: str = PASSPHRASE
    settings: dict[str, str] = field(factory=dict)

    def __call__(self, *argv: object, **environment: str) -> Came:
        """The call with `--json`: stdout holds one object."""
        text = self.says("--json", *argv, **environment)[1]
        told = json.loads(text)
        return Came(told["code"], told)

    def says(self, *argv: object, **environment: str) -> tuple[int, str, str]:
        """The call as a person makes it: exit status, stdout, stderr."""
        out, err = StringIO(), StringIO()
        told = {**self._environment(), **environment}
        with patch.dict("os.environ", told), redirect_stdout(out), redirect_stderr(err):
            code = run([str(word) for word in argv])
        return code, out.getvalue(), err.getvalue()

    def apart(self, *argv: object) -> Came:
        """The call in a process of its own."""
        command = [sys.executable, "-m", "sync_agent", "--json", *map(str, argv)]
        environment = {**os.environ, **self._environment()}
        done = subprocess.run(command, env=environment, capture_output=True, check=False)
        return Came(done.returncode, json.loads(done.stdout))

    def _environment(self) -> dict[str, str]:
        return {
            "LOANHUB_SYNC_STATE": str(self.state),
            "LOANHUB_SYNC_VAULT": self.vault,
            "LOANHUB_SYNC_PASSPHRASE": self.passphrase,
            **self.settings,
        }

    def init(self, settings: dict[str, Any] | None = None) -> Vault:
        """A vault that opens quickly, made as `init` makes one."""
        remote = open_remote(self.vault, settings)
        made, _ = Vault.create(remote, self.passphrase, parameters=CHEAP, cache=self.state)
        Places(self.state).remember(self.vault, made.id)
        return made


def environment_of(server: S3Server) -> dict[str, str]:
    """The server as boto3 is told of one."""
    told = server.settings()
    return {
        "AWS_ENDPOINT_URL_S3": told["endpoint"],
        "AWS_ACCESS_KEY_ID": told["access_key"],
        "AWS_SECRET_ACCESS_KEY": told["secret_key"],
    }


def written(folder: Path, files: dict[str, str]) -> Path:
    """A folder with these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
