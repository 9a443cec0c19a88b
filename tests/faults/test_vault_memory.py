"""Memory of a backup of very many small pieces: 300 MB for a million (LOANHUB_BLOBS in `make prove`)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOBS = int(os.environ.get("LOANHUB_BLOBS", "50000"))
MEGABYTES = 140 + 160 * BLOBS // 1_000_000

CHILD = """
import resource, sys
from pathlib import Path
from loanhub import Secret
from sync_agent.remotes import open_remote
from sync_agent.vault import Vault

remote, blobs = open_remote(sys.argv[1]), int(sys.argv[2])
if sys.argv[3] == "first":
    vault = Vault.create(remote, Secret(b"k" * 32), kind="key-file")[0]
else:
    vault = Vault.open(remote, Secret(b"k" * 32))
with vault.writer() as writer:
    for number in range(blobs):
        writer.save("data", b"%020d" % number * 20)
    writer.commit({})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, len(vault.state.index))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems count memory in other units")
def test_very_many_small_blobs_take_little_memory(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    for run in ("first", "again"):
        command = [sys.executable, "-c", CHILD, str(tmp_path / "disk"), str(BLOBS), run]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
        megabytes, blobs = map(int, done.stdout.split())
        assert blobs == BLOBS
        assert megabytes < MEGABYTES
