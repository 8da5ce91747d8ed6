"""Runs a sweep and writes its run folder."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import psutil
import torch

from nmebench import models, scoring
from nmebench.runs import provenance
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_record import ModelRecord, RunRecord, SourceRecord
from nmebench.runs.run_store import Run
from nmebench.runs.run_writer import CellWriter, dataset_record, publish, writing
from nmebench.scoring.plausibility import suspect_cells
from nmebench.sweep import thumbnails
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.cell_results import CellResults
from nmebench.sweep.clock import Clocks
from nmebench.sweep.configuration import SweepConfiguration
from nmebench.sweep.keys import network_code
from nmebench.sweep.network_sweep import NetworkSweep, Progress
from nmebench.sweep.plan import NetworkPlan, Plan, make

__all__ = ["Prepared", "Progress", "compute_batches", "execute", "prepare", "run_prepared", "set_threads"]


def execute(
    configuration: SweepConfiguration,
    out: Path,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
    not_run: Sequence[str] = (),
    progress: Progress | None = None,
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

    Returns:
        the stored run.

    Raises:
        InputError: an input can't be used, ``out`` holds another run, or another process writes there.
    """
    with writing(out, overwrite=overwrite) as work:
        return run_prepared(prepare(configuration), work, out, command=command, not_run=not_run, progress=progress)


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

    Raises:
        InputError: a photograph can't be read, or a network's outputs are wrong.
    """
    plan, clocks = prepared.plan, prepared.clocks
    started = perf_counter()
    set_threads(plan)
    computed = _compute(plan, work, progress, keep_networks=keep_networks)
    staging = work / "run"
    with clocks.stages.wall("store"):
        run = _store(plan, computed, staging, command, not_run, prepared.plugins)
    with clocks.stages.wall("score"):
        scoring.score(run)
    for of_network in computed.clocks.values():
        clocks.add(of_network)
    run.write_json(
        "timings.json",
        {
            "faces": len(plan.dataset),
            "total": round(prepared.seconds + perf_counter() - started, 4),
            **clocks.rounded(),
            "models": {name: of_network.rounded() for name, of_network in computed.clocks.items()},
            "cells": computed.cell_seconds,
            "prepared": computed.prepared,
        },
    )
    return publish(staging, out)


@dataclass
class _Computed:
    """Results, records and times of every network, in the order of the plan."""

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
    return _compute(prepared.plan, work, progress, keep_networks=False, chosen=chosen).clocks


def set_threads(plan: Plan) -> None:
    """Give torch the threads of the sweep: those that it requests, otherwise one per physical core."""
    torch.set_num_threads(plan.configuration.threads or psutil.cpu_count(logical=False) or 1)


def _compute(
    plan: Plan,
    work: Path,
    progress: Progress | None,
    *,
    keep_networks: bool,
    chosen: Mapping[int, Collection[int]] | None = None,
) -> _Computed:
    """Run every network; afterwards each batch is stored under ``work``. Thumbnails are those of the first network.

    ``chosen`` restricts this to some batches, by the network's position.
    """
    computed = _Computed()
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


def _store(
    plan: Plan,
    computed: _Computed,
    staging: Path,
    command: Sequence[str],
    not_run: Sequence[str],
    plugins: Sequence[SourceRecord],
) -> Run:
    """Write the run folder ``staging``, all but its scores."""
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    for network, results in computed.results:
        _write_cells(staging, network, results, len(plan.dataset), plan.dataset.scheme.points)
    dataset, boxes = plan.dataset, plan.networks[0].boxes
    planned = [cell.record for network in plan.networks for cell in network.cells]
    notes = suspect_cells(staging, planned, dataset, plan.normaliser)
    record = RunRecord(
        kind="sweep",
        title=plan.configuration.title,
        configuration=plan.configuration.model_dump(mode="json"),
        normaliser=plan.normaliser_name,
        thresholds=plan.configuration.thresholds or dataset.thresholds,
        dataset=dataset_record(replace(dataset, notes=(*dataset.notes, *notes))),
        models=list(computed.records.values()),
        cells=[
            cell.record.model_copy(update={"counts": results.counts(cell.key)})
            for network, results in computed.results
            for cell in network.cells
        ],
        provenance=provenance.collect(
            command=command,
            threads=torch.get_num_threads(),
            deterministic=torch.are_deterministic_algorithms_enabled(),
            seed=plan.configuration.seed,
            plugins=plugins,
        ),
        not_run=[*plan.not_run, *not_run],
    )
    faces = FaceTable(
        image=dataset.images,
        line=dataset.lines,
        landmarks=dataset.landmarks,
        normaliser=plan.normaliser,
        subsets=dataset.subsets,
        centre=boxes.centre,
        size=boxes.size,
        occluded=dataset.occluded,
        normalisers=dataset.normalisers(),
    )
    pictures = None
    if computed.thumbnail_store is not None:
        pictures = thumbnails.read_all(computed.thumbnail_store, plan.networks[0].batches, plan.networks[0].geometry)
    return Run.create(staging, record, faces, thumbnails=pictures)


def _write_cells(staging: Path, network: NetworkPlan, results: CellResults, faces: int, points: int) -> None:
    """Write ``landmarks/`` and ``confidence/`` of a network's cells, one batch in memory at a time."""
    writers = {cell.key: CellWriter(staging, cell.record.id, faces, points) for cell in network.cells}
    for rows, by_cell in results.read(writers):
        for key, result in by_cell.items():
            writers[key].write(rows, result.landmarks, result.confidence)
