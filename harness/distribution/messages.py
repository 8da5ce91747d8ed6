"""The messages between the driver and its workers. Every class is plain data, which Dask pickles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["RangeReply", "RangeRequest", "Refusal", "WorkerFacts"]


@dataclass(frozen=True)
class WorkerFacts:
    """Facts about a worker process, which it tells when it joins."""

    process: str
    """Random text that identifies the process; a restarted worker has another one."""
    host: str
    """Name of the machine."""
    software: Mapping[str, str]
    """Versions and code hash, by their names in messages. A worker must have the driver's."""
    arithmetic: Mapping[str, str]
    """Processor, threads and variables of the environment that may change the bits of a sum, by name."""

    @property
    def label(self) -> str:
        """The machine and its processor, for messages."""
        return f"{self.host} ({self.arithmetic.get('processor', 'unknown processor')})"


@dataclass(frozen=True)
class RangeRequest:
    """Some batches of one network on one box rule."""

    process: str
    """The process that is meant (:attr:`WorkerFacts.process`)."""
    configuration: str
    """The sweep with this network alone, as JSON."""
    folder: str
    """The working directory of the driver, to which relative paths refer."""
    box: str
    """Name of the box rule."""
    batches: tuple[int, ...]
    check: int | None
    """A batch that the driver has already; it is computed first and compared. None compares nothing."""
    facts: Mapping[str, str]
    """:func:`nmebench.distribution.agreement.network_facts` of the driver."""
    photographs: str
    """Hash of all photographs."""
    contents: Mapping[str, bytes]
    """SHA-256 of each photograph that the batches read, by name."""
    thumbnails: bool
    """True to draw thumbnails."""
    threads: int
    """Threads of a run without workers on the driver's machine; see :func:`nmebench.distribution.worker.threads_of`."""


@dataclass(frozen=True)
class RangeReply:
    """The results of a range."""

    process: str
    results: Mapping[int, bytes]
    """A sealed batch of results by its number (:meth:`nmebench.sweep.batch_store.BatchStore.read_sealed`)."""
    thumbnails: Mapping[int, bytes]
    """A sealed batch of thumbnails by its number."""
    first_batch: str
    """:class:`nmebench.sweep.forward.FirstBatch` of the process, as JSON."""
    engine: str
    """Name of the engine."""
    seconds: float
    """Wall-clock time of the range, without loading the network and preparing its engine."""
    start: float = 0.0
    """Wall-clock time of loading the network and preparing its engine; 0 where they were ready."""
    stages: Mapping[str, float] = field(default_factory=dict)
    """Wall-clock seconds by stage (:class:`nmebench.sweep.clock.Clocks`)."""
    workers: Mapping[str, float] = field(default_factory=dict)
    """Processor seconds by stage."""
    cells: Mapping[str, float] = field(default_factory=dict)
    """Processor seconds of decoding by cell."""


@dataclass(frozen=True)
class Refusal:
    """A worker that can't take part."""

    reason: str
    """A sentence without its subject, such as ``has numpy 2.1, and the driver 2.2``."""
    restarted: bool = False
    """True if the request was meant for an earlier process at the same address, which has ended."""
