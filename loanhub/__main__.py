"""`python -m loanhub`: the command line."""

from __future__ import annotations

import sys

from loanhub.cli import main

sys.exit(main())
