"""Seconds by stage."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time

__all__ = ["Clock", "Clocks"]


class Clock:
    """Adds up seconds by stage, from any thread."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def spend(self, stage: str, seconds: float) -> None:
        """Add seconds that were measured elsewhere."""
        with self._lock:
            self._seconds[stage] += seconds

    @contextmanager
    def wall(self, stage: str) -> Iterator[None]:
        """Add the time that a ``with`` block takes."""
        started = perf_counter()
        yield
        self.spend(stage, perf_counter() - started)

    @contextmanager
    def processor(self, stage: str) -> Iterator[None]:
        """Add the processor's time that this thread takes for a ``with`` block."""
        started = thread_time()
        yield
        self.spend(stage, thread_time() - started)

    def __getitem__(self, stage: str) -> float:
        """Seconds of a stage; 0 where none was spent."""
        with self._lock:
            return self._seconds.get(stage, 0.0)

    def add(self, other: Clock) -> None:
        """Add another clock's seconds."""
        for stage, seconds in other.rounded().items():
            self.spend(stage, seconds)

    def rounded(self) -> dict[str, float]:
        """Seconds by stage, sorted, to the tenth of a millisecond."""
        with self._lock:
            return {stage: round(seconds, 4) for stage, seconds in sorted(self._seconds.items())}


class Clocks:
    """Of a sweep, or of one network's part in it.

    ``stages`` are wall-clock seconds of the thread that drives the network; they add up to the whole. An engine with
    threads of its own goes on computing during all of them: ``forward`` is what is left to wait for. ``workers`` are
    the processor's seconds of the threads that read, crop and decode.
    """

    def __init__(self) -> None:
        self.stages, self.workers = Clock(), Clock()

    def add(self, other: Clocks) -> None:
        """Add another's seconds."""
        self.stages.add(other.stages)
        self.workers.add(other.workers)

    def rounded(self) -> dict[str, dict[str, float]]:
        """Both, as :meth:`Clock.rounded`."""
        return {"stages": self.stages.rounded(), "workers": self.workers.rounded()}
