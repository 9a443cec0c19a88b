"""The office: changes that wait, sealed papers, and a home looked over."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from loanhub import kinds
from loanhub.acts import PARAM, Act, Books, Facts
from loanhub.audit import Entry
from loanhub.entities import Batch, Customer, Entity, Loan, Pending
from loanhub.errors import Damaged, LoanHubError, NotAllowed, NotFound
from loanhub.hookspecs import hookimpl
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.policy import Principal
from loanhub.records import Columns, Query
from loanhub.records import Test as Where
from loanhub.schema import SEARCH_KEY
from loanhub.services.office import acts, approvals, doctor, documents
from loanhub.services.office.documents import add_document, open_document, sealed_path
from loanhub.texts import LANGS, catalogue, render

PASSPHRASE = Secret("样例口令 sample")


@attrs.define
class Clock:
    """A clock that moves on a minute each time it is asked."""

    at: datetime = datetime(2026, 3, 17, 1, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at


@attrs.frozen
class Wanted:
    """What a test writes."""

    make: Callable[[Books], tuple[Entity, ...]]


@attrs.frozen
class Wrote:
    """That it was written."""

    waiting: tuple[int, ...] = ()


WRITE: Act[Wanted, Wrote] = Act(
    "test.write", Wanted, "customer.write", lambda books, wanted: Facts(Wrote(), wanted.make(books))
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    root: Path = tmp_path_factory.mktemp("office") / "home"
    house, _ = Institution.create(root, PASSPHRASE, {"institution": "样例小贷"}, clock=Clock())
    with house:
        yield house


def write(house: Institution, *entities: Entity) -> None:
    house.desk().do(WRITE, Wanted(lambda _: entities))


def add_customer(house: Institution, **facts: Any) -> int:
    """A new customer; its id."""
    made: list[int] = []

    def make(books: Books) -> tuple[Entity, ...]:
        made.append(books.allot("customer"))
        return (Customer(id=made[0], **{"name": "李样"} | facts),)

    house.desk().do(WRITE, Wanted(make))
    return made[0]


def ask_for(house: Institution, customer: int, **changes: Any) -> int:
    """A change of reviewed fields asked for by the host operator; the id under which it waits."""
    wrote = house.desk().do(
        WRITE, Wanted(lambda books: (attrs.evolve(books.get(Customer, customer), **changes),))
    )
    (pending,) = wrote.waiting
    return pending


def stored(house: Institution, customer: int) -> Customer:
    """The customer as stored, in plain."""
    found: list[Customer] = []

    def look(books: Books, _: Wanted) -> Facts[None]:
        found.append(books.get(Customer, customer))
        return Facts(None)

    house.desk().do(Act("test.look", Wanted, "customer.read", look, writes=False), Wanted(lambda _: ()))
    return found[0]


def refusal(call: Any) -> LoanHubError:
    with pytest.raises(LoanHubError) as caught:
        call()
    return caught.value


# -- Approvals -------------------------------------------------------------------------------------


def test_a_change_is_written_when_it_is_confirmed_and_only_then(home: Institution) -> None:
    customer = add_customer(home, mobile="13800000001", remark="旧")
    pending = ask_for(home, customer, mobile="13800000002", remark="新")
    assert (stored(home, customer).mobile, stored(home, customer).remark) == ("13800000001", "新")
    decided = home.desk().do(acts.APPROVE, approvals.Approve(pending))
    assert decided == approvals.Decided(pending, "approved", "customer", customer)
    assert stored(home, customer).mobile == "13800000002"
    assert (
        refusal(lambda: home.desk().do(acts.APPROVE, approvals.Approve(pending))).code == "approval-decided"
    )


def test_a_confirmed_phone_can_be_found_and_the_log_names_the_change(home: Institution) -> None:
    customer = add_customer(home, mobile="13800000003")
    home.desk().do(acts.APPROVE, approvals.Approve(ask_for(home, customer, mobile="13800000004")))
    with home.store.reading() as tx:
        tokens = tx.columns(Query(SEARCH_KEY, (Where("id", "eq", customer),)))["token"].to_list()
        line = list(tx.lines())[-1]
    assert "d:40000000831" in tokens
    assert "d:30000000831" not in tokens
    assert f"customer:{customer}" in line.object
    assert "customer.mobile" in line.fields


def test_a_rejected_change_is_kept_with_its_reason_and_never_written(home: Institution) -> None:
    customer = add_customer(home, level="general")
    pending = ask_for(home, customer, level="important")
    assert (
        refusal(lambda: home.desk().do(acts.REJECT, approvals.Reject(pending, " "))).code == "reason-needed"
    )
    home.desk().do(acts.REJECT, approvals.Reject(pending, "依据不足"))
    shown = home.desk().do(acts.APPROVAL, approvals.ShowApproval(pending))
    assert (shown.state, shown.reason, stored(home, customer).level) == ("rejected", "依据不足", "general")


def test_what_waits_is_listed_masked_with_before_and_after(home: Institution) -> None:
    customer = add_customer(home, bank_card="6200000000000000005", manager="赵")
    pending = ask_for(home, customer, bank_card="6200000000000000013", manager=None)
    listed = home.desk().do(acts.APPROVALS, approvals.ListApprovals()).approvals
    mine = next(one for one in listed if one.id == pending)
    assert (mine.kind, mine.record, mine.title) == ("customer", customer, "李样")
    card, manager = mine.changes
    assert (card.field, str(card.before)[-4:], str(card.after)[-4:]) == ("customer.bank_card", "0005", "0013")
    assert (manager.before, manager.after) == ("赵", None)
    assert "6200000000000000013" not in str(listed)
    home.desk().do(acts.APPROVE, approvals.Approve(pending))
    assert (stored(home, customer).bank_card, stored(home, customer).manager) == ("6200000000000000013", None)


def test_of_two_changes_of_one_field_the_second_is_stale(home: Institution) -> None:
    customer = add_customer(home, manager="赵")
    first, second = ask_for(home, customer, manager="钱"), ask_for(home, customer, manager="孙")
    home.desk().do(acts.APPROVE, approvals.Approve(first))
    assert (
        refusal(lambda: home.desk().do(acts.APPROVE, approvals.Approve(second))).code
        == "record-changed-since"
    )
    assert stored(home, customer).manager == "钱"


def test_a_change_of_another_field_meanwhile_is_no_hindrance(home: Institution) -> None:
    customer = add_customer(home, manager="赵", level="general")
    first, second = ask_for(home, customer, manager="钱"), ask_for(home, customer, level="risk")
    home.desk().do(acts.APPROVE, approvals.Approve(first))
    home.desk().do(acts.APPROVE, approvals.Approve(second))
    assert (stored(home, customer).manager, stored(home, customer).level) == ("钱", "risk")


def test_a_request_altered_after_it_was_asked_for_is_not_run(home: Institution) -> None:
    customer = add_customer(home, manager="赵")
    pending = ask_for(home, customer, manager="钱")
    forged = home.desk().do(
        Act(
            "test.forge",
            Wanted,
            "pending.write",
            lambda b, _: Facts(Wrote(), (attrs.evolve(b.get(Pending, pending), request={"manager": "贼"}),)),
        ),
        Wanted(lambda _: ()),
    )
    assert forged.waiting == ()
    error = refusal(lambda: home.desk().do(acts.APPROVE, approvals.Approve(pending)))
    assert (type(error), error.code) == (Damaged, "approval-altered")
    assert stored(home, customer).manager == "赵"


def test_nobody_with_an_account_confirms_the_own_change(home: Institution) -> None:
    customer = add_customer(home, manager="赵")
    maker = Principal("qian", "officer", frozenset({"*"}))
    wish = Wanted(lambda books: (attrs.evolve(books.get(Customer, customer), manager="钱"),))
    (pending,) = home.desk(maker).do(WRITE, wish).waiting
    with pytest.raises(NotAllowed, match="approval-own"):
        home.desk(maker).do(acts.APPROVE, approvals.Approve(pending))
    checker = Principal("sun", "approver", frozenset({"approval.*", "customer.*"}))
    home.desk(checker).do(acts.APPROVE, approvals.Approve(pending))
    assert home.desk().do(acts.APPROVAL, approvals.ShowApproval(pending)).decided_by == "sun"


def test_a_number_that_somebody_else_got_meanwhile_is_not_confirmed(home: Institution) -> None:
    customer = add_customer(home, uscc="91119999MA00000010")
    pending = ask_for(home, customer, uscc="91119999MA00000029")
    other = add_customer(home, uscc="91119999MA00000029")
    error = refusal(lambda: home.desk().do(acts.APPROVE, approvals.Approve(pending)))
    assert (error.code, error.facts) == ("customer-exists", {"id": other})


def test_a_change_of_a_customer_that_was_merged_meanwhile_is_not_confirmed(home: Institution) -> None:
    customer, kept = add_customer(home, manager="赵"), add_customer(home)
    pending = ask_for(home, customer, manager="钱")
    write(home, attrs.evolve(stored(home, customer), merged_into=kept))
    assert refusal(lambda: home.desk().do(acts.APPROVE, approvals.Approve(pending))).code == "customer-merged"


def test_a_matter_nobody_knows_is_not_found(home: Institution) -> None:
    with pytest.raises(NotFound, match="approval-unknown"):
        home.desk().do(acts.APPROVAL, approvals.ShowApproval(99_999))


# -- Papers ----------------------------------------------------------------------------------------


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    path = tmp_path / "借款合同.pdf"
    path.write_bytes("样例合同 ".encode() * 40_000)
    return path


def test_a_paper_is_sealed_once_and_comes_out_as_it_went_in(
    home: Institution, paper: Path, tmp_path: Path
) -> None:
    customer = add_customer(home)
    filed = add_document(home, home.desk(), paper, customer=customer, purpose="借款合同")
    sealed = sealed_path(home, filed.digest)
    before = sealed.read_bytes()
    assert filed.new
    assert "样例合同".encode() not in before
    again = add_document(home, home.desk(), paper, customer=customer, purpose="借款合同")
    assert (again.id, again.new, sealed.read_bytes()) == (filed.id, False, before)
    target = tmp_path / "out.pdf"
    document = open_document(home, home.desk(), filed.id, target, "核对合同")
    assert target.read_bytes() == paper.read_bytes()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert (document.name, document.purpose, document.size) == (
        "借款合同.pdf",
        "借款合同",
        paper.stat().st_size,
    )
    with home.store.reading() as tx:
        line = list(tx.lines())[-1]
    assert (line.act, line.object, line.reason) == ("document.open", f"document:{filed.id}", "核对合同")


def test_one_paper_of_two_customers_is_one_file_and_two_records(home: Institution, paper: Path) -> None:
    first, second = add_customer(home), add_customer(home)
    one, two = (add_document(home, home.desk(), paper, customer=c) for c in (first, second))
    assert (one.digest, one.id != two.id) == (two.digest, True)
    listed = home.desk().do(documents.LIST, documents.ListDocuments(customer=second)).documents
    assert [document.id for document in listed] == [two.id]


def test_a_paper_of_a_loan_belongs_to_its_borrower(home: Institution, paper: Path) -> None:
    customer, other = add_customer(home), add_customer(home)
    write(home, Loan(id=50, customer_id=customer))
    filed = add_document(home, home.desk(), paper, loan=50)
    (document,) = home.desk().do(documents.LIST, documents.ListDocuments(loan=50)).documents
    assert (document.id, document.customer_id) == (filed.id, customer)
    error = refusal(lambda: add_document(home, home.desk(), paper, loan=50, customer=other))
    assert error.code == "loan-of-another"


def test_nothing_is_sealed_for_somebody_who_is_not_there(home: Institution, tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("never kept", encoding="utf-8")
    folder = home.home / "documents"
    before = sorted(folder.rglob("*"))
    for asked, code in (
        ({"customer": 99_999}, "customer-unknown"),
        ({"loan": 99_999}, "loan-unknown"),
        ({}, "document-of-nobody"),
    ):
        assert refusal(lambda a=asked: add_document(home, home.desk(), path, **a)).code == code
    assert (
        refusal(lambda: add_document(home, home.desk(), tmp_path / "none.pdf", customer=1)).code
        == "document-missing"
    )
    assert sorted(folder.rglob("*")) == before


def test_a_kill_between_the_file_and_its_record_is_made_good_by_doing_it_again(
    home: Institution, paper: Path
) -> None:
    customer = add_customer(home)
    filed = add_document(home, home.desk(), paper, customer=customer)
    sealed_path(home, filed.digest).unlink()
    assert add_document(home, home.desk(), paper, customer=customer).new is False
    assert sealed_path(home, filed.digest).is_file()


@pytest.mark.parametrize(
    ("target", "reason", "code"),
    [
        ("there.pdf", "x", "document-target-exists"),
        ("no/out.pdf", "x", "document-target-folder"),
        ("out.pdf", " ", "reason-needed"),
    ],
)
def test_a_paper_is_not_opened_over_a_file_or_without_a_reason(
    home: Institution, paper: Path, tmp_path: Path, target: str, reason: str, code: str
) -> None:
    (tmp_path / "there.pdf").write_text("mine", encoding="utf-8")
    filed = add_document(home, home.desk(), paper, customer=add_customer(home))
    error = refusal(lambda: open_document(home, home.desk(), filed.id, tmp_path / target, reason))
    assert error.code == code
    assert (tmp_path / "there.pdf").read_text(encoding="utf-8") == "mine"


def test_a_sealed_paper_that_was_changed_or_is_lost_gives_no_file(
    home: Institution, paper: Path, tmp_path: Path
) -> None:
    paper.write_bytes(b"another paper" * 100)
    filed = add_document(home, home.desk(), paper, customer=add_customer(home))
    sealed = sealed_path(home, filed.digest)
    content = bytearray(sealed.read_bytes())
    content[-20] ^= 1
    sealed.write_bytes(content)
    with pytest.raises(Damaged, match="seal-damaged"):
        open_document(home, home.desk(), filed.id, tmp_path / "out.pdf", "x")
    sealed.unlink()
    with pytest.raises(Damaged, match="document-lost"):
        open_document(home, home.desk(), filed.id, tmp_path / "out.pdf", "x")
    assert not (tmp_path / "out.pdf").exists()
    assert not list(tmp_path.glob(".*.tmp"))


# -- A home looked over ----------------------------------------------------------------------------

EXPECTED_AT_FIRST = {"doctor-recovery-unproven", "doctor-backup-none"}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    """A home for the doctor, with some customers."""
    root: Path = tmp_path_factory.mktemp("doctor") / "home"
    house, _ = Institution.create(root, PASSPHRASE, {"institution": "样例小贷"}, clock=Clock())
    with house:
        for n in range(5):
            add_customer(house, name="李样" + "甲乙丙丁戊"[n], mobile=f"1380000000{n}")
        yield house


def codes(house: Institution) -> set[str]:
    """What is found beyond what a new home has, and beyond a disk or plugin of this machine."""
    found = {one.code for one in doctor.examine(house)}
    return {c for c in found if not c.startswith(("doctor-disk", "doctor-plugin"))} - EXPECTED_AT_FIRST


def test_a_new_home_is_well_but_for_the_recovery_key_nobody_proved(other: Institution) -> None:
    assert "doctor-recovery-unproven" in {one.code for one in doctor.examine(other)}
    assert codes(other) == set()


def test_a_printed_recovery_key_beside_the_home_is_told(other: Institution) -> None:
    printed = other.home.root.with_name("home-recovery-key.txt")
    printed.write_text("x", encoding="utf-8")
    try:
        assert codes(other) == {"doctor-recovery-file"}
    finally:
        printed.unlink()


def test_batches_half_done_and_what_lies_about_are_told(other: Institution) -> None:
    write(
        other,
        Batch(id=1, sha256="a" * 64, status="landing"),
        Batch(id=2, sha256="b" * 64, status="needs-mapping"),
    )
    mine, stray = other.home / "processing" / f"{'a' * 64}.xlsx", other.home / "processing" / "stray.xlsx"
    scratch, report = other.home / "tmp" / "old", other.home / "returns" / "x.report.xlsx"
    for path in (mine, stray, scratch, report):
        path.write_bytes(b"x")
        os.utime(path, (time.time() - 20 * 86_400,) * 2)
    found = {one.code: one.facts for one in doctor.examine(other)}
    for path in (mine, stray, scratch, report):
        path.unlink()
    assert found["doctor-batch-unfinished"] == {"id": 1, "status": "landing"}
    assert found["doctor-batch-asks"] == {"id": 2, "status": "needs-mapping"}
    assert found["doctor-processing-left"] == {"count": 1}
    assert found["doctor-tmp-left"] == {"count": 1}
    assert found["doctor-returns-old"] == {"count": 1, "days": 14}
    write(
        other,
        Batch(id=1, version=1, sha256="a" * 64, status="stored"),
        Batch(id=2, version=1, sha256="b" * 64, status="stored"),
    )
    assert codes(other) == set()


def test_search_keys_that_are_missing_are_told(other: Institution) -> None:
    with other.store.writing() as tx:
        gone = tx.columns(Query(SEARCH_KEY, (Where("id", "in", [2, 4]),)))
        tx.put(Columns(SEARCH_KEY, gone, gone=True), at=other.clock.now(), line=0)
    try:
        (finding,) = [one for one in doctor.examine(other) if one.code == "doctor-search-keys"]
        assert finding.facts == {"kind": "customer", "count": 2}
    finally:
        with other.store.writing() as tx:
            tx.put(Columns(SEARCH_KEY, gone), at=other.clock.now(), line=0)


def test_settings_that_cannot_be_read_are_told_by_their_file(other: Institution) -> None:
    path = other.home / "reminders.toml"
    path.write_text("this is = = not toml", encoding="utf-8")
    try:
        found = [one for one in doctor.examine(other) if one.severity == "error"]
        assert [(one.code, one.facts["file"]) for one in found] == [("settings-unreadable", "reminders.toml")]
    finally:
        path.unlink()


def test_a_key_check_of_another_home_is_told(other: Institution) -> None:
    path = other.home / "data" / "key-check"
    good = path.read_bytes()
    try:
        for bad in (b"00" * 8, b"not hex", b""):
            path.write_bytes(bad)
            assert codes(other) == {"doctor-key-check"}
    finally:
        path.write_bytes(good)


@pytest.mark.parametrize(
    ("file", "code"), [("key.bin", "doctor-start-same-disk"), ("none.bin", "doctor-start-missing")]
)
def test_a_key_file_on_the_disk_of_the_home_or_gone_is_told(other: Institution, file: str, code: str) -> None:
    (other.home.root.parent / "key.bin").write_bytes(b"x" * 32)
    settings = other.settings
    other.settings = attrs.evolve(settings, start=f"file:{other.home.root.parent / file}")
    try:
        assert codes(other) == {code}
    finally:
        other.settings = settings


def test_what_a_plugin_finds_and_a_plugin_that_fails_to_look_are_told(other: Institution) -> None:
    class Finds:
        @hookimpl
        def invariants(self, home: Path) -> list[kinds.Fault]:
            return [kinds.Fault("seal-damaged", {"row": 3})]

    class Breaks:
        @hookimpl
        def invariants(self, home: Path) -> list[kinds.Fault]:
            raise RuntimeError("13800000000")

    class Unfit:
        @hookimpl
        def acts(self) -> list[Any]:
            raise RuntimeError("broken")

    other.plugins.register("finds", Finds())
    other.plugins.register("breaks", Breaks())
    other.plugins.register("unfit", Unfit())
    found = {one.code: one.facts for one in doctor.examine(other)}
    assert found["seal-damaged"] == {"row": 3}
    assert found["doctor-invariant-failed"] == {"plugin": "breaks", "error": "RuntimeError"}
    assert found["doctor-plugin-failed"]["plugin"] == "unfit"
    for name in ("finds", "breaks", "unfit"):
        other.plugins.found.pop(name, None)


def test_a_log_line_that_was_changed_is_found(tmp_path: Path) -> None:
    house, _ = Institution.create(tmp_path / "home", PASSPHRASE, {"institution": "样例小贷"})
    with house:
        add_customer(house)
        assert "audit-broken" not in {one.code for one in doctor.examine(house)}
        with house.store.writing() as tx:
            who = house.desk().who
            entry = Entry(house.clock.now(), who, "test.forged")
            tx.append(lambda head: [_forged(head, entry)])
        (finding,) = [one for one in doctor.examine(house) if one.code == "audit-broken"]
        assert (finding.severity, finding.facts) == ("error", {"seq": 2})


def _forged(head: kinds.Head, entry: Entry) -> kinds.Line:
    """A line that continues the chain and whose hash is not its own."""
    return kinds.Line(
        head.seq + 1, entry.at, "x", "x", "x", entry.act, "", (), "", "done", {}, head.hash, b"\1" * 32
    )


def test_every_finding_has_words_in_both_languages_with_a_hint() -> None:
    known = catalogue()
    found = {code for code in known if code.startswith("doctor-")}
    source = "".join(
        (Path(doctor.__file__).parent / name).read_text(encoding="utf-8")
        for name in ("doctor.py", "surroundings.py")
    )
    assert all(f'"{code}"' in source for code in found)
    for code in found:
        assert known[code]["hint_zh"]
        assert known[code]["hint_en"]
    facts = {"what": "x", "id": 1, "status": "landing"}
    assert all("{" not in str(render("doctor-batch-unfinished", lang, **facts)) for lang in LANGS)


def test_every_act_parameter_and_answer_of_the_office_has_words() -> None:
    known = catalogue()
    for act in acts.acts():
        assert act.name.replace(".", " ") in known[f"act.{act.name}"]["hint_en"]
        for attribute in attrs.fields(act.request):
            assert PARAM in attribute.metadata
            assert f"param.{act.name}.{attribute.name}" in known
    answers = (
        approvals.Approvals,
        approvals.Approval,
        approvals.Decided,
        documents.Filed,
        documents.Documents,
        doctor.Finding,
    )
    for answer in answers:
        for attribute in attrs.fields(answer):
            assert f"answer.{answer.__name__}.{attribute.name}" in known
