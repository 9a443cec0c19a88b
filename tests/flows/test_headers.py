"""What a column is: told by its header, its neighbours or its values; else asked once, and remembered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loanhub.cli.commands.batches import status as exit_status
from loanhub.errors import Misconfigured, Usage
from loanhub.services.intake import mapfile
from loanhub.services.intake.acts import SET, MappingSet
from loanhub.settings import Drop
from loanhub.texts import say
from loanhub.words import Words
from tests.flows.conftest import Office
from tests.flows.sheets import (
    HEAD,
    Rows,
    columns,
    fields,
    loan,
    office_in,
    person,
    questions,
    reasons,
    summary,
    workbook,
)

PEOPLE = ("客户姓名", "身份证号")


def rows_of(*headers: str, values: Rows) -> Rows:
    """A sheet of people with a few more columns."""
    who = [person(at) for at in range(len(values))]
    return [[*PEOPLE, *headers], *([p.name, p.id_number, *more] for p, more in zip(who, values, strict=True))]


def mapping(path: Path, text: str) -> Path:
    """The mapping file beside a sheet."""
    beside = path.with_name(f"{path.name}.mapping.toml")
    beside.write_text(text, encoding="utf-8")
    return beside


@pytest.fixture(scope="module")
def counter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One home for many sheets that are only looked at."""
    with office_in(tmp_path_factory.mktemp("counter")) as office:
        yield office


# -- ambiguous headers ---------------------------------------------------------------------------------

AMBIGUOUS: list[tuple[str, list[str], Rows, str, str]] = [
    ("联系方式", ["学历"], [["13900000001", "本科"]], "customer.mobile", "among customers"),
    (
        "联系方式",
        ["跟进时间", "跟进内容"],
        [["电话", "2026-06-01 10:00", "说下月还"]],
        "follow_up.channel",
        "in a follow-up",
    ),
    (
        "还款日期",
        ["借据号", "实还金额"],
        [["2026-02-15", "J1", 900]],
        "receipt.paid_date",
        "beside money paid",
    ),
    (
        "还款日期",
        ["借据号", "贷款金额", "期限", "月供"],
        [["2026-02-15", "J1", 10000, 12, 900]],
        "loan.next_due_date",
        "beside a loan",
    ),
    ("还款日", ["借据号", "贷款金额", "期限"], [[15, "J1", 10000, 12]], "loan.due_day", "a day of the month"),
    (
        "还款日",
        ["借据号", "贷款金额", "期限"],
        [["2026-07-15", "J1", 10000, 12]],
        "loan.next_due_date",
        "a whole date",
    ),
    ("负债", ["信用等级"], [["45%", "A"]], "credit.dti", "percent"),
    ("负债", ["信用等级"], [["200000", "A"]], "credit.debt", "an amount"),
]


@pytest.mark.parametrize(
    ("header", "others", "values", "field", "why"),
    AMBIGUOUS,
    ids=[f"{case[3]} {case[4]}" for case in AMBIGUOUS],
)
def test_a_header_of_two_meanings_is_settled_by_what_stands_beside_and_below(
    header: str, others: list[str], values: Rows, field: str, why: str, counter: Office, tmp_path: Path
) -> None:
    batch = counter.ingest(workbook(tmp_path / "表.xlsx", rows_of(header, *others, values=values)), dry=True)
    assert (batch.status, fields(batch)[header]) == ("stored", field)
    assert columns(batch)[header]["how"] in {"neighbours", "values"}


def test_a_debt_ratio_is_asked_for_whatever_the_sheet_says(office: Office, tmp_path: Path) -> None:
    batch = office.ingest(
        workbook(tmp_path / "征信.xlsx", rows_of("负债率", "信用等级", values=[["45%", "A"]]))
    )
    assert (batch.status, exit_status(batch)) == ("needs-mapping", 5)
    assert questions(batch) == {"负债率": ("which-field", ["credit.dti"])}
    assert office.rows("customer").height == 0


# -- units and meanings --------------------------------------------------------------------------------

RATES: list[tuple[list[object], str | None, list[int] | None]] = [
    ([12, 9.6, 4.9], "percent", [12_000_000, 9_600_000, 4_900_000]),
    ([0.12, 0.096, 0.049], "fraction", [12_000_000, 9_600_000, 4_900_000]),
    (["12%", "9.6%", "0.5%"], None, [12_000_000, 9_600_000, 500_000]),
    ([0.5, 0.6, 0.7], None, None),
]


@pytest.mark.parametrize(
    ("cells", "percent", "stored"), RATES, ids=["whole numbers", "fractions", "with signs", "halves"]
)
def test_rates_without_a_unit_are_read_by_the_whole_column_or_asked(
    cells: list[object], percent: str | None, stored: list[int] | None, office: Office, tmp_path: Path
) -> None:
    path = workbook(
        tmp_path / "台账.xlsx", [HEAD, *(loan(n, 贷款利率=cell) for n, cell in enumerate(cells, 1))]
    )
    batch = office.ingest(path)
    if stored is None:
        assert questions(batch) == {"贷款利率": ("rate-unit", ["percent", "fraction"])}
        return
    assert office.rows("loan")["rate"].to_list() == stored
    assert columns(batch)["贷款利率"].get("percent") == percent
    told = next(line for line in summary(batch) if line and line[0] == "贷款利率")
    assert (len(told) > 3) == (percent is not None)


def test_days_behind_months_are_read_in_the_one_order_that_fits_all(office: Office, tmp_path: Path) -> None:
    days = ["05/01/2026", "28/02/2026"]
    path = workbook(tmp_path / "a.xlsx", [HEAD, *(loan(n, 放款日期=day) for n, day in enumerate(days, 1))])
    batch = office.ingest(path)
    assert columns(batch)["放款日期"]["order"] == "dmy"
    assert [str(d) for d in office.rows("loan")["disburse_date"]] == ["2026-01-05", "2026-02-28"]
    days = ["05/01/2026", "06/02/2026"]
    path = workbook(tmp_path / "b.xlsx", [HEAD, *(loan(n, 放款日期=day) for n, day in enumerate(days, 3))])
    assert questions(office.ingest(path)) == {"放款日期": ("date-order", ["dmy", "mdy"])}


# -- two alike, answered and remembered ----------------------------------------------------------------

TWO = [*HEAD[:2], "手机号", "联系电话", *HEAD[3:]]


def two_phones(number: int, second: str) -> list[object]:
    row = loan(number)
    return [*row[:3], second, *row[3:]]


def test_two_columns_that_say_the_same_are_read_once(office: Office, tmp_path: Path) -> None:
    rows = [TWO, *(two_phones(n, person(n).mobile) for n in (1, 2))]
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", rows))
    assert batch.stored == 2
    assert columns(batch)["联系电话"]["how"] == "repeated"


def test_two_columns_alike_are_asked_once_answered_in_the_file_and_remembered(
    office: Office, tmp_path: Path
) -> None:
    path = workbook(tmp_path / "台账.xlsx", [TWO, two_phones(1, "13900000001"), two_phones(2, "13900000002")])
    asked = office.ingest(path)
    assert (asked.status, exit_status(asked)) == ("needs-mapping", 5)
    assert questions(asked) == {"联系电话": ("two-alike", ["customer.mobile"])}
    answer = office.house.home / "returns" / asked.owner / "台账.xlsx.mapping.toml"
    text = answer.read_text(encoding="utf-8")
    assert '"联系电话" = "?"' in text
    assert office.ingest(path).status == "needs-mapping", "nothing was answered"
    answer = mapping(path, text.replace('"联系电话" = "?"', '"联系电话" = "备用电话"'))
    batch = office.ingest(path)
    assert (batch.id, batch.status, batch.stored) == (asked.id, "stored", 2)
    assert office.rows("customer")["backup_phone"].to_list() == ["13900000001", "13900000002"]
    answer.unlink()
    later = office.ingest(workbook(tmp_path / "下月.xlsx", [TWO, two_phones(3, "13900000003")]))
    assert (later.status, later.stored) == ("stored", 1)
    assert columns(later)["联系电话"]["how"] == "remembered"


def test_a_question_may_be_answered_by_a_command(office: Office, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [TWO, two_phones(1, "13900000001")])
    asked = office.ingest(path)
    office.house.desk().do(SET, MappingSet(asked.id, ("联系电话=备用电话",)))
    assert office.ingest(path).stored == 1
    assert office.rows("customer")["backup_phone"].to_list() == ["13900000001"]


def test_an_answer_about_a_column_or_field_that_is_not_there_is_refused(
    office: Office, tmp_path: Path
) -> None:
    asked = office.ingest(workbook(tmp_path / "台账.xlsx", [TWO, two_phones(1, "13900000001")]))
    wrong = {
        "联系电话=customer.shoe_size": "mapping-no-field",
        "联系电话二=customer.backup_phone": "mapping-no-header",
        "联系电话": "mapping-unclear",
        "联系电话=customer.backup_phone,x=1": "mapping-unclear",
        "贷款利率=loan.rate,percent=maybe": "mapping-unclear",
        "放款日期=loan.disburse_date,epoch=1960": "mapping-unclear",
    }
    for told, code in wrong.items():
        with pytest.raises(Usage) as error:
            office.house.desk().do(SET, MappingSet(asked.id, (told,)))
        assert (error.value.code, error.value.exit_status) == (code, 2)
        assert say(error.value, "zh").text != say(error.value, "en").text != code
    with pytest.raises(Usage):
        office.house.desk().do(SET, MappingSet(asked.id, (), ("dates-order=off",)))
    assert office.rows("layout").height == 0


WRONG_MAPPINGS = {
    '[columns]\n"客户姓名" = "customer.shoe_size"': "mapping-unknown-field",
    '[columns]\n"客户姓名" = { field = "customer.name", units = "元" }': "mapping-unknown-key",
    "[colums]\n": "mapping-unknown-key",
    '[checks]\n"dates-ordr" = "warning"': "mapping-unknown-check",
    '[checks]\n"dates-order" = "off"': "mapping-unknown-check",
    "[columns\n": "mapping-unreadable",
    "x = " + "[" * 5_000: "mapping-unreadable",
    "header_row = " + "9" * 5_000: "mapping-unreadable",
    "#" * 5_000_000: "mapping-unreadable",
    "header_row = -1": "mapping-unknown-value",
    "header_row = 99999999999999": "mapping-unknown-value",
    '[columns]\n"贷款利率" = { field = "loan.rate", day_base = inf }': "mapping-unknown-value",
    "columns = 3": "mapping-unknown-value",
    'header_row = "三"': "mapping-unknown-value",
    '[columns]\n"放款日期" = { field = "loan.disburse_date", epoch = "1960" }': "mapping-unknown-value",
    '[columns]\n"贷款利率" = { field = "loan.rate", percent = "perhaps" }': "mapping-unknown-value",
    '[columns]\n"贷款金额" = { field = "loan.amount", unit = "斤" }': "mapping-unknown-value",
    '[columns]\n"贷款金额" = 5': "mapping-unknown-value",
}


@pytest.mark.parametrize("text", WRONG_MAPPINGS, ids=range(len(WRONG_MAPPINGS)))
def test_a_wrong_mapping_file_is_refused_by_name(text: str, counter: Office, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)])
    wrong = mapping(path, text)
    with pytest.raises(Misconfigured) as error:
        counter.ingest(path, dry=True)
    assert (error.value.code, error.value.exit_status) == (WRONG_MAPPINGS[text], 9)
    for lang in ("zh", "en"):
        assert wrong.name in say(error.value, lang).text  # type: ignore[arg-type]


def test_a_mapping_that_cannot_be_opened_is_said_by_name(counter: Office, tmp_path: Path) -> None:
    assert not mapfile.is_open(tmp_path), "nobody can tell, so it is for the reading to say"
    words = Words.of(counter.house.home, counter.house.settings, counter.house.dictionary)
    with pytest.raises(Misconfigured, match="mapping-unreadable") as error:
        mapfile.read(tmp_path, words)
    assert error.value.facts["file"] == tmp_path.name


def test_a_mapping_file_that_was_wrong_is_mended_and_the_file_goes_on(office: Office, tmp_path: Path) -> None:
    path = workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)])
    wrong = mapping(path, "[colums]")
    with pytest.raises(Misconfigured):
        office.ingest(path)
    wrong.write_text("[columns]", encoding="utf-8")
    assert office.ingest(path).stored == 1


def test_a_mapping_may_lower_a_check_to_a_warning(office: Office, tmp_path: Path) -> None:
    rows = [[*HEAD, "放款金额"], [*loan(1), "20万"]]
    path = workbook(tmp_path / "a.xlsx", rows)
    strict = office.ingest(path, dry=True)
    assert (strict.rejected, strict.stored) == (1, 0)
    mapping(path, '[checks]\n"disbursed-above-approved" = "warning"')
    batch = office.ingest(path)
    assert (batch.stored, batch.rejected, batch.warnings) == (1, 0, 1)
    assert reasons(office, batch) == {"disbursed-above-approved"}


def test_a_mapping_names_header_row_and_sheets_to_leave_out(office: Office, tmp_path: Path) -> None:
    odd = [["客户姓名", "借据号"], ["甲", "乙", "丙", "丁"], ["钱文", "J1", 10000, 12]]
    path = workbook(tmp_path / "台账.xlsx", {"台账": odd, "草稿": [HEAD, loan(3)]})
    mapping(
        path,
        'header_row = 2\n[columns]\n"甲" = "客户姓名"\n"乙" = "借据号"\n'
        '"丙" = "贷款金额"\n"丁" = "贷款期限"\n'
        '[sheets."草稿"]\nskip = true\n',
    )
    batch = office.ingest(path)
    assert (batch.rows, batch.stored) == (1, 1)


# -- several sheets ------------------------------------------------------------------------------------


def test_sheets_of_all_kinds_in_one_workbook_land_and_hang_together(office: Office, tmp_path: Path) -> None:
    one, two = person(1), person(2)
    path = workbook(
        tmp_path / "全部.xlsx",
        {
            "跟进": [
                ["客户姓名", "手机号码", "跟进时间", "跟进内容", "跟进方式"],
                [one.name, one.mobile, "2026-06-01 10:00", "说月底还", "电话"],
            ],
            "还款": [
                ["借据号", "实还日期", "实还金额"],
                ["J0001", "2026-02-15", 8884.88],
                ["J0002", "2026-02-15", 100],
            ],
            "押品": [["借据号", "押品名称", "评估价值"], ["J0001", "住宅一套", "300万"]],
            "征信": [["身份证号", "客户姓名", "信用等级", "征信查询次数"], [two.id_number, two.name, "A", 3]],
            "借据": [HEAD, loan(1), loan(2)],
            "客户": [
                ["客户姓名", "身份证号", "手机号码", "学历"],
                [one.name, one.id_number, one.mobile, "本科"],
            ],
            "说明": [["本表由信贷部填报"]],
        },
    )
    batch = office.ingest(path)
    assert (batch.status, batch.content, batch.rejected) == ("stored", "mixed", 0), office.problems(batch)
    assert batch.rows == 8
    customers = dict(office.rows("customer").select("name", "id").rows())
    loans = dict(office.rows("loan").select("loan_no", "customer_id").rows())
    assert loans == {"J0001": customers[one.name], "J0002": customers[two.name]}
    numbers = dict(office.rows("loan").select("id", "loan_no").rows())
    assert [numbers[i] for i in office.rows("receipt")["loan_id"]] == ["J0001", "J0002"]
    assert [numbers[i] for i in office.rows("collateral")["loan_id"]] == ["J0001"]
    assert office.rows("credit")["customer_id"].to_list() == [customers[two.name]]
    assert office.rows("follow_up")["customer_id"].to_list() == [customers[one.name]]


# -- what the institution says -------------------------------------------------------------------------


def test_a_row_beyond_the_rights_or_the_branch_of_a_drop_owner_is_rejected(tmp_path: Path) -> None:
    drop = {
        "folder": "drop",
        "owner": "城东",
        "scope": "branch:城东支行",
        "rights": ["customer.write", "batch.write"],
    }
    with office_in(tmp_path, drop=[drop]) as office:
        head = ["客户姓名", "身份证号", "所属机构"]
        rows = [
            head,
            *([p.name, p.id_number, b] for p, b in ((person(1), "城东支行"), (person(2), "城西支行"))),
        ]
        owner = Drop(folder="drop", owner="城东", scope=drop["scope"], rights=drop["rights"])  # type: ignore[arg-type]
        batch = office.ingest(workbook(tmp_path / "客户.xlsx", rows), drop=owner)
        assert (batch.owner, batch.stored, batch.rejected) == ("城东", 1, 1), office.problems(batch)
        assert reasons(office, batch) == {"not-yours-branch"}
        batch = office.ingest(workbook(tmp_path / "台账.xlsx", [HEAD, loan(1)]), drop=owner)
        assert (batch.stored, batch.rejected) == (0, 1)
        assert reasons(office, batch) == {"not-yours-kind"}
        assert office.rows("loan").height == 0


def test_fields_of_ones_own_fields_switched_off_and_fields_required(tmp_path: Path) -> None:
    own = {"kind": "loan", "name": "channel", "type": "text", "label_zh": "介绍网点", "label_en": "Channel"}
    settings = {
        "fields": {"custom": [own], "off": ["customer.mobile"], "required": {"房抵贷": ["loan.purpose"]}}
    }
    with office_in(tmp_path, **settings) as office:
        head = [*HEAD, "介绍网点", "贷款产品", "贷款用途"]
        rows = [
            head,
            [*loan(1), "老客户", "房抵贷", "装修"],
            [*loan(2), "中介", "房抵贷", None],
            [*loan(3), "网点", "经营贷", None],
        ]
        batch = office.ingest(workbook(tmp_path / "台账.xlsx", rows))
        assert (batch.stored, batch.rejected) == (2, 1), office.problems(batch)
        assert reasons(office, batch) == {"required-missing"}
        assert office.problems(batch)["field"].to_list() == ["loan.purpose"]
        assert office.rows("loan")["extra"].to_list() == ['{"channel":"老客户"}', '{"channel":"网点"}']
        assert fields(batch)["手机号码"] == ""
        assert office.rows("customer")["mobile"].to_list() == [None, None]


def test_a_choice_that_is_none_of_ours_is_an_error_or_kept_as_other(office: Office, tmp_path: Path) -> None:
    head = [*HEAD, "还款方式", "贷款状态"]
    rows = [head, [*loan(1), "等额本息", "收回中"], [*loan(2), "看心情", "正常"]]
    batch = office.ingest(workbook(tmp_path / "台账.xlsx", rows))
    assert office.rows("loan")["status_text"].to_list()[0] == "收回中"
    found = set(office.problems(batch).select("row", "field", "code", "severity").rows())
    assert (2, "loan.status", "choice-kept", "warning") in found
    assert reasons(office, batch) <= {"choice-unknown", "choice-kept"}
