"""Invented loans with a past: repaid month by month in whole fen up to `today`, some of them overdue."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl
from attrs import frozen

from loanhub.testing import names
from loanhub.testing.numbers import Ints, picked

METHODS: Final = ("equal_installment", "equal_principal", "interest_first", "bullet", "flat")
TERMS: Final = (6, 12, 18, 24, 30, 36, 60, 120)
# One- and five-year loan prime rates by their first day, in units of 1e-8 a year (DOMAIN.md 3.1).
LPR: Final = (
    ("2022-08-22", 3_650_000, 4_300_000),
    ("2023-06-20", 3_550_000, 4_200_000),
    ("2023-08-21", 3_450_000, 4_200_000),
    ("2024-02-20", 3_450_000, 3_950_000),
    ("2024-07-22", 3_350_000, 3_850_000),
    ("2024-10-21", 3_100_000, 3_600_000),
    ("2025-05-20", 3_000_000, 3_500_000),
)
RECEIPT_COLUMNS: Final[dict[str, Any]] = {
    "loan": pl.Int64,
    "number": pl.Int64,
    "paid_date": pl.Date,
    "paid_amount": pl.Int64,
    "paid_principal": pl.Int64,
    "paid_interest": pl.Int64,
    "paid_penalty": pl.Int64,
    "paid_by": pl.String,
}
BASIS_POINT: Final = 10_000  # in units of 1e-8


@frozen
class _Past:
    """What repaying came to, one entry a loan (fen, and numbers of periods)."""

    balance: Ints
    instalment: Ints
    paid: Ints
    overdue_principal: Ints
    overdue_interest: Ints
    receipts: pl.DataFrame


def make_loans(
    seed: int, owners: pl.DataFrame, today: date, first: int, receipts: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A loan for each row of `owners` (columns `customer`, `customer_type`), and the receipts so far.

    Values in stored form: fen, rates in units of 1e-8 a year, days as pl.Date. `customer` is the place of
    the customer, `loan` of the loan in its frame. A monthly row is rounded half up, the last takes the rest.
    """
    rng = np.random.default_rng([seed, first, 2])
    count = owners.height
    terms = rng.choice(TERMS, size=count, p=(0.1, 0.35, 0.08, 0.15, 0.05, 0.15, 0.09, 0.03))
    started = np.datetime64(today, "D") - rng.integers(5, 1000, count)
    started -= np.maximum(0, _day_of_month(started) - 28)
    contract = _contract(rng, owners["customer_type"].to_list(), terms, started)
    dates = _dates(rng, started, terms)
    elapsed, late = _elapsed(rng, started, terms, contract["method"], today)
    past = _repay(contract, terms, _Periods(elapsed - late, elapsed, started), receipts)
    settled = (past.paid >= terms) & (late == 0)
    oldest = _due(started, np.minimum(past.paid + 1, terms))
    overdue_days = np.where(late > 0, (np.datetime64(today, "D") - oldest).astype(np.int64), 0)
    upcoming = np.minimum(elapsed + 1, terms)
    next_due = _due(started, np.where(_is_bullet(contract["method"]), terms, upcoming))
    over = (elapsed >= terms) | settled
    columns = {
        "customer": owners["customer"],
        "loan_no": [
            f"DK{d[:4]}{first + i + 1:08d}" for i, d in enumerate(np.datetime_as_string(started).tolist())
        ],
        "contract_no": [
            f"HT{d[2:4]}-{first + i + 1:07d}" for i, d in enumerate(np.datetime_as_string(started).tolist())
        ],
        "application_no": [f"SQ{first + i + 1:09d}" for i in range(count)],
        **contract,
        "applied_amount": contract["amount"] + rng.integers(0, 3, count) * 1_000_000,
        "disbursed_amount": contract["amount"],
        "balance": past.balance,
        "term": terms,
        "term_unit": ["month"] * count,
        **dates,
        "due_day": _day_of_month(started),
        "status": np.where(settled, "settled", "active").tolist(),
        "next_due_date": np.where(over, np.datetime64("NaT", "D"), next_due),
        "instalment": past.instalment,
        "overdue_days": overdue_days,
        "overdue_principal": past.overdue_principal,
        "overdue_interest": past.overdue_interest,
        "approver": picked(rng, ("贷审会", "周立新", "支行行长"), count),
        "approve_result": ["同意"] * count,
    }
    frame = pl.DataFrame({name: pl.Series(name, values) for name, values in columns.items()})
    return frame.with_columns(pl.col(pl.Date).cast(pl.Date)), past.receipts


def _contract(rng: np.random.Generator, kinds: list[str], terms: Ints, started: Any) -> dict[str, Any]:
    """Product, amount, rate, method, purpose and security."""
    count = len(kinds)
    by_kind = {"sole_trader": "个人经营贷", "farmer": "农户小额贷", "company": "小微企业贷"}
    personal = picked(rng, ("个人消费贷", "个人经营贷", "车辆贷款", "住房贷款"), count, (50, 25, 15, 10))
    products = [by_kind.get(kind, own) for kind, own in zip(kinds, personal, strict=True)]
    draws = rng.integers(0, 60, count).tolist()
    amounts = np.clip(rng.lognormal(2.3, 0.8, count).astype(np.int64), 1, 300) * 1_000_000
    amounts += rng.integers(0, 10, count) * 100_000
    floating = rng.random(count) < 0.15
    base = _lpr(started, terms)
    spread = rng.integers(-4, 60, count) * 5
    # Steps of 12 basis points, so that the same rate can also be said as so many ‰ a month.
    fixed = rng.integers(31, 96, count) * 12 * BASIS_POINT
    methods = picked(rng, METHODS, count, (45, 20, 20, 8, 7))
    return {
        "product": products,
        "amount": amounts,
        "rate": np.where(floating, base + spread * BASIS_POINT, fixed),
        "rate_type": np.where(floating, "floating", "fixed").tolist(),
        "lpr_tenor": [
            ("5Y" if t > 60 else "1Y") if f else None for t, f in zip(terms.tolist(), floating, strict=True)
        ],
        "spread_bp": [s if f else None for s, f in zip(spread.tolist(), floating, strict=True)],
        "method": [
            m if t <= 36 or m != "bullet" else "interest_first"
            for m, t in zip(methods, terms.tolist(), strict=True)
        ],
        "purpose": [
            names.PURPOSES[p][d % len(names.PURPOSES[p])] for p, d in zip(products, draws, strict=True)
        ],
        "guarantee": picked(rng, ("credit", "guarantee", "mortgage", "pledge"), count, (45, 25, 26, 4)),
    }


def _lpr(started: Any, terms: Ints) -> Ints:
    days = np.array([day for day, _, _ in LPR], dtype="datetime64[D]")
    place = np.maximum(np.searchsorted(days, started, side="right") - 1, 0)
    one, five = np.array([o for _, o, _ in LPR]), np.array([f for _, _, f in LPR])
    found: Ints = np.where(terms > 60, five[place], one[place])
    return found


def _dates(rng: np.random.Generator, started: Any, terms: Ints) -> dict[str, Any]:
    """Applied, signed, disbursed, matures, in this order."""
    signed = started - rng.integers(0, 10, len(terms))
    return {
        "apply_date": signed - rng.integers(1, 25, len(terms)),
        "sign_date": signed,
        "disburse_date": started,
        "maturity_date": _due(started, terms),
    }


def _day_of_month(days: Any) -> Ints:
    since: Ints = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    return since + 1


def _due(started: Any, periods: Ints) -> Any:
    """The due date of a period; the day of the month is at most 28, so that no month is too short."""
    months = started.astype("datetime64[M]") + periods
    return months.astype("datetime64[D]") + (_day_of_month(started) - 1)


def _is_bullet(methods: list[str]) -> Any:
    return np.array(methods) == "bullet"


def _elapsed(
    rng: np.random.Generator, started: Any, terms: Ints, methods: list[str], today: date
) -> tuple[Ints, Ints]:
    """Periods that fell due up to `today`, and how many of the last of them are unpaid."""
    now = np.datetime64(today, "D")
    elapsed = (now.astype("datetime64[M]") - started.astype("datetime64[M]")).astype(np.int64)
    elapsed -= _due(started, elapsed) > now
    elapsed = np.clip(elapsed, 0, terms)
    late = np.where(rng.random(len(terms)) < 0.08, rng.integers(1, 5, len(terms)), 0)
    late = np.where(_is_bullet(methods), np.where((late > 0) & (elapsed == terms), 1, 0), late)
    return elapsed, np.minimum(late, elapsed)


@frozen
class _Periods:
    """How many periods are paid and how many fell due, and the days the loans started."""

    paid: Ints
    elapsed: Ints
    started: Any


def _repay(contract: dict[str, Any], terms: Ints, periods: _Periods, receipts: bool) -> _Past:
    """All loans period by period, in integers: rows rounded half up, the last row takes what is left."""
    paid, elapsed = periods.paid, periods.elapsed
    amount, rate, method = contract["amount"], contract["rate"], np.array(contract["method"])
    level = _level(amount, rate, terms)
    first_share = _half_up(amount, terms)
    balance, after_paid = amount.copy(), amount.copy()
    late_principal, late_interest = np.zeros_like(amount), np.zeros_like(amount)
    instalment, lines = np.zeros_like(amount), []
    last = np.where(method == "bullet", terms, np.minimum(elapsed + 1, terms)).max(initial=0)
    for k in range(1, int(last) + 1):
        running = k <= terms
        interest = np.where(
            method == "flat", _half_up(amount * rate, 12 * 10**8), _half_up(balance * rate, 12 * 10**8)
        )
        principal = np.where(method == "equal_installment", level - interest, first_share)
        principal = np.where((method == "interest_first") | (method == "bullet"), 0, principal)
        principal = np.where(k == terms, balance, np.minimum(principal, balance)) * running
        # A bullet pays all its months' interest once: amount x rate / 12 x months.
        interest = np.where(
            method == "bullet", np.where(k == terms, _half_up(amount * rate * terms, 12 * 10**8), 0), interest
        )
        interest = interest * running
        balance = balance - principal
        done, missed = running & (k <= paid), running & (k > paid) & (k <= elapsed)
        after_paid = after_paid - principal * done
        late_principal += principal * missed
        late_interest += interest * missed
        instalment = np.where(
            (k == np.minimum(paid + 1, terms)) | ((method == "bullet") & (k == terms)),
            principal + interest,
            instalment,
        )
        if receipts:
            lines.append(
                _receipts(k, done & (principal + interest > 0), principal, interest, periods.started)
            )
    frame = pl.concat(lines).sort("loan", "number") if lines else pl.DataFrame(schema=RECEIPT_COLUMNS)
    return _Past(after_paid, instalment, paid, late_principal, late_interest, frame)


def _half_up(numerator: Any, denominator: Any) -> Ints:
    """A quotient of whole numbers, rounded half up."""
    return (2 * numerator + denominator) // (2 * denominator)  # type: ignore[no-any-return]


def _level(amount: Ints, rate: Ints, terms: Ints) -> Ints:
    """The level payment. Through floats: exact to the fen here, where the amounts are small."""
    monthly = rate / 12e8
    growth = (1 + monthly) ** terms
    return np.floor(amount * monthly * growth / (growth - 1) + 0.5).astype(np.int64)


def _receipts(number: int, done: Any, principal: Ints, interest: Ints, started: Any) -> pl.DataFrame:
    """The receipts of one period, paid on the due date or up to two days before."""
    place = np.flatnonzero(done)
    due = _due(started[place], np.full(len(place), number))
    ways = np.array(("银行代扣", "转账", "现金", "手机银行"), dtype=object)
    return pl.DataFrame(
        {
            "loan": place,
            "number": np.full(len(place), number),
            "paid_date": due - (place * 7 + number) % 3,
            "paid_amount": (principal + interest)[place],
            "paid_principal": principal[place],
            "paid_interest": interest[place],
            "paid_penalty": np.zeros(len(place), dtype=np.int64),
            "paid_by": ways[(place + number) % 4].tolist(),
        },
        schema=RECEIPT_COLUMNS,
    )
