"""Tables and progress output for the commands."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["console", "progress", "table"]

#: Width of output that isn't a terminal, in characters: wide enough that rows are never folded.
_WIDE = 1000

#: Seconds between progress lines when the output isn't a terminal.
_INTERVAL = 10.0


def console() -> Console:
    """A console on standard output, wide enough for every row when the output isn't a terminal."""
    width = None if sys.stdout.isatty() else _WIDE
    return Console(highlight=False, markup=False, emoji=False, width=width)


def table(title: str, *columns: str) -> Table:
    """An empty table whose first column is left-aligned and the others right-aligned."""
    result = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        result.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return result


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callback ``(task, done, total)`` that shows progress on standard error.

    It shows a bar on a terminal. Elsewhere it prints a line when a task starts and ends, and every 10 s.
    """
    if sys.stderr.isatty():
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        tasks: dict[str, object] = {}
        with bar:

            def advance(task: str, done: int, total: int) -> None:
                if task not in tasks:
                    tasks[task] = bar.add_task(task, total=total)
                bar.update(tasks[task], completed=done, total=total)  # type: ignore[arg-type]

            yield advance
        return
    last: dict[str, float] = {}

    def print_line(task: str, done: int, total: int) -> None:
        now = monotonic()
        if done in (0, total) or now - last.get(task, -_INTERVAL) >= _INTERVAL:
            last[task] = now
            sys.stderr.write(f"{task}: {done} of {total}\n")
            sys.stderr.flush()

    yield print_line
