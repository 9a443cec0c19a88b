"""The row that shows how a template is filled in. Its people are invented, its numbers belong to nobody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Final

from loanhub.fields import FieldType
from loanhub.services.sheets.columns import Column
from loanhub.sheets import EXAMPLES
from loanhub.texts import Lang

T = FieldType

WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "customer.name": ("王小样", "Wang Xiaoyang"),
    "customer.customer_no": ("KH0001", "C0001"),
    "customer.id_number": ("119999199001010020", "119999199001010020"),
    "customer.mobile": ("13800000000", "13800000000"),
    "customer.address": ("某省某市某区学府路1号", "1 College Road, Sample City"),
    "customer.employer": ("样例商贸有限公司", "Sample Trading Co."),
    "customer.occupation": ("个体经营", "Shopkeeper"),
    "customer.bank_name": ("样例银行", "Sample Bank"),
    "customer.bank_card": ("6200000000000005", "6200000000000005"),
    "customer.manager": ("李样例", "Li Yangli"),
    "customer.branch": ("城东支行", "East branch"),
    "customer.email": ("name@example.com", "name@example.com"),
    "relation.spouse_name": ("赵小样", "Zhao Xiaoyang"),
    "relation.spouse_phone": ("13800000001", "13800000001"),
    "relation.guarantor_name": ("孙小样", "Sun Xiaoyang"),
    "relation.guarantor_phone": ("13800000002", "13800000002"),
    "loan.loan_no": ("JJ2026-0001", "L2026-0001"),
    "loan.contract_no": ("HT2026-0001", "K2026-0001"),
    "loan.product": ("个人经营贷", "Business loan"),
    "loan.purpose": ("进货", "Stock"),
    "receipt.paid_by": ("银行转账", "Bank transfer"),
    "credit.grade": ("A", "A"),
    "credit.report": ("无逾期记录", "Nothing overdue"),
    "follow_up.content": ("客户表示月底前还清本期", "Will pay this instalment by the end of the month"),
    "follow_up.staff": ("李样例", "Li Yangli"),
    "follow_up.result": ("已接听", "Reached"),
    "follow_up.next_plan": ("月底再联系", "Call again at the end of the month"),
    "collateral.name": ("住宅一套，某区学府路2号", "A flat, 2 College Road"),
}
AMOUNTS: Final[Mapping[str, int]] = {
    "loan.amount": 200_000,
    "loan.applied_amount": 200_000,
    "loan.disbursed_amount": 200_000,
    "loan.balance": 150_000,
    "customer.monthly_income": 12_000,
    "customer.annual_income": 144_000,
    "receipt.paid_amount": 17_770,
    "receipt.paid_principal": 15_800,
    "receipt.paid_interest": 1_970,
    "collateral.value": 800_000,
    "credit.debt": 300_000,
    "follow_up.promise_amount": 5_000,
}
NUMBERS: Final[Mapping[str, float]] = {
    "loan.term": 12,
    "loan.rate": 0.049,
    "loan.due_day": 15,
    "loan.overdue_days": 0,
    "customer.dependants": 2,
    "receipt.number": 3,
    "credit.score": 680,
    "credit.overdue_count": 0,
    "credit.dti": 0.35,
}
DAYS: Final[Mapping[str, date]] = {
    "customer.birth_date": date(1990, 1, 1),
    "customer.employed_since": date(2018, 7, 1),
    "loan.apply_date": date(2026, 1, 5),
    "loan.sign_date": date(2026, 1, 10),
    "loan.disburse_date": date(2026, 1, 15),
    "loan.maturity_date": date(2027, 1, 15),
    "loan.next_due_date": date(2026, 4, 15),
    "receipt.paid_date": date(2026, 3, 15),
    "credit.report_date": date(2026, 1, 4),
    "follow_up.time": datetime(2026, 3, 20, 9, 30),  # noqa: DTZ001 - as a cell has it, without zone
    "follow_up.next_time": datetime(2026, 3, 31, 10, 0),  # noqa: DTZ001
    "follow_up.promise_date": date(2026, 3, 31),
    "collateral.valued_on": date(2026, 1, 8),
}
CHOSEN: Final[Mapping[str, str]] = {
    "customer.gender": "F",
    "customer.education": "bachelor",
    "customer.marital": "married",
    "loan.status": "active",
    "loan.guarantee": "mortgage",
}
"""Where the first of the choices would not do."""
UNFILLED: Final = frozenset({"customer.uscc", "loan.reject_reason", "loan.lpr_tenor"})


def example(column: Column, lang: Lang, labels: Mapping[str, str], *, first: bool) -> object:
    """The example of a column; the first one begins with the mark that the intake knows."""
    path = column.path
    value = _value(path, lang, labels)
    if first:
        return f"{EXAMPLES[0 if lang == 'zh' else 1]} {value or column.header}"
    return value


def _value(path: str, lang: Lang, labels: Mapping[str, str]) -> object:
    if path in WORDS:
        return WORDS[path][0 if lang == "zh" else 1]
    for known in (AMOUNTS, NUMBERS, DAYS):
        if path in known:
            return known[path]
    if labels and path not in UNFILLED:
        return labels.get(CHOSEN.get(path, ""), next(iter(labels.values())))
    return None


def spoken(value: object, look: str) -> str:
    """An example as it reads in a sentence."""
    if isinstance(value, float) and look == "percent":
        return f"{value * 100:g}%"
    return f"{value}" if value is not None else ""


def shown_choices(labels: Sequence[str]) -> str:
    """The choices in a line."""
    return " / ".join(labels)
