"""Runs a sweep and writes its run folder."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import psutil
import torch

from nmebench import models, scoring
from nmebench.bounded_read import read_json
from nmebench.runs import provenance
from nmebench.runs.run_record import ModelRecord, RunRecord, SourceRecord, WorkerRecord
from nmebench.runs.run_store import Run
from nmebench.runs.run_writer import dataset_record, flush, publish, writing
from nmebench.stages import announce
from nmebench.sweep import thumbnails
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.cell_results import CellResults
from nmebench.sweep.clock import Clocks
from nmebench.sweep.configuration import SweepConfiguration
from nmebench.sweep.keys import network_code
from nmebench.sweep.malloc_trim import release_free_memory
from nmebench.sweep.network_sweep import NetworkSweep, Progress
from nmebench.sweep.plan import NetworkPlan, Plan, make
from nmebench.sweep.store_run import FinishedNetwork, store_run

__all__ = [
    "WORKERS_FILE",
    "Computed",
    "Fill",
    "Filled",
    "Prepared",
    "Progress",
    "compute",
    "compute_batches",
    "execute",
    "prepare",
    "run_prepared",
    "set_threads",
]


def execute(
    configuration: SweepConfiguration,
    out: Path,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
    not_run: Sequence[str] = (),
    progress: Progress | None = None,
    fill: Fill | None = None,
) -> Run:
    """Run a sweep and write the run folder ``out``.

    Each network computes one forward pass per face (two with the flip test), which serves every decoder. An interrupted
    sweep resumes: finished batches are reused where their inputs haven't changed. ``run.json`` is written last, so a
    folder holds a complete run or none.

    Args:
        configuration: the sweep.
        out: the run folder; it is created, or holds an interrupted sweep.
        command: the command line; stored in the provenance.
        overwrite: replace a complete run in ``out``.
        not_run: sentences for ``run.json`` about parts that the caller left out.
        progress: called after every batch.
        fill: computes the batches elsewhere, such as :func:`nmebench.distribution.driver.distribute`.

    Returns:
        the stored run.

    Raises:
        InputError: an input can't be used, ``out`` holds another run, or another process writes there.
    """
    with writing(out, overwrite=overwrite) as work:
        prepared = prepare(configuration)
        return run_prepared(prepared, work, out, command=command, not_run=not_run, progress=progress, fill=fill)


@dataclass
class Filled:
    """Times and counts of batches that were computed elsewhere."""

    clocks: dict[str, Clocks] = field(default_factory=dict)
    """The clocks of all workers by model name; their stages overlap."""
    cell_seconds: dict[str, float] = field(default_factory=dict)
    """Processor seconds of decoding by cell."""
    summary: dict[str, Any] = field(default_factory=dict)
    """Counts and times for ``timings.json``."""


Fill = Callable[["Prepared", Path], Filled]
"""Stores batches of a planned sweep in its work folder."""

WORKERS_FILE = "workers.json"
"""The file of the work folder with a list of :class:`nmebench.runs.run_record.WorkerRecord`."""


@dataclass(frozen=True)
class Prepared:
    """A sweep over one data set that was planned and checked, and has not run."""

    plan: Plan
    plugins: list[SourceRecord]
    """The code outside nmebench, read before the run, which takes long enough for an edit."""
    clocks: Clocks
    seconds: float
    """Time that the plan took."""


def prepare(configuration: SweepConfiguration, loaded: dict[int, models.Built] | None = None) -> Prepared:
    """Plan a sweep over one data set.

    Args:
        configuration: the sweep.
        loaded: networks of an earlier plan with the same models, see :func:`nmebench.sweep.plan.make`.

    Raises:
        InputError: an input can't be used.
    """
    clocks = Clocks()
    started = perf_counter()
    with clocks.stages.wall("plan"):
        plan = make(configuration, loaded)
        plugins = provenance.sources(_plugins(plan))
    return Prepared(plan, plugins, clocks, perf_counter() - started)


def run_prepared(
    prepared: Prepared,
    work: Path,
    out: Path,
    *,
    command: Sequence[str] = (),
    not_run: Sequence[str] = (),
    progress: Progress | None = None,
    keep_networks: bool = False,
    fill: Fill | None = None,
) -> Run:
    """Run a planned sweep and write the run folder ``out``.

    Args:
        prepared: the plan.
        work: the work folder, see :func:`nmebench.runs.run_writer.writing`.
        out: the run folder.
        command: the command line; stored in the provenance.
        not_run: sentences for ``run.json`` about parts that the caller left out.
        progress: called after every batch.
        keep_networks: keep the networks in memory for the next data set.
        fill: computes the batches elsewhere; those that it leaves out are computed here.

    Raises:
        InputError: a photograph can't be read, or a network's outputs are wrong.
    """
    plan, clocks = prepared.plan, prepared.clocks
    started = perf_counter()
    set_threads(plan)
    filled = Filled()
    if fill is not None:
        with clocks.stages.wall("workers"):
            filled = fill(prepared, work)
    computed = compute(plan, work, progress, keep_networks=keep_networks)
    staging = work / "run"
    release_free_memory()
    announce("storing and scoring the run")
    with clocks.stages.wall("store"):
        run = _store(prepared, computed, staging, command, not_run, _workers(work))
    release_free_memory()
    with clocks.stages.wall("score"), ThreadPoolExecutor(1, "flush") as pool:
        flushed = pool.submit(flush, staging / "landmarks")  # the disk writes meanwhile
        scoring.score(run)
        flushed.result()
    for of_network in computed.clocks.values():
        clocks.add(of_network)
    for name, of_workers in filled.clocks.items():
        clocks.workers.add(of_workers.workers)
        computed.clocks[name].workers.add(of_workers.workers)
    run.write_json(
        "timings.json",
        {
            "faces": len(plan.dataset),
            "total": round(prepared.seconds + perf_counter() - started, 4),
            **clocks.rounded(),
            "models": {name: of_network.rounded() for name, of_network in computed.clocks.items()},
            "cells": computed.cell_seconds | filled.cell_seconds,
            "prepared": computed.prepared,
            **({"distribution": filled.summary} if filled.summary else {}),
        },
    )
    return publish(staging, out).with_faces(run.faces)


@dataclass
class Computed:
    """Results, records and times of the networks that were run, in the order of the plan."""

    results: list[tuple[NetworkPlan, CellResults]] = field(default_factory=list)
    records: dict[str, ModelRecord] = field(default_factory=dict)
    """By model name."""
    thumbnail_store: BatchStore | None = None
    clocks: dict[str, Clocks] = field(default_factory=dict)
    """By model name."""
    cell_seconds: dict[str, float] = field(default_factory=dict)
    prepared: dict[str, str] = field(default_factory=dict)
    """The way each engine was prepared in this process, by model name."""


def compute_batches(
    prepared: Prepared, work: Path, chosen: Mapping[int, Collection[int]], progress: Progress | None = None
) -> dict[str, Clocks]:
    """Compute some batches of a planned sweep and store them under ``work``, without writing a run.

    :func:`run_prepared` on a work folder that holds every batch computes nothing again.

    Args:
        prepared: the plan.
        work: the work folder that receives the batches.
        chosen: the batches by the network's position in the plan.
        progress: called after every batch.

    Returns:
        The times of each network by its name.

    Raises:
        InputError: a photograph can't be read, or a network's outputs are wrong.
    """
    set_threads(prepared.plan)
    return compute(prepared.plan, work, progress, keep_networks=False, chosen=chosen).clocks


def set_threads(plan: Plan) -> None:
    """Give torch the threads of the sweep: those that it requests, otherwise one per physical core."""
    torch.set_num_threads(plan.configuration.threads or psutil.cpu_count(logical=False) or 1)


def compute(
    plan: Plan,
    work: Path,
    progress: Progress | None,
    *,
    keep_networks: bool,
    chosen: Mapping[int, Collection[int]] | None = None,
) -> Computed:
    """Run every network; afterwards each batch is stored under ``work``. Thumbnails are those of the first network.

    Args:
        plan: the sweep; :func:`set_threads` was called.
        work: the work folder.
        progress: called after every batch.
        keep_networks: keep the networks in memory for the next data set.
        chosen: restricts this to some batches, by the network's position in the plan.

    Raises:
        InputError: a photograph can't be read, or a network's outputs are wrong.
    """
    computed = Computed()
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, "decode", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for number, network in enumerate(plan.networks):
            if chosen is not None and not chosen.get(number):
                continue
            name = network.built.card.name
            clocks = computed.clocks.setdefault(name, Clocks())
            store = None
            if number == 0 and plan.configuration.pictures and network.reads_images:
                store = computed.thumbnail_store = BatchStore.open(work, "thumbnails", network.crops_key)
            sweep = NetworkSweep(plan, network, work, clocks, pool, thumbnail_store=store)
            computed.results.append((network, sweep.run(progress, None if chosen is None else chosen[number])))
            computed.records.setdefault(name, sweep.record())
            computed.cell_seconds.update(sweep.cells_clock.rounded())
            if sweep.forward.engine is not None and sweep.forward.engine.prepared:
                computed.prepared[name] = sweep.forward.engine.prepared
            del sweep  # frees the engine before the next network is loaded
            if not keep_networks and all(network.built is not later.built for later in plan.networks[number + 1 :]):
                network.built.release()
    return computed


def _plugins(plan: Plan) -> dict[str, list[object]]:
    """The code of every network and decoder, by its name."""
    used: dict[str, list[object]] = {}
    for network in plan.networks:
        used[f"model {network.built.card.name}"] = network_code(network.built)
        used |= {f"decoder {cell.decoder.name}": [type(cell.decoder)] for cell in network.cells if cell.decoder}
    return used


def _workers(work: Path) -> list[WorkerRecord]:
    """The machines that computed batches of the work folder, in this process or an earlier one."""
    file = work / WORKERS_FILE
    return [WorkerRecord.model_validate(one) for one in read_json(file)] if file.is_file() else []


def _store(
    prepared: Prepared,
    computed: Computed,
    staging: Path,
    command: Sequence[str],
    not_run: Sequence[str],
    workers: list[WorkerRecord],
) -> Run:
    """Write the run folder ``staging``, all but its scores."""
    plan = prepared.plan
    dataset, boxes = plan.dataset, plan.networks[0].boxes
    record = RunRecord(
        kind="sweep",
        title=plan.configuration.title,
        configuration=plan.configuration.model_dump(mode="json"),
        normaliser=plan.normaliser_name,
        thresholds=plan.configuration.thresholds or dataset.thresholds,
        dataset=dataset_record(dataset),
        models=list(computed.records.values()),
        cells=[],
        provenance=provenance.collect(
            command=command,
            threads=torch.get_num_threads(),
            deterministic=torch.are_deterministic_algorithms_enabled(),
            seed=plan.configuration.seed,
            plugins=prepared.plugins,
        ).model_copy(update={"workers": workers}),
        not_run=[*plan.not_run, *not_run],
    )
    pictures = None
    if computed.thumbnail_store is not None:
        first = plan.networks[0]
        store = computed.thumbnail_store
        pictures = thumbnails.read_all(store, first.batches, first.geometry, scratch=staging.parent)
    finished = [
        FinishedNetwork(results, {cell.key: cell.record for cell in network.cells})
        for network, results in computed.results
    ]
    return store_run(staging, record, finished, dataset, plan.normaliser, boxes, pictures)
