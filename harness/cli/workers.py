"""The options of ``nmebench run`` that distribute a sweep, and the progress over all workers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal

from nmebench.cli import verbosity
from nmebench.errors import InputError
from nmebench.printable import shown

if TYPE_CHECKING:
    from nmebench.distribution.clusters import Connection
    from nmebench.sweep.execute import Fill

__all__ = ["distributed"]

#: Seconds between progress lines when the output isn't a terminal.
_INTERVAL = 10.0


@contextmanager
def distributed(
    workers: str | None, scheduler: str | None, cluster: Path | None, time_limit: float | None
) -> Iterator[Fill | None]:
    """Yield the function that computes a sweep's batches on workers, or None without workers.

    Args:
        workers: a number of local workers, or ``gpu``.
        scheduler: the address of a Dask scheduler.
        cluster: the file of a queueing system.
        time_limit: seconds that a range may take; None for the default.

    Raises:
        InputError: two of the options are given, or one can't be used.
    """
    options = {"--workers": workers, "--scheduler": scheduler, "--cluster": cluster}
    given = [option for option, value in options.items() if value is not None]
    if not given:
        if time_limit is not None:
            raise InputError(f"--range-timeout needs one of {', '.join(options)}; without workers there are no ranges")
        yield None
        return
    if len(given) > 1:
        raise InputError(f"{given[0]} and {given[1]} name two clusters; give one of them")
    from nmebench.distribution.clusters import check_installed, local_workers, running_scheduler
    from nmebench.distribution.job_queue import submitted_jobs

    check_installed()
    with ExitStack() as stack:
        if scheduler is not None:
            connection = stack.enter_context(running_scheduler(scheduler))
        elif cluster is not None:
            connection = stack.enter_context(submitted_jobs(cluster))
        else:
            connection = stack.enter_context(local_workers(_count(workers or "")))
        yield _fill(connection, time_limit)


def _count(workers: str) -> int | Literal["gpu"]:
    """The number of workers, or ``gpu``."""
    if workers == "gpu":
        return "gpu"
    if not workers.isascii() or not workers.isdigit() or int(workers) < 1:
        raise InputError(f"--workers {workers!r}: give a number of processes, 1 or more, or gpu")
    return int(workers)


def _fill(connection: Connection, time_limit: float | None) -> Fill:
    from nmebench.distribution.driver import TIME_LIMIT, distribute
    from nmebench.sweep.execute import Filled, Prepared

    described = False

    def fill(prepared: Prepared, work: Path) -> Filled:
        nonlocal described
        if not described:
            _say(connection.describe())
            described = True
        with _progress() as advance:
            return distribute(
                prepared, work, connection, time_limit=time_limit or TIME_LIMIT, progress=advance, report=_say
            )

    return fill


def _say(line: str) -> None:
    """Print a line on standard error, unless ``--quiet`` was given."""
    if not verbosity.is_quiet():
        sys.stderr.write(shown(" ".join(line.split())) + "\n")
        sys.stderr.flush()


@contextmanager
def _progress() -> Iterator[Callable[[int, int, int], None]]:
    """Yield a callback ``(finished faces, all faces, workers)``; it shows a bar on a terminal, and lines elsewhere."""
    if verbosity.is_quiet():
        yield lambda _done, _total, _workers: None
        return
    pace = _Pace()
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        bar = Progress(
            TextColumn("faces"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"),
            console=Console(stderr=True), transient=True,
        )  # fmt: skip
        task = bar.add_task("faces", total=None, pace="")
        with bar:
            yield lambda done, total, workers: bar.update(
                task, completed=done, total=total, pace=pace.text(done, total, workers)
            )
        return
    last: tuple[float, int] = (monotonic() - _INTERVAL, -1)

    def print_line(done: int, total: int, workers: int) -> None:
        nonlocal last
        text = pace.text(done, total, workers)
        if monotonic() - last[0] >= _INTERVAL or (done == total and last[1] != total):
            last = monotonic(), done
            _say(f"faces: {done} of {total}, {text}")

    yield print_line


class _Pace:
    """The workers, their rate and the time left. A range of many faces is finished at once."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self._last = (0.0, 0)
        """When the number of finished faces changed last, and that number."""

    def text(self, done: int, total: int, workers: int) -> str:
        """Return a text such as ``4 workers, 123 faces per second, 40 s left``."""
        now = monotonic()
        if self._first is None:
            self._first = now, done
        if done != self._last[1]:
            self._last = now, done
        started, before = self._first
        text = "no worker yet" if workers == 0 and done == before else f"{workers} worker{'s' * (workers != 1)}"
        spent = self._last[0] - started
        if done == before or spent < 1:
            return text
        rate = (done - before) / spent
        left = max(0.0, (total - done) / rate - (now - self._last[0]))
        return f"{text}, {rate:.3g} faces per second" + (f", {left:.0f} s left" if done < total else "")
