"""The house keeps its own rules (tests/house.py), and each rule is seen to catch a planted offence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests import house

Rule = Callable[[house.House], Iterator[str]]

RULES: tuple[Rule, ...] = (
    house.imports_go_down,
    house.services_stand_alone,
    house.outsiders_see_only_the_face,
    house.insiders_know_no_outsider,
    house.packages_stay_home,
    house.protocols_stand_in_kinds,
    house.broad_excepts_stay_home,
    house.systems_differ_in_one_place,
    house.paths_are_joined_by_pathlib,
    house.modules_are_short_and_introduced,
    house.importing_does_no_work,
)


@pytest.fixture(scope="session")
def ours(checkout: Path) -> house.House:
    return house.read_house(checkout)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule, ours: house.House) -> None:
    assert list(rule(ours)) == []


def test_the_house_was_read_whole(ours: house.House, checkout: Path) -> None:
    on_disk = sum(
        1 for top in ("loanhub", "sync_agent", "plugins", "config") for _ in checkout.glob(f"{top}/**/*.py")
    )
    assert len(ours) == on_disk
    assert {
        "loanhub",
        "loanhub.errors",
        "sync_agent",
        "loanhub_defaults",
        "loanhub_store_sqlite",
    } <= ours.keys()


OFFENCES: dict[Rule, list[tuple[str, str, str]]] = {
    # rule: file, source, a part of what is said about it
    house.imports_go_down: [
        ("loanhub/money.py", "from loanhub.desk import Desk", "floor 0 imports loanhub.desk"),
        ("loanhub/money.py", "from loanhub import desk", "floor 0 imports loanhub.desk"),
        ("loanhub/money.py", "from . import acts", "floor 0 imports loanhub.acts"),
        ("loanhub/keys/slots.py", "from ..acts import Act", "floor 0 imports loanhub.acts"),
        ("loanhub/keys/slots.py", "import loanhub.services.x", "imports loanhub.services.x"),
        ("loanhub/acts.py", "from loanhub import Customer", "floor 3 imports loanhub on floor 6"),
        (
            "loanhub/fields.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from loanhub.policy import View",
            "floor 1 imports loanhub.policy",
        ),
        ("loanhub/fields.py", "def f():\n    import loanhub.cli", "imports loanhub.cli"),
        ("loanhub/attic.py", "", "has no floor"),
    ],
    house.services_stand_alone: [
        (
            "loanhub/services/intake/acts.py",
            "from loanhub.services.people import search",
            "another service: loanhub.services.people",
        ),
        ("loanhub/services/intake/acts.py", "from ..loans import x", "services.loans"),
    ],
    house.outsiders_see_only_the_face: [
        ("plugins/loanhub_a_b/__init__.py", "import loanhub.fields", "loanhub.fields"),
        ("plugins/loanhub_a_b/x.py", "from loanhub import money", "loanhub.money"),
        ("plugins/loanhub_a_b/x.py", "import sync_agent", "sync_agent"),
        ("sync_agent/x.py", "from loanhub.errors import Busy", "loanhub.errors"),
        ("config/house.py", "from loanhub.kinds import Rule", "loanhub.kinds"),
    ],
    house.insiders_know_no_outsider: [
        ("loanhub/testing/x.py", "import loanhub_a_b", "imports an outsider"),
        ("loanhub/demo.py", "import sync_agent.pages", "imports an outsider"),
        ("loanhub/demo.py", "import_module('sync_agent')", "imports an outsider"),
    ],
    house.packages_stay_home: [
        ("loanhub/policy.py", "import cryptography.x509", "at home in loanhub.keys"),
        ("loanhub/keysmith.py", "from argon2 import Type", "at home in loanhub.keys"),
        ("plugins/loanhub_a_b/x.py", "import pandas as pd", "pandas, which has no home"),
        ("loanhub/desk.py", "import pluggy", "at home in loanhub.plugins"),
    ],
    house.protocols_stand_in_kinds: [
        ("loanhub/acts.py", "class A(Protocol): ...", "the Protocol A"),
        ("sync_agent/x.py", "class A(typing.Protocol[T]): ...", "the Protocol A"),
    ],
    house.broad_excepts_stay_home: [
        ("loanhub/desk.py", "try: x\nexcept Exception: pass", "catches everything"),
        ("loanhub/desk.py", "try: x\nexcept: pass", "catches everything"),
        ("loanhub/desk.py", "try: x\nexcept (A, BaseException) as e: y", "everything"),
        ("loanhub/desk.py", "try: x\nexcept Exception as e: raise Y", "everything"),
    ],
    house.systems_differ_in_one_place: [
        ("loanhub/files.py", "import fcntl", "uses fcntl"),
        ("loanhub/files.py", "from resource import setrlimit", "uses resource"),
        ("loanhub/files.py", "import os as o\no.fork()", "uses os.fork"),
        ("loanhub/files.py", "from sys import platform", "uses sys.platform"),
        ("loanhub/files.py", "def f(): return os.name == 'nt'", "uses os.name"),
        ("sync_agent/x.py", "kill(1, signal.SIGKILL)", "uses signal.SIGKILL"),
    ],
    house.paths_are_joined_by_pathlib: [
        ("loanhub/files.py", "f'{self.home}/inbox'", "joins a path"),
        ("loanhub/files.py", "f'{root}/{name}'", "joins a path"),
        ("loanhub/files.py", "str(folder) + '/x'", "joins a path"),
        ("loanhub/files.py", "backup_dir + '/' + name", "joins a path"),
        ("loanhub/files.py", "'data/' + path", "joins a path"),
    ],
    house.modules_are_short_and_introduced: [
        ("loanhub/bare.py", "#bare", "has no docstring"),
        ("loanhub/files.py", "\n" * house.LONGEST, "lines"),
    ],
    house.importing_does_no_work: [
        ("loanhub/desk.py", "TABLE = build_table()", "calls build_table"),
        ("loanhub/desk.py", "HERE = Path.cwd()", "calls Path.cwd"),
        ("loanhub/desk.py", "TODAY = date.today()", "calls date.today"),
        ("loanhub/desk.py", "WORDS = tomllib.loads(TEXT)", "calls tomllib.loads"),
        ("loanhub/desk.py", "WATCHER = Thread(target=f)", "calls Thread"),
        ("loanhub/desk.py", "class A:\n    b = connect()", "calls connect"),
        ("loanhub/desk.py", "def f(x=connect()): ...", "calls connect"),
        ("loanhub/desk.py", "@register('x')\ndef f(): ...", "calls register"),
        ("loanhub/desk.py", "if DEBUG:\n    connect()", "calls connect"),
        ("loanhub/desk.py", "ALL = [load(x) for x in Y]", "calls load"),
    ],
}


ROOMS = (
    "loanhub/__init__",
    "loanhub/money",
    "loanhub/acts",
    "plugins/loanhub_a_b/__init__",
    "sync_agent/__init__",
)


def plant(root: Path, file: str, source: str) -> house.House:
    """A house of a few rooms, with one more file in it."""
    for name in ROOMS:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.py").write_text('"""A room."""\n', encoding="utf-8")
    introduced = "" if source == "#bare" else '"""A room."""\n'
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(introduced + dedent(source) + "\n", encoding="utf-8")
    return house.read_house(root)


@pytest.mark.parametrize(
    ("rule", "file", "source", "said"), [(rule, *one) for rule, many in OFFENCES.items() for one in many]
)
def test_a_planted_offence_is_found(rule: Rule, file: str, source: str, said: str, tmp_path: Path) -> None:
    found = list(rule(plant(tmp_path, file, source)))
    assert len(found) == 1
    assert said in found[0]


def test_every_rule_has_a_planted_offence() -> None:
    assert set(OFFENCES) == set(RULES)


BLAMELESS = {
    "loanhub/desk.py": """
        import os
        import re
        from pathlib import Path
        from typing import TYPE_CHECKING, TypeVar
        import attrs
        import polars as pl
        from attrs import field, frozen
        from loanhub import acts, money
        from loanhub.errors import Busy
        if TYPE_CHECKING:
            from loanhub.kinds import Store
        T = TypeVar("T")
        PATTERN = re.compile("x")
        WORDS = frozenset("a b".split())
        NOTHING = money.Fen(0)
        HALF = Decimal("0.5")
        @frozen
        class Desk:
            names: list[str] = field(factory=list)
            @property
            def at(self) -> Path:
                return Path.home() / f"{self.names}.toml"
        def clean(path: Path) -> str:
            try:
                return f"{path.stem} 1/2, {self.batch}/second"
            except BaseException:
                path.unlink()
                raise
        """,
    "loanhub/system.py": "import sys\nimport fcntl\nif sys.platform == 'win32':\n    import msvcrt",
    "loanhub/kinds.py": "from typing import Protocol\nclass Store(Protocol): ...",
    "loanhub/cage.py": "def f():\n    try: g()\n    except Exception: return None",
    "loanhub/cli/main.py": "import click\nimport loanhub\n@click.command()\ndef main(x): ...",
    "loanhub/services/people/acts.py": "from loanhub.services.people import search",
    "plugins/loanhub_a_b/x.py": "from loanhub import hookimpl\nimport loanhub_a_b\n@hookimpl()\ndef f(): ...",
    "sync_agent/__main__.py": "import sys\nfrom sync_agent.pages import main\nsys.exit(main())",
}


@pytest.mark.parametrize("file", BLAMELESS)
def test_what_is_right_is_not_blamed(file: str, tmp_path: Path) -> None:
    planted = plant(tmp_path, file, BLAMELESS[file])
    assert [offence for rule in RULES for offence in rule(planted)] == []


def test_a_name_the_face_lists_is_no_submodule_to_outsiders(tmp_path: Path) -> None:
    plant(tmp_path, "loanhub/__init__.py", '__all__ = ["money"]')
    (tmp_path / "sync_agent" / "x.py").write_text(
        '"""A room."""\nfrom loanhub import money\n', encoding="utf-8"
    )
    assert list(house.outsiders_see_only_the_face(house.read_house(tmp_path))) == []
