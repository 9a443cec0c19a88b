"""A real storage server killed again and again while real programs use it, and these killed too.

Whatever was reported as done comes back bit for bit. ROUNDS is how often the server is killed (20, with
FULL=1 200); SEED says when.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Final

import pytest
from attrs import define, field

from loanhub.testing.servers import S3Server, seaweedfs
from tests.flows.syncing import Came, Machine, contents, environment_of, written

pytestmark = [pytest.mark.prove, pytest.mark.timeout(0)]

ROUNDS: Final = int(os.environ.get("ROUNDS") or (200 if os.environ.get("FULL") else 20))
PROGRAM: Final = """
from sync_agent.cli.run import run
from sync_agent.vault import packing, writer
packing.PACK_FULL, writer.PACKS_BETWEEN = 60_000, 4
"""
"""The agent; its packs are small, so that there are many moments between two of them."""
HASTY: Final = f"""{PROGRAM}
import contextlib, copy
from loanhub import Busy
from loanhub_remote_s3.bucket import S3Remote
put = S3Remote.put_new
def hasty(remote, name, data):
    if not name.startswith("p/"):
        return put(remote, name, data)
    once = copy.copy(remote)
    once._patience_seconds = 0.0
    with contextlib.suppress(Busy):
        put(once, name, data)
    return True
S3Remote.put_new = hasty
"""
"""The agent built wrongly: it commits though the storage did not say that it has the packs."""
FILES, SIZE, LIMIT = 30, 40_000, 500
"""So much changes between two backups, over a line of so many kilobytes a second."""
PATIENCE: Final = 180.0
PLACES: Final = ("east", "west")


@define
class Branches:
    """Two offices that change and are backed up to one vault, each by a machine of its own."""

    server: S3Server
    folder: Path
    program: str
    chance: random.Random
    machines: dict[str, Machine] = field(factory=dict)
    states: set[str] = field(factory=set)
    """All that ever stood in a folder while it was backed up."""
    reported: dict[str, str] = field(factory=dict)
    """The state that each snapshot holds that was said to be done."""
    happened: Counter[str] = field(factory=Counter)

    def open(self) -> float:
        """A vault with a snapshot of each; the seconds a backup takes when nothing goes wrong."""
        address, settings = f"s3://{self.server.bucket()}/office", environment_of(self.server)
        self.machines = {
            one: Machine(self.folder / f"{one}-state", address, settings=settings) for one in PLACES
        }
        (self.folder / "remotes.toml").write_text(f'["{address}"]\nlimit = {LIMIT}\n', encoding="utf-8")
        self.machines["east"].init(self.server.settings())
        for place in PLACES:
            written(self.folder / place, {f"{n}.txt": f"第 {n} 号" * 300 for n in range(20)})
        self.change()
        begun = time.monotonic()
        for running in [self.started(place) for place in PLACES]:
            self.heard(*running)
        return time.monotonic() - begun

    def change(self) -> None:
        """Something new in each office."""
        for place in PLACES:
            for number in range(FILES):
                (self.folder / place / f"{number}.bin").write_bytes(self.chance.randbytes(SIZE))
            self.states.add(state_of(self.folder / place))

    def started(self, place: str, *more: str) -> tuple[str, subprocess.Popen[bytes]]:
        """A backup of one of them, in a process of its own; `more` makes it an agent that keeps watch."""
        command = [*(more or ("backup",)), str(self.folder / place)]
        command += ["--config", str(self.folder / "remotes.toml")]
        program = f"{self.program}import sys\nsys.exit(run(sys.argv[1:]))"
        return place, subprocess.Popen(
            [sys.executable, "-c", program, "--json", *command],
            env={**os.environ, **self.machines[place]._environment()},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def heard(self, place: str, running: subprocess.Popen[bytes]) -> None:
        """What a backup that came to an end says."""
        said, _ = running.communicate(timeout=PATIENCE)
        if running.returncode < 0:
            self.happened["killed"] += 1
            return
        came = Came(running.returncode, json.loads(said))
        assert came.code == 0 or came.error, said
        self.happened["done" if came.code == 0 else came.error] += 1
        if came.code == 0:
            self.reported[str(came.data["snapshot"])] = state_of(self.folder / place)

    def bad_day(self, usual: float) -> None:
        """Both are backed up; the server dies, perhaps a program too, and the server comes back."""
        self.change()
        running = [self.started(place) for place in PLACES]
        watch = ("run", "--every", "0.3", "--settle", "0.1", "--keep-last", "100000")
        agent = self.started("east", *watch) if self.chance.random() < 0.3 else None
        time.sleep(self.chance.uniform(0.2, 1.0) * usual)
        for _, program in running:
            if self.chance.random() < 0.25:
                program.kill()
        self.server.kill()
        time.sleep(self.chance.uniform(0.0, 1.0))
        for _, program in running:
            if self.chance.random() < 0.25:
                program.kill()
        self.server.start()
        for one in running:
            self.heard(*one)
        if agent is not None:
            agent[1].kill()
            agent[1].communicate()

    def wrong(self) -> Counter[str]:
        """What was lost, what does not come back, and what comes back other than it ever was."""
        found: Counter[str] = Counter(lost=0, unrestorable=0, silent=0, damaged=0)
        asked = self.machines["west"]
        there = [str(one["id"]) for one in asked("snapshots").data["snapshots"]]
        found["lost"] = len(set(self.reported) - set(there))
        for number, one in enumerate(there):
            target = self.folder / f"back{number}"
            if asked("restore", one, "--to", target).code != 0:
                found["unrestorable"] += 1
                continue
            [came] = target.iterdir()
            expected = {self.reported[one]} if one in self.reported else self.states
            found["silent"] += state_of(came) not in expected
        found["damaged"] = len(asked("verify", "--read-data").data["damaged"])
        self.happened["snapshots"] = len(there)
        return found


def state_of(folder: Path) -> str:
    """A number for all that stands in a folder."""
    return sha256(repr(contents(folder)).encode()).hexdigest()


def wrong_after(rounds: int, folder: Path, program: str = PROGRAM) -> tuple[Counter[str], Counter[str]]:
    """What was wrong after so many kills of the server, and what happened."""
    chance = random.Random(int(os.environ.get("SEED", "20261125")))
    with seaweedfs(folder / "server") as server:
        branches = Branches(server, folder, program, chance)
        usual = branches.open()
        for _ in range(rounds):
            branches.bad_day(usual)
        found = branches.wrong()
    print(f"the server killed {rounds} times: {dict(branches.happened)}; wrong: {dict(found)}")
    return found, branches.happened


def test_nothing_reported_is_lost_however_often_the_server_is_killed(tmp_path: Path) -> None:
    found, happened = wrong_after(ROUNDS, tmp_path)
    assert found.total() == 0
    assert happened["done"] > 2
    assert happened["killed"] > 0


def test_an_agent_that_commits_before_its_packs_are_stored_is_noticed(tmp_path: Path) -> None:
    assert wrong_after(12, tmp_path, HASTY)[0].total() > 0
