"""A metric of a set of faces by its name."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from nmebench.metric_names import Metric
from nmebench.metrics.auc import auc
from nmebench.metrics.failure_rate import failure_rate

__all__ = ["measure"]


def measure(nme: ArrayLike, metric: str) -> float:
    """Compute the mean NME, the failure rate or the AUC of some faces.

    Source: the definitions of :func:`nme`, :func:`failure_rate` and :func:`auc`.

    Args:
        nme: ``[N]`` percent.
        metric: ``nme``, or ``fr`` or ``auc`` with a threshold in percent, such as ``fr10`` and ``auc7.5``.

    Returns:
        Percent for NME and FR, a fraction for AUC; NaN without faces.

    Raises:
        InputError: the metric is unknown.

    Example:
        >>> [measure([2.0, 6.0, 14.0, 10.0], name) for name in ("nme", "fr8", "auc8")]
        [8.0, 50.0, 0.25]
    """
    found = Metric.parse(metric)
    values = np.asarray(nme, np.float64)
    if found.threshold is None:
        return float(values.mean()) if values.size else float("nan")
    return (failure_rate if found.kind == "fr" else auc)(values, found.threshold)
