"""A stranger's first hour: the README's own commands, line by line, on a workbook of their own."""

from __future__ import annotations

import shlex
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter

from loanhub.cli.run import run
from sync_agent.cli.run import run as sync
from tests import pages

ZHANG, LI = "119999199005120016", "51999919781130128X"
WRONG, RIGHT = "519999198505120021", "519999198505120020"

HEADS = {
    "en": "Borrower/ID Number/Mobile/Loan No/Loan Amount/Term/Annual Rate/Disbursement Date/Vehicle",
    "zh": "客户姓名/身份证号/手机号码/借据号/贷款金额/期限/年利率/放款日期/车型",
}
NAMES = {"en": ("Zhang San", "Li Si", "Wang Wu"), "zh": ("张三", "李四", "王五")}
NUMBER = {"en": "L-00{}", "zh": "JJ00{}"}
LEDGER = {"en": "ledger", "zh": "台账"}
RATES = {"en": ("rates", "Rate"), "zh": ("利率", "利率")}


def sheet(path: Path, rows: list[list[str]]) -> None:
    """A workbook with a title above its header."""
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet("2026")
        page.write(0, 0, "2026")
        for at, row in enumerate(rows):
            page.write_row(at + 2, 0, row)


def ledger(lang: str) -> list[list[str]]:
    """Three loans; the last has an ID number with a wrong check digit."""
    rows = [HEADS[lang].split("/")]
    for at, (name, number) in enumerate(zip(NAMES[lang], (ZHANG, LI, WRONG), strict=True), 1):
        loan = NUMBER[lang].format(at)
        rows.append([name, number, f"1380000000{at}", loan, "200000", "12", "12%", "2026-01-15", "van"])
    return rows


def rates(lang: str) -> list[list[str]]:
    """A ledger whose rates may be percent or fractions."""
    head = HEADS[lang].split("/")[:6]
    rows = [[*row[:6], "0.5"] for row in ledger(lang)[1:3]]
    for at, row in enumerate(rows):
        row[3] = f"R{at}"
    return [[*head, RATES[lang][1]], *rows]


def mend(report: Path) -> None:
    """What the clerk does: put the right number where the cell is red, and save."""
    book = openpyxl.load_workbook(report)
    page = book["2026"]
    assert page["B2"].value == WRONG
    page["B2"] = RIGHT
    book.save(report.name)


@pytest.mark.parametrize(("page", "lang"), [("README.md", "en"), ("README.zh-CN.md", "zh")])
def test_the_readme_works_line_by_line(
    page: str, lang: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOANHUB_HOME", str(tmp_path / "LoanHub"))
    monkeypatch.setenv("LOANHUB_PASSPHRASE", "correct horse battery")
    sheet(Path(f"{LEDGER[lang]}.xlsx"), ledger(lang))
    sheet(Path(f"{RATES[lang][0]}.xlsx"), rates(lang))
    for line in pages.typed(pages.text_of(page)):
        argv = list(line.argv)
        if argv[0] in ("up", "demo"):  # one never ends, the other has a test of its own
            continue
        if argv[0] == "init":  # here nobody sits at the terminal
            argv += ["--yes", "--owner", "clerk", "--key-file", str(tmp_path / "key")]
        if argv[-1].endswith(".report.xlsx"):
            (report,) = (tmp_path / "LoanHub" / "returns").rglob("*.report.xlsx")
            mend(report)
        status = run([*argv, "--lang", lang])
        said = capfd.readouterr()
        assert status == line.exit, f"{argv}: {said.out}{said.err}"
        if lang == "zh":  # from here on by the key file, as a service opens a home
            monkeypatch.delenv("LOANHUB_PASSPHRASE", raising=False)


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md"])
def test_the_readme_backs_a_home_up_and_brings_it_back(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("LOANHUB_SYNC_STATE", str(tmp_path / "state"))
    for variable in ("LOANHUB_PASSPHRASE", "LOANHUB_SYNC_PASSPHRASE"):
        monkeypatch.setenv(variable, "correct horse battery")
    assert run(["--home", str(tmp_path / "LoanHub"), "init", "--yes"]) == 0
    lines = [
        line.replace("/media/disk", str(tmp_path))
        for block in pages.blocks(pages.text_of(page))
        for line in block.text.splitlines()
        if line.startswith("loanhub-sync ")
    ]
    assert len(lines) == 3
    for line in lines:
        assert sync(shlex.split(line)[1:]) == 0, capfd.readouterr().err
    back = str(tmp_path / "restored" / "LoanHub")
    assert run(["--home", back, "remind", "list"]) == 0
    assert run(["--home", back, "remind", "send"]) == 5
    assert run(["--home", back, "resume"]) == 0
    assert run(["--home", back, "remind", "send"]) == 0
