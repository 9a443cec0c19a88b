"""Memory of a backup of very many small pieces: 300 MB for a million."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = """
import sys
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
[most] = [line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM")]
print(int(most) // 1024, len(vault.state.index))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the most memory used from /proc")
@pytest.mark.parametrize(
    ("pieces", "megabytes"), [(50_000, 160), pytest.param(1_000_000, 300, marks=pytest.mark.prove)]
)
def test_very_many_small_pieces_take_little_memory(tmp_path: Path, pieces: int, megabytes: int) -> None:
    (tmp_path / "disk").mkdir()
    for run in ("first", "again"):
        command = [sys.executable, "-c", CHILD, str(tmp_path / "disk"), str(pieces), run]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
        used, found = map(int, done.stdout.split())
        print(f"{pieces} pieces, {run} run: {used} MB")
        assert found == pieces
        assert used < megabytes
