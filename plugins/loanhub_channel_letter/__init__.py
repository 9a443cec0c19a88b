"""Writes reminders as letters to print: one text file a message, `letters/YYYY-MM-DD/ID.txt` in the home."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from glob import escape
from pathlib import Path
from typing import Any, ClassVar

from attrs import frozen

from loanhub import Channel, Delivery, Letter, hookimpl, safe_name, write_atomically


@frozen
class LetterChannel:
    """The channel `letter`. The same id is never written twice, on whatever day it is tried again."""

    name: ClassVar[str] = "letter"
    needs: ClassVar[tuple[str, ...]] = ("name", "address")

    def send(self, letter: Letter, *, home: Path, settings: Mapping[str, Any]) -> Delivery:
        """Write the letter under the day `settings["today"]` (ISO; this computer's day if not given).

        The reference is its place below the home. Raises OSError and Busy("disk-full") when it cannot.
        """
        if missing := [need for need in self.needs if not letter.to.get(need)]:
            return Delivery("failed", reason=f"no {', '.join(missing)}")
        letters = home / "letters"
        name = safe_name(f"{letter.id}.txt")
        written = next(iter(sorted(letters.glob(f"*/{escape(name)}"))), None)
        if written is None:
            day = settings.get("today") or datetime.now().astimezone().date().isoformat()
            written = letters / safe_name(str(day)) / name
            written.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(written, _paper(letter).encode())
        return Delivery("sent", reference=written.relative_to(home).as_posix())


def _paper(letter: Letter) -> str:
    """The letter as it is printed: to whom, the subject, the text."""
    to, subject = ("收件人", "事由") if letter.lang == "zh" else ("To", "Subject")
    address = f"{to}: {_line(letter.to['name'])}\n{_line(letter.to['address'])}"
    return f"{address}\n\n{subject}: {_line(letter.subject)}\n\n{letter.text}\n"


def _line(text: str) -> str:
    """Text that stays on its line."""
    return " ".join(text.split())


@hookimpl
def channels() -> Sequence[Channel]:
    """The letter."""
    return [LetterChannel()]
