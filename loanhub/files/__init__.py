"""Files: watched until they rest, told apart by content, written whole, named safely.

watching    which files of a drop folder have come to rest   (bell: events that make it look sooner)
contents    what a file is, and whether all of it is there   (containers: zip and OLE)
whole       write, move, digest, room on the disk, the scratch folder
names       safe names, ignored names, the marks of open workbooks
"""

from __future__ import annotations

from loanhub.files.contents import Content, is_whole, sniff, torn
from loanhub.files.names import beside, ignored, owner_file, remote_name, safe_name, spoken_name
from loanhub.files.watching import Notice, Seen, Settled, Settler, scan, unchanged, watch
from loanhub.files.whole import move, need_space, saying_full, scratch, sha256_of, write_atomically, write_new

__all__ = [
    "Content",
    "Notice",
    "Seen",
    "Settled",
    "Settler",
    "beside",
    "ignored",
    "is_whole",
    "move",
    "need_space",
    "owner_file",
    "remote_name",
    "safe_name",
    "saying_full",
    "scan",
    "scratch",
    "sha256_of",
    "sniff",
    "spoken_name",
    "torn",
    "unchanged",
    "watch",
    "write_atomically",
    "write_new",
]
