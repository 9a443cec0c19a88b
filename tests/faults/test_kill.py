"""Killed at any step of a batch, a rerun ends as if nothing had happened; out of room, it goes on in the end.

The undisturbed run says which effects there are (`effects.py`); then the work is done again from the same
home, killed with SIGKILL at one of them, and gone on with in a new process. Files, records, search keys,
counts and the audit chain must be those of the undisturbed run (`states.py`). Builds that are wrong on
purpose (`broken.py`) must be noticed, else these tests would prove nothing. A process for which the disk is
full from one of the effects on says so, lives, and does the work once there is room.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from attrs import field, frozen

from tests.faults.broken import BROKEN
from tests.faults.offices import Ended, Office, loans, receipts, workbook
from tests.faults.states import differences

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
    pytest.mark.timeout(1800),  # half a minute on a desk of its own; many processes on a shared one
]

AT_ONCE = 2
FULL = {"disk-full", "database-disk-full"}
"""How a full disk is said."""
LARGE = {"large": 100}
"""As if 100 rows were a large file: search keys are built after landing."""


@frozen
class Story:
    """One piece of work at a home: what it is, and how it ends undisturbed."""

    home: Office
    folder: Path
    wish: dict[str, Any]
    ended: Ended = field(repr=False)

    def points(self) -> list[int]:
        """All moments to die at, just before each effect."""
        return list(range(1, len(self.ended.seen) + 1))

    def named(self, label: str, number: int) -> int | str:
        """The moment before the first effect of a name, by name since a broken build has others before it; or
        before a later one, by its place.
        """
        return (
            label
            if number == 1
            else [at for at, seen in enumerate(self.ended.seen, 1) if seen == label][number - 1]
        )

    def telling_points(self) -> list[int]:
        """The first and the last of every sort of effect."""
        seen = self.ended.seen
        firsts = {label: at for at, label in reversed(list(enumerate(seen, 1)))}
        lasts = {label: at for at, label in enumerate(seen, 1) if label.endswith(("land", "index", "finish"))}
        return sorted({*firsts.values(), *lasts.values()})

    def faults(self, points: Iterable[int | str], **broken: Any) -> Iterator[str]:
        """What is otherwise than undisturbed after being killed at each of the points and gone on with."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from (
                line for lines in pool.map(lambda at: self._fault(at, broken), points) for line in lines
            )

    def _fault(self, at: int | str, broken: dict[str, Any]) -> list[str]:
        name = str(at).replace(" ", "-")
        home = self.home.copy(self.folder / f"{'-'.join(broken.values())}{name}")
        assert home.work(kill=at, **self.wish, **broken).killed, f"nobody died at {at}"
        label = at if isinstance(at, str) else self.ended.seen[at - 1]
        found = home.work(**self.wish, **broken).state
        return [f"killed at {at} ({label}): {line}" for line in differences(found, self.ended.state)]

    def without_room(self, points: Iterable[int]) -> Iterator[str]:
        """What is otherwise than undisturbed when from a point on the disk was full, and then no more."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from (line for lines in pool.map(self._without_room, points) for line in lines)

    def _without_room(self, at: int) -> list[str]:
        ended = self.home.copy(self.folder / f"full-{at}").work(full=at, **self.wish)
        found = differences(ended.state, self.ended.state)
        needs_room = any(not label.startswith(("remove", "after")) for label in self.ended.seen[at - 1 :])
        if (needs_room and not ended.said) or not FULL.issuperset(ended.said):
            found.append(f"said {ended.said}")
        return [f"full from {at} ({self.ended.seen[at - 1]}): {line}" for line in found]


def assert_none(faults: Iterable[str]) -> None:
    """No fault, or all of them to be read."""
    found = list(faults)
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def january(tmp_path_factory: pytest.TempPathFactory) -> Office:
    """A home that holds the book of January, and the book of February lies in its drop folder.

    In February one purpose was changed by the sheet and by a person too, phones moved, loans came, a receipt
    is of nobody's loan, an ID and an amount are wrong.
    """
    folder = tmp_path_factory.mktemp("office")
    office = Office.open(folder / "home")
    february = loans(80, 3)
    office.drop(workbook(folder / "一月.xlsx", february[:60]))
    office.work(edit={"JJ00001": "装修房屋"})
    for row in february[:5]:
        row[9] = "旅游"
    for at in (10, 11, 12):
        february[at][2] = f"137000000{at:02}"
    february[150][1] = "519999197811301264"
    february[151][4] = "若干"
    office.drop(workbook(folder / "二月.xlsx", february, receipts(60)))
    return office


@pytest.fixture(scope="module")
def february(january: Office, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The book of February taken in, undisturbed."""
    folder = tmp_path_factory.mktemp("february")
    return Story(january, folder, {}, january.copy(folder / "undisturbed").work())


@pytest.fixture(scope="module")
def as_large(january: Office, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The same as a large file."""
    folder = tmp_path_factory.mktemp("large")
    return Story(january, folder, LARGE, january.copy(folder / "undisturbed").work(**LARGE))


@pytest.fixture(scope="module")
def taken_back(february: Story, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """February taken in and taken back."""
    folder = tmp_path_factory.mktemp("undo")
    home = february.home.copy(folder / "home")
    home.work()
    return Story(home, folder, {"undo": 2}, home.copy(folder / "undisturbed").work(undo=2))


def test_the_undisturbed_run_has_something_of_everything_to_lose(february: Story) -> None:
    state = february.ended.state
    batch = state["batch"][-1]
    counted = {
        name: batch[name] for name in ("rows", "stored", "changed", "conflicts", "rejected", "waiting")
    }
    assert min(counted.values()) > 0, counted
    assert batch["rows"] == sum(batch[n] for n in ("stored", "changed", "unchanged", "conflicts", "rejected"))
    assert (batch["status"], state["drop"], state["processing"]) == ("stored", [], 0)
    assert [name for name, digest in state["archive"] if digest != name.removesuffix(".sealed")] == []
    assert len(february.points()) >= 40


def test_killed_at_any_step_a_rerun_ends_as_if_nothing_had_happened(february: Story) -> None:
    points = february.telling_points()
    assert len(points) >= 20
    assert_none(february.faults(points))


def test_a_large_file_killed_while_its_search_keys_are_built_is_found_all_the_same(as_large: Story) -> None:
    seen = as_large.ended.seen
    points = [at for at, label in enumerate(seen, 1) if label.endswith("index")]
    assert_none(as_large.faults([points[0], points[-1], seen.index("after batch.land") + 2]))


def test_an_undo_killed_is_done_or_not_begun(taken_back: Story) -> None:
    assert_none(taken_back.faults(taken_back.points()))


JOURNEY = ("rename processing .xlsx", "before batch.land", "rename returns .xlsx", "rename archive .sealed")
JOURNEY += ("before batch.finish",)


def test_out_of_room_at_any_step_it_is_said_and_done_once_there_is_room(february: Story) -> None:
    seen = february.ended.seen
    assert_none(february.without_room([seen.index(label) + 1 for label in JOURNEY]))


WRONG = {
    "finish-before-report": ("rename returns .xlsx", 1, {}),
    "plain-file-gone-before-the-end": ("before batch.finish", 1, {}),
    "taken-before-claimed": ("before batch.claim", 1, {}),
    "checkpoint-apart": ("after batch.land", 1, {}),
    "people-forgotten": ("after batch.land", 3, LARGE),
    "keys-of-this-desk-only": ("before batch.index", 1, LARGE),
}
"""Where each broken build is to be killed so that it does harm: at which effect of a name, of which story."""


def test_a_house_built_wrongly_would_be_noticed(february: Story, as_large: Story) -> None:
    assert WRONG.keys() == BROKEN.keys()
    for build in ("finish-before-report", "checkpoint-apart"):
        label, number, wish = WRONG[build]
        story = as_large if wish else february
        assert list(story.faults([story.named(label, number)], broken=build)), build


@pytest.mark.prove
@pytest.mark.parametrize("build", WRONG)
def test_every_house_built_wrongly_does_well_undisturbed_and_is_noticed_when_killed(
    build: str, february: Story, as_large: Story
) -> None:
    label, number, wish = WRONG[build]
    story = as_large if wish else february
    alone = story.home.copy(story.folder / f"{build}-alone").work(**wish, broken=build)
    assert differences(alone.state, story.ended.state) == []
    assert list(story.faults([story.named(label, number)], broken=build))


@pytest.mark.prove
@pytest.mark.parametrize("name", ["february", "as_large"])
def test_killed_at_every_step_a_rerun_ends_as_if_nothing_had_happened(
    name: str, request: pytest.FixtureRequest
) -> None:
    story: Story = request.getfixturevalue(name)
    assert_none(story.faults(story.points()))


@pytest.mark.prove
@pytest.mark.parametrize("name", ["february", "as_large"])
def test_out_of_room_at_every_step_it_is_said_and_done_once_there_is_room(
    name: str, request: pytest.FixtureRequest
) -> None:
    story: Story = request.getfixturevalue(name)
    assert_none(story.without_room(story.points()))


@pytest.mark.prove
def test_killed_again_and_again_the_work_is_done_in_the_end(february: Story) -> None:
    home = february.home.copy(february.folder / "again-and-again")
    deaths = 0
    while (ended := home.work(kill=3 + deaths)).killed:
        deaths += 1
        assert deaths < 200
    assert deaths > 10
    assert differences(home.work().state, february.ended.state) == [], json.dumps(ended.seen)
