"""A snapshot as its commit describes it, and the report of what could not be taken.

docs/vault-format.md section 13 is the format.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import attrs
from attrs import frozen

from loanhub import Damaged, Misconfigured, NotFound
from sync_agent.blobs import Blobs
from sync_agent.snapshots.entries import FOLDER, Entry
from sync_agent.snapshots.listings import Load
from sync_agent.vault import Commit, Vault, strict

VERSION: Final = 1
BEFORE_RESTORE: Final = "before-restore"
"""Tag of what stood where a restore was about to write."""
MOST_REPORTED: Final = 10_000
_COUNTS: Final = ("files", "folders", "links", "bytes", "read")
_FIELDS: Final = ("version", "started", "host", "user", "roots", "tags", "tree", *_COUNTS, "problems",
                  "report", "parent")  # fmt: skip
_CODE: Final = re.compile(r"[a-z0-9-]{1,80}")
_ANYTHING: Final = re.compile(r".*", re.DOTALL)


@frozen
class Problem:
    """Something that could not be taken or brought back as it is: a message code, and where it lies."""

    code: str
    path: str


@frozen
class Root:
    """A folder or file that was asked for: its name in the top listing, and where it lay."""

    name: str
    path: str


@frozen
class Counts:
    """What is in a snapshot. `bytes`: content of all files; `read`: of those that had to be read."""

    files: int = 0
    folders: int = 0
    links: int = 0
    bytes: int = 0
    read: int = 0


@frozen
class Snapshot:
    """One snapshot: its commit, and what the commit says of it."""

    commit: Commit
    started: str
    host: str
    user: str
    roots: tuple[Root, ...]
    tags: tuple[str, ...]
    tree: bytes
    counts: Counts
    problems: Mapping[str, int] = attrs.field(factory=dict)
    report: bytes | None = None
    parent: int | None = None

    @property
    def id(self) -> str:
        """What people call it: the number of its commit and the first 8 digits of its hash."""
        return f"{self.commit.sequence}-{self.commit.hash[:8]}"

    @property
    def top(self) -> Entry:
        """The folder that holds the roots."""
        return Entry(b"", FOLDER, 0o755, 0, references=((self.tree, len(self.roots)),) if self.roots else ())

    @classmethod
    def of(cls, commit: Commit) -> Self:
        """The snapshot in a commit. Raises Damaged `vault-object-damaged`, Misconfigured `snapshot-newer`."""
        name = f"c/{commit.sequence:010}"
        body = commit.body
        if isinstance(body, dict) and body.get("version") != VERSION:
            raise Misconfigured("snapshot-newer", what=f"snapshot {ascii(body.get('version'))[:20]}")
        strict.expect(body, _FIELDS, name)
        roots = []
        for root in strict.items(body["roots"], name):
            strict.expect(root, ("name", "path"), name)
            roots.append(Root(*(strict.text(root[field], _ANYTHING, name) for field in ("name", "path"))))
        problems = body["problems"]
        if not isinstance(problems, dict):
            raise Damaged("vault-object-damaged", name=name)
        return cls(
            commit=commit,
            started=strict.text(body["started"], strict.TIME, name),
            host=strict.text(body["host"], _ANYTHING, name),
            user=strict.text(body["user"], _ANYTHING, name),
            roots=tuple(roots),
            tags=tuple(strict.text(tag, _ANYTHING, name) for tag in strict.items(body["tags"], name)),
            tree=bytes.fromhex(strict.text(body["tree"], strict.HEX_64, name)),
            counts=Counts(*(strict.number(body[field], name) for field in _COUNTS)),
            problems={
                strict.text(code, _CODE, name): strict.number(count, name, least=1)
                for code, count in problems.items()
            },
            report=None if body["report"] is None else _id(body["report"], name),
            parent=None if body["parent"] is None else strict.number(body["parent"], name, least=1),
        )


def _id(value: object, name: str) -> bytes:
    return bytes.fromhex(strict.text(value, strict.HEX_64, name))


@frozen
class Draft:
    """A snapshot that is not committed yet."""

    started: str
    host: str
    user: str
    roots: Sequence[Root]
    tags: Sequence[str]
    tree: bytes
    counts: Counts
    problems: Mapping[str, int]
    report: bytes | None
    parent: int | None

    def to_body(self) -> dict[str, Any]:
        """The body of its commit."""
        return {
            "version": VERSION,
            "started": self.started,
            "host": self.host,
            "user": self.user,
            "roots": [attrs.asdict(root) for root in self.roots],
            "tags": sorted(set(self.tags)),
            "tree": self.tree.hex(),
            **attrs.asdict(self.counts),
            "problems": dict(self.problems),
            "report": None if self.report is None else self.report.hex(),
            "parent": self.parent,
        }


# Which one is meant ---------------------------------------------------------------------------------------


def snapshots_of(vault: Vault) -> list[Snapshot]:
    """The live snapshots, oldest first."""
    return [Snapshot.of(commit) for commit in vault.snapshots]


def snapshot_named(vault: Vault, name: str) -> Snapshot:
    """The snapshot people call so: `latest`, its number, its id, or the beginning of its hash (4 digits).

    `latest` is the newest that was not taken before a restore: so a restore that was interrupted means the
    same one when it is run again, and not what it had half done. Raises NotFound `snapshot-unknown`.
    """
    commits = vault.snapshots
    if name == "latest" and commits:
        newest_first = map(Snapshot.of, reversed(commits))
        return next((one for one in newest_first if BEFORE_RESTORE not in one.tags), Snapshot.of(commits[-1]))
    number, _, digits = name.partition("-")
    found = [one for one in commits if str(one.sequence) == number and one.hash.startswith(digits)]
    if not found and len(name) >= 4:
        found = [one for one in commits if one.hash.startswith(name.lower())]
    if len(found) != 1:
        raise NotFound("snapshot-unknown", snapshot=name)
    return Snapshot.of(found[0])


# Reports --------------------------------------------------------------------------------------------------


def save_report(blobs: Blobs, problems: Sequence[Problem]) -> bytes | None:
    """Puts the report of these problems away; None when there are none."""
    if not problems:
        return None
    some = [attrs.asdict(problem) for problem in problems[:MOST_REPORTED]]
    return blobs.save("meta", strict.canonical({"version": VERSION, "problems": some}))


def read_report(load: Load, snapshot: Snapshot) -> list[Problem]:
    """What could not be taken, at most the first 10,000. Raises Damaged, Misconfigured."""
    if snapshot.report is None:
        return []
    name = f"report {snapshot.report.hex()[:16]}"
    fields = strict.read_fields(load("meta", snapshot.report), ("version", "problems"), name)
    if fields["version"] != VERSION:
        raise Misconfigured("snapshot-newer", what=name)
    found = []
    for one in strict.items(fields["problems"], name):
        strict.expect(one, ("code", "path"), name)
        code, path = strict.text(one["code"], _CODE, name), strict.text(one["path"], _ANYTHING, name)
        found.append(Problem(code, path))
    return found


def shown(path: str | bytes) -> str:
    """A path for people: bytes that are not UTF-8, and marks that would move a cursor, stand as escapes."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
