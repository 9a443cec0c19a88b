"""What the institution knows of people and their business, each attribute with its `Field`.

Source of the fields: DOMAIN.md section 1.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import attrs
from attrs import frozen

from loanhub.entities.base import Entity
from loanhub.fields import BY_EVENT, PERSONAL, REVIEWED, SENSITIVE, Check, FieldType, field

T = FieldType
NOT_NEGATIVE = Check(least=0)
POSITIVE = Check(least=1)


@frozen(kw_only=True)
class Customer(Entity):
    """A person, sole trader 个体工商户, farmer 农户 or company the institution deals with."""

    KIND: ClassVar[str] = "customer"

    name: str = field(T.NAME, privacy=PERSONAL, write=REVIEWED, check=Check(longest=100), default="")
    customer_no: str | None = field(T.TEXT, check=Check(longest=40))
    customer_type: str | None = field(T.CHOICE, choices="customer_type")
    id_type: str | None = field(T.CHOICE, choices="id_type", privacy=PERSONAL)
    id_number: str | None = field(T.RESIDENT_ID, privacy=SENSITIVE, write=REVIEWED, sealed=True)
    uscc: str | None = field(T.USCC, write=REVIEWED)
    birth_date: date | None = field(T.DATE, privacy=PERSONAL)
    lunar_birthday: str | None = field(T.LUNAR, privacy=PERSONAL)
    gender: str | None = field(T.CHOICE, choices="gender", privacy=PERSONAL)
    mobile: str | None = field(T.MOBILE, privacy=SENSITIVE, write=REVIEWED)
    mobile_verified_on: date | None = field(T.DATE)
    backup_phone: str | None = field(T.PHONE, privacy=PERSONAL)
    email: str | None = field(T.EMAIL, privacy=PERSONAL)
    email_verified_on: date | None = field(T.DATE)
    wechat: str | None = field(T.WECHAT, privacy=PERSONAL)
    address: str | None = field(T.ADDRESS, privacy=PERSONAL, check=Check(longest=200))
    address_verified_on: date | None = field(T.DATE)
    hukou_address: str | None = field(T.ADDRESS, privacy=PERSONAL, check=Check(longest=200))
    marital: str | None = field(T.CHOICE, choices="marital", privacy=PERSONAL)
    education: str | None = field(T.CHOICE, choices="education", privacy=PERSONAL)
    occupation: str | None = field(T.TEXT, privacy=PERSONAL, check=Check(longest=60))
    employer: str | None = field(T.TEXT, privacy=PERSONAL, check=Check(longest=100))
    employer_phone: str | None = field(T.PHONE, privacy=PERSONAL)
    employed_since: date | None = field(T.DATE, privacy=PERSONAL)
    industry: str | None = field(T.TEXT, check=Check(longest=60))
    industry_code: str | None = field(T.TEXT, check=Check(longest=8))
    """Code of GB/T 4754 (or another list the institution names)."""
    monthly_income: int | None = field(T.MONEY, privacy=SENSITIVE, check=NOT_NEGATIVE)
    annual_income: int | None = field(T.MONEY, privacy=SENSITIVE, check=NOT_NEGATIVE)
    dependants: int | None = field(T.INTEGER, privacy=PERSONAL, check=Check(least=0, most=30))
    bank_name: str | None = field(T.TEXT, privacy=PERSONAL, check=Check(longest=60))
    bank_card: str | None = field(T.CARD, privacy=SENSITIVE, write=REVIEWED, sealed=True)
    level: str | None = field(T.CHOICE, choices="level", write=REVIEWED)
    source: str | None = field(T.TEXT, check=Check(longest=60))
    manager: str | None = field(T.TEXT, write=REVIEWED, check=Check(longest=40))
    branch: str | None = field(T.TEXT, check=Check(longest=60))
    remark: str | None = field(T.TEXT, check=Check(longest=500))
    merged_into: int | None = field(T.REF, refers="customer", imported=False)
    extra: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))


@frozen(kw_only=True)
class Relation(Entity):
    """Somebody beside a customer: spouse, guarantor, controller, related party, emergency contact."""

    KIND: ClassVar[str] = "relation"

    customer_id: int = field(T.REF, refers="customer", imported=False, default=0)
    role: str = field(T.CHOICE, choices="relation", default="")
    name: str | None = field(T.NAME, privacy=PERSONAL)
    phone: str | None = field(T.PHONE, privacy=SENSITIVE)
    loan_id: int | None = field(T.REF, refers="loan", imported=False)
    other_id: int | None = field(T.REF, refers="customer", imported=False)


@frozen(kw_only=True)
class Loan(Entity):
    """One drawdown 借据. Until cut-over its balance, dues and overdue days are facts of the sheet."""

    KIND: ClassVar[str] = "loan"

    loan_no: str | None = field(T.TEXT, check=Check(longest=60))
    contract_no: str | None = field(T.TEXT, check=Check(longest=60))
    application_no: str | None = field(T.TEXT, check=Check(longest=60))
    customer_id: int = field(T.REF, refers="customer", imported=False, default=0)
    product: str | None = field(T.TEXT, check=Check(longest=60))
    amount: int | None = field(T.MONEY, write=BY_EVENT, check=POSITIVE)
    applied_amount: int | None = field(T.MONEY, check=POSITIVE)
    disbursed_amount: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    balance: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    term: int | None = field(T.TERM, write=BY_EVENT, check=POSITIVE)
    term_unit: str | None = field(T.CHOICE, choices="term_unit", write=BY_EVENT, imported=False)
    rate: Decimal | None = field(T.RATE, write=BY_EVENT, check=NOT_NEGATIVE)
    """Fraction a year: 0.049 is 4.9 %."""
    rate_type: str | None = field(T.CHOICE, choices="rate_type", write=BY_EVENT)
    lpr_tenor: str | None = field(T.TEXT, write=BY_EVENT, imported=False)
    spread_bp: int | None = field(T.INTEGER, write=BY_EVENT, imported=False)
    penalty_rate: Decimal | None = field(T.RATE, write=BY_EVENT, check=NOT_NEGATIVE)
    method: str | None = field(T.CHOICE, choices="method", write=BY_EVENT)
    purpose: str | None = field(T.TEXT, check=Check(longest=100))
    guarantee: str | None = field(T.CHOICE, choices="guarantee")
    apply_date: date | None = field(T.DATE)
    sign_date: date | None = field(T.DATE)
    disburse_date: date | None = field(T.DATE, write=BY_EVENT)
    maturity_date: date | None = field(T.DATE, write=BY_EVENT)
    due_day: int | None = field(T.INTEGER, write=BY_EVENT, check=Check(least=1, most=31))
    status: str | None = field(T.CHOICE, choices="loan_status", write=BY_EVENT)
    status_text: str | None = field(T.TEXT, imported=False)
    """The sheet's own word for the status, kept when it is none of ours."""
    next_due_date: date | None = field(T.DATE, write=BY_EVENT)
    instalment: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    overdue_days: int | None = field(T.INTEGER, write=BY_EVENT, check=NOT_NEGATIVE)
    overdue_principal: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    overdue_interest: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    approver: str | None = field(T.TEXT, check=Check(longest=40))
    approve_result: str | None = field(T.TEXT, check=Check(longest=40))
    reject_reason: str | None = field(T.TEXT, check=Check(longest=200))
    stated_on: date | None = field(T.DATE, imported=False)
    """The day the sheet said so: imported balance, dues and overdue days are true as of this day."""
    live: bool = field(T.YES_NO, imported=False, default=False)
    """True from cut-over on: then only events change what is BY_EVENT."""
    extra: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))


@frozen(kw_only=True)
class Instalment(Entity):
    """One period of a plan as a sheet states it."""

    KIND: ClassVar[str] = "instalment"

    loan_id: int = field(T.REF, refers="loan", imported=False, default=0)
    number: int | None = field(T.INTEGER, check=Check(least=0, most=1200))
    due_date: date | None = field(T.DATE)
    due_principal: int | None = field(T.MONEY, check=NOT_NEGATIVE)
    due_interest: int | None = field(T.MONEY, check=NOT_NEGATIVE)
    due_penalty: int | None = field(T.MONEY, check=NOT_NEGATIVE)
    due_amount: int | None = field(T.MONEY, check=NOT_NEGATIVE)


@frozen(kw_only=True)
class Receipt(Entity):
    """Money received 还款 as a sheet states it."""

    KIND: ClassVar[str] = "receipt"

    loan_id: int = field(T.REF, refers="loan", imported=False, default=0)
    number: int | None = field(T.INTEGER, check=Check(least=0, most=1200))
    paid_date: date | None = field(T.DATE, write=BY_EVENT)
    paid_amount: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    paid_principal: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    paid_interest: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    paid_penalty: int | None = field(T.MONEY, write=BY_EVENT, check=NOT_NEGATIVE)
    paid_by: str | None = field(T.TEXT, check=Check(longest=40))


@frozen(kw_only=True)
class CreditRecord(Entity):
    """What was known of a customer's credit on a day: grade, overdue history, report, debts."""

    KIND: ClassVar[str] = "credit"

    customer_id: int = field(T.REF, refers="customer", imported=False, default=0)
    grade: str | None = field(T.TEXT, privacy=SENSITIVE, check=Check(longest=10))
    score: int | None = field(T.INTEGER, privacy=SENSITIVE, check=Check(least=0, most=10000))
    risk_class: str | None = field(T.CHOICE, choices="risk_class", privacy=SENSITIVE)
    overdue_record: str | None = field(T.TEXT, privacy=SENSITIVE, check=Check(longest=500))
    overdue_count: int | None = field(T.INTEGER, privacy=SENSITIVE, check=Check(least=0, most=10000))
    max_overdue: int | None = field(T.INTEGER, privacy=SENSITIVE, check=Check(least=0, most=10000))
    debt: int | None = field(T.MONEY, privacy=SENSITIVE, check=NOT_NEGATIVE)
    monthly_debt: int | None = field(T.MONEY, privacy=SENSITIVE, check=NOT_NEGATIVE)
    dti: Decimal | None = field(T.RATIO, privacy=SENSITIVE, check=NOT_NEGATIVE)
    """Debt to income as a fraction; 0.5 is 50 %, sane up to 10."""
    report_date: date | None = field(T.DATE, privacy=SENSITIVE)
    report: str | None = field(T.TEXT, privacy=SENSITIVE, check=Check(longest=2000))
    report_document: int | None = field(T.REF, refers="document", imported=False)
    consent: str | None = field(T.TEXT, imported=False)
    enquiries: int | None = field(T.INTEGER, privacy=SENSITIVE, check=Check(least=0, most=10000))
    blacklist: bool | None = field(T.YES_NO, privacy=SENSITIVE)
    extra: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))


@frozen(kw_only=True)
class FollowUp(Entity):
    """Who spoke with the customer, and what comes next. Append-only: a correction points to the old one."""

    KIND: ClassVar[str] = "follow_up"

    customer_id: int = field(T.REF, refers="customer", imported=False, default=0)
    loan_id: int | None = field(T.REF, refers="loan", imported=False)
    time: datetime | None = field(T.TIME)
    content: str = field(T.TEXT, privacy=PERSONAL, check=Check(longest=2000), default="")
    staff: str | None = field(T.TEXT, check=Check(longest=40))
    channel: str | None = field(T.CHOICE, choices="channel")
    result: str | None = field(T.TEXT, check=Check(longest=200))
    next_plan: str | None = field(T.TEXT, check=Check(longest=500))
    next_time: datetime | None = field(T.TIME)
    promise_date: date | None = field(T.DATE)
    promise_amount: int | None = field(T.MONEY, check=NOT_NEGATIVE)
    corrects: int | None = field(T.REF, refers="follow_up", imported=False)


@frozen(kw_only=True)
class Document(Entity):
    """A paper or picture, sealed in the home's `documents` folder under its digest."""

    KIND: ClassVar[str] = "document"

    customer_id: int | None = field(T.REF, refers="customer", imported=False)
    loan_id: int | None = field(T.REF, refers="loan", imported=False)
    digest: str = field(T.TEXT, imported=False, default="")
    name: str = field(T.TEXT, privacy=PERSONAL, imported=False, default="")
    purpose: str | None = field(T.TEXT, imported=False)
    size: int = field(T.INTEGER, imported=False, default=0)


@frozen(kw_only=True)
class Collateral(Entity):
    """What secures a loan 押品, with its valuation."""

    KIND: ClassVar[str] = "collateral"

    loan_id: int = field(T.REF, refers="loan", imported=False, default=0)
    name: str | None = field(T.TEXT, check=Check(longest=200))
    value: int | None = field(T.MONEY, check=NOT_NEGATIVE)
    valued_on: date | None = field(T.DATE)
    insured_until: date | None = field(T.DATE)
