"""NME and divergence of every face under every cell of a run, from one reading of the stored landmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.errors import InputError
from nmebench.geometry.extents import extents
from nmebench.map_ahead import map_ahead
from nmebench.runs.run_store import Run
from nmebench.scoring.diverged import LARGEST_NME, allowed_distance, diverged_faces
from nmebench.scoring.point_subsets import POINT_SUBSETS, point_masks

__all__ = ["FaceErrors", "face_errors"]

Array = NDArray[np.float64]

_ROWS: Final = 1024
"""Faces whose numbers are in memory at a time: 1 MB of coordinates, which the processor's cache holds."""


@dataclass(frozen=True)
class FaceErrors:
    """N faces of a run under one cell."""

    nme: Array
    """``[N]`` percent."""
    points: Mapping[str, Array]
    """NME ``[N]`` over each subset of the landmarks, as :func:`~nmebench.scoring.point_subsets.point_nme` returns."""
    diverged: tuple[int, ...]
    """Positions of the faces on which the decoder diverged, ascending."""


def face_errors(run: Run) -> dict[str, FaceErrors]:
    """Measure the landmarks of every cell on each face.

    Args:
        run: an open run whose cells have stored landmarks.

    Returns:
        The measured faces by cell id.

    Raises:
        InputError: the landmarks of a cell are missing, have another shape than the ground truth, or give an NME that
            is not finite.
    """
    faces, truth = run.faces, _Truth(run)
    names = () if faces.occluded is None else POINT_SUBSETS
    nme = {cell.id: np.empty(len(faces)) for cell in run.record.cells}
    points = {cell: {name: np.empty(len(faces)) for name in names} for cell in nme}
    diverged: dict[str, list[int]] = {cell: [] for cell in nme}
    for cell, rows, of_block in map_ahead(lambda block: _of_block(run, truth, *block), _blocks(run)):
        nme[cell][rows] = of_block.nme
        for name, values in of_block.points.items():
            points[cell][name][rows] = values
        diverged[cell] += of_block.diverged
    for cell in nme:
        _check_finite(run, cell, nme[cell])
    return {cell: FaceErrors(nme[cell], points[cell], tuple(diverged[cell])) for cell in nme}


def _blocks(run: Run) -> Iterator[tuple[str, slice, NDArray[Any]]]:
    """Yield the landmarks of every cell, a block of faces at a time."""
    shape = run.faces.landmarks.shape
    for cell in run.record.cells:
        for rows, landmarks in run.landmark_blocks(cell.id):
            if landmarks.shape[1:] != shape[1:]:
                raise InputError(
                    f"{run.path}: cell {cell.id} has landmarks of shape {[shape[0], *landmarks.shape[1:]]}, the ground "
                    f"truth has {list(shape)}; the run is damaged, so run the sweep again"
                )
            yield cell.id, rows, landmarks


_OfTruth = tuple[NDArray[np.bool_] | None, Mapping[str, NDArray[np.bool_]], Array]
"""Of a block of faces: the mask of the labelled landmarks, None where all are; those of the subsets of landmarks; and
the error of a face, image px, up to which its landmarks can't be outside the box that :func:`diverged_faces` allows."""


class _Truth:
    """Masks and bounds from the ground truth of each block of faces, which all cells share."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._blocks: dict[int, _OfTruth] = {}

    def of(self, rows: slice) -> _OfTruth:
        if rows.start not in self._blocks:  # two threads may find the same
            faces = self._run.faces
            truth = faces.landmarks[rows]
            labelled = metrics.labelled(truth)
            low, high = extents(truth)
            centre = faces.centre[rows]
            # The rounding errors of these differences are far below a millionth px.
            room = (allowed_distance(faces.size[rows]) - np.maximum(high - centre, centre - low)).min(axis=1) - 1e-6
            self._blocks[rows.start] = labelled, point_masks(self._run, rows), room
        return self._blocks[rows.start]


def _of_block(
    run: Run, truth: _Truth, cell: str, block: slice, landmarks: NDArray[Any]
) -> tuple[str, slice, FaceErrors]:
    """Measure a block of faces under a cell."""
    faces, count = run.faces, len(landmarks)
    labelled, masks, room = truth.of(block)
    nme, points = np.empty(count), {name: np.empty(count) for name in masks}
    diverged: list[int] = []
    for start in range(0, count, _ROWS):
        part = slice(start, min(start + _ROWS, count))
        rows = slice(block.start + part.start, block.start + part.stop)
        errors = metrics.point_errors(landmarks[part], faces.landmarks[rows])
        lengths = faces.normaliser[rows]
        nme[part] = metrics.nme(errors, lengths, None if labelled is None else labelled[part])
        for name, mask in masks.items():
            points[name][part] = metrics.nme(errors, lengths, mask[part])
        # The error of a landmark without a ground truth is NaN: nothing tells where such a landmark may be.
        unsure = np.flatnonzero((nme[part] > LARGEST_NME) | ~(errors.max(axis=1) < room[part]))
        if len(unsure):
            chosen = rows.start + unsure
            marked = diverged_faces(
                nme[part][unsure], landmarks[part][unsure], faces.centre[chosen], faces.size[chosen]
            )
            diverged += chosen[marked].tolist()
    return cell, block, FaceErrors(nme, points, tuple(diverged))


def _check_finite(run: Run, cell: str, nme: NDArray[np.floating[Any]]) -> None:
    bad = np.flatnonzero(~np.isfinite(nme))
    if len(bad):
        face = int(bad[0])
        raise InputError(
            f"{run.path}: cell {cell}: the NME of {len(bad)} faces is not a finite number, first for face {face} (line "
            f"{run.faces.line[face]}, {run.faces.image[face]!r}); landmarks must be finite and the normaliser above "
            "0, so leave these faces out or use a decoder that always returns a point"
        )
