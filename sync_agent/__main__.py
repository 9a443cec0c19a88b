"""`python -m sync_agent` is `loanhub-sync`."""

from __future__ import annotations

import sys

from sync_agent.cli import main

sys.exit(main())
