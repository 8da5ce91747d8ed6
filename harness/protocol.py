"""The names of a test protocol that several packages share: subsets, metrics, flip test, grids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

__all__ = [
    "ATTRIBUTES",
    "CHAIN_MAPS",
    "CROP_CONVENTIONS",
    "DIRECT",
    "FLIPS",
    "GRIDS",
    "LIST_NAMES",
    "METRICS",
    "SUBSETS",
    "THRESHOLD",
    "Chain",
    "ChainMap",
    "CropConvention",
    "Flip",
    "Grid",
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

CropConvention = Literal["stride", "udp"]
"""The map from the box to the input: ``stride`` has W input px per box side, ``udp`` W - 1."""

CROP_CONVENTIONS: Final[tuple[CropConvention, ...]] = get_args(CropConvention)

Grid = Literal["stride", "udp", "half-pixel"]
"""The map from heatmap px to input px with which a network was trained: ``stride`` x * W / w, ``udp``
x * (W - 1) / (w - 1), ``half-pixel`` (x + 0.5) * W / w - 0.5. A model card names it (``[output] grid``)."""

GRIDS: Final[tuple[Grid, ...]] = get_args(Grid)

ChainMap = Literal["mmpose", "mmpose-udp", "official-hrnet"]
"""The map from heatmap px to image px of another code base: ``mmpose`` x * s / w, ``mmpose-udp`` x * s / (w - 1),
``official-hrnet`` trunc((x + 0.5) * s / w + c - s / 2) + 1; s and c are size and centre of the box."""

CHAIN_MAPS: Final[tuple[ChainMap, ...]] = get_args(ChainMap)


@dataclass(frozen=True, slots=True)
class Chain:
    """The complete way of another code base from its heatmap px to image px.

    A decoder with a chain is a preset: it reproduces that code base and ignores the grid of the network.
    """

    map: ChainMap
    grid: Grid | None
    """The grid of the networks for which the code base made the chain; None for a grid that cards can't name."""


DIRECT: Final = "direct"
"""The decoder field of a cell whose network predicts landmarks instead of heatmaps."""
