"""The process that takes files in, as `loanhub watch` would: a path a line, an outcome a line.

It has a throwaway home, and is a process of its own so that its death or its memory can be seen from outside.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any

from loanhub import jobs
from loanhub.errors import LoanHubError
from loanhub.institution import Institution
from loanhub.jobs import Job
from loanhub.keys import Secret
from loanhub.services.intake.job import Incoming, Intake

STORED = ("stored", "duplicate")


def main(home: Path) -> None:
    """Serve until stdin ends."""
    logging.disable(logging.CRITICAL)
    answers = sys.stdout
    sys.stdout = sys.stderr
    house, _ = Institution.create(home, Secret("correct horse"), {"institution": "测试小贷"})
    _answer(answers, {"outcome": "ready", "code": ""})
    for line in sys.stdin:
        _answer(answers, taken_in(house, Path(json.loads(line))))
    house.close()


def taken_in(house: Institution, path: Path) -> dict[str, str]:
    """What becomes of one file. Any exception but our own is a death of the service, and left to be one."""
    intake = Intake.of(house, "zh")
    try:
        for _ in jobs.run(Job("intake", lambda _: intake.take(Incoming(path, path.name))), house):
            pass
    except LoanHubError as error:
        return {"outcome": "failed", "code": error.code}
    batch = intake.done[-1]
    outcome = "stored" if batch.status in STORED else batch.status
    return {"outcome": outcome, "code": str((batch.refusal or {}).get("code", ""))}


def _answer(stream: Any, outcome: dict[str, str]) -> None:
    stream.write(json.dumps(outcome) + "\n")
    stream.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
