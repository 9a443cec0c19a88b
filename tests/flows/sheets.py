"""Small sheets of invented people for the flows, and what a clerk is told about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import xlsxwriter
from attrs import frozen

from loanhub.entities import Batch
from loanhub.institution import Institution
from loanhub.jobs import Progress
from loanhub.keys import Secret
from loanhub.services.intake import report
from loanhub.services.intake.job import Incoming, Intake
from loanhub.testing.numbers import mobiles, resident_ids
from loanhub.texts import LANGS, Message, render
from tests.flows.conftest import Clock, Office

Rows = Sequence[Sequence[object]]
HEAD = ("客户姓名", "身份证号", "手机号码", "借据号", "贷款金额", "期限", "贷款利率", "放款日期")
NAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"


@contextmanager
def office_in(folder: Path, **settings: Any) -> Iterator[Office]:
    """A home with settings of its own."""
    values = {"institution": "测试小贷", "drop": [{"folder": "drop", "owner": "前台"}], **settings}
    clock = Clock()
    house, _ = Institution.create(folder / "home", Secret("correct horse"), values, clock=clock)
    with house:
        yield Office(house, clock, folder=folder)


@frozen
class Person:
    """Somebody invented."""

    name: str
    id_number: str
    mobile: str


def person(number: int) -> Person:
    """The same person for the same number."""
    index = np.array([number])
    return Person(
        f"{NAMES[number % 20]}{'文武德才'[number // 20 % 4]}",
        resident_ids(index, 11, date(2000, 1, 1))[0][0],
        mobiles(index, 11)[0],
    )


def loan(number: int, **other: object) -> list[object]:
    """A row under HEAD; `other` by header replaces a cell."""
    who = person(number)
    row = [who.name, who.id_number, who.mobile, f"J{number:04}", "10万", "12个月", "12%", "2026-01-15"]
    return [other.get(header, cell) for header, cell in zip(HEAD, row, strict=True)]


def workbook(path: Path, sheets: Mapping[str, Rows] | Rows) -> Path:
    """A workbook of these rows, or of these sheets; None is an empty cell.

    Its title is its name: two of other names are never the same file, however fast they were made.
    """
    with xlsxwriter.Workbook(str(path)) as book:
        book.set_properties({"title": path.stem})
        for name, rows in (sheets if isinstance(sheets, Mapping) else {"台账": sheets}).items():
            page = book.add_worksheet(name)
            for at, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if cell is not None:
                        page.write(at, column, cell)
    return path


def text_file(path: Path, rows: Rows, encoding: str = "utf-8") -> Path:
    """The rows as text with commas."""
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def reasons(office: Office, batch: Batch) -> set[str]:
    """The codes a clerk is told of a batch, its refusal or its problems; each has words in both languages."""
    told = [refusal(batch)] if batch.status == "refused" else problems(office, batch)
    for said in told:
        for message in said:
            assert message.text != message.code
            assert message.hint
            assert "{" not in message.text + message.hint, message
        assert said[0].text != said[1].text
    return {said[0].code for said in told}


def refusal(batch: Batch) -> tuple[Message, ...]:
    """Why a file was refused, in Chinese and English."""
    facts = {name: value for name, value in batch.refusal.items() if name != "code"}
    return tuple(render(batch.refusal["code"], lang, **facts) for lang in LANGS)


def problems(office: Office, batch: Batch) -> list[tuple[Message, ...]]:
    """Every problem of a batch in Chinese and English."""
    intake = Intake.of(office.house, "zh")
    lines = office.problems(batch)
    return [
        tuple(report.message(intake.words, line, lang) for lang in LANGS)
        for line in (lines.to_dicts() if lines.width else [])
    ]


def notes(batch: Batch, place: int = 0) -> set[str]:
    """What was noted of a file and of one of its sheets, each with its words."""
    found = {*batch.decisions["notes"], *batch.decisions["sheets"][place]["notes"]}
    for note in found:
        assert render(note, "zh").text != note
        assert render(note, "en").text not in {note, render(note, "zh").text}
    return found


def columns(batch: Batch, place: int = 0) -> dict[str, dict[str, object]]:
    """How the columns of a sheet were read, by header."""
    return {c["header"]: c for c in batch.decisions["sheets"][place]["plan"]["columns"]}


def fields(batch: Batch, place: int = 0) -> dict[str, str]:
    """The field each column of a sheet was read as, by header."""
    return {header: str(column["field"]) for header, column in columns(batch, place).items()}


def questions(batch: Batch) -> dict[str, tuple[str, list[str]]]:
    """What is asked of a batch that waits, by header."""
    return {
        q["header"]: (q["code"], list(q["candidates"]))
        for sheet in batch.decisions["sheets"]
        for q in sheet["plan"].get("questions", ())
    }


def summary(batch: Batch) -> list[tuple[object, ...]]:
    """The lines of the first sheet of a report."""
    opened = openpyxl.load_workbook(batch.report)
    return [
        tuple(cell for cell in row if cell is not None)
        for row in opened.worksheets[0].iter_rows(values_only=True)
    ]


def killed(office: Office, path: Path, landed: int) -> None:
    """Take a file in until so many chunks have landed, and then no more."""
    intake = Intake.of(office.house, "zh")
    work, chunks = intake.take(Incoming(path, path.name)), 0
    for progress in work:
        assert isinstance(progress, Progress)
        chunks += progress.note == "landing"
        if chunks == landed:
            break
    work.close()  # type: ignore[attr-defined]
