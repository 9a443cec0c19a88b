"""People at the command line: from the first account on every command acts as whoever signed in."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from loanhub.cli.run import run
from loanhub.testing import Book, messy_workbook, tidy_workbook
from tests.flows.test_cli_json import Desk, Ended, made

FIRST = "Xiang!9ri-kui-hao"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("LOANHUB_PASSPHRASE", "一匹马走过石桥")
    monkeypatch.setenv("LOANHUB_STATE", str(tmp_path / "state"))
    assert made(tmp_path).status == 0
    monkeypatch.delenv("LOANHUB_PASSPHRASE")
    return Desk(tmp_path / "home")


@pytest.fixture
def activate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> object:
    def do(login: str, code: str) -> Ended:
        monkeypatch.setenv("LOANHUB_ACTIVATION_CODE", code)
        monkeypatch.setenv("LOANHUB_NEW_PASSWORD", FIRST)
        return desk.call("login", login, "--activate")

    return do


def test_an_office_begins_to_sign_in(
    desk: Desk, activate: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert desk.call("whoami").data["roles"] == ["host-operator"]
    assert desk.call("login", "gao").code == "no-accounts"
    first = desk.call("users add", "gao", "--name", "高敏", "--role", "admin")
    assert desk.call("find", "x").code == "sign-in-needed"
    assert activate("gao", first.data["code"]).data["login"] == "gao"  # type: ignore[operator]
    assert desk.call("whoami").data["roles"] == ["admin"]
    invited = desk.call("users add", "li", "--name", "李四", "--role", "officer")
    assert desk.call("customer add", "王小样").status == 6, "an administrator writes no customers"
    (kept,) = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert desk.call("logout").status == 0
    assert not kept.exists()
    assert desk.call("logout").code == "sign-in-needed"
    activate("li", invited.data["code"])  # type: ignore[operator]
    added = desk.call("customer add", "王小样", "--manager", "李四")
    assert added.status == 0
    assert desk.call("users list").code == "not-allowed"
    desk.call("logout")
    assert desk.call("customer show", added.data["id"]).code == "sign-in-needed"
    monkeypatch.setenv("LOANHUB_PASSWORD", "wrong")
    assert desk.call("login", "li").code == "wrong-password"
    monkeypatch.setenv("LOANHUB_PASSWORD", FIRST)
    assert desk.call("login", "li").data["sign_in"]
    assert desk.call("customer show", added.data["id"]).status == 0


def test_a_password_is_changed_at_the_command_line_and_nobody_can_say_who_he_is(
    desk: Desk, activate: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = desk.call("users add", "gao", "--name", "高敏", "--role", "admin").data["code"]
    activate("gao", code)  # type: ignore[operator]
    monkeypatch.setenv("LOANHUB_PASSWORD", FIRST)
    monkeypatch.setenv("LOANHUB_NEW_PASSWORD", "Gao-min!2026-x")
    assert desk.call("password").code == "password-named"
    monkeypatch.setenv("LOANHUB_NEW_PASSWORD", "Zhi-chuan!8guo-he")
    assert desk.call("password").status == 0
    assert desk.call("login", "gao").code == "wrong-password"
    capsys.readouterr()
    assert run(["--json", "--home", str(desk.home), "--as", "gao", "whoami"]) == 2
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_drop_folders_are_watched_without_anybody_signed_in_and_a_file_is_brought_by_a_person(
    desk: Desk, activate: object
) -> None:
    code = desk.call("users add", "gao", "--name", "高敏", "--role", "admin").data["code"]
    book = Book.make(3, 4)
    messy_workbook(book, desk.home / "drop" / "台账.xlsx", 3, "zh")
    watched = desk.call("watch", "--once")
    assert [batch["status"] for batch in watched.batches] == ["stored"]
    again = desk.home.parent / "明细.xlsx"
    tidy_workbook(book, again, "zh", 3, ("credit",))
    assert desk.call("ingest", again).code == "sign-in-needed"
    activate("gao", code)  # type: ignore[operator]
    assert desk.call("doctor").status == 0
