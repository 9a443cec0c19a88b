"""Snapshots of folders: what a backup knows of files, on top of a vault that knows only blobs.

taking gathering    one snapshot from beginning to end; one root, step by step
walking patterns    what is there; which of it is meant       (seen: what was read before and did not change)
contents            files cut into pieces, databases at one moment
entries listings    how a folder is written and read          (body: what the commit says, and the report)
looking             ls, diff, find; what a prune must keep
"""

from __future__ import annotations

from sync_agent.snapshots.body import (
    BEFORE_RESTORE,
    Counts,
    Problem,
    Root,
    Snapshot,
    read_report,
    snapshot_named,
    snapshots_of,
)
from sync_agent.snapshots.entries import Entry
from sync_agent.snapshots.gathering import Options, Progress
from sync_agent.snapshots.looking import Change, Listed, diff, find, ls, needs_of
from sync_agent.snapshots.patterns import Patterns
from sync_agent.snapshots.taking import Taken, take

__all__ = [
    "BEFORE_RESTORE",
    "Change",
    "Counts",
    "Entry",
    "Listed",
    "Options",
    "Patterns",
    "Problem",
    "Progress",
    "Root",
    "Snapshot",
    "Taken",
    "diff",
    "find",
    "ls",
    "needs_of",
    "read_report",
    "snapshot_named",
    "snapshots_of",
    "take",
]
