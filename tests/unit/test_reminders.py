"""Reminders: who is reminded when, of what, in which words, and that nobody is reminded twice or in vain."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loanhub import texts
from loanhub.acts import Offered
from loanhub.entities import Customer, Entity, FollowUp, Loan, Message
from loanhub.errors import Misconfigured
from loanhub.kinds import Channel, Delivery, Letter
from loanhub.records import Query
from loanhub.services.reminders.acts import LIST, PLAN, ListReminders, PlanReminders
from loanhub.services.reminders.job import send_all
from loanhub.services.reminders.lease import DELIVERED, LEASE, Delivered, Lease, Leased
from loanhub.services.reminders.letters import salutation
from loanhub.services.reminders.plan import Book, keys_of, plan
from loanhub.services.reminders.timetable import timetable
from loanhub.services.reminders.words import explain
from loanhub.settings import default
from tests.books import ListBooks

DUE = date(2026, 3, 20)
TABLE = timetable(default("reminders.toml"))
PUNCTUAL = attrs.evolve(TABLE, catch_up=0)
ADDRESS = "样例市样例区样例路1号"


def loan(id: int = 1, customer_id: int = 1, **facts: Any) -> Loan:
    usual = {"loan_no": f"JJ2026000{id}", "amount": 10_000_000, "instalment": 106_145, "status": "active"}
    return Loan(id=id, customer_id=customer_id, **usual | {"next_due_date": DUE} | facts)


def late(id: int = 1, days: int = 1, **facts: Any) -> Loan:
    """A loan that the sheet of the due date's morrow, or of the day given, says is overdue."""
    stated = facts.pop("stated_on", DUE + timedelta(days=days))
    return loan(id, next_due_date=None, overdue_days=(stated - DUE).days, stated_on=stated, **facts)


def planned(
    *entities: Entity, on: date, table: Any = PUNCTUAL, known: set[str] | None = None
) -> list[Message]:
    books = ListBooks(*entities, today=on)
    book = Book(books.columns(Query("loan")), books.columns(Query("follow_up")))
    return plan(book, on, table, known or set())


def day(offset: int) -> date:
    return DUE + timedelta(days=offset)


# -- When ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-3, -1, 0])
def test_a_due_date_is_reminded_of_on_its_days(offset: int) -> None:
    (message,) = planned(loan(), on=day(offset))
    assert (message.channel, message.loan_id, message.due_date) == ("letter", 1, DUE)
    assert message.facts["class"] == "notice"
    assert message.facts["items"][0]["offset"] == offset


def test_on_other_days_nobody_is_reminded() -> None:
    quiet = [o for o in range(-12, 0) if o not in (-3, -1)]
    assert all(planned(loan(), on=day(offset)) == [] for offset in quiet)


@pytest.mark.parametrize("facts", [{"amount": 50_000_000}, {"method": "bullet"}])
def test_large_loans_and_those_repaid_at_once_are_reminded_a_week_before(facts: dict[str, Any]) -> None:
    assert len(planned(loan(**facts), on=day(-7))) == 1
    assert planned(loan(amount=49_999_999), on=day(-7)) == []


def test_a_loan_repaid_at_once_is_due_when_it_matures() -> None:
    at_once = loan(next_due_date=None, maturity_date=DUE, method="bullet")
    classes = {m.facts["class"] for m in planned(at_once, on=day(-7))}
    assert classes == {"notice", "maturity"}


@pytest.mark.parametrize(
    ("offset", "text_class", "channel", "template"),
    [
        (1, "overdue", "letter", "overdue"),
        (3, "collection", "inbox", "call"),
        (7, "collection", "letter", "collection"),
        (15, "collection", "inbox", "visit"),
        (30, "collection", "letter", "demand"),
        (60, "collection", "letter", "demand"),
        (90, "collection", "letter", "demand"),
    ],
)
def test_an_overdue_loan_is_dunned_step_by_step(
    offset: int, text_class: str, channel: str, template: str
) -> None:
    (message,) = planned(late(), on=day(offset))
    assert (message.facts["class"], message.channel, message.template) == (text_class, channel, template)


def test_the_planned_days_are_those_of_the_worked_case() -> None:
    # Worked case REM-PLAN: due 2026-03-20 and offsets -7 to +90, day by day.
    both = [loan(1, method="bullet"), late(2)]
    seen = {
        (day(offset), item["offset"])
        for offset in range(-10, 100)
        for message in planned(*(both[:1] if offset <= 0 else both[1:]), on=day(offset))
        for item in message.facts["items"]
        if item["about"] in ("due", "overdue")
    }
    assert (
        sorted(when.isoformat() for when, _ in seen)
        == (
            "2026-03-13 2026-03-17 2026-03-19 2026-03-20 2026-03-21 2026-03-23 2026-03-27 2026-04-04 "
            "2026-04-19 2026-05-19 2026-06-18"
        ).split()
    )


@pytest.mark.parametrize("offset", [-30, -15, -7])
def test_our_own_people_hear_of_a_maturity_in_time(offset: int) -> None:
    (message,) = planned(loan(next_due_date=None, maturity_date=DUE), on=day(offset))
    assert (message.channel, message.why) == ("inbox", "remind.why.maturity")


@given(st.integers(-20, 100), st.integers(0, 5))
def test_a_day_planned_late_is_never_announced_after_it_is_past(offset: int, catch_up: int) -> None:
    table = attrs.evolve(TABLE, catch_up=catch_up)
    for message in planned(loan(), late(2), on=day(offset), table=table):
        for item in message.facts["items"]:
            assert item["about"] != "due" or date.fromisoformat(item["day"]) >= day(offset)
            assert 0 <= offset - item["offset"] <= catch_up


# -- Stop rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "facts",
    [
        {"status": "settled"},
        {"status": "written_off"},
        {"status": "approved"},
        {"status": "rejected"},
        {"status": None, "balance": 0},
    ],
)
def test_nobody_is_reminded_of_a_loan_that_is_over_or_not_paid_out(facts: dict[str, Any]) -> None:
    assert planned(loan(**facts), on=day(-3)) == []
    assert planned(late(**facts), on=day(7)) == []


def test_a_loan_whose_status_the_sheet_does_not_tell_is_reminded_of() -> None:
    assert len(planned(loan(status=None), on=day(-3))) == 1


def test_while_the_sheet_is_older_than_the_due_date_our_people_check_first() -> None:
    old = loan(stated_on=day(-10))
    (message,) = planned(old, on=day(1))
    assert (message.channel, message.template, message.why) == ("inbox", "check", "remind.why.unconfirmed")


def test_a_sheet_that_says_nothing_is_overdue_after_the_date_is_believed() -> None:
    assert planned(loan(stated_on=day(2), overdue_days=0), on=day(7)) == []


def test_overdue_days_count_from_the_day_they_were_stated() -> None:
    # 5 days overdue on the 25th: the due date was the 20th, and the 27th is a week after it.
    (message,) = planned(late(stated_on=day(5)), on=day(7))
    assert message.due_date == DUE


def test_several_loans_of_one_person_come_in_one_message() -> None:
    (message,) = planned(loan(1), loan(2, next_due_date=DUE), on=day(-3))
    assert (message.loan_id, len(message.facts["items"])) == (None, 2)
    assert len(planned(loan(1), loan(2, customer_id=2), on=day(-3))) == 2


def test_a_loan_gets_one_message_a_day_and_class_the_latest_step() -> None:
    table = attrs.evolve(TABLE, catch_up=10)
    (message,) = planned(loan(method="bullet", maturity_date=None), on=DUE, table=table)
    assert [item["offset"] for item in message.facts["items"]] == [0]


def test_a_reminder_missed_over_a_weekend_comes_late_but_once() -> None:
    (late_one,) = planned(loan(), on=day(-2), table=TABLE)
    assert late_one.facts["items"][0]["offset"] == -3
    assert planned(loan(), on=day(-2), table=TABLE, known=keys_of([late_one])) == []


def test_the_same_facts_and_day_give_the_same_messages_with_the_same_keys() -> None:
    entities = [loan(n, customer_id=1 + n % 3) for n in range(1, 9)]
    forward, backward = planned(*entities, on=day(-1)), planned(*reversed(entities), on=day(-1))
    assert forward == backward
    assert len({message.dedup for message in forward}) == len(forward)
    assert planned(loan(), on=day(-1))[0].dedup == "due:1:2026-03-20:-1:due:letter"


def test_a_loan_that_comes_later_the_same_day_does_not_repeat_the_others() -> None:
    first = planned(loan(1), loan(2), on=day(-3))
    (second,) = planned(loan(1), loan(2), loan(3), on=day(-3), known=keys_of(first))
    assert second.loan_id == 3
    assert second.dedup not in {message.dedup for message in first}


# -- Follow-ups and promises -----------------------------------------------------------------------


def moment(on: date, hour: int = 10) -> datetime:
    """An hour of a day in Shanghai (UTC+8)."""
    return datetime(on.year, on.month, on.day, hour, tzinfo=UTC) - timedelta(hours=8)


def follow_up(id: int = 1, **facts: Any) -> FollowUp:
    return FollowUp(id=id, customer_id=1, **{"time": moment(day(-5)), "next_time": moment(DUE)} | facts)


def test_a_follow_up_is_due_on_its_day_here_not_in_greenwich() -> None:
    early = follow_up(next_time=moment(DUE, 1))  # 17:00 of the day before in UTC
    assert [m.why for m in planned(early, on=DUE)] == ["remind.why.follow_up"]
    assert planned(early, on=day(-1)) == []


def test_a_follow_up_is_done_when_somebody_spoke_with_the_customer_since() -> None:
    assert planned(follow_up(), follow_up(2, time=moment(DUE, 9), next_time=None), on=DUE) == []
    before = follow_up(2, time=moment(day(-2)), next_time=None)
    assert len(planned(follow_up(), before, on=DUE)) == 1


def test_a_follow_up_that_was_corrected_counts_no_more() -> None:
    moved = follow_up(2, next_time=moment(day(9)), corrects=1)
    assert planned(follow_up(), moved, on=DUE) == []
    assert len(planned(follow_up(), moved, on=day(9))) == 1


def test_a_promise_is_looked_after_unless_its_loan_is_over() -> None:
    promise = follow_up(next_time=None, promise_date=DUE, loan_id=1)
    quiet = {"next_due_date": None}
    assert [m.why for m in planned(promise, loan(**quiet), on=DUE)] == ["remind.why.promise"]
    assert len(planned(promise, loan(**quiet), on=day(1))) == 1
    assert planned(promise, loan(status="settled"), on=DUE) == []


# -- Words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "zh", "en"),
    [
        ({"name": "王小样", "gender": "M"}, "王先生", "Mr 王"),
        ({"name": "欧阳小样", "gender": "F"}, "欧阳女士", "Ms 欧阳"),
        ({"name": "王样"}, "王先生/女士", "Mr/Ms 王"),
        ({"name": "欧阳"}, "欧先生/女士", "Mr/Ms 欧"),
        ({"name": "样提·样力", "gender": "M"}, "样提先生", "Mr 样提"),
        ({"name": "Jane Sample", "gender": "F"}, "Sample女士", "Ms Sample"),
        ({"name": "样例商贸有限公司", "customer_type": "company"}, "样例商贸有限公司", "样例商贸有限公司"),
        ({"name": "样例便民小吃店", "customer_type": "sole_trader"}, "样例便民小吃店", "样例便民小吃店"),
        ({"name": ""}, "客户", "customer"),
    ],
)
def test_people_are_addressed_by_surname_and_companies_by_their_name(
    facts: dict[str, Any], zh: str, en: str
) -> None:
    assert (salutation(Customer(**facts), "zh"), salutation(Customer(**facts), "en")) == (zh, en)


@pytest.mark.parametrize("bad", ["{name}", "{salutation.__class__}", "{0}", "{id_number}", "{}"])
def test_a_template_gets_no_other_variables(bad: str) -> None:
    values = default("reminders.toml")
    words = values["templates"]["due"] | {"text_zh": f"您好 {bad}"}
    with pytest.raises(Misconfigured, match="reminder-variable"):
        timetable(values | {"templates": values["templates"] | {"due": words}})


@pytest.mark.parametrize(
    "wrong",
    [{"about": "birthday"}, {"about": "follow_up"}, {"template": "nowhere"}],
    ids=["about nothing known", "a letter about our own work", "no such template"],
)
def test_an_occasion_that_makes_no_sense_is_a_wrong_setting(wrong: dict[str, str]) -> None:
    values = default("reminders.toml")
    with pytest.raises(Misconfigured, match="reminder-occasion"):
        timetable(values | {"occasions": [values["occasions"][0] | wrong]})


def test_every_reason_and_template_has_words_in_both_languages() -> None:
    codes = {f"remind.template.{one.template}" for one in TABLE.occasions} | {"remind.template.check"}
    assert codes <= texts.catalogue().keys()


# -- Acts and the job ------------------------------------------------------------------------------


class Postbox:
    """A channel that keeps what it is given, and fails when told so."""

    name = "letter"
    needs = ("name", "address")

    def __init__(self) -> None:
        self.got: dict[str, Letter] = {}
        self.broken = False

    def send(self, letter: Letter, *, home: Path, settings: Mapping[str, Any]) -> Delivery:
        if self.broken:
            raise ConnectionError
        self.got[letter.id] = letter
        return Delivery("sent", reference=f"{settings['today']} {letter.id}")


class House(ListBooks):
    """Books that are their own desk, with a postbox."""

    def __init__(self, *entities: Entity, today: date, **about: Any) -> None:
        self.box = Postbox()
        channels: dict[str, Channel] = {"letter": self.box}
        super().__init__(*entities, today=today, offered=Offered(channels=channels), **about)
        self.house = SimpleNamespace(
            plugins=self.plugins, settings=self.settings, home=SimpleNamespace(root=Path("home"))
        )

    def plan(self, **request: Any) -> Any:
        return self.do(PLAN, PlanReminders(**request))

    def send(self) -> list[int]:
        return [step.done for step in send_all(self)]  # type: ignore[arg-type]

    def wake(self, on: date, hour: int = 1) -> None:
        self.today, self.now = on, datetime(on.year, on.month, on.day, hour, tzinfo=UTC)

    @property
    def states(self) -> list[str]:
        return [message.state for message in self.of("message")]


WANG = Customer(id=1, name="王小样", gender="M", address=ADDRESS, mobile="13800000000")


def test_a_day_planned_twice_plans_nothing_new() -> None:
    house = House(WANG, loan(), today=day(-3))
    assert len(house.plan().reminders) == 1
    assert house.plan().reminders == ()
    assert house.states == ["pending"]


def test_a_dry_plan_shows_and_writes_nothing() -> None:
    house = House(WANG, loan(), today=day(-9))
    (shown,) = house.plan(as_of=day(-3), dry=True).reminders
    assert (shown.customer, shown.planned_for) == ("王小样", day(-3))
    assert house.states == []


def test_each_reminder_says_why_it_is_there() -> None:
    house = House(WANG, loan(), today=day(-3))
    (shown,) = house.plan().reminders
    assert explain(shown, "zh") == "2026-03-20 起有 1 笔贷款到还款日，提前 3 天提醒。"
    assert "2026-03-20" in explain(shown, "en")


@pytest.mark.parametrize("landing", [{"loan": {1}}, {"customer": {1}}])
def test_loans_of_a_batch_not_yet_stored_wait(landing: dict[str, set[int]]) -> None:
    answer = House(WANG, loan(), today=day(-3), landing=landing).plan()
    assert (answer.reminders, answer.waiting) == ((), 1)


def test_a_letter_names_surname_amount_date_loan_and_the_day_of_the_record() -> None:
    house = House(WANG, loan(stated_on=day(-8)), today=day(-3))
    house.plan()
    assert house.send() == [1]
    ((letter_id, sent),) = house.box.got.items()
    assert sent.subject == "还款提醒"
    assert sent.text.splitlines()[0] == "王先生，您好："
    assert "尾号0001的贷款，应还款日2026-03-20，应还金额1,061.45元。" in sent.text
    assert "截至2026-03-12的记录" in sent.text
    assert sent.text.endswith("样例小贷")
    assert not {"13800000000", "JJ20260001", "王小样"} & {*sent.text.split(), letter_id}
    assert house.states == ["sent"]


def test_a_letter_for_two_loans_has_a_line_for_each_still_open() -> None:
    house = House(WANG, loan(1), loan(2), loan(3), today=day(-3))
    house.plan()
    house.put([loan(2, status="settled")])
    house.send()
    (sent,) = house.box.got.values()
    assert [number in sent.text for number in ("0001", "0002", "0003")] == [True, False, True]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"status": "settled"}, "closed"),
        ({"balance": 0}, "closed"),
        ({"next_due_date": date(2026, 4, 20)}, "moved_on"),
    ],
)
def test_what_was_paid_meanwhile_is_cancelled_not_sent(change: dict[str, Any], why: str) -> None:
    house = House(WANG, loan(), today=day(-3))
    house.plan()
    house.put([loan(**change)])
    assert house.send() == []
    (message,) = house.of("message")
    assert (message.state, message.why, house.box.got) == ("cancelled", f"remind.why.{why}", {})


def test_an_overdue_notice_is_cancelled_when_a_newer_sheet_says_paid() -> None:
    house = House(WANG, late(), today=day(1))
    house.plan()
    house.put([Loan(id=1, customer_id=1, status="active", overdue_days=0)])
    assert house.send() == []
    assert house.states == ["cancelled"]


def test_without_an_address_a_message_is_held_until_there_is_one() -> None:
    house = House(attrs.evolve(WANG, address=None), loan(), today=day(-3))
    house.plan()
    house.send()
    assert house.states == ["held"]
    house.put([WANG])
    house.send()
    assert house.states == ["sent"]


def test_a_reminder_held_too_long_is_cancelled() -> None:
    house = House(attrs.evolve(WANG, address=None), late(), today=day(7))
    house.plan()
    house.send()
    house.wake(day(11))
    house.put([WANG])
    house.send()
    assert [m.why for m in house.of("message")] == ["remind.why.too_late"]


def test_work_for_our_own_people_is_listed_and_never_sent() -> None:
    house = House(WANG, follow_up(), today=DUE)
    house.plan()
    assert house.send() == []
    (shown,) = house.do(LIST, ListReminders(state="pending")).reminders
    assert (shown.channel, shown.text_class, shown.customer) == ("inbox", "follow_up", "王小样")


def test_two_senders_do_not_take_the_same_message() -> None:
    house = House(WANG, loan(), today=day(-3))
    house.plan()
    first: Leased = house.do(LEASE, Lease())
    second: Leased = house.do(LEASE, Lease())
    assert (len(first.letters), len(second.letters)) == (1, 0)


def test_a_sender_that_died_is_followed_by_one_with_the_same_letter_id() -> None:
    house = House(WANG, loan(), today=day(-3))
    house.plan()
    lost: Leased = house.do(LEASE, Lease())
    house.wake(day(-3), hour=3)  # the lease has run out
    house.send()
    assert list(house.box.got) == [lost.letters[0].letter.id]


def test_a_failed_try_is_repeated_later_a_few_times_and_then_given_up() -> None:
    house = House(WANG, loan(), today=day(-3))
    house.plan()
    house.box.broken = True
    for hour in range(2, 2 + TABLE.most_tries):
        house.wake(day(-3), hour)
        house.send()
        house.send()  # not again before its time
    (message,) = house.of("message")
    assert (message.state, message.why) == ("failed", "remind.why.failed")
    assert message.receipt == {"tries": TABLE.most_tries, "reason": "ConnectionError"}


def test_a_delivery_recorded_twice_stays_sent() -> None:
    house = House(WANG, loan(), today=day(-3))
    house.plan()
    house.send()
    (before,) = house.of("message")
    assert house.do(DELIVERED, Delivered(before.id, "failed", reason="late news")) == "sent"
    assert house.of("message") == [before]


def test_the_queue_is_gone_through_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loanhub.services.reminders.lease.PAGE", 3)
    customers = [attrs.evolve(WANG, id=n, address=ADDRESS if n % 2 else None) for n in range(1, 9)]
    house = House(*customers, *(loan(n, customer_id=n) for n in range(1, 9)), today=day(-3))
    house.plan()
    assert house.send() == [1, 2, 3, 4]
    assert sorted(house.states) == ["held"] * 4 + ["sent"] * 4


def test_reminders_of_a_day_to_come_are_not_sent_before_it() -> None:
    house = House(WANG, loan(), today=day(-9))
    house.plan(as_of=day(-3))
    assert house.send() == []
    house.wake(day(-3))
    assert house.send() == [1]


def test_a_list_tells_whether_there_are_more_and_shows_the_newest_first() -> None:
    customers = [attrs.evolve(WANG, id=n) for n in range(1, 4)]
    house = House(*customers, *(loan(n, customer_id=n) for n in range(1, 4)), today=day(-3))
    house.plan()
    answer = house.do(LIST, ListReminders(limit=2))
    assert ([shown.id for shown in answer.reminders], answer.more) == ([3, 2], True)
    assert house.do(LIST, ListReminders(state="sent")).reminders == ()
