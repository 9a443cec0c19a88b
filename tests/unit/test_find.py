"""Finding: every page of every search agrees with looking at all records one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from loanhub import pieces
from loanhub.acts import Act, Books, Facts
from loanhub.entities import Batch, Customer, Entity, Loan, Statement
from loanhub.errors import Usage
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.policy import Principal
from loanhub.records import Columns, Query, columns_of
from loanhub.schema import PIECE, SEARCH_KEY
from loanhub.searching import initials, keys, normal, sorted_keys
from loanhub.services.intake.said import packed
from loanhub.services.office.doctor import search_keys_complete
from loanhub.services.office.reindex import reindex
from loanhub.services.people import acts, edit, find
from loanhub.services.people.guessing import tokens

SEEDS = range(20)
SURNAMES, GIVEN = "王王王李张欧", ("伟", "芳", "伟强", "王伟", "小芳芳", "阳丽", "·王伟")
TOWNS, STREETS = ("安平市清和区", "云溪县城关镇", "清和县云溪乡"), ("望湖路", "建国路", "湖滨大道")


@frozen
class Wanted:
    """What a test writes."""

    make: Callable[[Books], tuple[Entity | Columns, ...]]


WRITE = Act("test.write", Wanted, "*", lambda books, w: Facts(None, w.make(books)), confirms=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    root: Path = tmp_path_factory.mktemp("find") / "home"
    house, _ = Institution.create(root, Secret("样例口令 sample"), {"institution": "样例小贷"})
    with house:
        house.desk().do(WRITE, Wanted(lambda books: tuple(new(books, random.Random(0), 240))))
        yield house


def address(chance: random.Random) -> str | None:
    if chance.random() < 0.2:
        return None
    place = chance.choice(TOWNS) + chance.choice(STREETS)
    return f"{place}{chance.randint(1, 130)}号{chance.randint(1, 12)}幢" + chance.choice(
        ["", "１０1室", " B座"]
    )


def facts(chance: random.Random) -> dict[str, Any]:
    number = chance.randint(0, 9999)
    return {
        "name": chance.choice(SURNAMES) + chance.choice(GIVEN),
        "mobile": f"1390000{number:04d}" if chance.random() < 0.7 else None,
        "backup_phone": f"1380000{number:04d}" if chance.random() < 0.3 else None,
        "id_number": f"{1199991990 + number}{number:04d}{number % 10000:04d}",
        "address": address(chance),
        "hukou_address": address(chance),
    }


def new(books: Books, chance: random.Random, count: int) -> Iterator[Entity]:
    first, loan = books.allot("customer", count), books.allot("loan", count)
    for n in range(count):
        yield Customer(id=first + n, **facts(chance))
        yield Loan(id=loan + n, customer_id=first + n, loan_no=f"{1390 + n % 7}-{loan + n}")


def changed(books: Books, chance: random.Random) -> tuple[Entity | Columns, ...]:
    """Some new, some moved, some merged, some gone."""
    people = chance.sample(books.listed(Customer), 24)
    moved = [evolve(one, **facts(chance)) for one in people[:12]]
    target = next(one for one in people[12:] if one.merged_into is None)
    free = [one for one in people[12:20] if one.id != target.id and one.merged_into is None]
    known = {one.merged_into for one in books.listed(Customer)}
    merged = [evolve(one, merged_into=target.id) for one in free[:3] if one.id not in known]
    (gone,) = columns_of([one for one in people[20:] if one.id not in known | {target.id}])
    kept = [one for one in moved if one.id != target.id]
    return (*new(books, chance, 5), *kept, *merged, evolve(gone, gone=True))


# -- looking at every record -----------------------------------------------------------------------


def rank_of(record: Customer | Loan, text: str) -> int | None:
    """How well a record fits a text, by the words of the documentation alone."""
    plain = normal(text)
    if isinstance(record, Loan):
        number = normal(record.loan_no or "")
        return 0 if number == plain else 1 if number.startswith(plain) and len(plain) > 2 else None
    name, ranks = normal(record.name), [9]
    phones = [phone for phone in (record.mobile, record.backup_phone) if phone]
    if plain in phones or (not plain.isdecimal() and name == plain):
        ranks.append(0)
    if len(plain) == 4 and plain.isdecimal():
        ranks += [1 for number in (*phones, record.id_number or "") if number.endswith(plain)]
    if not plain.isdecimal():
        ranks += [1] if name.startswith(plain) else []
        ranks += [2 for n in range(1, len(name) - 1) if name[n:].startswith(plain)]
    if plain.isascii() and plain.isalpha() and 2 <= len(plain) <= 8:
        letters = initials(record.name)
        ranks += [1] if letters == plain else [2] if letters.startswith(plain) else []
    words = [normal(word) for word in text.split()]
    places = [normal(place) for place in (record.address, record.hukou_address) if place]
    if not plain.isascii() and max(map(len, words)) > 1:
        here = [any(len(w) > 1 and w in p for p in places) for w in words]
        named = [len(words) > 1 and (name.startswith(w) or (len(w) > 1 and w in name)) for w in words]
        ranks += [2] if all(map(any, zip(here, named, strict=True))) else []
    return min(ranks) if min(ranks) < 9 else None


def expected(records: list[Customer | Loan], text: str) -> dict[tuple[str, int], int]:
    """The rank of everything that fits; a merged customer stands for whom it was merged into."""
    people = {one.id for one in records if isinstance(one, Customer)}
    found: dict[tuple[str, int], int] = {}
    for record in records:
        rank = rank_of(record, text)
        if rank is None or (isinstance(record, Loan) and record.customer_id not in people):
            continue
        shown = (record.merged_into or record.id) if isinstance(record, Customer) else record.id
        found[record.KIND, shown] = min(rank, found.get((record.KIND, shown), rank))
    return found


def everything(house: Institution) -> list[Customer | Loan]:
    """All customers and loans, opened."""
    found: list[Customer | Loan] = []

    def read(books: Books, _: Wanted) -> Facts[None]:
        found.extend([*books.listed(Customer), *books.listed(Loan)])
        return Facts(None)

    house.desk().do(Act("test.read", Wanted, "*", read, writes=False), Wanted(lambda _: ()))
    return found


def pages(house: Institution, text: str, limit: int) -> list[find.Hit]:
    """All hits, asked for page by page."""
    hits: list[find.Hit] = []
    after: str | None = None
    while True:
        page = house.desk().do(acts.FIND, find.Find(text, limit, after))
        assert len(page.results) == limit if page.more else len(page.results) <= limit
        assert page.more == (page.after is not None)
        hits += page.results
        after = page.after
        assert len(hits) < 5_000
        if after is None:
            return hits


def texts(records: list[Customer | Loan], chance: random.Random) -> list[str]:
    """What a clerk might type."""
    person = chance.choice([one for one in records if isinstance(one, Customer) and one.address])
    place = normal(person.address or "")
    start = chance.randrange(len(place) - 3)
    piece, other = place[start : start + chance.randint(2, 6)], chance.choice(STREETS)
    words = [piece, other, f"{chance.randint(1, 130)}号"]
    return [
        *("王", "王伟", "阳丽", "wwq", "w", "139", chance.choice(SURNAMES) + chance.choice(GIVEN)),
        *(initials(person.name), person.mobile or "1390000", (person.id_number or "")[-4:], piece),
        *(f"{place[:6]} {place[6:9]}", " ".join(chance.sample(words, 3)), " ".join(words[1:])),
        *(f"{person.name[0]} {other}", f"{other} {person.name[-2:]}", "清和 云溪", "没有 这里"),
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_pages_put_together_hold_everything_that_fits_once_and_best_first(
    home: Institution, seed: int
) -> None:
    chance = random.Random(seed)
    home.desk().do(WRITE, Wanted(lambda books: changed(books, chance)))
    records = everything(home)
    for text in chance.sample(texts(records, chance), 6):
        wanted = expected(records, text)
        hits = pages(home, text, chance.choice([1, 2, 3, 7]) if len(wanted) < 20 else 15)
        found = [(hit.kind, hit.id) for hit in hits]
        ranks = [find.MATCHES.index(hit.match) for hit in hits]
        assert len(found) == len(set(found)), text
        assert dict(zip(found, ranks, strict=True)) == wanted, text
        order = [(rank, hit.kind == "loan") for rank, hit in zip(ranks, hits, strict=True)]
        assert order == sorted(order), text


# -- what finding stands on ------------------------------------------------------------------------


def held(house: Institution) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """All search keys and all pieces that the store holds."""
    with house.store.reading() as tx:
        every = tx.columns(Query(SEARCH_KEY)).select("token", "id")
        return set(every.iter_rows()), set(pieces.spread(tx.columns(Query(PIECE))).iter_rows())


def made(house: Institution) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """The same made of the records as they stand."""
    with house.store.reading() as tx:
        frames = {kind: tx.columns(Query(kind)) for kind in ("customer", "loan")}
    grams = pieces.spread(pieces.rows(frames["customer"]))
    return {row for kind, some in frames.items() for row in keys(kind, some).iter_rows()}, set(
        grams.iter_rows()
    )


def test_keys_and_pieces_follow_every_change_and_removal(home: Institution) -> None:
    home.desk().do(WRITE, Wanted(lambda books: changed(books, random.Random(99))))
    assert held(home) == made(home)


def test_a_large_file_makes_the_keys_that_small_changes_make(home: Institution) -> None:
    with home.store.reading() as tx:
        records = [Columns(kind, tx.columns(Query(kind))) for kind in ("customer", "loan")]
    *letters, grams = sorted_keys(records)
    assert [some["token"][0][0] for some in letters] == sorted({token[0] for token, _ in made(home)[0]})
    assert (set(pl.concat(letters).iter_rows()), set(pieces.spread(grams).iter_rows())) == made(home)


def test_the_tokens_of_one_record_are_those_of_many(home: Institution) -> None:
    blind = {(token, key) for token, key in made(home)[0] if token.startswith("x:")}
    people: set[tuple[str, int]] = set()
    loans: set[tuple[str, int]] = set()
    for record in everything(home):
        (loans if isinstance(record, Loan) else people).update((token, record.id) for token in tokens(record))
    assert people | loans | blind == made(home)[0]


TEXTS = st.lists(st.none() | st.text("12８a王望湖路 \n号𠮷", max_size=8), min_size=3, max_size=3)


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_the_pieces_of_many_are_the_grams_of_each(rows: list[list[str | None]]) -> None:
    ids = [pieces.BLOCK * (n % 2) + n for n in range(len(rows))]
    frame = pl.DataFrame(
        [(key, *texts) for key, texts in zip(ids, rows, strict=True)],
        schema={"id": pl.Int64, **dict.fromkeys(pieces.SOURCES, pl.String)},
        orient="row",
    )
    wanted = set()
    for key, (name, *places) in zip(ids, rows, strict=True):
        grams = set().union(*(pieces.address_grams(normal(place or "")) for place in places))
        if called := normal(name or ""):
            grams |= pieces.name_grams(called[0]) | {f"n{character}" for character in called}
        wanted |= {(gram, key) for gram in grams}
    assert set(pieces.spread(pieces.rows(frame)).iter_rows()) == wanted


def test_common_pieces_take_a_bit_for_each_customer_and_rare_ones_two_bytes() -> None:
    frame = pl.DataFrame({"id": range(1, 6001), "name": "王伟", "address": None, "hukou_address": None})
    frame = frame.with_columns(address=pl.when(pl.col("id") < 4096).then(pl.lit("建国路")))
    made = pieces.rows(frame.with_columns(hukou_address=pl.lit(None, pl.String)))
    assert dict(made.select("gram", pl.col("ids").bin.size()).iter_rows()) == {
        **{"n王": pieces.BITMAP, "n伟": pieces.BITMAP, "s王": pieces.BITMAP},
        **{"a建国": 2 * 4095, "a国路": 2 * 4095},
    }
    assert pieces.spread(made).height == 3 * 6000 + 2 * 4095


# -- places, sight and older homes -----------------------------------------------------------------


def test_a_place_to_go_on_from_names_nobody_and_fits_its_own_search_only(home: Institution) -> None:
    page = home.desk().do(acts.FIND, find.Find("王", 3))
    assert page.after is not None
    assert set(page.after) <= set("0123456789-")
    for text, after in (("李", page.after), ("王", "99-1"), ("王", "1-999999"), ("王", "王"), ("", "0-1")):
        with pytest.raises(Usage, match="find-after"):
            home.desk().do(acts.FIND, find.Find(text, 3, after))


def test_an_address_out_of_sight_is_not_found(home: Institution) -> None:
    home.desk().do(WRITE, Wanted(lambda books: tuple(branches(books))))
    clerk = Principal("zhao", "officer", frozenset({"*"}), scope="branch:城关支行")
    found = home.desk(clerk).do(acts.FIND, find.Find("胜利新村 甲")).results
    assert [(hit.title, hit.why) for hit in found] == [("甲样 · 城关支行", "words")]
    assert len(home.desk(clerk).do(acts.FIND, find.Find("胜利新村")).results) == 1
    assert len(home.desk().do(acts.FIND, find.Find("胜利新村")).results) == 2


def test_what_a_batch_not_yet_stored_has_made_is_found_as_landing(home: Institution) -> None:
    home.desk().do(WRITE, Wanted(lambda books: tuple(of_a_batch(books, "landing", "落地一号"))))
    home.desk().do(WRITE, Wanted(lambda books: tuple(of_a_batch(books, "stored", "落地二号"))))
    found = home.desk().do(acts.FIND, find.Find("落地")).results
    assert [(hit.title, hit.landing) for hit in found] == [("落地一号", True), ("落地二号", False)]


def of_a_batch(books: Books, status: str, name: str) -> Iterator[Entity]:
    batch, customer = books.allot("batch"), books.allot("customer")
    said = packed(pl.DataFrame({"#customer": [customer]}))
    yield Batch(id=batch, sha256=f"{batch:064}", status=status)
    yield Statement(id=books.allot("statement"), batch_id=batch, said=said)
    yield Customer(id=customer, name=name)


def branches(books: Books) -> Iterator[Customer]:
    for name, branch in (("甲样", "城关支行"), ("甲本", "东川支行")):
        yield Customer(id=books.allot("customer"), name=name, branch=branch, address="胜利新村3号")


def test_a_home_of_an_earlier_version_is_found_in_as_before_and_by_address_once_it_is_reindexed(
    home: Institution, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {hit.id for hit in pages(home, "阳丽", 20)}
    age(home)
    assert [finding.severity for finding in search_keys_complete(home)] == ["warning"]
    assert {hit.id for hit in pages(home, "阳丽", 2)} == parts
    assert pages(home, "望湖路", 20) == []
    monkeypatch.setattr("loanhub.services.office.reindex.PART", 100)
    next(reindex(home.system_desk("test")))  # and killed
    assert {hit.id for hit in pages(home, "阳丽", 2)} == parts
    done = [step.done for step in reindex(home.system_desk("test"))]
    assert done == sorted(done)
    assert held(home) == made(home)
    assert list(search_keys_complete(home)) == []
    assert pages(home, "望湖路", 20)


def age(house: Institution) -> None:
    """The keys as they were before there were pieces: what is inside of names among the names."""
    with house.store.writing() as tx:
        every, grams = tx.columns(Query(SEARCH_KEY)), tx.columns(Query(PIECE))
        inner = every.filter(pl.col("token").str.starts_with("m:"))
        old = inner.with_columns(pl.format("n{}", pl.col("token").str.slice(1)).alias("token"))
        for columns in (
            Columns(SEARCH_KEY, inner, gone=True),
            Columns(SEARCH_KEY, old),
            Columns(PIECE, grams, gone=True),
        ):
            tx.put(columns, at=house.clock.now(), line=1)


def test_a_customer_without_a_name_is_shown_by_number(home: Institution) -> None:
    key = home.desk().do(acts.ADD, edit.AddCustomer("无名", set=("customer_no=C-99",))).id
    home.desk().do(WRITE, Wanted(lambda books: (evolve(books.get(Customer, key), name=""),)))
    assert [hit.title for hit in home.desk().do(acts.FIND, find.Find("C-99")).results] == ["C-99"]
