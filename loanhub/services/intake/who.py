"""Who and what is there already: people by ID, code, number, or name and mobile together; loans by number.

Whoever was merged into another is that one. Where two may be meant nobody is taken: it is told instead,
and so it is where a customer number is that of another name.

Also what makes a row unfit to land: a loan that is not known, a new loan without number, amount or term,
a person without a name, rows outside what the batch's principal may write.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, TypeVar

import polars as pl

from loanhub.acts import Books
from loanhub.policy import Scope
from loanhub.records import Order, Query, Test
from loanhub.schema import SEARCH_KEY
from loanhub.searching import LONGEST, blind_token
from loanhub.services.intake.exported import CUSTOMER, KIND, LOAN
from loanhub.services.intake.subjects import subjects_of

if TYPE_CHECKING:
    from loanhub.services.intake.land import Landing

Key = TypeVar("Key")

MISSING: Final = {
    "loan.loan_no": "loan-no-missing",
    "loan.amount": "loan-amount-missing",
    "loan.term": "loan-term-missing",
}


def states_loans(landing: Landing) -> bool:
    """Whether the rows state loans, not just point at them."""
    return "loans" in subjects_of(landing.paths)


def assign(rows: pl.DataFrame, target: str, key: str, ids: Mapping[str, int]) -> pl.DataFrame:
    """Ids filled into `target` where it is still empty, by `key`."""
    if not ids:
        return rows
    found = pl.Series("found", [ids.get(k) for k in rows[key].to_list()], pl.Int64)
    return rows.with_columns(pl.coalesce(target, found).alias(target))


def by_tokens(landing: Landing, tokens: pl.Series) -> pl.DataFrame:
    """Search keys (`token`, `id`) that stand for these tokens."""
    books = landing.books
    wanted = tokens.drop_nulls().unique().to_list() if landing.searchable else []
    if not wanted:
        return pl.DataFrame(schema={"token": pl.String, "id": pl.Int64})
    return books.columns(Query(SEARCH_KEY, (Test("token", "in", wanted),))).select("token", "id")


def _by_ids(books: Books, kind: str, ids: pl.Series, columns: list[str]) -> pl.DataFrame:
    return books.columns(Query(kind, (Test("id", "in", ids.unique().to_list()),), fields=("id", *columns)))


def _plain(expression: pl.Expr) -> pl.Expr:
    return expression.str.normalize("NFKC").str.replace_all(r"\s+", "").str.to_lowercase()


def find_loans(landing: Landing) -> None:
    """`#loan`: the id of the loan each row names, where it is known; `#owner` its customer."""
    rows = landing.rows
    named = LOAN in rows.columns
    if "#loan_key" not in rows.columns or (rows["#loan_key"].null_count() == rows.height and not named):
        return
    rows = rows.with_columns((pl.col(LOAN) if named else pl.lit(None, pl.Int64)).alias("#loan"))
    landing.rows = assign(rows, "#loan", "#loan_key", landing.chunk.loans)
    if landing.searchable:
        landing.rows = assign(landing.rows, "#loan", "#loan_key", _by_loan_numbers(landing, landing.rows))
    if named and "loan.loan_no" in rows.columns:
        _reject_taken(landing)


def _reject_taken(landing: Landing) -> None:
    """An exported loan whose number was changed into another's: most likely columns were sorted apart."""
    edited = (pl.col(KIND) == "loan") & pl.col("loan.loan_no").is_not_null()
    rows = landing.rows.filter(edited)
    if rows.is_empty() or not landing.searchable:
        return
    owners = _by_loan_numbers(landing, rows)
    taken = [
        row
        for row, key, own in rows.select("row", "#loan_key", "#loan").iter_rows()
        if owners.get(key, own) != own
    ]
    landing.reject(landing.rows["row"].is_in(taken), "record-of-another", "loan.loan_no")


def _by_loan_numbers(landing: Landing, rows: pl.DataFrame) -> dict[str, int]:
    """Loans by loan or contract number, where the number is that of one of them only."""
    keys = rows.select("#loan_key").unique().drop_nulls()
    number = _plain(pl.col("#loan_key").str.slice(2)).str.slice(0, LONGEST * 2)
    keys = keys.with_columns((pl.lit("l:") + number).alias("token"), number.alias("number"))
    hits = keys.join(by_tokens(landing, keys["token"]), on="token")
    if hits.is_empty():
        return {}
    loans = _by_ids(landing.books, "loan", hits["id"], ["loan_no", "contract_no", "customer_id"])
    hits = hits.join(loans, on="id")
    own = pl.when(pl.col("#loan_key").str.starts_with("L:")).then("loan_no").otherwise("contract_no")
    exact = hits.filter(_plain(own).str.slice(0, LONGEST * 2) == pl.col("number"))
    single = exact.filter(~pl.col("#loan_key").is_duplicated())
    return dict(zip(single["#loan_key"], single["id"], strict=True))


def find_people(landing: Landing) -> None:
    """`#customer`: the id of the person each row names, where known."""
    rows = landing.rows
    if "#person" not in rows.columns:
        return
    named = pl.col(CUSTOMER) if CUSTOMER in rows.columns else pl.lit(None, pl.Int64)
    rows = rows.with_columns(named.alias("#customer"))
    made = landing.chunk.people
    here = {key: made[key] for key in rows["#person"].unique().to_list() if key in made} if made else {}
    rows = assign(rows, "#customer", "#person", _survivors(landing.books, here))
    if "#loan" in rows.columns and rows["#loan"].null_count() < rows.height:
        rows = _owners(landing, rows)
    landing.rows = rows
    open_ = rows.filter(pl.col("#customer").is_null() & pl.col("#person").is_not_null())
    if open_.is_empty():
        return
    if landing.searchable:
        found = _by_numbers(landing, open_)
        both = open_.filter(~pl.col("#person").is_in(list(found)))
        found |= _by_name_and_mobile(landing, both)
        landing.rows = assign(rows, "#customer", "#person", found)
    _same_names(landing)


def _survivors(books: Books, found: Mapping[Key, int]) -> dict[Key, int]:
    """The same people, whoever was merged into another as that one, and so on: a principal of one branch
    merges on without those of other branches who were merged before.
    """
    merged_ones = Test("merged_into", "not_null")
    anybody = Query("customer", (merged_ones,), order=Order("merged_into"), limit=1)
    if not found or books.columns(anybody).is_empty():
        return dict(found)
    ahead, into = set(found.values()), dict[int, int]()
    while ahead:
        mine = Query("customer", (Test("id", "in", sorted(ahead)), merged_ones), fields=("id", "merged_into"))
        step = dict(books.columns(mine).iter_rows())
        into |= step
        ahead = set(step.values()) - into.keys()
    return {key: _end(into, one) for key, one in found.items()}


def _end(into: Mapping[int, int], one: int) -> int:
    while one in into:
        one = into[one]
    return one


def _owners(landing: Landing, rows: pl.DataFrame) -> pl.DataFrame:
    """A row without a strong identity of its own that names a known loan is about that loan's customer."""
    known = rows["#loan"].drop_nulls().unique()
    owners = _by_ids(landing.books, "loan", known, ["customer_id"])
    joined = rows.join(owners, left_on="#loan", right_on="id", how="left", maintain_order="left")
    weak = pl.col("#weak") | pl.col("#person").is_null()
    owner = pl.when(weak & pl.col("#customer").is_null()).then("customer_id").otherwise("#customer")
    return joined.with_columns(owner.alias("#customer")).drop("customer_id")


def _by_numbers(landing: Landing, rows: pl.DataFrame) -> dict[str, int]:
    """People by ID number, company code or customer number."""
    people = rows.filter(~pl.col("#weak")).select("#person").unique()
    letter, rest = pl.col("#person").str.slice(0, 2), pl.col("#person").str.slice(2)
    people = people.with_columns(letter.alias("letter"), rest.alias("number"))
    ids = people.filter(pl.col("letter") == "I:")
    blinds = landing.books.blind("customer.id_number", ids["number"].to_list())
    tokens = [
        ids.select("#person", pl.Series("token", [blind_token(b) for b in blinds if b], pl.String)),
        people.filter(pl.col("letter") == "U:").select(
            "#person", (pl.lit("u:") + pl.col("number").str.to_lowercase()).alias("token")
        ),
        people.filter(pl.col("letter") == "K:").select(
            "#person", (pl.lit("k:") + _plain(pl.col("number"))).alias("token")
        ),
    ]
    wanted = pl.concat(tokens)
    hits = wanted.join(by_tokens(landing, wanted["token"]), on="token").sort("id", descending=True)
    return _survivors(landing.books, dict(zip(hits["#person"], hits["id"], strict=True)))


def _by_name_and_mobile(landing: Landing, rows: pl.DataFrame) -> dict[str, int]:
    """People by name and mobile together; one who is known by another ID is somebody else, and flagged.

    Of several of one name and mobile none is taken: that is flagged as well.
    """
    rows = rows.filter(pl.col("#both").is_not_null())
    if rows.is_empty():
        return {}
    pairs = rows.select("#person", "#both", pl.col("row").first().over("#person").alias("row")).unique(
        "#person"
    )
    mobile = pl.col("#both").str.split("|").list.last()
    pairs = pairs.with_columns((pl.lit("d:") + mobile.str.reverse()).alias("token"))
    hits = pairs.join(by_tokens(landing, pairs["token"]), on="token")
    if hits.is_empty():
        return {}
    named = _by_ids(landing.books, "customer", hits["id"], ["name", "mobile"])
    hits = hits.join(named, on="id")
    same = pl.col("#both") == pl.lit("N:") + pl.col("name").str.to_lowercase() + pl.lit("|") + pl.col(
        "mobile"
    )
    hits = hits.filter(same)
    now = _survivors(landing.books, {key: key for key in hits["id"].unique()})
    hits = hits.with_columns(pl.Series("id", [now[key] for key in hits["id"]], pl.Int64))
    hits = hits.unique(["#person", "id"], maintain_order=True)
    hits = hits.join(_by_ids(landing.books, "customer", hits["id"], ["id_number_blind", "uscc"]), on="id")
    strong = pl.col("#person").str.slice(0, 2).is_in(["I:", "U:"])
    other = strong & (pl.col("id_number_blind").is_not_null() | pl.col("uscc").is_not_null())
    rows_other = hits.filter(other)
    if rows_other.height:
        landing.add(
            rows_other.select("row", pl.lit("same-name-other-id").alias("code")),
            "customer.id_number",
            "warning",
        )
    mine = hits.filter(~other)
    several = mine.filter(pl.col("#person").is_duplicated())
    landing.add(several.select("row", pl.lit("same-name").alias("code")).unique(), "customer.name", "warning")
    single = mine.filter(~pl.col("#person").is_duplicated())
    return dict(zip(single["#person"], single["id"], strict=True))


def _same_names(landing: Landing) -> None:
    """People known by name only are never merged; their namesakes are flagged, so that a person may."""
    new = landing.rows.filter(
        pl.col("#customer").is_null() & pl.col("#weak") & pl.col("#person").is_not_null()
    )
    if new.is_empty() or "customer.name" not in new.columns:
        return
    named = new.select(
        "row", (pl.lit("n:") + _plain(pl.col("customer.name")).str.slice(0, LONGEST)).alias("token")
    )
    known = by_tokens(landing, named["token"])["token"]
    twice = named.filter(pl.col("token").is_in(known.implode()) | pl.col("token").is_duplicated())
    landing.add(twice.select("row", pl.lit("same-name").alias("code")), "customer.name", "warning")


def reject_unfit(landing: Landing) -> None:
    """Take out the rows that cannot land as they are."""
    _reject_forbidden(landing)
    rows = landing.rows
    loan = (
        rows["#loan"] if "#loan" in rows.columns else pl.repeat(None, rows.height, dtype=pl.Int64, eager=True)
    )
    if states_loans(landing):
        for path in _required(landing):
            landing.reject(
                _absent(landing, path) & _new_loan(landing), MISSING.get(path, "required-missing"), path
            )
    elif {"receipt", "instalment", "collateral"} & {p.split(".")[0] for p in landing.paths}:
        landing.reject(loan.is_null(), "loan-unknown", "loan.loan_no")
    rows = landing.rows
    needs = pl.col("#customer").is_null() & pl.lit(_needs_person(landing))
    _reject_misnumbered(landing)
    missing = rows.select(needs.alias("m")).to_series() & _nameless(landing)
    landing.reject(missing, "customer-name-missing", "customer.name")
    if subjects_of(landing.paths) == ["followups"]:
        unknown = landing.rows.select(
            (pl.col("#customer").is_null() & pl.col("#weak")).alias("u")
        ).to_series()
        landing.reject(unknown, "customer-unclear", "customer.name")


def _reject_misnumbered(landing: Landing) -> None:
    """Rows of which this source never spoke, told by a customer number that is that of another name.

    Where each office numbers its customers from 1, all numbers are there twice.
    """
    rows = landing.rows
    if not {"#customer", "#person", "customer.name"} <= set(rows.columns):
        return
    spoken = pl.col("#hash").is_in(landing.chunk.said["key"].implode())
    told = (pl.col(column).is_null() for column in ("#loan", CUSTOMER) if column in rows.columns)
    by_number = rows.filter(
        pl.col("#person").str.starts_with("K:"), pl.col("customer.name") != "", ~spoken, *told
    ).drop_nulls("#customer")
    made = landing.chunk.made.get("customer", frozenset())  # may hold a million: asked for these few only
    by_number = by_number.filter([key not in made for key in by_number["#customer"].to_list()])
    if by_number.is_empty():
        return
    names = _by_ids(landing.books, "customer", by_number["#customer"], ["name"])
    found = by_number.join(names, left_on="#customer", right_on="id")
    other = found.filter(pl.col("name") != "", _plain(pl.col("name")) != _plain(pl.col("customer.name")))
    landing.reject(
        rows["row"].is_in(other["row"].implode()), "customer-no-of-another", "customer.customer_no"
    )


def _nameless(landing: Landing) -> pl.Series:
    """Rows that name nobody. A sheet without a column of names may know its people by their numbers."""
    if "customer.name" in landing.paths or "customer.customer_no" not in landing.paths:
        return _absent(landing, "customer.name")
    return _absent(landing, "customer.customer_no")


def _needs_person(landing: Landing) -> bool:
    subjects = subjects_of(landing.paths)
    return bool({"loans", "credit", "followups", "customers"} & set(subjects))


def _new_loan(landing: Landing) -> pl.Series:
    rows = landing.rows
    if "#loan" not in rows.columns:
        return pl.repeat(value=True, n=rows.height, eager=True)
    return rows["#loan"].is_null()


def _absent(landing: Landing, path: str) -> pl.Series:
    """Rows that say nothing at a field; an unreadable value is a problem of its own, not a missing one."""
    rows = landing.rows
    wrong = landing.chunk.problems.filter((pl.col("field") == path) & (pl.col("severity") == "error"))["row"]
    silent = ~rows["row"].is_in(wrong.implode())
    return silent & rows[path].is_null() if path in rows.columns else silent


def _required(landing: Landing) -> list[str]:
    """Paths required of every loan, then those of single products are checked by their rows."""
    required = landing.books.dictionary.required
    for product, paths in required.items():
        if product == "*" or "loan.product" not in landing.rows.columns:
            continue
        for path in sorted(paths):
            of_product = (landing.rows["loan.product"] == product).fill_null(value=False)
            landing.reject(of_product & _absent(landing, path) & _new_loan(landing), "required-missing", path)
    return sorted(
        required.get("*", ()), key=list(MISSING).index if set(required.get("*", ())) <= set(MISSING) else None
    )


def _reject_forbidden(landing: Landing) -> None:
    """Rows of kinds the principal may not write, and of branches it does not see."""
    who = landing.books.who
    kinds = {p.split(".")[0] for p in landing.paths}
    for kind in sorted(kinds):
        if not who.may(f"{kind}.write"):
            stated = pl.any_horizontal(
                [pl.col(p).is_not_null() for p in landing.paths if p.startswith(f"{kind}.")]
            )
            landing.reject(
                landing.rows.select(stated.alias("s")).to_series(),
                "not-yours-kind",
                f"{kind}.{_first(landing, kind)}",
            )
    if who.scope.everything or landing.rows.is_empty():
        return
    told = [p for p in ("customer.branch", "customer.manager") if p in landing.rows.columns]
    if told:
        named = landing.rows.select(told).rename(lambda path: path.removeprefix("customer."))
        said = named.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        landing.reject(said & ~_within(who.scope, named), "not-yours-branch", told[0])
    if "#customer" in landing.rows.columns and landing.rows["#customer"].null_count() < landing.rows.height:
        ids = landing.rows["#customer"].drop_nulls()
        known = _by_ids(landing.books, "customer", ids, ["branch", "manager"])
        mine = known.filter(_within(who.scope, known))["id"]
        foreign = landing.rows["#customer"].is_not_null() & ~landing.rows["#customer"].is_in(mine.implode())
        landing.reject(foreign, "not-yours-branch", "customer.branch")


def _within(scope: Scope, frame: pl.DataFrame) -> pl.Series:
    """Which rows with a branch or a manager are within the scope."""
    names = {"branch": scope.branches, "manager": scope.managers}
    tests = [pl.col(n).is_in(sorted(names[n])).fill_null(value=False) for n in names if n in frame.columns]
    return frame.select(pl.any_horizontal(tests)).to_series()


def _first(landing: Landing, kind: str) -> str:
    return next(p.split(".", 1)[1] for p in landing.paths if p.startswith(f"{kind}."))
