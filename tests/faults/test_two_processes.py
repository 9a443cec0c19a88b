"""Two processes on one home: one takes files in, the other waits or says busy, and readers read on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from loanhub import jobs
from loanhub.errors import Busy
from loanhub.institution import Institution
from loanhub.jobs import Job
from loanhub.keys import Secret
from loanhub.records import Query
from loanhub.services.intake.acts import LIST, BatchList
from loanhub.services.intake.job import Incoming, Intake
from loanhub.services.people.acts import ADD, FIND
from loanhub.services.people.edit import AddCustomer
from loanhub.services.people.find import Find
from loanhub.texts import LANGS, say
from tests.faults.effects import beside
from tests.faults.offices import PASSPHRASE, Ended, Office, loans, workbook

LONG = 60.0


@contextmanager
def half_way(office: Office, path: Path) -> Iterator[Future[Ended]]:
    """Another process takes in a file, and stands still with one chunk landed until the block ends."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(office.work, file=str(path), pause="after batch.land")
        deadline = time.monotonic() + LONG
        while not beside(office.home, "paused").exists():
            assert not future.done(), future.result()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        try:
            yield future
        finally:
            beside(office.home, "go").touch()


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office.open(tmp_path / "home")


def opened(office: Office) -> Institution:
    return Institution.open(office.home, unlock=lambda: Secret(PASSPHRASE))


def test_while_one_process_takes_a_file_in_another_says_busy_and_readers_read(
    office: Office, tmp_path: Path
) -> None:
    path, other = (
        workbook(tmp_path / "a.xlsx", loans(60, 2)),
        workbook(tmp_path / "b.xlsx", loans(5, 1, first=500)),
    )
    with opened(office) as house:
        with half_way(office, path) as taking:
            intake = Intake.of(house, "zh")
            with pytest.raises(Busy) as busy:
                list(
                    jobs.run(
                        Job("intake", lambda _: intake.take(Incoming(other, other.name))), house, wait=0.2
                    )
                )
            assert (busy.value.code, busy.value.exit_status) == ("home-busy", 8)
            for lang in LANGS:
                assert str(busy.value.facts["pid"]) in say(busy.value, lang).text
            (line,) = house.desk().do(LIST, BatchList())
            assert (line.status, line.rows) == ("landing", 50)
            (hit,) = house.desk().do(FIND, Find("JJ00003")).results
            assert hit.landing, "rows of an unfinished batch are marked"
            assert house.desk().do(FIND, Find("JJ00100")).results == ()
            before = list((house.home / "tmp").iterdir())
        assert not taking.result().killed
        assert before, "its scratch was left alone"
        (hit,) = house.desk().do(FIND, Find("JJ00003")).results
        assert not hit.landing
        with house.store.reading() as tx:
            assert tx.columns(Query("loan")).height == 120


def test_two_files_taken_in_at_once_are_both_stored(office: Office, tmp_path: Path) -> None:
    path, other = (
        workbook(tmp_path / "a.xlsx", loans(60, 2)),
        workbook(tmp_path / "b.xlsx", loans(60, 2, first=500)),
    )
    with ThreadPoolExecutor(1) as pool:
        with half_way(office, path) as first:
            second = pool.submit(office.work, file=str(other))
            time.sleep(1.0)
            assert not second.done(), "it waits"
        ended = (first.result(), second.result())
    batches = ended[1].state["batch"]
    assert [(batch["name"], batch["status"], batch["stored"]) for batch in batches] == [
        ("a.xlsx", "stored", 120),
        ("b.xlsx", "stored", 120),
    ]
    assert len({record["id"] for record in ended[1].state["loan"]}) == 240
    assert ended[1].state["lines whole"]


def test_a_person_writes_between_the_chunks_of_another_process(office: Office, tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", loans(60, 2))
    with opened(office) as house:
        with half_way(office, path) as taking:
            house.desk().do(ADD, AddCustomer("王某某"))
        state = taking.result().state
    assert [c["name"] for c in state["customer"]].count("王某某") == 1
    assert (state["batch"][0]["stored"], len(state["loan"]), state["lines whole"]) == (120, 120, True)
