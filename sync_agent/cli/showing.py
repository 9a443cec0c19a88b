"""Sizes, ages and tables for a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sync_agent.cli.session import Session

if TYPE_CHECKING:
    from rich.console import Console


def size(count: int) -> str:
    """Bytes as people say them: 1,234 B, 5.6 MiB."""
    value = float(count)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024:
            return f"{count:,} B" if count < 1024 else f"{value:.1f} {unit}"
    return f"{value:,.1f} TiB"


def age(session: Session, seconds: float) -> str:
    """How long something is ago."""
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return session.say(f"sync.age.{unit}", count=int(seconds // length)).text
    return session.say("sync.age.seconds", count=max(0, int(seconds))).text


def local(moment: datetime) -> str:
    """A moment by the clock on the wall."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


def now() -> datetime:
    """The moment, by this machine's clock."""
    return datetime.now(UTC)


def table(
    session: Session, columns: Sequence[str], rows: Iterable[Sequence[object]], *, right: Sequence[str] = ()
) -> Callable[[Console], None]:
    """Draws rows under the words of `columns` (messages `sync.column.NAME`)."""
    cells = [[str(cell) for cell in row] for row in rows]

    def show(shown: Console) -> None:
        from rich.table import Table
        from rich.text import Text

        drawn = Table(header_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in columns:
            words = session.say(f"sync.column.{name}").text
            drawn.add_column(words, justify="right" if name in right else "left", overflow="fold")
        for row in cells:
            drawn.add_row(*map(Text, row))
        shown.print(drawn)

    return show
