"""Metrics of landmark predictions, as plain functions on float64 arrays.

NME and FR are percent, AUC and CED are fractions. Thresholds are NMEs in percent. The classes NME, FailureRate and AUC
accumulate over the batches of a loop, with torchmetrics' interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nmebench.metrics.auc import auc, auc_hrnet, auc_per_face
from nmebench.metrics.auc_spiga import auc_spiga, auc_spiga_bounds
from nmebench.metrics.ced import ced, ced_counts
from nmebench.metrics.failure_rate import failure_rate, failures, failures_per_face
from nmebench.metrics.measure import measure
from nmebench.metrics.nme import nme, nme_per_group, nme_per_landmark, pooled_nme
from nmebench.metrics.per_face import per_face
from nmebench.metrics.point_error import labelled, point_errors

if TYPE_CHECKING:
    from nmebench.metrics.torch_metric import AUC, NME, FailureRate

__all__ = [
    "AUC",
    "NME",
    "FailureRate",
    "auc",
    "auc_hrnet",
    "auc_per_face",
    "auc_spiga",
    "auc_spiga_bounds",
    "ced",
    "ced_counts",
    "failure_rate",
    "failures",
    "failures_per_face",
    "labelled",
    "measure",
    "nme",
    "nme_per_group",
    "nme_per_landmark",
    "per_face",
    "point_errors",
    "pooled_nme",
]

_TORCH_METRICS = ("AUC", "NME", "FailureRate")
"""Classes for training loops; importing them imports torch."""


def __getattr__(name: str) -> Any:
    """Import a class of :mod:`nmebench.metrics.torch_metric` when it is first used."""
    if name in _TORCH_METRICS:
        from nmebench.metrics import torch_metric

        return getattr(torch_metric, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
