"""The storage server of the tests is a real one: it stays on this computer, survives kills, goes with us."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from tempfile import gettempdir

import pytest

from loanhub import Busy
from loanhub.testing.servers import S3Server, seaweedfs
from loanhub_remote_s3 import open_s3

pytestmark = pytest.mark.prove


@pytest.fixture
def server(tmp_path: Path) -> Iterator[S3Server]:
    with seaweedfs(tmp_path) as server:
        yield server


def test_what_was_acknowledged_is_there_after_the_server_was_killed_again_and_again(server: S3Server) -> None:
    remote = open_s3(f"s3://{server.bucket()}", {**server.settings(), "patience": 60.0})
    stop, stored = threading.Event(), dict[str, bytes]()

    def put(writer: int) -> None:
        lot = random.Random(writer)
        n = 0
        while not stop.is_set():
            name, data = f"p/{writer}/{n}", lot.randbytes(lot.randrange(200_000))
            assert remote.put_new(name, data) is True  # also when the answer was lost in the kill
            stored[name] = data
            n += 1

    writers = [threading.Thread(target=put, args=(n,)) for n in range(3)]
    for writer in writers:
        writer.start()
    for wait in (1.5, 0.9, 1.2):
        time.sleep(wait)
        server.kill()
        server.start()
    stop.set()
    for writer in writers:
        writer.join(120)
    assert len(stored) > 100
    assert {name: remote.get(name) for name in stored} == stored
    assert {one.name: one.size for one in remote.list("p/")} == {
        name: len(data) for name, data in stored.items()
    }


def test_it_listens_on_this_computer_only_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with seaweedfs(tmp_path / "one") as one, seaweedfs(tmp_path / "two") as two:
        assert one.process is not None
        listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
        ours = [line.split()[3] for line in listening.splitlines() if f"pid={one.process.pid}," in line]
        assert len(ours) >= len(one.ports)
        assert {place.rpartition(":")[0] for place in ours} == {"127.0.0.1"}
        assert not set(one.ports.values()) & set(two.ports.values())
        ports = [n + twin for s in (one, two) for n in s.ports.values() for twin in (0, 10_000)]
        assert len(sockets(ports)) == 12
    assert sockets(ports) == []


def sockets(ports: list[int]) -> list[Path]:
    """What such a server leaves in the system's folder for temporary files."""
    return [left for port in ports for left in Path(gettempdir()).glob(f"seaweedfs-*-{port}.sock")]


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    start = (
        "import json, os, signal, sys; from pathlib import Path\n"
        "from loanhub.testing.servers import seaweedfs\n"
        "with seaweedfs(Path(sys.argv[1])) as server:\n"
        "    print(json.dumps([server.process.pid, server.ports]), flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", start, str(tmp_path)], capture_output=True, text=True, check=False
    )
    pid, ports = json.loads(said.stdout)
    end = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    connection = HTTPConnection("127.0.0.1", ports["s3"], timeout=1)
    with pytest.raises(OSError):
        connection.connect()
    S3Server(tmp_path, ports).kill()  # its sockets in the system's folder for temporary files


def test_a_server_that_is_away_is_said_to_be_so(server: S3Server) -> None:
    remote = open_s3(f"s3://{server.bucket()}", {**server.settings(), "patience": 0.5})
    server.kill()
    with pytest.raises(Busy, match="remote-unreachable"):
        remote.put_new("c/1", b"first")
    server.start()
    assert remote.put_new("c/1", b"first") is True
