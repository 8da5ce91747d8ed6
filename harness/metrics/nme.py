"""Normalised mean error, in percent of a distance on the face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["nme", "nme_per_group", "nme_per_landmark", "pooled_nme"]

Array = NDArray[np.float64]


def _relative(errors: ArrayLike, normaliser: ArrayLike) -> Array:
    """Errors ``[N, K]`` over normaliser ``[N]``, percent ``[N, K]``."""
    e = np.asarray(errors, np.float64)
    d = np.asarray(normaliser, np.float64)
    if e.ndim != 2 or d.shape != e.shape[:1]:
        raise ValueError(f"errors {e.shape} must be [N, K] and normaliser {d.shape} [N]")
    with np.errstate(divide="ignore", invalid="ignore"):
        percent: Array = 100.0 * (e / d[:, None])
    return percent


def nme(errors: ArrayLike, normaliser: ArrayLike, mask: ArrayLike | None = None) -> Array:
    """Normalised mean error of every face: the mean over its landmarks, in percent.

    The form of HRNet/HRNet-Facial-Landmark-Detection, ``lib/core/evaluation.py`` (``compute_nme``). A set's
    NME is the mean of its faces'.

    Args:
        errors: ``[N, K]`` image px, from :func:`~nmebench.metrics.point_errors`.
        normaliser: ``[N]`` image px.
        mask: ``[N, K]``, true for the landmarks that count; all of them by default.

    Returns:
        float64 ``[N]`` percent; NaN for a face without a landmark that counts, infinite or NaN where the
        normaliser is 0.
    """
    percent = _relative(errors, normaliser)
    if mask is None:
        faces: Array = percent.mean(axis=1)
        return faces
    keep = np.asarray(mask, bool)
    with np.errstate(invalid="ignore"):
        masked: Array = np.where(keep, percent, 0.0).sum(axis=1) / keep.sum(axis=1)
    return masked


def pooled_nme(errors: ArrayLike, normaliser: ArrayLike, mask: ArrayLike | None = None) -> float:
    """A set's NME as mmpose computes it: the mean over the visible landmarks of all faces, in percent.

    The form of open-mmlab/mmpose, ``mmpose/evaluation/functional/keypoint_eval.py`` (``keypoint_nme``):
    faces whose normaliser is 0 are dropped, and a face with few visible landmarks weighs little. The same as
    the mean of :func:`nme` when all landmarks are visible.

    Args:
        errors: ``[N, K]`` image px.
        normaliser: ``[N]`` image px.
        mask: ``[N, K]``, true for visible landmarks.

    Returns:
        Percent; NaN when no landmark counts.
    """
    e = np.asarray(errors, np.float64)
    d = np.asarray(normaliser, np.float64)
    keep = np.ones(e.shape, bool) if mask is None else np.asarray(mask, bool)
    keep = keep & (d != 0)[:, None]
    if not keep.any():
        return float("nan")
    return float(_relative(e, d)[keep].mean())


def nme_per_landmark(errors: ArrayLike, normaliser: ArrayLike, mask: ArrayLike | None = None) -> Array:
    """Normalised mean error of every landmark over the faces, percent ``[K]``; NaN where none counts."""
    percent = _relative(errors, normaliser)
    keep = np.ones(percent.shape, bool) if mask is None else np.asarray(mask, bool)
    with np.errstate(invalid="ignore"):
        landmarks: Array = np.where(keep, percent, 0.0).sum(axis=0) / keep.sum(axis=0)
    return landmarks


def nme_per_group(errors: ArrayLike, normaliser: ArrayLike, groups: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    """Normalised mean error of every face over each named group of landmarks.

    Args:
        errors: ``[N, K]`` image px.
        normaliser: ``[N]`` image px.
        groups: name to the indices of its landmarks, such as a scheme's.

    Returns:
        Name to float64 ``[N]`` percent; NaN for an empty group.
    """
    percent = _relative(errors, normaliser)
    return {
        name: percent[:, list(indices)].mean(axis=1) if len(indices) else np.full(len(percent), np.nan)
        for name, indices in groups.items()
    }
