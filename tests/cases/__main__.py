"""`python -m tests.cases [DIR]`: every case file below DIR, one line a file, exit 1 unless all pass."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.cases.runner import main

sys.exit(main([Path(arg) for arg in sys.argv[1:]]))
