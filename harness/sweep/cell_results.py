"""Finished results of a network's cells, so that an interrupted sweep resumes with the same bytes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nmebench.errors import InputError
from nmebench.map_ahead import map_ahead
from nmebench.sweep.batch_store import BatchStore

__all__ = ["CellResults", "Result", "results_in"]


class Result(NamedTuple):
    """The result of one cell on one batch of B faces."""

    landmarks: np.ndarray
    """``[B, K, 2]`` image px; stored as float32."""
    confidence: np.ndarray
    """``[B, K]``; stored as float32."""
    counts: Mapping[str, int]
    """The decoder's counters, such as ``empty``."""


class CellResults:
    """The results of every cell of one network, one file per batch.

    A batch's file holds the results of all cells by cell key. When a decoder changes, its cells have new keys: their
    results are added to the file, and those of the other cells are kept. Only the counters stay in memory.
    """

    def __init__(self, store: BatchStore, batches: Sequence[np.ndarray]) -> None:
        """Read which results an earlier process has stored.

        Args:
            store: the store under the network's key.
            batches: the positions of each batch's faces.
        """
        self.store = store
        self.batches = batches
        self._counts: list[Mapping[str, Mapping[str, int]]] = list(map_ahead(self._stored_counts, range(len(batches))))

    def missing(self, batch: int, cells: Collection[str]) -> set[str]:
        """Return the keys among ``cells`` that have no result for a batch."""
        return set(cells) - self._counts[batch].keys()

    def write(self, batch: int, results: Mapping[str, Result]) -> None:
        """Store results of a batch by cell key, beside those that its file already holds.

        Raises:
            OSError: the disk is full or the folder can't be written.
        """
        everything = {**(self._read(batch) if self._counts[batch] else {}), **results}
        counts = {cell: dict(result.counts) for cell, result in everything.items()}
        self.store.write(
            batch,
            {
                "landmarks": np.stack([np.asarray(r.landmarks, np.float32) for r in everything.values()]),
                "confidence": np.stack([np.asarray(r.confidence, np.float32) for r in everything.values()]),
                "cells": np.frombuffer(json.dumps(counts).encode(), np.uint8),
            },
        )
        self._counts[batch] = counts

    def take_sealed(self, batch: int) -> bytes:
        """Remove the results of a batch and return the bytes of its file.

        Raises:
            ValueError: the batch isn't stored, or is damaged.
        """
        sealed = self.store.read_sealed(batch)
        if sealed is None:
            raise ValueError(f"{self.store.folder}: batch {batch} is missing or damaged")
        self.store.remove(batch)
        self._counts[batch] = {}
        return sealed

    def read(self, cells: Collection[str]) -> Iterator[tuple[np.ndarray, dict[str, Result]]]:
        """Yield, per batch, the positions of its faces and the results of ``cells`` by cell key; a few are read ahead.

        Raises:
            InputError: a stored batch was removed or damaged since this sweep wrote or checked it.
        """
        numbers = range(len(self.batches))
        for number, rows, stored in zip(numbers, self.batches, map_ahead(self._read, numbers), strict=True):
            if set(cells) - stored.keys():
                raise InputError(
                    f"{self.store.folder}: batch {number} was removed or damaged during the sweep; run the same "
                    "command again, which computes it again"
                )
            yield rows, {cell: stored[cell] for cell in cells}

    def counts(self, cell: str) -> dict[str, int]:
        """Return a cell's counters, summed over all batches and sorted by name."""
        total: Counter[str] = Counter()
        for batch in self._counts:
            total.update(batch.get(cell, {}))
        return dict(sorted(total.items()))

    def _stored_counts(self, batch: int) -> dict[str, Mapping[str, int]]:
        """Return the counters of a batch by cell key, without its landmarks."""
        stored = self.store.read_one(batch, "cells")
        return {} if stored is None else json.loads(stored.tobytes())

    def _read(self, batch: int) -> dict[str, Result]:
        """Return the stored results of a batch by cell key; none where its file is missing or damaged."""
        stored = self.store.read(batch)
        return {} if stored is None else results_in(stored)


def results_in(stored: Mapping[str, np.ndarray]) -> dict[str, Result]:
    """Return the results in the arrays of a batch, by cell key."""
    counts: dict[str, dict[str, int]] = json.loads(stored["cells"].tobytes())
    return {
        cell: Result(landmarks, confidence, counts[cell])
        for cell, landmarks, confidence in zip(counts, stored["landmarks"], stored["confidence"], strict=True)
    }
