"""Every metric as a mean over faces: the values that are averaged."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.metrics.auc import auc_per_face
from nmebench.metrics.failure_rate import failures_per_face
from nmebench.suggest import unknown

__all__ = ["MetricName", "per_face"]

MetricName = Literal["nme", "fr", "auc"]


def per_face(nme: ArrayLike, metric: MetricName, threshold: float = 10.0) -> NDArray[np.float64]:
    """The values whose mean over faces is the metric, so that intervals and paired tests treat all metrics alike.

    Args:
        nme: percent, any shape.
        metric: ``nme``, ``fr`` or ``auc``.
        threshold: percent; FR and AUC use it.

    Returns:
        float64, of the shape of ``nme``: the NME itself (percent), 100 for a failure and 0 otherwise (percent), or
        the contribution to the AUC (fraction).

    Raises:
        ValueError: the metric is unknown.

    Example:
        >>> per_face([2.0, 14.0], "fr").tolist()
        [0.0, 100.0]
        >>> per_face([2.0, 14.0], "auc").tolist()
        [0.8, 0.0]
    """
    if metric == "nme":
        return np.asarray(nme, np.float64)
    if metric == "fr":
        return 100.0 * failures_per_face(nme, threshold)
    if metric == "auc":
        return auc_per_face(nme, threshold)
    raise ValueError(unknown("metric", metric, get_args(MetricName)))
