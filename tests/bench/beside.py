"""Somebody at work in a home while a large file is taken in: how long each look and each note takes.

    python -m tests.bench.beside FOLDER

Makes the home with one customer, says so by `FOLDER/ready`, works until there is `FOLDER/stop`, and says what
it found as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

PASSPHRASE: Final = "a passphrase for the bench"
PAUSE: Final = 0.01
"""Seconds between two of them: no clerk is as quick, but a rare long wait must be met."""


def work(folder: Path) -> dict[str, Any]:
    """Milliseconds of looks at a customer, of look-ups by mobile, and of notes that were written."""
    from loanhub.institution import Institution
    from loanhub.keys import Secret
    from loanhub.services.people.acts import ADD, FIND, FOLLOWUP_ADD, SHOW
    from loanhub.services.people.edit import AddCustomer
    from loanhub.services.people.find import Find
    from loanhub.services.people.followups import AddFollowUp
    from loanhub.services.people.show import ShowCustomer

    house, _ = Institution.create(folder / "home", Secret(PASSPHRASE), {"institution": "bench"})
    with house:
        desk = house.desk()
        desk.do(ADD, AddCustomer("样例客户", mobile="13800000001"))
        asked: dict[str, Callable[[], object]] = {
            "look at a customer": lambda: desk.do(SHOW, ShowCustomer(1)),
            "look-up by mobile": lambda: desk.do(FIND, Find("13800000001")),
            "note written": lambda: desk.do(FOLLOWUP_ADD, AddFollowUp("called", customer=1)),
        }
        (folder / "ready").touch()
        times: dict[str, list[float]] = {name: [] for name in asked}
        while not (folder / "stop").exists():
            for name, ask in asked.items():
                time.sleep(PAUSE)
                begun = time.perf_counter()
                ask()
                times[name].append((time.perf_counter() - begun) * 1000)
    return {name: _summary(sorted(found)) for name, found in times.items()}


def _summary(found: list[float]) -> dict[str, float]:
    at = {"p50": len(found) // 2, "p99": len(found) * 99 // 100, "most": -1}
    return {"count": len(found), **{name: found[place] for name, place in at.items()}}


if __name__ == "__main__":
    print(json.dumps(work(Path(sys.argv[1]))))
