"""What is measured on landmarks: plain functions on float64 arrays.

NME and FR are percent, AUC and CED are fractions; thresholds are percent of the normaliser, like NME.
"""

from __future__ import annotations

from nmebench.metrics.auc import auc, auc_hrnet
from nmebench.metrics.ced import ced
from nmebench.metrics.failure_rate import failure_rate, failures
from nmebench.metrics.nme import nme, nme_per_group, nme_per_landmark, pooled_nme
from nmebench.metrics.point_error import point_errors

__all__ = [
    "auc",
    "auc_hrnet",
    "ced",
    "failure_rate",
    "failures",
    "nme",
    "nme_per_group",
    "nme_per_landmark",
    "point_errors",
    "pooled_nme",
]
