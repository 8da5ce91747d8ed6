"""Writes a run folder from the stored results of its batches."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nmebench.boxes import Boxes
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.paged_array import release_pages
from nmebench.runs.face_table import FaceTable, write_faces
from nmebench.runs.run_files import write_stored_json
from nmebench.runs.run_record import CellRecord, RunRecord
from nmebench.runs.run_store import Run
from nmebench.runs.run_writer import CellWriter, dataset_record
from nmebench.runs.thumbnail import Thumbnail, write_thumbnails
from nmebench.scoring.plausibility import suspect_cells
from nmebench.sweep.cell_results import CellResults

__all__ = ["FinishedNetwork", "store_run"]


@dataclass(frozen=True)
class FinishedNetwork:
    """The stored results of one network on one box rule, which hold every batch."""

    results: CellResults
    cells: Mapping[str, CellRecord]
    """The cells by their keys; their counters are read from the results."""


def store_run(
    staging: Path,
    record: RunRecord,
    networks: Sequence[FinishedNetwork],
    dataset: Dataset,
    normaliser: np.ndarray,
    boxes: Boxes,
    pictures: Iterable[Thumbnail] | None,
) -> Run:
    """Write the run folder ``staging``, all but its scores.

    Args:
        staging: the folder; what it holds is removed.
        record: ``run.json`` without cells, and without the notes on their landmarks.
        networks: the results, in the order of the plan.
        dataset: the faces.
        normaliser: ``[N]`` image px.
        boxes: the boxes of the first network.
        pictures: the thumbnail of every face, or None.

    Raises:
        InputError: a stored batch was removed or damaged.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    faces = FaceTable(
        image=dataset.images,
        line=dataset.lines,
        landmarks=dataset.landmarks,
        normaliser=normaliser,
        subsets=dataset.subsets,
        centre=boxes.centre,
        size=boxes.size,
        occluded=dataset.occluded,
        normalisers=dataset.normalisers(),
    )
    with ThreadPoolExecutor(1, "faces") as pool:
        written = pool.submit(write_faces, staging, faces)
        for network in networks:
            _write_cells(staging, network, len(dataset), dataset.scheme.points)
        planned = [cell for network in networks for cell in network.cells.values()]
        notes = suspect_cells(staging, planned, dataset, normaliser)
        written.result()
    if pictures is not None:
        write_thumbnails(staging, pictures)
    record = record.model_copy(
        update={
            "dataset": dataset_record(replace(dataset, notes=(*dataset.notes, *notes))),
            "cells": [
                cell.model_copy(update={"counts": network.results.counts(key)})
                for network in networks
                for key, cell in network.cells.items()
            ],
        }
    )
    write_stored_json(staging, "run.json", record.model_dump(mode="json"))
    release_pages(dataset.landmarks)
    return Run(staging, record).with_faces(faces)


def _write_cells(staging: Path, network: FinishedNetwork, faces: int, points: int) -> None:
    """Write ``landmarks/`` and ``confidence/`` of a network's cells, one batch in memory at a time."""
    writers = {key: CellWriter(staging, cell.id, faces, points) for key, cell in network.cells.items()}
    for rows, by_cell in network.results.read(writers):
        for key, result in by_cell.items():
            writers[key].write(rows, result.landmarks, result.confidence)
