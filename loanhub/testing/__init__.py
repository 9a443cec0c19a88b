"""Invented institutions for tests, benches and the demo: people, loans, workbooks tidy and messy, by seed.

    book = Book.make(seed=7, customers=300)
    tidy_workbook(book, path)                       # one header row, one value a cell
    planted = messy_workbook(book, path, seed=7)    # as in life, with faults at known places

Nobody in here is real: identity numbers have area codes that were never given out.
"""

from loanhub.testing.book import CONTENTS, TODAY, Book, Content
from loanhub.testing.columns import label
from loanhub.testing.faults import FAULTS, WARNINGS, Fault
from loanhub.testing.messy import MessyRow, Planted, messy_workbook
from loanhub.testing.revisions import Change, changes, revise
from loanhub.testing.workbooks import columns_of, csv_file, tidy_workbook

__all__ = [
    "CONTENTS",
    "FAULTS",
    "TODAY",
    "WARNINGS",
    "Book",
    "Change",
    "Content",
    "Fault",
    "MessyRow",
    "Planted",
    "changes",
    "columns_of",
    "csv_file",
    "label",
    "messy_workbook",
    "revise",
    "tidy_workbook",
]
