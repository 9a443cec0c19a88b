"""One file in the home's folder `plugins` is a plugin: docs/writing-a-plugin.md, done as it says."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from loanhub.acts import Act, Books, Facts
from loanhub.entities import Customer, Loan, Message, Rating
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.records import Query
from loanhub.services.ratings.acts import ASSESS, Assess
from loanhub.services.reminders.acts import PLAN, PlanReminders
from loanhub.services.reminders.job import send_all
from tests import pages
from tests.flows.conftest import Clock, Office

PAGE = "docs/writing-a-plugin.md"


@pytest.fixture
def office_with(tmp_path: Path) -> Iterator[Callable[..., Office]]:
    """A home with these files (plugins, or the settings `loanhub` and `reminders`), opened anew."""
    clock, secret = Clock(datetime(2026, 6, 30, 4, 0, tzinfo=UTC)), Secret("correct horse")
    values = {"institution": "Riverside", "lang": "en"}
    house, _ = Institution.create(tmp_path / "home", secret, values, clock=clock)
    house.close()
    opened: list[Institution] = []

    def open_with(**files: str) -> Office:
        for name, text in files.items():
            own = f"{name}.toml" if name in ("loanhub", "reminders") else f"plugins/{name}.py"
            (tmp_path / "home" / Path(own)).write_text(text, encoding="utf-8")
        opened.append(Institution.open(tmp_path / "home", unlock=lambda: secret, clock=clock))
        return Office(opened[-1], clock, "en", tmp_path)

    yield open_with
    for one in opened:
        one.close()


def borrower(office: Office, **loan: Any) -> None:
    """A customer five months in the job who owes 800,000, put by hand."""
    about: dict[str, Any] = {"amount": 80_000_000, "balance": 80_000_000, "status": "active", **loan}
    puts = (
        Customer(id=1, name="Zhang San", monthly_income=9_000_000, employed_since=_day("2026-01-10")),
        Loan(id=1, customer_id=1, loan_no="L-001", stated_on=_day("2026-06-30"), **about),
    )
    act: Any = Act("customer.borrower", object, "customer.write", lambda *_: Facts(None, puts))
    office.house.desk().do(act, object())


def _day(text: str) -> Any:
    return datetime.fromisoformat(text).date()


def state(office: Office, name: str) -> tuple[str, str]:
    """State and reason of a plugin."""
    found = office.house.plugins.found[name]
    return found.state, found.reason


def rate(office: Office) -> Rating:
    """Customer 1 rated, as it is kept."""
    desk = office.house.desk()
    desk.do(ASSESS, Assess((1,)))
    read: Any = Act("rating.all", object, "rating.read", _ratings, writes=False, hidden=True)
    ratings: list[Rating] = desk.do(read, object())
    return ratings[-1]


def _ratings(books: Books, _: object) -> Facts[list[Any]]:
    return Facts(list(books.find(Query(Rating.KIND))))


# -- a rule ----------------------------------------------------------------------------------------


def test_the_rule_of_the_page_is_the_one_that_comes_with_loanhub() -> None:
    assert pages.file_in(PAGE, "house.py") == pages.text_of("config/house.py")


def test_a_rule_in_one_file_caps_the_grade_and_says_why(office_with: Callable[..., Office]) -> None:
    office = office_with(house=pages.file_in(PAGE, "house.py"))
    assert state(office, "house") == ("ok", "")
    borrower(office)
    cap = next(one for one in rate(office).outcomes if one["rule"] == "house-large")
    assert (cap["status"], cap["grade"], cap["reason"]) == ("cap", "B", "R-HOUSE-01")


def test_the_cap_decides_the_grade_where_another_rule_says_better(office_with: Callable[..., Office]) -> None:
    better = (
        "from loanhub import Outcome, hookimpl, rule\n"
        "@rule(id='house-better', version='1', features=('principal',))\n"
        "def better(view): return Outcome.of('AA')\n"
        "@hookimpl\n"
        "def rules(): return [better]\n"
    )
    only_ours = "[plugins]\ndisabled = ['loanhub_rule_policy']\n"
    office = office_with(house=pages.file_in(PAGE, "house.py"), better=better, loanhub=only_ours)
    borrower(office)
    assert rate(office).grade == "B"


# -- a plugin that is wrong ------------------------------------------------------------------------


def test_a_broken_plugin_file_is_named_and_off_and_the_rest_works(office_with: Callable[..., Office]) -> None:
    broken = "import no_such_package\n"
    office = office_with(broken=broken, house=pages.file_in(PAGE, "house.py"))
    assert state(office, "broken")[0] == "failed"
    assert "no_such_package" in state(office, "broken")[1]
    assert state(office, "house")[0] == "ok"
    borrower(office)
    assert any(one["rule"] == "house-large" for one in rate(office).outcomes)


def test_a_misspelt_hook_is_named_not_ignored(office_with: Callable[..., Office]) -> None:
    misspelt = pages.file_in(PAGE, "house.py").replace("def rules()", "def rule_s()")
    office = office_with(house=misspelt)
    assert state(office, "house") == ("failed", "ValueError: no such hook: rule_s")
    assert all(rule.meta.id != "house-large" for rule in office.house.plugins.rules)


def test_a_rule_that_breaks_is_recorded_and_the_others_count(office_with: Callable[..., Office]) -> None:
    breaking = pages.file_in(PAGE, "house.py").replace("return None", "return view.nothing_of_the_kind")
    office = office_with(house=breaking)
    borrower(office, amount=100_000, balance=100_000)
    found = rate(office).outcomes
    assert [one["error"] for one in found if one["status"] == "failed"] == ["AttributeError"]
    assert len(found) > 1


# -- a format and a channel ------------------------------------------------------------------------


def test_a_format_in_one_file_brings_its_sheets_in_like_all_others(
    office_with: Callable[..., Office], tmp_path: Path
) -> None:
    office = office_with(packed=pages.file_in(PAGE, "packed.py"))
    path = tmp_path / "customers.txt.gz"
    path.write_bytes(gzip.compress(b"Borrower|Mobile\nZhang San|13800000001\nLi Si|1380\n"))
    batch = office.ingest(path)
    assert (batch.status, batch.stored, batch.rejected) == ("stored", 1, 1)
    assert batch.decisions["format"] == "packed"
    assert office.problems(batch)["row"].to_list() == [3]
    assert office.rows("customer")["name"].to_list() == ["Zhang San"]


def test_a_channel_in_one_file_carries_the_reminders_it_is_told_to(
    office_with: Callable[..., Office], tmp_path: Path
) -> None:
    office = office_with(
        slips=pages.file_in(PAGE, "slips.py"), reminders=pages.file_in(PAGE, "reminders.toml")
    )
    borrower(office, next_due_date=_day("2026-07-03"), instalment=7_100_000)
    desk = office.house.desk()
    desk.do(PLAN, PlanReminders())
    assert len(list(send_all(desk))) == 1
    (slip,) = (tmp_path / "home" / "letters" / "slips").iterdir()
    assert slip.read_text(encoding="utf-8").startswith("Zhang San\n")
    with office.house.store.reading() as tx:
        assert [one["state"] for one in tx.find(Query(Message.KIND))] == ["sent"]
