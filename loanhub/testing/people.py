"""Invented customers: persons, sole traders, farmers and companies, in columns."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import polars as pl

from loanhub.testing import names
from loanhub.testing.numbers import cards, firm_code, mobiles, picked, resident_ids

KINDS: Final = ("person", "sole_trader", "farmer", "company")
_SHARES: Final = (68, 13, 11, 8)

Lines = list[Any]


def make_people(seed: int, count: int, today: date, first: int = 0) -> pl.DataFrame:
    """`count` customers, numbered from `first`; values in stored form (money in fen, days as pl.Date).

    Columns are the fields of Customer, and of the people beside them (`spouse_name`, `contact_phone`, ...,
    the pseudo fields of config/words.toml). Numbers of one seed never repeat, whatever `first` is.
    """
    rng = np.random.default_rng([seed, first, 1])
    index = np.arange(first, first + count, dtype=np.int64)
    kinds = picked(rng, KINDS, count, _SHARES)
    columns: dict[str, Any] = {"customer_type": kinds}
    columns |= _identity(seed, rng, index, kinds, today)
    columns |= _reaching(seed, rng, index, kinds)
    columns |= _work(rng, kinds, today)
    columns |= _others(seed, rng, index, kinds, columns["marital"])
    columns |= _bank(seed, rng, index)
    for name in ("birth_date", "employed_since"):
        columns[name] = pl.Series(columns[name], dtype=pl.Date)
    return pl.DataFrame(columns, schema_overrides={"uscc": pl.String, "controller_name": pl.String})


def only(kinds: Lines, wanted: tuple[Any, ...], values: Lines) -> Lines:
    """The values where the customer is of one of these kinds, None elsewhere."""
    return [v if k in wanted else None for k, v in zip(kinds, values, strict=True)]


def sometimes(rng: np.random.Generator, values: Lines, share: float) -> Lines:
    """The values, with all but a share of them left out, as in life."""
    return [v if keep else None for v, keep in zip(values, rng.random(len(values)) < share, strict=True)]


def person_names(rng: np.random.Generator, genders: Lines) -> list[str]:
    """A name each: mostly one surname and one or two given characters, some compound, some with a dot."""
    count = len(genders)
    falling = 1 / np.arange(3, 3 + len(names.SURNAMES))
    surnames = picked(rng, names.SURNAMES, count, falling)
    compound = picked(rng, names.COMPOUND_SURNAMES, count)
    dotted = [
        f"{a}·{b}"
        for a, b in zip(
            picked(rng, names.DOTTED_FIRST, count), picked(rng, names.DOTTED_LAST, count), strict=True
        )
    ]
    given = {"M": names.GIVEN_MALE, "F": names.GIVEN_FEMALE}
    draws = rng.integers(0, 10_000, size=(count, 2)).tolist()
    chances = rng.random((count, 2)).tolist()
    found = []
    for i, gender in enumerate(genders):
        pool = given[gender]
        first, second = pool[draws[i][0] % len(pool)], pool[draws[i][1] % len(pool)]
        kind, length = chances[i]
        surname = compound[i] if kind < 0.02 else surnames[i]
        found.append(dotted[i] if kind > 0.985 else surname + (first if length < 0.25 else first + second))
    return found


def _identity(seed: int, rng: np.random.Generator, index: Any, kinds: Lines, today: date) -> dict[str, Lines]:
    """Name, numbers, birth and gender; companies have a code instead."""
    numbers, births, genders = resident_ids(index, seed, today - timedelta(days=22 * 366))
    persons = person_names(rng, genders)
    places = picked(rng, names.PLACES, len(kinds))
    firms = picked(rng, names.FIRM_NAMES, len(kinds))
    trades = rng.integers(0, len(names.INDUSTRIES), len(kinds)).tolist()
    company = [
        f"{place[:3]}{firm}{names.INDUSTRIES[trade][2]}有限公司"
        for place, firm, trade in zip(places, firms, trades, strict=True)
    ]
    is_company = [kind == "company" for kind in kinds]
    codes = [
        firm_code(i, seed, kind == "sole_trader") if kind in {"company", "sole_trader"} else None
        for i, kind in zip(index.tolist(), kinds, strict=True)
    ]
    living = ("person", "sole_trader", "farmer")
    return {
        "name": [c if firm else p for c, p, firm in zip(company, persons, is_company, strict=True)],
        "customer_no": [f"KH{i + 1:08d}" for i in index.tolist()],
        "id_type": ["uscc" if firm else "resident_id" for firm in is_company],
        "id_number": only(kinds, living, numbers),
        "uscc": codes,
        "birth_date": only(kinds, living, births),
        "gender": only(kinds, living, genders),
        "controller_name": only(kinds, ("company",), persons),
        "marital": only(
            kinds,
            living,
            picked(rng, ("married", "single", "divorced", "widowed"), len(kinds), (70, 20, 8, 2)),
        ),
    }


def _reaching(seed: int, rng: np.random.Generator, index: Any, kinds: Lines) -> dict[str, Lines]:
    """Phones, mail and addresses."""
    count = len(kinds)
    place, home = picked(rng, names.PLACES, count), picked(rng, names.PLACES, count)
    streets = picked(rng, names.STREETS, count)
    doors = rng.integers((1, 1, 1, 1), (200, 30, 6, 30), size=(count, 4)).tolist()
    address = [
        f"{p}{s}{d}号{b}幢{u}单元{r}01室" for p, s, (d, b, u, r) in zip(place, streets, doors, strict=True)
    ]
    hukou = [f"{p}{s}{d[0]}号" for p, s, d in zip(home, streets, doors, strict=True)]
    landlines = [f"0{310 + d[1]}-{6_000_000 + d[0] * 1000 + d[3]}" for d in doors]
    numbers = index.tolist()
    return {
        "mobile": mobiles(index, seed),
        "backup_phone": sometimes(rng, landlines, 0.2),
        "email": sometimes(rng, [f"kehu{i + 1}@example.com" for i in numbers], 0.3),
        "wechat": sometimes(rng, [f"wx_kehu{i + 1:06d}" for i in numbers], 0.4),
        "address": address,
        "hukou_address": only(kinds, ("person", "sole_trader", "farmer"), hukou),
    }


def _work(rng: np.random.Generator, kinds: Lines, today: date) -> dict[str, Lines]:
    """Education, occupation, employer, industry and income (fen)."""
    count = len(kinds)
    trades = [names.INDUSTRIES[i] for i in rng.integers(0, len(names.INDUSTRIES), count).tolist()]
    firms = picked(rng, names.FIRM_NAMES, count)
    shops, farms = picked(rng, names.SHOPS, count), picked(rng, names.FARM_JOBS, count)
    monthly = (rng.lognormal(8.9, 0.45, count) / 100).astype(np.int64) * 10_000 + 200_000
    since = [today - timedelta(days=d) for d in rng.integers(60, 5000, count).tolist()]
    employers = {
        "person": [f"{f}{t[2]}有限公司" for f, t in zip(firms, trades, strict=True)],
        "sole_trader": [f"{f}{s}" for f, s in zip(firms, shops, strict=True)],
    }
    jobs = {"person": [t[3] for t in trades], "sole_trader": ["个体经营"] * count, "farmer": farms}
    levels = ("primary", "junior_middle", "senior_middle", "vocational", "college", "bachelor", "master")
    incomes = (monthly * np.where(np.array(kinds) == "company", 40, 1)).tolist()
    return {
        "education": only(
            kinds,
            ("person", "sole_trader", "farmer"),
            picked(rng, levels, count, (5, 25, 22, 10, 20, 16, 2)),
        ),
        "occupation": [jobs[k][i] if k in jobs else None for i, k in enumerate(kinds)],
        "employer": [employers[k][i] if k in employers else None for i, k in enumerate(kinds)],
        "employed_since": only(kinds, ("person",), since),
        "industry": [t[0] for t in trades],
        "industry_code": [t[1] for t in trades],
        "monthly_income": incomes,
        "annual_income": [12 * income for income in incomes],
        "dependants": only(kinds, ("person", "sole_trader", "farmer"), rng.integers(0, 4, count).tolist()),
    }


def _others(
    seed: int, rng: np.random.Generator, index: Any, kinds: Lines, marital: Lines
) -> dict[str, Lines]:
    """Spouse, emergency contact and guarantor: names and phones."""
    count = len(kinds)
    married = [m == "married" for m in marital]
    guests = {}
    for lane, role in enumerate(("spouse", "contact", "guarantor"), start=1):
        genders = picked(rng, ("M", "F"), count)
        present = married if role == "spouse" else (rng.random(count) < (0.8, 0.15)[lane - 2]).tolist()
        guests[f"{role}_name"] = [
            n if p else None for n, p in zip(person_names(rng, genders), present, strict=True)
        ]
        guests[f"{role}_phone"] = [
            n if p else None for n, p in zip(mobiles(index, seed, lane), present, strict=True)
        ]
    return guests


def _bank(seed: int, rng: np.random.Generator, index: Any) -> dict[str, Lines]:
    """Bank, card and what the institution itself notes: level, source, manager, branch."""
    count = len(index)
    branches = rng.integers(0, len(names.BRANCHES), count)
    desk = rng.integers(0, 3, count)
    staff = [
        names.STAFF_SURNAMES[(b * 3 + d) % len(names.STAFF_SURNAMES)]
        + names.STAFF_GIVEN[(b + 4 * d) % len(names.STAFF_GIVEN)]
        for b, d in zip(branches.tolist(), desk.tolist(), strict=True)
    ]
    return {
        "bank_name": picked(rng, names.BANKS, count),
        "bank_card": cards(index, seed),
        "level": picked(rng, ("general", "important", "risk"), count, (75, 18, 7)),
        "source": picked(rng, names.SOURCES, count),
        "manager": staff,
        "branch": [names.BRANCHES[b] for b in branches.tolist()],
        "remark": sometimes(rng, ["资料齐全"] * count, 0.1),
    }
