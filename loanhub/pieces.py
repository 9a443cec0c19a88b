"""Any piece of a name or an address looked up: which customers have which characters there.

A gram is a letter that says where it stands, and characters that follow each other there:

    a望湖   two characters of an address, home or registered     a88号  three, where the first two are digits
    n三     a character of a name                                s张    the first character of a name

Numbers need the three: of two digits there are so few that every town has them all. Pairs of a name would be
ten times as many rows, and are rarely needed: names alone have search keys. For each gram and block
of 65,536 ids a row or several hold the ids, as offsets of two bytes or, from 4,096 ids on, as one bit for
each id of the block. Who has all grams of a piece nearly always has the piece; the record itself tells.
Rows are derived: they can be dropped and built again from the records at any time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

import numpy as np
import polars as pl
from attrs import frozen

from loanhub.records import Columns, Diff, Query, Record, Test
from loanhub.schema import PIECE

KIND: Final = "customer"
ADDRESSES: Final = ("address", "hukou_address")
SOURCES: Final = ("name", *ADDRESSES)
"""The stored columns of a customer that grams are made of."""

OFFSET_BITS: Final = 16
BLOCK: Final = 1 << OFFSET_BITS
"""Ids that one row may speak of."""
BITMAP: Final = BLOCK // 8
"""Bytes of a row that has a bit for each id; offsets never take as many."""
WIDTH: Final = 15
"""Bits of a character's number: three characters and an offset are one integer."""
AT_ONCE: Final = 20_000
"""Records whose pieces are taken away at once."""
MOST: Final = (1 << WIDTH) - 1
SHAPE: Final = {"gram": pl.String, "block": pl.Int64, "ids": pl.Binary}


def normal_column(texts: pl.Series) -> pl.Series:
    """Names, numbers and addresses as they are compared: NFKC, no spaces, lower case."""
    return texts.str.normalize("NFKC").str.replace_all(r"\s+", "").str.to_lowercase()


Run = tuple[str, bytes]
"""A gram, and who of a block has it."""


# -- grams of one text ---------------------------------------------------------------------------------


def address_grams(text: str) -> set[str]:
    """The grams of a piece of an address, in its normal form."""
    return {f"a{a}{b}" for a, b in pairwise(text)} | {f"a{n}" for n in re.findall(r"(?=([0-9]{2}.))", text)}


def name_grams(text: str) -> set[str]:
    """The grams of a piece of a name; a single character is looked for at the beginning only."""
    return {f"s{text}"} if len(text) == 1 else {f"n{character}" for character in text}


# -- rows of many records ------------------------------------------------------------------------------


def rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows (`gram`, `block`, `ids`) of customers by block and gram; `frame` has `id` and `SOURCES`."""
    found = [pl.DataFrame(schema=SHAPE)]
    for (block,), some in frame.group_by(pl.col("id") // BLOCK, maintain_order=True):
        addresses, names = _texts(some, *ADDRESSES), _texts(some, "name")
        runs = [*_runs(addresses, " aa", _in_address), *_runs(names, "ns", _in_name)]
        made = [(gram, block, ids) for gram, ids in sorted(runs)]
        found.append(pl.DataFrame(made, schema=SHAPE, orient="row"))
    return pl.concat(found)


def _texts(frame: pl.DataFrame, *names: str) -> pl.DataFrame:
    """Every text of these columns that is there, in its normal form, with its id."""
    every = pl.concat([pl.DataFrame({"id": frame["id"], "text": normal_column(frame[n])}) for n in names])
    return every.filter(pl.col("text") != "")


Spots = tuple[Any, Any]
"""Codes of grams by where in the texts they begin, and where there are any."""
LINE: Final = ord("\n")
"""Ends every text."""


def _in_address(characters: Any, numbers: Any) -> Iterator[Spots]:
    pairs = (numbers[:-1] << 2 * WIDTH) | (numbers[1:] << WIDTH)
    yield pairs, (characters[:-1] != LINE) & (characters[1:] != LINE)
    digit = (characters >= ord("0")) & (characters <= ord("9"))
    yield pairs[:-1] | numbers[2:], digit[:-2] & digit[1:-1] & (characters[2:] != LINE)


def _in_name(characters: Any, numbers: Any) -> Iterator[Spots]:
    yield numbers << 2 * WIDTH, characters != LINE
    end = numbers[-1]  # of the last line; a first character is a pair with the end of the line before
    yield (end << 2 * WIDTH) | (numbers << WIDTH), np.append([LINE], characters[:-1]) == LINE


def _runs(texts: pl.DataFrame, letters: str, cut: Callable[[Any, Any], Iterator[Spots]]) -> Iterator[Run]:
    """Every gram of texts of one block, and who has it; `letters` by how many characters a gram has."""
    if texts.is_empty():
        return
    whole = "\n".join(texts["text"].to_list()) + "\n"
    characters = np.frombuffer(whole.encode("utf-32-le"), np.uint32)
    known = np.flatnonzero(np.bincount(characters))
    if len(known) + 1 >= 1 << WIDTH:  # more characters than any script has in use: rows for each half
        middle = texts.height // 2
        yield from _runs(texts[:middle], letters, cut)
        yield from _runs(texts[middle:], letters, cut)
        return
    numbers = np.zeros(int(known[-1]) + 1, np.int64)
    numbers[known] = np.arange(1, len(known) + 1)  # 0 stands where a gram has no further character
    offsets = np.repeat(texts["id"].to_numpy() % BLOCK, texts["text"].str.len_chars().to_numpy() + 1)
    spots = cut(characters, numbers[characters])
    found = np.concatenate([(code[at] << OFFSET_BITS) | offsets[: len(code)][at] for code, at in spots])
    for code, ids in _grouped(found):
        places = (code >> 2 * WIDTH, code >> WIDTH & MOST, code & MOST)
        gram = "".join(chr(known[place - 1]) for place in places if place)
        yield letters[len(gram) - 1] + gram.lstrip("\n"), ids


def _grouped(found: Any) -> Iterator[tuple[int, bytes]]:
    """Offsets gathered under what stands before them."""
    if not len(found):
        return
    found.sort()
    found = found[np.append([True], found[1:] != found[:-1])]
    codes, offsets = found >> OFFSET_BITS, (found & (BLOCK - 1)).astype("<u2")
    starts = np.flatnonzero(np.append([True], codes[1:] != codes[:-1]))
    ends = np.append(starts[1:], len(codes))
    for code, start, end in zip(codes[starts].tolist(), starts.tolist(), ends.tolist(), strict=True):
        yield code, _packed(offsets[start:end])


def _packed(offsets: Any) -> bytes:
    if 2 * len(offsets) < BITMAP:
        return bytes(offsets.astype("<u2").tobytes())
    mask = np.zeros(BLOCK, np.bool_)
    mask[offsets] = True
    return bytes(np.packbits(mask).tobytes())


def offsets_of(ids: bytes) -> Any:
    """The offsets that a row holds, ascending."""
    if len(ids) == BITMAP:
        return _offsets(np.frombuffer(ids, np.uint8))
    return np.frombuffer(ids, "<u2").astype(np.int64)


# -- looked up -----------------------------------------------------------------------------------------


@frozen
class Words:
    """The words of a search box as pieces of names and addresses, in their normal form.

    A word alone is looked for in addresses only: names have search keys of their own.
    """

    words: tuple[str, ...]

    @property
    def joined(self) -> str:
        """All words one behind the other."""
        return "".join(self.words)

    @property
    def grams(self) -> set[str]:
        """All grams that matter."""
        by_name = [name_grams(word) for word in self.words] if len(self.words) > 1 else []
        return set().union(address_grams(self.joined), *map(address_grams, self.words), *by_name)

    def blocks(self, present: Iterable[tuple[str, int]], *, joined: bool) -> list[int]:
        """Blocks, ascending, in which somebody may have them; `present` says which grams a block has."""
        known: dict[int, set[str]] = {}
        for gram, block in present:
            known.setdefault(block, set()).add(gram)
        return sorted(block for block, grams in known.items() if self._possible(grams, joined))

    def _possible(self, grams: set[str], joined: bool) -> bool:
        if joined:
            return address_grams(self.joined) <= grams
        return all(any(some and some <= grams for some in ways) for ways in self._ways)

    @property
    def _ways(self) -> list[list[set[str]]]:
        """For each word the grams it has in an address, and those in a name."""
        alone = len(self.words) == 1
        return [[address_grams(word)] + ([] if alone else [name_grams(word)]) for word in self.words]

    def likely(self, masks: dict[str, Any], *, joined: bool) -> Any:
        """Offsets, ascending, of a block by its `masks`: who has all grams of the joined words; or else of
        the words, but not of those.
        """
        together = _all(masks, address_grams(self.joined))
        if joined:
            return _offsets(together)
        every = ~together if len(self.words) > 1 else together
        for ways in self._ways:
            every = every & np.bitwise_or.reduce([_all(masks, grams) for grams in ways])
        return _offsets(every)

    def fits(self, name: str, addresses: list[str]) -> str | None:
        """Where all the words stand, as the word of `found.WHY`: None when they do not."""
        in_address = [len(w) > 1 and any(w in address for address in addresses) for w in self.words]
        if all(in_address):
            return "address"
        if len(self.words) == 1:
            return None
        in_name = [name.startswith(w) or (len(w) > 1 and w in name) for w in self.words]
        if all(in_name):
            return "name"
        return "words" if all(map(any, zip(in_address, in_name, strict=True))) else None


def masks_of(held: pl.DataFrame) -> dict[int, dict[str, Any]]:
    """Who has which gram, by block: a bit for each offset."""
    found: dict[int, dict[str, Any]] = {}
    scratch = np.zeros(BLOCK, np.bool_)
    for gram, block, ids in held.select(*SHAPE).iter_rows():
        masks = found.setdefault(block, {})
        mask = np.frombuffer(ids, np.uint8)
        if len(ids) != BITMAP:
            offsets = np.frombuffer(ids, "<u2")
            scratch[offsets] = True
            mask = np.packbits(scratch)
            scratch[offsets] = False
        masks[gram] = masks[gram] | mask if gram in masks else mask
    return found


def _offsets(mask: Any) -> Any:
    return np.flatnonzero(np.unpackbits(mask))


def _all(masks: dict[str, Any], grams: set[str]) -> Any:
    """Who has all of these; without any gram there is nobody."""
    if not grams or not grams <= masks.keys():
        return np.zeros(BITMAP, np.uint8)
    return np.bitwise_and.reduce([masks[gram] for gram in grams])


# -- kept up -------------------------------------------------------------------------------------------


Ask = Callable[[Query], pl.DataFrame]
"""Answers a query from the store: `ReadTx.columns`."""


def changes(ask: Ask, columns: Columns, diff: Diff, *, new: bool = True) -> Iterator[Columns]:
    """The rows to take away and to add after a put of customers; `new=False` leaves new records for later.

    Each is to be put before the next is asked for: what is taken away is read as it then stands.
    """
    altered = [(b, a) for b, a in diff.changed if any(b.get(n) != a.get(n) for n in SOURCES)]
    both: list[tuple[Record, Record | None]] = [*altered, *((record, None) for record in diff.removed)]
    both.sort(key=lambda pair: pair[0]["id"])
    for start in range(0, len(both), AT_ONCE):
        some = both[start : start + AT_ONCE]
        before, after = _pairs([b for b, _ in some]), _pairs([a for _, a in some if a is not None])
        yield from _without(ask, before.join(after, on=["gram", "id"], how="anti"))
        yield Columns(PIECE, _rows_of(after.join(before, on=["gram", "id"], how="anti")))
    if new and diff.new:
        made = columns.frame.filter(pl.col("id").is_in(list(diff.new)))
        texts = [made[n] if n in made.columns else pl.lit(None, pl.String).alias(n) for n in SOURCES]
        yield Columns(PIECE, rows(made.select("id", *texts)))


def _pairs(records: list[Record]) -> pl.DataFrame:
    """Every gram of records with its id."""
    frame = pl.DataFrame(
        [{n: r.get(n) for n in ("id", *SOURCES)} for r in records],
        schema={"id": pl.Int64, **dict.fromkeys(SOURCES, pl.String)},
    )
    return spread(rows(frame))


def spread(held: pl.DataFrame) -> pl.DataFrame:
    """Rows taken apart: `gram` and `id`, each pair once."""
    ids = [(offsets_of(i) + block * BLOCK).tolist() for block, i in held.select("block", "ids").iter_rows()]
    apart = held.select("gram", pl.Series("id", ids, dtype=pl.List(pl.Int64)))
    return apart.explode("id", empty_as_null=True).unique()


def _rows_of(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs put together again."""
    groups = pairs.sort("gram", "id").group_by("gram", pl.col("id") // BLOCK, maintain_order=True)
    made = [(gram, block, _packed(some["id"].to_numpy() % BLOCK)) for (gram, block), some in groups]
    return pl.DataFrame(made, schema=SHAPE, orient="row")


def _without(ask: Ask, gone: pl.DataFrame) -> Iterator[Columns]:
    """The rows that hold pairs which are no more, and what is left of them."""
    if gone.is_empty():
        return
    groups = gone.group_by("gram", pl.col("id") // BLOCK)
    going = {key: some["id"].to_numpy() % BLOCK for key, some in groups}
    held = ask(asked(gone["gram"].unique(), (gone["id"] // BLOCK).unique()))
    out, left, mark = [], [], np.zeros(BLOCK, np.bool_)
    for gram, block, ids in held.iter_rows():
        if (away := going.get((gram, block))) is not None:
            mark[away] = True
            offsets = offsets_of(ids)
            rest = offsets[~mark[offsets]]
            mark[away] = False
            out.append((gram, block, ids))
            left += [(gram, block, _packed(rest))] if len(rest) else []
    yield Columns(PIECE, pl.DataFrame(out, schema=SHAPE, orient="row"), gone=True)
    yield Columns(PIECE, pl.DataFrame(left, schema=SHAPE, orient="row"))


def lacking(ask: Ask, frame: pl.DataFrame) -> set[int]:
    """Ids of customers that the store does not hold every gram of."""
    found: set[int] = set()
    wanted = spread(rows(frame.select("id", *SOURCES)))
    for (block,), some in wanted.group_by(pl.col("id") // BLOCK):
        masks = masks_of(ask(asked(some["gram"].unique(), [block]))).get(block, {})
        there = {gram: set(_offsets(mask).tolist()) for gram, mask in masks.items()}
        found |= {key for gram, key in some.iter_rows() if key % BLOCK not in there.get(gram, ())}
    return found


def asked(grams: Iterable[str], blocks: Iterable[int]) -> Query:
    """The rows of some grams in some blocks."""
    return Query(PIECE, (Test("gram", "in", sorted(grams)), Test("block", "in", sorted(blocks))))


def present(grams: Iterable[str]) -> Query:
    """Which blocks have which of some grams; who has them is not read."""
    return Query(PIECE, (Test("gram", "in", sorted(grams)),), fields=("gram", "block"))
