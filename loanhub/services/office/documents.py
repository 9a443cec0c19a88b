"""Papers of customers and loans: sealed in the home under their digest, opened again only for a reason.

Sealing is an effect on files, so it comes first and may be repeated: killed between the file and its record,
the same command does the rest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from attrs import define, field, frozen

from loanhub.acts import Act, Books, Facts, param
from loanhub.entities import Customer, Document, Loan
from loanhub.errors import Busy, Damaged, NotFound, Usage
from loanhub.files import need_space, sha256_of, write_atomically
from loanhub.keys import bind, seal_file, unseal_file
from loanhub.records import Order, Query, Test
from loanhub.system import private_folder

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.institution import Institution

PURPOSE: Final = "documents"
LONGEST_NAME: Final = 200


@frozen
class FileDocument:
    """Record a paper that was sealed: its digest, name and size, and whose it is (a step of adding it)."""

    digest: str = param()
    name: str = param(private=True)
    size: int = param()
    customer: int | None = param(default=None)
    loan: int | None = param(default=None)
    purpose: str = param(default="")


@frozen
class ListDocuments:
    """List the papers of a customer (those of its loans too) or of a loan."""

    customer: int | None = param(default=None)
    loan: int | None = param(default=None)
    limit: int = param(default=200)


@frozen
class OpenDocument:
    """Take a paper out of its seal, for a reason that the audit log keeps."""

    id: int = param(argument=True)
    reason: str = param(default="")


@frozen
class Filed:
    """A paper is kept: its record, and whether it is `new` or was there already."""

    id: int
    digest: str
    new: bool


@frozen
class Documents:
    """Papers, the newest first; `more` when the limit cut some off."""

    documents: tuple[Document, ...]
    more: bool = False


def file_document(books: Books, request: FileDocument) -> Facts[Filed]:
    """A record for a sealed paper; the same paper of the same customer and loan is recorded once.

    Raises Usage("document-of-nobody", "loan-of-another"), NotFound("customer-unknown", "loan-unknown").
    """
    customer = _owner(books, request)
    same = (Test("digest", "eq", request.digest), Test("customer_id", "eq", customer))
    for known in cast("Iterable[Document]", books.find(Query(Document.KIND, same))):
        if known.loan_id == request.loan:
            return Facts(Filed(known.id, known.digest, new=False), about=f"document:{known.id}")
    made = Document(
        id=books.allot(Document.KIND),
        customer_id=customer,
        loan_id=request.loan,
        digest=request.digest,
        name=request.name[:LONGEST_NAME],
        purpose=request.purpose or None,
        size=request.size,
    )
    return Facts(
        Filed(made.id, made.digest, new=True), (made,), about=f"document:{made.id} customer:{customer}"
    )


def _owner(books: Books, request: FileDocument) -> int:
    """The customer whose paper it is."""
    key = request.customer
    if request.loan is not None:
        loans = cast("list[Loan]", list(books.find(Query(Loan.KIND, (Test("id", "eq", request.loan),)))))
        if not loans:
            raise NotFound("loan-unknown", loan=f"#{request.loan}")
        if key is not None and loans[0].customer_id != key:
            raise Usage("loan-of-another", loan=request.loan, customer=key)
        key = loans[0].customer_id
    if key is None:
        raise Usage("document-of-nobody")
    found = cast("list[Customer]", list(books.find(Query(Customer.KIND, (Test("id", "eq", key),)))))
    if not found:
        raise NotFound("customer-unknown", id=key)
    return found[0].merged_into or key


def list_documents(books: Books, request: ListDocuments) -> Facts[Documents]:
    """Papers of a customer or a loan; without either, the newest of all."""
    most = max(request.limit, 1)
    where = tuple(
        Test(name, "eq", key)
        for name, key in (("customer_id", request.customer), ("loan_id", request.loan))
        if key is not None
    )
    q = Query(Document.KIND, where, order=Order("id", down=True), limit=most + 1)
    found = cast("list[Document]", list(books.find(q)))
    return Facts(Documents(tuple(found[:most]), len(found) > most))


def opened_document(books: Books, request: OpenDocument) -> Facts[Document]:
    """The record of the paper, and an audit line. Raises Usage("reason-needed"), NotFound."""
    if not request.reason.strip():
        raise Usage("reason-needed")
    found = cast("list[Document]", list(books.find(Query(Document.KIND, (Test("id", "eq", request.id),)))))
    if not found:
        raise NotFound("document-unknown", id=request.id)
    return Facts(found[0], about=f"document:{request.id}", reason=request.reason.strip())


FILE: Final = Act("document.add", FileDocument, "document.write", file_document, hidden=True)
LIST: Final = Act("document.list", ListDocuments, "document.read", list_documents, writes=False)
OPEN: Final = Act(
    "document.open", OpenDocument, "document.open", opened_document, writes=False, audited=True, hidden=True
)


# -- effects on files ------------------------------------------------------------------------------


def add_document(
    house: Institution,
    desk: Desk,
    path: Path,
    *,
    customer: int | None = None,
    loan: int | None = None,
    purpose: str = "",
) -> Filed:
    """Seal a file into the home and record it; the file itself is left as it is.

    Raises Usage("document-missing"), Busy("disk-full", "document-changed"), and what the act raises.
    """
    if not path.is_file():
        raise Usage("document-missing", name=path.name)
    digest, size = sha256_of(path), path.stat().st_size
    asked = FileDocument(digest, path.name, size, customer, loan, purpose)
    desk.do(FILE, asked, preview=True)  # nothing is sealed for a customer who is not there
    _seal(house, path, digest, size)
    return desk.do(FILE, asked)


def open_document(house: Institution, desk: Desk, key: int, target: Path, reason: str) -> Document:
    """Write the plain paper to `target`, a new file that only its owner may read.

    Raises Usage("document-target-exists", "document-target-folder"), Damaged("document-lost"), what
    `unseal_file` and the act raise. The audit line is written first.
    """
    if target.exists():
        raise Usage("document-target-exists", name=target.name)
    if not target.parent.is_dir():
        raise Usage("document-target-folder", name=target.parent.name)
    document = desk.do(OPEN, OpenDocument(key, reason))
    sealed = sealed_path(house, document.digest)
    if not sealed.is_file():
        raise Damaged("document-lost", id=key)
    keys, place = house.keyring.seal_keys(PURPOSE), bind("document", document.digest)
    with sealed.open("rb") as source:
        write_atomically(target, lambda out: unseal_file(keys, source, out, place))
    return document


def sealed_path(house: Institution, digest: str) -> Path:
    """Where a paper lies: HOME/documents/aa/DIGEST.sealed."""
    return house.home / "documents" / digest[:2] / f"{digest}.sealed"


def _seal(house: Institution, path: Path, digest: str, size: int) -> None:
    target = sealed_path(house, digest)
    if target.is_file():
        return
    private_folder(target.parent)
    need_space(target.parent, size + size // 8)
    key, place = house.keyring.seal_key(PURPOSE), bind("document", digest)

    def seal(out: BinaryIO) -> None:
        with path.open("rb") as plain:
            source = _Digesting(plain)
            seal_file(key, cast("BinaryIO", source), out, place)
        if source.digest.hexdigest() != digest:
            raise Busy("document-changed", name=path.name)

    write_atomically(target, seal)


@define
class _Digesting:
    """A stream whose bytes are digested as they are read: what is sealed is what the digest names."""

    stream: BinaryIO
    digest: hashlib._Hash = field(factory=hashlib.sha256)

    def read(self, size: int = -1) -> bytes:
        block = self.stream.read(size)
        self.digest.update(block)
        return block
