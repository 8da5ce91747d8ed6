"""NME over the visible and over the occluded landmarks, where the annotations tell them apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.datasets.plausibility import without_position
from nmebench.runs.run_store import Run

__all__ = ["POINT_SUBSETS", "point_columns", "point_masks", "point_nme", "point_scores"]

Array = NDArray[np.float64]

POINT_SUBSETS: Final = ("visible", "occluded")
"""Subsets of the landmarks, not of the faces. The NME of a run counts both."""

_ALL: Final = slice(None)


def point_columns(run: Run) -> tuple[str, ...]:
    """Return the further columns of ``scores.csv``: NME and number of landmarks by subset; empty without occlusions."""
    if run.faces.occluded is None:
        return ()
    return tuple(f"{start}_{name}" for name in POINT_SUBSETS for start in ("nme", "points"))


def point_masks(run: Run, rows: slice = _ALL) -> Mapping[str, NDArray[np.bool_]]:
    """Return the landmarks of each subset of a run, bool ``[N, K]`` by name; empty where nothing tells them apart.

    A landmark that is not labelled is in neither.

    Args:
        run: an open run.
        rows: the faces, all by default.
    """
    faces = run.faces
    if faces.occluded is None:
        return {}
    labelled = ~without_position(faces.landmarks[rows])
    occluded = np.asarray(faces.occluded[rows], bool) & labelled
    return {"visible": labelled & ~occluded, "occluded": occluded}


def point_nme(run: Run, cell: str) -> dict[str, Array]:
    """Return the NME of each face over each subset of its landmarks, percent ``[N]`` by name.

    The normaliser is the face's, as for the NME of all landmarks. A face without such a landmark has NaN.

    Source: the evaluation of visible landmarks in golnazghiasi/cofw68-benchmark.

    Args:
        run: an open run.
        cell: the cell's id.
    """
    faces = run.faces
    if faces.occluded is None:
        return {}
    found = {name: np.empty(len(faces)) for name in POINT_SUBSETS}
    for rows, landmarks in run.landmark_blocks(cell):
        errors = metrics.point_errors(landmarks, faces.landmarks[rows])
        for name, mask in point_masks(run, rows).items():
            found[name][rows] = metrics.nme(errors, faces.normaliser[rows], mask)
    return found


def point_scores(
    values: Mapping[str, Array], masks: Mapping[str, NDArray[np.bool_]], faces: NDArray[np.bool_]
) -> dict[str, float | int]:
    """Return the columns of :func:`point_columns` for some faces.

    The NME of a subset of landmarks is the mean over the faces that have such landmarks.

    Args:
        values: from :func:`point_nme`.
        masks: from :func:`point_masks`.
        faces: bool ``[N]``, the faces that count.

    Example:
        >>> nme = {"occluded": np.array([2.0, float("nan"), 4.0])}
        >>> masks = {"occluded": np.array([[True, True], [False, False], [True, False]])}
        >>> point_scores(nme, masks, np.ones(3, bool))
        {'nme_occluded': 3.0, 'points_occluded': 3}
    """
    found: dict[str, float | int] = {}
    for name, nme in values.items():
        known = nme[faces & masks[name].any(axis=1)]
        found[f"nme_{name}"] = float(known.mean()) if len(known) else float("nan")
        found[f"points_{name}"] = int(masks[name][faces].sum())
    return found
