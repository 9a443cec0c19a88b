"""Commands that bring a file in or out beside an act: documents, and the original of a batch."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import frozen

from loanhub.acts import param
from loanhub.cli.acting import Command, named
from loanhub.cli.outcome import Outcome
from loanhub.cli.plain import plain
from loanhub.cli.session import Session
from loanhub.cli.showing import shower
from loanhub.services.intake.acts import Original, write_original
from loanhub.services.office.documents import Filed, add_document, open_document


@frozen
class Written:
    """Where a file was written, readable by its owner only."""

    file: Path


def written(session: Session, path: Path) -> Outcome:
    """The outcome of a file that was written out."""
    return Outcome(plain(Written(path)), text=str(session.say("file-written", file=path)))


def original(session: Session, request: Original) -> Outcome:
    """The original of a batch, unsealed to a file."""
    return written(session, write_original(session.house, session.desk, request))


@frozen
class AddPaper:
    """Keep a paper of a customer or of a loan, sealed."""

    file: str = param(argument=True)
    customer: int | None = param(default=None)
    loan: int | None = param(default=None)
    purpose: str = param(default="")


def add(session: Session, request: AddPaper) -> Outcome:
    """A paper sealed into the home; the file itself stays as it is."""
    filed = add_document(
        session.house,
        session.desk,
        Path(request.file),
        customer=request.customer,
        loan=request.loan,
        purpose=request.purpose,
    )
    return Outcome(named("document.add", filed), shower(session, filed))


@frozen
class OpenPaper:
    """Write a paper out of its seal to a new file, for a reason that the log keeps."""

    id: int = param(argument=True)
    output: str = param()
    reason: str = param(default="")


def open_paper(session: Session, request: OpenPaper) -> Outcome:
    """A paper written out in plain."""
    target = Path(request.output).absolute()
    open_document(session.house, session.desk, request.id, target, request.reason)
    return written(session, target)


ADD: Final = Command("document.add", AddPaper, add, Filed)
OPEN: Final = Command("document.open", OpenPaper, open_paper, Written)
ORIGINAL: Final = Command("batches.original", Original, original, Written)
