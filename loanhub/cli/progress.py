"""A progress bar on stderr, on a terminal only; elsewhere a job runs silently."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TypeVar

from attrs import frozen

from loanhub.jobs import Progress
from loanhub.texts import Lang, catalogue, render

Told = TypeVar("Told")


@frozen
class Meter:
    """Shows how far a job is while its steps pass through."""

    lang: Lang
    colour: bool = True

    def over(self, steps: Iterable[Told], title: str = "") -> Iterator[Told]:
        """The same steps, shown; what is no Progress just passes."""
        if sys.stderr is None or not sys.stderr.isatty():
            yield from steps
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        shown = Console(file=sys.stderr, no_color=not self.colour, highlight=False)
        columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
        with Bar(*columns, TimeElapsedColumn(), console=shown, transient=True) as bar:
            task = bar.add_task(title, total=None)
            for step in steps:
                if isinstance(step, Progress):
                    said = " ".join(filter(None, (title, note(step.note, self.lang))))
                    bar.update(task, completed=step.done, total=step.total or None, description=said)
                yield step


def note(code: str, lang: Lang) -> str:
    """The words of a progress note: its own code, or `progress.CODE`."""
    if code in catalogue():
        return render(code, lang).text
    return render(f"progress.{code}", lang).text if f"progress.{code}" in catalogue() else ""
