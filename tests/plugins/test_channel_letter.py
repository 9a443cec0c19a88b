"""Letters: one file a message, the same id never twice, nothing outside the folder of letters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from loanhub import Delivery, Letter
from loanhub.plugins import Plugins
from loanhub_channel_letter import LetterChannel

ADDRESS = "样例市样例区样例路1号"


def letter(id: str = "7-ab12", text: str = "王先生，您好：\n请还款。", **about: Any) -> Letter:
    to = {"name": "王小样", "address": ADDRESS} | about.pop("to", {})
    return Letter(id, to, "还款提醒", text, **about)


def send(home: Path, one: Letter, day: str = "2026-03-20") -> Delivery:
    return LetterChannel().send(one, home=home, settings={"today": day})


def files(home: Path) -> list[str]:
    return sorted(file.relative_to(home).as_posix() for file in home.rglob("*") if file.is_file())


def test_a_letter_is_a_file_of_its_day_with_address_subject_and_text(tmp_path: Path) -> None:
    delivery = send(tmp_path, letter())
    assert delivery == Delivery("sent", reference="letters/2026-03-20/7-ab12.txt")
    text = (tmp_path / "letters" / "2026-03-20" / "7-ab12.txt").read_bytes().decode("utf-8")
    assert text == f"收件人: 王小样\n{ADDRESS}\n\n事由: 还款提醒\n\n王先生，您好：\n请还款。\n"


def test_the_same_id_is_never_written_twice_not_even_on_another_day(tmp_path: Path) -> None:
    first = send(tmp_path, letter())
    again = send(tmp_path, letter(text="changed"), "2026-03-21")
    assert again == first
    assert files(tmp_path) == ["letters/2026-03-20/7-ab12.txt"]
    assert "changed" not in (tmp_path / first.reference).read_text(encoding="utf-8")


def test_an_id_that_begins_like_another_is_another(tmp_path: Path) -> None:
    send(tmp_path, letter("1-a"))
    send(tmp_path, letter("11-a"))
    send(tmp_path, letter("[1]-a"))
    send(tmp_path, letter("*"))
    assert len(files(tmp_path)) == 4


@pytest.mark.parametrize("bad", ["../../escape", "/etc/escape", "a/b", "..", "con", "x\r\ny"])
def test_no_id_or_day_leads_out_of_the_folder_of_letters(tmp_path: Path, bad: str) -> None:
    home = tmp_path / "home"
    send(home, letter(bad), bad)
    (written,) = files(tmp_path)
    assert written.startswith("home/letters/")
    assert written.count("/") == 3


def test_a_line_break_in_a_name_makes_no_second_line(tmp_path: Path) -> None:
    delivery = send(tmp_path, letter(to={"name": "王\r\n事由: 假"}))
    lines = (tmp_path / delivery.reference).read_text(encoding="utf-8").splitlines()
    assert lines[0] == "收件人: 王 事由: 假"


def test_without_an_address_nothing_is_written(tmp_path: Path) -> None:
    assert send(tmp_path, letter(to={"address": ""})) == Delivery("failed", reason="no address")
    assert files(tmp_path) == []


def test_an_english_letter_has_english_heads(tmp_path: Path) -> None:
    delivery = send(tmp_path, letter(lang="en"))
    assert (tmp_path / delivery.reference).read_text(encoding="utf-8").startswith("To: 王小样\n")


def test_without_a_day_it_is_filed_under_the_day_of_this_computer(tmp_path: Path) -> None:
    delivery = LetterChannel().send(letter(), home=tmp_path, settings={})
    assert (tmp_path / delivery.reference).is_file()
    assert delivery.reference.split("/")[1].count("-") == 2


def test_a_letter_that_cannot_be_written_leaves_no_half_of_it(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("in the way", encoding="utf-8")
    with pytest.raises(OSError):
        send(tmp_path, letter())
    assert files(tmp_path) == ["letters"]


def test_the_channel_joins_by_the_same_door_as_a_strangers() -> None:
    plugins = Plugins.load()
    assert plugins.found["loanhub_channel_letter"].state == "ok"
    assert plugins.channels["letter"].needs == ("name", "address")
