"""Each published case is a test of its own, and the runner is seen to fail what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cases import runner

ALL = [(file, verdict) for file in runner.case_files([]) for verdict in runner.verdicts(file)]


@pytest.mark.parametrize("verdict", [v for _, v in ALL], ids=[f"{f.stem}-{v.case}" for f, v in ALL])
def test_a_case_passes(verdict: runner.Verdict) -> None:
    assert verdict.outcome == "passed", verdict.why


def test_every_case_file_names_its_source() -> None:
    files = runner.case_files([])
    assert len(files) >= 3
    assert all(json.loads(f.read_text(encoding="utf-8"))["source"] for f in files)


CASE = {
    "id": "AMT-X",
    "kind": "amount",
    "inputs": {"value": "20万"},
    "expected": {"value": "200000", "ok": True},
}


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({}, "passed"),
        ({"expected": {"value": "200001", "ok": True}}, "failed"),
        ({"expected": {"value": None, "ok": False}}, "failed"),
        ({"expected": {"colour": "red"}}, "unsupported"),
        ({"kind": "weather"}, "unsupported"),
        ({"id": "SHIFT-INTEREST"}, "moved"),
    ],
)
def test_the_runner_tells_right_from_wrong(
    tmp_path: Path, change: dict[str, object], outcome: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "parsing.json"
    file.write_text(json.dumps({"cases": [CASE, {**CASE, **change}]}), encoding="utf-8")
    assert [v.outcome for v in runner.verdicts(file)] == ["passed", outcome]
    assert runner.main([tmp_path]) == (0 if outcome in {"passed", "moved"} else 1)
    assert f"{outcome} " in capsys.readouterr().out


def test_an_empty_folder_is_no_success(tmp_path: Path) -> None:
    assert runner.main([tmp_path]) == 1


def test_a_file_of_an_unknown_name_is_unsupported(tmp_path: Path) -> None:
    file = tmp_path / "weather.json"
    file.write_text(json.dumps({"cases": [CASE]}), encoding="utf-8")
    assert runner.main([tmp_path]) == 1
