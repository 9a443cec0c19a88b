"""What is installed is whole: the wheel, in an environment of its own, and the editable install."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree, ignore_patterns
from zipfile import ZipFile

import pytest

LOOK_AROUND = """
import importlib, json, sys
from importlib.metadata import distribution, entry_points
from importlib.resources import files

def names(folder, prefix=""):
    for entry in folder.iterdir():
        if entry.is_dir() and entry.name != "__pycache__":
            yield from names(entry, prefix + entry.name + "/")
        elif entry.is_file() and not entry.name.endswith(".pyc"):
            assert entry.read_bytes() is not None
            yield prefix + entry.name

modules = [importlib.import_module(name) for name in ("loanhub", "sync_agent", "loanhub_defaults")]
plugins = {point.name: point.load() for point in entry_points(group="loanhub")}
script = next(iter(entry_points(group="console_scripts", name="loanhub")))
print(json.dumps({
    "from": [module.__file__ for module in [*modules, *plugins.values()]],
    "plugins": sorted(plugins),
    "config": sorted(names(files("loanhub_defaults"))),
    "script": script.value,
    "version": distribution("loanhub").version,
}))
"""


def source_files(checkout: Path) -> Iterator[tuple[str, Path]]:
    """Every file that must be installed, by its path once installed; none of the leavings of running."""
    tops = {"loanhub": checkout / "loanhub", "sync_agent": checkout / "sync_agent"}
    tops |= {top.name: top for top in (checkout / "plugins").glob("loanhub_*")}
    tops["loanhub_defaults"] = checkout / "config"
    for name, top in tops.items():
        for file in top.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                yield (Path(name) / file.relative_to(top)).as_posix(), file


def run(*command: str | Path, cwd: Path) -> str:
    """The output of a command that must succeed, run without what the shell says about Python."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))
    }
    done = subprocess.run(
        [*map(str, command)], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that nothing is left in the checkout, and without the network."""
    copy = tmp_path_factory.mktemp("wheel") / "checkout"
    copy.mkdir()
    for name in ("loanhub", "sync_agent", "plugins", "config"):
        copytree(checkout / name, copy / name, ignore=ignore_patterns("__pycache__"))
    for file in (
        *checkout.glob("*.toml"),
        *checkout.glob("setup.py"),
        *checkout.glob("README*"),
        *checkout.glob("LICENSE"),
    ):
        (copy / file.name).write_bytes(file.read_bytes())
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", ".", cwd=copy)
    [built] = (copy / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with the wheel in it, and behind it the packages installed here."""
    home = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(home, with_pip=False)
    python = home / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name
    run(
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--offline",
        "--python",
        python,
        wheel,
        cwd=home,
    )
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home).strip())
    (site / "zz_dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python


def test_the_wheel_holds_every_file_and_nothing_else(wheel: Path, checkout: Path) -> None:
    with ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {name for name, _ in source_files(checkout)}


def test_the_installed_wheel_loads_every_plugin_and_setting(
    installed: Path, checkout: Path, tmp_path: Path
) -> None:
    seen = json.loads(run(installed, "-P", "-c", LOOK_AROUND, cwd=tmp_path))
    assert [file for file in seen["from"] if not Path(file).is_relative_to(installed.parent.parent)] == []
    assert_whole(seen, checkout)


def test_the_editable_install_loads_every_plugin_and_setting(checkout: Path, tmp_path: Path) -> None:
    seen = json.loads(run(sys.executable, "-P", "-c", LOOK_AROUND, cwd=tmp_path))
    assert [file for file in seen["from"] if not Path(file).is_relative_to(checkout)] == []
    assert_whole(seen, checkout)


def assert_whole(seen: dict[str, object], checkout: Path) -> None:
    """All plugins of the tree joined, all of config/ can be read, and the command is there."""
    services = [
        f"loanhub.services.{acts.parent.name}" for acts in (checkout / "loanhub/services").glob("*/acts.py")
    ]
    packages = [top.name for top in (checkout / "plugins").glob("loanhub_*")]
    assert seen["plugins"] == sorted([*services, *packages, "sync_agent"])
    config = [
        name.partition("/")[2] for name, _ in source_files(checkout) if name.startswith("loanhub_defaults/")
    ]
    assert seen["config"] == sorted(config)
    assert seen["script"] == "loanhub.cli:main"
    assert seen["version"] == "0.1.0"


def test_the_installed_command_answers(installed: Path, tmp_path: Path) -> None:
    """`loanhub --help` from another folder, by the scripts that the wheel brought."""
    assert "loanhub" in run(installed.with_name("loanhub"), "--help", cwd=tmp_path).lower()
    assert "loanhub-sync init" in run(installed.with_name("loanhub-sync"), "--help", cwd=tmp_path)
