"""One command in a process of its own: seconds of wall and CPU, and its peak memory in bytes, as JSON.

python -m tests.bench.timed COMMAND...
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

from loanhub.system import footprint


def timed(command: list[str]) -> dict[str, float]:
    """Runs it; what it says is shown only if it fails, and then this process fails too."""
    begun = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    wall, used = time.perf_counter() - begun, footprint()
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return {"wall": wall, "cpu": used.children_cpu, "peak": used.children_peak}


if __name__ == "__main__":
    print(json.dumps(timed(sys.argv[1:])))
