"""A bare machine with nothing but the storage's credentials and the recovery key brings the office back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loanhub import settings as settings_
from loanhub.entities import Message
from loanhub.holding import held_by
from loanhub.home import FOLDERS, Home
from loanhub.institution import SystemClock
from loanhub.keys import Keyring
from loanhub.system import private_folder
from loanhub.testing.servers import S3Server, seaweedfs
from tests.flows.syncing import Machine, environment_of, written
from tests.flows.test_resume import at_work, customer, letters, loan
from tests.unit.test_wheel import run, wheel  # noqa: F401  # a fixture
from tests.unit.vaults import CHEAP

PASSPHRASE = "correct horse"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with seaweedfs(tmp_path_factory.mktemp("storage")) as found:
        yield found


def office_of(root: Path) -> tuple[Path, str]:
    """A home whose loans are due these days, and its recovery key."""
    for name in FOLDERS:
        private_folder(root / name)
    _, recovery = Keyring.create(Home(root).keyring, PASSPHRASE, parameters=CHEAP)
    settings_.write(Home(root), {"institution": "样例小贷", "drop": [{"folder": "drop", "owner": "前台"}]})
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
    with at_work(root, SystemClock()) as office:
        office.put(*(customer(n) for n in range(1, 9)))
        office.put(*(loan(n, due=today + timedelta(days=n - 1)) for n in range(1, 9)))
        office.plan()
    return root, str(recovery.text())


class Bare:
    """An empty folder, this program, credentials and the recovery key: nothing else is known."""

    def __init__(
        self, folder: Path, server: S3Server, recovery: str, python: Path = Path(sys.executable)
    ) -> None:
        self.folder, self.python = folder, python
        folder.mkdir()
        here = {word: os.environ[word] for word in ("PATH", "SYSTEMROOT") if word in os.environ}
        self.environment = {
            **here, **environment_of(server), "HOME": str(folder), "USERPROFILE": str(folder),
            "LOANHUB_SYNC_PASSPHRASE": recovery, "LOANHUB_PASSPHRASE": recovery, "PYTHONUTF8": "1",
        }  # fmt: skip

    def __call__(self, program: str, *argv: object) -> tuple[int, dict[str, Any]]:
        """What a command came to: its exit status and its data."""
        command = [str(self.python.with_name(program)), "--json", "--yes", *map(str, argv)]
        came = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, encoding="utf-8", check=False
        )
        told = json.loads(came.stdout)
        return came.returncode, told["data"] or told


@pytest.mark.parametrize(
    ("wish", "held"),
    [
        ((), True),
        (("--include", "office"), True),
        (("--include", "loanhub.db"), True),
        (("--path", "srv/branches/of/the/north/office"), True),
        (("--include", "loanhub.toml"), False),
        (("--exclude", "data"), False),
    ],
)
def test_a_home_whose_data_comes_back_is_held_however_deep_it_lay(
    wish: tuple[str, ...], held: bool, tmp_path: Path
) -> None:
    office = Path("branches/of/the/north/office")
    files = dict.fromkeys(("data/key-check", "data/loanhub.db", "keys/keyring.json", "loanhub.toml"), "x")
    written(tmp_path / "srv" / office, {**files, "data/held.json": "of an older restore"})
    machine = Machine(tmp_path / "state", str(tmp_path / "vault"))
    machine.init()
    assert machine("backup", tmp_path / "srv").code == 0
    back = tmp_path / "back"
    home = back if "--path" in wish else back / "srv" / office
    came = machine("restore", "latest", "--to", back, *wish)
    assert (came.code, came.data["held"]) == (0, [str(home)] if held else [])
    if held:
        marked = held_by(Home(home))
        assert marked is not None
        assert (marked.snapshot, marked.vault) == (came.data["snapshot"], machine("status").data["vault"])


@pytest.fixture(scope="module")
def installed(
    wheel: Path,  # noqa: F811  # the fixture by its name
    checkout: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The Python of a fresh environment: what the lock names, proven by its hashes, and the wheel.

    pip finds in it all that the wheel asks for, or refuses.
    """
    home = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(home, with_pip=True)
    python = home / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name
    install = (sys.executable, "-m", "uv", "pip", "install", "-q", "--python", python)
    run(*install, "--require-hashes", "-r", checkout / "requirements.lock", cwd=home)
    run(python, "-m", "pip", "install", "-q", "--no-index", wheel, cwd=home)
    return python


@pytest.mark.timeout(300)
def test_what_is_installed_on_a_bare_machine_brings_the_office_back(
    server: S3Server, installed: Path, checkout: Path, tmp_path: Path
) -> None:
    """Nothing of this checkout is there but the wheel that was built of it."""
    vault, recovery, reminded = lost(server, tmp_path)
    bare = Bare(tmp_path / "bare", server, recovery, installed)
    code = "import loanhub, sync_agent; print(loanhub.__file__, sync_agent.__file__)"
    assert str(checkout) not in run(installed, "-P", "-c", code, cwd=bare.folder)
    come_back(bare, vault, reminded)


def test_an_office_comes_back_held_and_sends_nothing_twice(server: S3Server, tmp_path: Path) -> None:
    vault, recovery, reminded = lost(server, tmp_path)
    come_back(Bare(tmp_path / "bare", server, recovery), vault, reminded)


def lost(server: S3Server, tmp_path: Path) -> tuple[str, str, list[Any]]:
    """An office that was backed up, sent letters, and then its disk died.

    Its vault, its recovery key, and what the letters reminded of.
    """
    home, recovery = office_of(tmp_path / "office")
    vault = f"s3://{server.bucket()}/office"
    machine = Machine(tmp_path / "state", vault, PASSPHRASE, environment_of(server))
    assert machine("init", vault, "--home", home).code == 0
    assert machine("backup", home).code == 0
    with at_work(home, SystemClock()) as office:  # and then the disk dies
        office.send()
        reminded = office.reminded(letters(home))
        assert len(reminded) > 3
    return vault, recovery, reminded


def come_back(bare: Bare, vault: str, reminded: list[Any]) -> None:
    """Restored it is held, what is in it is found, and nothing that was sent is sent again."""
    status, came = bare("loanhub-sync", "restore", "latest", "--to", "back", "--vault", vault)
    back = bare.folder / "back" / "office"
    assert (status, came["held"]) == (0, [str(back)])
    assert bare("loanhub", "--home", back, "find", "JJ0001")[1]["results"]
    assert bare("loanhub", "--home", back, "remind", "send")[0] == 5
    status, came = bare("loanhub", "--home", back, "resume")
    assert (status, came["evidence"]) == (5, "none")
    for command in ("plan", "send"):
        assert bare("loanhub", "--home", back, "remind", command)[0] == 0
    assert letters(back) == set()
    with at_work(back, SystemClock()) as office:
        kept = [one for one in office.all(Message) if one.channel == "letter"]
        assert {one.state for one in kept} == {"review"}
        assert set(reminded) <= set(office.occasions(kept))  # a person is asked about every one
