"""Tables and progress output for the commands."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from nmebench.cli import verbosity
from nmebench.cli.result_table import ResultTable, wrapped
from nmebench.printable import shown
from nmebench.stages import listening

__all__ = ["Output", "console", "progress", "table"]

#: Seconds between progress lines when the output isn't a terminal.
_INTERVAL = 10.0


class Output:
    """Prints tables and lines on standard output, wrapped between words on a terminal and unlimited in a pipe."""

    def __init__(self, width: int | None) -> None:
        """Store the number of characters of a line; None for no limit."""
        self._width = width

    def print(self, item: ResultTable | str) -> None:
        """Print a table or a line."""
        lines = item.lines(self._width) if isinstance(item, ResultTable) else wrapped(shown(item), self._width)
        for line in lines:
            typer.echo(line)

    def fits(self, text: str) -> bool:
        """Return True if no line of a text is wider than the output."""
        return self._width is None or all(cell_len(line) <= self._width for line in text.splitlines())

    def print_all(self, lines: Iterable[str]) -> None:
        """Print lines."""
        for line in lines:
            self.print(line)


def console() -> Output:
    """Return the output: as wide as the terminal, and without a limit in a pipe or with ``--verbose``."""
    unlimited = verbosity.is_verbose() or not sys.stdout.isatty()
    return Output(None if unlimited else shutil.get_terminal_size().columns)


def table(
    title: str, *columns: str, optional: tuple[str, ...] = (), short: Mapping[str, str] | None = None
) -> ResultTable:
    """Return an empty table.

    Args:
        title: the line above the table; may be empty.
        columns: names of the columns.
        optional: columns that a narrow terminal leaves out, the first one first.
        short: short names of columns for a narrow terminal.
    """
    return ResultTable(title, columns, optional, short or {})


class _Done(MofNCompleteColumn):
    """The number done, the total and the rate; empty for a stage, which has no total."""

    def render(self, task: Task) -> Text:
        if task.total is None:
            return Text("")
        rate = f", {task.speed:.3g} per second" if task.speed else ""
        return Text(f"{int(task.completed)}/{int(task.total)}{rate}")


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yield a callback ``(task, done, total)`` that shows progress on standard error.

    It shows a bar on a terminal, and the stage before the first one (:func:`nmebench.stages.announce`). Elsewhere it
    prints a line when a task starts and ends, and every 10 s, and one line for the first stage of each kind. With
    ``--quiet`` it shows nothing.
    """
    if verbosity.is_quiet():
        yield lambda _task, _done, _total: None
        return
    if sys.stderr.isatty():
        bar = Progress(
            TextColumn("{task.description}"), BarColumn(), _Done(), TimeRemainingColumn(),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        tasks: dict[str, object] = {}
        stage: list[TaskID] = []

        def show_stage(what: str | None) -> None:
            while stage:
                bar.remove_task(stage.pop())
            if what is not None:
                stage.append(bar.add_task(shown(what), total=None))

        with bar, listening(show_stage):

            def advance(task: str, done: int, total: int) -> None:
                show_stage(None)
                if task not in tasks:
                    tasks[task] = bar.add_task(task, total=total)
                bar.update(tasks[task], completed=done, total=total)  # type: ignore[arg-type]

            yield advance
        return
    first: dict[str, tuple[float, int]] = {}
    last: dict[str, float] = {}

    def print_line(task: str, done: int, total: int) -> None:
        now = monotonic()
        started, before = first.setdefault(task, (now, done))
        if done in (0, total) or now - last.get(task, -_INTERVAL) >= _INTERVAL:
            last[task] = now
            sys.stderr.write(f"{task}: {done} of {total}{_pace(done - before, total - done, now - started)}\n")
            sys.stderr.flush()

    kinds: set[str] = set()

    def print_stage(what: str) -> None:
        kind = what.partition(" ")[0]
        if kind not in kinds:
            kinds.add(kind)
            sys.stderr.write(f"{shown(what)} ...\n")
            sys.stderr.flush()

    with listening(print_stage):
        yield print_line


def _pace(done: int, left: int, seconds: float) -> str:
    """The rate and the time left, such as ``, 12.3 per second, 40 s left``; empty before there is a rate."""
    if done < 1 or seconds < 1:
        return ""
    rate = done / seconds
    return f", {rate:.3g} per second" + (f", {left / rate:.0f} s left" if left else "")
