"""A throwaway institution at work: an invented but lifelike workbook goes through the whole trip, by the
very commands an office uses. Nothing of it is real, and the folder may be deleted.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import polars as pl

from loanhub.cli.run import run as command
from loanhub.demo.backup import back_up_and_restore
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.records import Order, Query
from loanhub.system import ready_console
from loanhub.testing import Book, messy_workbook, tidy_workbook
from loanhub.texts import Lang, render

SEED: Final = 2026
CUSTOMERS: Final = 260
OWNER: Final = {"zh": "前台", "en": "front-desk"}
LEDGER: Final = {"zh": "1 贷款台账.xlsx", "en": "1 loan-ledger.xlsx"}
DUES: Final = {"zh": "2 应还明细.xlsx", "en": "2 dues.xlsx"}
CREDIT: Final = {"zh": "3 信用和跟进.xlsx", "en": "3 credit-and-follow-ups.xlsx"}
DUE_COLUMNS: Final = [
    *(
        "customer.name",
        "customer.id_number",
        "customer.mobile",
        "customer.address",
        "loan.loan_no",
        "loan.amount",
    ),
    *("loan.term", "loan.rate", "loan.next_due_date", "loan.instalment", "loan.overdue_days"),
]


def run(home: Path, lang: Lang) -> Mapping[str, str] | int:
    """Show the main job in `home` (made here); where things lie, or the exit status of what failed."""
    ready_console()
    _say(lang, "demo.begin", home=home)
    with _passphrase() as passphrase:
        _institution(home, passphrase, lang)
        for title, arguments, usual in _steps(home):
            _say(lang, title)
            print(f"$ loanhub {' '.join(_quoted(a) for a in arguments)}\n", flush=True)
            status = command(["--home", str(home), "--lang", lang, *arguments])
            if status not in usual:
                return status
        if status := back_up_and_restore(home, lang, _somebody(home)[1]):
            return status
    _say(lang, "demo.where", home=home, passphrase=passphrase.text())
    return {"home": str(home), "drop": str(home / "drop"), "returns": str(home / "returns")}


@contextmanager
def _passphrase() -> Iterator[Secret]:
    """A passphrase for this home only, where the commands look for one."""
    passphrase, before = Secret(f"demo-{secrets.token_hex(4)}"), os.environ.get("LOANHUB_PASSPHRASE")
    os.environ["LOANHUB_PASSPHRASE"] = str(passphrase.text())
    try:
        yield passphrase
    finally:
        os.environ.pop("LOANHUB_PASSPHRASE")
        if before is not None:
            os.environ["LOANHUB_PASSPHRASE"] = before


def _institution(home: Path, passphrase: Secret, lang: Lang) -> None:
    """A new home with a drop folder, and in it the workbooks of an invented office."""
    name = render("demo.institution", lang).text
    drop = {"folder": "drop", "owner": OWNER[lang]}
    house, _ = Institution.create(home, passphrase, {"institution": name, "lang": lang, "drop": [drop]})
    with house:
        today = house.clock.now().astimezone(house.zone).date()
    book = Book.make(SEED, customers=CUSTOMERS, today=today)
    messy_workbook(book, home / "drop" / LEDGER[lang], SEED, lang)
    tidy_workbook(book, home / "drop" / DUES[lang], lang, DUE_COLUMNS)
    tidy_workbook(book, home / "drop" / CREDIT[lang], lang, 20, ("credit", "follow_ups"))


def _steps(home: Path) -> Iterator[tuple[str, list[str], tuple[int, ...]]]:
    """Title, command and the exit statuses that are as they should be, one after the other."""
    yield "demo.ingest", ["watch", "--once"], (0, 3)
    yield "demo.batch", ["batches", "show", "1", "--problems", "8"], (0,)
    customer, name = _somebody(home)
    yield "demo.find", ["find", name], (0,)
    yield "demo.assess", ["assess"], (0,)
    yield "demo.customer", ["customer", "show", str(customer)], (0,)
    yield "demo.plan", ["remind", "plan"], (0,)
    yield "demo.send", ["remind", "send"], (0, 4)
    yield "demo.doctor", ["doctor"], (0,)


def _somebody(home: Path) -> tuple[int, str]:
    """A customer with a loan that is due soon, to be looked at in full."""
    passphrase = Secret(os.environ["LOANHUB_PASSPHRASE"])
    with Institution.open(home, unlock=lambda: passphrase) as house, house.store.reading() as tx:
        loans = tx.columns(Query("loan", order=Order("next_due_date", down=True)))
        owners = loans.group_by("customer_id", maintain_order=True).len().sort("len", descending=True)
        key = int(owners.filter(pl.col("len") == owners["len"].max())["customer_id"][0])
        record = tx.get("customer", key)
    return key, str(record["name"]) if record else ""


def _say(lang: Lang, code: str, **facts: object) -> None:
    words = render(code, lang, **facts)
    print(f"\n== {words.text}\n" if code != "demo.where" else f"\n{words.text}\n", flush=True)


def _quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument
