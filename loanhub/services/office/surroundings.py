"""Where a home lies and what lies about in it: the disk, things left behind, how it is unlocked."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from loanhub.holding import held_by
from loanhub.plugins import attempt
from loanhub.records import Query, Test
from loanhub.system import home_problem

if TYPE_CHECKING:
    from loanhub.institution import Institution

Remark = tuple[str, str, Mapping[str, Any]]
"""Code, severity and facts."""

LOW: Final = 2 << 30
FULL: Final = 200 << 20
"""Bytes free below which a disk is low, and full."""
HOUR: Final = 3_600.0
DAY: Final = 24 * HOUR


def remarks(house: Institution) -> Iterator[Remark]:
    """All remarks about the surroundings."""
    if problem := home_problem(house.home.root):
        yield problem, "error", {"path": str(house.home.root), "home": str(house.home.root)}
    yield from _held(house)
    yield from _disk(house)
    yield from _left_behind(house)
    yield from _old_returns(house)
    yield from _start(house)
    yield from _backed_up(house)


def _held(house: Institution) -> Iterator[Remark]:
    """A restored home does nothing by itself, which nobody should find out by chance."""
    held = held_by(house.home)
    if held is not None:
        facts = {"snapshot": held.snapshot, "taken": held.taken, "restored": held.restored}
        yield "home-held", "warning", facts


def _disk(house: Institution) -> Iterator[Remark]:
    free = shutil.disk_usage(house.home.root).free
    size = sum(f.stat().st_size for f in (house.home / "data").glob("*") if f.is_file())
    facts = {"free_mb": free >> 20, "need_mb": max(LOW, 2 * size) >> 20}
    if free < FULL:
        yield "doctor-disk-full", "error", facts
    elif free < max(LOW, 2 * size):
        yield "doctor-disk-low", "warning", facts


def _left_behind(house: Institution) -> Iterator[Remark]:
    """Files at work that belong to no batch at work, and scratch of more than an hour ago."""
    with house.store.reading() as tx:
        at_work = Query("batch", (Test("status", "in", ["claimed", "landing", "needs-mapping"]),))
        known = {batch["sha256"] for batch in tx.find(at_work)}
    files = [f for f in _files(house.home / "processing") if f.name.partition(".")[0] not in known]
    if files:
        yield "doctor-processing-left", "warning", {"count": len(files)}
    old = [f for f in _files(house.home / "tmp") if _age(f) > HOUR]
    if old:
        yield "doctor-tmp-left", "note", {"count": len(old)}


def _old_returns(house: Institution) -> Iterator[Remark]:
    days = house.settings.intake.report_days
    old = [f for f in _files(house.home / "returns") if _age(f) > days * DAY]
    if old:
        yield "doctor-returns-old", "note", {"count": len(old), "days": days}


def _start(house: Institution) -> Iterator[Remark]:
    """A key file on the disk of the home protects copies, not a stolen machine."""
    start = house.settings.start
    if not start.startswith("file:"):
        return
    path = Path(start.removeprefix("file:")).expanduser()
    if not path.is_file():
        yield "doctor-start-missing", "error", {"file": str(path)}
    elif path.stat().st_dev == house.home.root.stat().st_dev:
        yield "doctor-start-same-disk", "warning", {"file": str(path)}


def _backed_up(house: Institution) -> Iterator[Remark]:
    """How old the last backup is, and what verifying and drilling it came to."""
    told = [attempt(one.name, one.status, house.home.root)[0] or {} for one in house.plugins.backups]
    ages = [said["last_backup"]["age_seconds"] for said in told if said.get("last_backup")]
    if not ages:
        yield "doctor-backup-none", "warning", {}
        return
    old = min(ages) > 2 * DAY
    facts = {"hours": int(min(ages) / HOUR)}
    yield ("doctor-backup-old", "warning", facts) if old else ("doctor-backup-age", "note", facts)
    for said in told:
        if (said.get("last_verify") or {}).get("damaged"):
            yield "doctor-backup-damaged", "error", {"count": said["last_verify"]["damaged"]}
        if not (said.get("last_drill") or {"passed": True}).get("passed"):
            yield "doctor-drill-failed", "error", {"day": said["last_drill"]["at"][:10]}


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.rglob("*") if f.is_file()) if folder.is_dir() else []


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime
