"""The part that runs in a worker process: it tells its facts, and computes ranges of batches, one at a time."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

import psutil
import torch

from nmebench import engines
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.photographs import PhotographSurvey
from nmebench.distribution.agreement import difference, network_facts, process_facts
from nmebench.distribution.messages import RangeReply, RangeRequest, Refusal, WorkerFacts
from nmebench.errors import InputError
from nmebench.files import file_sha256
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.clock import Clocks
from nmebench.sweep.configuration import SweepConfiguration
from nmebench.sweep.malloc_trim import free_thresholds
from nmebench.sweep.network_sweep import NetworkSweep
from nmebench.sweep.plan import NetworkPlan, Plan, make

__all__ = ["compute_range", "introduce", "threads_of"]


def introduce() -> WorkerFacts:
    """Return the facts about this worker."""
    return process_facts(_own_threads())


def compute_range(request: RangeRequest) -> RangeReply | Refusal:
    """Compute a range of batches.

    The process keeps the plan and the network with its engine for the next range. A plain ``dask worker`` may have
    several threads; the ranges that it gets wait for each other, because a range uses the threads itself.

    Returns:
        The results, or why this worker can't give those of a run without workers.

    Raises:
        InputError: a photograph can't be decoded, or the network's outputs are wrong; this would be so on any worker.
    """
    worker = _dask_worker()
    with _STATES_LOCK:
        state = _STATES.setdefault(worker or _NO_WORKER, _State())
    with state.lock:
        if request.process != process_facts(_own_threads()).process:
            return Refusal("was restarted", restarted=True)
        return _compute(state, request)


def threads_of(spec: str, module: torch.nn.Module, *, own: int, driver: int) -> int:
    """Return the threads of a network on a worker.

    A worker uses its own threads where the engine gives the same bits with any number of them. Otherwise it uses as
    many as the run without workers, even if several workers then share the processor's cores.

    Args:
        spec: the engine.
        module: the network.
        own: threads that Dask gives to the worker.
        driver: threads of a run without workers on the driver's machine.
    """
    return own if engines.same_bits_for_any_threads(spec, module) else driver


@dataclass
class _State:
    """The plan and the network that a worker keeps between two ranges."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    plan: tuple[str, Plan] | None = None
    """The last plan, and the configuration and photographs that it was made for."""
    current: _Current | None = None
    hashes: dict[Path, bytes] = field(default_factory=dict)
    """Photographs that were compared."""


class _Current:
    """The network of the last range, ready for the next one."""

    def __init__(self, plan: Plan, network: NetworkPlan, request: RangeRequest) -> None:
        self.network = network
        self.threads = threads_of(
            plan.configuration.engine, network.built.module, own=_own_threads(), driver=request.threads
        )
        free_thresholds()
        worker = _dask_worker()
        self.folder = tempfile.TemporaryDirectory(prefix="nmebench-", dir=worker.local_directory if worker else None)
        work = Path(self.folder.name)
        self.clocks = Clocks()
        self.pool = ThreadPoolExecutor(self.threads, "decode", initializer=torch.set_num_threads, initargs=(1,))
        self.thumbnails = BatchStore.open(work, "thumbnails", network.crops_key) if request.thumbnails else None
        self.sweep = NetworkSweep(plan, network, work, self.clocks, self.pool, thumbnail_store=self.thumbnails)

    def close(self) -> None:
        """Free the engine and the network."""
        self.pool.shutdown()
        self.network.built.release()
        self.folder.cleanup()


#: What each Dask worker of this process keeps; a cluster for tests has several of them in one process.
_STATES: WeakKeyDictionary[Any, _State] = WeakKeyDictionary()
_STATES_LOCK = threading.Lock()


class _NoWorker:
    """Stands for the worker where there is none."""


_NO_WORKER = _NoWorker()


def _dask_worker() -> Any:
    """The Dask worker that runs this thread; None outside of one."""
    from distributed import get_worker

    try:
        return get_worker()
    except ValueError:
        return None


def _own_threads() -> int:
    worker = _dask_worker()
    return int(worker.state.nthreads) if worker is not None else psutil.cpu_count(logical=False) or 1


def _compute(state: _State, request: RangeRequest) -> RangeReply | Refusal:
    before, started = state.current, perf_counter()
    ready = _ready(state, request)
    if isinstance(ready, Refusal):
        return ready
    loading = perf_counter() - started if ready is not before else 0.0
    batches = [*([request.check] if request.check is not None else []), *request.batches]
    different = _different_photograph(state, ready.sweep.plan.dataset, request.contents)
    if different is not None:
        return Refusal(different)
    torch.set_num_threads(ready.threads)
    clocks = ready.clocks.rounded(), ready.sweep.cells_clock.rounded()
    started = perf_counter()
    ready.sweep.run(None, batches)
    seconds = perf_counter() - started
    spent = {kind: _spent(clocks[0][kind], now) for kind, now in ready.clocks.rounded().items()}
    preparing = spent["stages"].get("prepare", 0.0)
    first_batch = ready.sweep.forward.first_batch
    return RangeReply(
        process=request.process,
        results={number: ready.sweep.results.take_sealed(number) for number in batches},
        thumbnails={} if ready.thumbnails is None else _take(ready.thumbnails, request.batches),
        first_batch=first_batch.model_dump_json() if first_batch else "{}",
        engine=ready.sweep.forward.engine_name,
        seconds=max(0.0, seconds - preparing),
        start=loading + preparing,
        stages=spent["stages"],
        workers=spent["workers"],
        cells=_spent(clocks[1], ready.sweep.cells_clock.rounded()),
    )


def _ready(state: _State, request: RangeRequest) -> _Current | Refusal:
    """Return the network of a request: the last one, or one that is loaded now; a refusal where it differs."""
    if Path(request.folder).is_dir():
        os.chdir(request.folder)  # relative paths on the driver's command line refer to it
    key = f"{request.photographs} {request.configuration}"
    try:
        if state.plan is None or state.plan[0] != key:
            configuration = SweepConfiguration.model_validate_json(request.configuration)
            state.plan = key, make(configuration, survey=PhotographSurvey(request.photographs, ()))
        plan = state.plan[1]
    except InputError as error:
        return Refusal(f"can't plan the sweep: {error}")
    network = next((one for one in plan.networks if one.box == request.box), None)
    if network is None:
        return Refusal(f"has no box rule {request.box} for {plan.networks[0].built.card.name}")
    current = state.current
    if current is not None and current.network is network:
        return current
    different = difference(request.facts, network_facts(plan, network))
    if different is not None:
        return Refusal(different)
    if current is not None:
        state.current = None
        current.close()
    state.current = _Current(plan, network, request)
    return state.current


def _different_photograph(state: _State, dataset: Dataset, contents: Mapping[str, bytes]) -> str | None:
    """Return which photograph is another one than the driver's; each is read once per process."""
    root = dataset.image_root
    if root is None:
        return None
    for name, expected in contents.items():
        path = root / name
        if not expected:
            continue  # the driver can't read it either; the crop loader names the reason
        if path not in state.hashes:
            try:
                state.hashes[path] = bytes.fromhex(file_sha256(path))
            except OSError:
                state.hashes[path] = b""
        if state.hashes[path] != expected:
            return f"has another photograph {name}" if state.hashes[path] else f"can't read the photograph {path}"
    return None


def _take(store: BatchStore, batches: tuple[int, ...]) -> dict[int, bytes]:
    """Remove batches from a store and return them; the sweep has just written them."""
    taken = {}
    for number in batches:
        sealed = store.read_sealed(number)
        if sealed is None:
            raise ValueError(f"{store.folder}: batch {number} is missing or damaged")
        taken[number] = sealed
        store.remove(number)
    return taken


def _spent(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """Seconds by stage since an earlier reading of a clock."""
    return {stage: round(seconds - before.get(stage, 0.0), 4) for stage, seconds in now.items()}
