"""One row against a record that is there: what the sheet itself changed, and where both changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve, field, frozen

from loanhub.fields import Dictionary


@frozen
class Verdict:
    """Fields to write, and fields where the record changed since the source last spoke."""

    changes: Mapping[str, Any] = field(factory=dict, repr=False)
    conflicts: tuple[str, ...] = ()

    def and_(self, other: Verdict) -> Verdict:
        """Two verdicts of one row together."""
        return Verdict({**self.changes, **other.changes}, (*self.conflicts, *other.conflicts))


def compare(
    record: Mapping[str, Any],
    stated: Mapping[str, Any],
    last: Mapping[str, Any] | None,
    cleared: set[str],
    *,
    same_file: bool = False,
) -> Verdict:
    """Decide each field. `last` is what the source said before (None: it never spoke of this row).

    An empty cell says nothing. A value the sheet did not change is left, whatever the record says. A
    changed value is applied where the record still is what the source said last; else both changed: a
    conflict. A source that never spoke of the row fills what the record lacks, and may clear.
    `same_file`: an earlier row of the file made the record, and the first value stands.
    """
    changes: dict[str, Any] = {}
    conflicts: list[str] = []
    for name, value in stated.items():
        wanted = None if name in cleared else value
        if value is None and name not in cleared:
            continue
        now = record.get(name)
        if wanted == now or (last is not None and last.get(name) == value and name not in cleared):
            continue
        if last is None:
            free = now is None or (name in cleared and not same_file)
        else:
            free = now == last.get(name)
        if free:
            changes[name] = wanted
        else:
            conflicts.append(name)
    return Verdict(changes, tuple(conflicts))


def own_fields(dictionary: Dictionary, kind: str, paths: Iterable[str]) -> dict[str, str]:
    """The institution's own fields of a kind among the columns, by name: they live in `extra`."""
    found = {p: dictionary.get(p) for p in paths if p.startswith(f"{kind}.")}
    return {about.name: p for p, about in found.items() if about is not None and about.custom}


def extra_changes(
    record: Mapping[str, Any],
    row: Mapping[str, Any],
    own: Mapping[str, str],
    last: Mapping[str, Any] | None,
    cleared: set[str],
    *,
    same_file: bool = False,
) -> Verdict:
    """The same decision for the institution's own fields; a change is one of the column `extra`."""
    extra: dict[str, Any] = json.loads(record["extra"] or "{}")
    stated = {name: row[path] for name, path in own.items()}
    past = None if last is None else {name: last.get(path) for name, path in own.items()}
    verdict = compare(extra, stated, past, cleared & set(own), same_file=same_file)
    if not verdict.changes:
        return verdict
    merged = {name: value for name, value in {**extra, **verdict.changes}.items() if value is not None}
    text = json.dumps(merged, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return evolve(verdict, changes={"extra": text})
