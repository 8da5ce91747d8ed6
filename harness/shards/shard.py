"""The number of a shard, and the batches that it computes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.sweep.plan import NetworkPlan, Plan

__all__ = ["MOST_SHARDS", "Shard"]

MOST_SHARDS: Final = 10_000
"""Largest number of shards of a sweep."""


@dataclass(frozen=True, order=True)
class Shard:
    """Part ``index`` of a sweep that ``count`` jobs compute, such as 2 of 8."""

    index: int
    """From 1 to ``count``."""
    count: int

    def __str__(self) -> str:
        """Return ``INDEX/COUNT``, as ``--shard`` takes it."""
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that a text names.

        Args:
            text: ``INDEX/COUNT``.

        Raises:
            InputError: the text has another form, or the index is not in 1 to the count.

        Example:
            >>> Shard.parse("2/8")
            Shard(index=2, count=8)
        """
        match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
        if match is None:
            raise InputError(f"--shard {shown(text[:80])!r}: give NUMBER/COUNT, such as 2/8 for the second of 8 parts")
        index, count = int(match[1]), int(match[2])
        if not 1 <= count <= MOST_SHARDS:
            raise InputError(f"--shard {text}: the count {count} must be in 1 to {MOST_SHARDS}")
        if index == 0:
            raise InputError(f"--shard {text}: shards are numbered from 1; add 1 to an index that begins at 0")
        if index > count:
            raise InputError(f"--shard {text}: the number {index} must be in 1 to {count}")
        return cls(index, count)

    def batches(self, plan: Plan) -> dict[int, range]:
        """Return the batches of a plan that this shard computes, by the network's position in the plan.

        The batches of all networks form one sequence, in the order in which a single process computes them. Each shard
        takes one piece of it, with an equal number of forward passes up to half a batch at each end: it needs few
        networks, and each batch belongs to exactly one shard. A flip test counts as a second pass; ``oracle``, which
        runs no network, as a hundredth of one.

        Args:
            plan: the sweep over one data set.
        """
        costs = [
            (network, batch, len(rows) * _cost(one))
            for network, one in enumerate(plan.networks)
            for batch, rows in enumerate(one.batches)
        ]
        total = sum(cost for _, _, cost in costs)
        chosen: dict[int, range] = {}
        before = 0
        for network, batch, cost in costs:
            if (2 * before + cost) * self.count // (2 * total) == self.index - 1:  # the middle of the batch
                first = chosen[network].start if network in chosen else batch
                chosen[network] = range(first, batch + 1)
            before += cost
        return chosen


def _cost(network: NetworkPlan) -> int:
    """The cost of a face, in hundredths of a forward pass."""
    if not network.reads_images:
        return 1
    return 100 if set(network.flips) == {"none"} else 200
