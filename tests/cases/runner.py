"""Finds case files, puts each case to the judge of its kind, and says which passed.

A case passes when every key it expects is known to the judge and has the expected value. A kind or a key
that no judge knows is `unsupported`, which does not count as passed. What a file or this runner calls
`moved` waits for the part of LoanHub it belongs to.
"""

from __future__ import annotations

import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from tests.cases import dates, identifiers, parsing

HERE: Final = Path(__file__).parent
PROSE: Final = frozenset({"note", "notes", "comment", "source", "why"})
MOVED: Final = {"SHIFT-INTEREST": "interest on shifted days belongs to the lending rules"}

Judge = Callable[[Mapping[str, Any]], Mapping[str, Callable[[Any], Any]]]
"""From a case to what it answers for each expected key: a function of the expected value that gives the
actual one (or the expected one itself when it agrees in another writing)."""

JUDGES: Final[Mapping[str, Mapping[str, Judge]]] = {
    "identifiers": identifiers.JUDGES,
    "parsing": parsing.JUDGES,
    "dates": dates.JUDGES,
}


@frozen
class Verdict:
    """How one case of one file ended: passed, failed, unsupported or moved."""

    file: str
    case: str
    outcome: str
    why: str = ""


def case_files(roots: Sequence[Path]) -> list[Path]:
    """The case files below some folders (this one when none is named)."""
    files: set[Path] = set()
    for root in roots or [HERE]:
        files.update([root] if root.is_file() else root.rglob("*.json"))
    return sorted(files)


def verdicts(file: Path) -> Iterator[Verdict]:
    """One verdict a case."""
    document = json.loads(file.read_text(encoding="utf-8"))
    cases = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(cases, list):
        yield Verdict(file.name, "-", "unsupported", "this file has no list of cases")
        return
    judges = JUDGES.get(file.stem)
    for case in cases:
        name = str(case.get("id", "?"))
        if name in MOVED:
            yield Verdict(file.name, name, "moved", MOVED[name])
        elif judges is None:
            yield Verdict(file.name, name, "unsupported", "no judge for files of this name")
        else:
            outcome, why = verdict(case, judges)
            yield Verdict(file.name, name, outcome, why)


def verdict(case: Mapping[str, Any], judges: Mapping[str, Judge]) -> tuple[str, str]:
    """The outcome of one case and, unless it passed, why."""
    kind = str(case.get("kind") or dates.kind_of(case["inputs"]))
    if kind not in judges:
        return "unsupported", f"no judge for kind {kind!r}"
    try:
        answers = judges[kind](case)
    except Exception:  # noqa: BLE001  a judge that breaks is a failed case, not the end of the run
        return "failed", traceback.format_exc(limit=-3)
    wrong, unknown = [], []
    for key, expected in case["expected"].items():
        if key in PROSE:
            continue
        if key not in answers:
            unknown.append(key)
            continue
        actual = answers[key](expected)
        if actual != expected:
            wrong.append(f"{key}: expected {expected!r}, got {actual!r}")
    if wrong:
        return "failed", "; ".join(wrong)
    return ("unsupported", f"no answer for {', '.join(unknown)}") if unknown else ("passed", "")


def main(roots: Sequence[Path]) -> int:
    """Prints one line a file and each case that did not pass; 0 when all passed."""
    files = case_files(roots)
    total: Counter[str] = Counter()
    for file in files:
        found = list(verdicts(file))
        counts = Counter(v.outcome for v in found)
        total += counts
        print(f"{file.stem:24} {_line(counts)}")
        for v in found:
            if v.outcome != "passed":
                print(f"  {v.outcome} {v.case}: {v.why}")
    print(f"{'all':24} {_line(total)}")
    return 0 if total["passed"] and not total["failed"] and not total["unsupported"] else 1


def _line(counts: Mapping[str, int]) -> str:
    shown = f"passed {counts['passed']}  failed {counts['failed']}  unsupported {counts['unsupported']}"
    return f"{shown}  moved {counts['moved']}" if counts["moved"] else shown
