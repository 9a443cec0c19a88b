"""The encrypted SQLite store: the suite of every store, and what only a file can get wrong."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import sqlite_utils.db
import sqlite_utils.utils
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as some

from loanhub import (
    Column,
    Cursor,
    Damaged,
    LoanHubError,
    Misconfigured,
    Order,
    Probe,
    Query,
    Schema,
    Stale,
    StoreKind,
    Table,
)
from loanhub import Test as Where
from loanhub.schema import schema
from loanhub.testing.store_asking import ages
from loanhub.testing.store_work import SCHEMA, Step, after, check_history, logged, people, save, stored
from loanhub.testing.stores import StoreSuite
from loanhub.texts import catalogue
from loanhub_store_sqlite import open_store, stores
from loanhub_store_sqlite.cipher import driver, toolbox, translated
from loanhub_store_sqlite.queries import behind, selection
from loanhub_store_sqlite.store import SqliteStore

KEY = bytes(range(32))


class TestSqliteStore(StoreSuite):
    kind = StoreKind("sqlite", open_store)
    impatient = StoreKind("sqlite", partial(open_store, busy_timeout=0.2))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    store = open_store(tmp_path, KEY)
    store.migrate(SCHEMA)
    yield store
    store.close()


# -- history, with whatever hypothesis thinks of ---------------------------------------------------------

texts = some.text(some.characters(exclude_categories=["Cs"]), max_size=5)
fields_of_a_person = some.fixed_dictionaries(
    {
        "name": some.none() | texts,
        "born": some.none() | some.dates().map(lambda day: day.isoformat()),
        "amount": some.none() | some.integers(-(2**63), 2**63 - 1),
        "active": some.none() | some.booleans(),
        "extra": some.none() | texts,
        "secret": some.none() | some.binary(max_size=5),
    }
)
steps = some.lists(some.builds(Step, some.integers(1, 3), some.none() | fields_of_a_person), max_size=8)


@settings(max_examples=25)
@given(steps)
def test_any_story_can_be_read_as_of_any_moment(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    store = open_store(tmp_path_factory.mktemp("home"), KEY)
    try:
        store.migrate(SCHEMA)
        check_history(store, steps)
    finally:
        store.close()


def test_a_clock_set_back_makes_no_record_stand_twice(store: SqliteStore) -> None:
    save(store, [{"id": 1, "name": "a"}], 10)
    save(store, [{"id": 1, "version": 1, "name": "b"}], 20)
    save(store, [{"id": 1, "version": 2, "name": "c"}], 15)
    for seconds, name in ((12, ["a"]), (17, ["a"]), (21, ["c"])):
        with store.reading(as_of=after(seconds)) as past:
            assert [r["name"] for r in past.find(Query("person"))] == name


# -- the file ------------------------------------------------------------------------------------------


def test_no_plain_text_reaches_the_disk(store: SqliteStore, tmp_path: Path) -> None:
    canaries = ["Kanarienvogel", "金丝雀在唱歌", "tok:canary"]
    rows = [{"id": n, "name": canaries[n % 2] + str(n), "secret": b"Geheimnis"} for n in range(1, 3001)]
    save(store, rows, 0)
    save(store, [{**row, "version": 1, "amount": 1} for row in rows], 1)
    with store.writing() as tx:
        tx.append(lambda head: [logged(canaries[2], 0, head)])
    with store.reading() as tx:
        assert len(list(tx.find(Query("person")))) == 3000
    files = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {"loanhub.db", "loanhub.db-wal"} <= files.keys()
    assert len(files["loanhub.db-wal"]) > 100_000
    for name, content in files.items():
        for plain in [*(c.encode() for c in canaries), b"Geheimnis", b"SQLite format 3", b"person"]:
            assert plain not in content, name


def test_nothing_is_sorted_into_a_temporary_file(store: SqliteStore) -> None:
    with store.reading() as reader, store.writing() as writer:
        for tx in (reader, writer):
            settings = {
                name: tx.session.run(f"PRAGMA {name}").fetchone()[0]
                for name in ("temp_store", "mmap_size", "synchronous", "journal_mode", "cache_size")
            }
            assert settings.pop("mmap_size", 0) == 0
            assert settings == {
                "temp_store": 2,
                "synchronous": 2,
                "journal_mode": "wal",
                "cache_size": -65536,
            }


def test_another_key_opens_nothing_and_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store = open_store(tmp_path, KEY)
    store.migrate(SCHEMA)
    store.close()
    with pytest.raises(Damaged) as error:
        open_store(tmp_path, bytes(32))
    assert error.value.code == "database-unreadable"
    assert capfd.readouterr() == ("", "")
    open_store(tmp_path, KEY).close()


@pytest.mark.parametrize("length", [0, 16, 31, 33, 64])
def test_a_key_of_another_length_is_never_taken_as_a_passphrase(tmp_path: Path, length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        open_store(tmp_path, bytes(length))


def test_the_key_shows_nowhere(store: SqliteStore) -> None:
    assert KEY.hex()[:8] not in repr(store) + repr(store._writer())
    assert repr(KEY)[2:10] not in repr(store)


def test_a_damaged_first_page_is_unreadable(tmp_path: Path) -> None:
    damage(tmp_path, pages=slice(0, 1))
    with pytest.raises(Damaged) as error:
        open_store(tmp_path, KEY)
    assert error.value.code == "database-unreadable"


def test_damage_further_on_is_found_and_named(tmp_path: Path) -> None:
    damage(tmp_path, pages=slice(15, None))
    store = open_store(tmp_path, KEY)
    try:
        assert store.problems() != []
        store.migrate(SCHEMA)
        with pytest.raises(Damaged), store.reading() as tx:
            tx.columns(Query("person"))
    finally:
        store.close()


def damage(home: Path, *, pages: slice) -> None:
    """Flip one bit in each of these pages of a closed file that holds some persons."""
    store = open_store(home, KEY)
    store.migrate(SCHEMA)
    save(store, ({"id": n, "name": "x" * 50} for n in range(1, 3000)), 0)
    store.close()
    path = home / "data" / "loanhub.db"
    content = bytearray(path.read_bytes())
    for start in range(0, len(content), 4096)[pages]:
        content[start + 100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("place", ["data", "data/loanhub.db"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    if place == "data":
        (tmp_path / place).write_bytes(b"a file where the folder should be")
    else:
        (tmp_path / place).mkdir(parents=True)
    with pytest.raises(Misconfigured) as error:
        open_store(tmp_path, KEY)
    assert error.value.code == "database-not-writable"


def test_a_file_in_the_place_of_the_database_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "loanhub.db").write_bytes(b"PK\x03\x04" * 2000)
    with pytest.raises(Damaged):
        open_store(tmp_path, KEY)


def test_a_checkpoint_copies_what_it_can_and_waits_for_nobody(store: SqliteStore) -> None:
    save(store, [{"id": 1}], 0)
    with store.reading():
        save(store, [{"id": 2}], 0)
        logged, copied = store.checkpoint()
        assert copied < logged
    logged, copied = store.checkpoint()
    assert copied == logged > 0


# -- tables --------------------------------------------------------------------------------------------


OTHERS = "at, who, role, via, act, object, fields, reason, outcome, counts, previous, hash, session, address"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE audit SET who = 'nobody'",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE seq = 2",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE seq = 1",
        f"REPLACE INTO audit SELECT 2, {OTHERS} FROM audit WHERE seq = 1",
        f"INSERT INTO audit SELECT seq + 5, {OTHERS} FROM audit WHERE seq = 2",
        "UPDATE OR REPLACE audit SET seq = 1 WHERE seq = 2",
    ],
)
def test_the_audit_log_only_grows(store: SqliteStore, sql: str) -> None:
    with store.writing() as tx:
        tx.append(lambda head: [logged("a", 0, head)])
        tx.append(lambda head: [logged("b", 0, head)])
    with store.reading() as tx:
        before = list(tx.lines())
    with pytest.raises(LoanHubError, match="the audit log only grows"), store.writing() as tx:
        tx.session.run(sql)
    with store.reading() as tx:
        assert list(tx.lines()) == before


def test_the_tables_of_the_house_are_made_and_found_complete_again(tmp_path: Path) -> None:
    store = open_store(tmp_path, KEY)
    try:
        store.migrate(schema())
        with store.reading() as tx:
            for table in schema().tables:
                assert tx.columns(Query(table.name)).height == 0
            made = tx.session.run("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        assert sum("WITHOUT ROWID" in (sql or "") for _, sql in made) == 4
        with store.writing():  # who only looks must not wait for a writer
            other = open_store(tmp_path, KEY, busy_timeout=0)
            other.migrate(schema())
            other.close()
        with store.reading() as tx:
            assert tx.session.run("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall() == made
    finally:
        store.close()


def test_a_migration_that_fails_leaves_the_home_as_it_was(store: SqliteStore) -> None:
    good = Table("pledge", (Column("a", "text"),))
    bad = evolve(SCHEMA.table("letter"), columns=(Column("state", "integer"),))
    with pytest.raises(Misconfigured) as error:
        store.migrate(Schema(2, (good, bad)))
    assert error.value.code == "database-layout"
    with store.reading() as tx:
        assert tx.session.run("SELECT count(*) FROM sqlite_schema WHERE name = 'pledge'").fetchone() == (0,)
    store.migrate(SCHEMA)


def test_sqlite_utils_works_over_our_driver_whoever_imported_it_first(store: SqliteStore) -> None:
    with store.writing() as tx:
        tools = toolbox(tx.session.conn)
        assert sqlite_utils.db.sqlite3 is driver  # type: ignore[attr-defined]
        assert sqlite_utils.utils.sqlite3 is driver  # type: ignore[attr-defined]
        with pytest.raises(sqlite_utils.db.OperationalError):  # type: ignore[attr-defined]
            tools.execute("SELECT * FROM nowhere")


def test_an_index_serves_names_pages_and_search_keys(store: SqliteStore) -> None:
    asked = [
        Query("person", (Where("name", "eq", "a"),)),
        Query("person", (Where("name", "in", ["a", "b"]),)),
        Query("person", (Where("name", "prefix", "a"),)),
        Query("person", (Where("id", "in", [1, 2]),)),
        Query("person", search=Probe("n:a", prefix=True), limit=50),
        Query("person", order=Order("name"), after=Cursor("a", 5), limit=50),
        Query("search_key", (Where("token", "eq", "n:a"),)),
        Query("search_key", (Where("token", "prefix", "n:a"),), order=Order("token"), limit=50),
        Query(
            "search_key", (Where("token", "prefix", "n:a"),), order=Order("token"), after=Cursor("n:ab", 5)
        ),
    ]
    with store.reading() as tx:
        for q in asked:
            said = selection(q, {q.kind: SCHEMA.table(q.kind)})
            plan = tx.session.run(f"EXPLAIN QUERY PLAN {said.sql}", said.values).fetchall()
            scans = [
                text for *_, text in plan if text.startswith(f"SCAN {q.kind}") or "SCAN search_key" in text
            ]
            assert scans == [], q
            if q.kind == "search_key":  # read in order: what is sorted is read whole first
                assert [text for *_, text in plan if "TEMP B-TREE" in text] == [], q


def test_the_pieces_of_some_blocks_are_read_by_their_key(tmp_path: Path) -> None:
    some = (Where("gram", "in", ["a1", "a2"]), Where("block", "in", [3, 4]))
    store = open_store(tmp_path, KEY)
    store.migrate(schema())
    with store.reading() as tx:
        said = selection(Query("piece", some), {"piece": schema().table("piece")})
        plan = tx.session.run(f"EXPLAIN QUERY PLAN {said.sql}", said.values).fetchall()
    store.close()
    assert [text for *_, text in plan if "piece" in text] == [
        "SEARCH piece USING PRIMARY KEY (gram=? AND block=?)"
    ]


# -- errors --------------------------------------------------------------------------------------------


def test_after_sqlite_undid_a_transaction_nothing_more_is_written_in_it(store: SqliteStore) -> None:
    with pytest.raises(LoanHubError) as error, store.writing() as tx:
        tx.put(people([{"id": 1}]), at=after(0), line=1)
        tx.session.conn.execute("ROLLBACK")  # as SQLite does by itself on a full disk
        tx.put(people([{"id": 2}]), at=after(0), line=1)
    assert error.value.code == "database-rolled-back"
    assert stored(store) == []


def test_a_full_disk_is_named_and_leaves_nothing(store: SqliteStore) -> None:
    ages(store)
    pages = store._writer().conn.execute("PRAGMA page_count").fetchone()[0]
    store._writer().conn.execute(f"PRAGMA max_page_count = {pages + 3}")
    with pytest.raises(LoanHubError) as error:
        save(store, ({"id": n, "name": "x" * 100} for n in range(100, 3000)), 1)
    assert error.value.code == "database-disk-full"
    assert len(stored(store)) == 6


def test_every_error_of_the_driver_becomes_one_with_words() -> None:
    found = set()
    for code in range(30):
        error = driver.DatabaseError("UNIQUE constraint failed: person.id")
        error.sqlite_errorcode = code
        found.add((type(translated(error)), translated(error).code))
    assert {kind for kind, _ in found} >= {Damaged, Stale, Misconfigured}
    assert {code for _, code in found} <= catalogue().keys()


@given(texts, texts)
def test_a_prefix_ends_right_behind_all_that_begin_with_it(prefix: str, text: str) -> None:
    end = behind(prefix)
    for word in (prefix + text, prefix + "\U0010ffff" * 3 + text, text):
        assert word.startswith(prefix) == (word >= prefix and (end is None or word < end))


def test_the_plugin_offers_the_store() -> None:
    assert [kind.name for kind in stores()] == ["sqlite"]
