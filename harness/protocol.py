"""The words of a test protocol that several packages share: subsets, flip test, conventions."""

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
    "SUBSETS",
    "Convention",
    "Flip",
]

ATTRIBUTES: Final = ("pose", "expression", "illumination", "makeup", "occlusion", "blur")
"""WFLW's attributes in the order of its official list."""

SUBSETS: Final = ("test", *ATTRIBUTES)
"""The order in which tables list WFLW's subsets; ``test`` is every face."""

LIST_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {name: "largepose" if name == "pose" else name for name in ATTRIBUTES}
)
"""The word that the official subset lists use for an attribute in their file names."""

Flip = Literal["none", "flip", "flip+shift"]
"""The flip test: none, the average with the mirrored pass, or with that pass shifted by one heatmap px."""

FLIPS: Final[tuple[Flip, ...]] = get_args(Flip)

Convention = Literal["stride", "udp", "hrnet"]
"""The map from heatmap px to input px: ``stride`` x * s, ``udp`` x * (input - 1) / (heatmap - 1) or ``hrnet``."""

CONVENTIONS: Final[tuple[Convention, ...]] = get_args(Convention)

DIRECT: Final = "direct"
"""What stands in a cell's decoder field where the network gives landmarks instead of heatmaps."""
