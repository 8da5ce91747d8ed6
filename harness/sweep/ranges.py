"""Ranges of batches: the unit of work that a worker or a shard computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nmebench.sweep.plan import Plan

__all__ = ["BatchRange", "split_batches", "split_plan"]


@dataclass(frozen=True, order=True)
class BatchRange:
    """Consecutive batches of one network on one box rule."""

    network: int
    """Position in :attr:`nmebench.sweep.plan.Plan.networks`."""
    first: int
    """The first batch."""
    stop: int
    """The batch after the last one."""

    @property
    def batches(self) -> range:
        """The numbers of the batches."""
        return range(self.first, self.stop)


def split_batches(batches: Sequence[np.ndarray], faces: int) -> list[range]:
    """Split batches into consecutive ranges of at least ``faces`` faces; the last range may be smaller.

    The boundaries of the batches stay, so that each batch gives the same bytes wherever it is computed.

    Args:
        batches: the positions of each batch's faces.
        faces: faces per range.

    Example:
        >>> split_batches([np.arange(4), np.arange(4, 8), np.arange(8, 10)], faces=6)
        [range(0, 2), range(2, 3)]
    """
    ranges, first, held = [], 0, 0
    for number, rows in enumerate(batches):
        held += len(rows)
        if held >= faces:
            ranges.append(range(first, number + 1))
            first, held = number + 1, 0
    if first < len(batches):
        ranges.append(range(first, len(batches)))
    return ranges


def split_plan(plan: Plan, faces: int) -> list[BatchRange]:
    """Split all batches of a plan into ranges, in the order in which a sweep without workers computes them.

    Args:
        plan: the sweep.
        faces: faces per range.
    """
    return [
        BatchRange(position, part.start, part.stop)
        for position, network in enumerate(plan.networks)
        for part in split_batches(network.batches, faces)
    ]
