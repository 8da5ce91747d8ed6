"""The state *diverged* of a cell: its decoder lost a face, so that its mean says nothing about the other faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nmebench.geometry.extents import extents
from nmebench.map_ahead import map_ahead
from nmebench.metric_names import Metric
from nmebench.runs import run_files
from nmebench.runs.run_store import Run

__all__ = [
    "DIVERGED",
    "FILE",
    "LARGEST_NME",
    "DivergedCell",
    "allowed_distance",
    "diverged_cells",
    "diverged_faces",
    "store_diverged",
]

Array = NDArray[np.float64]

DIVERGED: Final = "diverged"
"""The word that every output uses for the state."""

LARGEST_NME: Final = 100.0
"""A face diverged when its NME, percent, is above this: its landmarks are off by more than the normaliser."""

_LARGEST_BOX: Final = 2.0
"""A face diverged when a landmark is outside a box of this many times the crop's size."""

FILE: Final = "diverged.json"
"""The faces that diverged, by cell. It serves runs that were stored without their landmarks."""


@dataclass(frozen=True)
class DivergedCell:
    """A cell that diverged. It is counted and named, and takes part in no rank, tie, scale or shading."""

    cell: str
    """The cell's id."""
    faces: tuple[int, ...] | None
    """Positions of its diverged faces, ascending; None for a run without landmarks and :data:`FILE`."""

    @property
    def text(self) -> str:
        """The state with the number of faces.

        Example:
            >>> DivergedCell("cell", (3, 7)).text
            'diverged on 2 faces'
        """
        if self.faces is None:
            return DIVERGED
        return f"{DIVERGED} on {len(self.faces)} face{'' if len(self.faces) == 1 else 's'}"


def diverged_faces(nme: Array, landmarks: NDArray[np.floating[Any]], centre: Array, size: Array) -> NDArray[np.bool_]:
    """Mark the faces on which a decoder diverged.

    A face diverged if its NME is above 100 %, or if a landmark is outside a box with the crop's centre and twice its
    size. No network or decoder that works does either; a single such face can decide a mean over thousands.

    Args:
        nme: ``[N]`` percent.
        landmarks: predictions ``[N, K, 2]``, image px.
        centre: ``[N, 2]`` image px: the centre of the crop.
        size: ``[N, 2]`` image px: the size of the crop; a face without a positive size is marked by its NME alone.

    Returns:
        bool ``[N]``.

    Example:
        >>> centre, size = np.array([[50.0, 50.0]] * 3), np.array([[100.0, 100.0]] * 3)
        >>> landmarks = np.array([[[149.0, 50.0]], [[151.0, 50.0]], [[50.0, 50.0]]])
        >>> diverged_faces(np.array([3.0, 3.0, 101.0]), landmarks, centre, size).tolist()
        [False, True, True]
    """
    reach = allowed_distance(size)
    low, high = extents(landmarks)  # the farthest landmark is one of them
    outside = (np.abs(low - centre) > reach) | (np.abs(high - centre) > reach)
    found: NDArray[np.bool_] = (nme > LARGEST_NME) | outside.any(axis=1)
    return found


def allowed_distance(size: Array) -> Array:
    """Return how far from the crop's centre a landmark may be, ``[N, 2]`` image px; infinite without a positive size.

    Args:
        size: ``[N, 2]`` image px: the size of the crop.
    """
    return np.where(size > 0, size, np.inf) * (_LARGEST_BOX / 2)


def diverged_cells(run: Run) -> dict[str, DivergedCell]:
    """Return the cells of a run that diverged, by id; the others are absent.

    The stored landmarks decide. A run without them has its stored faces (:data:`FILE`). Without both, ``scores.csv``
    decides alone: a cell diverged if the mean NME of its failed faces is above 100 % on some subset, because then at
    least one face is.

    Args:
        run: a scored run.

    Raises:
        InputError: a file of the run can't be read.
    """
    if all(run_files.exists(run.path / "landmarks" / f"{cell.id}.npy") for cell in run.record.cells):
        faces: Mapping[str, list[int]] = _faces_of_cells(run)
    else:
        stored = run.read_json(FILE)
        if stored is None:
            return {cell: DivergedCell(cell, None) for cell in _cells_by_scores(run)}
        faces = _checked(run, stored)
    return {cell: DivergedCell(cell, tuple(members)) for cell, members in faces.items() if members}


def store_diverged(run: Run, faces: Mapping[str, Sequence[int]]) -> None:
    """Write the faces that diverged to :data:`FILE` in the run folder.

    Args:
        run: an open run.
        faces: their positions by cell, ascending.
    """
    run.write_json(FILE, {cell: list(members) for cell, members in faces.items() if len(members)})


def _faces_of_cells(run: Run) -> dict[str, list[int]]:
    """Positions of the diverged faces of every cell, from the stored landmarks."""
    faces, nme = run.faces, run.per_face

    def of_block(block: tuple[str, slice, NDArray[Any]]) -> tuple[str, list[int]]:
        cell, rows, landmarks = block
        marked = diverged_faces(nme[cell][rows], landmarks, faces.centre[rows], faces.size[rows])
        return cell, (rows.start + np.flatnonzero(marked)).tolist()

    found: dict[str, list[int]] = {cell.id: [] for cell in run.record.cells}
    blocks = ((cell, rows, landmarks) for cell in found for rows, landmarks in run.landmark_blocks(cell))
    for cell, members in map_ahead(of_block, blocks):
        found[cell] += members
    return found


def _checked(run: Run, stored: Any) -> Mapping[str, list[int]]:
    """Return the content of :data:`FILE`, which must name cells and faces of the run."""
    cells, faces = {cell.id for cell in run.record.cells}, run.record.dataset.faces
    if not isinstance(stored, dict) or not stored.keys() <= cells:
        raise run_files.damaged(run.path, FILE, "names cells that the run doesn't have")
    for members in stored.values():
        if not isinstance(members, list) or any(type(face) is not int or not 0 <= face < faces for face in members):
            raise run_files.damaged(run.path, FILE, "names faces that the run doesn't have")
    return stored


def _cells_by_scores(run: Run) -> list[str]:
    """Ids of the cells whose failed faces have a mean NME above 100 % on some subset, in the run's order."""
    threshold = run.record.thresholds[0]
    found = {str(row["cell"]) for row in run.score_rows() if _mean_of_failures(row, threshold) > LARGEST_NME}
    return [cell.id for cell in run.record.cells if cell.id in found]


def _mean_of_failures(row: Mapping[str, Any], threshold: float) -> float:
    """Mean NME of a subset's faces above a threshold, percent, from the subset's NME, FR and AUC; 0 without any.

    AUC is the mean of ``max(0, T - NME) / T`` over all faces, which gives the sum of NME over the faces below T.
    """
    failures, auc = f"{Metric('fr', threshold).name}_count", Metric("auc", threshold).name
    faces, failed = int(row["faces"]), int(row[failures])
    below = threshold * (faces - failed) - threshold * faces * float(row[auc])
    return (faces * float(row["nme"]) - below) / failed if failed else 0.0
