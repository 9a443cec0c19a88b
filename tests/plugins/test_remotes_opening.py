"""The agent opens remotes by their addresses, and keeps to the share of the line it was given."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest

from loanhub import Misconfigured, Plugins, Remote, RemoteKind, hookimpl
from loanhub.testing.remotes import MemoryRemote, RemoteSuite
from loanhub_remote_folder import SETTINGS
from loanhub_remote_s3.opening import Wishes
from sync_agent.remotes import LIMIT, Limited, open_remote


@pytest.fixture(scope="module")
def plugins() -> Plugins:
    return Plugins.load()


class TestLimited(RemoteSuite):
    @pytest.fixture
    def remote(self) -> Remote:
        return Limited(MemoryRemote(), 1e12)


def test_an_address_is_opened_by_the_plugin_for_its_beginning(tmp_path: Path, plugins: Plugins) -> None:
    assert open_remote(str(tmp_path), plugins=plugins).name == str(tmp_path)
    assert open_remote(tmp_path.as_uri(), plugins=plugins).name == str(tmp_path)
    assert open_remote("s3://bucket/vault/", {"region": "x"}, plugins=plugins).name == "s3://bucket/vault"
    assert open_remote("S3://bucket", {"limit": 500}, plugins=plugins).name == "s3://bucket"


def test_a_strangers_remote_is_opened_like_ours() -> None:
    class Attic:
        @hookimpl
        def remotes(self) -> list[RemoteKind]:
            return [RemoteKind("attic", lambda address, settings: MemoryRemote(name=address))]

    plugins = Plugins.load()
    plugins.register("attic", Attic())
    assert open_remote("attic://box", plugins=plugins).name == "attic://box"
    with pytest.raises(Misconfigured, match="remote-scheme-unknown") as caught:
        open_remote("cellar://box", plugins=plugins)
    assert caught.value.facts == {"scheme": "cellar", "known": "attic, file, s3"}


@pytest.mark.parametrize("limit", [-1, "fast", True])
def test_a_limit_that_cannot_be_meant_is_refused(tmp_path: Path, plugins: Plugins, limit: object) -> None:
    with pytest.raises(Misconfigured, match="remote-setting-wrong"):
        open_remote(str(tmp_path), {"limit": limit}, plugins=plugins)


def test_every_setting_stands_in_the_docs(checkout: Path) -> None:
    page = (checkout / "docs" / "remotes.md").read_text(encoding="utf-8")
    named = [one.name for one in attrs.fields(Wishes)] + [LIMIT, *SETTINGS]
    assert [name for name in named if f"`{name}`" not in page] == []


class Day:
    """A clock that goes on when somebody waits."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time

    def pause(self, seconds: float) -> None:
        self.time += seconds


def test_a_limited_remote_keeps_the_average_both_ways() -> None:
    day = Day()
    remote = Limited(MemoryRemote(), 1000, day.now, day.pause)
    for n in range(10):
        remote.put_new(f"p/{n}", bytes(1000))
    assert day.time == pytest.approx(108)  # ten seconds' worth: one was saved, the last is not waited for
    for n in range(10):
        remote.get(f"p/{n}", 0, 500)
    remote.put_new("p/last", b"")
    assert day.time == pytest.approx(114)
    day.time += 1000
    began = day.time
    for n in range(3):
        remote.put_new(f"q/{n}", bytes(1000))
    assert day.time - began == pytest.approx(1)  # a long rest saves one second, not a thousand


def test_many_threads_share_one_limit() -> None:
    remote = Limited(MemoryRemote(), 1_000_000)
    began = remote.now()
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda n: remote.put_new(f"p/{n}", bytes(200_000)), range(9)))
    assert 0.55 < remote.now() - began < 3  # 1.8 MB, one second of it saved, the last not waited for
