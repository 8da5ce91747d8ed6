"""NME by landmark, drawn on the mean face, and by group of landmarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nmebench.reports.render.text import fine, say
from nmebench.reports.view import CellView, RunView

__all__ = ["Dot", "GroupRow", "Landmarks", "MeanFace", "mean_face", "per_landmark", "section"]

_WIDTH = 240.0


@dataclass(frozen=True)
class Dot:
    """A landmark of the mean face: place and radius in the drawing's units, step of the colour scale (0 to 4)."""

    index: int
    x: float
    y: float
    radius: float
    step: int
    text: str


@dataclass(frozen=True)
class MeanFace:
    """The mean face of a network's best cell."""

    cell: CellView
    dots: tuple[Dot, ...]
    worst: str


@dataclass(frozen=True)
class GroupRow:
    """NME by group, percent, and how dark each is tinted (0 to 1, over the whole table)."""

    cell: CellView
    texts: tuple[str, ...]
    values: tuple[float, ...]
    tints: tuple[float, ...]


@dataclass(frozen=True)
class Landmarks:
    """The section: faces with one scale, the groups' table and the scale's steps."""

    faces: tuple[MeanFace, ...]
    groups: tuple[tuple[str, int], ...]
    rows: tuple[GroupRow, ...]
    height: float
    steps: tuple[str, ...]
    table: NDArray[np.float64]

    @cached_property
    def viewbox(self) -> str:
        """The drawing's frame."""
        return f"0 0 {_WIDTH:.0f} {self.height:.0f}"


def per_landmark(view: RunView) -> NDArray[np.float64]:
    """Mean error of every landmark over the normaliser, percent, ``[C, K]``; NaN where nothing is known."""
    faces = view.run.faces
    table = []
    for cell in view.cells:
        error = np.hypot(*np.moveaxis(view.run.landmarks(cell.id).astype(np.float64) - faces.landmarks, 2, 0))
        relative = 100.0 * error / faces.normaliser[:, None]
        known = np.isfinite(relative)
        total, seen = np.where(known, relative, 0).sum(0), known.sum(0)
        table.append(np.where(seen > 0, total / np.maximum(seen, 1), np.nan))
    return np.stack(table)


def mean_face(
    landmarks: NDArray[np.float64], centre: NDArray[np.float64], size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean of faces ``[N, K, 2]`` after each was put into its box's frame: ``[K, 2]`` as fractions of the box."""
    inside = (landmarks - centre[:, None]) / size[:, None]
    known = np.isfinite(inside)
    mean: NDArray[np.float64] = np.where(known, inside, 0).sum(0) / np.maximum(known.sum(0), 1)
    return mean


def _dots(shape: NDArray[np.float64], error: NDArray[np.float64], high: float) -> tuple[Dot, ...]:
    radii = 1.6 + 5.4 * np.sqrt(np.clip(np.nan_to_num(error) / high, 0, 1))
    steps = np.clip((5 * np.nan_to_num(error) / high).astype(int), 0, 4)
    return tuple(
        Dot(i, round(float(x), 1), round(float(y), 1), round(float(r), 2), int(s), fine(e))
        for i, ((x, y), r, s, e) in enumerate(zip(shape, radii, steps, error, strict=True))
    )


def _groups(groups: Mapping[str, list[int]], points: int) -> dict[str, list[int]]:
    inside = {name: [i for i in members if 0 <= i < points] for name, members in groups.items()}
    return {name: members for name, members in sorted(inside.items(), key=lambda item: (item[1] or [0])[0]) if members}


def section(view: RunView) -> Landmarks | None:
    """Mean faces of every network's best cell and the groups of all cells; None for a run without faces or cells."""
    faces = view.run.faces
    if not view.cells or not len(faces):
        return None
    table = per_landmark(view)
    shape = mean_face(faces.landmarks, faces.centre, faces.size)
    low, extent = shape.min(0), np.maximum(np.ptp(shape, axis=0), 1e-9)
    scale = (_WIDTH - 28) / extent[0]
    drawn = 14 + (shape - low) * scale
    best = [view.best_of_model[m] for m in view.models]
    shown = table[[c.index for c in best]]
    high = max(float(np.nanpercentile(shown, 98)) if np.isfinite(shown).any() else 1.0, 1e-9)

    groups = _groups(view.run.record.dataset.groups, table.shape[1])
    values = (
        np.stack([np.nanmean(table[:, members], axis=1) for members in groups.values()], axis=1) if groups else None
    )
    rows: tuple[GroupRow, ...] = ()
    if values is not None:
        top = max(float(np.nanmax(values)), 1e-9)
        rows = tuple(
            GroupRow(
                cell,
                tuple(fine(v) for v in values[cell.index]),
                tuple(float(v) for v in values[cell.index]),
                tuple(round(float(v) / top, 3) if np.isfinite(v) else 0.0 for v in values[cell.index]),
            )
            for cell in view.cells
        )
    return Landmarks(
        faces=tuple(
            MeanFace(cell, _dots(drawn, table[cell.index], high), _worst(table[cell.index], groups)) for cell in best
        ),
        groups=tuple((name, len(members)) for name, members in groups.items()),
        rows=rows,
        height=round(float(28 + extent[1] * scale), 1),
        steps=tuple(f"{high * i / 5:.2g}–{high * (i + 1) / 5:.2g}" for i in range(5)),
        table=table,
    )


def _worst(error: NDArray[np.float64], groups: Mapping[str, list[int]]) -> str:
    if not np.isfinite(error).any():
        return ""
    index = int(np.nanargmax(error))
    group = next((say(name, 40) for name, members in groups.items() if index in members), None)
    return f"largest: landmark {index}{f' ({group})' if group else ''}, {fine(error[index])} %"
