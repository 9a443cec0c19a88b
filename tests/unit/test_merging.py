"""One person twice: two records become one and two again, with all that belongs to them, in any order."""

from __future__ import annotations

import io
import itertools
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from rich.console import Console

from loanhub.acts import Act, Books, Facts
from loanhub.cli.showing import Reader
from loanhub.desk import Repeated
from loanhub.entities import (
    ENTITIES,
    KINDS,
    CreditRecord,
    Customer,
    Document,
    Entity,
    FollowUp,
    Loan,
    Relation,
)
from loanhub.errors import LoanHubError
from loanhub.fields import fields_of
from loanhub.identifiers import id_check_digit
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.records import Test as Condition
from loanhub.services.people import acts, duplicates, edit, find, merge, show, unmerge
from loanhub.services.people.belonging import referring
from loanhub.texts import Lang, say
from loanhub.words import Words

REFERRING = {
    ("customer", "merged_into"),
    ("relation", "customer_id"),
    ("relation", "other_id"),
    ("loan", "customer_id"),
    ("credit", "customer_id"),
    ("follow_up", "customer_id"),
    ("document", "customer_id"),
    ("rating", "customer_id"),
    ("message", "customer_id"),
}
"""Every attribute that says which customer a record is about."""


@attrs.define
class Clock:
    """A clock that moves on a second each time it is asked."""

    at: datetime = datetime(2026, 3, 17, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@attrs.define
class House:
    """A home with its desk, and what these tests ask of it."""

    institution: Institution = attrs.field(repr=False)
    numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    def do(self, act: Act[Any, Any], request: Any) -> Any:
        return self.institution.desk().do(act, request)

    def put(self, make: Callable[[int], Entity]) -> Any:
        """A new record, given its id."""

        def decide(books: Books, kind: str) -> Facts[int]:
            made = make(0)
            number = books.allot(made.KIND)
            return Facts(number, (attrs.evolve(make(number), id=number),))

        return self.do(Act("test.put", str, "customer.write", decide, confirms=True), "")

    def person(self, name: str = "", **facts: Any) -> int:
        """A new customer."""
        number: int = self.put(lambda _: Customer(name=name or f"样{next(self.numbers)}", **facts))
        return number

    def merge(self, keep: int, other: int) -> merge.Merged:
        """A merge that does what was foretold."""
        foretold = self.do(acts.COMPARE, merge.CompareCustomers(keep, other))
        done: merge.Merged = self.do(acts.MERGE, merge.MergeCustomers(keep, other, "同一人"))
        assert done == foretold
        return done

    def unmerge(self, key: int) -> unmerge.Unmerged:
        """An unmerge that does what was foretold."""
        foretold = self.do(acts.MERGED, unmerge.MergedCustomer(key))
        done: unmerge.Unmerged = self.do(acts.UNMERGE, unmerge.UnmergeCustomer(key, "两个人"))
        assert done == foretold
        return done

    def edit(self, key: int, *sets: str, clear: tuple[str, ...] = ()) -> None:
        self.do(acts.EDIT, edit.EditCustomer(key, sets, clear))

    def get(self, kind: type[Any], key: int) -> Any:
        """A record as it is now."""

        def decide(books: Books, _: str) -> Facts[Any]:
            return Facts(books.get(kind, key))

        return self.do(Act("test.get", str, "customer.read", decide, writes=False, hidden=True), "")

    def of(self, kind: type[Entity], *keys: int) -> list[Any]:
        """The records that stand on customers, in order of id."""

        def decide(books: Books, _: str) -> Facts[Any]:
            return Facts(books.listed(kind, Condition("customer_id", "in", list(keys))))

        found: list[Any] = self.do(
            Act("test.of", str, "customer.read", decide, writes=False, hidden=True), ""
        )
        return found

    def refusal(self, call: Callable[[], Any]) -> LoanHubError:
        """Why something was refused, in words; nothing was written."""
        before = self.lines()
        with pytest.raises(LoanHubError) as caught:
            call()
        assert self.lines() == before
        assert "{" not in str(say(caught.value, "zh")) + str(say(caught.value, "en"))
        return caught.value

    def lines(self) -> list[Any]:
        with self.institution.store.reading() as tx:
            return list(tx.lines())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    root: Path = tmp_path_factory.mktemp("merging") / "home"
    own = {"kind": "customer", "name": "shoe", "type": "integer", "label_zh": "鞋码", "label_en": "Shoe size"}
    wishes = {"institution": "样例小贷", "fields": {"custom": [own]}}
    home, _ = Institution.create(root, Secret("样例口令 sample"), wishes, clock=Clock())
    with home:
        yield House(home)


def number_of(sequence: int) -> str:
    first = f"11999919850612{sequence:03}"
    return first + id_check_digit(first)


# -- Everything goes, everything comes back --------------------------------------------------------


def test_who_refers_to_a_customer_is_known() -> None:
    found = {
        (entity.KIND, name)
        for entity in ENTITIES
        for name, about in fields_of(entity).items()
        if about.refers == "customer"
    }
    assert found == REFERRING
    assert found == {(e.KIND, name) for e, names in referring("customer").items() for name in names}
    named_alike = {
        (entity.KIND, attribute.name)
        for entity in ENTITIES
        for attribute in attrs.fields(entity)
        if "customer" in attribute.name and attribute.name not in ("customer_no", "customer_type")
    }
    assert named_alike <= found


@pytest.mark.parametrize(("kind", "name"), sorted(REFERRING))
def test_whatever_refers_to_a_customer_moves_with_it_and_comes_back(
    kind: str, name: str, house: House
) -> None:
    keep, other = house.person(), house.person()
    owner: dict[str, Any] = (
        {} if kind == "customer" or name == "customer_id" else {"customer_id": house.person()}
    )
    key = house.put(lambda _: KINDS[kind](**{name: other}, **owner))  # type: ignore[arg-type]
    untouched = house.get(KINDS[kind], key)
    assert house.merge(keep, other).moved == {kind: 1}
    assert getattr(house.get(KINDS[kind], key), name) == keep
    assert house.unmerge(other).back == {kind: 1}
    assert house.get(KINDS[kind], key) == attrs.evolve(untouched, version=3)


def test_a_relation_between_the_two_stands_on_both_ends(house: House) -> None:
    keep, other = house.person(), house.person()
    key = house.put(lambda _: Relation(customer_id=other, other_id=keep, role="spouse"))
    house.merge(keep, other)
    moved = house.get(Relation, key)
    assert (moved.customer_id, moved.other_id) == (keep, keep)
    house.unmerge(other)
    back = house.get(Relation, key)
    assert (back.customer_id, back.other_id) == (other, keep)


def test_receipts_and_collateral_go_with_their_loan(house: House) -> None:
    keep, other = house.person(), house.person()
    loan = house.put(lambda _: Loan(customer_id=other, loan_no="JD-1"))
    paper = house.put(lambda _: Document(loan_id=loan, name="抵押合同"))
    house.merge(keep, other)
    file = house.do(acts.SHOW, show.ShowCustomer(keep))
    assert ([one.id for one in file.loans], [one.id for one in file.documents]) == ([loan], [paper])
    house.unmerge(other)
    assert [one.id for one in house.do(acts.SHOW, show.ShowCustomer(other)).documents] == [paper]


# -- Fields ----------------------------------------------------------------------------------------


def test_what_the_kept_one_lacks_is_filled_in_and_what_differs_is_listed_masked(house: House) -> None:
    keep = house.person("李样", mobile="13800000001", extra={"shoe": 41})
    other = house.person(
        "李小样", mobile="13900000002", remark="见过", id_number=number_of(1), extra={"shoe": 42}
    )
    done = house.merge(keep, other)
    assert set(done.filled) == {"customer.remark", "customer.id_number"}
    differing = {one.field: (str(one.keep), str(one.other)) for one in done.conflicts}
    assert differing == {
        "customer.name": ("李样", "李小样"),
        "customer.mobile": ("138****0001", "139****0002"),
        "customer.shoe": ("41", "42"),
    }
    kept, merged = house.get(Customer, keep), house.get(Customer, other)
    assert (kept.mobile, kept.remark, kept.extra) == ("13800000001", "见过", {"shoe": 41})
    assert (merged.mobile, merged.merged_into) == ("13900000002", keep)


def test_what_was_filled_in_is_emptied_again_unless_it_was_changed_since(house: House) -> None:
    keep = house.person("王样", monthly_income=500_000)
    facts = {"remark": "见过", "occupation": "教师", "employer": "小学", "extra": {"shoe": 42}}
    other = house.person("王小样", id_number=number_of(2), **facts)
    house.merge(keep, other)
    house.edit(keep, "occupation=校长", "monthly_income=8千", clear=("employer",))
    done = house.unmerge(other)
    assert done.changed == ("customer.occupation",)
    assert set(done.emptied) == {"customer.remark", "customer.id_number", "customer.shoe"}
    kept, back = house.get(Customer, keep), house.get(Customer, other)
    assert (kept.remark, kept.id_number, kept.extra, kept.employer) == (None, None, {}, None)
    assert (kept.occupation, kept.monthly_income) == ("校长", 800_000)
    assert (back.name, back.id_number, back.occupation) == ("王小样", number_of(2), "教师")
    assert (back.extra, back.merged_into) == ({"shoe": 42}, None)


def test_a_look_ahead_writes_nothing(house: House) -> None:
    keep, other = house.person(), house.person(remark="见过")
    before = house.lines()
    house.do(acts.COMPARE, merge.CompareCustomers(keep, other))
    assert house.lines() == before
    house.merge(keep, other)
    before = house.lines()
    house.do(acts.MERGED, unmerge.MergedCustomer(other))
    assert house.lines() == before


def test_both_ways_stand_in_the_log_with_their_reason(house: House) -> None:
    keep, other = house.person(), house.person()
    house.merge(keep, other)
    house.unmerge(other)
    said = [(one.act, one.object, one.reason) for one in house.lines()[-2:]]
    about = f"customer:{keep} customer:{other}"
    assert said == [("customer.merge", about, "同一人"), ("customer.unmerge", about, "两个人")]


def test_asked_twice_with_one_key_it_is_done_once(house: House) -> None:
    keep, other = house.person(), house.person()
    desk = house.institution.desk()
    for act, request in (
        (acts.MERGE, merge.MergeCustomers(keep, other, "x")),
        (acts.UNMERGE, unmerge.UnmergeCustomer(other, "x")),
    ):
        key = f"{act.name}-{other}"
        desk.do(act, request, key=key)
        before = house.lines()
        assert isinstance(desk.do(act, request, key=key), Repeated)
        assert house.lines() == before


@pytest.mark.parametrize(
    ("lang", "said"), [("zh", ("职业", "手机号", "138****")), ("en", ("Occupation", "Mobile"))]
)
def test_a_reader_is_told_the_fields_by_their_labels(lang: Lang, said: tuple[str, ...], house: House) -> None:
    keep = house.person(mobile="13800000021")
    other = house.person(mobile="13800000022", occupation="教师")
    home = house.institution
    reader = Reader(Words.of(home.home, home.settings, home.dictionary), lang)
    page = io.StringIO()
    reader.show(Console(file=page, width=120), house.merge(keep, other))
    reader.show(Console(file=page, width=120), house.unmerge(other))
    assert [word for word in said if word not in page.getvalue()] == []
    assert "customer." not in page.getvalue()
    assert "1380000002" not in page.getvalue()


def test_whatever_is_known_of_the_one_merged_finds_the_survivor(house: House) -> None:
    keep, other = house.person("吴样"), house.person("吴某样", mobile="13800000031", id_number=number_of(31))

    def found(text: str) -> set[tuple[int, int | None]]:
        return {(hit.id, hit.merged_from) for hit in house.do(acts.FIND, find.Find(text)).results}

    house.merge(keep, other)
    assert found("吴某样") == {(keep, other)}
    assert keep in {one for one, _ in found("13800000031")} & {one for one, _ in found(number_of(31))}
    house.unmerge(other)
    assert found("吴某样") == found("13800000031") == found(number_of(31)) == {(other, None)}


# -- What was written since ------------------------------------------------------------------------


def test_what_was_written_since_stays_unless_it_is_about_what_goes_back(house: House) -> None:
    keep, other = house.person(), house.person()
    loan = house.put(lambda _: Loan(customer_id=other))
    paper = house.put(lambda _: Document(customer_id=other))
    house.merge(keep, other)
    new_loan = house.put(lambda _: Loan(customer_id=keep))
    spoken = house.put(lambda _: FollowUp(customer_id=keep, content="电话"))
    of_loan = house.put(lambda _: FollowUp(customer_id=keep, loan_id=loan, content="催收"))
    corrected = house.put(lambda _: FollowUp(customer_id=keep, corrects=of_loan, content="更正"))
    reported = house.put(lambda _: CreditRecord(customer_id=keep, report_document=paper))
    done = house.unmerge(other)
    assert done.back == {"loan": 1, "document": 1, "follow_up": 2, "credit": 1}
    assert done.stay == {"loan": 1, "follow_up": 1}
    assert [one.id for one in house.of(FollowUp, other)] == [of_loan, corrected]
    assert [one.id for one in house.of(CreditRecord, other)] == [reported]
    assert [one.id for one in house.of(Loan, keep)] == [new_loan]
    assert [one.id for one in house.of(FollowUp, keep)] == [spoken]


def test_what_the_survivor_had_before_stays_though_it_is_about_a_loan_that_goes_back(house: House) -> None:
    keep, other = house.person(), house.person()
    loan = house.put(lambda _: Loan(customer_id=other))
    guarantor = house.put(lambda _: FollowUp(customer_id=keep, loan_id=loan, content="担保人"))
    house.merge(keep, other)
    house.unmerge(other)
    assert [one.id for one in house.of(FollowUp, keep)] == [guarantor]


def test_what_was_taken_away_since_is_not_missed(house: House) -> None:
    keep, other, third = house.person(), house.person(), house.person()
    loan = house.put(lambda _: Loan(customer_id=other))
    house.merge(keep, other)

    def give(books: Books, _: str) -> Facts[None]:
        return Facts(None, (attrs.evolve(books.get(Loan, loan), customer_id=third),))

    house.do(Act("test.give", str, "loan.write", give, confirms=True), "")
    assert house.unmerge(other).back == {}
    assert house.get(Loan, loan).customer_id == third


# -- Chains ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_chain_is_taken_apart_in_any_order(order: str, house: House) -> None:
    a, b, c = (
        house.person(name, remark=remark) for name, remark in (("甲", "头"), ("乙", None), ("丙", None))
    )
    loans = {who: house.put(lambda _, who=who: Loan(customer_id=who)) for who in (a, b, c)}
    house.merge(b, a)
    house.merge(c, b)
    assert [house.get(Customer, who).merged_into for who in (a, b, c)] == [c, c, None]
    assert len(house.of(Loan, c)) == 3
    for name in order:
        house.unmerge({"a": a, "b": b}[name])
    assert {who: house.get(Loan, loan).customer_id for who, loan in loans.items()} == {a: a, b: b, c: c}
    assert [house.get(Customer, who).merged_into for who in (a, b, c)] == [None, None, None]
    assert [house.get(Customer, who).remark for who in (a, b, c)] == ["头", None, None]


def test_the_last_link_taken_back_first_leaves_the_first_in_place(house: House) -> None:
    a, b, c = house.person(), house.person(), house.person()
    house.merge(b, a)
    house.merge(c, b)
    assert house.unmerge(b).back == {"customer": 1}
    assert house.get(Customer, a).merged_into == b


def test_who_went_its_own_way_since_is_not_taken_along(house: House) -> None:
    """A into B, B into C; A is parted again, and takes C in: what is A's own is no longer B's to take."""
    a, b, c = house.person(), house.person(), house.person()
    loan = house.put(lambda _: Loan(customer_id=a))
    house.merge(b, a)
    house.merge(c, b)
    house.unmerge(a)
    house.merge(a, c)
    assert house.unmerge(b).back == {}
    assert house.get(Loan, loan).customer_id == a


# -- Refusals --------------------------------------------------------------------------------------


def test_merges_that_make_no_sense_are_refused_in_words(house: House) -> None:
    a, b, c = house.person(), house.person(), house.person()
    house.merge(b, a)
    for keep, other, code in (
        (a, a, "merge-same"),
        (b, a, "customer-merged"),
        (a, b, "customer-merged"),
        (c, a, "customer-merged"),
        (b, 9_999_999, "customer-unknown"),
    ):
        asked = merge.MergeCustomers(keep, other, "x")
        assert house.refusal(lambda asked=asked: house.do(acts.MERGE, asked)).code == code
    wanting = merge.MergeCustomers(c, b, " ")
    assert house.refusal(lambda: house.do(acts.MERGE, wanting)).code == "reason-needed"
    for key, reason, code in (
        (b, "x", "not-merged"),
        (a, "", "reason-needed"),
        (9_999_999, "x", "customer-unknown"),
    ):
        wish = unmerge.UnmergeCustomer(key, reason)
        assert house.refusal(lambda wish=wish: house.do(acts.UNMERGE, wish)).code == code
    house.unmerge(a)
    again = unmerge.UnmergeCustomer(a, "x")
    assert house.refusal(lambda: house.do(acts.UNMERGE, again)).code == "not-merged"


def test_a_change_that_waits_is_decided_before_its_customer_goes_into_another(house: House) -> None:
    keep, other = house.person(mobile="13800000011"), house.person(mobile="13800000012")
    house.edit(other, "mobile=13800000013")
    error = house.refusal(lambda: house.do(acts.MERGE, merge.MergeCustomers(keep, other, "x")))
    assert error.code == "merge-waiting"
    house.merge(other, keep)  # what waits is about the one who stays
    assert len(house.do(acts.SHOW, show.ShowCustomer(other)).waiting_changes) == 1


# -- Candidates ------------------------------------------------------------------------------------


@pytest.fixture
def office(tmp_path: Path) -> Iterator[House]:
    """A home of its own."""
    home, _ = Institution.create(
        tmp_path / "home", Secret("样例口令 sample"), {"institution": "样例小贷"}, clock=Clock()
    )
    with home:
        yield House(home)


def alike(house: House, limit: int = 50) -> list[tuple[int, int, tuple[str, ...]]]:
    """All pairs, page by page."""
    found, after = [], None
    while True:
        page = house.do(acts.DUPLICATES, duplicates.FindDuplicates(limit, after))
        assert len(page.results) <= limit
        found += [(one.keep, one.other, one.shares) for one in page.results]
        if (after := page.next) is None:
            return found


@pytest.mark.parametrize(("limit", "block"), [(50, 50_000), (1, 3), (2, 1)])
def test_people_who_share_what_is_ones_own_are_candidates(
    limit: int, block: int, office: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "BLOCK", block)
    company = "91119999MA00000012"
    one = office.person("赵样", id_number=number_of(1), mobile="13800000001")
    same_id = office.person("赵小样", id_number=number_of(1))
    same_phone = office.person("赵 样", mobile="13800000001")
    another = office.person("赵样", id_number=number_of(2), mobile="13800000001")
    firm, firm_again = office.person("甲公司", uscc=company), office.person("甲有限公司", uscc=company)
    carded = office.person("钱样", bank_card="6200000000000000005")
    card_again = office.person("钱小样", bank_card="6200000000000000005", id_number=number_of(3))
    office.person("孙样", mobile="13800000001")
    office.person("赵样", mobile="13800000009")
    assert alike(office, limit) == [
        (one, same_id, ("id_number",)),
        (one, same_phone, ("name_mobile",)),
        (firm, firm_again, ("uscc",)),
        (carded, card_again, ("bank_card",)),
    ]
    office.merge(one, same_id)
    office.merge(one, same_phone)
    assert (another, office.get(Customer, another).merged_into) == (another, None)
    assert [pair[:2] for pair in alike(office, limit)] == [(firm, firm_again), (carded, card_again)]


def test_a_home_without_likenesses_has_no_candidates(office: House) -> None:
    assert office.do(acts.DUPLICATES, duplicates.FindDuplicates()) == duplicates.Duplicates()
    office.person("李样", mobile="13800000001")
    assert alike(office) == []


def test_a_page_that_was_not_given_is_refused(office: House) -> None:
    wish = duplicates.FindDuplicates(after="13800000001")
    assert office.refusal(lambda: office.do(acts.DUPLICATES, wish)).code == "page-unreadable"


# -- Any sequence ----------------------------------------------------------------------------------


@attrs.define
class Story:
    """A few customers, what is done with them, and what should be so in the end."""

    house: House
    rng: random.Random
    people: list[int] = attrs.field(factory=list)
    owners: dict[tuple[type[Entity], int], int] = attrs.field(factory=dict)
    """Whose a record is once no merge stands."""
    fields: dict[int, dict[str, Any]] = attrs.field(factory=dict)

    def seen(self) -> list[int]:
        return [key for key in self.people if self.house.get(Customer, key).merged_into is None]

    def hidden(self) -> list[int]:
        return [key for key in self.people if key not in self.seen()]

    def arrive(self) -> None:
        facts = {
            name: f"{name}{next(self.house.numbers)}"
            for name in ("remark", "occupation", "employer")
            if self.rng.random() < 0.5
        }
        key = self.house.person(**facts)
        self.people.append(key)
        self.fields[key] = facts
        self.lend(key)

    def lend(self, key: int) -> None:
        self.owners[Loan, self.house.put(lambda _: Loan(customer_id=key))] = key

    def note(self) -> None:
        """A record on whoever is seen, half of them about a loan there."""
        key = self.rng.choice(self.seen())
        loans = [one.id for one in self.house.of(Loan, key)]
        loan = self.rng.choice(loans) if loans and self.rng.random() < 0.5 else None
        kind: Any = self.rng.choice((FollowUp, Document, Relation))
        made = self.house.put(lambda _: kind(customer_id=key, loan_id=loan))
        self.owners[kind, made] = key if loan is None else self.owners[Loan, loan]

    def change(self) -> None:
        key = self.rng.choice(self.seen())
        name = self.rng.choice(("remark", "occupation", "employer"))
        value = f"{name}{next(self.house.numbers)}"
        self.house.edit(key, f"{name}={value}")
        self.fields[key][name] = value

    def join(self) -> None:
        seen = self.seen()
        if len(seen) > 1:
            self.house.merge(*self.rng.sample(seen, 2))

    def part(self) -> None:
        if hidden := self.hidden():
            self.house.unmerge(self.rng.choice(hidden))

    def holds(self) -> None:
        """Every record is still there, and belongs to a customer who is seen."""
        seen = set(self.seen())
        for kind in (Loan, FollowUp, Document, Relation):
            known = {key for of, key in self.owners if of is kind}
            found = self.house.of(kind, *self.people)
            assert {one.id for one in found} == known
            assert {one.customer_id for one in found} <= seen

    def ends(self) -> None:
        """Every merge taken back: everything is whose it was, and nobody has anything of another."""
        while self.hidden():
            self.part()
        for (kind, key), owner in self.owners.items():
            assert self.house.get(kind, key).customer_id == owner
        for key, facts in self.fields.items():
            customer = self.house.get(Customer, key)
            said = {name: getattr(customer, name) for name in ("remark", "occupation", "employer")}
            assert {name: value for name, value in said.items() if value} == facts


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(n, marks=pytest.mark.prove) for n in range(8, 100))]
)
def test_whatever_is_merged_and_parted_nothing_is_lost_and_everything_returns(
    seed: int, house: House
) -> None:
    story = Story(house, random.Random(seed))
    for _ in range(4):
        story.arrive()
    steps = (story.join, story.join, story.part, story.note, story.note, story.change)
    for _ in range(14):
        story.rng.choice(steps)()
        story.holds()
    story.ends()
    story.holds()
