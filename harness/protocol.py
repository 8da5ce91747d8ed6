"""The names of a test protocol that several packages share: subsets, metrics, flip test, conventions."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, get_args

__all__ = [
    "ATTRIBUTES",
    "CONVENTIONS",
    "DIRECT",
    "FLIPS",
    "LIST_NAMES",
    "METRICS",
    "SUBSETS",
    "THRESHOLD",
    "Convention",
    "Flip",
    "MetricName",
    "Subset",
]

Subset = Literal["test", "pose", "expression", "illumination", "makeup", "occlusion", "blur"]
"""A subset of WFLW's test set; ``test`` is every face."""

SUBSETS: Final[tuple[Subset, ...]] = get_args(Subset)
"""WFLW's subsets in the order of every table: ``test``, then the attributes in the order of the official list."""

ATTRIBUTES: Final = SUBSETS[1:]
"""WFLW's attributes in the order of its official list."""

LIST_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {name: "largepose" if name == "pose" else name for name in ATTRIBUTES}
)
"""The word that the official subset lists use for an attribute in their file names."""

MetricName = Literal["nme", "fr10", "auc10"]
"""A metric in ``scores.csv``, model cards and published rows.

``nme``: mean NME, percent. ``fr10``: failure rate, the share of faces with an NME above 10 %, percent. ``auc10``: area
under the cumulative error distribution up to 10 %, a fraction.
"""

METRICS: Final[tuple[MetricName, ...]] = get_args(MetricName)

THRESHOLD: Final = 10.0
"""The NME (percent) above which a face counts as a failure, and up to which AUC integrates."""

Flip = Literal["none", "flip", "flip+shift"]
"""The flip test: none, the average with the mirrored pass, or with that pass shifted by one heatmap px."""

FLIPS: Final[tuple[Flip, ...]] = get_args(Flip)

Convention = Literal["stride", "udp", "hrnet", "half-pixel"]
"""The map from heatmap px to input px: ``stride`` x * s, ``udp`` x * (input - 1) / (heatmap - 1), ``half-pixel``
(x + 0.5) * s - 0.5 or ``hrnet``."""

CONVENTIONS: Final[tuple[Convention, ...]] = get_args(Convention)

DIRECT: Final = "direct"
"""The decoder field of a cell whose network predicts landmarks instead of heatmaps."""
