"""The cage holds: whatever a file makes its reader do, the service lives and says a plain reason."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loanhub import cage, system
from loanhub.cage.frames import LONGEST, Broken, Kind, read, write
from loanhub.errors import Interrupted, Refused, Stale

MB = 1 << 20


def caged(function: str, *arguments: Any, **limits: Any) -> Any:
    given = {"memory": 512 * MB, "cpu": 10, "wall": 20.0, **limits}
    return cage.run(f"tests.unit.caged:{function}", *arguments, **given)


def refused(function: str, *arguments: Any, **limits: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        caged(function, *arguments, **limits)
    return caught.value


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_result_comes_back_whatever_is_printed_on_the_way() -> None:
    assert caged("echo", {"行": [1, "二", None, 3.5, True]}) == {"行": [1, "二", None, 3.5, True]}
    assert caged("echo", "half a \ud83d pair") == "half a \ud83d pair"
    assert caged("threads") == 4


def test_a_cage_is_ready_in_a_blink() -> None:
    fastest = min(_timed("echo", 1) for _ in range(4))
    assert fastest < 0.15


def _timed(function: str, *arguments: Any) -> float:
    began = time.perf_counter()
    caged(function, *arguments)
    return time.perf_counter() - began


def test_the_child_has_nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOANHUB_PASSPHRASE", "correct horse")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abc")
    with (tmp_path / "held").open("wb") as held:
        os.set_inheritable(held.fileno(), True)
        found = caged("surroundings", scratch=tmp_path / "scratch")
    assert found["cwd"] == found["environment"]["HOME"] == str(tmp_path / "scratch")
    assert not {name for name in found["environment"] if "LOANHUB" in name or "AWS" in name}
    assert found["handles"] <= 5  # three standard ones, the pipe to us, and the listing itself
    assert found["group"] != os.getpgid(0)
    assert not found["polars"]


def test_the_working_folder_is_gone_unless_it_was_given(tmp_path: Path) -> None:
    place = Path(caged("surroundings")["cwd"])
    assert not place.exists()
    caged("write_much", 10, scratch=tmp_path / "scratch")
    assert (tmp_path / "scratch" / "big").stat().st_size == 10


def test_progress_arrives_in_order_and_before_the_result() -> None:
    heard: list[Any] = []
    assert caged("steps", 500, on_progress=heard.append) == 500
    assert heard == [{"row": step} for step in range(500)]


def test_a_keeper_that_stumbles_over_progress_leaves_no_child(tmp_path: Path) -> None:
    def stumble(progress: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        caged("steps", 100_000, on_progress=stumble)
    assert not _children()


@pytest.fixture(autouse=True)
def earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children that other tests of this session left behind are not ours."""
    monkeypatch.setattr(sys.modules[__name__], "EARLIER", frozenset(_all_children()))


EARLIER: frozenset[str] = frozenset()


def _all_children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def _children() -> list[str]:
    return [child for child in _all_children() if child not in EARLIER]


def test_too_much_memory_is_refused_as_memory() -> None:
    assert refused("allocate", 2048 * MB).facts == {"reason": "memory"}
    assert refused("allocate_and_forget", 2048 * MB).facts == {"reason": "memory"}
    assert caged("allocate", 64 * MB) == 64 * MB


def test_endless_work_is_refused_as_time() -> None:
    error = refused("spin", cpu=1)
    assert (error.code, error.facts) == ("reader-died", {"reason": "time"})


def test_endless_waiting_is_refused_as_time() -> None:
    began = time.monotonic()
    assert refused("sleep", 60, wall=0.4).facts == {"reason": "time"}
    assert time.monotonic() - began < 5
    assert not _children()


def test_an_abort_is_a_crash_and_its_last_words_are_not_repeated(
    capfd: pytest.CaptureFixture[str],
) -> None:
    error = refused("abort")
    assert (error.code, error.facts) == ("reader-died", {"reason": "crash"})
    assert "1101" not in str(error) + "".join(capfd.readouterr())


def test_a_refusal_inside_is_the_same_refusal_outside() -> None:
    error = refused("refuse")
    assert (error.code, error.facts) == (
        "password-protected",
        {"sheet": "Sheet1", "row": 7, "path": "a.xlsx"},
    )


def test_an_error_class_of_a_plugin_comes_out_as_its_nearest_known_one() -> None:
    with pytest.raises(Stale) as caught:
        caged("refuse_the_house_way")
    assert type(caught.value) is Stale
    assert (caught.value.code, caught.value.facts) == ("changed-meanwhile", {"version": 3})


def test_any_other_exception_is_named_without_its_words() -> None:
    error = refused("stumble")
    assert error.code == "reader-failed"
    assert error.facts["reason"] == "ValueError"
    assert str(error.facts["where"]).startswith("caged.py:")
    assert "1199" not in str(error)


@pytest.mark.parametrize(
    ("function", "reason"),
    [("leave", "SystemExit"), ("answer_in_objects", "TypeError"), ("answer_nan", "ValueError")],
)
def test_what_cannot_be_answered_is_a_failure(function: str, reason: str) -> None:
    assert refused(function).facts["reason"] == reason


def test_a_function_that_is_not_there_is_a_failure() -> None:
    assert refused("no_such_function").facts["reason"] == "AttributeError"
    with pytest.raises(Refused, match="ModuleNotFoundError"):
        cage.run("no.such.module:run", memory=512 * MB, cpu=5, wall=10)


def test_there_is_no_network_inside() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        assert refused("connect", port).facts["reason"] == "PermissionError"


def test_no_program_is_started_inside() -> None:
    assert refused("start_a_program").facts["reason"] == "PermissionError"


def test_a_talkative_library_does_not_stop_the_work() -> None:
    assert caged("flood_stderr") == "done"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"R",
        b"R\xff\xff\xff\xff",
        b"Z\0\0\0\x02{}",
        b"R\0\0\0\x03NaN",
        b"R\0\0\0\x051e999",
        b"R\0\0\0\x02\xff\xfe",
        b"R" + struct.pack(">I", 200_000) + b"[" * 200_000,
        b'E\0\0\0\x1a{"kind":"os","code":"x"...',
        b"E" + struct.pack(">I", 41) + b'{"kind":"Any","code":"a","facts":{"b":1}}',
        b"E" + struct.pack(">I", 43) + b'{"kind":"Final","code":"a","facts":{"b":1}}',
        b"X" + struct.pack(">I", 35) + b'{"reason":"not a name","where":"x"}',
        b"\x80\x05cos\nsystem\n(S'true'\ntR.",
    ],
    ids=range(13),
)
def test_a_reader_taken_over_by_its_file_can_only_crash_itself(sent: bytes) -> None:
    assert refused("forge", sent).facts == {"reason": "crash"}


def test_stopping_the_service_ends_the_child(tmp_path: Path) -> None:
    stop = Event()
    Timer(0.4, stop.set).start()
    with pytest.raises(Interrupted, match="reading-stopped"):
        caged("sleep", 60, stop=stop)
    assert not _children()


KEEPER = """
import sys
from loanhub import cage
cage.run("tests.unit.caged:tell_and_sleep", sys.argv[1], memory=1 << 29, cpu=10, wall=60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_the_child_dies_with_its_keeper(number: signal.Signals, tmp_path: Path, checkout: Path) -> None:
    place = tmp_path / "pid"
    keeper = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(place)], cwd=checkout, stderr=subprocess.DEVNULL
    )
    child = int(_wait_for(place))
    assert alive(child)
    keeper.send_signal(number)
    keeper.wait(10)
    deadline = time.monotonic() + 5
    while alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(child)


def _wait_for(place: Path) -> str:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if place.exists() and (text := place.read_text()):
            return text
        time.sleep(0.02)
    raise AssertionError("the child never started")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_what_is_framed_is_unframed(value: Any) -> None:
    stream = BytesIO()
    write(stream, Kind.PROGRESS, value)
    stream.seek(0)
    assert read(stream) == (Kind.PROGRESS, value)


@settings(max_examples=200)
@given(
    st.binary(max_size=64) | st.builds(lambda b: b"R" + struct.pack(">I", len(b)) + b, st.binary(max_size=40))
)
def test_any_bytes_are_a_frame_or_broken(sent: bytes) -> None:
    try:
        _, content = read(BytesIO(sent))
    except Broken:
        return
    json.dumps(content, allow_nan=False)


def test_a_frame_longer_than_the_pipe_takes_is_not_sent() -> None:
    with pytest.raises(ValueError, match="scratch"):
        write(BytesIO(), Kind.RESULT, "x" * LONGEST)


def test_reporting_outside_a_cage_does_nothing() -> None:
    cage.report({"row": 1})


def test_the_keeper_can_be_asked_what_its_children_used() -> None:
    before = system.footprint()
    caged("allocate", 100 * MB)
    after = system.footprint()
    assert after.children_cpu > before.children_cpu
    assert after.children_peak >= 100 * MB
