"""The audit log read, verified, and proven to others: by a checkpoint of all, by a path for one line."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from pathlib import Path

from attrs import frozen

from loanhub import audit
from loanhub.acts import Books, Facts, param
from loanhub.audit import Line
from loanhub.audit.merkle import Tree, path_of
from loanhub.audit.notes import Checkpoint, read_note, signed_note, verifier_key
from loanhub.entities import Account, Pending
from loanhub.errors import Damaged, NotFound, Usage
from loanhub.keys import public_key
from loanhub.records import Test
from loanhub.signatures import unsigned_parts

LISTED = 50


@frozen
class ListLines:
    """List lines of the log, the newest last: of one person, act or object, from a line on."""

    who: str | None = param(default=None)
    act: str | None = param(default=None)
    object: str | None = param(default=None)
    after: int = param(default=0)
    limit: int = param(default=LISTED)


@frozen
class VerifyLog:
    """Verify the whole log, and against checkpoints that were kept elsewhere."""

    against: tuple[Path, ...] = param(default=(), many=True)


@frozen
class MakeCheckpoint:
    """Sign the log as it is now: a short text to be kept elsewhere."""


@frozen
class ProveLine:
    """Prove that a line stands in the log, so that somebody without this program can check it."""

    seq: int = param(argument=True)


@frozen
class LogLine:
    """One line as it is shown."""

    seq: int
    at: datetime
    who: str
    role: str
    via: str
    sign_in: str
    act: str
    object: str
    fields: tuple[str, ...]
    reason: str
    outcome: str


@frozen
class LogLines:
    """Lines; with `more`, `after` is where to go on."""

    results: tuple[LogLine, ...]
    more: bool = False
    after: int = 0


@frozen
class Verified:
    """The log is whole: so many lines, their root, and checkpoints that fit."""

    lines: int
    root: str
    checkpoints: int


@frozen
class Signed:
    """A checkpoint as a signed note, and the key that checks it."""

    size: int
    note: str
    key: str


@frozen
class Proof:
    """`line` is the text whose SHA-256, behind the words `loanhub-audit-1` and a newline, is the line's hash;
    `path` leads from SHA-256(00 || hash) to the root in the note, as RFC 9162 section 2.1.3 says.
    """

    seq: int
    index: int
    line: str
    hash: str
    path: tuple[str, ...]
    note: str
    key: str


def list_lines(books: Books, request: ListLines) -> Facts[LogLines]:
    """The lines that fit, in order."""
    most, found = max(request.limit, 1), list[Line]()
    for line in books.lines(request.after):
        if _fits(line, request):
            found.append(line)
        if len(found) > most:
            break
    page = found[:most]
    last = page[-1].seq if page else 0
    return Facts(LogLines(tuple(map(_shown, page)), len(found) > most, last if len(found) > most else 0))


def verify(books: Books, request: VerifyLog) -> Facts[Verified]:
    """The log verified.

    Raises Damaged: `audit-broken` (the first bad line), `audit-cut` (a checkpoint has more lines),
    `audit-rewritten` (other lines had been there), `checkpoint-damaged`, `approval-forged` (approved, and not
    signed by who is said to have); NotFound("checkpoint-missing").
    """
    notes = [_note(books, path) for path in request.against]
    roots = {note.size: b"" for note in notes}
    tree, head = Tree(), audit.Head(0, audit.EMPTY)
    for line in books.lines():
        audit.check([line], head)
        head = audit.Head(line.seq, line.hash)
        tree.add(line.hash)
        if tree.size in roots:
            roots[tree.size] = tree.root
    for note in notes:
        if note.size > tree.size:
            raise Damaged("audit-cut", lines=tree.size, size=note.size)
        if note.size and roots[note.size] != note.root:
            raise Damaged("audit-rewritten", size=note.size)
    for pending in books.listed(Pending, Test("state", "eq", "approved")):
        if parts := unsigned_parts(books.home, pending, partial(_accounts, books)):
            raise Damaged("approval-forged", id=pending.id, part=parts[0])
    return Facts(Verified(tree.size, b64encode(tree.root).decode(), len(notes)))


def _accounts(books: Books, moment: datetime) -> list[Account]:
    return books.listed(Account, as_of=moment)


def checkpoint(books: Books, _: MakeCheckpoint) -> Facts[Signed]:
    """The log signed as it is. Raises Damaged("audit-broken")."""
    hashes = list(_hashes(books))
    note, key = _signed(books, hashes)
    return Facts(Signed(len(hashes), note, key), about="audit")


def prove(books: Books, request: ProveLine) -> Facts[Proof]:
    """The proof for a line. Raises NotFound("audit-no-line"), Damaged("audit-broken")."""
    hashes = list(_hashes(books))
    if not 1 <= request.seq <= len(hashes):
        raise NotFound("audit-no-line", seq=request.seq, lines=len(hashes))
    line = next(books.lines(request.seq - 1, 1))
    said = {**audit.values(line), "previous": line.previous.hex()}
    text = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    note, key = _signed(books, hashes)
    index = request.seq - 1
    path = tuple(b64encode(one).decode() for one in path_of(index, hashes))
    return Facts(
        Proof(request.seq, index, text, line.hash.hex(), path, note, key), about=f"audit:{request.seq}"
    )


def _hashes(books: Books) -> Iterator[bytes]:
    head = audit.Head(0, audit.EMPTY)
    for line in books.lines():
        audit.check([line], head)
        head = audit.Head(line.seq, line.hash)
        yield line.hash


def _signed(books: Books, hashes: list[bytes]) -> tuple[str, str]:
    tree = Tree()
    for one in hashes:
        tree.add(one)
    origin, key = books.audit_key
    return signed_note(Checkpoint(origin, tree.size, tree.root), key), verifier_key(origin, public_key(key))


def _note(books: Books, path: Path) -> Checkpoint:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound("checkpoint-missing", path=str(path)) from None
    except (OSError, UnicodeDecodeError):
        raise Usage("checkpoint-unreadable", path=str(path)) from None
    origin, key = books.audit_key
    note = read_note(text, public_key(key))
    if note.origin != origin:
        raise Damaged("checkpoint-damaged")
    return note


def _fits(line: Line, request: ListLines) -> bool:
    return (
        (request.who is None or line.who == request.who)
        and (request.act is None or line.act == request.act)
        and (request.object is None or request.object in line.object.split())
    )


def _shown(line: Line) -> LogLine:
    return LogLine(
        line.seq,
        line.at,
        line.who,
        line.role,
        line.via,
        line.session,
        line.act,
        line.object,
        line.fields,
        line.reason,
        line.outcome,
    )
