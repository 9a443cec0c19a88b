"""The real commands on a real home: what they print for programs, and the status they end with."""

from __future__ import annotations

import io
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from shutil import copytree
from threading import Event
from typing import Any

import click
import jsonschema
import pytest
from attrs import frozen

from loanhub.cli.commands import taking
from loanhub.cli.run import run
from loanhub.cli.schemas import envelope_schema
from loanhub.cli.session import Session
from loanhub.cli.tree import every_command
from loanhub.system import lock
from loanhub.testing import Book, messy_workbook, tidy_workbook

PASSPHRASE = "一匹马走过石桥"
BOOK = Book.make(11, 12)
PERSON = BOOK.table("customers")


@frozen
class Ended:
    """How a run ended."""

    status: int
    told: dict[str, Any]
    err: str

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = self.told["data"]
        return found

    @property
    def batches(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.data["batches"]
        return found

    @property
    def code(self) -> str:
        """The code of the error."""
        return str(self.told["error"]["code"])

    @property
    def warned(self) -> set[str]:
        """Codes of the warnings."""
        return {warning["code"] for warning in self.told["warnings"]}


SCHEMAS = {command.name.replace(".", " "): envelope_schema(command) for command in every_command()}


def spoken(*argv: object) -> tuple[int, str, str]:
    """Status, stdout and stderr of a run in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = run([str(word) for word in argv])
    return status, out.getvalue(), err.getvalue()


@frozen
class Desk:
    """A home and a way to run commands on it."""

    home: Path

    def call(self, command: str, *argv: object) -> Ended:
        """Run a command with --json; what it prints is one object and fits its schema."""
        status, out, err = spoken(*command.split(), *argv, "--json", "--home", self.home)
        assert out.count("\n") == 1
        told = json.loads(out)
        assert told["code"] == status
        assert told["ok"] == (told["error"] is None)
        if command in SCHEMAS:
            jsonschema.validate(told, SCHEMAS[command])
        return Ended(status, told, err)

    def read(self, command: str, *argv: object, lang: str = "en") -> str:
        """What a reader sees on stdout."""
        return spoken(*command.split(), *argv, "--home", self.home, "--lang", lang)[1]


def made(folder: Path, *argv: object) -> Ended:
    """A new home, opened by a key file: no slow derivation at every command."""
    keys = folder / "start.key"
    return Desk(folder / "home").call("init", "--yes", "--owner", "clerk", "--key-file", keys, *argv)


@pytest.fixture(autouse=True)
def passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Given for `init` alone."""
    monkeypatch.setenv("LOANHUB_PASSPHRASE", PASSPHRASE)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new home, made once and copied by those who want one."""
    folder = tmp_path_factory.mktemp("fresh")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOANHUB_PASSPHRASE", PASSPHRASE)
        assert made(folder).status == 0
    return folder / "home"


@pytest.fixture
def desk(fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A home without anything in it."""
    monkeypatch.delenv("LOANHUB_PASSPHRASE")
    return Desk(copytree(fresh, tmp_path / "home"))


@pytest.fixture(scope="module")
def stocked(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A home with the customers and loans of one workbook in it, for those who only look."""
    folder = tmp_path_factory.mktemp("stocked")
    tidy_workbook(BOOK, folder / "ledger.xlsx")
    home = Desk(copytree(fresh, folder / "home"))
    assert home.call("ingest", folder / "ledger.xlsx").status == 0
    return home


@pytest.fixture
def looking(stocked: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The stocked home, opened by its key file."""
    monkeypatch.delenv("LOANHUB_PASSPHRASE")
    return stocked


def csv(path: Path, text: str) -> Path:
    """A small sheet."""
    path.write_text(text, encoding="utf-8-sig")
    return path


# -- init and opening ------------------------------------------------------------------------------


def test_init_asks_nothing_and_puts_the_recovery_key_beside_the_home(tmp_path: Path) -> None:
    ended = Desk(tmp_path / "home").call("init", "--yes", "--institution", "样例小贷", "--lang", "zh")
    page = tmp_path / "home-recovery-key.txt"
    assert (ended.status, ended.data["recovery_key_file"]) == (0, str(page))
    assert (tmp_path / "home" / "drop").is_dir()
    [key] = [line for line in page.read_text(encoding="utf-8").splitlines() if line.count("-") == 8]
    assert key not in json.dumps(ended.told) + ended.err
    if os.name == "posix":
        assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_the_recovery_key_opens_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Desk(tmp_path / "home").call("init", "--yes")
    page = (tmp_path / "home-recovery-key.txt").read_text(encoding="utf-8")
    [key] = [line for line in page.splitlines() if line.count("-") == 8]
    monkeypatch.setenv("LOANHUB_PASSPHRASE", key)
    assert Desk(tmp_path / "home").call("batches list").status == 0


def test_without_a_passphrase_no_home_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOANHUB_PASSPHRASE")
    ended = Desk(tmp_path / "home").call("init", "--yes")
    assert (ended.status, ended.code) == (9, "no-passphrase")
    assert list(tmp_path.iterdir()) == []


def test_a_home_is_never_made_over_another(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOANHUB_PASSPHRASE", PASSPHRASE)
    ended = desk.call("init", "--yes")
    assert (ended.status, ended.code) == (9, "home-exists")


def test_a_recovery_key_is_never_written_over_another(tmp_path: Path) -> None:
    csv(tmp_path / "home-recovery-key.txt", "of an earlier home")
    ended = Desk(tmp_path / "home").call("init", "--yes")
    assert (ended.status, ended.code) == (9, "recovery-file-exists")
    assert not (tmp_path / "home").exists()


def test_who_is_asked_types_the_recovery_key_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOANHUB_PASSPHRASE")
    monkeypatch.setattr(Session, "asks", True)
    shown: list[str] = []
    answers: list[str | Callable[[], str]] = ["en", "Example Credit", "ann", "one", "two", "same", "same"]
    answers += [
        "nonsense",
        lambda: next(t.strip() for s in shown for t in s.splitlines() if t.count("-") == 8),
    ]

    def answer(*_: object, **__: object) -> str:
        given = answers.pop(0)
        return given if isinstance(given, str) else given()

    monkeypatch.setattr(click, "prompt", answer)
    monkeypatch.setattr(click, "echo", lambda text, **_: shown.append(str(text)))
    ended = Desk(tmp_path / "home").call("init")
    assert (ended.status, answers) == (0, [])
    assert (ended.data["lang"], ended.data["owner"]) == ("en", "ann")
    assert ended.data["recovery_key_file"] is None
    assert not (tmp_path / "home-recovery-key.txt").exists()
    monkeypatch.setenv("LOANHUB_PASSPHRASE", "same")
    found = Desk(tmp_path / "home").call("doctor").data["findings"]
    assert "doctor-recovery-unproven" not in {one["code"] for one in found}


def test_init_in_a_script_says_that_it_needs_answers(tmp_path: Path) -> None:
    ended = Desk(tmp_path / "home").call("init")
    assert (ended.status, ended.code) == (2, "init-needs-answers")


def test_a_wrong_passphrase_is_6_none_is_9_and_no_home_is_9(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Desk(tmp_path / "home").call("init", "--yes")
    monkeypatch.setenv("LOANHUB_PASSPHRASE", "一匹马走过木桥")
    ended = Desk(tmp_path / "home").call("find", "x")
    assert (ended.status, ended.code) == (6, "wrong-passphrase")
    monkeypatch.delenv("LOANHUB_PASSPHRASE")
    ended = Desk(tmp_path / "home").call("find", "x")
    assert (ended.status, ended.code) == (9, "no-passphrase")
    ended = Desk(tmp_path / "elsewhere").call("find", "x")
    assert (ended.status, ended.code) == (9, "home-missing")


# -- ingest ----------------------------------------------------------------------------------------


def test_a_workbook_is_taken_in_once_and_left_where_it_is(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "ledger.xlsx"
    tidy_workbook(BOOK, file)
    before = file.read_bytes()
    ended = desk.call("ingest", file)
    [batch] = ended.batches
    counted = [batch[n] for n in ("stored", "changed", "unchanged", "conflicts", "rejected")]
    assert (ended.status, batch["status"], batch["rejected"]) == (0, "stored", 0)
    assert sum(counted) == batch["rows"] == BOOK.loans.height
    assert Path(batch["report"]).is_absolute()
    assert Path(batch["report"]).is_file()
    again = desk.call("ingest", file)
    assert (again.status, again.batches[0]["status"]) == (0, "duplicate")
    assert again.batches[0]["sha256"] == batch["sha256"]
    assert file.read_bytes() == before


def test_rejected_rows_are_3_and_told_without_their_values(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "messy.xlsx"
    planted = messy_workbook(Book.make(4, 60), file, 1)
    ended = desk.call("ingest", file, "--lang", "en")
    [batch] = ended.batches
    assert (ended.status, ended.told["ok"]) == (3, True)
    assert 0 < batch["rejected"] == len({p["row"] for p in batch["problems"] if p["severity"] == "error"})
    for problem in batch["problems"]:
        assert problem["message"], problem["code"]
        assert "{" not in problem["message"] + problem["hint"]
    assert planted
    assert {p["code"] for p in batch["problems"]} >= {"id-checksum", "mobile-format"}
    words = desk.read("batches show", batch["id"])
    assert "messy.xlsx" in words
    assert "fails its check digit" in words


def test_of_several_files_the_refused_one_decides_and_the_others_are_stored(
    desk: Desk, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.xlsx"
    csv(good, "客户姓名,手机号码,借据号,贷款金额,贷款期限(月)\n王小样,13800138000,J1,100000,12\n")
    bad.write_bytes(b"<html><table><tr><td>1</td></tr></table></html>")
    ended = desk.call("ingest", bad, good)
    assert (ended.status, ended.code, ended.told["ok"]) == (10, "not-a-real-workbook", False)
    refused, stored = ended.batches
    assert (refused["status"], refused["refusal"]["code"]) == ("refused", ended.code)
    assert Path(refused["report"]).is_file()
    assert (stored["status"], stored["stored"]) == ("stored", 1)


def test_a_column_that_can_be_read_in_two_ways_waits_for_a_person(desk: Desk, tmp_path: Path) -> None:
    file = csv(
        tmp_path / "rates.csv",
        "客户姓名,手机号码,借据号,贷款金额,贷款期限(月),利率\n王小样,13800138000,J1,100000,12,0.5\n",
    )
    ended = desk.call("ingest", file)
    [batch] = ended.batches
    assert (ended.status, ended.code, batch["status"]) == (5, "needs-mapping", "needs-mapping")
    asked = Path(batch["mapping"])
    assert '"?"' in asked.read_text(encoding="utf-8")
    [sheet] = desk.call("mapping show", batch["id"]).data["mappings"]
    assert [q["header"] for q in sheet["questions"]] == ["利率"]
    ended = desk.call("mapping set", batch["id"], "利率=loan.rate,percent=percent")
    assert (ended.status, ended.batches[0]["status"], ended.batches[0]["stored"]) == (0, "stored", 1)
    assert len(desk.call("mapping list").data["mappings"]) == 1


def test_a_question_answered_in_the_return_folder_is_read_by_the_next_try(desk: Desk, tmp_path: Path) -> None:
    file = csv(tmp_path / "who.csv", "姓名,手机号码,借据号,金额,期限(月)\n王小样,13800138000,J1,9000,12\n")
    mapping = csv(tmp_path / "other.toml", '[columns]\n"金额" = "?"\n')
    ended = desk.call("ingest", file, "--mapping", mapping)
    first = ended.batches[0]["status"]
    if first == "needs-mapping":
        asked = Path(ended.batches[0]["mapping"])
        asked.write_text(asked.read_text(encoding="utf-8").replace('"?"', '"loan.amount"'), encoding="utf-8")
        ended = desk.call("ingest", file)
    assert (ended.status, ended.batches[0]["status"], ended.batches[0]["stored"]) == (0, "stored", 1)


def test_a_file_that_is_not_there_is_4_and_nothing_is_taken(desk: Desk, tmp_path: Path) -> None:
    good = csv(tmp_path / "good.csv", "客户姓名,手机号码\n王小样,13800138000\n")
    ended = desk.call("ingest", good, tmp_path / "none.xlsx")
    assert (ended.status, ended.code) == (4, "ingest-file-missing")
    assert desk.call("batches list").data == {"batches": []}


def test_a_dry_run_reports_and_stores_nothing(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "messy.xlsx"
    messy_workbook(Book.make(4, 60), file, 1)
    ended = desk.call("ingest", file, "--dry-run")
    [batch] = ended.batches
    assert (ended.status, ended.warned) == (3, {"ingest-dry"})
    assert batch["problems"]
    assert Path(batch["report"]).is_file()
    assert desk.call("batches list").data == {"batches": []}
    assert desk.call("loan list").data["loans"] == []


def test_another_process_at_work_is_8(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = csv(tmp_path / "good.csv", "客户姓名,手机号码\n王小样,13800138000\n")
    monkeypatch.setattr(taking, "PATIENCE", 0.1)
    with lock(desk.home / "data" / "intake.lock"):
        ended = desk.call("ingest", file)
    assert (ended.status, ended.code) == (8, "home-busy")
    assert desk.call("ingest", file).status == 0


def test_interrupted_is_130_and_the_next_run_goes_on(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ledger.xlsx"
    tidy_workbook(BOOK, file)
    stop = Event()
    stop.set()
    with monkeypatch.context() as patch:
        patch.setattr(taking, "stop_event", lambda: stop)
        ended = desk.call("ingest", file)
    assert (ended.status, ended.told["ok"]) == (130, False)
    ended = desk.call("ingest", file)
    assert (ended.status, ended.batches[0]["stored"]) == (0, BOOK.loans.height)


def test_a_changed_phone_in_a_revised_sheet_waits_and_is_5(desk: Desk, tmp_path: Path) -> None:
    head = "客户姓名,身份证号,手机号码\n"
    number = PERSON.filter(PERSON["customer.id_number"].is_not_null())["customer.id_number"][0]
    desk.call("ingest", csv(tmp_path / "a.csv", f"{head}王小样,{number},13800138000\n"))
    ended = desk.call("ingest", csv(tmp_path / "b.csv", f"{head}王小样,{number},13800138001\n"))
    assert (ended.status, ended.batches[0]["waiting"], ended.warned) == (5, 1, {"changes-wait"})
    [wish] = desk.call("approvals list").data["approvals"]
    assert desk.call("approvals approve", wish["id"]).status == 0
    assert desk.call("approvals show", wish["id"]).data["state"] == "approved"


# -- looking ---------------------------------------------------------------------------------------


def test_find_says_what_it_found_and_why(looking: Desk) -> None:
    name = PERSON["customer.name"][0]
    ended = looking.call("find", name)
    best = ended.data["results"][0]
    assert (ended.status, best["kind"], best["why"]) == (0, "customer", "name")
    assert best["title"].startswith(name)
    assert name in looking.read("find", name)


def test_find_without_results_is_ok_and_4(looking: Desk) -> None:
    ended = looking.call("find", "不在这里的人")
    assert (ended.status, ended.told["ok"], ended.data["results"]) == (4, True, [])


def test_a_customer_is_shown_masked_in_the_readers_language(looking: Desk) -> None:
    number = next(n for n in PERSON["customer.id_number"] if n)
    key = looking.call("find", number).data["results"][0]["id"]
    ended = looking.call("customer show", key)
    assert ended.data["customer"]["id_number"].count("*") > 3
    assert number not in json.dumps(ended.told)
    assert looking.call("loan show", ended.data["loans"][0]["loan_no"]).status == 0
    chinese, english = looking.read("customer show", key, lang="zh"), looking.read("customer show", key)
    assert "手机号码" in chinese
    assert "Mobile" in english
    assert number not in chinese + english


def test_nobody_by_that_number_is_4(looking: Desk) -> None:
    ended = looking.call("customer show", 99999)
    assert (ended.status, ended.code, ended.told["data"]) == (4, "customer-unknown", None)


def test_lists_fit_their_schemas(looking: Desk) -> None:
    assert looking.call("loan list", "--limit", 3).data["next"]
    assert looking.call("batches list").data["batches"][0]["name"] == "ledger.xlsx"
    assert looking.call("batches show", 1).data["batch"]["kind"] != ""
    assert looking.call("credit show", 1).data["customer"] == 1
    assert looking.call("followup list", "--customer", 1).data["follow_ups"] == []
    assert looking.call("document list").data["documents"] == []
    assert looking.call("remind list").data["reminders"] == []


def test_ratings_come_with_reasons_and_reminders_are_planned_and_sent(looking: Desk) -> None:
    ended = looking.call("assess", 1)
    assert ended.data["ratings"][0]["customer_id"] == 1
    assert looking.call("assess").data["customers"] == PERSON.height
    planned = looking.call("remind plan")
    assert looking.call("remind plan").data["reminders"] == []
    assert looking.call("remind send").data["handled"] <= len(planned.data["reminders"])


def test_plugins_are_listed_without_a_passphrase(looking: Desk, tmp_path: Path) -> None:
    found = {one["name"]: one for one in looking.call("plugins").data["plugins"]}
    store = found["loanhub_store_sqlite"]
    assert (store["kind"], store["state"]) == ("store", "ok")
    assert Desk(tmp_path / "nowhere").call("plugins").data["plugins"]
    assert "loanhub_store_sqlite" in looking.read("plugins")


# -- changing --------------------------------------------------------------------------------------


def test_a_customer_is_added_edited_and_a_changed_phone_waits(desk: Desk) -> None:
    key = desk.call("customer add", "王小样", "--mobile", "13800138000").data["id"]
    assert desk.call("customer edit", key, "--set", "branch=城东支行").status == 0
    ended = desk.call("customer edit", key, "--set", "mobile=13800138001")
    assert (ended.status, ended.told["ok"], ended.warned) == (5, True, {"change-waits"})
    [pending] = ended.data["waiting"]
    assert str(pending) in ended.told["warnings"][0]["message"]
    assert desk.call("approvals reject", pending, "--reason", "打错了").status == 0
    ended = desk.call("customer edit", key, "--set", "mobile=123")
    assert (ended.status, ended.code) == (2, "values-wrong")
    assert desk.call("credit add", key, "--grade", "A").status == 0
    noted = desk.call("followup add", "谈了展期", "--customer", key)
    assert noted.status == 0
    shown = desk.call("customer show", key).data
    assert (shown["credit"]["grade"], len(shown["follow_ups"])) == ("A", 1)


def test_papers_go_in_sealed_and_come_out_for_a_reason(desk: Desk, tmp_path: Path) -> None:
    key = desk.call("customer add", "王小样").data["id"]
    paper = csv(tmp_path / "contract.txt", "合同")
    kept = desk.call("document add", paper, "--customer", key).data["id"]
    out = tmp_path / "out.txt"
    ended = desk.call("document open", kept, "-o", out)
    assert (ended.status, ended.code, out.exists()) == (2, "reason-needed", False)
    assert desk.call("document open", kept, "-o", out, "--reason", "复核").data == {"file": str(out)}
    assert out.read_bytes() == paper.read_bytes()


def test_a_batch_gives_its_original_back_and_can_be_undone(desk: Desk, tmp_path: Path) -> None:
    file = csv(tmp_path / "a.csv", "客户姓名,手机号码\n王小样,13800138000\n")
    batch = desk.call("ingest", file).batches[0]["id"]
    out = tmp_path / "original.csv"
    assert desk.call("batches original", batch, "-o", out, "--reason", "核对").data == {"file": str(out)}
    assert out.read_bytes() == file.read_bytes()
    undone = desk.call("batches undo", batch, "--reason", "传错了")
    assert (undone.status, undone.data["removed"]) == (0, 1)
    assert desk.call("find", "王小样").status == 4
    assert desk.call("ingest", file).batches[0]["status"] == "stored"


PLUGIN = '''
from attrs import frozen
from loanhub import Act, Facts, hookimpl, param

@frozen
class Greet:
    name: str = param(argument=True)
    times: int = param(default=1)

@frozen
class Greeted:
    words: str

def greet(books, request: Greet) -> Facts[Greeted]:
    """Greet somebody."""
    return Facts(Greeted(f"Hello {request.name}! " * request.times))

@hookimpl
def acts():
    return [Act("house.greet", Greet, "house.read", greet, writes=False)]
'''


def test_an_act_of_a_single_file_plugin_is_a_command(desk: Desk) -> None:
    (desk.home / "plugins" / "greeting.py").write_text(PLUGIN, encoding="utf-8")
    ended = desk.call("house greet", "Ann", "--times", 2)
    assert (ended.status, ended.data) == (0, {"words": "Hello Ann! Hello Ann! "})
    assert "Greet somebody." in desk.read("house greet --help")
    ended = desk.call("house")
    assert (ended.status, ended.code) == (2, "usage-which")
    assert "greet" in ended.told["error"]["message"]


def test_a_plugin_that_fails_is_told_and_the_doctor_finds_it(desk: Desk) -> None:
    assert desk.call("doctor").status == 0
    (desk.home / "plugins" / "broken.py").write_text("import nowhere_to_be_found", encoding="utf-8")
    ended = desk.call("batches list")
    assert (ended.status, ended.warned) == (0, {"plugin-failed"})
    ended = desk.call("doctor", "--lang", "en")
    assert ended.status == 7
    [found] = [one for one in ended.data["findings"] if one["severity"] == "error"]
    assert "broken" in found["message"]
    assert found["hint"]


def test_a_command_whose_plugin_is_off_is_4(desk: Desk) -> None:
    settings = desk.home / "loanhub.toml"
    settings.write_text(
        settings.read_text(encoding="utf-8") + '\n[plugins]\ndisabled = ["loanhub.services.people"]\n',
        encoding="utf-8",
    )
    ended = desk.call("find", "x")
    assert (ended.status, ended.code) == (4, "command-off")


# -- until stopped ---------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C as POSIX does")
def test_watch_takes_what_comes_until_it_is_stopped(desk: Desk, tmp_path: Path) -> None:
    settings = desk.home / "loanhub.toml"
    quick = settings.read_text(encoding="utf-8") + "\n[intake]\nsettle = 0.2\nevery = 0.5\n"
    settings.write_text(quick, encoding="utf-8")
    command = [sys.executable, "-m", "loanhub", "watch", "--json", "--home", str(desk.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watcher:
        assert watcher.stdout is not None
        assert watcher.stderr is not None
        try:
            watcher.stderr.readline()
            csv(desk.home / "drop" / "a.csv", "客户姓名,手机号码\n王小样,13800138000\n")
            line = watcher.stderr.readline()
            assert line.startswith("a.csv: ")
            watcher.send_signal(signal.SIGINT)
            told = json.loads(watcher.stdout.read())
            assert watcher.wait(10) == 0
        finally:
            watcher.kill()
    assert [(b["name"], b["status"], b["stored"]) for b in told["data"]["batches"]] == [
        ("a.csv", "stored", 1)
    ]
    assert not (desk.home / "drop" / "a.csv").exists()
