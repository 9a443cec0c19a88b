"""The demo that a stranger sees first: a day's work, a backup, a restore, and their comparison."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from loanhub.cli.run import run
from loanhub.holding import held_by
from loanhub.home import Home
from loanhub.testing import servers

LAST = {"zh": "全部相同。", "en": "All the same."}
SERVED = {"zh": "真实的 S3 服务器", "en": "a real S3 server"}
STANDS_IN = {"zh": "用一个文件夹代替", "en": "a folder stands in"}


@pytest.mark.parametrize(("lang", "server"), [("en", True), ("zh", False)])
def test_the_demo_ends_with_a_restore_that_equals_what_was_backed_up(
    lang: str, server: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    if not server:  # as where only LoanHub itself is installed
        monkeypatch.setattr(servers.sysconfig, "get_path", lambda _: str(tmp_path / "nowhere"))
    home = tmp_path / "office"
    assert run(["demo", "--home", str(home), "--lang", lang]) == 0
    said = capfd.readouterr().out
    assert LAST[lang] in said
    assert (SERVED[lang] in said, STANDS_IN[lang] in said) == (server, not server)
    assert re.search(r"^\$ loanhub-sync restore latest ", said, re.MULTILINE)
    counted = re.findall(r"^  \S.*: (\d+) = (\d+)$", said, re.MULTILINE)
    assert len(counted) == 8
    assert all(int(here) == int(there) > 0 for here, there in counted)
    assert held_by(Home(tmp_path / "office-restored" / "office")) is not None
