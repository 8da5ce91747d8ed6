"""A worker of a cluster, as the driver sees it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nmebench.distribution.assignment import Range
from nmebench.distribution.envelope import Raised
from nmebench.distribution.messages import WorkerFacts

__all__ = ["ConnectionLostError", "Member", "described"]


@dataclass
class Member:
    """A worker process of the cluster."""

    address: str
    since: float
    """When it began with the first of its tasks."""
    facts: WorkerFacts | None = None
    """None until it has introduced itself."""
    refused: bool = False
    ranges: list[tuple[str, Range, int | None]] = field(default_factory=list)
    """The keys of its tasks, their ranges and batches to compare, in the order in which it computes them."""

    @property
    def label(self) -> str:
        """The address, the machine and its processor, for messages."""
        return f"{self.address} on {self.facts.label}" if self.facts else self.address

    @property
    def is_ready(self) -> bool:
        """True for a worker that may compute ranges."""
        return self.facts is not None and not self.refused


def described(outcome: Any) -> str:
    """An exception on a worker, or of Dask, for a message."""
    if isinstance(outcome, Raised):
        return f"{outcome.kind}: {outcome.message}"
    return f"{type(outcome).__name__}: {outcome}"


class ConnectionLostError(Exception):
    """The scheduler doesn't answer any more."""
