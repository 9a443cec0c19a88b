"""Identity numbers, company codes, phones and cards: accepted, refused with a code, and masked.

Made-up identity numbers use area codes nn9999, which were never assigned.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import identifiers as ids
from loanhub.identifiers.companies import USCC_ALPHABET
from loanhub.readings import Reading

BIRTHS = st.dates(date(1900, 1, 1), date(2020, 12, 31))


@st.composite
def numbers(draw: st.DrawFn) -> str:
    province = draw(st.sampled_from(["11", "33", "51", "65", "82", "93"]))
    first17 = f"{province}9999{draw(BIRTHS):%Y%m%d}{draw(st.integers(1, 999)):03}"
    return first17 + ids.id_check_digit(first17)


@st.composite
def codes(draw: st.DrawFn) -> str:
    body = draw(st.text("0123456789ABCDEFGHJKLMNPQRTUWXY", min_size=8, max_size=8))
    first17 = "91339999" + body + ids.organisation_check_digit(body)
    return first17 + ids.uscc_check_digit(first17)


@given(numbers())
def test_a_right_number_is_read_and_says_birth_and_gender(number: str) -> None:
    assert ids.read_resident_id(f" {number.lower()} ").value == number
    assert f"{ids.birth_of(number):%Y%m%d}" == number[6:14]
    assert (ids.gender_of(number) == "M") == (number[16] in "13579")


@given(numbers(), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(number: str, at: int, by: int) -> None:
    digit = 10 if number[at] == "X" else int(number[at])
    changed = number[:at] + str((digit + by) % 10) + number[at + 1 :]
    reading = ids.read_resident_id(changed)
    assert changed == number or not reading.ok


@given(numbers(), st.integers(0, 16))
def test_two_neighbours_swapped_are_always_found(number: str, at: int) -> None:
    swapped = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
    assert swapped == number or not ids.read_resident_id(swapped).ok


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "cell-empty"),
        ("119999199002300010", "id-date"),
        ("999999201313010010", "id-date"),
        ("009999199005120016", "id-province"),
        ("1.19999199005120E+17", "digits-lost"),
        ("119999199005120016.0", "digits-lost"),
        ("119999199005120000", "id-checksum-zeros"),
        ("11999919900512001٦", "id-format"),
        ("1199991990051200166", "id-length"),
        ("119999900230001", "id-date"),
        ("无", "id-length"),
    ],
)
def test_a_wrong_identity_number_says_what_is_wrong(text: str, code: str) -> None:
    assert ids.read_resident_id(text).problem == code


def test_a_number_ending_in_000_is_accepted_with_a_warning() -> None:
    first17 = next(
        f"119999199005{day:02}{serial:03}"
        for day in range(1, 29)
        for serial in range(0, 1000, 100)
        if ids.id_check_digit(f"119999199005{day:02}{serial:03}") == "0"
    )
    assert ids.read_resident_id(first17 + "0").warning == "id-zeros"


def test_a_birth_after_today_is_refused() -> None:
    number = "119999199005120016"
    assert ids.read_resident_id(number, today=date(1990, 5, 12)).ok
    assert ids.read_resident_id(number, today=date(1990, 5, 11)).problem == "id-date"


@given(codes(), st.integers(8, 17), st.sampled_from(USCC_ALPHABET))
def test_a_company_code_is_read_and_one_wrong_character_found(code: str, at: int, char: str) -> None:
    assert ids.read_uscc(code.lower()).value == code
    assert ids.company_parts(code).org_code == f"{code[8:16]}-{code[16]}"
    changed = code[:at] + char + code[at + 1 :]
    assert changed == code or not ids.read_uscc(changed).ok


def test_a_wrong_organisation_code_inside_is_only_a_warning() -> None:
    first17 = "91119999MA0ABCD10"
    reading = ids.read_uscc(first17 + ids.uscc_check_digit(first17))
    assert (reading.ok, reading.warning) == (True, "uscc-organisation")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("91119999MI0ABCD1X7", "uscc-format"),
        ("9111999AMA0ABCD1X7", "uscc-format"),
        ("91119999MA0ABCD1X8", "uscc-checksum"),
        ("91119999MA0ABCD1X", "uscc-length"),
        ("119999000000001", "uscc-registration-number"),
        ("9.1E+17", "digits-lost"),
    ],
)
def test_a_wrong_company_code_says_what_is_wrong(text: str, code: str) -> None:
    assert ids.read_uscc(text).problem == code


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (ids.read_mobile, "0086-138 0000 0000", "13800000000"),
        (ids.read_mobile, "13800000000.00", "13800000000"),
        (ids.read_landline, "（010）88881234", "010-88881234"),
        (ids.read_landline, "02088881234", "020-88881234"),
        (ids.read_landline, "05718888123", "0571-8888123"),
        (ids.read_landline, "0571-88881234转801", "0571-88881234-801"),
        (ids.read_landline, "+86 10 8888 1234", "010-88881234"),
        (ids.read_phone, "13800000000", "13800000000"),
        (ids.read_phone, "010—88881234", "010-88881234"),
        (ids.read_card, "6200 0000 0000 0005", "6200000000000005"),
        (ids.read_email, "Zhang.San＠Example.COM", "Zhang.San@example.com"),
        (ids.read_wechat, "wx_zhang-3", "wx_zhang-3"),
    ],
)
def test_contacts_are_brought_to_one_form(
    read: Callable[[str], Reading[str]], text: str, expected: str
) -> None:
    assert read(text).value == expected


@pytest.mark.parametrize(
    ("read", "text", "code"),
    [
        (ids.read_mobile, "138000000000", "mobile-length"),
        (ids.read_mobile, "无", "mobile-format"),
        (ids.read_mobile, "1.38E+10", "digits-lost"),
        (ids.read_landline, "88881234", "landline-format"),
        (ids.read_phone, "88881234", "phone-format"),
        (ids.read_card, "6200-0000", "card-length"),
        (ids.read_card, "工行6200000000000005", "card-format"),
        (ids.read_card, "6.2E+15", "digits-lost"),
        (ids.read_email, "zhang san@example.com", "email-format"),
        (ids.read_email, "张三@example.com", "email-format"),
        (ids.read_email, "a@b", "email-format"),
        (ids.read_email, "a..b@example.com", "email-format"),
        (ids.read_email, "a@@example.com", "email-format"),
        (ids.read_email, f"{'a' * 64}@{'b' * 190}.com", "email-format"),
        (ids.read_wechat, "3abcdef", "wechat-format"),
        (ids.read_wechat, "abc", "wechat-format"),
    ],
)
def test_wrong_contacts_say_what_is_wrong(read: Callable[[str], Reading[str]], text: str, code: str) -> None:
    assert read(text).problem == code


def test_company_accounts_without_luhn_are_accepted_with_a_warning() -> None:
    assert ids.read_card("6200000000000006").warning == "card-luhn"


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("119999199005120000", True),
        ("1.19999199005120E+17", True),
        ("6200000000000005.0", True),
        ("13800000000", False),
        ("110105491231002", False),
        ("0.1234567890123456789", False),
    ],
)
def test_a_number_cell_of_16_digits_has_lost_some(text: str, lost: bool) -> None:
    assert ids.lost_digits(text) is lost


@pytest.mark.parametrize(
    ("mask", "text", "expected"),
    [
        (ids.mask_name, "王小明", "王**"),
        (ids.mask_name, "欧阳", "欧*"),
        (ids.mask_name, "张", "*"),
        (ids.mask_name, "John Smith", "J** S**"),
        (ids.mask_name, "某某（北京）科技有限公司", "某某（北京）科技有限公司"),
        (ids.mask_id, "110105491231002", "110********1002"),
        (ids.mask_id, "E12345678", "*********"),
        (ids.mask_card, "6200000000000000047", "6200***********0047"),
        (ids.mask_phone, "13800000000", "138****0000"),
        (ids.mask_phone, "010-88881234-801", "010-****1234"),
        (ids.mask_email, "zhang@example.com", "z***@example.com"),
        (ids.mask_email, "not an address", "***"),
        (ids.mask_wechat, "wx_zhang", "w******g"),
        (ids.mask_address, "浙江省杭州市西湖区文三路1号", "浙江省杭州市西湖区***"),
        (ids.mask_address, "江苏省昆山市玉山镇某某小区3栋", "江苏省昆山市***"),
        (ids.mask_address, "上海市浦东新区世纪大道1号", "上海市浦东新区***"),
        (ids.mask_address, "四川省凉山彝族自治州西昌市某路", "四川省凉山彝族自治州西昌市***"),
        (ids.mask_address, "某某小区3号楼", "***"),
        (ids.mask_text, "secret", "***"),
    ],
)
def test_masks_keep_what_the_house_style_shows(mask: Callable[[str], str], text: str, expected: str) -> None:
    assert mask(text) == expected


MASKS = [ids.mask_name, ids.mask_id, ids.mask_card, ids.mask_mobile, ids.mask_landline, ids.mask_phone]


@pytest.mark.parametrize("mask", [*MASKS, ids.mask_email, ids.mask_wechat, ids.mask_address])
@given(text=st.text(min_size=1).filter(lambda t: any(not c.isspace() and c != "·" for c in t)))
def test_no_mask_shows_a_value_whole_or_fails(mask: Callable[[str], str], text: str) -> None:
    if mask is ids.mask_name and ids.is_company_name(text):
        return
    shown = mask(text)
    assert "*" in shown


def test_a_reading_never_shows_its_value() -> None:
    assert "119999199005120016" not in repr(ids.read_resident_id("119999199005120016"))
