"""How a sheet is read, as decided: shown in the report, kept with the batch, remembered for its layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, field, frozen


@frozen
class ColumnPlan:
    """One column as decided: `field` is a path, or empty when the column is not read. `how`: alias, group,
    decorated, neighbours, values, remembered, file, or unknown, repeated.
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


@frozen
class Question:
    """What a person must decide about a column: `code` is which-field, two-alike, rate-unit, date-order or
    no-subject.
    """

    column: int
    header: str
    code: str
    candidates: tuple[str, ...]


@frozen
class SheetPlan:
    """How one sheet is read, shown in the report and remembered. `subject` is the kind of its rows."""

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

    @property
    def fields(self) -> dict[str, ColumnPlan]:
        """Mapped columns by field path."""
        return {c.field: c for c in self.columns if c.field}

    def as_json(self) -> dict[str, Any]:
        """For the batch's decisions and for `mapping show`."""
        return asdict(self, filter=lambda a, v: v not in (None, "", ()) or a.name == "field")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> SheetPlan:
        """The plan as kept with a batch."""
        columns = tuple(ColumnPlan(**column) for column in values.get("columns", ()))
        questions = tuple(
            Question(**{**question, "candidates": tuple(question.get("candidates", ()))})
            for question in values.get("questions", ())
        )
        record = tuple(values["record"]) if values.get("record") else None
        plain = {"subject": "", **values, "columns": columns, "questions": questions, "record": record}
        return cls(**plain)
