"""How a sheet is read, as decided: shown in the report, kept with the batch, remembered for its layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, field, frozen


@frozen
class Evidence:
    """What the values of a column say: `fits` of `of` filled cells looked at are of this `shape`.

    `shape`: resident_id, uscc, mobile, card, date, term; or read: they read as the field without a problem.
    """

    shape: str
    fits: int
    of: int

    @property
    def share(self) -> float:
        """The part that fits, 0 to 1."""
        return self.fits / self.of if self.of else 0.0


@frozen
class ColumnPlan:
    """One column as decided: `field` is a path, or empty when the column is not read. `how`: alias, group,
    decorated, neighbours, values, fuzzy, recalled (the values of an earlier sheet), remembered, file, or
    unknown, repeated.

    A column that fills two fields stands twice. `values`: other words for its cells, as a mapping says.
    `nth`: which of several columns with one header it is.
    """

    column: int
    header: str
    field: str = ""
    how: str = "unknown"
    unit: str | None = None
    period: str | None = None
    day_base: int = 360
    percent: str | None = None
    epoch: str | None = None
    order: str | None = None
    values: Mapping[str, str] | None = None
    evidence: Evidence | None = None
    nth: int = 1

    @property
    def key(self) -> str:
        """What a mapping calls the column: its header; the second of that name is `HEADER ×2`."""
        return self.header if self.nth == 1 else f"{self.header} ×{self.nth}"


@frozen
class Question:
    """What a person must decide about a column: `code` is which-field, looks-like, header-contradicts,
    unknown-words, two-alike, rate-unit, date-order or no-subject.
    """

    column: int
    header: str
    code: str
    candidates: tuple[str, ...]


@frozen
class SheetPlan:
    """How one table is read, shown in the report and remembered. `subject` is the kind of its rows.

    `place` counts the tables of its sheet from 1; `last` is its last row, None: the end of the sheet.
    """

    sheet: str
    header_row: int
    first: int
    subject: str
    columns: tuple[ColumnPlan, ...]
    fingerprint: str
    checks: Mapping[str, str] = field(factory=dict)
    questions: tuple[Question, ...] = ()
    record: tuple[int, int] | None = None
    """The two columns of an export that name the record and its version."""
    place: int = 1
    last: int | None = None

    @property
    def fields(self) -> dict[str, ColumnPlan]:
        """Mapped columns by field path."""
        return {c.field: c for c in self.columns if c.field}

    def as_json(self) -> dict[str, Any]:
        """For the batch's decisions and for `mapping show`."""
        return asdict(self, filter=lambda a, v: a.name == "field" or not _plain(a.name, v))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SheetPlan:
        """The plan as kept with a batch."""
        columns = tuple(
            ColumnPlan(**{**c, "evidence": Evidence(**c["evidence"]) if "evidence" in c else None})
            for c in values.get("columns", ())
        )
        questions = tuple(
            Question(**{"header": "", **question, "candidates": tuple(question.get("candidates", ()))})
            for question in values.get("questions", ())
        )
        record = tuple(values["record"]) if values.get("record") else None
        plain = {"subject": "", **values, "columns": columns, "questions": questions, "record": record}
        return cls(**plain)


def _plain(name: str, value: Any) -> bool:
    """Whether an attribute says nothing but what it says everywhere."""
    return value in (None, "", ()) or (name in ("nth", "place") and value == 1)
