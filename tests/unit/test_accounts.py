"""Accounts and signing in: who may open what, when a sign-in ends, and what a stranger learns (nothing)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from attrs import define, evolve

from loanhub import settings
from loanhub.accounts import Recognised, digest_of, principal_of, recognise
from loanhub.acts import Act, Asked, Facts
from loanhub.cli.signing import keep, kept_file, sign_in_again
from loanhub.desk import Desk
from loanhub.entities import Account, Delegation, Pending, SignIn
from loanhub.errors import Busy, Damaged, LoanHubError, NotAllowed, NotFound, Usage
from loanhub.home import FOLDERS, Home
from loanhub.institution import Institution
from loanhub.keys import Keyring, Secret, is_cheap, keep_password, open_password, signed_by
from loanhub.keys import sign as signature
from loanhub.keys import slots as slot_module
from loanhub.policy import Principal, Scope
from loanhub.records import Query, to_entity
from loanhub.records import Test as Where
from loanhub.services.accounts import acts, people, signing_in
from loanhub.services.accounts.passwords import PROFILES, check_password
from loanhub.services.office import acts as office_acts
from loanhub.services.office import approvals, auditing
from loanhub.services.people import acts as people_acts
from loanhub.services.people import edit, find, merge, show, unmerge

CHEAP = {"memory_kib": 8, "time": 1, "lanes": 1}
HOUSE = Secret("三只纸船")
FIRST = Secret("Xiang!9ri-kui-hao")
SECOND = Secret("Zhi-chuan!8guo-he")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


@define
class Clock:
    time: datetime = NOON

    def now(self) -> datetime:
        return self.time

    def on(self, **more: float) -> None:
        self.time += timedelta(**more)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passwords that cost little; what they cost a guesser is tested with the keys."""
    monkeypatch.setattr(slot_module, "ARGON2_DEFAULT", CHEAP)
    monkeypatch.setattr("loanhub.keys.passwords.ARGON2_DEFAULT", CHEAP)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[Institution]:
    root = tmp_path / "home"
    for name in FOLDERS:
        (root / name).mkdir(parents=True)
    Keyring.create(Home(root).keyring, HOUSE, parameters=CHEAP)
    settings.write(Home(root), {"institution": "示范小贷", "lang": "zh"})
    with Institution.open(root, unlock=lambda: HOUSE, clock=clock) as house:
        yield house


def person(
    house: Institution, login: str, name: str, *roles: str, desk: Desk | None = None, **more: str
) -> Recognised:
    """An account, made and activated."""
    ask = people.AddUser(login, name, roles, **more)  # type: ignore[arg-type]
    invited = (desk or house.desk()).do(acts.ADD, ask)
    return signing_in.activate(house, login, Secret(invited.code), FIRST, via="cli").who


@pytest.fixture
def admin(house: Institution) -> Recognised:
    return person(house, "gao", "高敏", "admin")


@pytest.fixture
def boss(house: Institution, admin: Recognised) -> Desk:
    return house.desk(admin.principal)


def stored(house: Institution, kind: type[Account | SignIn], key: int) -> dict[str, object]:
    with house.store.reading() as tx:
        found = tx.get(kind.KIND, key)
    assert found is not None
    return found


def outcomes(house: Institution) -> list[tuple[str, str, str, str]]:
    with house.store.reading() as tx:
        return [(line.who, line.act, line.outcome, line.reason) for line in tx.lines()]


# -- the first account ---------------------------------------------------------------------------------


def test_a_fresh_home_has_no_account_and_the_first_is_made_on_its_host(house: Institution) -> None:
    """ASVS 6.3.2."""
    assert not house.has_accounts
    with pytest.raises(Usage, match="first-is-admin"):
        house.desk().do(acts.ADD, people.AddUser("wang", "王伟", ("officer",)))
    person(house, "gao", "高敏", "admin")
    assert house.has_accounts
    with pytest.raises(NotAllowed, match="sign-in-needed"):
        house.desk()


def test_an_account_starts_by_its_code_once_and_within_a_day(
    house: Institution, boss: Desk, clock: Clock
) -> None:
    """ASVS 6.4.1."""
    invited = boss.do(acts.ADD, people.AddUser("li", "李四", ("officer",)))
    with pytest.raises(NotAllowed, match="wrong-password"):
        signing_in.sign_in(house, "li", Secret(invited.code), via="cli")
    with pytest.raises(NotAllowed, match="activation-refused"):
        signing_in.activate(house, "li", Secret("AAAAA-AAAAA-AAAAA-AAAAA"), FIRST, via="cli")
    with pytest.raises(Usage, match="password-short"):
        signing_in.activate(house, "li", Secret(invited.code), Secret("Ab1!"), via="cli")
    came = signing_in.activate(house, "Ｌｉ ", Secret(invited.code.lower()), FIRST, via="cli")
    assert came.who.principal.name == "li"
    with pytest.raises(NotAllowed, match="activation-refused"):
        signing_in.activate(house, "li", Secret(invited.code), SECOND, via="cli")
    again = boss.do(acts.RESET, people.ResetUser("li"))
    clock.on(hours=24)
    with pytest.raises(NotAllowed, match="activation-refused"):
        signing_in.activate(house, "li", Secret(again.code), FIRST, via="cli")


@pytest.mark.parametrize("login", ["", "a", "a b", "a/b", "x" * 41, "a\nb", "-ab"])
def test_a_login_that_cannot_be_one_is_refused(house: Institution, login: str) -> None:
    with pytest.raises(Usage, match="login-unfit"):
        house.desk().do(acts.ADD, people.AddUser(login, "某人", ("admin",)))


def test_a_login_is_given_once_and_roles_are_those_of_the_house(house: Institution, boss: Desk) -> None:
    with pytest.raises(Usage, match="login-taken"):
        boss.do(acts.ADD, people.AddUser("GAO", "高某", ("officer",)))
    for roles in (("wizard",), ()):
        with pytest.raises(Usage, match="role-unknown"):
            boss.do(acts.ADD, people.AddUser("li", "李四", roles))


# -- passwords -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Ab1!xyz", "password-short"),
        ("alllowercaseletters", "password-kinds"),
        ("Password1", "password-common"),
        ("Woaini1314", "password-common"),
        ("Gao-Min!2026x", "password-named"),
        ("X9!示范小贷-door", "password-named"),
        ("loanhub-Door!77", "password-named"),
        ("A1!" * 100, "password-long"),
    ],
)
def test_a_weak_password_is_refused_and_why(text: str, code: str) -> None:
    """ASVS 6.2.1, 6.2.4, 6.2.11, 6.2.12."""
    with pytest.raises(Usage, match=code):
        check_password(Secret(text), PROFILES["dengbao"], ["gao-min", "高敏", "示范小贷", "loanhub"], [])


def test_long_and_chinese_passphrases_are_taken_byte_for_byte() -> None:
    """ASVS 6.2.3, 6.2.8, 6.2.9."""
    for text in (
        "三只纸船过河去，天还没亮呢，我们走",
        "  spaces at both ends matter ",
        "ａｂｃ" * 30,
        "x1 " * 60,
    ):
        check_password(Secret(text), PROFILES["modern"], ["gao"], [])
        kept, key = keep_password(Secret(text))
        assert open_password(kept, Secret(text)) == key
        for other in (text.strip(), text[:72], text + " ", text.casefold() + "x"):
            if other != text:
                with pytest.raises(NotAllowed, match="wrong-password"):
                    open_password(kept, Secret(other))


def test_what_is_kept_of_a_password_is_read_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, _ = keep_password(FIRST)
    for broken in ("", kept[:-1], kept.replace("argon2id", "argon2i"), kept.replace("m=8", "m=99999999")):
        with pytest.raises(Damaged, match="password-kept-damaged"):
            open_password(broken, FIRST)
    assert not is_cheap(kept)
    monkeypatch.setattr("loanhub.keys.passwords.ARGON2_DEFAULT", {**CHEAP, "time": 2})
    assert is_cheap(kept)
    assert open_password(kept, FIRST), "one kept at another cost still opens"


def test_a_changed_password_needs_the_old_one_is_new_and_ends_other_sign_ins(
    house: Institution, admin: Recognised
) -> None:
    """ASVS 6.2.3, 7.4.3, 7.5.1."""
    other = signing_in.sign_in(house, "gao", FIRST, via="cli")
    with pytest.raises(NotAllowed, match="wrong-password"):
        signing_in.change_password(house, admin, SECOND, SECOND)
    with pytest.raises(Usage, match="password-used"):
        signing_in.change_password(house, admin, FIRST, FIRST)
    signing_in.change_password(house, admin, FIRST, SECOND)
    with pytest.raises(NotAllowed, match="sign-in-ended"):
        recognise(house, other.secret, via="cli")
    with pytest.raises(NotAllowed, match="wrong-password"):
        signing_in.sign_in(house, "gao", FIRST, via="cli")
    assert signing_in.sign_in(house, "gao", SECOND, via="cli").who.signing_key == admin.signing_key


def test_under_dengbao_a_password_is_changed_every_ninety_days(
    house: Institution, admin: Recognised, clock: Clock
) -> None:
    clock.on(days=89)
    assert not signing_in.sign_in(house, "gao", FIRST, via="cli").must_change
    clock.on(days=1)
    assert signing_in.sign_in(house, "gao", FIRST, via="cli").must_change


def test_guesses_wait_longer_each_time_and_a_stranger_locks_nobody_out_for_good(
    house: Institution, admin: Recognised, clock: Clock
) -> None:
    """ASVS 6.3.1: of a thousand guesses few reach the hash, and the owner still gets in."""
    hashed = 0
    for _ in range(1000):
        try:
            signing_in.sign_in(house, "gao", Secret("guess"), via="cli")
        except Busy:
            clock.on(seconds=1)
        except NotAllowed:
            hashed += 1
    assert hashed < 15
    clock.on(minutes=15)
    assert signing_in.sign_in(house, "gao", FIRST, via="cli").who.principal.name == "gao"
    assert stored(house, Account, admin.account.id)["failures"] == 0


def test_an_unknown_login_answers_as_a_wrong_password_does(house: Institution, admin: Recognised) -> None:
    """ASVS 6.3.8: by its words; the time is that of one hash either way."""
    answers = set()
    for login in ("gao", "nobody"):
        with pytest.raises(NotAllowed) as refused:
            signing_in.sign_in(house, login, Secret("guess"), via="cli")
        answers.add((refused.value.code, tuple(refused.value.facts)))
    assert answers == {("wrong-password", ())}


# -- sign-ins ------------------------------------------------------------------------------------------


def test_a_sign_in_ends_when_idle_after_half_a_day_and_at_once_when_signed_out(
    house: Institution, admin: Recognised, clock: Clock
) -> None:
    """ASVS 7.3.1, 7.3.2, 7.4.1. An administrator's idles for 15 minutes."""
    came = signing_in.sign_in(house, "gao", FIRST, via="cli")
    clock.on(minutes=15, seconds=-1)
    recognise(house, came.secret, via="cli")
    clock.on(minutes=15)
    with pytest.raises(NotAllowed, match="sign-in-ended"):
        recognise(house, came.secret, via="cli")
    busy = signing_in.sign_in(house, "gao", FIRST, via="cli")
    for _ in range(71):
        clock.on(minutes=10)
        recognise(house, busy.secret, via="cli")
    clock.on(minutes=10)
    with pytest.raises(NotAllowed, match="sign-in-ended"):
        recognise(house, busy.secret, via="cli")
    gone = signing_in.sign_in(house, "gao", FIRST, via="cli")
    signing_in.sign_out(house, gone.who)
    with pytest.raises(NotAllowed, match="sign-in-ended"):
        recognise(house, gone.secret, via="cli")


def test_nothing_that_is_kept_signs_anybody_in(house: Institution, admin: Recognised) -> None:
    """ASVS 7.2.3: 256 random bits, of which the hash is kept."""
    came = signing_in.sign_in(house, "gao", FIRST, via="cli")
    assert len(came.secret) == 32
    kept = stored(house, SignIn, came.who.sign_in.id)
    assert kept["digest"] == digest_of(came.secret)
    assert came.secret.reveal().hex() not in repr(kept)
    with pytest.raises(NotAllowed, match="sign-in-unknown"):
        recognise(house, Secret(bytes.fromhex(str(kept["digest"]))), via="cli")


def test_each_sign_in_refusal_and_end_is_one_line_that_names_no_secret(
    house: Institution, admin: Recognised
) -> None:
    """ASVS 16.3.1, 16.2.5."""
    before = len(outcomes(house))
    with pytest.raises(NotAllowed):
        signing_in.sign_in(house, "my-secret-typed-as-login", Secret("guess"), via="cli")
    with pytest.raises(NotAllowed):
        signing_in.sign_in(house, "gao", Secret("guess-canary"), via="cli")
    came = signing_in.sign_in(house, "gao", FIRST, via="cli")
    signing_in.sign_out(house, came.who)
    label = came.who.sign_in.label
    assert outcomes(house)[before:] == [
        ("?", "login.failed", "failed", "password"),
        ("gao", "login.failed", "failed", "password"),
        ("gao", "login.done", "done", label),
        ("gao", "logout", "done", label),
    ]


def test_what_a_role_may_counts_from_the_next_command(house: Institution, boss: Desk) -> None:
    """ASVS 8.3.2: a role taken away in the middle of a sign-in."""
    li = person(house, "li", "李四", "officer", desk=boss)
    came = signing_in.sign_in(house, "li", FIRST, via="cli")
    assert recognise(house, came.secret, via="cli").principal.may("customer.write")
    boss.do(acts.MOVE, people.MoveUser("li", ("finance",)))
    after = recognise(house, came.secret, via="cli").principal
    assert (after.role, after.may("customer.write")) == ("finance", False)
    assert li.principal.may("customer.write"), "what was recognised before is as it was then"


def test_only_an_administrator_makes_accounts_and_nobody_changes_his_own(
    house: Institution, boss: Desk, admin: Recognised
) -> None:
    li = person(house, "li", "李四", "officer", desk=boss)
    with pytest.raises(NotAllowed, match="not-allowed"):
        house.desk(li.principal).do(acts.ADD, people.AddUser("me2", "李四", ("admin",)))
    with pytest.raises(NotAllowed, match="own-account"):
        boss.do(acts.MOVE, people.MoveUser("gao", ("admin", "approver")))
    assert ("li", "users.add", "denied", "") in outcomes(house)
    assert {line.login: line.signed_in for line in boss.do(acts.LIST, people.ListUsers())} == {
        "gao": 1,
        "li": 1,
    }
    with pytest.raises(NotFound, match="account-unknown"):
        boss.do(acts.MOVE, people.MoveUser("nobody", ("officer",)))


def test_another_post_keeps_team_and_branch_unless_told(house: Institution, boss: Desk) -> None:
    person(house, "li", "李四", "officer", desk=boss, team="一组", branch="城关")
    moved = boss.do(acts.MOVE, people.MoveUser("li", ("supervisor",)))
    assert (moved.team, moved.branch) == ("一组", "城关")
    moved = boss.do(acts.MOVE, people.MoveUser("li", ("supervisor",), team="二组", branch=""))
    assert (moved.team, moved.branch) == ("二组", None)


def test_nobody_is_called_what_somebody_else_is_called(house: Institution, boss: Desk) -> None:
    """Rows go by the name that a sheet gives as the manager."""
    person(house, "li", "李四", "officer", desk=boss, also=("小李",))  # type: ignore[arg-type]
    for login, name, also in (("li2", "李四", ()), ("li3", "李三", ("小李",)), ("小李", "李五", ())):
        with pytest.raises(Usage, match="name-taken"):
            boss.do(acts.ADD, people.AddUser(login, name, ("officer",), also))
    boss.do(acts.OFFBOARD, people.Offboard("li"))
    assert boss.do(acts.ADD, people.AddUser("li2", "李四", ("officer",))).login == "li2"


def test_a_token_without_rights_has_none(house: Institution, boss: Desk) -> None:
    li = person(house, "li", "李四", "officer", desk=boss)
    with house.store.reading() as tx:
        assert principal_of(house, tx, li.account, via="api", only=()).rights == frozenset()
        some = principal_of(house, tx, li.account, via="api", only=("loan.read", "account.write"))
    assert some.rights == {"loan.read"}


def test_who_has_no_customers_sees_none(house: Institution, boss: Desk) -> None:
    names = customers(house, boss)
    nobodys = Principal("x", "x", frozenset({"customer.read"}), Scope())
    assert seen(house, nobodys, names) == set()


def test_a_sign_in_of_another_home_is_none_here(
    house: Institution, admin: Recognised, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANHUB_STATE", str(tmp_path / "state"))
    keep(house, Secret(b"a secret of another home"))
    house.signed_in = admin
    sign_in_again(house)
    assert house.signed_in is None
    path = kept_file(house)
    path.unlink()
    path.mkdir()
    house.signed_in = admin
    sign_in_again(house)
    assert house.signed_in is None


# -- rows ----------------------------------------------------------------------------------------------


def customers(house: Institution, desk: Desk) -> dict[str, int]:
    added = {}
    for name, manager in (("甲一", "李四"), ("乙二", "王伟"), ("丙三", "小李")):
        # Each is made by the house: officers come to see what was there before them.
        made = house.system_desk("test").do(people_acts.ADD, edit.AddCustomer(name, manager=manager))
        added[name] = made.id
    assert desk.house is house
    return added


def seen(house: Institution, who: Principal, names: dict[str, int]) -> set[str]:
    found = set()
    for name, key in names.items():
        try:
            house.desk(who).do(people_acts.SHOW, show.ShowCustomer(key))
            found.add(name)
        except NotFound:
            assert house.desk(who).do(people_acts.FIND, find.Find(name)).results == ()
    return found


def test_an_officer_works_with_his_own_customers_and_a_supervisor_with_the_teams(
    house: Institution, boss: Desk
) -> None:
    """ASVS 8.2.2: another officer's customer is not there at all."""
    names = customers(house, boss)
    li = person(house, "li", "李四", "officer", desk=boss, also=("小李",), team="一组")  # type: ignore[arg-type]
    wang = person(house, "wang", "王伟", "officer", desk=boss, team="一组")
    zhao = person(house, "zhao", "赵敏", "supervisor", desk=boss, team="一组")
    assert seen(house, li.principal, names) == {"甲一", "丙三"}
    assert seen(house, wang.principal, names) == {"乙二"}
    assert seen(house, zhao.principal, names) == set(names)


def test_customers_are_lent_for_some_days_and_no_longer(house: Institution, boss: Desk, clock: Clock) -> None:
    names = customers(house, boss)
    li = person(house, "li", "李四", "officer", desk=boss)
    wang = person(house, "wang", "王伟", "officer", desk=boss)
    today = clock.now().date()
    lent = Delegation(
        id=1, from_id=wang.account.id, to_id=li.account.id, since=today, until=today + timedelta(days=2)
    )
    house_puts(house, lent)
    came = signing_in.sign_in(house, "li", FIRST, via="cli")
    assert seen(house, recognise(house, came.secret, via="cli").principal, names) == {"甲一", "乙二"}
    clock.on(days=3)
    later = signing_in.sign_in(house, "li", FIRST, via="cli")
    assert seen(house, later.who.principal, names) == {"甲一"}


def house_puts(house: Institution, lent: Delegation) -> None:
    act = Act("test.lend", people.ListUsers, "account.write", lambda _, __: Facts(None, (lent,)))
    house.system_desk("test").do(act, people.ListUsers())


# -- leaving -------------------------------------------------------------------------------------------


def test_who_leaves_is_out_at_once_and_the_customers_go_to_somebody_else(
    house: Institution, boss: Desk
) -> None:
    """ASVS 7.4.2."""
    names = customers(house, boss)
    person(house, "li", "李四", "officer", desk=boss)
    wang = person(house, "wang", "王伟", "officer", desk=boss)
    came = signing_in.sign_in(house, "li", FIRST, via="cli")
    with pytest.raises(Usage, match="heir-needed"):
        boss.do(acts.OFFBOARD, people.Offboard("li"))
    left = boss.do(acts.OFFBOARD, people.Offboard("li", to="wang", reason="离职"))
    assert (left.ended, left.handed_over, left.to) == (2, 1, "wang")
    with pytest.raises(NotAllowed, match="account-closed|sign-in-ended"):  # noqa: RUF043
        recognise(house, came.secret, via="cli")
    with pytest.raises(NotAllowed, match="account-closed"):
        signing_in.sign_in(house, "li", FIRST, via="cli")
    assert seen(house, wang.principal, names) == {"甲一", "乙二"}
    with pytest.raises(Usage, match="account-left"):
        boss.do(acts.OFFBOARD, people.Offboard("li"))
    assert [line.login for line in boss.do(acts.LIST, people.ListUsers())] == ["gao", "wang"]
    assert "li" in [line.login for line in boss.do(acts.LIST, people.ListUsers(all=True))]


def test_there_is_always_an_administrator(house: Institution, boss: Desk) -> None:
    second = person(house, "qin", "秦强", "admin", desk=boss)
    desk = house.desk(second.principal)
    desk.do(acts.OFFBOARD, people.Offboard("gao"))
    with pytest.raises(LoanHubError, match=r"own-account|last-admin"):
        desk.do(acts.OFFBOARD, people.Offboard("qin"))
    with pytest.raises(Usage, match="last-admin"):
        house.system_desk("test").do(acts.MOVE, people.MoveUser("qin", ("officer",)))


def test_an_account_ends_on_its_last_day(house: Institution, boss: Desk, clock: Clock) -> None:
    invited = boss.do(acts.ADD, people.AddUser("tmp", "临时", ("officer",), until=date(2026, 3, 3)))
    came = signing_in.activate(house, "tmp", Secret(invited.code), FIRST, via="cli")
    clock.on(days=1)
    assert signing_in.sign_in(house, "tmp", FIRST, via="cli").who.account.login == "tmp"
    clock.on(days=1)
    with pytest.raises(NotAllowed, match="account-closed"):
        signing_in.sign_in(house, "tmp", FIRST, via="cli")
    with pytest.raises(NotAllowed, match="account-closed"):
        recognise(house, came.secret, via="cli")


# -- four eyes -----------------------------------------------------------------------------------------


@pytest.fixture
def asked(house: Institution, boss: Desk) -> tuple[Desk, Desk, int, dict[str, int]]:
    """Two supervisors, and a merge that the first asked for."""
    names = customers(house, boss)
    one = person(house, "zhao", "赵敏", "supervisor", desk=boss, team="一组")
    two = person(house, "qian", "钱进", "supervisor", desk=boss, team="一组")
    for login, name in (("li", "李四"), ("xl", "小李")):
        person(house, login, name, "officer", desk=boss, team="一组")
    first, second = (signing_in.sign_in(house, who.principal.name, FIRST, via="cli") for who in (one, two))
    maker, checker = (house.desk(came.who.principal) for came in (first, second))
    waits = maker.do(people_acts.MERGE, merge.MergeCustomers(names["甲一"], names["丙三"], reason="同一人"))
    assert isinstance(waits, Asked)
    return maker, checker, waits.pending, names


def test_a_merge_waits_for_a_second_person_and_happens_once(
    asked: tuple[Desk, Desk, int, dict[str, int]],
) -> None:
    """ASVS 2.3.2: never by who asked for it."""
    maker, checker, pending, names = asked
    with pytest.raises(NotAllowed, match="approval-own"):
        maker.do(office_acts.APPROVE, approvals.Approve(pending))
    with pytest.raises(NotFound):
        maker.do(people_acts.MERGED, unmerge.MergedCustomer(names["甲一"] + 99))
    shown = checker.do(office_acts.APPROVAL, approvals.ShowApproval(pending))
    assert (shown.act, shown.maker) == ("customer.merge", "zhao")
    assert shown.wanted == {"keep": names["甲一"], "other": names["丙三"], "reason": "同一人"}
    checker.do(office_acts.APPROVE, approvals.Approve(pending))
    with maker.house.store.reading() as tx:
        gone = tx.get("customer", names["丙三"])
    assert gone is not None
    assert gone["merged_into"] == names["甲一"]
    with pytest.raises(Usage, match="approval-decided"):
        checker.do(office_acts.APPROVE, approvals.Approve(pending))


def test_of_fifty_approvals_at_once_one_has_an_effect(
    asked: tuple[Desk, Desk, int, dict[str, int]],
) -> None:
    """ASVS 2.3.3, 2.3.4."""
    _, checker, pending, names = asked

    def approve(_: int) -> str:
        try:
            checker.do(office_acts.APPROVE, approvals.Approve(pending))
        except LoanHubError as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(10) as pool:
        came = list(pool.map(approve, range(50)))
    assert came.count("done") == 1
    assert set(came) <= {"done", "approval-decided", "busy", "store-busy", "database-busy"}
    with checker.house.store.reading() as tx:
        found = tx.get("customer", names["丙三"])
    assert found is not None
    assert found["version"] == 2


def test_a_preview_of_what_a_second_person_must_decide_asks_nobody(
    asked: tuple[Desk, Desk, int, dict[str, int]],
) -> None:
    maker, checker, _, names = asked
    waiting = checker.do(office_acts.APPROVALS, approvals.ListApprovals()).approvals
    request = merge.MergeCustomers(names["丙三"], names["甲一"], reason="同一人")
    maker.do(people_acts.MERGE, request, preview=True)
    assert checker.do(office_acts.APPROVALS, approvals.ListApprovals()).approvals == waiting


def test_a_request_that_was_altered_while_it_waited_is_not_run(
    asked: tuple[Desk, Desk, int, dict[str, int]],
) -> None:
    _, checker, pending, names = asked
    with checker.house.store.reading() as tx:
        (record,) = tx.find(Query("pending", (Where("id", "eq", pending),)))
    forged = evolve(
        cast("Pending", to_entity("pending", record)),
        request={"keep": names["乙二"], "other": names["丙三"], "reason": "同一人"},
    )
    act = Act("test.forge", people.ListUsers, "account.write", lambda _, __: Facts(None, (forged,)))
    checker.house.system_desk("test").do(act, people.ListUsers())
    with pytest.raises(Damaged, match="approval-altered"):
        checker.do(office_acts.APPROVE, approvals.Approve(pending))


def signing(house: Institution, login: str) -> Desk:
    """A desk of somebody who works at this machine now, and so signs."""
    house.signed_in = signing_in.sign_in(house, login, FIRST, via="cli").who
    return house.desk()


def test_an_approval_is_signed_by_both_and_one_written_past_the_program_is_found(
    house: Institution, boss: Desk
) -> None:
    names = customers(house, boss)
    for login, name in (("zhao", "赵敏"), ("qian", "钱进")):
        person(house, login, name, "supervisor", desk=boss, team="一组")
    for login, name in (("li", "李四"), ("xl", "小李")):
        person(house, login, name, "officer", desk=boss, team="一组")
    person(house, "shen", "沈计", "auditor", desk=boss)
    with pytest.raises(Usage, match="reason-needed"):
        signing(house, "zhao").do(people_acts.MERGE, merge.MergeCustomers(names["甲一"], names["丙三"]))
    request = merge.MergeCustomers(names["甲一"], names["丙三"], "同一人")
    waits = signing(house, "zhao").do(people_acts.MERGE, request)
    assert isinstance(waits, Asked)
    signing(house, "qian").do(office_acts.APPROVE, approvals.Approve(waits.pending))
    change = signing(house, "zhao").do(people_acts.EDIT, edit.EditCustomer(names["甲一"], ("name=甲乙",)))
    signing(house, "qian").do(office_acts.APPROVE, approvals.Approve(*change.waiting))
    signing(house, "shen").do(office_acts.VERIFY, auditing.VerifyLog())
    for forged in (
        lambda p: evolve(p, checker_signature=b""),
        lambda p: evolve(p, checker_signature=p.maker_signature),
        lambda p: evolve(p, decided_by="li"),
        lambda p: evolve(p, maker="li"),
        lambda p: evolve(p, digest="0" * 64),
        lambda p: evolve(p, decided_by="nobody"),
    ):
        kept = waiting_of(house, waits.pending)
        write_past(house, forged(kept))
        with pytest.raises(Damaged, match="approval-forged"):
            signing(house, "shen").do(office_acts.VERIFY, auditing.VerifyLog())
        write_past(house, evolve(kept, version=kept.version + 1))
    signing(house, "shen").do(office_acts.VERIFY, auditing.VerifyLog())
    boss.do(acts.RESET, people.ResetUser("qian"))
    signing(house, "shen").do(office_acts.VERIFY, auditing.VerifyLog())  # by the key of then


def waiting_of(house: Institution, key: int) -> Pending:
    with house.store.reading() as tx:
        (record,) = tx.find(Query("pending", (Where("id", "eq", key),)))
    return cast("Pending", to_entity("pending", record))


def write_past(house: Institution, forged: Pending) -> None:
    """As an operator writes who has the files and no person's password."""
    act = Act("test.forge", people.ListUsers, "account.write", lambda _, __: Facts(None, (forged,)))
    house.system_desk("test").do(act, people.ListUsers())


# -- the person's own key ------------------------------------------------------------------------------


def test_only_the_person_can_sign_as_the_person(house: Institution, admin: Recognised) -> None:
    came = signing_in.sign_in(house, "gao", FIRST, via="cli")
    key = came.who.signing_key
    assert key is not None
    public = stored(house, Account, admin.account.id)["public_key"]
    assert isinstance(public, bytes)
    assert signed_by(public, b"approve 7", signature(key, b"approve 7"))
    sealed = stored(house, SignIn, came.who.sign_in.id)["signing_key"]
    assert key.reveal() not in (sealed, stored(house, Account, admin.account.id)["signing_key"])


def test_what_an_account_keeps_secret_is_shown_to_nobody(house: Institution, admin: Recognised) -> None:
    with house.store.reading() as tx:
        (record,) = tx.find(Query(Account.KIND))
    secrets = [str(record[name]) for name in ("password", "signing_key") if record[name]]
    for who in (None, admin.principal):
        desk = Desk(house, who or Principal("root", "host-operator", frozenset({"*"})))
        listed = repr(desk.do(acts.LIST, people.ListUsers(all=True)))
        assert not any(one in listed for one in secrets)
    assert not any(one in repr(admin) for one in secrets)
