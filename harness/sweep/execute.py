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

from harness import provenance, scoring
from harness.run_folder import dataset_record, publish, writing
from harness.store import FaceTable, ModelRecord, Run, RunRecord, Thumbnail
from harness.sweep.configuration import SweepConfiguration
from harness.sweep.feed import FeedClock, batches_of
from harness.sweep.journal import CellJournal
from harness.sweep.model_sweep import Clock, ModelSweep, Progress, thumbnail_file
from harness.sweep.plan import Cell, Plan, make

__all__ = ["Progress", "execute"]


def execute(
    configuration: SweepConfiguration,
    out: Path,
    *,
    command: Sequence[str] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Run:
    """Sweep and write the run folder ``out``.

    A folder that an interrupted sweep left is gone on with: what it had finished and nothing has touched since is kept.
    ``run.json`` is written last, so a folder either holds a whole run or none.

    Raises:
        InputError: something asked for can't be used, ``out`` holds another run, or another process writes there.
    """
    with writing(out, overwrite=overwrite) as work:
        plan = make(configuration)
        torch.set_num_threads(configuration.threads or psutil.cpu_count(logical=False) or 1)
        return _execute(plan, out, work, command, progress)


def _execute(plan: Plan, out: Path, work: Path, command: Sequence[str], progress: Progress | None) -> Run:
    clock, feed_clock = Clock(), FeedClock()
    clocks: dict[str, Clock] = {}
    by_cell: dict[str, float] = {}
    started = perf_counter()
    batches = batches_of(plan.dataset, plan.configuration.batch_size)
    records: dict[str, ModelRecord] = {}
    finished: list[tuple[Cell, CellJournal]] = []
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(threads, "decode", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for number, model in enumerate(plan.models):
            pictures = plan.configuration.pictures and number == 0 and model.built.module.reads == "images"
            own = clocks.setdefault(model.built.card.name, Clock())
            worker = ModelSweep(plan, model, work, batches, own, feed_clock, pool, thumbnails=pictures)
            finished.extend(worker.run(progress))
            records.setdefault(model.built.card.name, worker.record())
            by_cell.update(worker.cells_clock.rounded())
    with clock("store"):
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
            not_run=list(plan.not_run),
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
            thumbnails=_thumbnails(work, plan, batches),
        )
    with clock("score"):
        scoring.score(run)
    for own in clocks.values():
        clock.add(own)
    run.write_json(
        "timings.json",
        {
            "faces": len(plan.dataset.images),
            "total": round(perf_counter() - started, 4),
            "stages": clock.rounded(),
            "models": {name: own.rounded() for name, own in clocks.items()},
            "cells": by_cell,
            "workers": {"read": round(feed_clock.read, 4), "crop": round(feed_clock.crop, 4)},
        },
    )
    return publish(staging, out)


def _thumbnails(work: Path, plan: Plan, batches: Sequence[np.ndarray]) -> list[Thumbnail] | None:
    model = plan.models[0]
    if not (plan.configuration.pictures and model.built.module.reads == "images"):
        return None
    thumbnails: list[Thumbnail | None] = [None] * len(plan.dataset.images)
    for number, rows in enumerate(batches):
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
