"""Distance of each landmark from the ground truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["labelled", "point_errors"]


def point_errors(landmarks: ArrayLike, truth: ArrayLike) -> NDArray[np.float64]:
    """Euclidean distance of each landmark from the ground truth.

    Source: the numerator of the NME in HRNet/HRNet-Facial-Landmark-Detection, ``lib/core/evaluation.py``
    (``compute_nme``).

    Args:
        landmarks: ``[N, K, 2]``, any unit.
        truth: ``[N, K, 2]``, the same unit; NaN for landmarks that are not labelled.

    Returns:
        float64 ``[N, K]``, the same unit; NaN for landmarks that are not labelled. Pass ``labelled(truth)`` as the mask
        of the metrics to leave them out.

    Raises:
        ValueError: the shapes differ or are not ``[N, K, 2]``.

    Example:
        >>> point_errors([[[3.0, 4.0], [1.0, 1.0]]], [[[0.0, 0.0], [1.0, 2.0]]]).tolist()
        [[5.0, 1.0]]
    """
    a = np.asarray(landmarks, np.float64)
    b = np.asarray(truth, np.float64)
    if a.shape != b.shape or a.ndim != 3 or a.shape[2] != 2:
        raise ValueError(f"landmarks {a.shape} and truth {b.shape} must both be [N, K, 2]")
    errors: NDArray[np.float64] = np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1])
    return errors


def labelled(truth: ArrayLike) -> NDArray[np.bool_] | None:
    """Return the mask of the landmarks that have a ground truth, for metrics that take a mask.

    Only the ground truth decides: a prediction that is not finite stays an error.

    Source: the visibility v of COCO's keypoints, whose landmarks with v = 0 have no position.

    Args:
        truth: ``[N, K, 2]``; NaN for landmarks that are not labelled.

    Returns:
        bool ``[N, K]``; None if every landmark is labelled, so that the metrics average all of them.

    Example:
        >>> labelled([[[1.0, 2.0], [float("nan"), float("nan")]]]).tolist()
        [[True, False]]
        >>> labelled([[[1.0, 2.0], [3.0, 4.0]]]) is None
        True
    """
    t = np.asarray(truth, np.float64)
    # numpy's reductions over an axis of two numbers take ten times as long.
    known = np.asarray(~(np.isnan(t[..., 0]) | np.isnan(t[..., 1])), np.bool_)
    return None if known.all() else known
