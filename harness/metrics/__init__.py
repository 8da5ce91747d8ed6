"""Metrics of landmark predictions, as plain functions on float64 arrays.

NME and FR are percent, AUC and CED are fractions. Thresholds are NMEs in percent.
"""

from __future__ import annotations

from nmebench.metrics.auc import auc, auc_hrnet, auc_per_face
from nmebench.metrics.ced import ced, ced_counts
from nmebench.metrics.failure_rate import failure_rate, failures, failures_per_face
from nmebench.metrics.nme import nme, nme_per_group, nme_per_landmark, pooled_nme
from nmebench.metrics.per_face import per_face
from nmebench.metrics.point_error import point_errors

__all__ = [
    "auc",
    "auc_hrnet",
    "auc_per_face",
    "ced",
    "ced_counts",
    "failure_rate",
    "failures",
    "failures_per_face",
    "nme",
    "nme_per_group",
    "nme_per_landmark",
    "per_face",
    "point_errors",
    "pooled_nme",
]
