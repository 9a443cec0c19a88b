"""Run a function in a limited child process: for files that may be hostile, and code that is not ours.

    from loanhub import cage

    counts = cage.run("loanhub_format_excel.reading:inspect", path, memory=1 << 30, cpu=60, wall=90)

The child has limits for memory, CPU and time, no network, none of our handles, an environment with
nothing of ours in it, and an empty folder to work in. It dies with us. Arguments travel as pickle, from us
to it; answers as JSON, because what reads a hostile file may speak for that file. Many rows go
through files in the scratch folder, named in the result or in progress messages.
"""

from __future__ import annotations

from loanhub.cage.child import report
from loanhub.cage.keeper import run

__all__ = ["report", "run"]
