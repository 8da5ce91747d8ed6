"""The batches in a sweep's work folder: which are there, and those that workers return."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nmebench.distribution.messages import RangeReply
from nmebench.files import write_atomically
from nmebench.sweep.batch_store import BatchStore, is_sealed, unseal
from nmebench.sweep.cell_results import CellResults, Result, results_in
from nmebench.sweep.plan import Plan

__all__ = ["DamagedBatchError", "StoredBatches"]


class DamagedBatchError(ValueError):
    """A worker returned a batch that doesn't match its hash, or isn't the one that was asked for."""


class StoredBatches:
    """The stored batches of one network on one box rule."""

    def __init__(self, plan: Plan, position: int, work: Path) -> None:
        """Read which batches are there.

        Args:
            plan: the sweep.
            position: the network's position in it.
            work: the work folder.
        """
        network = self.network = plan.networks[position]
        self._store = BatchStore.open(work, "results", network.key)
        self._first_batch = work / f"{network.key[:32]}.first-batch.json"
        self.thumbnails: BatchStore | None = None
        """Where thumbnails are stored; None where this network draws none."""
        if position == 0 and plan.configuration.pictures and network.reads_images:
            self.thumbnails = BatchStore.open(work, "thumbnails", network.crops_key)
        self._points = plan.dataset.scheme.points
        results = CellResults(self._store, network.batches)
        keys = [cell.key for cell in network.cells]
        self.stored = {
            number
            for number in range(len(network.batches))
            if not results.missing(number, keys)
            and (self.thumbnails is None or self.thumbnails.read_sealed(number) is not None)
            and (number > 0 or self._first_batch.is_file())
        }
        """The numbers of the complete batches."""

    @property
    def bytes_per_face(self) -> int:
        """Bytes of a face's results: float32 landmarks and confidences of all cells, and about 4 KiB of thumbnail."""
        return 12 * self._points * len(self.network.cells) + (4096 if self.thumbnails is not None else 0)

    def missing(self) -> dict[int, int]:
        """Return the number of faces by batch, of those that aren't stored."""
        return {number: len(rows) for number, rows in enumerate(self.network.batches) if number not in self.stored}

    def write(self, batches: Sequence[int], reply: RangeReply) -> None:
        """Store the batches of a range; all of them, or none where one is damaged. Threads may call it.

        Raises:
            DamagedBatchError: a batch is missing, doesn't match its hash, or has other cells or faces.
            OSError: the disk is full or the folder can't be written.
        """
        for number in batches:
            self._check(number, reply)
        for number in batches:
            if self.thumbnails is not None:
                self.thumbnails.write_sealed(number, reply.thumbnails[number])
            if number == 0:
                write_atomically(self._first_batch, reply.first_batch)
            self._store.write_sealed(number, reply.results[number])

    def add(self, batches: Sequence[int]) -> None:
        """Count batches that were written as stored."""
        self.stored.update(batches)

    def _check(self, number: int, reply: RangeReply) -> None:
        results = self._unpack(number, reply)
        if self.thumbnails is not None and _unsealed(reply.thumbnails.get(number)) is None:
            raise DamagedBatchError(f"the thumbnails of batch {number} don't match their hash")
        faces = len(self.network.batches[number])
        for cell in self.network.cells:
            result = results.get(cell.key)
            if result is None:
                raise DamagedBatchError(f"batch {number} lacks the cell {cell.record.id}")
            if result.landmarks.shape != (faces, self._points, 2):
                raise DamagedBatchError(f"batch {number} has landmarks {list(result.landmarks.shape)}")

    def _unpack(self, number: int, reply: RangeReply) -> dict[str, Result]:
        arrays = _unsealed(reply.results.get(number))
        if arrays is None:
            raise DamagedBatchError(f"batch {number} doesn't match its hash")
        return results_in(arrays)

    def difference(self, number: int, reply: RangeReply) -> float | None:
        """Return the largest difference of a worker's batch to the stored one, image px; None where the bits are equal.

        Raises:
            DamagedBatchError: the worker's batch is damaged.
        """
        theirs, stored = self._unpack(number, reply), self._store.read(number)
        if stored is None:
            return None  # removed during the sweep; the reader of the run computes it again
        ours = results_in(stored)
        differences = [
            _difference(mine, other)
            for cell in self.network.cells
            for mine, other in zip(ours[cell.key][:2], theirs[cell.key][:2], strict=True)
            if mine.tobytes() != other.tobytes()
        ]
        return max(differences, default=None)


def _unsealed(sealed: bytes | None) -> dict[str, np.ndarray] | None:
    """The arrays of a batch, or None where it is missing or doesn't match its hash."""
    return unseal(sealed) if sealed is not None and is_sealed(sealed) else None


def _difference(mine: np.ndarray, other: np.ndarray) -> float:
    if mine.shape != other.shape:
        return float("inf")
    return float(np.nanmax(np.abs(mine.astype(np.float64) - other.astype(np.float64)), initial=0.0))
