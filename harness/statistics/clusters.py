"""Sums over the faces of each photograph: the input of every clustered statistic of means."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["cluster_sums"]

Array = NDArray[np.float64]


def cluster_sums(values: ArrayLike, clusters: ArrayLike) -> tuple[Array, Array]:
    """Sum the values of each cluster.

    Args:
        values: ``[M, N]``, finite.
        clusters: int ``[N]``, any numbers.

    Returns:
        Sums ``[M, C]`` and numbers of faces ``[C]``; clusters are in ascending order.

    Raises:
        ValueError: the shapes do not fit, there are no faces, or a value is not finite.

    Example:
        >>> sums, faces = cluster_sums([[1.0, 2.0, 4.0]], [7, 3, 7])
        >>> sums.tolist(), faces.tolist()
        ([[2.0, 5.0]], [1.0, 2.0])
    """
    v = np.asarray(values, np.float64)
    labels = np.asarray(clusters)
    if v.ndim != 2 or labels.shape != v.shape[1:]:
        raise ValueError(f"values {v.shape} must be [M, N] and clusters {labels.shape} must be [N]")
    if not v.shape[1]:
        raise ValueError("no faces: a statistic needs at least one")
    if not np.isfinite(v).all():
        raise ValueError("values must be finite: leave out the faces without a number, or count them as failures")
    _, inverse = np.unique(labels, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    faces = np.bincount(inverse)
    starts = np.concatenate([[0], np.cumsum(faces)[:-1]])
    sums: Array = np.add.reduceat(v[:, order], starts, axis=1)
    return sums, faces.astype(np.float64)
