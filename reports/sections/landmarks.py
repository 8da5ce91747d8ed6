"""NME by landmark, drawn on the mean face, and by group of landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.reports.render.text import DASH, adaptive_number, display
from nmebench.reports.view import CellView, RunView
from nmebench.runs.run_store import BLOCK_FACES, Run
from nmebench.scoring.point_subsets import point_masks, point_nme, point_scores

__all__ = ["GroupRow", "LandmarkDot", "LandmarkErrors", "MeanFace", "mean_face", "per_landmark", "section"]

Array = NDArray[np.float64]

_WIDTH = 240.0
_MARGIN = 14.0
_STEPS = 5
"""Number of steps of the colour scale."""


@dataclass(frozen=True)
class LandmarkDot:
    """A landmark of the mean face: position and radius in the drawing's units, and step of the colour scale."""

    index: int
    x: float
    y: float
    radius: float
    step: int
    text: str


@dataclass(frozen=True)
class MeanFace:
    """The mean face with the errors of a network's best cell."""

    cell: CellView
    dots: tuple[LandmarkDot, ...]
    worst: str


@dataclass(frozen=True)
class GroupRow:
    """NME by group, percent, and the tint of each value: 0 to 1, relative to the largest, and 0 for a diverged cell."""

    cell: CellView
    texts: tuple[str, ...]
    values: tuple[float, ...]
    tints: tuple[float, ...]


@dataclass(frozen=True)
class PointSubset:
    """NME over the visible or the occluded landmarks, percent, of every cell."""

    name: str
    """``visible`` or ``occluded``."""
    points: int
    """Number of landmarks over all faces."""
    values: tuple[float, ...]
    """Mean over the faces that have such landmarks, by cell; NaN without any."""
    texts: tuple[str, ...]
    table: Array
    """NME per cell and landmark, percent, ``[C, K]``."""


@dataclass(frozen=True)
class LandmarkErrors:
    """Mean faces on one scale, the scale's steps, and the table of groups."""

    faces: tuple[MeanFace, ...]
    groups: tuple[tuple[str, int], ...]
    """Name and number of landmarks."""
    rows: tuple[GroupRow, ...]
    """One per cell."""
    headline: tuple[GroupRow, ...]
    """The rows of the headline cells."""
    height: float
    steps: tuple[str, ...]
    table: Array
    """NME per cell and landmark, percent, ``[C, K]``."""
    points: tuple[PointSubset, ...] = ()
    """Visible and occluded landmarks; empty where the annotations don't tell them apart."""

    @cached_property
    def viewbox(self) -> str:
        """The SVG's view box."""
        return f"0 0 {_WIDTH:.0f} {self.height:.0f}"


def per_landmark(view: RunView, mask: NDArray[np.bool_] | None = None) -> Array:
    """NME per cell and landmark, percent, ``[C, K]``.

    Args:
        view: the run.
        mask: bool ``[N, K]``, the landmarks to count; None for all that are labelled.
    """
    known = metrics.labelled(view.run.faces.landmarks) if mask is None else mask
    if known is None:
        known = np.ones(view.run.faces.landmarks.shape[:2], np.bool_)
    return np.stack([_of_cell(view.run, cell.id, known) for cell in view.cells])


def _of_cell(run: Run, cell: str, known: NDArray[np.bool_]) -> Array:
    """NME by landmark ``[K]`` of one cell, percent; a block of faces is in memory at a time."""
    faces = run.faces
    counts, means = [], []
    for rows, landmarks in run.landmark_blocks(cell):
        errors = metrics.point_errors(landmarks, faces.landmarks[rows])
        means.append(metrics.nme_per_landmark(errors, faces.normaliser[rows], known[rows]))
        counts.append(known[rows].sum(axis=0))
    if len(means) == 1:
        return means[0]
    total = sum((np.where(count > 0, mean * count, 0.0) for mean, count in zip(means, counts, strict=True)), 0.0)
    with np.errstate(invalid="ignore"):
        mean: Array = total / sum(counts)
    return mean


def _point_subsets(view: RunView) -> tuple[PointSubset, ...]:
    masks = point_masks(view.run)
    everyone = np.ones(len(view.run.faces), bool)
    scores = [point_scores(point_nme(view.run, cell.id), masks, everyone) for cell in view.cells]
    found = []
    for name, mask in masks.items():
        values = tuple(float(score[f"nme_{name}"]) for score in scores)
        texts = tuple(adaptive_number(value) if np.isfinite(value) else DASH for value in values)
        found.append(PointSubset(name, int(mask.sum()), values, texts, per_landmark(view, mask)))
    return tuple(found)


def mean_face(landmarks: Array, centre: Array, size: Array) -> Array:
    """The mean of all faces, each in the frame of its box.

    Args:
        landmarks: ``[N, K, 2]`` image px.
        centre: ``[N, 2]`` image px.
        size: ``[N, 2]`` image px.

    Returns:
        ``[K, 2]`` as fractions of the box; (0, 0) is its centre.
    """
    total, count = np.zeros(landmarks.shape[1:]), np.zeros(landmarks.shape[1:], np.int64)
    for start in range(0, len(landmarks), BLOCK_FACES):
        rows = slice(start, start + BLOCK_FACES)
        inside = (landmarks[rows] - centre[rows, None]) / size[rows, None]
        known = np.isfinite(inside)
        total += np.where(known, inside, 0).sum(0)
        count += known.sum(0)
    mean: Array = total / np.maximum(count, 1)
    return mean


def section(view: RunView) -> LandmarkErrors | None:
    """Mean faces of each network's best cell and the groups of all cells; None without faces or cells.

    Diverged cells decide neither the colour scale nor the shading.
    """
    faces = view.run.faces
    if not view.cells or not len(faces):
        return None
    table = per_landmark(view)
    shape = mean_face(faces.landmarks, faces.centre, faces.size)
    extent = np.maximum(np.ptp(shape, axis=0), 1e-9)
    scale = (_WIDTH - 2 * _MARGIN) / extent[0]
    points = _MARGIN + (shape - shape.min(0)) * scale
    best = list(view.best_of_model.values())
    ranked = [c for c in best if not c.diverged] or best
    high = max(float(np.nanpercentile(table[[c.index for c in ranked]], 98)), 1e-9)
    groups = _groups(view.run.record.dataset.groups, table.shape[1])
    rows = _group_rows(view, table, groups)
    return LandmarkErrors(
        faces=tuple(
            MeanFace(cell, _dots(points, table[cell.index], high), _worst(table[cell.index], groups)) for cell in best
        ),
        groups=tuple((name, len(members)) for name, members in groups.items()),
        rows=rows,
        headline=tuple(rows[head.cell.index] for head in view.headline) if rows else (),
        height=round(float(2 * _MARGIN + extent[1] * scale), 1),
        steps=tuple(f"{high * i / _STEPS:.2g}–{high * (i + 1) / _STEPS:.2g}" for i in range(_STEPS)),
        table=table,
        points=_point_subsets(view),
    )


def _dots(points: Array, error: Array, high: float) -> tuple[LandmarkDot, ...]:
    radii = 1.6 + 5.4 * np.sqrt(np.clip(np.nan_to_num(error) / high, 0, 1))
    steps = np.clip((_STEPS * np.nan_to_num(error) / high).astype(int), 0, _STEPS - 1)
    return tuple(
        LandmarkDot(i, round(float(x), 1), round(float(y), 1), round(float(r), 2), int(s), adaptive_number(e))
        for i, ((x, y), r, s, e) in enumerate(zip(points, radii, steps, error, strict=True))
    )


def _groups(groups: Mapping[str, list[int]], points: int) -> dict[str, list[int]]:
    """Groups in the order of their first landmark, without landmarks that the faces do not have."""
    known = {name: [i for i in members if 0 <= i < points] for name, members in groups.items()}
    return {name: members for name, members in sorted(known.items(), key=lambda item: (item[1] or [0])[0]) if members}


def _group_rows(view: RunView, table: Array, groups: Mapping[str, list[int]]) -> tuple[GroupRow, ...]:
    if not groups:
        return ()
    values = np.stack([np.nanmean(table[:, members], axis=1) for members in groups.values()], axis=1)
    shaded = [not cell.diverged for cell in view.cells]
    top = max(float(np.nanmax(values[shaded] if any(shaded) else values)), 1e-9)
    return tuple(
        GroupRow(
            cell,
            tuple(adaptive_number(v) for v in values[cell.index]),
            tuple(float(v) for v in values[cell.index]),
            tuple(0.0 if cell.diverged else round(float(v) / top, 3) for v in values[cell.index]),
        )
        for cell in view.cells
    )


def _worst(error: Array, groups: Mapping[str, list[int]]) -> str:
    index = int(np.nanargmax(error))
    group = next((display(name, 40) for name, members in groups.items() if index in members), None)
    return f"largest: landmark {index}{f' ({group})' if group else ''}, {adaptive_number(error[index])} %"
