"""Faces whose NME is over a threshold."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["failure_rate", "failures"]


def failures(nme: ArrayLike, threshold: float = 10.0) -> int:
    """Number of faces with NME > threshold (percent).

    A face at the threshold is no failure, as in HRNet's ``lib/core/function.py``. A face whose NME isn't a
    number is one: a comparison that NaN loses would count it as a success.
    """
    values = np.asarray(nme, np.float64)
    return int(np.count_nonzero(~(values <= threshold)))


def failure_rate(nme: ArrayLike, threshold: float = 10.0) -> float:
    """Share of faces with NME > threshold, in percent; NaN without faces. See :func:`failures`."""
    values = np.asarray(nme, np.float64)
    return 100.0 * failures(values, threshold) / values.size if values.size else float("nan")
