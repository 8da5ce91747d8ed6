"""A map over many items in a few threads, whose results come in order and never pile up."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["THREADS", "map_ahead"]

Item = TypeVar("Item")
Found = TypeVar("Found")

THREADS = 2
"""Threads of a map, beside the caller. NumPy, hashes and files work without Python's lock."""


def map_ahead(call: Callable[[Item], Found], items: Iterable[Item]) -> Iterator[Found]:
    """Yield ``call(item)`` for every item in order; threads work on the following ones.

    At most twice :data:`THREADS` results wait, so that memory doesn't grow with the items. The items are made in the
    caller's thread. ``call`` must not read the header of a NumPy file: ``ast.literal_eval`` fails at random when
    several threads of Python 3.11 call it (python/cpython#106905).

    Args:
        call: a function that may run in several threads.
        items: its arguments.

    Raises:
        Exception: what ``call`` raised for the first item that failed, or what ``items`` raised.

    Example:
        >>> list(map_ahead(len, ["a", "bcd", ""]))
        [1, 3, 0]
    """
    waiting: deque[Future[Found]] = deque()
    with ThreadPoolExecutor(THREADS, "ahead") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(call, item))
                if len(waiting) >= 2 * THREADS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
