"""A file behind a password is opened in memory with the right one, and otherwise says what to do."""

from __future__ import annotations

import subprocess
import sys
from importlib import util
from pathlib import Path
from random import Random

import pytest

from loanhub import Refused
from loanhub_format_excel import Excel
from tests.plugins.books import cells, parts, write
from tests.plugins.locked import compound, lock_xlsx, locked_xls

PASSWORD = "开门 Pass1"
ROWS = '<row r="1"><c r="A1"><v>42</v></c></row>'
READ = {(1, 0): ("42", "NUMBER")}
EVERYBODYS = "VelvetSweatshop"


@pytest.fixture(params=["xlsx", "xls"])
def locked(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A workbook that needs PASSWORD."""
    if request.param == "xls":
        return locked_xls(tmp_path / "old.xls", PASSWORD, [42])
    plain = {**parts(ROWS), "xl/media/logo.bin": Random(1).randbytes(5000)}
    return lock_xlsx(write(tmp_path / "plain.xlsx", plain), tmp_path / "new.xlsx", PASSWORD)


def refusal(path: Path, password: str | None) -> str:
    with pytest.raises(Refused) as refused:
        list(Excel().sheets_behind(path, password))
    return refused.value.code


def test_the_right_password_opens_it_and_the_report_will_say_so(locked: Path) -> None:
    (sheet,) = Excel().sheets_behind(locked, PASSWORD)
    assert cells(sheet) == READ
    assert sheet.noted() == ("opened-with-password",)


def test_no_password_and_a_wrong_one_are_different_refusals(locked: Path) -> None:
    assert Excel().claims(locked) is not None
    assert refusal(locked, None) == "password-protected"
    assert refusal(locked, PASSWORD + "!") == "password-wrong"


def test_without_the_optional_package_it_says_what_to_install(
    locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loanhub_format_excel.locked.find_spec", lambda name: None)
    assert refusal(locked, None) == "password-protected"
    assert refusal(locked, PASSWORD) == "password-no-tool"
    assert util.find_spec("msoffcrypto") is not None


def test_a_password_given_for_a_file_that_needs_none_does_no_harm(tmp_path: Path) -> None:
    (sheet,) = Excel().sheets_behind(write(tmp_path / "a.xlsx", parts(ROWS)), PASSWORD)
    assert (cells(sheet), sheet.noted()) == (READ, ())


def test_a_book_with_only_its_sheets_locked_opens_without_a_password(tmp_path: Path) -> None:
    (sheet,) = Excel().sheets(locked_xls(tmp_path / "a.xls", EVERYBODYS, [42]))
    assert cells(sheet) == READ


def test_what_looks_protected_and_is_broken_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(compound("EncryptedPackage", b"\0" * 5000))
    assert refusal(path, None) == "password-protected"
    assert refusal(path, PASSWORD) == "password-unsupported"
    path.write_bytes(compound("EncryptionInfo", "EncryptedPackage".encode("utf-16-le") + b"\xff" * 5000))
    assert refusal(path, PASSWORD) in ("not-whole", "password-unsupported")


WATCHED = """
import sys
from pathlib import Path
from loanhub_format_excel import Excel
import loanhub_format_excel.locked, msoffcrypto.format.xls97, msoffcrypto.format.ooxml
import loanhub_format_excel.xls, loanhub_format_excel.xlsx

def watch(event, arguments):
    if event == "open" and (arguments[1] or "").strip("rbt") or event.startswith("tempfile."):
        print("wrote", arguments[0])

path, password = Path(sys.argv[1]), sys.argv[2]
sys.addaudithook(watch)
print(sum(frame.height for sheet in Excel().sheets_behind(path, password) for frame in sheet.blocks()))
"""


def test_nothing_of_it_is_ever_written_to_a_disk(locked: Path) -> None:
    command = [sys.executable, "-B", "-c", WATCHED, str(locked), PASSWORD]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]


def test_the_watch_over_writing_sees_a_temporary_file(locked: Path) -> None:
    told = WATCHED.replace("print(sum", "import tempfile; tempfile.TemporaryFile().close(); print(sum")
    command = [sys.executable, "-B", "-c", told, str(locked), PASSWORD]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "wrote" in done.stdout
