"""Sheets that a lost home took in after the snapshot, taken in again from its archive, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from loanhub.entities import Batch
from loanhub.files import safe_name
from loanhub.jobs import Progress
from loanhub.keys import bind, unseal_file
from loanhub.kinds import ReadTx
from loanhub.records import Order, Query, Test
from loanhub.services.intake.job import Incoming, Intake
from loanhub.system import make_private

if TYPE_CHECKING:
    from loanhub.institution import Institution

SEALED: Final = ".sealed"
ENDED: Final = frozenset({"stored", "undone", "refused"})
KNOWN_NAME: Final = 12
"""Digits of its digest that an original is called by when nobody knows its name."""


@frozen
class Original:
    """A sealed original of the lost home that is not here: digest, name, drop folder, where it lies."""

    sha256: str
    name: str
    folder: str
    sealed: Path


def originals(house: Institution, old: Path, past: ReadTx | None, fork: int = 0) -> list[Original]:
    """What the home at `old` took in and this one has not, oldest first.

    `past` and `fork`: its records, and the last audit line that both have; without them the archive itself
    is asked, by the times of its files, and nobody knows their names.
    """
    with house.store.reading() as tx:
        ours = {batch["sha256"]: str(batch["status"]) for batch in tx.find(Query(Batch.KIND))}
    if past is not None:
        changed = (Test("line", "gt", fork), Test("status", "eq", "stored"))
        found = [
            Original(batch["sha256"], batch["name"], batch["folder"], _sealed(old, batch["sha256"]))
            for batch in past.find(Query(Batch.KIND, changed, order=Order("id")))
            if ours.get(batch["sha256"]) != "stored"
        ]
        return [one for one in found if one.sealed.is_file()]
    files = sorted((old / "archive").glob(f"*/*{SEALED}"), key=_age)
    return [
        Original(file.stem, file.stem[:KNOWN_NAME], "", file)
        for file in files
        if ours.get(file.stem) not in ENDED
    ]


def _age(file: Path) -> tuple[int, str]:
    return file.stat().st_mtime_ns, file.name


def _sealed(home: Path, digest: str) -> Path:
    return home / "archive" / digest[:2] / f"{digest}{SEALED}"


def take_again(intake: Intake, original: Original) -> Iterator[Progress]:
    """Take an original in as if it were dropped again; a killed one is taken in whole the next time.

    Raises what unsealing raises (its key is not in this home's keyring, or it is damaged) and `Intake.take`.
    """
    house = intake.house
    drop = next((one for one in house.settings.drop if one.folder == original.folder), None)
    plain = house.home / "tmp" / safe_name(f"again-{original.sha256[:KNOWN_NAME]}-{original.name}")
    with original.sealed.open("rb") as source, plain.open("wb") as out:
        make_private(plain)
        keys, place = house.keyring.seal_keys("archive"), bind("archive", original.sha256)
        unseal_file(keys, source, out, place)
    try:
        yield from intake.take(Incoming(plain, original.name, drop))
    finally:
        plain.unlink(missing_ok=True)
