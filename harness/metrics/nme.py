"""Normalised mean error (NME), in percent of a distance on the face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["nme", "nme_per_group", "nme_per_landmark", "pooled_nme"]

Array = NDArray[np.float64]


def _normalised(errors: ArrayLike, normaliser: ArrayLike) -> Array:
    """Errors ``[N, K]`` divided by the normaliser ``[N]``, in percent ``[N, K]``."""
    e = np.asarray(errors, np.float64)
    d = np.asarray(normaliser, np.float64)
    if e.ndim == 3:
        raise ValueError(
            f"errors {e.shape} are landmarks, not errors [N, K]: call nme(point_errors(pred, gt), normaliser), or "
            "nmebench.evaluate(pred, gt, scheme=...), which takes landmarks"
        )
    if e.ndim != 2 or d.shape != e.shape[:1]:
        raise ValueError(f"errors {e.shape} must be [N, K] and normaliser {d.shape} must be [N]")
    with np.errstate(divide="ignore", invalid="ignore"):
        percent: Array = 100.0 * (e / d[:, None])
    return percent


def nme(errors: ArrayLike, normaliser: ArrayLike, mask: ArrayLike | None = None) -> Array:
    """NME of each face: the mean over its landmarks of error / normaliser, in percent.

    The NME of a set is the mean over its faces, ``nme(...).mean()``. :func:`nmebench.evaluate` does every step from
    landmarks to scores.

    Source: HRNet/HRNet-Facial-Landmark-Detection, ``lib/core/evaluation.py`` (``compute_nme``).

    Args:
        errors: ``[N, K]`` image px, from :func:`~nmebench.metrics.point_errors`.
        normaliser: ``[N]`` image px.
        mask: ``[N, K]``, true for the landmarks to count; by default all of them.

    Returns:
        float64 ``[N]`` percent; NaN for a face without a counted landmark, infinite or NaN where the normaliser is 0.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> nme([[1.0, 3.0], [2.0, 2.0]], [50.0, 40.0]).tolist()
        [4.0, 5.0]
    """
    percent = _normalised(errors, normaliser)
    if mask is None:
        faces: Array = percent.mean(axis=1)
        return faces
    return _masked_mean(percent, mask, axis=1)


def pooled_nme(errors: ArrayLike, normaliser: ArrayLike, mask: ArrayLike | None = None) -> float:
    """NME of a set as mmpose computes it: the mean over the labelled landmarks of all faces, in percent.

    Faces whose normaliser is 0 are dropped, and a face with few labelled landmarks has little weight. The result equals
    the mean of :func:`nme` when all landmarks are labelled.

    Source: open-mmlab/mmpose, ``mmpose/evaluation/functional/keypoint_eval.py`` (``keypoint_nme``).

    Args:
        errors: ``[N, K]`` image px.
        normaliser: ``[N]`` image px.
        mask: ``[N, K]``, true for labelled landmarks; by default all of them.

    Returns:
        Percent; NaN when no landmark counts.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> pooled_nme([[1.0, 3.0], [2.0, 9.0]], [50.0, 40.0], [[True, True], [True, False]])
        4.333333333333333
    """
    e = np.asarray(errors, np.float64)
    d = np.asarray(normaliser, np.float64)
    keep = np.ones(e.shape, bool) if mask is None else np.asarray(mask, bool)
    keep = keep & (d != 0)[:, None]
    if not keep.any():
        return float("nan")
    return float(_normalised(e, d)[keep].mean())


def nme_per_landmark(errors: ArrayLike, normaliser: ArrayLike, mask: ArrayLike | None = None) -> Array:
    """NME of each landmark: the mean over the faces of error / normaliser, in percent.

    Source: the definition of :func:`nme`, averaged over the other axis.

    Args:
        errors: ``[N, K]`` image px.
        normaliser: ``[N]`` image px.
        mask: ``[N, K]``, true for the landmarks to count; by default all of them.

    Returns:
        float64 ``[K]`` percent; NaN for a landmark that counts on no face.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> nme_per_landmark([[1.0, 3.0], [2.0, 2.0]], [50.0, 40.0]).tolist()
        [3.5, 5.5]
    """
    percent = _normalised(errors, normaliser)
    return _masked_mean(percent, np.ones(percent.shape, bool) if mask is None else mask, axis=0)


def _masked_mean(percent: Array, mask: ArrayLike, axis: int) -> Array:
    """Mean of the values where the mask is true; NaN where it is false along the whole axis."""
    keep = np.asarray(mask, bool)
    with np.errstate(invalid="ignore"):
        mean: Array = np.where(keep, percent, 0.0).sum(axis=axis) / keep.sum(axis=axis)
    return mean


def nme_per_group(errors: ArrayLike, normaliser: ArrayLike, groups: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    """NME of each face over each named group of landmarks.

    Source: the definition of :func:`nme`, over the landmarks of a group.

    Args:
        errors: ``[N, K]`` image px.
        normaliser: ``[N]`` image px.
        groups: name to the indices of its landmarks, such as ``Scheme.groups``.

    Returns:
        Name to float64 ``[N]`` percent; NaN for an empty group.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> groups = {"eye": [0], "mouth": [1, 2]}
        >>> {name: v.tolist() for name, v in nme_per_group([[1.0, 3.0, 5.0]], [50.0], groups).items()}
        {'eye': [2.0], 'mouth': [8.0]}
    """
    percent = _normalised(errors, normaliser)
    return {
        name: percent[:, list(indices)].mean(axis=1) if len(indices) else np.full(len(percent), np.nan)
        for name, indices in groups.items()
    }
