"""The command line: how calls are read, how every run ends, and that help and docs say what there is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from loanhub.acts import Act, Books, Facts, param
from loanhub.cli import docs, tree
from loanhub.cli.acting import Command, command_of, list_name
from loanhub.cli.asking import Clicked, asked, clicked
from loanhub.cli.helping import about, parameter
from loanhub.cli.outcome import Outcome, worst
from loanhub.cli.plain import plain
from loanhub.cli.run import run
from loanhub.cli.schemas import Schemas, envelope_schema
from loanhub.cli.session import Session, Wishes
from loanhub.cli.unlocking import unlock
from loanhub.entities import ENTITIES, Customer, Entity, Loan
from loanhub.errors import Misconfigured, NotFound, Usage
from loanhub.keys import new_key_file
from loanhub.policy import View, host_operator
from loanhub.texts import LANGS

# -- how a call is read ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv",
    [
        ["--json", "--home", "there", "--lang", "en", "find", "王"],
        ["find", "王", "--json", "--home=there", "--lang=en"],
        ["find", "--lang", "en", "王", "--home", "there", "--json"],
    ],
)
def test_the_common_options_may_stand_before_or_after_the_command(argv: list[str]) -> None:
    wishes, rest = Wishes.of(argv)
    assert (wishes.json, wishes.home, wishes.lang, wishes.yes) == (True, "there", "en", False)
    assert rest == ["find", "王"]


def test_what_stands_behind_two_dashes_is_no_option() -> None:
    wishes, rest = Wishes.of(["find", "--", "--json"])
    assert not wishes.json
    assert rest == ["find", "--", "--json"]


def test_the_language_is_the_one_told_then_the_environments_then_the_homes_then_chinese(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANHUB_HOME", str(tmp_path))
    assert Session.of(Wishes()).lang == "zh"
    (tmp_path / "loanhub.toml").write_text('lang = "en"\n', encoding="utf-8")
    assert Session.of(Wishes()).lang == "en"
    monkeypatch.setenv("LOANHUB_LANG", "zh_CN.UTF-8")
    assert Session.of(Wishes()).lang == "zh"
    assert Session.of(Wishes(lang="en")).lang == "en"


def test_the_home_is_the_one_told_then_the_environments_then_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Session.of(Wishes()).home == Path.home() / "LoanHub"
    monkeypatch.setenv("LOANHUB_HOME", str(tmp_path / "one"))
    assert Session.of(Wishes()).home == tmp_path / "one"
    assert Session.of(Wishes(home=str(tmp_path / "two"))).home == tmp_path / "two"


@frozen
class Everything:
    """A request with every kind of parameter."""

    one: int = param(argument=True)
    more: tuple[str, ...] = param(default=(), argument=True, many=True)
    as_of: date | None = param(default=None)
    at: datetime | None = param(default=None)
    share: Decimal | None = param(default=None)
    state: str = param(default="new", choices=("new", "old"))
    dry: bool = param(default=False, flag=True)
    sure: bool | None = param(default=None)
    ids: tuple[int, ...] = param(default=(), many=True)
    fields: dict[str, str] | None = param(default=None, many=True)


def everything(_: Books, request: Everything) -> Facts[Everything]:
    """Answer the request itself."""
    return Facts(request)


def read_as(*argv: str) -> Everything:
    """The request that a call becomes."""
    seen: list[Everything] = []

    def keep(_: Session, request: Everything) -> Outcome:
        seen.append(request)
        return Outcome()

    made = clicked(Command("every.thing", Everything, keep))
    made.main(list(argv), "thing", standalone_mode=False, obj=Session(Wishes(), Path("x"), "en"))
    return seen[0]


def test_a_call_becomes_the_request_of_its_act() -> None:
    got = read_as(
        *"7 a b --as-of 2026/03/01 --at 2026-03-01T09:30 --share 0.25 --state old --dry".split(),
        *"--no-sure --ids 1 --ids 2 --fields branch=城东=1".split(),
    )
    assert got == Everything(
        one=7,
        more=("a", "b"),
        as_of=date(2026, 3, 1),
        at=datetime(2026, 3, 1, 9, 30),
        share=Decimal("0.25"),
        state="old",
        dry=True,
        sure=False,
        ids=(1, 2),
        fields={"branch": "城东=1"},
    )


def test_what_is_not_given_stays_as_the_request_has_it() -> None:
    assert read_as("7") == Everything(7)


@pytest.mark.parametrize(
    ("argv", "code", "name"),
    [
        (["7x"], "usage-whole", "ONE"),
        (["7", "--as-of", "2026-02-30"], "usage-day", "--as-of"),
        (["7", "--at", "noon"], "usage-moment", "--at"),
        (["7", "--share", "NaN"], "usage-number", "--share"),
        (["7", "--state", "odd"], "usage-choice", "--state"),
        (["7", "--ids", "1", "--ids", "x"], "usage-whole", "--ids"),
        (["7", "--fields", "branch"], "usage-pair", "--fields"),
    ],
)
def test_a_value_that_cannot_be_read_is_told_by_its_parameter_and_not_repeated(
    argv: list[str], code: str, name: str
) -> None:
    with pytest.raises(Usage) as caught:
        read_as(*argv)
    assert caught.value.code == code
    assert caught.value.facts["name"] == name
    assert argv[-1] not in str(caught.value.facts)


# -- how a run ends --------------------------------------------------------------------------------


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one object on stdout."""
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    assert found.keys() == {"ok", "code", "data", "error", "warnings"}
    return found


WRONG_CALLS = {
    "usage-command-unknown": ["xyzzy"],
    "usage-command-near": ["custmer"],
    "usage-which": ["customer"],
    "usage-missing": ["find"],
    "usage-option-unknown": ["find", "x", "--xyzzy"],
    "usage-option-near": ["find", "x", "--limt", "3"],
    "usage-option-value": ["find", "x", "--home"],
    "usage-lang": ["find", "x", "--lang", "fr"],
    "usage-whole": ["customer", "show", "abc"],
    "usage-wrong": ["doctor", "superfluous"],
}


@pytest.mark.parametrize("code", WRONG_CALLS)
def test_a_wrong_call_is_told_in_both_languages(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = []
    for lang in LANGS:
        own = [] if code == "usage-lang" else ["--lang", lang]
        assert run([*own, *WRONG_CALLS[code], "--json"]) == 2
        found = said(capsys)
        assert (found["ok"], found["code"], found["data"]) == (False, 2, None)
        assert found["error"]["code"] == code
        assert found["error"]["hint"]
        assert "{" not in found["error"]["message"] + found["error"]["hint"]
        told.append(found["error"]["message"])
    assert code == "usage-lang" or told[0] != told[1]


def test_without_json_an_error_is_words_on_stderr_and_stdout_stays_empty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(["find", "--lang", "en"]) == 2
    came = capsys.readouterr()
    assert came.out == ""
    assert came.err.startswith("Error: TEXT is missing.")
    assert "loanhub find --help" in came.err


def test_a_mistake_of_ours_ends_in_one_object_without_a_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(_: str) -> None:
        raise KeyError("王小样 11999919900101001X")

    monkeypatch.setattr(tree, "find_command", break_down)
    assert run(["doctor", "--json"]) == 1
    came = capsys.readouterr()
    assert json.loads(came.out)["error"]["code"] == "internal-error"
    assert "11999919900101001X" not in came.out + came.err
    monkeypatch.setenv("LOANHUB_DEBUG", "1")
    assert run(["doctor", "--json"]) == 1
    came = capsys.readouterr()
    assert json.loads(came.out)["error"]["code"] == "internal-error"
    assert "Traceback" in came.err


@pytest.mark.parametrize(
    ("raised", "code", "status"),
    [
        (KeyboardInterrupt(), "stopped", 130),
        (PermissionError(13, "Permission denied", "/home/王小样.xlsx"), "system-error", 1),
        (NotFound("command-off", name="x"), "command-off", 4),
    ],
)
def test_every_end_has_its_code_and_status(
    raised: BaseException,
    code: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def break_off(_: str) -> None:
        raise raised

    monkeypatch.setattr(tree, "find_command", break_off)
    assert run(["doctor", "--json"]) == status
    out = capsys.readouterr().out
    assert json.loads(out)["error"]["code"] == code
    assert "王小样" not in out


@given(st.lists(st.sampled_from([10, 7, 5, 3, 0])))
def test_of_several_files_the_worst_counts(statuses: list[int]) -> None:
    order = [10, 7, 5, 3, 0]
    assert worst(statuses) == min(statuses, key=order.index, default=0)


# -- how a home is unlocked ------------------------------------------------------------------------


def homely(folder: Path, start: str) -> Session:
    """A session on a folder that has settings only."""
    (folder / "loanhub.toml").write_text(f'start = "{start}"\n', encoding="utf-8")
    return Session(Wishes(yes=True), folder, "en")


def test_the_passphrase_comes_from_the_environment_then_from_the_start_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key_file(tmp_path / "start.key")
    session = homely(tmp_path, "file:start.key")
    assert unlock(session) == key
    monkeypatch.setenv("LOANHUB_PASSPHRASE", "一二三四")
    assert unlock(session).text() == "一二三四"


def test_with_nobody_to_ask_there_is_no_passphrase(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        unlock(homely(tmp_path, "ask"))
    assert caught.value.code == "no-passphrase"


def test_an_unknown_start_slot_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        unlock(homely(tmp_path, "moon"))
    assert caught.value.code == "start-unknown"


# -- help and words --------------------------------------------------------------------------------

HEAVY = ("polars", "numpy", "rich", "cattrs", "pluggy", "loanhub.acts", "loanhub.plugins", "loanhub.desk")


def test_help_loads_nothing_heavy_and_is_there_at_once() -> None:
    call = "import sys, loanhub.cli.run as r; r.run(['--help']);"
    look = f"{call} print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-m", "loanhub", "--help"], capture_output=True, check=True)
        took.append(time.perf_counter() - begun)
    assert min(took) < 0.3


def test_who_backs_up_waits_for_no_tables_and_no_network() -> None:
    for_others = ("polars", "rich", "watchdog", "urllib.request", "boto3")
    load = "import sys, sync_agent.cli.run, sync_agent.cli.commands.taking;"
    look = f"{load} print([m for m in {for_others} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("lang", LANGS)
def test_help_names_every_command_with_a_sentence(lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help", "--lang", lang]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    shown = {line[0]: line[1] for line in lines if len(line) == 2}
    for command in tree.every_command():
        assert shown[command.name.partition(".")[0]]


def test_help_is_one_object_too_when_a_program_asks(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["find", "--help", "--json", "--lang", "en"]) == 0
    assert said(capsys)["data"]["help"].startswith("Usage: loanhub find TEXT")


def test_the_messages_name_exactly_the_commands_there_are() -> None:
    assert sorted(tree.known_names()) == sorted(command.name for command in tree.every_command())


def test_every_command_has_words_and_an_example_in_both_languages() -> None:
    for command in tree.every_command():
        for lang in LANGS:
            words = about(command.name, lang)
            assert words is not None, command.name
            assert f"loanhub {command.name.replace('.', ' ').replace('_', '-')}" in words.hint, command.name


def test_every_parameter_has_words_in_both_languages() -> None:
    wordless = [
        f"{command.name} {one.name}"
        for command in tree.every_command()
        for one in asked(command.request)
        if not all(parameter(command.name, one.name, lang) for lang in LANGS)
    ]
    assert wordless == []


def test_no_command_takes_a_name_that_every_command_has() -> None:
    for command in tree.every_command():
        assert not {one.name for one in asked(command.request)} & {"json", "home", "lang", "yes", "help"}


# -- docs and schemas ------------------------------------------------------------------------------


def test_the_docs_say_what_the_commands_are(checkout: Path) -> None:
    """When it fails: `python -m loanhub.cli.docs` writes them anew."""
    wanted = docs.pages()
    there = {f"schemas/{file.name}" for file in (checkout / "docs" / "schemas").glob("*.json")}
    assert there == set(wanted) - {"cli.md"}
    for place, text in wanted.items():
        assert (checkout / "docs" / place).read_text(encoding="utf-8") == text, place


def test_every_schema_is_a_schema() -> None:
    for command in tree.every_command():
        jsonschema.Draft202012Validator.check_schema(envelope_schema(command))


@pytest.mark.parametrize("kind", ENTITIES, ids=lambda kind: kind.KIND)
def test_a_record_fits_its_schema_shown_or_not(kind: type[Entity]) -> None:
    made = Schemas()
    schema = {**made.of(kind), "$defs": made.defs}
    seen = View(host_operator("tester")).mask(kind(id=3, version=1))
    for answer in (kind(id=3, version=1), seen):
        jsonschema.validate(plain(answer), schema)


def test_what_is_masked_stays_masked_and_what_is_exact_stays_exact() -> None:
    view = View(host_operator("tester"))
    shown = plain(view.mask(Customer(id=1, name="王小样", mobile="13800138000", monthly_income=1)))
    assert "13800138000" not in json.dumps(shown)
    assert plain(Loan(rate=Decimal("0.049000"), amount=12_345))["rate"] == "0.049000"
    assert plain(datetime(2026, 3, 1, 9, 30, tzinfo=UTC)) == "2026-03-01T09:30:00+00:00"


def test_a_list_stands_under_the_name_of_what_it_lists() -> None:
    assert list_name("batches.list") == "batches"
    assert list_name("mapping.list") == "mappings"


def test_an_act_of_a_plugin_needs_no_words_to_have_help() -> None:
    act = Act("every.thing", Everything, "x.read", everything, writes=False)
    made = clicked(command_of(act))
    assert isinstance(made, Clicked)
    context = made.make_context("thing", ["7"], obj=Session(Wishes(), Path("x"), "en"))
    text = made.get_help(context)
    assert "Answer the request itself." in text
    assert "--sure / --no-sure" in text
    assert "(new, old)" in text
