"""Templates say what is wanted, and Excel holds whoever fills them in to it."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msoffcrypto
import openpyxl
import pytest
from attrs import frozen

from loanhub.errors import NotAllowed, Usage
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.policy import Principal
from loanhub.readings.choices import choice_key
from loanhub.services.sheets.kinds import NAMES, SHEETS
from loanhub.services.sheets.template import Drawn, draw
from loanhub.sheets import EXAMPLES
from loanhub.texts import LANGS, Lang
from loanhub.words import Words
from loanhub.workbook import encrypt

SETTINGS: dict[str, Any] = {
    "institution": "测试小贷",
    "fields": {
        "off": ["customer.lunar_birthday"],
        "custom": [
            {
                "kind": "loan",
                "name": "village",
                "type": "text",
                "label_zh": "所在行政村",
                "label_en": "Village",
            },
            {"kind": "loan", "name": "subsidy", "type": "money", "label_zh": "贴息额", "label_en": "Subsidy"},
        ],
        "required": {"*": ["loan.loan_no", "loan.amount", "loan.term"], "农户贷": ["loan.village"]},
    },
}


@frozen
class Clock:
    """Stands still."""

    def now(self) -> datetime:
        return datetime(2026, 6, 30, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    """A home with fields of its own, and one it does not use."""
    root = tmp_path_factory.mktemp("house") / "home"
    made, _ = Institution.create(root, Secret("correct horse"), SETTINGS, clock=Clock())
    more = [f'[id_type.paper_{n}]\nzh = "其他证件之{n}"\nen = "Other paper, number {n}"' for n in range(5)]
    (root / "choices.toml").write_text("\n".join(more), encoding="utf-8")
    yield made
    made.close()


@frozen
class Read:
    """A template as another program reads it."""

    drawn: Drawn
    page: Any
    book: Any
    words: Words

    @property
    def headers(self) -> dict[str, int]:
        """Columns by field path, counted from 1."""
        return {path: at for at, path in enumerate(self.drawn.fields, 1)}

    def header(self, path: str) -> str:
        return str(self.page.cell(1, self.headers[path]).value)

    def letter(self, path: str) -> str:
        return str(self.page.cell(1, self.headers[path]).column_letter)

    def rule(self, path: str) -> Any:
        """The check of a column."""
        [found] = [
            rule
            for rule in self.page.data_validations.dataValidation
            if f"{self.letter(path)}2" == str(rule.sqref).split(":")[0]
        ]
        return found

    def marks(self, path: str) -> list[str]:
        """The formulas that colour a column."""
        return [
            formula
            for area in self.page.conditional_formatting
            if str(area.sqref).startswith(f"{self.letter(path)}2:")
            for rule in area.rules
            for formula in rule.formula
        ]


@pytest.fixture(scope="module")
def templates(house: Institution, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Read]:
    """Every template in both languages."""
    folder = tmp_path_factory.mktemp("templates")
    words = Words.of(house.home, house.settings, house.dictionary)
    found = {}
    for lang in LANGS:
        for name in NAMES:
            drawn = draw(house, house.desk(), name, folder / f"{name}-{lang}.xlsx", lang)
            book = openpyxl.load_workbook(drawn.file)
            found[name, lang] = Read(drawn, book.worksheets[0], book, words)
    return found


BOTH = pytest.mark.parametrize("lang", LANGS)
EACH = pytest.mark.parametrize("name", NAMES)


@BOTH
@EACH
def test_every_header_means_its_field_and_no_other(
    templates: dict[tuple[str, str], Read], name: str, lang: Lang
) -> None:
    read = templates[name, lang]
    for path in read.drawn.fields:
        bare = read.header(path).removesuffix("(月)").removesuffix(" (months)")
        assert choice_key(bare) not in read.words.ambiguous
        assert read.words.aliases[choice_key(bare)] == path
        assert bare == read.words.label(path, lang)


@BOTH
@EACH
def test_the_header_is_locked_in_sight_and_tells_how_to_fill_in(
    templates: dict[tuple[str, str], Read], name: str, lang: Lang
) -> None:
    read = templates[name, lang]
    page = read.page
    assert page.protection.sheet
    assert not page.protection.password
    assert page.freeze_panes in ("B2", "C2")
    assert page.page_setup.orientation == "landscape"
    assert page.sheet_properties.pageSetUpPr.fitToPage
    assert page.print_area
    for path, at in read.headers.items():
        assert page.cell(1, at).protection.locked
        assert not page.cell(2, at).protection.locked
        assert page.cell(1, at).comment.text, path
        assert read.rule(path).promptTitle
        assert len(read.rule(path).prompt) <= 255
    dark = {path for path, at in read.headers.items() if page.cell(1, at).fill.fgColor.rgb == "FF1F4E79"}
    assert dark >= set(SHEETS[name].required)


@EACH
def test_numbers_that_must_not_lose_digits_are_text_in_the_whole_column(
    templates: dict[tuple[str, str], Read], name: str
) -> None:
    read = templates[name, "zh"]
    numbers = ("id_number", "uscc", "mobile", "bank_card", "loan_no", "contract_no", "customer_no", "phone")
    for path, at in read.headers.items():
        if path.endswith(numbers):
            letter = read.page.cell(1, at).column_letter
            assert read.page.column_dimensions[letter].number_format == "@", path


def test_what_may_be_typed_is_held_to_its_kind(templates: dict[tuple[str, str], Read]) -> None:
    loans, customers = templates["loans", "zh"], templates["customers", "zh"]
    amount = loans.rule("loan.amount")
    cell = f"${loans.letter('loan.amount')}2"
    assert (amount.type, amount.errorStyle) == ("custom", None)
    assert amount.formula1 == f"AND(ISNUMBER({cell}),{cell}>=0.01,ROUND({cell},2)={cell})"
    balance = loans.rule("loan.balance").formula1
    assert ">=0," in balance
    day = loans.rule("loan.due_day")
    assert (day.type, day.operator, day.formula1, day.formula2) == ("whole", None, "1", "31")
    assert loans.rule("loan.disburse_date").type == "date"
    assert loans.rule("loan.rate").type == "decimal"
    methods = loans.rule("loan.method")
    assert methods.type == "list"
    assert "等额本息" in methods.formula1
    number = customers.rule("customer.id_number")
    column = customers.letter("customer.id_number")
    assert f"SUMPRODUCT(--(${column}$2:${column}$20001=${column}2))>1" in number.formula1
    assert f"LEN(${column}2)=18" in number.formula1
    for rule in loans.page.data_validations.dataValidation:
        assert len(rule.formula1) <= 255 + 2


def test_choices_too_long_for_a_rule_stand_on_a_hidden_sheet(
    templates: dict[tuple[str, str], Read],
) -> None:
    read = templates["customers", "en"]
    source = read.rule("customer.id_type").formula1
    name, _, area = source.replace("'", "").partition("!")
    assert read.book[name].sheet_state == "hidden"
    listed = [row[0].value for row in read.book[name][area.replace("$", "")]]
    assert listed == list(read.words.choices["id_type"].labels_en.values())


def test_what_is_twice_too_short_or_missing_is_coloured(templates: dict[tuple[str, str], Read]) -> None:
    customers = templates["customers", "zh"]
    twice, length = customers.marks("customer.id_number")
    assert "SUMPRODUCT" in twice
    assert "LEN(" in length
    assert any("ISBLANK" in formula for formula in customers.marks("customer.name"))
    assert any("ISTEXT" in formula for formula in templates["loans", "zh"].marks("loan.amount"))
    assert templates["loans", "zh"].marks("customer.id_number") == customers_without_twice(templates)


def customers_without_twice(templates: dict[tuple[str, str], Read]) -> list[str]:
    """In a sheet of loans a person may stand twice: only the length of the number is looked at."""
    return [m for m in templates["loans", "zh"].marks("customer.id_number") if "SUMPRODUCT" not in m]


@BOTH
def test_own_fields_are_there_those_not_used_are_not_and_products_say_what_they_need(
    templates: dict[tuple[str, str], Read], lang: Lang
) -> None:
    loans = templates["loans", lang]
    assert {"loan.village", "loan.subsidy"} <= set(loans.drawn.fields)
    assert "customer.lunar_birthday" not in templates["customers", lang].drawn.fields
    note = loans.page.cell(1, loans.headers["loan.village"]).comment.text
    assert "农户贷" in note
    assert loans.rule("loan.subsidy").type == "custom"
    assert "loan.stated_on" not in loans.drawn.fields


@BOTH
@EACH
def test_the_example_bears_its_mark_and_would_pass_the_checks(
    templates: dict[tuple[str, str], Read], name: str, lang: Lang
) -> None:
    read = templates[name, lang]
    first = read.page.cell(2, 1).value
    assert first.startswith(EXAMPLES[0 if lang == "zh" else 1])
    filled = [read.page.cell(2, at).value for at in read.headers.values()]
    assert sum(value is not None for value in filled) >= 4
    if name == "loans":
        assert isinstance(read.page.cell(2, read.headers["loan.disburse_date"]).value, (date, datetime))


def test_a_template_is_never_written_over_a_file(house: Institution, tmp_path: Path) -> None:
    draw(house, house.desk(), "loans", tmp_path / "a.xlsx", "zh")
    for name, code in (("a.xlsx", "sheet-target-exists"), ("a.csv", "sheet-suffix")):
        with pytest.raises(Usage) as caught:
            draw(house, house.desk(), "loans", tmp_path / name, "zh")
        assert caught.value.code == code
    with pytest.raises(Usage) as caught:
        draw(house, house.desk(), "loans", tmp_path / "none" / "a.xlsx", "zh")
    assert caught.value.code == "sheet-target-folder"


def test_who_has_no_right_gets_no_template(house: Institution, tmp_path: Path) -> None:
    stranger = house.desk(Principal("stranger", "none", frozenset()))
    with pytest.raises(NotAllowed):
        draw(house, stranger, "loans", tmp_path / "a.xlsx", "zh")
    assert not (tmp_path / "a.xlsx").exists()


CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'
)


@pytest.mark.parametrize("rows", [0, 10, 20, 40, 80])
def test_a_small_workbook_behind_a_password_loses_nothing(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", CONTENT_TYPES)
        book.writestr("xl/workbook.xml", "<workbook/>")
        book.writestr("xl/worksheets/sheet1.xml", secrets.token_hex(50 * rows))
    with zipfile.ZipFile(path) as book:
        before = {name: book.read(name) for name in book.namelist()}
    encrypt(path, Secret("open sesame"))
    opened = io.BytesIO()
    with path.open("rb") as locked:
        office = msoffcrypto.OfficeFile(locked)
        office.load_key(password="open sesame")
        office.decrypt(opened)
    with zipfile.ZipFile(opened) as book:
        assert {name: book.read(name) for name in book.namelist()} == before
