"""Which branch of `system` is ours: `here` is the module posix or windows; both offer the same names."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from loanhub.system import windows as here
else:
    from loanhub.system import posix as here

__all__ = ["here"]
