"""A console that shows Chinese where it can and never makes the program fall over where it cannot."""

from __future__ import annotations

import codecs
import sys
from io import TextIOWrapper


def ready_console() -> None:
    """UTF-8 for files, pipes and ASCII terminals; a GBK terminal keeps its code page, `?` for the rest."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if not isinstance(stream, TextIOWrapper):
            continue
        if stream.isatty() and codecs.lookup(stream.encoding).name != "ascii":
            stream.reconfigure(errors="replace")
        else:
            stream.reconfigure(encoding="utf-8", errors="replace")
