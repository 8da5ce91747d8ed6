"""Run a plan: one forward a face (two with the flip test) for all decoders, batches kept on disk, then the scores."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

import numpy as np
import psutil
import torch

from nmebench import scoring
from nmebench.runs import provenance
from nmebench.runs.run_store import FaceTable, ModelRecord, Run, RunRecord, Thumbnail
from nmebench.runs.run_writer import dataset_record, publish, writing
from nmebench.sweep.clock import Clocks
from nmebench.sweep.configuration import SweepConfiguration
from nmebench.sweep.crop_loader import batches_of
from nmebench.sweep.journal import CellJournal
from nmebench.sweep.network_sweep import ModelSweep, Progress, thumbnail_file
from nmebench.sweep.plan import Plan, PlannedCell, make

__all__ = ["Progress", "execute"]


def execute(
    configuration: SweepConfiguration,
    out: Path,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
    not_run: Sequence[str] = (),
    progress: Progress | None = None,
) -> Run:
    """Sweep and write the run folder ``out``.

    A folder that an interrupted sweep left is gone on with: what it had finished and nothing has touched since is kept.
    ``run.json`` is written last, so a folder either holds a whole run or none.

    Raises:
        InputError: something asked for can't be used, ``out`` holds another run, or another process writes there.
    """
    with writing(out, overwrite=overwrite) as work:
        clocks = Clocks()
        started = perf_counter()
        with clocks.stages.wall("plan"):
            plan = make(configuration)
        torch.set_num_threads(configuration.threads or psutil.cpu_count(logical=False) or 1)
        return _execute(plan, out, work, command, not_run, progress, clocks, started)


def _execute(
    plan: Plan,
    out: Path,
    work: Path,
    command: Sequence[str],
    not_run: Sequence[str],
    progress: Progress | None,
    clocks: Clocks,
    started: float,
) -> Run:
    by_model: dict[str, Clocks] = {}
    by_cell: dict[str, float] = {}
    prepared: dict[str, str] = {}
    records: dict[str, ModelRecord] = {}
    finished: list[tuple[PlannedCell, CellJournal]] = []
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, "decode", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for number, model in enumerate(plan.models):
            pictures = plan.configuration.pictures and number == 0 and model.built.module.reads == "images"
            own = by_model.setdefault(model.built.card.name, Clocks())
            worker = ModelSweep(plan, model, work, own, pool, thumbnails=pictures)
            finished.extend(worker.run(progress))
            records.setdefault(model.built.card.name, worker.record())
            by_cell.update(worker.cells_clock.rounded())
            if worker.engine is not None and worker.engine.prepared:
                prepared[model.built.card.name] = worker.engine.prepared
            del worker  # with its engine, before the next one takes memory
    with clocks.stages.wall("store"):
        staging = work / "run"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        for cell, journal in finished:
            Run.write_cell(staging, cell.record.id, *journal.read())
        dataset = plan.dataset
        record = RunRecord(
            kind="sweep",
            title=plan.configuration.title,
            configuration=plan.configuration.model_dump(mode="json"),
            normaliser=plan.normaliser_name,
            dataset=dataset_record(dataset),
            models=list(records.values()),
            cells=[cell.record.model_copy(update={"counts": journal.counts()}) for cell, journal in finished],
            provenance=provenance.collect(
                command=command,
                threads=threads,
                deterministic=torch.are_deterministic_algorithms_enabled(),
                seed=plan.configuration.seed,
            ),
            not_run=[*plan.not_run, *not_run],
        )
        first = plan.models[0].boxes
        run = Run.create(
            staging,
            record,
            FaceTable(
                image=dataset.images,
                line=dataset.lines,
                landmarks=dataset.landmarks,
                normaliser=plan.normaliser,
                subsets=dataset.subsets,
                centre=first.centre,
                size=first.size,
            ),
            thumbnails=_thumbnails(work, plan),
        )
    with clocks.stages.wall("score"):
        scoring.score(run)
    for own in by_model.values():
        clocks.add(own)
    run.write_json(
        "timings.json",
        {
            "faces": len(plan.dataset.images),
            "total": round(perf_counter() - started, 4),
            **clocks.rounded(),
            "models": {name: own.rounded() for name, own in by_model.items()},
            "cells": by_cell,
            "prepared": prepared,
        },
    )
    return publish(staging, out)


def _thumbnails(work: Path, plan: Plan) -> list[Thumbnail] | None:
    model = plan.models[0]
    if not (plan.configuration.pictures and model.built.module.reads == "images"):
        return None
    thumbnails: list[Thumbnail | None] = [None] * len(plan.dataset.images)
    for number, rows in enumerate(batches_of(plan.dataset, model.batch_size)):
        with np.load(thumbnail_file(work, model, number), allow_pickle=False) as stored:
            ends = np.cumsum(stored["lengths"])
            for row, end, length in zip(rows, ends, stored["lengths"], strict=True):
                jpeg = stored["bytes"][end - length : end].tobytes()
                width, height = (int(v) for v in stored["size"])
                scale = np.asarray([width, height]) / model.boxes.size[row]
                shift = np.asarray([width, height]) / 2 - model.boxes.centre[row] * scale
                warp = np.asarray([[scale[0], 0.0, shift[0]], [0.0, scale[1], shift[1]]])
                thumbnails[row] = Thumbnail(jpeg, (width, height), warp)
    return [thumbnail for thumbnail in thumbnails if thumbnail is not None]
