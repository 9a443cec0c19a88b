"""The audit log: what a line says and how lines are chained. Pure; the desk appends, a store keeps."""

from loanhub.audit.chain import EMPTY, Entry, Head, Line, check, digest, link, one_line, values

__all__ = ["EMPTY", "Entry", "Head", "Line", "check", "digest", "link", "one_line", "values"]
