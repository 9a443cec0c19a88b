"""`python -m tests.corpus DIR [--keep]`: sweep a folder, one line a file, compared with the kept table.

`--keep` writes the table anew. The exit status is 1 when a file ended otherwise than kept, took over 60
seconds or 1.5 GB, or ended as neither stored, refused with a reason, nor needs-mapping.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.corpus.sweep import differences, keep, kept, sweep


def main(arguments: list[str]) -> int:
    """Sweep, print, compare."""
    folders = [Path(argument) for argument in arguments if argument != "--keep"]
    if len(folders) != 1 or not folders[0].is_dir():
        print(__doc__)
        return 2
    lines = []
    for line in sweep(folders[0]):
        print(line, flush=True)
        lines.append(line)
    ends = Counter(line.outcome for line in lines)
    slowest, largest = max(line.seconds for line in lines), max(line.peak for line in lines)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in ends.most_common())
    print(f"{len(lines)} files: {counts}; at most {slowest:.1f} s and {largest:.0f} MB")
    if "--keep" in arguments:
        keep(lines)
    found = differences(lines, kept())
    print("\n".join(found) or "all as kept")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
