"""Stores what workers return in threads of its own, so that no worker waits for the driver's disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final

from nmebench.distribution.assignment import Range
from nmebench.distribution.messages import RangeReply
from nmebench.distribution.stored_batches import StoredBatches

__all__ = ["Storing"]

#: Files that are written at the same time, because a shared file system may take long for each.
_THREADS: Final = 4

#: Bytes of results that may wait for the disk; about a million faces x cells.
_MOST: Final = 256 * 2**20


class Storing:
    """A queue of results that wait for the disk. All methods are called by the driver's own thread."""

    def __init__(self, stored: Sequence[StoredBatches]) -> None:
        """Start the threads when the first results arrive.

        Args:
            stored: the stores by the network's position in the plan.
        """
        self._stored = stored
        self._pool = ThreadPoolExecutor(_THREADS, "store")
        self._waiting = 0

    def __enter__(self) -> Storing:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Store what still waits, also where the sweep ends with an error."""
        self._pool.shutdown()

    @property
    def is_full(self) -> bool:
        """True while so many results wait that no further ones may be computed."""
        return self._waiting >= _MOST

    def put(self, done: Range, reply: RangeReply, stored: Callable[[Exception | None], None]) -> None:
        """Let a thread check and write the results of a range.

        Args:
            done: the range.
            reply: its results.
            stored: called by that thread afterwards, with the exception of
                :meth:`nmebench.distribution.stored_batches.StoredBatches.write` or None; it must call :meth:`took`.
        """
        self._waiting += _size(reply)

        def write() -> None:
            try:
                self._stored[done.network].write(done.batches, reply)
            except Exception as error:
                stored(error)
            else:
                stored(None)

        self._pool.submit(write)

    def took(self, done: Range, reply: RangeReply, error: Exception | None) -> None:
        """Count results that :meth:`put` has written.

        Raises:
            Exception: the one with which writing ended.
        """
        self._waiting -= _size(reply)
        if error is not None:
            raise error
        self._stored[done.network].add(done.batches)


def _size(reply: RangeReply) -> int:
    return sum(len(sealed) for part in (reply.results, reply.thumbnails) for sealed in part.values())
