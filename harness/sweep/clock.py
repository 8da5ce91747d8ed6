"""Seconds spent in each stage of a sweep."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, thread_time

__all__ = ["Clock", "Clocks"]


class Clock:
    """Adds up seconds by stage; safe to use from several threads.

    Example:
        >>> clock = Clock()
        >>> clock.spend("decode", 0.25)
        >>> clock.spend("decode", 0.5)
        >>> clock["decode"], clock["forward"]
        (0.75, 0.0)
    """

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()

    def spend(self, stage: str, seconds: float) -> None:
        """Add seconds that were measured elsewhere to a stage."""
        with self._lock:
            self._seconds[stage] += seconds

    @contextmanager
    def wall(self, stage: str) -> Iterator[None]:
        """Add the wall-clock time of a ``with`` block to a stage; a block that raises is not counted."""
        started = perf_counter()
        yield
        self.spend(stage, perf_counter() - started)

    @contextmanager
    def processor(self, stage: str) -> Iterator[None]:
        """Add this thread's processor time in a ``with`` block to a stage; a block that raises is not counted."""
        started = thread_time()
        yield
        self.spend(stage, thread_time() - started)

    def __getitem__(self, stage: str) -> float:
        """Return the seconds of a stage; 0 for an unknown stage."""
        with self._lock:
            return self._seconds.get(stage, 0.0)

    def add(self, other: Clock) -> None:
        """Add all seconds of another clock."""
        for stage, seconds in other.rounded().items():
            self.spend(stage, seconds)

    def rounded(self) -> dict[str, float]:
        """Return the seconds by stage, sorted by name and rounded to 0.1 ms."""
        with self._lock:
            return {stage: round(seconds, 4) for stage, seconds in sorted(self._seconds.items())}


class Clocks:
    """The two clocks of a sweep, or of one network in it.

    ``stages`` holds wall-clock seconds of the thread that drives the network; they add up to the run's time. An engine
    with its own threads computes during all of these stages, so ``forward`` is the time spent waiting for it.
    ``workers`` holds processor seconds of the threads that read, crop and decode.
    """

    def __init__(self) -> None:
        self.stages, self.workers = Clock(), Clock()

    def add(self, other: Clocks) -> None:
        """Add all seconds of another pair of clocks."""
        self.stages.add(other.stages)
        self.workers.add(other.workers)

    def rounded(self) -> dict[str, dict[str, float]]:
        """Return both clocks as :meth:`Clock.rounded` does, under ``stages`` and ``workers``."""
        return {"stages": self.stages.rounded(), "workers": self.workers.rounded()}
