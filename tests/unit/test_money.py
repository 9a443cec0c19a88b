"""Money is exact, and rounded only by a named rule."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import money
from loanhub.errors import Usage

FEN = st.integers(-(10**17), 10**17)
MODES: dict[money.Rounding, str] = {
    "half_up": ROUND_HALF_UP,
    "half_even": ROUND_HALF_EVEN,
    "up": ROUND_UP,
    "down": ROUND_DOWN,
}


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [("half_up", (3, -3, 2)), ("half_even", (2, -2, 2)), ("up", (3, -3, 3)), ("down", (2, -2, 2))],
)
def test_each_named_rounding_keeps_its_rule(rounding: money.Rounding, expected: tuple[int, ...]) -> None:
    halves = (Decimal("2.5"), Decimal("-2.5"), Decimal("2.1"))
    assert tuple(money.rounded(h, rounding) for h in halves) == expected


@pytest.mark.parametrize("rounding", MODES)
@given(value=st.decimals(-(10**12), 10**12, places=5))
def test_rounding_agrees_with_decimal(rounding: money.Rounding, value: Decimal) -> None:
    wide = Context(prec=60)
    expected = int(value.quantize(Decimal(1), MODES[rounding], wide))
    assert money.rounded(value, rounding) == expected


@given(FEN)
def test_what_is_written_plainly_is_read_back(fen: int) -> None:
    assert money.parse(money.plain(fen)) == fen
    assert money.fen_of(money.decimal(fen)) == fen
    assert money.yuan(fen).replace(",", "") == money.plain(fen)


@given(FEN, st.integers(1, 10**9), st.sampled_from(list(MODES)))
def test_dividing_is_off_by_less_than_one(numerator: int, denominator: int, rounding: money.Rounding) -> None:
    off = abs(money.divided(numerator, denominator, rounding) - Fraction(numerator, denominator))
    assert off < 1
    assert rounding in {"up", "down"} or off <= Fraction(1, 2)


def test_a_level_payment_can_be_rounded_up_to_the_jiao_or_yuan() -> None:
    assert money.rounded(106145, "up", unit=money.JIAO) == 106150
    assert money.rounded(106145, "up", unit=money.YUAN) == 106200
    assert money.rounded(106145, unit=money.YUAN) == 106100


def test_a_product_wider_than_decimal_precision_stays_exact() -> None:
    assert money.rounded(Fraction(10**40 + 1, 2)) == 5 * 10**39 + 1


def test_amounts_are_shown_with_groups_and_currency() -> None:
    assert money.yuan(123456) == "1,234.56"
    assert money.yuan(-5) == "-0.05"
    assert money.show(20_000_000, "zh") == "200,000.00元"
    assert money.show(20_000_000, "en") == "CNY 200,000.00"


@pytest.mark.parametrize("text", ["", "1.234", "1,000", "1e3", "20万", "٣", "--1", "1."])
def test_a_program_may_not_pass_a_loosely_written_amount(text: str) -> None:
    with pytest.raises(Usage, match="not-money"):
        money.parse(text)


def test_a_negative_denominator_changes_the_sign_only() -> None:
    assert money.divided(5, -2) == -3
    assert money.divided(-5, -2) == 3
