"""What the institution knows: frozen records whose attributes carry their `Field`.

People and their business first (Customer, Relation, Loan, Instalment, Receipt, CreditRecord, FollowUp,
Document, Collateral), then what the house itself keeps (Batch, Statement, Layout, Pending, Rating,
Message, Sequence). Every entity has an `id` (0 until stored) and a `version` (0 until stored, then
1, 2, ... with each change). Source of the fields: DOMAIN.md section 1.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final

import attrs
from attrs import frozen

from loanhub.fields import BY_EVENT, PERSONAL, REVIEWED, SENSITIVE, Check, FieldType, field

T = FieldType
NOT_NEGATIVE = Check(least=0)
POSITIVE = Check(least=1)


@frozen(kw_only=True)
class Entity:
    """The base of all records."""

    KIND: ClassVar[str] = ""

    id: int = 0
    version: int = 0


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


@frozen(kw_only=True)
class Batch(Entity):
    """One ingested file. `sha256` names it; a row of data counts once (DESIGN.md section 6)."""

    KIND: ClassVar[str] = "batch"

    sha256: str = field(T.TEXT, imported=False, default="")
    name: str = field(T.TEXT, imported=False, default="")
    folder: str = field(T.TEXT, imported=False, default="")
    """Name of the drop folder it came through; empty for `ingest FILE`."""
    owner: str = field(T.TEXT, imported=False, default="")
    status: str = field(T.TEXT, imported=False, default="claimed")
    """claimed, landing, stored, refused, needs-mapping or undone."""
    content: str = field(T.TEXT, imported=False, default="")
    """`kind` of the plan's JSON: customers, loans, receipts, credit, followups, collateral, mixed."""
    rows: int = field(T.INTEGER, imported=False, default=0)
    stored: int = field(T.INTEGER, imported=False, default=0)
    changed: int = field(T.INTEGER, imported=False, default=0)
    unchanged: int = field(T.INTEGER, imported=False, default=0)
    conflicts: int = field(T.INTEGER, imported=False, default=0)
    rejected: int = field(T.INTEGER, imported=False, default=0)
    waiting: int = field(T.INTEGER, imported=False, default=0)
    """Changes of reviewed fields that this file asked for and that wait for confirmation."""
    warnings: int = field(T.INTEGER, imported=False, default=0)
    chunks: int = field(T.INTEGER, imported=False, default=0)
    indexed: int = field(T.INTEGER, imported=False, default=0)
    """Chunks whose search keys are built."""
    decisions: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))
    """The mapping of every sheet as decided, and notes of the reader."""
    refusal: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))
    """Code and facts when refused whole."""
    report: str = field(T.TEXT, imported=False, default="")
    received: datetime | None = field(T.TIME, imported=False)
    finished: datetime | None = field(T.TIME, imported=False)


@frozen(kw_only=True)
class Statement(Entity):
    """What one file said, a chunk of rows as columns (Arrow IPC, compressed): values by field, row
    numbers, outcomes and the records they became; and the problems found in them.
    """

    KIND: ClassVar[str] = "statement"

    batch_id: int = field(T.REF, refers="batch", imported=False, default=0)
    chunk: int = field(T.INTEGER, imported=False, default=0)
    source: str = field(T.TEXT, imported=False, default="")
    """Drop folder and header layout: the same sheet, revised, has the same source."""
    said: bytes = field(T.BYTES, imported=False, default=b"")
    problems: bytes = field(T.BYTES, imported=False, default=b"")


@frozen(kw_only=True)
class Layout(Entity):
    """A mapping remembered for a header layout."""

    KIND: ClassVar[str] = "layout"

    fingerprint: str = field(T.TEXT, imported=False, default="")
    headers: list[str] = field(T.JSON, imported=False, default=attrs.Factory(list))
    mapping: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))
    decided_by: str = field(T.TEXT, imported=False, default="")


@frozen(kw_only=True)
class Pending(Entity):
    """A change that waits for a person: which field of which record, from what to what, who asked."""

    KIND: ClassVar[str] = "pending"

    act: str = field(T.TEXT, imported=False, default="")
    about_kind: str = field(T.TEXT, imported=False, default="")
    about_id: int = field(T.INTEGER, imported=False, default=0)
    request: dict[str, Any] = field(T.JSON, privacy=SENSITIVE, imported=False, default=attrs.Factory(dict))
    digest: str = field(T.TEXT, imported=False, default="")
    maker: str = field(T.TEXT, imported=False, default="")
    asked: datetime | None = field(T.TIME, imported=False)
    batch_id: int | None = field(T.REF, refers="batch", imported=False)
    state: str = field(T.TEXT, imported=False, default="waiting")
    """waiting, approved or rejected."""
    decided_by: str | None = field(T.TEXT, imported=False)
    reason: str | None = field(T.TEXT, imported=False)


@frozen(kw_only=True)
class Rating(Entity):
    """An assessment of a customer with its reasons, kept for ever; `inputs` is the snapshot it rests on."""

    KIND: ClassVar[str] = "rating"

    customer_id: int = field(T.REF, refers="customer", imported=False, default=0)
    as_of: date | None = field(T.DATE, imported=False)
    grade: str = field(T.TEXT, privacy=SENSITIVE, imported=False, default="")
    status: str = field(T.TEXT, imported=False, default="")
    """graded, refer (a person must look) or declined."""
    outcomes: list[Any] = field(T.JSON, privacy=SENSITIVE, imported=False, default=attrs.Factory(list))
    inputs: dict[str, Any] = field(T.JSON, privacy=SENSITIVE, imported=False, default=attrs.Factory(dict))
    digest: str = field(T.TEXT, imported=False, default="")


@frozen(kw_only=True)
class Message(Entity):
    """A reminder: ids and a template only; phone and words are filled in when it is sent."""

    KIND: ClassVar[str] = "message"

    dedup: str = field(T.TEXT, imported=False, default="")
    customer_id: int = field(T.REF, refers="customer", imported=False, default=0)
    loan_id: int | None = field(T.REF, refers="loan", imported=False)
    template: str = field(T.TEXT, imported=False, default="")
    channel: str = field(T.TEXT, imported=False, default="")
    due_date: date | None = field(T.DATE, imported=False)
    planned_for: date | None = field(T.DATE, imported=False)
    state: str = field(T.TEXT, imported=False, default="pending")
    """pending, sent, cancelled, held, failed, or review: sent perhaps, by a home that was lost."""
    why: str = field(T.TEXT, imported=False, default="")
    facts: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))
    lease_until: datetime | None = field(T.TIME, imported=False)
    receipt: dict[str, Any] = field(T.JSON, imported=False, default=attrs.Factory(dict))


@frozen(kw_only=True)
class Sequence(Entity):
    """The next id of each kind."""

    KIND: ClassVar[str] = "sequence"

    name: str = field(T.TEXT, imported=False, default="")
    next: int = field(T.INTEGER, imported=False, default=1)


ENTITIES: Final[tuple[type[Entity], ...]] = (
    Customer,
    Relation,
    Loan,
    Instalment,
    Receipt,
    CreditRecord,
    FollowUp,
    Document,
    Collateral,
    Batch,
    Statement,
    Layout,
    Pending,
    Rating,
    Message,
    Sequence,
)
KINDS: Final[dict[str, type[Entity]]] = {entity.KIND: entity for entity in ENTITIES}
