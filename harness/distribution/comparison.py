"""Compares the results of workers: the same batch must have the same bits on every kind of machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nmebench.distribution.assignment import Assignment
from nmebench.distribution.messages import RangeReply, WorkerFacts
from nmebench.distribution.stored_batches import StoredBatches

__all__ = ["Comparison"]

#: Processor, threads and environment of a worker (:attr:`WorkerFacts.arithmetic`).
_Kind = tuple[tuple[str, str], ...]


class Comparison:
    """Which kinds of machines have given the bits of a network that are stored.

    Floating-point sums depend on the processor's instructions and may depend on the number of threads. So the first
    worker of each further kind computes, for each network, a batch that is stored already, and must give the same bits.
    Workers whose processor, threads and environment are equal compute in the same way and are compared once.
    """

    def __init__(self, stored: Sequence[StoredBatches]) -> None:
        """Start without knowing any kind.

        Args:
            stored: the stored batches by the network's position.
        """
        self._stored = stored
        self._equal: defaultdict[int, set[_Kind]] = defaultdict(set)
        """The kinds whose results are stored, or were compared with stored ones, by network."""
        self._first: dict[int, _Kind] = {}
        """The kind that computes a network of which nothing is stored."""
        self._names: dict[int, str] = {}
        """The first worker of each network, for messages."""

    def networks_of(self, facts: WorkerFacts, work: Assignment) -> list[int]:
        """Return the networks that a worker may compute now.

        While nothing of a network is stored, only workers of one kind may compute it.
        """
        return [network for network in work.networks_left if self._may(facts, network, work)]

    def _may(self, facts: WorkerFacts, network: int, work: Assignment) -> bool:
        kind = _kind(facts)
        if kind in self._equal[network] or self._stored[network].stored:
            return True
        return not work.is_computed(network) or self._first.get(network) == kind

    def begin(self, facts: WorkerFacts, network: int) -> int | None:
        """Return the batch that a worker must compute besides its range; None where it needn't be compared."""
        kind = _kind(facts)
        if kind in self._equal[network]:
            return None
        if self._stored[network].stored:
            return min(self._stored[network].stored)
        self._first[network] = kind
        return None

    def compare(self, facts: WorkerFacts, network: int, batch: int, reply: RangeReply) -> str | None:
        """Return how a worker's batch differs from the stored one, as a sentence without its subject, or None.

        Raises:
            DamagedBatchError: the worker's batch is damaged.
        """
        largest = self._stored[network].difference(batch, reply)
        if largest is None:
            self._equal[network].add(_kind(facts))
            return None
        name = self._stored[network].network.built.card.name
        other = self._names.get(network, "an earlier run of this command")
        return (
            f"gives other landmarks of {name} than {other}: batch {batch} differs by up to {largest:.2g} px; use "
            "machines of one kind, or another --engine"
        )

    def store(self, facts: WorkerFacts, network: int) -> None:
        """Note that a worker's results were stored."""
        self._equal[network].add(_kind(facts))
        self._names.setdefault(network, facts.label)


def _kind(facts: WorkerFacts) -> _Kind:
    return tuple(sorted(facts.arithmetic.items()))
