"""Failure rate (FR): faces whose NME is above a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.protocol import THRESHOLD

__all__ = ["failure_rate", "failures", "failures_per_face"]


def failures_per_face(nme: ArrayLike, threshold: float = THRESHOLD) -> NDArray[np.bool_]:
    """True where each face fails: its NME is above the threshold, or NaN.

    A face exactly at the threshold does not fail. A face whose NME is NaN does: ``nme > threshold`` is false for NaN
    and would count it as a success.

    Source: HRNet/HRNet-Facial-Landmark-Detection, ``lib/core/function.py`` (``nme_temp > 0.10``).

    Args:
        nme: percent, any shape.
        threshold: percent.

    Returns:
        bool, of the shape of ``nme``.

    Example:
        >>> failures_per_face([9.9, 10.0, 10.1, float("nan")]).tolist()
        [False, False, True, True]
    """
    failed: NDArray[np.bool_] = ~(np.asarray(nme, np.float64) <= threshold)
    return failed


def failures(nme: ArrayLike, threshold: float = THRESHOLD) -> int:
    """Number of faces that fail, by :func:`failures_per_face`.

    Source: see :func:`failures_per_face`.

    Args:
        nme: percent, any shape.
        threshold: percent.

    Example:
        >>> failures([9.9, 10.0, 10.1, 25.0])
        2
    """
    return int(np.count_nonzero(failures_per_face(nme, threshold)))


def failure_rate(nme: ArrayLike, threshold: float = THRESHOLD) -> float:
    """Share of faces that fail, by :func:`failures_per_face`.

    Source: FR@10 of WFLW, W. Wu et al., "Look at Boundary: A Boundary-Aware Face Alignment Algorithm" (CVPR 2018).

    Args:
        nme: percent, any shape.
        threshold: percent.

    Returns:
        Percent; NaN without faces.

    Example:
        >>> failure_rate([9.9, 10.0, 10.1, 25.0])
        50.0
    """
    failed = failures_per_face(nme, threshold)
    return 100.0 * int(np.count_nonzero(failed)) / failed.size if failed.size else float("nan")
