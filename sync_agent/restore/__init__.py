"""Bringing a snapshot, or parts of it, back into a folder.

restoring    the listing is gone through, folders are made, and everything gets its mode and time
in_place     where things lay, and what stands there besides
writing      files put together from pieces that come in the order in which they are stored
"""

from __future__ import annotations

from sync_agent.restore.restoring import Restored, Wish, restore

__all__ = ["Restored", "Wish", "restore"]
