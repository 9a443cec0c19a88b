"""A workbook behind a password on its way in: opened when told how, and never left half in."""

from __future__ import annotations

from pathlib import Path

import pytest

from loanhub import jobs
from loanhub.entities import Batch
from loanhub.errors import Waiting
from loanhub.jobs import Job
from loanhub.keys import Secret
from loanhub.services.intake.job import Incoming, Intake
from tests.flows.conftest import Office
from tests.flows.test_ingest import LI, ZHANG, sheet
from tests.plugins.locked import lock_xlsx

PASSWORD = Secret("开门 Pass1")
HEAD = ["客户姓名", "身份证号", "手机号码", "借据号", "贷款金额", "期限", "利率", "还款方式", "放款日期"]


def take(office: Office, path: Path, password: Secret | None, mapping: Path | None = None) -> Batch:
    intake = Intake.of(office.house, "zh", password=password)
    incoming = Incoming(path, path.name, mapping=mapping)
    for _ in jobs.run(Job("intake", lambda _: intake.take(incoming)), office.house):
        pass
    return intake.done[-1]


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    return lock_xlsx(
        sheet(tmp_path / "plain.xlsx", [ZHANG, LI]), tmp_path / "台账.xlsx", str(PASSWORD.text())
    )


def test_it_is_taken_in_with_its_password_after_a_try_without(office: Office, locked: Path) -> None:
    refused = take(office, locked, None)
    assert (refused.status, refused.refusal["code"]) == ("refused", "password-protected")
    wrong = take(office, locked, Secret("nope"))
    assert wrong.refusal["code"] == "password-wrong"
    stored = take(office, locked, PASSWORD)
    assert (stored.status, stored.stored) == ("stored", 2)
    assert "opened-with-password" in str(stored.decisions)


def test_the_password_is_nowhere_in_the_home(office: Office, locked: Path) -> None:
    take(office, locked, PASSWORD)
    secret = PASSWORD.reveal()
    for file in (file for file in (office.folder / "home").rglob("*") if file.is_file()):
        assert secret not in file.read_bytes(), file


def test_what_waits_for_a_mapping_waits_for_its_password_as_well(office: Office, tmp_path: Path) -> None:
    plain = sheet(tmp_path / "plain.xlsx", [[*ZHANG[:6], "0.5", *ZHANG[7:]]], HEAD)
    locked = lock_xlsx(plain, tmp_path / "待定.xlsx", str(PASSWORD.text()))
    asked = take(office, locked, PASSWORD)
    assert asked.status == "needs-mapping"
    answers = Path(asked.decisions["mapping"])
    answers.write_text(answers.read_text("utf-8").replace('"?"', '"percent"'), encoding="utf-8")
    with pytest.raises(Waiting, match="password-needed"):
        office.resume()
    assert take(office, locked, PASSWORD, answers).status == "stored"
