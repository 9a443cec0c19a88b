"""A home that was restored is held; resumed, it sends nothing twice, whatever survives of the one before."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import define, evolve, field, frozen

from loanhub import jobs
from loanhub import settings as settings_
from loanhub.acts import Act, Books, Facts
from loanhub.cli.commands.resuming import Resume, resume
from loanhub.cli.commands.taking import Up, up
from loanhub.cli.outcome import Outcome
from loanhub.cli.run import run
from loanhub.cli.session import Session, Wishes
from loanhub.entities import Batch, Customer, Entity, Loan, Message
from loanhub.errors import Damaged, LoanHubError, NotFound, Usage, Waiting
from loanhub.holding import Held, held_by, hold, marker
from loanhub.home import FOLDERS, Home
from loanhub.institution import Institution
from loanhub.jobs import Job
from loanhub.keys import Keyring, Secret
from loanhub.records import Query, to_entity
from loanhub.services.intake.job import Incoming, Intake
from loanhub.services.office.doctor import audit_whole, place_fit
from loanhub.services.people.acts import FIND, REVEAL
from loanhub.services.people.find import Find
from loanhub.services.people.show import RevealCustomer
from loanhub.services.reminders.acts import PLAN, PlanReminders
from loanhub.services.reminders.job import send_all
from loanhub.services.reminders.lease import LEASE, Lease
from loanhub.services.reminders.letters import mark
from loanhub.services.reminders.recovering import CONFIRM, Confirm
from loanhub.system import private_folder
from tests.flows.conftest import Clock
from tests.flows.sheets import HEAD, workbook
from tests.flows.sheets import loan as loan_row
from tests.unit.vaults import CHEAP

SECRET = Secret("correct horse")
START = datetime(2026, 6, 10, 4, 0, tzinfo=UTC)
TODAY = date(2026, 6, 10)
LATER = 20
"""Loans from this number on are made after the first day."""


@frozen
class Put:
    """Records to be put as they are."""

    puts: tuple[Entity, ...] = field(repr=False)


def put(books: Books, asked: Put) -> Facts[None]:
    """Write them under their own ids, which are given to nobody else."""
    for one in asked.puts:
        books.allot(one.KIND, max(0, one.id + 1 - books.allot(one.KIND, 0)))
    return Facts(None, asked.puts)


PUT = Act("test.put", Put, "*", put, confirms=True)


@pytest.fixture(scope="module")
def first_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An office with twelve loans whose dues lie in the days to come."""
    root = tmp_path_factory.mktemp("office") / "home"
    for name in FOLDERS:
        private_folder(root / name)
    Keyring.create(Home(root).keyring, SECRET, parameters=CHEAP)
    settings_.write(Home(root), {"institution": "样例小贷", "drop": [{"folder": "drop", "owner": "前台"}]})
    with at_work(root) as office:
        office.put(*(customer(n) for n in range(1, 9)))
        office.put(*(loan(n, due=TODAY + timedelta(days=n - 1)) for n in range(1, 13)))
    return root


def customer(number: int) -> Customer:
    return Customer(id=number, name=f"王{number}", address=f"样例路{number}号")


def loan(number: int, due: date) -> Loan:
    """Some customers have two, so that letters are merged."""
    return Loan(
        id=number, customer_id=(number - 1) % 8 + 1, loan_no=f"JJ{number:04}", amount=10_000_000,
        instalment=100_000, status="active", next_due_date=due,
    )  # fmt: skip


@define
class Office:
    """A home with people at work in it, day by day."""

    house: Institution
    clock: Clock

    def put(self, *records: Entity) -> None:
        self.house.desk().do(PUT, Put(records))

    def plan(self) -> None:
        self.house.desk().do(PLAN, PlanReminders())

    def send(self) -> None:
        for _ in jobs.run(Job("reminders", lambda house: send_all(house.desk())), self.house):
            pass

    def killed_while_sending(self) -> None:
        """A letter was written, and nobody wrote down that it was."""
        leased = self.house.desk().do(LEASE, Lease())
        for outgoing in leased.letters[:1]:
            channel = self.house.plugins.channels[outgoing.channel]
            settings = {"today": leased.today.isoformat()}
            channel.send(outgoing.letter, home=self.house.home.root, settings=settings)

    def all(self, kind: type[Any]) -> list[Any]:
        with self.house.store.reading() as tx:
            return [to_entity(kind.KIND, record) for record in tx.find(Query(kind.KIND))]

    def reminded(self, stems: set[str]) -> list[tuple[Any, ...]]:
        """What the letters of these ids reminded of: one entry an occasion and letter."""
        by_mark = {mark(message): message for message in self.all(Message)}
        return self.occasions(by_mark[stem.rpartition("-")[2]] for stem in stems)

    def occasions(self, messages: Iterable[Message]) -> list[tuple[Any, ...]]:
        """What these messages remind of, loans by their numbers."""
        numbers = {one.id: one.loan_no for one in self.all(Loan)}
        return [
            (item["about"], numbers[item["loan"]], item["day"], item["offset"])
            for message in messages
            for item in message.facts["items"]
        ]

    def resume(self, old: Path | None = None, *, dry: bool = False, lang: str = "en") -> Outcome:
        session = Session.of(Wishes(home=str(self.house.home.root), lang=lang, json=True, yes=True))
        session.adopt(self.house)
        return resume(session, Resume(str(old or ""), dry))

    def tomorrow(self) -> None:
        self.clock.at += timedelta(days=1)


@contextmanager
def at_work(root: Path, clock: Any = None) -> Iterator[Office]:
    clock = clock or Clock(START)
    with Institution.open(root, unlock=lambda: SECRET, clock=clock) as house:
        yield Office(house, clock)


def restored(snapshot: Path, target: Path, taken: datetime, at: datetime) -> Path:
    """What a restore of a snapshot makes: the home of that moment, held."""
    shutil.copytree(snapshot, target)
    hold(target, vault="v" * 32, snapshot="7-abcd1234", taken=taken, restored=at)
    return target


def letters(home: Path) -> set[str]:
    return {file.stem for file in (home / "letters").glob("*/*.txt")}


# -- twenty stories --------------------------------------------------------------------------------


def lost_days(office: Office, chance: random.Random, days: int) -> None:
    """Days at work: most are planned, most are sent, new loans come."""
    for _ in range(days):
        if chance.random() < 0.3:
            number = LATER + chance.randrange(80)
            if all(one.id != number for one in office.all(Loan)):
                today = office.clock.at.date()
                office.put(loan(number, due=today + timedelta(days=chance.randrange(5))))
        if chance.random() < 0.9:
            office.plan()
        if chance.random() < 0.8:
            office.send()
        office.tomorrow()


def story(seed: int, first: Path, folder: Path) -> Counter[str]:
    """Days, a snapshot, more days, the end of the disk; a restore, a resume, days after. What was seen."""
    chance = random.Random(seed)
    old, kept, new = folder / "old", folder / "kept", folder / "new"
    shutil.copytree(first, old)
    clock = Clock(START)
    with at_work(old, clock) as office:
        lost_days(office, chance, chance.randrange(4))
        if chance.random() < 0.5:
            office.plan()
    taken = clock.at
    shutil.copytree(old, kept)
    with at_work(old, clock) as office:
        lost_days(office, chance, 1 + chance.randrange(4))
        if chance.random() < 0.4:
            office.plan()
            office.killed_while_sending()
        reminded = office.reminded(letters(old))
        later = [one for one in office.all(Loan) if one.id >= LATER]
    survives = ("nothing", "letters", "home", "outbox", "torn")[seed % 5]
    told = None if survives == "nothing" else old
    if survives == "torn":
        (old / "data" / "loanhub.db").write_bytes(b"\0" * 40_000)
        (old / "data" / "loanhub.db-wal").unlink(missing_ok=True)
    if survives in ("letters", "outbox"):
        shutil.rmtree(old / ("data" if survives == "letters" else "letters"))
    restored(kept, new, taken, clock.at)
    seen: Counter[str] = Counter()
    with at_work(new, clock) as office:
        data = office.resume(told).data
        assert data is not None
        seen["known"] += data["messages"]["sent"]
        for _ in range(5):
            # The sheets of the days that were lost come in again, their loans under whatever id is free.
            known = {one.loan_no for one in office.all(Loan)}
            office.put(
                *(evolve(one, id=one.id + 100, version=0) for one in later if one.loan_no not in known)
            )
            office.plan()
            office.send()
            office.tomorrow()
        after = letters(new) - letters(kept)
        twice = Counter([*reminded, *office.reminded(after)])
        seen["review"] += sum(message.state == "review" for message in office.all(Message))
    assert max(twice.values(), default=0) <= 1, [what for what, count in twice.items() if count > 1]
    seen["again"] += len(after)
    return seen


def test_twenty_homes_were_lost_and_none_sends_a_letter_twice(first_home: Path, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    for seed in range(20):
        seen += story(seed, first_home, tmp_path / str(seed))
    assert min(seen["known"], seen["again"], seen["review"]) > 10, seen  # it was a story worth telling


# -- held ------------------------------------------------------------------------------------------

LATE = START + timedelta(days=3)


@pytest.fixture
def two_homes(first_home: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The home that went on for a day after the snapshot, and the held one."""
    old, new = tmp_path / "old", tmp_path / "new"
    shutil.copytree(first_home, old)
    with at_work(old) as office:
        office.plan()
    restored(old, new, START, LATE)
    return old, new


def refused(call: Any, *arguments: Any) -> LoanHubError:
    with pytest.raises(LoanHubError) as caught:
        call(*arguments)
    return caught.value


def test_a_held_home_is_read_but_sends_and_takes_in_nothing(
    two_homes: tuple[Path, Path], tmp_path: Path
) -> None:
    _, new = two_homes
    with at_work(new, Clock(LATE)) as office:
        assert office.house.desk().do(FIND, Find("JJ0001")).results
        for act in (office.send, lambda: take_in(office, tmp_path / "no.xlsx")):
            assert (refused(act).code, refused(act).exit_status) == ("home-held", 5)
        session = Session.of(Wishes(home=str(new)))
        session.adopt(office.house)
        assert isinstance(refused(up, session, Up()), Waiting)
        assert "home-held" in {found.code for found in place_fit(office.house)}
    assert letters(new) == set()


def take_in(office: Office, path: Path) -> None:
    intake = Intake.of(office.house, "zh")
    work = Job("intake", lambda _: intake.take(Incoming(path, path.name)))
    for _ in jobs.run(work, office.house):
        pass


@pytest.mark.parametrize(("lang", "words"), [("zh", "从备份恢复"), ("en", "restored from a backup")])
@pytest.mark.parametrize("command", [["up"], ["watch", "--once"], ["remind", "send"], ["ingest", "a.xlsx"]])
def test_a_held_home_says_so_at_the_command_line(
    two_homes: tuple[Path, Path], lang: str, words: str, command: list[str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOANHUB_PASSPHRASE", str(SECRET.text()))
    workbook(tmp_path / "a.xlsx", [HEAD, loan_row(1)])
    assert run(["--home", str(two_homes[1]), "--lang", lang, *command]) == 5
    assert words in capsys.readouterr().err


def test_a_marker_that_cannot_be_read_holds_the_home(two_homes: tuple[Path, Path]) -> None:
    whole = marker(Home(two_homes[1])).read_bytes()
    assert Held.of(whole).to_bytes() == whole
    for broken in (
        b"",
        b"{}",
        b"[]",
        whole[:-3],
        whole.replace(b"1,", b"2,", 1),
        whole.replace(b"06", b"66", 1),
    ):
        marker(Home(two_homes[1])).write_bytes(broken)
        with at_work(two_homes[1], Clock(LATE)) as office:
            assert isinstance(refused(office.send), Damaged)
            assert isinstance(refused(office.resume), Damaged)


# -- resumed ---------------------------------------------------------------------------------------


def test_a_preview_changes_nothing(two_homes: tuple[Path, Path]) -> None:
    old, new = two_homes
    with at_work(old) as office:
        office.send()
    with at_work(new, Clock(LATE)) as office:
        before = state_of(office)
        shown = office.resume(old, dry=True)
        assert shown.data is not None
        assert shown.data["messages"]["sent"] > 0
        assert state_of(office) == before
        assert held_by(office.house.home) is not None


def state_of(office: Office) -> list[Any]:
    """All that resuming may change, but for the moments at which it did."""
    with office.house.store.reading() as tx:
        batches = [(batch["sha256"], batch["status"], batch["stored"]) for batch in tx.find(Query("batch"))]
        resumed = [(line.act, line.object) for line in tx.lines() if line.act == "resume"]
    messages = [
        (one.id, one.dedup, one.state, one.receipt.get("reference"), one.lease_until)
        for one in office.all(Message)
    ]
    numbers = [(one.loan_no, one.customer_id) for one in office.all(Loan)]
    return [messages, numbers, batches, resumed]


def test_with_nothing_left_a_person_confirms_what_was_sent(two_homes: tuple[Path, Path]) -> None:
    _, new = two_homes
    with at_work(new, Clock(LATE)) as office:
        came = office.resume()
        assert came.data is not None
        assert (came.exit_status, came.data["evidence"]) == (5, "none")
        waiting = [one.id for one in office.all(Message) if one.state == "review"]
        assert came.data["messages"]["review"] == {"letter": len(waiting)}
        office.send()
        assert letters(new) == set()
        with pytest.raises(Usage):
            office.house.desk().do(CONFIRM, Confirm(channel="letter"))
        office.house.desk().do(CONFIRM, Confirm(tuple(waiting[:1]), sent=True))
        office.clock.at = START
        assert (
            office.house.desk().do(CONFIRM, Confirm(channel="letter", sent=False)).count == len(waiting) - 1
        )
        office.send()
        assert {int(stem.partition("-")[0]) for stem in letters(new)} == set(waiting[1:])


def test_a_clock_that_was_behind_at_the_restore_lets_nothing_through(
    first_home: Path, tmp_path: Path
) -> None:
    new = restored(first_home, tmp_path / "new", START, START - timedelta(days=30))
    with at_work(new) as office:
        office.resume()
        office.plan()
        office.send()
        assert letters(new) == set()
        assert any(one.state == "review" for one in office.all(Message))


def test_an_outbox_that_survives_is_followed_to_the_letter(two_homes: tuple[Path, Path]) -> None:
    old, new = two_homes
    with at_work(old) as office:
        office.send()
        theirs = {one.dedup: one.state for one in office.all(Message)}
    with at_work(new, Clock(LATE)) as office:
        came = office.resume(old)
        assert came.data is not None
        assert (came.exit_status, came.data["evidence"]) == (0, "outbox")
        assert {one.dedup: one.state for one in office.all(Message)} == theirs


def test_a_letter_in_a_senders_hands_when_all_ended_is_not_sent_on_faith(
    two_homes: tuple[Path, Path],
) -> None:
    old, new = two_homes
    with at_work(old) as office:
        office.killed_while_sending()
    shutil.rmtree(old / "letters")
    with at_work(new, Clock(LATE)) as office:
        came = office.resume(old)
        assert came.data is not None
        assert sum(came.data["messages"]["review"].values()) > 0
        assert came.exit_status == 5


def test_sheets_taken_in_since_are_taken_in_again_in_their_order(
    two_homes: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = two_homes
    with at_work(old) as office:
        for number in (1, 2):
            rows = [HEAD, loan_row(50), loan_row(50 + number)]
            take_in(office, workbook(tmp_path / f"{number}.xlsx", rows))
        wanted = {(one.loan_no, one.amount) for one in office.all(Loan)}
        names = [batch.name for batch in office.all(Batch)]
    for gone in (False, True):
        copy = tmp_path / f"new-{gone}"
        shutil.copytree(new, copy)
        if gone:
            shutil.rmtree(old / "data")
        with at_work(copy, Clock(LATE)) as office:
            came = office.resume(old)
            assert came.data is not None
            assert len(came.data["batches"]) == 2
            assert gone or came.data["originals"] == names == ["1.xlsx", "2.xlsx"]
            assert {(one.loan_no, one.amount) for one in office.all(Loan)} == wanted
            assert list((copy / "tmp").iterdir()) == []


def test_what_else_was_done_since_is_listed_and_the_chain_goes_on(two_homes: tuple[Path, Path]) -> None:
    old, new = two_homes
    with at_work(old) as office:
        office.put(evolve(customer(3), remark="谈妥了", version=1))
        office.house.desk().do(REVEAL, RevealCustomer(3, ("mobile",), "回访"))
        office.send()
    with at_work(new, Clock(LATE)) as office:
        office.put(customer(9))  # done in the held home: the logs part before it
        came = office.resume(old)
        assert came.data is not None
        assert [(one["act"], one["object"]) for one in came.data["since"]] == [("test.put", "customer:3")]
        assert list(audit_whole(office.house)) == []
        with office.house.store.reading() as tx:
            *_, last = tx.lines()
        assert (last.act, last.object) == ("resume", "snapshot:7-abcd1234")
        assert last.counts["line"] == came.data["since"][0]["seq"] - 1
        assert "2026-06-10T04:00:00Z" in last.reason
        assert isinstance(refused(office.resume), NotFound)


def test_a_disk_that_lost_some_of_its_bytes_tells_what_it_still_can(
    two_homes: tuple[Path, Path], tmp_path: Path
) -> None:
    old, new = two_homes
    with at_work(old) as office:
        office.send()
        reminded = letters(old)
    database = old / "data" / "loanhub.db"
    whole = database.read_bytes()
    told = set()
    for place in range(0, len(whole), len(whole) // 12):
        database.write_bytes(whole[:place] + b"\0" * 5000 + whole[place + 5000 :])
        copy = tmp_path / str(place)
        shutil.copytree(new, copy)
        with at_work(copy, Clock(LATE)) as office:
            came = office.resume(old)
            assert came.data is not None
            told.add(came.data["evidence"])
            office.send()
            assert not {stem.rpartition("-")[2] for stem in letters(copy)} & {
                stem.rpartition("-")[2] for stem in reminded
            }
    assert told == {"outbox", "letters"}


def test_a_home_of_somebody_else_tells_nothing(two_homes: tuple[Path, Path], tmp_path: Path) -> None:
    Institution.create(tmp_path / "other", SECRET, {})[0].close()
    with at_work(two_homes[1], Clock(LATE)) as office:
        assert refused(office.resume, tmp_path / "other").exit_status == 4
        assert refused(office.resume, two_homes[1]).code == "resume-another-home"
        assert refused(office.resume, tmp_path / "nowhere").code == "resume-from-missing"
        assert held_by(office.house.home) is not None


class Killed(BaseException):
    """The process ends here."""


def test_killed_anywhere_while_resuming_the_next_run_ends_the_same(
    two_homes: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = two_homes
    with at_work(old) as office:
        office.send()
        office.put(loan(LATER, due=TODAY + timedelta(days=1)))
        office.tomorrow()
        office.plan()
        office.send()
        take_in(office, workbook(tmp_path / "since.xlsx", [HEAD, loan_row(50)]))
    ends = [resumed_after(kill, new, old, tmp_path / str(kill), monkeypatch) for kill in (0, 1, 2, 3, 5, 7)]
    assert ends[0][0] is False
    assert [killed for killed, _ in ends[1:4]] == [True] * 3
    for _, state in ends[1:]:
        assert state == ends[0][1]


def resumed_after(
    kill: int, held: Path, old: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[bool, list[Any]]:
    """Resumed once more after a kill before the writing of this number; 0: not killed."""
    shutil.copytree(held, home)
    killed = False
    with at_work(home, Clock(LATE)) as office, monkeypatch.context() as patch:
        writing, count = office.house.store.writing, 0

        def counted() -> Any:
            nonlocal count
            count += 1
            if count == kill:
                raise Killed
            return writing()

        patch.setattr(type(office.house.store), "writing", lambda _: counted())
        try:
            office.resume(old)
        except Killed:
            killed = True
            assert held_by(office.house.home) is not None
    with at_work(home, Clock(LATE)) as office:
        if killed:
            office.resume(old)
        assert held_by(office.house.home) is None
        return killed, state_of(office)
