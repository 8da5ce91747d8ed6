"""Signs that predicted landmarks are in another unit, layout or order than the ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nmebench import metrics
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.plausibility import SUSPECT, are_fractions, without_position
from nmebench.map_ahead import map_ahead
from nmebench.printable import shown
from nmebench.runs.run_record import CellRecord

__all__ = ["misplaced_notes", "rounding_note", "suspect_cells", "suspect_note"]

Array = NDArray[np.float64]

_GOOD: Final = 10.0
"""Median NME in percent up to which nothing is suspected."""

_LARGE: Final = 100.0
"""Median NME in percent above which landmarks are suspect without a known cause: no network is that bad."""

_EXPLAINED: Final = 30.0
"""Largest median NME in percent that a transform with free parameters must leave to be named as the cause."""

_SAMPLE: Final = 4096
"""Faces of a run that are looked at: matching the points of 100,000 faces would take minutes per cell."""

#: Fields of a model card by the beginning of the advice that they explain.
_CARD_FIELDS: Final = (
    ("read as x0", "layout in [output]"),
    ("with x and y exchanged", "layout in [output]"),
    ("with left and right", "order in [output]"),
    ("with the points in another order", "order in [output]"),
    ("times", "unit in [output]"),
    ("with another position and size", "unit in [output] and box in [input]"),
)

_ROUNDED: Final = 0.3826
"""Mean distance, in steps, by which rounding two coordinates to whole steps moves a point: (sqrt(2) + asinh(1)) / 6."""


def suspect_note(
    landmarks: Array,
    truth: Array,
    normaliser: NDArray[np.float64],
    *,
    flip: NDArray[np.int64] | None = None,
    name: str = "predictions",
    of_network: bool = False,
) -> str | None:
    """Return a note when predicted landmarks are implausibly far from the ground truth, with the likely cause.

    The median NME must be above 10 %, and a simple transform must halve it; or it must be above 100 %. The transforms
    are: another layout of the numbers, x and y exchanged, left and right exchanged, one factor for all coordinates,
    another order of the faces, one position and size per face (px of a crop), also with x and y exchanged, and another
    order of the points.

    Args:
        landmarks: predictions ``[N, K, 2]``, image px.
        truth: ground truth ``[N, K, 2]``, image px.
        normaliser: ``[N]`` image px.
        flip: the scheme's permutation ``[K]`` of left and right landmarks.
        name: the predictions, for the note.
        of_network: the landmarks are a network's, so the note names the field of its card.

    Returns:
        One line that begins with :data:`nmebench.datasets.SUSPECT`, or None.

    Example:
        >>> truth = np.random.default_rng(0).uniform(100, 200, (5, 98, 2))
        >>> print(suspect_note(truth * 2, truth, np.full(5, 60.0)))
        suspect: predictions: the median NME is 360.6 %; times 0.5 it is 0.0 %: are they in another unit or image size?
        >>> suspect_note(truth + 1, truth, np.full(5, 60.0)) is None
        True
    """
    whole = _complete(truth)
    landmarks, truth, normaliser = landmarks[whole], truth[whole], normaliser[whole]
    if not _measurable(landmarks, truth, normaliser):
        return None
    before = _median(landmarks, truth, normaliser)
    if not before > _GOOD:
        return None
    measured = f"{SUSPECT}{name}: the median NME is {before:.1f} %"
    if are_fractions(landmarks) and not are_fractions(truth):
        return (
            f"{measured} and none of them is larger than 2 px: are they fractions of the image or crop, not image px?"
        )
    causes = [
        (_median(moved, truth, normaliser), advice, limit)
        for moved, advice, limit in _transforms(landmarks, truth, flip)
    ]
    fitting = [(after, advice) for after, advice, limit in causes if after < min(before / 2, limit)]
    if fitting:
        best = min(after for after, _ in fitting)
        after, advice = next(pair for pair in fitting if pair[0] <= 2 * best + 1)  # the simplest that explains it
        field = next((field for start, field in _CARD_FIELDS if advice.startswith(start)), "") if of_network else ""
        note = f"{measured}; {advice.format(after=f'{after:.1f} %')}"
        return f"{note}{'' if note.endswith('?') else '.'} See {field} of the card." if field else note
    if before > _LARGE and of_network:
        return (
            f"{measured}: check mean, std and colour in [input], and unit, layout, activation and channels in [output] "
            "of the card (`nmebench card probe` tries them)"
        )
    if before > _LARGE:
        return (
            f"{measured}: check the unit and order of the predictions, or the mean, std, colour order and output of "
            "the network's card"
        )
    return None


def misplaced_notes(
    landmarks: Array,
    truth: Array,
    images: Sequence[str],
    normaliser: NDArray[np.float64],
    *,
    rows: Sequence[int] | None = None,
) -> list[str]:
    """Return notes on predictions that fit another face of the same photograph much better than their own.

    The NME with the other face must be below 30 % and less than half of the NME with the own face.

    Where the faces of a photograph exchange their predictions, the file's order is probably wrong and the note begins
    with :data:`nmebench.datasets.SUSPECT`. A single prediction on a neighbour's face is more likely a network's error.

    Args:
        landmarks: predictions ``[N, K, 2]``, image px.
        truth: ground truth ``[N, K, 2]``, image px.
        images: ``[N]`` names of the photographs.
        normaliser: ``[N]`` image px.
        rows: ``[N]`` lines of the predictions' file, where it has lines.

    Example:
        >>> truth = np.stack([np.full((98, 2), 50.0), np.full((98, 2), 300.0)])
        >>> misplaced_notes(truth[::-1], truth, ["a.jpg", "a.jpg"], np.full(2, 60.0))[0][:63]
        'suspect: 2 predictions fit another face of their photograph bet'
    """
    whole = _complete(truth)
    if not _measurable(landmarks[whole], truth[whole], normaliser[whole]):
        return []
    places: dict[str, list[int]] = {}
    for face in np.flatnonzero(whole).tolist():
        places.setdefault(images[face], []).append(face)
    exchanged: list[str] = []
    single: list[str] = []
    for image, faces in places.items():
        if len(faces) < 2:
            continue
        index = np.asarray(faces)
        distance = np.linalg.norm(landmarks[index, None] - truth[None, index], axis=-1).mean(axis=-1)
        nme = 100 * distance / normaliser[index]
        best = nme.argmin(axis=1)
        own = np.arange(len(faces))
        better = nme[own, best] < np.minimum(nme[own, own] / 2, _EXPLAINED)
        moved = np.flatnonzero((nme[own, own] > _GOOD) & better)
        into = exchanged if len(moved) > 1 and set(best[moved]) == set(moved) else single
        for place in moved.tolist():
            row = "" if rows is None else f"row {rows[faces[place]]}, "
            into.append(
                f"face {faces[place]} ({row}{shown(image)!r}): an NME of {nme[place, best[place]]:.1f} % with face "
                f"{faces[best[place]]}, {nme[place, place]:.1f} % with its own"
            )
    notes = []
    if exchanged:
        notes.append(
            f"{SUSPECT}{len(exchanged)} predictions fit another face of their photograph better, first {exchanged[0]}; "
            "are the faces of a photograph in another order?"
        )
    if single:
        notes.append(f"{len(single)} predictions are on another face of their photograph, first {single[0]}")
    return notes


def rounding_note(landmarks: Array, normaliser: NDArray[np.float64], *, dtype: np.dtype | None = None) -> str | None:
    """Return a note on predictions that are rounded to whole px or to float16, with the NME that this adds.

    Args:
        landmarks: predictions ``[N, K, 2]``, image px.
        normaliser: ``[N]`` image px.
        dtype: the type of the stored numbers; None for text.

    Example:
        >>> rounding_note(np.full((2, 98, 2), 31.0), np.full(2, 50.0))  # doctest: +ELLIPSIS
        'the predictions are whole numbers: rounding moves a landmark by 0.38 px on average (truncation by 0.77), an ...
    """
    if not _measurable(landmarks, landmarks, normaliser):
        return None
    if (landmarks == np.rint(landmarks)).all():
        error = 100 * _ROUNDED * float((1 / normaliser).mean())
        return (
            f"the predictions are whole numbers: rounding moves a landmark by {_ROUNDED:.2f} px on average (truncation "
            f"by {2 * _ROUNDED:.2f}), an NME of {error:.2f} % ({2 * error:.2f}) for an exact prediction"
        )
    if dtype is not None and dtype == np.float16:
        steps = np.spacing(np.abs(landmarks).astype(np.float16)).astype(np.float64)
        error = 100 * float((_ROUNDED * steps.mean(axis=(1, 2)) / normaliser).mean())
        return (
            f"the predictions are float16, which rounds coordinates to steps of up to {steps.max():g} px: an NME of "
            f"{error:.2f} % for an exact prediction"
        )
    return None


def suspect_cells(
    folder: Path, cells: Iterable[CellRecord], dataset: Dataset, normaliser: NDArray[np.float64]
) -> list[str]:
    """Return the :func:`suspect_note` of every cell of a run folder that has one.

    Of many faces, some thousands in even steps are looked at; the note says how many.

    Args:
        folder: the run folder, with the landmarks of the cells.
        cells: the cells.
        dataset: the dataset, for the ground truth and the flip permutation.
        normaliser: ``[N]`` image px.
    """
    faces = len(dataset.landmarks)
    rows = np.arange(faces) if faces <= _SAMPLE else np.linspace(0, faces - 1, _SAMPLE).astype(np.int64)
    of = "" if len(rows) == faces else f" (on {len(rows)} of {faces} faces)"
    truth, lengths = dataset.landmarks[rows], normaliser[rows]

    def note_of(cell: tuple[str, Array]) -> str | None:
        name, landmarks = cell
        return suspect_note(landmarks, truth, lengths, flip=dataset.scheme.flip, name=f"{name}{of}", of_network=True)

    stored = ((cell.id, _rows(folder / "landmarks" / f"{cell.id}.npy", rows)) for cell in cells)
    return [note for note in map_ahead(note_of, stored) if note is not None]


def _rows(file: Path, rows: NDArray[np.int64]) -> Array:
    """Some rows of an array of landmarks; the others aren't read."""
    stored = np.load(file, mmap_mode="r", allow_pickle=False)
    return np.asarray(stored[rows], np.float64)


def _complete(truth: Array) -> NDArray[np.bool_]:
    """Return which faces ``[N]`` have all landmarks labelled; the others are not looked at."""
    return np.asarray(~without_position(truth).any(axis=1))


def _measurable(landmarks: Array, truth: Array, normaliser: NDArray[np.float64]) -> bool:
    """Return whether every face has a finite NME; scoring reports the faces that don't."""
    finite = bool(np.isfinite(landmarks).all()) and bool(np.isfinite(truth).all())
    return bool(len(landmarks)) and finite and bool((normaliser > 0).all())


def _median(landmarks: Array, truth: Array, normaliser: NDArray[np.float64]) -> float:
    """Return the median NME of the faces, percent."""
    return float(np.median(metrics.nme(metrics.point_errors(landmarks, truth), normaliser)))


def _transforms(landmarks: Array, truth: Array, flip: NDArray[np.int64] | None) -> list[tuple[Array, str, float]]:
    """Return transformed predictions, the advice if they fit (with ``{after}``), and the largest NME to call a fit.

    The transforms are in the order of their free parameters, the simplest first.
    """
    faces, points = landmarks.shape[:2]
    numbers = landmarks.reshape(faces, -1)
    found = [
        (
            np.stack([numbers[:, :points], numbers[:, points:]], axis=-1),
            "read as x0, x1, ..., y0, y1, ... it is {after}: write x0, y0, x1, y1, ...",
            _LARGE,
        ),
        (landmarks[..., ::-1], "with x and y exchanged it is {after}: write x first", _LARGE),
    ]
    if flip is not None:
        found.append(
            (
                landmarks[:, flip],
                "with left and right landmarks exchanged it is {after}: are the faces mirrored, or in another scheme?",
                _LARGE,
            )
        )
    nonzero = landmarks != 0
    if nonzero.any():
        factor = float(np.median(truth[nonzero] / landmarks[nonzero]))
        advice = f"times {factor:.3g} it is {{after}}: are they in another unit or image size?"
        found.append((landmarks * factor, advice, _EXPLAINED))
    if faces > 1:
        found.append(
            (
                landmarks[_nearest(landmarks, truth)],
                "in another order of the faces it is {after}: use the list's order",
                _EXPLAINED,
            )
        )
    found.append(
        (
            _fitted(landmarks, truth),
            "with another position and size per face it is {after}: are they px of a crop?",
            _EXPLAINED,
        )
    )
    found.append(
        (
            _fitted(landmarks[..., ::-1], truth),
            "with x and y exchanged in the crop of each face it is {after}: write x first",
            _EXPLAINED,
        )
    )
    found.append(
        (
            landmarks[:, _point_order(landmarks, truth)],
            "with the points in another order it is {after}: are they numbered as in another scheme?",
            _EXPLAINED,
        )
    )
    return found


def _nearest(landmarks: Array, truth: Array) -> NDArray[np.int64]:
    """Return for every face of the ground truth the prediction whose centre and extent are nearest ``[N]``."""
    from scipy.spatial import cKDTree

    def features(points: Array) -> Array:
        return np.concatenate([points.mean(axis=1), np.ptp(points, axis=1)], axis=1)

    _, nearest = cKDTree(features(landmarks)).query(features(truth))
    return np.asarray(nearest, dtype=np.int64)


def _point_order(landmarks: Array, truth: Array) -> NDArray[np.int64]:
    """Return the permutation ``[K]`` of the predicted points with the smallest sum of mean distances to the truth."""
    from scipy.optimize import linear_sum_assignment

    distances = np.zeros((truth.shape[1], landmarks.shape[1]))
    (x, y), (true_x, true_y) = np.moveaxis(landmarks, 2, 0), np.moveaxis(truth, 2, 0)[..., None]
    for face in range(len(landmarks)):
        across, down = true_x[face] - x[face], true_y[face] - y[face]
        across *= across
        down *= down
        across += down
        distances += np.sqrt(across, out=across)
    return np.asarray(linear_sum_assignment(distances)[1], dtype=np.int64)


def _fitted(landmarks: Array, truth: Array) -> Array:
    """Return every prediction moved and scaled onto its ground truth by least squares."""
    middle, target = landmarks.mean(axis=1, keepdims=True), truth.mean(axis=1, keepdims=True)
    moved = landmarks - middle
    extent = (moved**2).sum(axis=(1, 2), keepdims=True)
    factor = (moved * (truth - target)).sum(axis=(1, 2), keepdims=True) / np.where(extent > 0, extent, 1)
    fitted: Array = moved * factor + target
    return fitted
