"""Mixed data as an office has it, the same at every run: what the bench of backups puts away.

database     SQLite with an index       32 %
ledger.csv   rows of loans              19 %
edited.csv   its beginning, edited      12 %
events.json  a log, an object a line    12 %
scans        incompressible, 4 MB each  25 %
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

SEED: Final = 1
MB: Final = 1_000_000
WHOLE: Final = 538
"""Megabytes of all parts together, of which the following are parts."""
DATABASE, LEDGER, EDITED, EVENTS, SCANS = 170, 100, 67, 67, 134
DATABASE_NAME: Final = "office.db"
ROW_IN_DATABASE: Final = 185
"""Bytes a row takes with its place in the index, roughly."""
EDITS: Final = 20
"""Places at which the copy was edited: a row more at each, as somebody does who goes through a list."""
SCAN: Final = 4 * MB
SURNAMES: Final = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
GIVEN: Final = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰飞"
PRODUCTS: Final = ("经营贷", "消费贷", "农户贷", "车辆抵押贷")
STATES: Final = ("正常", "关注", "逾期", "结清")


def make(folder: Path, megabytes: int) -> int:
    """The data in a new folder; its bytes. About `megabytes` in all."""
    folder.mkdir()
    chance = random.Random(SEED)

    def part(share: int) -> int:
        return share * megabytes * MB // WHOLE

    _database(folder / DATABASE_NAME, part(DATABASE) // ROW_IN_DATABASE, chance)
    lines = _lines(folder / "ledger.csv", part(LEDGER), map(_csv, _loans(chance)))
    _edit(lines, folder / "edited.csv", part(EDITED), chance)
    _lines(folder / "events.json", part(EVENTS), map(_event, _loans(chance)))
    (folder / "scans").mkdir()
    for number, at in enumerate(range(0, part(SCANS), SCAN)):
        content = chance.randbytes(min(SCAN, part(SCANS) - at))
        (folder / "scans" / f"{number:03}.jpg").write_bytes(content)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _loans(chance: random.Random) -> Iterator[tuple[object, ...]]:
    number = 0
    while True:
        number += 1
        draw = chance.getrandbits(96)
        name = SURNAMES[draw % 20] + GIVEN[(draw >> 5) % 27] + GIVEN[(draw >> 10) % 27]
        born = 19500101 + (draw >> 15) % 500_000
        yield (
            number, f"HT{2020 + draw % 7}{(draw >> 34) % 10**8:08}", name,
            f"{11 + draw % 50}9999{born}{(draw >> 61) % 10_000:04}", f"1380{(draw >> 48) % 10**7:07}",
            PRODUCTS[draw % 4], (draw >> 20) % 100_000_000, (draw >> 40) % 50_000_000,
            f"202{draw % 7}-{1 + (draw >> 70) % 12:02}-{1 + (draw >> 74) % 28:02}", STATES[(draw >> 80) % 4],
        )  # fmt: skip


def _csv(loan: tuple[object, ...]) -> str:
    return ",".join(map(str, loan)) + "\n"


def _event(loan: tuple[object, ...]) -> str:
    number, contract, _, _, _, product, amount, _, day, state = loan
    said = {"at": f"{day}T09:00:00Z", "seq": number, "what": "loan.checked", "contract": contract}
    said |= {"product": product, "amount": amount, "state": state, "by": "system:day-end", "ok": True}
    return json.dumps(said, ensure_ascii=False) + "\n"


def _lines(path: Path, size: int, lines: Iterator[str]) -> list[str]:
    """Writes lines until the file has `size` bytes; the lines."""
    written, taken = 0, []
    while written < size:
        taken.append(next(lines))
        written += len(taken[-1].encode())
    path.write_text("".join(taken), encoding="utf-8")
    return taken


def _edit(lines: list[str], path: Path, size: int, chance: random.Random) -> None:
    """The first `size` bytes of these lines with some more between them."""
    kept = "".join(lines).encode()[:size].decode(errors="ignore").splitlines(keepends=True)
    for at in sorted(chance.sample(range(len(kept)), EDITS), reverse=True):
        kept.insert(at, kept[at].replace("正常", "关注"))
    path.write_text("".join(kept), encoding="utf-8")


# The database ---------------------------------------------------------------------------------------------


def _database(path: Path, rows: int, chance: random.Random) -> None:
    loans = _loans(chance)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE loan (id INTEGER PRIMARY KEY, contract, name, id_number, mobile, product, amount,"
            " balance, disbursed, state, note)"
        )
        noted = ((*next(loans), chance.randbytes(24).hex()) for _ in range(rows))
        connection.executemany(f"INSERT INTO loan VALUES ({','.join('?' * 11)})", noted)
        connection.execute("CREATE INDEX loan_id_number ON loan (id_number)")


def change(folder: Path, turn: int, share: float = 0.01) -> int:
    """Writes into this share of the pages of the database, anywhere in it; how many pages that are."""
    chance = random.Random(SEED + turn)
    with closing(sqlite3.connect(folder / DATABASE_NAME)) as connection, connection:
        pages = int(connection.execute("PRAGMA page_count").fetchone()[0] * share)
        rows = connection.execute("SELECT count(*) FROM loan").fetchone()[0]
        chosen = [(chance.randbytes(24).hex(), 1 + chance.randrange(rows)) for _ in range(pages)]
        connection.executemany("UPDATE loan SET note = ? WHERE id = ?", chosen)
    return pages
