"""Finds the faces that several runs measured, whatever the order and the parts of the dataset that each run has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from nmebench.errors import InputError
from nmebench.runs.face_table import FaceTable
from nmebench.runs.run_store import Run
from nmebench.scoring.photograph_names import components, end_alike

__all__ = ["TOLERANCE", "CommonFaces", "common_faces"]

Indices = NDArray[np.int64]

TOLERANCE: Final = 0.01
"""Largest difference of a coordinate of equal ground truth, image px: files round to 2 decimals, or to float32."""


@dataclass(frozen=True)
class CommonFaces:
    """The faces that all runs measured."""

    rows: tuple[Indices, ...]
    """For each run the rows of the common faces, int ``[N]``, in the order of the first run."""
    clusters: NDArray[np.int64]
    """``[N]``: the number of each face's photograph."""
    notes: tuple[str, ...]
    """Remarks on the matching, one line each."""

    def __len__(self) -> int:
        """The number of common faces."""
        return len(self.rows[0])


def common_faces(runs: Sequence[Run], names: Sequence[str]) -> CommonFaces:
    """Match the faces of runs by photograph and ground truth.

    Two faces match when their landmarks differ by at most :data:`TOLERANCE` px and the names of their photographs are
    equal, or one ends like the other (``images/a/one.jpg`` and ``a/one.jpg``). A run whose data names no photographs
    (``landmarks:FILE.npz`` without ``images``) is matched by its ground truth alone.

    Args:
        runs: one or more runs of one landmark scheme.
        names: their names, for the notes.

    Raises:
        InputError: no face is in all runs.
    """
    first = runs[0]
    matches = [np.arange(len(first.faces), dtype=np.int64)]
    notes = []
    named = [_names_photographs(run) for run in runs]
    for run, name, has_names in zip(runs[1:], names[1:], named[1:], strict=True):
        by_name = named[0] and has_names
        match = _match(first.faces, run.faces, by_name=by_name)
        other = _photographs_with_other_truth(first.faces, run.faces, match) if by_name else 0
        if (match < 0).all():
            raise InputError(_no_face(first, run, other))
        if not by_name:
            notes.append(f"{names[0]} / {name}: faces are matched by their ground truth alone, without photographs")
        if other:
            notes.append(
                f"{names[0]} / {name}: {other} faces of photographs in both have other ground truth and are left out"
            )
        matches.append(match)
    common = np.flatnonzero(np.all([match >= 0 for match in matches], axis=0))
    if not len(common):
        raise InputError(
            f"{', '.join(names)}: no face is in all of them, although each shares some with {names[0]}; compare them "
            "in pairs"
        )
    rows = tuple(match[common] for match in matches)
    source = next((place for place, has_names in enumerate(named) if has_names), 0)
    return CommonFaces(rows, runs[source].faces.clusters[rows[source]], tuple(notes))


def _no_face(first: Run, run: Run, other: int) -> str:
    if other:
        return (
            f"{first.path} and {run.path}: no face in common: {other} faces are in photographs of both, but none has "
            f"the same ground truth (to {TOLERANCE:g} px); compare runs with the same annotations"
        )
    return (
        f"{first.path} and {run.path}: no face in common (photograph and ground truth), so nothing can be compared; "
        "give runs of the same faces"
    )


def _names_photographs(run: Run) -> bool:
    """Return False for a dataset of arrays that numbers its faces instead of naming their photographs."""
    faces = run.faces
    numbered = all(
        image == f"face {line - 1}" for image, line in zip(faces.image, np.asarray(faces.line).tolist(), strict=True)
    )
    return not (run.record.dataset.name == "landmarks" and numbered)


def _features(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre and extent ``[N, 4]``, which differ by at most 2 * TOLERANCE between equal faces."""
    low, high = np.fmin.reduce(landmarks, axis=1), np.fmax.reduce(landmarks, axis=1)
    return np.concatenate([np.nanmean(landmarks, axis=1), high - low], axis=1)


def _match(first: FaceTable, second: FaceTable, *, by_name: bool) -> Indices:
    """Return the row in ``second`` of every face of ``first``, int ``[N]``; -1 where there is none."""
    near = cKDTree(_features(second.landmarks)).query_ball_point(
        _features(first.landmarks), 2.5 * TOLERANCE, p=np.inf, return_sorted=True
    )
    match = np.full(len(first), -1, np.int64)
    taken: set[int] = set()
    for face, candidates in enumerate(near):
        free = [row for row in candidates if row not in taken]  # a line that occurs twice is two faces
        fitting = [
            row
            for row in free
            if _equal(first.landmarks[face], second.landmarks[row])
            and (not by_name or end_alike(components(first.image[face]), components(second.image[row])))
        ]
        if fitting:
            row = min(fitting, key=lambda row: (first.image[face] != second.image[row], row))
            match[face] = row
            taken.add(row)
    return match


def _equal(first: NDArray[np.float64], second: NDArray[np.float64]) -> bool:
    """Return whether two faces have the same landmarks, labelled or not."""
    return bool(np.isclose(first, second, rtol=0, atol=TOLERANCE * (1 + 1e-9), equal_nan=True).all())


def _photographs_with_other_truth(first: FaceTable, second: FaceTable, match: Indices) -> int:
    """Number of unmatched faces of ``first`` whose photograph has an unmatched face in ``second``."""
    unmatched = np.setdiff1d(np.arange(len(second)), match)
    by_file: dict[str, set[tuple[str, ...]]] = {}
    for row in unmatched.tolist():
        path = components(second.image[row])
        by_file.setdefault(path[-1], set()).add(path)
    count = 0
    for face in np.flatnonzero(match < 0).tolist():
        path = components(first.image[face])
        count += any(end_alike(path, other) for other in by_file.get(path[-1], ()))
    return count
