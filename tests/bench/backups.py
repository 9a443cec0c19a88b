"""The programs that make backups, as a user calls them: the commands of loanhub-sync, restic and borg."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from abc import ABC, abstractmethod
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from loanhub.testing.servers import ADMIN, S3Server

PASSPHRASE: Final = "a passphrase for the bench"
_FOREIGN: Final = ("AWS_", "BORG_", "RESTIC_", "LOANHUB_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def program(name: str) -> str | None:
    """Where a program is: beside this Python, or where the shell finds it."""
    return shutil.which(name, path=os.pathsep.join((sysconfig.get_path("scripts"), os.environ["PATH"])))


@frozen
class Bucket:
    """A new bucket of a running server."""

    server: S3Server
    name: str

    def stored(self) -> int:
        """Bytes of all objects in it."""
        import boto3
        from botocore.config import Config

        who = {"aws_access_key_id": ADMIN[0], "aws_secret_access_key": ADMIN[1], "region_name": "us-east-1"}
        client = boto3.client("s3", endpoint_url=self.server.endpoint, config=Config(proxies={}), **who)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return sum(one["Size"] for page in pages for one in page.get("Contents", ()))


@frozen
class Backup(ABC):
    """A program with a repository of its own: in a folder of `own`, or in a bucket."""

    path: str
    own: Path
    bucket: Bucket | None = None

    def environment(self) -> dict[str, str]:
        """What it is told by variables; what it remembers of its repository lies in `own` too."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        return {**kept, **{name: str(value) for name, value in self._told().items()}}

    def stored(self) -> int:
        """Bytes of the repository."""
        if self.bucket is not None:
            return self.bucket.stored()
        return sum(path.stat().st_size for path in (self.own / "repository").rglob("*") if path.is_file())

    def version(self) -> str:
        """As it says."""
        command = [self.path, *self._version()]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return next(word for word in said.split() if word[0].isdigit())

    def _version(self) -> list[str]:
        return ["--version"]

    @abstractmethod
    def _told(self) -> dict[str, Any]: ...

    @abstractmethod
    def init(self) -> list[str]:
        """Makes the repository."""

    @abstractmethod
    def save(self, data: Path) -> list[str]:
        """Backs a folder up."""

    @abstractmethod
    def restore(self, target: Path) -> list[str]:
        """Brings the newest backup back into an empty folder, in which it is run."""


class Ours(Backup):
    """loanhub-sync, with its defaults."""

    def version(self) -> str:
        return metadata.version("loanhub")

    def _told(self) -> dict[str, Any]:
        told = {"LOANHUB_SYNC_PASSPHRASE": PASSPHRASE, "LOANHUB_SYNC_STATE": self.own / "state"}
        return {**told, "LOANHUB_SYNC_VAULT": self._address(), "LOANHUB_LANG": "en"}

    def _address(self) -> str:
        return str(self.own / "repository") if self.bucket is None else f"s3://{self.bucket.name}/vault"

    def init(self) -> list[str]:
        if self.bucket is not None:
            settings = [f'{name} = "{value}"' for name, value in self.bucket.server.settings().items()]
            (self.own / "state").mkdir()
            text = "\n".join([f'["{self._address()}"]', *settings])
            (self.own / "state" / "remotes.toml").write_text(text, encoding="utf-8")
        return [self.path, "init", "--yes"]

    def save(self, data: Path) -> list[str]:
        return [self.path, "backup", str(data)]

    def restore(self, target: Path) -> list[str]:
        return [self.path, "restore", "latest", "--to", str(target)]


class Restic(Backup):
    """restic; format 2, which compresses (what it chooses by itself)."""

    def _version(self) -> list[str]:
        return ["version"]

    def _told(self) -> dict[str, Any]:
        place = self.own / "repository"
        told = {"RESTIC_PASSWORD": PASSPHRASE, "RESTIC_CACHE_DIR": self.own / "cache"}
        if self.bucket is None:
            return {**told, "RESTIC_REPOSITORY": place}
        who = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ADMIN, strict=True))
        place_there = f"s3:{self.bucket.server.endpoint}/{self.bucket.name}/restic"
        return {**told, **who, "RESTIC_REPOSITORY": place_there}

    def init(self) -> list[str]:
        return [self.path, "init", "--repository-version", "2"]

    def save(self, data: Path) -> list[str]:
        return [self.path, "backup", str(data)]

    def restore(self, target: Path) -> list[str]:
        return [self.path, "restore", "latest", "--target", str(target)]


class Borg(Backup):
    """borg; zstd of the same level as ours."""

    def _told(self) -> dict[str, Any]:
        told = {"BORG_PASSPHRASE": PASSPHRASE, "BORG_BASE_DIR": self.own / "base"}
        return {**told, "BORG_REPO": self.own / "repository", "PYTHONWARNINGS": "ignore"}

    def init(self) -> list[str]:
        return [self.path, "init", "--encryption", "repokey-blake2"]

    def save(self, data: Path) -> list[str]:
        return [self.path, "create", "--compression", "zstd,1", "::{utcnow:%Y%m%d%H%M%S%f}", str(data)]

    def restore(self, target: Path) -> list[str]:
        # The newest archive by its own name: borg has no word for it.
        listing = [self.path, "list", "--last", "1", "--short"]
        env = self.environment()
        name = subprocess.run(listing, check=True, stdout=subprocess.PIPE, text=True, env=env).stdout.strip()
        return [self.path, "extract", f"::{name}"]


PROGRAMS: Final[dict[str, tuple[str, type[Backup]]]] = {
    "loanhub": ("loanhub-sync", Ours),
    "restic": ("restic", Restic),
    "borg": ("borg", Borg),
}
