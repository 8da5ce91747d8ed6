"""Every metric as a mean over faces: the values that are averaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nmebench.metric_names import Metric
from nmebench.metrics.auc import auc_per_face
from nmebench.metrics.failure_rate import failures_per_face

__all__ = ["per_face"]


def per_face(nme: ArrayLike, metric: str) -> NDArray[np.float64]:
    """The values whose mean over faces is the metric, so that intervals and paired tests treat all metrics alike.

    Source: the definitions of :func:`nme`, :func:`failure_rate` and :func:`auc`, before the mean over faces.

    Args:
        nme: percent, any shape.
        metric: ``nme``, or ``fr`` or ``auc`` with a threshold in percent, such as ``fr10`` and ``auc7.5``.

    Returns:
        float64, of the shape of ``nme``: the NME itself (percent), 100 for a failure and 0 otherwise (percent), or
        the contribution to the AUC (fraction).

    Raises:
        InputError: the metric is unknown.

    Example:
        >>> per_face([2.0, 14.0], "fr10").tolist()
        [0.0, 100.0]
        >>> per_face([2.0, 14.0], "auc8").tolist()
        [0.75, 0.0]
    """
    found = Metric.parse(metric)
    if found.threshold is None:
        return np.asarray(nme, np.float64)
    if found.kind == "fr":
        return np.where(failures_per_face(nme, found.threshold), 100.0, 0.0)
    return auc_per_face(nme, found.threshold)
