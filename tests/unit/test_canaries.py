"""Canaries: values that stand nowhere else in every field of a customer; every role, every way out.

What a role's words say is masked or hidden must be in no answer, table, JSON or export.

A new act needs a line in ASKED, a new step one in STEPS: an act nobody thought of here fails the first test.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from attrs import frozen
from rich.console import Console

from loanhub import money
from loanhub.accounts import principal_of, roles_of
from loanhub.acts import Act, Facts
from loanhub.cli.plain import plain
from loanhub.cli.showing import Reader
from loanhub.desk import Desk
from loanhub.entities import KINDS, Account, Batch, Entity, Message, Pending, Rating
from loanhub.errors import LoanHubError, NotAllowed, NotFound
from loanhub.fields import Field, FieldType, fields_of
from loanhub.home import FOLDERS, Home
from loanhub.institution import Institution
from loanhub.keys import Keyring, Secret
from loanhub.policy import SHUT, Level, Principal, Sight, View
from loanhub.services.accounts import people as accounts
from loanhub.services.intake import acts as batches
from loanhub.services.intake.undo import Undo
from loanhub.services.loans.listing import ListLoans
from loanhub.services.loans.show import ShowLoan
from loanhub.services.office import approvals, auditing, documents
from loanhub.services.people import credit, duplicates, edit, find, followups, merge, show, unmerge
from loanhub.services.ratings.acts import Assess
from loanhub.services.reminders.acts import ListReminders, PlanReminders
from loanhub.services.reminders.recovering import Confirm
from loanhub.services.sheets.asking import Export
from loanhub.services.sheets.asking import acts as exports
from loanhub.services.sheets.export import Exporting
from loanhub.services.sheets.kinds import SHEETS
from loanhub.settings import write
from loanhub.words import Words

CHEAP = {"memory_kib": 8, "time": 1, "lanes": 1}
HOUSE = Secret("三只纸船")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
MINE, TWIN, OTHERS = 1, 2, 3
"""Ids: a customer of 李四's, one that looks the same, and one of somebody else's."""
ROLES = ("officer", "supervisor", "risk", "approver", "finance", "collector", "auditor", "admin")
OWN = {"officer", "supervisor", "collector"}
"""Roles that work with some customers only."""


@frozen
class Clock:
    def now(self) -> datetime:
        return NOON


# -- canaries --------------------------------------------------------------------------------------------


@frozen
class Canary:
    """A value planted in a field of a customer's records, and the texts by which it would be seen."""

    path: str
    customer: int
    value: Any
    texts: tuple[str, ...]


T = FieldType
LEFT = {"customer.manager", "customer.name", "relation.role", "loan.status", "loan.live", "credit.blacklist"}
"""Fields that hold what the house needs to work, or too few values for a canary; names have their own."""


def planted(about: Field, customer: int, n: int) -> Canary | None:
    """The canary of a field; None where there can be none."""
    number = f"{customer}{n:03}"
    whole = 880_000_000 + int(number)
    said: dict[FieldType, Any] = {
        T.RESIDENT_ID: f"1199991988{number}88",
        T.MOBILE: f"1388888{number}",
        T.PHONE: f"1399999{number}",
        T.CARD: f"622700888888{number}",
        T.EMAIL: f"canary{number}@example.com",
        T.ADDRESS: f"安平市清和区雀{number}号",
        T.NAME: f"钱雀{number}",
        T.MONEY: whole,
        T.INTEGER: whole,
        T.TERM: whole,
        T.RATE: Decimal(whole) / 10**8,
        T.RATIO: Decimal(whole) / 10**8,
        T.DATE: date(1700, 1, 1) + timedelta(days=int(number)),
        T.TIME: datetime(1700, 1, 1, tzinfo=UTC) + timedelta(days=int(number)),
    }
    if about.path in LEFT or about.type in (T.REF, T.JSON, T.BYTES, T.YES_NO):
        return None
    value = said.get(about.type, f"canary-{number}-")
    texts = {str(value)}
    if about.type is T.MONEY:
        texts.add(money.yuan(value))
    if about.type in (T.RATE, T.RATIO):
        texts |= {f"{(value * 100).normalize():f}%", str(whole)}
    if isinstance(value, date):
        texts = {value.strftime("%Y-%m-%d") if value.year > 999 else str(value)[:10]}
    return Canary(about.path, customer, value, tuple(texts))


BUSINESS = (
    "customer",
    "relation",
    "loan",
    "instalment",
    "receipt",
    "credit",
    "follow_up",
    "document",
    "collateral",
)


def canaries(customer: int) -> dict[str, Canary]:
    """All of one customer, by path."""
    fields = [about for kind in BUSINESS for about in fields_of(KINDS[kind]).values()]
    found = [planted(about, customer, n) for n, about in enumerate(fields)]
    name = Canary("customer.name", customer, f"孙雀名{customer}", (f"雀名{customer}",))
    return {one.path: one for one in (name, *found) if one is not None}


def records(customer: int, manager: str) -> list[Entity]:
    """A customer and one record of every kind that hangs on one, full of canaries."""
    known = canaries(customer)
    links = {"id": customer, "customer_id": customer, "loan_id": customer}
    held = {"manager": manager, "role": "spouse", "status": "normal", "live": False, "blacklist": True}
    made: list[Entity] = []
    for kind in BUSINESS:
        names = {a.name for a in attrs.fields(KINDS[kind])}
        values = {path.split(".")[1]: one.value for path, one in known.items() if path.split(".")[0] == kind}
        if kind == "customer" and customer == TWIN:
            values["bank_card"] = canaries(MINE)["customer.bank_card"].value
        more = {name: value for name, value in {**links, **held}.items() if name in names}
        made.append(KINDS[kind](**{**values, **more}))
    return [*made, *house_records(customer, known)]


def house_records(customer: int, known: Mapping[str, Canary]) -> Iterator[Entity]:
    """What the house itself keeps of the customer: a rating, a reminder, a change that waits."""
    yield Rating(
        id=customer,
        customer_id=customer,
        as_of=NOON.date(),
        grade=f"canary-grade-{customer}-",
        status="graded",
        outcomes=[{"rule": "r", "reason": f"canary-outcome-{customer}-", "status": "ok", "error": ""}],
        inputs={"said": f"canary-input-{customer}-"},
    )
    yield Message(
        id=customer,
        customer_id=customer,
        loan_id=customer,
        template="due",
        channel="inbox",
        dedup=f"d{customer}",
        planned_for=NOON.date(),
        why="remind.why.due",
    )
    wish = {
        "mobile": f"1377777{customer}000",
        "name": f"周雀新{customer}",
        "level": f"canary-level-{customer}-",
    }
    yield Pending(
        id=customer,
        act=approvals.CHANGE,
        about_kind="customer",
        about_id=customer,
        request=wish,
        digest=hashlib.sha256(
            json.dumps(["customer", customer, wish], ensure_ascii=False, sort_keys=True).encode()
        ).hexdigest(),
        maker="somebody",
        asked=NOON,
    )


def all_canaries(customer: int) -> list[Canary]:
    """Those of the records, and those of what the house keeps."""

    def beside(path: str, text: str) -> Canary:
        return Canary(path, customer, text, (text,))

    return [
        *canaries(customer).values(),
        beside("rating.grade", f"canary-grade-{customer}-"),
        beside("rating.outcomes", f"canary-outcome-{customer}-"),
        beside("rating.inputs", f"canary-input-{customer}-"),
        beside("customer.mobile", f"1377777{customer}000"),
        beside("customer.name", f"雀新{customer}"),
        beside("customer.level", f"canary-level-{customer}-"),
    ]


# -- the house -------------------------------------------------------------------------------------------


@frozen
class Wanted:
    """What is planted."""

    puts: tuple[Entity, ...] = ()


PLANT = Act("test.plant", Wanted, "*", lambda _, asked: Facts(None, asked.puts), confirms=True)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    root = tmp_path_factory.mktemp("canaries") / "home"
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    Keyring.create(Home(root).keyring, HOUSE, parameters=CHEAP)
    write(Home(root), {"institution": "示范小贷", "lang": "zh"})
    with Institution.open(root, unlock=lambda: HOUSE, clock=Clock()) as house:
        staff = [
            Account(id=n, login=role, name="李四" if role in OWN else role, roles=[role], state="active")
            for n, role in enumerate(ROLES, 1)
        ]
        file = [
            Batch(id=1, name="mine.xlsx", owner="李四", status="stored"),
            Batch(id=2, name="canary-file.xlsx", owner="王伟", status="stored"),
        ]
        people = [*records(MINE, "李四"), *records(TWIN, "李四"), *records(OTHERS, "王伟")]
        house.system_desk("test").do(PLANT, Wanted((*staff, *file, *people)))
        yield house


POSTS: Mapping[str, Sight] = {
    "sees-nothing": SHUT,
    "sees-masks": Sight(otherwise=Level.MASK),
}
"""Posts that may ask everything, so that every act answers somebody to whom it must not tell."""


def principal(house: Institution, role: str) -> Principal:
    if role in POSTS:
        return Principal(role, role, frozenset({"*"}), via="cli", sees=POSTS[role])
    name = "李四" if role in OWN else role
    with house.store.reading() as tx:
        account = Account(id=ROLES.index(role) + 1, login=role, name=name, roles=[role])
        return principal_of(house, tx, account, via="cli")


def printed(house: Institution, answer: Any) -> str:
    """An answer as programs and people get it."""
    out = io.StringIO()
    words = Words.of(house.home, house.settings, house.dictionary)
    for lang in ("zh", "en"):
        console = Console(file=out, width=4_000, highlight=False, markup=False, emoji=False)
        Reader(words, lang, house.zone).show(console, answer)
    return f"{json.dumps(plain(answer), ensure_ascii=False)}\n{out.getvalue()}"


# -- what is asked ---------------------------------------------------------------------------------------

NAME = "孙雀名1"
ASKED: Mapping[str, tuple[Any, ...]] = {
    "approvals.approve": (approvals.Approve(MINE), approvals.Approve(OTHERS)),
    "approvals.list": (approvals.ListApprovals(),),
    "approvals.reject": (approvals.Reject(MINE, "nein"), approvals.Reject(OTHERS, "nein")),
    "approvals.show": (approvals.ShowApproval(MINE), approvals.ShowApproval(OTHERS)),
    "assess": (Assess((MINE,)), Assess((OTHERS,)), Assess()),
    "audit.checkpoint": (auditing.MakeCheckpoint(),),
    "audit.list": (auditing.ListLines(),),
    "audit.prove": (auditing.ProveLine(1),),
    "audit.verify": (auditing.VerifyLog(),),
    "batches.list": (batches.BatchList(),),
    "batches.original": (batches.Original(2, reason="x"),),
    "batches.show": (batches.BatchShow(1), batches.BatchShow(2)),
    "batches.undo": (Undo(2, "x"),),
    "credit.add": (credit.AddCredit(MINE, grade="A"), credit.AddCredit(OTHERS, grade="A")),
    "credit.show": (credit.ShowCredit(MINE), credit.ShowCredit(OTHERS)),
    "customer.add": (edit.AddCustomer("吴新", id_number=None),),
    "customer.compare": (merge.CompareCustomers(MINE, TWIN), merge.CompareCustomers(MINE, OTHERS)),
    "customer.duplicates": (duplicates.FindDuplicates(),),
    "customer.edit": (edit.EditCustomer(MINE, ("remark=x",)), edit.EditCustomer(OTHERS, ("remark=x",))),
    "customer.merge": (merge.MergeCustomers(MINE, TWIN, "x"),),
    "customer.merged": (unmerge.MergedCustomer(MINE), unmerge.MergedCustomer(OTHERS)),
    "customer.reveal": (),
    "customer.show": (show.ShowCustomer(MINE), show.ShowCustomer(OTHERS)),
    "customer.unmerge": (unmerge.UnmergeCustomer(MINE, "x"),),
    "document.list": (documents.ListDocuments(), documents.ListDocuments(customer=OTHERS)),
    "find": tuple(
        find.Find(text)
        for one in (canaries(MINE), canaries(OTHERS))
        for text in (
            one["customer.name"].value,
            one["customer.name"].value[:2],
            one["customer.mobile"].value,
            one["customer.id_number"].value,
            one["customer.bank_card"].value[-4:],
            one["customer.address"].value[:6],
            one["loan.loan_no"].value,
        )
    ),
    "followup.add": (followups.AddFollowUp("hello", customer=MINE), followups.AddFollowUp("x", loan=OTHERS)),
    "followup.list": (followups.ListFollowUps(), followups.ListFollowUps(due="2026-03-02")),
    "loan.list": (ListLoans(), ListLoans(overdue=True), ListLoans(due_before="2026-03-02")),
    "loan.show": (ShowLoan("#1"), ShowLoan("#3")),
    "mapping.list": (batches.MappingList(),),
    "mapping.set": (batches.MappingSet(1, ("a=customer.name",)), batches.MappingSet(2, ("a=customer.name",))),
    "mapping.show": (batches.MappingShow(1), batches.MappingShow(2)),
    "remind.confirm": (Confirm(channel="inbox", sent=True),),
    "remind.list": (ListReminders(),),
    "remind.plan": (PlanReminders(),),
    "users.add": (accounts.AddUser("neu", "吴新", ("officer",)),),
    "users.list": (accounts.ListUsers(all=True),),
    "users.move": (accounts.MoveUser("officer", ("officer",)),),
    "users.offboard": (accounts.Offboard("officer", to="collector"),),
    "users.reset": (accounts.ResetUser("officer"),),
}
"""What is asked of each act that has a command; reveals are asked for field by field, below."""
STEPS = frozenset(
    """batch.claim batch.finish batch.index batch.land batch.made batch.one batch.plan batch.problems
    batch.refuse batch.said batch.so_far batch.unfinished batch.waiting mapping.recall mapping.remember
    document.add document.open login.done login.failed logout password.changed sign_in.seen
    rating.assess_chunk reindex.begin reindex.part remind.delivered remind.lease remind.recover resume
    template.outline""".split()
)
"""Steps of jobs: what they answer is the job's, and what the job hands out is looked at by itself."""


def test_every_act_is_asked_here_or_is_a_step_of_a_job(house: Institution) -> None:
    acts = house.plugins.acts
    assert {name for name, act in acts.items() if not act.hidden} == set(ASKED)
    assert {name for name, act in acts.items() if act.hidden} - set(exports()) <= STEPS


def test_the_roles_looked_at_are_those_there_are(house: Institution) -> None:
    assert set(roles_of(house)) == set(ROLES)


def leaks(house: Institution, who: Principal, text: str) -> set[str]:
    """Paths of canaries in a text that the principal may not see, or not of this customer."""
    view = View(who, house.dictionary)
    found = {
        one.path
        for customer in (MINE, TWIN, OTHERS)
        for one in all_canaries(customer)
        if any(part in text for part in one.texts) and (view.level(one.path) is not Level.SHOW)
    }
    if not who.scope.everything:
        found |= {
            f"{one.path} of another's" for one in all_canaries(OTHERS) if any(p in text for p in one.texts)
        }
        found |= {"the file of another"} if "canary-file" in text else set()
    return found


def asked(house: Institution, who: Principal, name: str) -> Iterator[str]:
    act = house.plugins.acts[name]
    for request in ASKED[name]:
        try:
            answer = house.desk(who).do(act, request, preview=True)
        except LoanHubError as refused:
            yield f"{refused}\n{refused.code} {refused.facts}"
        else:
            yield printed(house, answer)


@pytest.mark.parametrize("role", [*ROLES, *POSTS])
@pytest.mark.parametrize("name", sorted(ASKED))
def test_no_answer_tells_what_the_role_may_not_see(house: Institution, role: str, name: str) -> None:
    who = principal(house, role)
    for text in asked(house, who, name):
        assert not leaks(house, who, text), text[:3_000]


@pytest.mark.parametrize("role", ROLES)
def test_who_may_look_at_a_customer_or_loan_can(house: Institution, role: str) -> None:
    """A role that is refused whatever it asks would leak nothing, either."""
    who = principal(house, role)
    for name in ("customer.show", "loan.show", "loan.list", "remind.list", "approvals.list", "batches.list"):
        if who.may(house.plugins.acts[name].needs):
            house.desk(who).do(house.plugins.acts[name], ASKED[name][0])


def test_the_host_without_accounts_sees_every_canary_but_what_is_masked(house: Institution) -> None:
    """The texts looked for are those that answers have: a canary that is never seen would hold nothing."""
    who = Principal("host", "host-operator", frozenset({"*"}))
    text = "".join(part for name in ASKED for part in asked(house, who, name))
    view = View(who, house.dictionary)
    shown = [one for one in all_canaries(MINE) if view.level(one.path) is Level.SHOW]
    missing = {one.path for one in shown if not any(part in text for part in one.texts)}
    assert missing == {"rating.inputs"}, "no act shows what a rating rests on"
    assert not leaks(house, who, text)


# -- reveals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_in_plain_comes_only_what_the_role_may_reveal(house: Institution, role: str) -> None:
    who, reveal = principal(house, role), house.plugins.acts["customer.reveal"]
    for name in ("id_number", "mobile", "bank_card", "monthly_income", "relation.phone"):
        path = name if "." in name else f"customer.{name}"
        may = who.may("customer.reveal") and (
            path in who.reveals or View(who, house.dictionary).level(path) is Level.SHOW
        )
        try:
            text = printed(house, house.desk(who).do(reveal, show.RevealCustomer(MINE, (name,), "x")))
        except NotAllowed:
            assert not may, path
        else:
            assert may, path
            assert any(part in text for part in canaries(MINE)[path].texts)
        if not who.scope.everything and who.may("customer.reveal"):
            with pytest.raises((NotFound, NotAllowed)):
                house.desk(who).do(reveal, show.RevealCustomer(OTHERS, (name,), "x"))


# -- exports ---------------------------------------------------------------------------------------------


def exported(house: Institution, who: Principal, asked: Export, folder: Path) -> str:
    """The words of an export, or what refused it."""
    target = folder / f"{who.name}-{asked.sheet}-{asked.plain}.csv"
    work = Exporting(house, Desk(house, who), "zh", asked, target)
    try:
        list(work.run())
    except NotAllowed as refused:
        return refused.code
    return target.read_text("utf-8-sig") + str(work.done)


@pytest.mark.parametrize("role", [*ROLES, *POSTS])
@pytest.mark.parametrize("sheet", sorted(SHEETS))
def test_no_export_tells_what_the_role_may_not_see(
    house: Institution, role: str, sheet: str, tmp_path: Path
) -> None:
    who = principal(house, role)
    for plain_ in (False, True):
        text = exported(house, who, Export(sheet, plain=plain_, reason="x"), tmp_path)
        revealed = who.reveals if plain_ else frozenset[str]()
        assert leaks(house, who, text) <= revealed, text[:2_000]
        may = who.may("export.read") and who.may(f"{SHEETS[sheet].kind}.read")
        assert (text == "not-allowed") == (not may or (plain_ and not who.may("customer.reveal")))


def test_no_export_is_asked_by_a_field_that_is_not_shown(house: Institution, tmp_path: Path) -> None:
    """How many rows come back tells of the value."""
    who = principal(house, "finance")
    for path in ("customer.monthly_income", "customer.address", "customer.mobile", "loan.purpose"):
        asked = Export("loans", {path: "1"})
        assert exported(house, who, asked, tmp_path) == "field-not-yours", path
        asked = Export("loans", columns=(path,))
        assert exported(house, who, asked, tmp_path) == "field-not-yours", path


# -- questions -------------------------------------------------------------------------------------------


def test_nobody_is_found_by_a_field_that_is_hidden_or_by_a_part_of_a_masked_one(house: Institution) -> None:
    known, act = canaries(MINE), house.plugins.acts["find"]
    admin = house.desk(principal(house, "admin"))
    assert known["customer.name"].value == NAME
    for text in (NAME, NAME[:2], "孙雀", known["customer.address"].value[:6]):
        assert admin.do(act, find.Find(text)).results == ()
    officer = house.desk(principal(house, "officer"))
    assert officer.do(act, find.Find(NAME)).results


# -- a second person -------------------------------------------------------------------------------------


def test_what_waits_about_others_customers_is_not_there(house: Institution) -> None:
    boss = house.desk(principal(house, "supervisor"))
    listed = boss.do(house.plugins.acts["approvals.list"], approvals.ListApprovals())
    assert {one.record for one in listed.approvals} == {MINE, TWIN}
    for name in ("approvals.show", "approvals.approve", "approvals.reject"):
        with pytest.raises(NotFound, match="approval-unknown"):
            boss.do(house.plugins.acts[name], ASKED[name][1], preview=True)
