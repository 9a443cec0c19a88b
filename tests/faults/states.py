"""What a home holds, as plain values to compare two homes by: records, keys, files, the audit chain.

Left out is what rightly differs between two runs of the same work: moments, audit lines, ciphertexts, and
where the home lies.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import python_calamine

from loanhub import audit
from loanhub.entities import KINDS
from loanhub.institution import Institution
from loanhub.keys import bind, unseal_file
from loanhub.records import Query
from loanhub.schema import SEARCH_KEY
from loanhub.services.intake.said import unpacked

MOMENTS = ("at", "line", "received", "finished", "asked", "decided", "report", "indexed")
SEALED = ("id_number", "bank_card")
PACKED = ("said", "problems")

State = dict[str, Any]


def state_of(house: Institution) -> State:
    """Everything; two homes in the same state give equal answers."""
    found: State = {kind: records(house, kind) for kind in KINDS}
    found["keys"] = keys(house)
    found["archive"] = list(archived(house))
    found["returns"] = {path.name: book(path) for path in files(house.home / "returns")}
    found["processing"] = len(list(files(house.home / "processing")))
    found["drop"] = sorted(path.name for path in files(house.home / "drop"))
    found["lines whole"] = chain(house) > 0
    return found


def records(house: Institution, kind: str) -> list[dict[str, Any]]:
    """The records of a kind by id, sealed values by their blind index."""
    with house.store.reading() as tx:
        frame = tx.columns(Query(kind))
    passing = ("version",) if kind == "batch" else ()  # it counts checkpoints, and some are made again
    frame = frame.drop(*MOMENTS, *SEALED, *passing, strict=False)
    return [{name: plain(name, value) for name, value in row.items()} for row in frame.to_dicts()]


def plain(name: str, value: Any) -> Any:
    """A value as JSON would give it back."""
    if name in PACKED and value is not None:
        return unpacked(value).write_json()
    if isinstance(value, bytes):
        return value.hex()
    return value if value is None or isinstance(value, (int, float, bool)) else str(value)


def keys(house: Institution) -> str:
    """All search keys as one digest."""
    with house.store.reading() as tx:
        frame = tx.columns(Query(SEARCH_KEY)).select("token", "id").sort("token", "id")
    return hashlib.sha256(frame.write_csv().encode()).hexdigest()


def archived(house: Institution) -> Iterator[tuple[str, str]]:
    """Every sealed original: the digest it is filed under, and that of what it opens to."""
    for path in files(house.home / "archive"):
        plainly = io.BytesIO()
        try:
            with path.open("rb") as sealed:
                unseal_file(house.keyring.seal_keys("archive"), sealed, plainly, bind("archive", path.stem))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the state of this file
            yield path.name, type(error).__name__
        else:
            yield path.name, hashlib.sha256(plainly.getvalue()).hexdigest()


def book(path: Path) -> Any:
    """The cells of a report; of anything else its name."""
    if path.suffix != ".xlsx":
        return path.name
    opened = python_calamine.CalamineWorkbook.from_path(str(path))
    return {name: opened.get_sheet_by_name(name).to_python() for name in opened.sheet_names}


def files(folder: Path) -> list[Path]:
    """All files below a folder, hidden ones too."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def chain(house: Institution) -> int:
    """The number of audit lines, all whole. Raises Damaged."""
    with house.store.reading() as tx:
        return audit.check(tx.lines(0))


def differences(one: State, other: State) -> list[str]:
    """Names of the parts in which two states differ, in a form a person can follow."""
    found = []
    for name in sorted(one.keys() | other.keys()):
        a, b = one.get(name), other.get(name)
        if json.dumps(a, ensure_ascii=False, sort_keys=True) != json.dumps(
            b, ensure_ascii=False, sort_keys=True
        ):
            found.append(f"{name}: {_first(a, b)}")
    return found


def _first(a: Any, b: Any) -> str:
    if isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            return f"{len(a)} and {len(b)}"
        return next(_first(x, y) for x, y in zip(a, b, strict=True) if x != y)
    if isinstance(a, dict) and isinstance(b, dict):
        return next(
            f"{k}: {_first(a.get(k), b.get(k))}" for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)
        )
    return f"{str(a)[:80]} and {str(b)[:80]}"


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Records as a frame."""
    return pl.DataFrame(rows)
