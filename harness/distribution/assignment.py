"""Which worker computes which batches next: ranges that take some seconds, and a network stays where it is loaded."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

__all__ = ["Assignment", "Range"]

#: Seconds that a range is meant to take: long against the way of a message, short against the loss of a worker.
SECONDS = 20.0

#: Seconds that the last ranges take, so that all workers end at nearly the same time.
SHORTEST = 1.0

#: The part of the faces left that one range may hold is 1 / (this number x workers), so that ranges become shorter; a
#: single worker has nobody to end with.
_PARTS = 2

#: Faces of a network's first ranges, which show how fast it is.
FIRST_FACES = 64


@dataclass(eq=False)
class Range:
    """Some batches of one network that one worker computes."""

    network: int
    """Position in the plan."""
    batches: tuple[int, ...]
    faces: int
    failures: list[tuple[str, str]] = field(default_factory=list)
    """The process and the cause of each failed attempt."""


@dataclass
class _Network:
    """The batches of one network that nobody computes yet."""

    waiting: deque[int]
    faces: Mapping[int, int]
    """Faces by batch."""
    most: float
    """Faces of a range at most."""
    faces_left: int
    """Faces in ``waiting`` and ``returned``."""
    returned: deque[Range] = field(default_factory=deque)
    """Ranges that were lost or failed."""
    seconds_per_face: float | None = None
    """Of one worker, from the ranges so far."""


class Assignment:
    """The batches that are left, and the networks that the workers have loaded.

    Example:
        >>> work = Assignment({0: {0: 64, 1: 64, 2: 40}})
        >>> first = work.take("a", workers=1, networks=[0])
        >>> first.batches
        (0,)
        >>> work.learn(first, seconds=1.0)
        >>> work.finish(first)
        >>> work.faces_left
        104
    """

    def __init__(self, batches: Mapping[int, Mapping[int, int]], most: Mapping[int, float] | None = None) -> None:
        """Store the batches to compute.

        Args:
            batches: the number of faces by batch, by the network's position in the plan.
            most: faces that one range holds at most, unless its first batch has more, by the network's position; None
                sets no limit.
        """
        self._networks = {
            network: _Network(
                deque(sorted(faces)), faces, math.inf if most is None else most[network], sum(faces.values())
            )
            for network, faces in batches.items()
            if faces
        }
        self._loaded: dict[str, int] = {}
        self._having: defaultdict[int, set[str]] = defaultdict(set)
        """The processes by the network that they have loaded."""
        self._out: Counter[int] = Counter()
        self._faces_out = 0
        self._start: float | None = None
        """Seconds in which a worker loads a network and prepares its engine; None before the first one has."""

    @property
    def faces_left(self) -> int:
        """Faces of the batches that nobody computes yet."""
        return sum(one.faces_left for one in self._networks.values())

    @property
    def faces_unfinished(self) -> int:
        """Faces of the batches that aren't finished."""
        return self.faces_left + self._faces_out

    @property
    def networks_left(self) -> list[int]:
        """The networks with such batches."""
        return [network for network, one in self._networks.items() if one.waiting or one.returned]

    @property
    def finished(self) -> bool:
        """True when every range was finished."""
        return not self.networks_left and not sum(self._out.values())

    def is_computed(self, network: int) -> bool:
        """Return True while a worker computes a range of a network."""
        return self._out[network] > 0

    def take(
        self, process: str, *, workers: int, networks: Iterable[int], others: Collection[str] = ()
    ) -> Range | None:
        """Return the next range of a worker; None if there is none for it.

        A worker stays with the network that it has loaded. Otherwise it gets the one with the most faces left for each
        worker that has it; none where those workers end before this one would have loaded the network.

        Args:
            process: the worker's process.
            workers: the number of workers.
            networks: the networks that the worker may compute.
            others: further processes; a range that failed in this one waits for one of them.
        """
        allowed = [n for n in networks if n in self._networks and self._next_of(n, process, others) is not None]
        if not allowed:
            return None
        loaded = self._loaded.get(process)
        if loaded not in allowed:
            allowed = [n for n in allowed if self._is_worth_loading(n, others)]
            if not allowed:
                return None
            loaded = max(allowed, key=lambda n: (self._networks[n].faces_left / (1 + len(self._having[n])), -n))
            self.forget(process)
            self._loaded[process] = loaded
            self._having[loaded].add(process)
        one = self._networks[loaded]
        returned = self._next_of(loaded, process, others)
        if isinstance(returned, Range):
            one.returned.remove(returned)
        else:
            returned = self._cut(loaded, workers)
        one.faces_left -= returned.faces
        self._out[loaded] += 1
        self._faces_out += returned.faces
        return returned

    def _is_worth_loading(self, network: int, others: Collection[str]) -> bool:
        """Return False where the workers that have loaded a network finish it before another one has loaded it."""
        one = self._networks[network]
        if self._start is None or one.seconds_per_face is None:
            return True
        # A worker in which the ranges that were returned have failed doesn't take them.
        having = [
            process
            for process in self._having[network]
            if one.waiting or self._next_of(network, process, others) is not None
        ]
        return not having or one.faces_left * one.seconds_per_face / len(having) > self._start

    def _next_of(self, network: int, process: str, others: Collection[str]) -> Range | int | None:
        one = self._networks[network]
        for back in one.returned:
            failed = {where for where, _ in back.failures}
            if process not in failed or not set(others) - failed:
                return back
        return one.waiting[0] if one.waiting else None

    def _cut(self, network: int, workers: int) -> Range:
        """Take consecutive batches from the start of those that wait."""
        one = self._networks[network]
        wanted = float(FIRST_FACES)
        if one.seconds_per_face is not None:
            part = self.faces_left / (_PARTS * workers if workers > 1 else 1)
            per_face = max(one.seconds_per_face, 1e-6)
            wanted = min(SECONDS / per_face, max(SHORTEST / per_face, part))
        wanted = min(wanted, one.most)
        batches = [one.waiting.popleft()]
        faces = one.faces[batches[0]]
        while one.waiting and one.waiting[0] == batches[-1] + 1 and faces < wanted:
            batches.append(one.waiting.popleft())
            faces += one.faces[batches[-1]]
        return Range(network, tuple(batches), faces)

    def learn(self, done: Range, seconds: float, start: float = 0.0) -> None:
        """Learn from the times of a range that a worker has computed.

        Args:
            done: the range.
            seconds: its time.
            start: time of loading the network and preparing its engine; 0 where they were ready.
        """
        one = self._networks[done.network]
        one.seconds_per_face = _mean(one.seconds_per_face, seconds / done.faces)
        if start:
            self._start = _mean(self._start, start)

    def finish(self, done: Range) -> None:
        """Count a range as finished."""
        self._out[done.network] -= 1
        self._faces_out -= done.faces

    def give_back(self, lost: Range) -> None:
        """Let another worker compute a range."""
        self._out[lost.network] -= 1
        self._faces_out -= lost.faces
        self._networks[lost.network].returned.append(lost)
        self._networks[lost.network].faces_left += lost.faces

    def forget(self, process: str) -> None:
        """Count a worker's network as loaded no longer, because the process has ended."""
        loaded = self._loaded.pop(process, None)
        if loaded is not None:
            self._having[loaded].discard(process)


def _mean(before: float | None, now: float) -> float:
    """A running mean, in which later values count more."""
    return now if before is None else 0.5 * (before + now)
