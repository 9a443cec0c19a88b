"""The part of the store suite about search keys: tokens found whole and by their beginning, in pages."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from loanhub.kinds import ReadTx
from loanhub.records import Columns, Cursor, Order, Probe, Query, Test
from loanhub.schema import SEARCH_KEY
from loanhub.testing.store_asking import AskingSuite, ages, raises
from loanhub.testing.store_work import after


class SearchingSuite(AskingSuite):
    """What a store finds by search keys."""

    def test_a_search_finds_whole_tokens_and_prefixes(self, tmp_path: Path) -> None:
        """In any script, up to the last code point, each record once; % and _ are nothing special."""
        tokens = {
            1: ["n:张三", "n:三", "d:1391"],
            2: ["n:张三丰", "n:三丰", "n:丰", "n:张\U0010ffff尾"],
            3: ["n:\U0010ffff\U0010ffff", "n:𠮷田"],
            4: ["n:张%", "n:李_"],
            5: ["n:\ud7ff", "n:\ue000"],
        }
        rows = [(token, person) for person, those in tokens.items() for token in those]
        probes = {
            Probe("n:张三"): [1],
            Probe("n:张三", prefix=True): [1, 2],
            Probe("n:三", prefix=True): [1, 2],
            Probe("n:张", prefix=True): [1, 2, 4],
            Probe("n:张\U0010ffff", prefix=True): [2],
            Probe("n:\U0010ffff", prefix=True): [3],
            Probe("n:𠮷", prefix=True): [3],
            Probe("n:\ud7ff", prefix=True): [5],
            Probe("n:张%"): [4],
            Probe("n:%", prefix=True): [],
            Probe("n:李四", prefix=True): [],
            Probe("\U0010ffff", prefix=True): [],
            Probe("", prefix=True): [1, 2, 3, 4, 5],
        }
        with self.store(tmp_path) as store:
            ages(store)
            frame = pl.DataFrame(rows, schema={"token": pl.String, "id": pl.Int64}, orient="row")
            with store.writing() as tx:
                tx.put(Columns(SEARCH_KEY, frame), at=after(0), line=1)
                tx.put(Columns(SEARCH_KEY, frame), at=after(0), line=1)  # nothing happens twice
            with store.reading() as reader:
                for probe, ids in probes.items():
                    found = reader.find(Query("person", search=probe))
                    assert [r["id"] for r in found] == ids, probe
                both = Query("person", (Test("amount", "null"),), search=Probe("n:张", prefix=True))
                assert reader.columns(both)["id"].to_list() == [2]
                assert reader.columns(Query(SEARCH_KEY)).sort("token", "id").equals(frame.sort("token", "id"))

    def test_search_keys_have_pages_too(self, tmp_path: Path) -> None:
        """In the order of token and id, up and down; in any other order there are none."""
        rows = [(token, key) for token in ("n:张", "n:张三", "n:张三丰", "n:李") for key in (7, 2, 2**40)]
        frame = pl.DataFrame(rows, schema={"token": pl.String, "id": pl.Int64}, orient="row")
        prefix = (Test("token", "prefix", "n:张"),)
        with self.store(tmp_path) as store:
            with store.writing() as tx:
                tx.put(Columns(SEARCH_KEY, frame), at=after(0), line=1)
            with store.reading() as reader:
                for down in (False, True):
                    wanted = sorted((row for row in rows if row[0] != "n:李"), reverse=down)
                    found: list[tuple[str, int]] = []
                    while page := self._page_behind(reader, prefix, found[-1:], down):
                        found += page
                    assert found == wanted
                with raises(ValueError):
                    reader.columns(Query(SEARCH_KEY, order=Order("id"), after=Cursor("n:张", 2)))

    def _page_behind(
        self, tx: ReadTx, where: tuple[Test, ...], last: list[tuple[str, int]], down: bool
    ) -> list[tuple[str, int]]:
        cursor = Cursor(*last[0]) if last else None
        frame = tx.columns(Query(SEARCH_KEY, where, order=Order("token", down), after=cursor, limit=2))
        return list(frame.select("token", "id").iter_rows())

    def test_a_row_of_a_derived_table_goes_by_its_key(self, tmp_path: Path) -> None:
        """Others with a part of the key stay."""
        frame = pl.DataFrame({"token": ["a", "a", "b"], "id": [1, 2, 1]})
        with self.store(tmp_path) as store:
            with store.writing() as tx:
                tx.put(Columns(SEARCH_KEY, frame), at=after(0), line=1)
                tx.put(Columns(SEARCH_KEY, frame[:1], gone=True), at=after(0), line=1)
            with store.reading() as reader:
                assert reader.columns(Query(SEARCH_KEY)).rows() == [("a", 2), ("b", 1)]
