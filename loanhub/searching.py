"""Search keys and the questions a search box may mean: one table of tokens answers them all.

A token is a letter that says what it is, a colon and a text; a look-up is a token whole or a prefix of it:

    n:  a name; m: the rest of it from every further character on, so that any piece of two characters
        or more is a prefix of one
    i:  pinyin initials of a name            (zhang san -> i:zs)
    d:  a phone number backwards, or the last four of an ID or card backwards: last four = prefix
    x:  start of the blind index of an ID or card number (equality without showing it; see `blind_token`)
    u:  统一社会信用代码                       k:  customer number
    l:  loan, contract or application number (the ids are loans; all others are customers)

Words of an address are looked up by `pieces`. Keys are derived: they can be dropped and built again from the
records at any time.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from functools import cache, reduce
from operator import add
from typing import Any, Final

import polars as pl

from loanhub import pieces
from loanhub.pieces import normal_column
from loanhub.records import TAIL, Columns, Diff, Query, Record
from loanhub.schema import FRAME_TYPES, PIECE, SEARCH_KEY, schema

LONGEST: Final = 24
"""Characters kept of a token's text: longer look-ups compare as far as this."""

LETTERS: Final = "diklmnux"
"""The letters of all tokens, in order."""

SHORT_NAME: Final = 4
"""Characters that the name of a person has at most, as a rule."""

_SURNAMES: Final = {"单": "s", "曾": "z", "解": "x", "仇": "q", "查": "z", "朴": "p", "区": "o", "乐": "y"}
"""Characters read otherwise when they are a surname."""


_BLIND_BYTES: Final = 12
"""Bytes of a blind index in a token: 96 bits tell ten million numbers apart as surely as all 128 do."""


def blind_token(index: bytes) -> str:
    """The token of a blind index: 16 characters of base64, half of what hex takes in the largest table."""
    return f"x:{b64encode(index[:_BLIND_BYTES]).decode()}"


def normal(text: str) -> str:
    """The form in which names and numbers are compared: NFKC, no spaces, lower case."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


@cache
def _initial(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() else ""
    from pypinyin import Style, lazy_pinyin

    letters = lazy_pinyin(character, style=Style.FIRST_LETTER)
    return letters[0][:1].lower() if letters and letters[0][:1].isascii() else ""


def initials(name: str) -> str:
    """Pinyin initials of a name: 张三丰 gives zsf; a surname is read as a surname."""
    plain = normal(name)
    if not plain or plain.isascii():
        return ""
    first = _SURNAMES.get(plain[0]) or _initial(plain[0])
    return first + "".join(_initial(c) for c in plain[1:])


def _tokens(letter: str, ids: pl.Series, texts: pl.Series) -> pl.DataFrame:
    frame = pl.DataFrame({"token": texts.rename("token"), "id": ids})
    return (
        frame.drop_nulls()
        .filter(pl.col("token") != "")
        .with_columns((pl.lit(f"{letter}:") + pl.col("token")).alias("token"))
    )


def beginnings(name: str) -> list[str]:
    """Where a look-up may start in a name: every Chinese character, and every Latin word."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    found, text, starts = [], "", []
    boundary = True
    for character in plain:
        if character.isspace():
            boundary = True
            continue
        if boundary or not character.isascii() or (text and not text[-1].isascii()):
            starts.append(len(text))
        boundary = not character.isalnum()
        text += character
    for start in starts:
        piece = text[start : start + LONGEST]
        if start == 0 or len(piece) > 1:
            found.append(piece)
    return found


def _name_tokens(ids: pl.Series, names: pl.Series) -> list[pl.DataFrame]:
    chinese = names.str.contains(r"^[\u3400-\u9fff]{1,24}$").fill_null(False)
    found = _suffixes(ids.filter(chinese), names.filter(chinese))
    others = pl.DataFrame({"id": ids, "token": names}).filter(~chinese).drop_nulls()
    if others.height:
        several = [beginnings(n) for n in others["token"]]
        found.append(
            _tokens("n", others["id"], pl.Series([s[0] if s else None for s in several], dtype=pl.String))
        )
        inner = pl.Series("token", [s[1:] for s in several], dtype=pl.List(pl.String))
        long = others.with_columns(inner).explode("token", empty_as_null=True).drop_nulls()
        found.append(_tokens("m", long["id"], long["token"]))
    short = names.str.len_chars() <= SHORT_NAME  # only of the few others more places are looked at
    groups = (chinese & short, chinese & ~short)
    letters = [_tokens("i", ids.filter(some), _initials(names.filter(some))) for some in groups]
    odd = pl.Series([initials(n) for n in others["token"]], dtype=pl.String)
    letters.append(_tokens("i", others["id"], odd))
    return [*found, *(part.filter(pl.col("token").str.len_chars() > 3) for part in letters)]


def _initials(names: pl.Series) -> pl.Series:
    """`initials` of Chinese names, a place at a time over the distinct characters there."""
    letters = [names.str.slice(0, 0)]
    for place in range(int(names.str.len_chars().max() or 0)):  # type: ignore[arg-type]
        character = names.str.slice(place, 1)
        distinct = character.unique().drop_nulls().to_list()
        read = {c: (_SURNAMES.get(c) if place == 0 else None) or (_initial(c) if c else "") for c in distinct}
        letters.append(
            character.replace_strict(read, default="", return_dtype=pl.String) if read else character
        )
    return reduce(add, letters)


def _suffixes(ids: pl.Series, names: pl.Series) -> list[pl.DataFrame]:
    """Names that are Chinese characters only, and all that they end with of two characters or more."""
    longest = int(names.str.len_chars().max() or 1)  # type: ignore[arg-type]
    parts = [_tokens("n", ids, names)]
    for start in range(1, longest - 1):
        inside = names.str.len_chars() >= start + 2
        parts.append(_tokens("m", ids.filter(inside), names.filter(inside).str.slice(start)))
    return parts


def _blinds(indexes: pl.Series) -> pl.Series:
    return indexes.bin.slice(0, _BLIND_BYTES).bin.encode("base64")


def _backwards(frame: pl.DataFrame) -> list[pl.DataFrame]:
    ids = frame["id"]
    return [
        *(_tokens("d", ids, _digits(frame[n]).str.reverse()) for n in ("mobile", "backup_phone")),
        *(_tokens("d", ids, frame[f"{n}_tail"].str.reverse()) for n in ("id_number", "bank_card")),
        _tokens("d", ids, frame["uscc"].str.to_lowercase().str.tail(TAIL).str.reverse()),
    ]


def _loan_numbers(frame: pl.DataFrame) -> list[pl.DataFrame]:
    return [
        _tokens("l", frame["id"], normal_column(frame[name]).str.slice(0, LONGEST * 2))
        for name in ("loan_no", "contract_no", "application_no")
    ]


_MAKERS: Final[dict[str, dict[str, Callable[[pl.DataFrame], list[pl.DataFrame]]]]] = {
    "customer": {
        "d": _backwards,
        "i": lambda frame: _name_tokens(frame["id"], frame["name"]),
        "k": lambda frame: [_tokens("k", frame["id"], normal_column(frame["customer_no"]))],
        "u": lambda frame: [_tokens("u", frame["id"], frame["uscc"].str.to_lowercase())],
        "x": lambda frame: [
            _tokens("x", frame["id"], _blinds(frame[f"{n}_blind"])) for n in ("id_number", "bank_card")
        ],
    },
    "loan": {"l": _loan_numbers},
}
"""What makes the keys of a kind, by the first letter that it makes keys of."""


def keys(kind: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Search keys (`token`, `id`) of stored records of a kind (sealed fields with blind and tail)."""
    nothing = pl.DataFrame(schema={"token": pl.String, "id": pl.Int64})
    made = (part for make in _MAKERS.get(kind, {}).values() for part in make(frame))
    return pl.concat([nothing, *made]).unique()


def sorted_keys(records: Iterable[Columns]) -> Iterator[pl.DataFrame]:
    """The search keys of many records in order, a frame for each letter; one may stand there twice. Behind
    them a frame of pieces (see `derived`). Each is made when it is asked for, so that only one is in memory.
    """
    gathered: dict[str, list[pl.DataFrame]] = {}
    for columns in records:
        gathered.setdefault(columns.kind, []).append(columns.frame)
    frames = {kind: pl.concat(some) for kind, some in gathered.items()}
    made: dict[str, list[pl.DataFrame]] = {}
    for letter in LETTERS:
        for kind, frame in frames.items():
            make = _MAKERS.get(kind, {}).get(letter)
            for part in make(frame) if make else ():
                if part.height:
                    made.setdefault(part["token"][0][0], []).append(part)
        if letter in made:
            yield pl.concat(made.pop(letter)).sort("token", "id")
    if pieces.KIND in frames:
        yield pieces.rows(frames[pieces.KIND].select("id", *pieces.SOURCES)).sort("gram", "block")


def outdated(wanted: pl.DataFrame) -> pl.DataFrame:
    """Keys that an earlier version made in place of some of these: the inside of a name among the names."""
    inner = wanted.filter(pl.col("token").str.starts_with("m:"))
    old = inner.with_columns(pl.format("n{}", pl.col("token").str.slice(1)).alias("token"))
    return old.join(wanted, on=["token", "id"], how="anti")


def derived(frame: pl.DataFrame) -> Columns:
    """Search keys or pieces, as they are put."""
    return Columns(PIECE if "gram" in frame.columns else SEARCH_KEY, frame)


INDEXED: Final = ("customer", "loan")
"""Kinds that have search keys."""


SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "customer": (
        *(*pieces.SOURCES, "mobile", "backup_phone", "uscc", "customer_no"),
        *("id_number_tail", "id_number_blind", "bank_card_tail", "bank_card_blind"),
    ),
    "loan": ("loan_no", "contract_no", "application_no"),
}
"""The stored columns that search keys are made of."""


def _shape(kind: str) -> dict[str, Any]:
    types = {c.name: c.type for c in schema().table(kind).columns}
    return {"id": pl.Int64, **{name: FRAME_TYPES[types[name]] for name in SOURCES[kind]}}


def new_records(columns: Columns, diff: Diff) -> Columns:
    """Of the new records of a put of sealed columns, what their search keys are made of."""
    frame = columns.frame
    made = frame if len(diff.new) == frame.height else frame.filter(pl.col("id").is_in(list(diff.new)))
    shape = _shape(columns.kind)
    given = (name if name in made.columns else pl.lit(None, shape[name]).alias(name) for name in shape)
    return Columns(columns.kind, made.select(given))


def changes(
    columns: Columns, diff: Diff, ask: Callable[[Query], pl.DataFrame], *, new: bool = True
) -> Iterator[Columns]:
    """The search keys and pieces to add and to take away after a put of sealed columns, each to be put
    before the next is asked for; `ask` is the store's `columns`, `new=False` leaves new records for later.
    """
    found = [_changes(columns, diff, new)]
    if columns.kind == pieces.KIND:
        found.append(pieces.changes(ask, columns, diff, new=new))
    return (change for some in found for change in some if change.frame.height)


def _changes(columns: Columns, diff: Diff, new: bool) -> Iterator[Columns]:
    kind = columns.kind
    shape = _shape(kind)
    if new and diff.new:
        yield Columns(SEARCH_KEY, keys(kind, new_records(columns, diff).frame).sort("token", "id"))
    if diff.changed or diff.removed:
        old = keys(kind, _frame([b for b, _ in diff.changed] + list(diff.removed), shape))
        fresh = keys(kind, _frame([a for _, a in diff.changed], shape))
        yield Columns(SEARCH_KEY, fresh.join(old, on=["token", "id"], how="anti"))
        yield Columns(SEARCH_KEY, old.join(fresh, on=["token", "id"], how="anti"), gone=True)


def _frame(records: list[Record], shape: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([{n: r.get(n) for n in shape} for r in records], schema=shape)


def _digits(texts: pl.Series) -> pl.Series:
    return texts.str.replace_all(r"\D", "")
