"""What the commands print with: tables, progress on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["console", "progress", "table"]

#: Columns of output that isn't a terminal: rows are never folded there.
_WIDE = 1000

#: Plain lines are printed at most this often, seconds.
_EVERY = 10.0


def console() -> Console:
    """Standard output; not cut to a terminal's width when it isn't one."""
    width = None if sys.stdout.isatty() else _WIDE
    return Console(highlight=False, markup=False, emoji=False, width=width)


def table(title: str, *columns: str) -> Table:
    """An empty table; its first column is text, the others are flush right."""
    result = Table(title=title or None, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for number, column in enumerate(columns):
        result.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return result


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on a terminal; elsewhere a line when something starts, now and then, and when it ends."""
    if sys.stderr.isatty():
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        tasks: dict[str, object] = {}
        with bar:

            def advance(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what, total=total)
                bar.update(tasks[what], completed=done, total=total)  # type: ignore[arg-type]

            yield advance
        return
    last: dict[str, float] = {}

    def line(what: str, done: int, total: int) -> None:
        now = monotonic()
        if done in (0, total) or now - last.get(what, -_EVERY) >= _EVERY:
            last[what] = now
            sys.stderr.write(f"{what}: {done} of {total}\n")
            sys.stderr.flush()

    yield line
