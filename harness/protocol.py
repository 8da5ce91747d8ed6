"""The names of a test protocol that several packages share: subsets, metrics, flip test, grids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    "SAMPLINGS",
    "SUBSETS",
    "SUSPECT",
    "THRESHOLD",
    "Chain",
    "ChainMap",
    "CropConvention",
    "Flip",
    "Grid",
    "Sampling",
    "Subset",
    "in_table_order",
]

SUSPECT: Final = "suspect: "
"""The beginning of a note about input that is probably wrong, such as landmarks in another unit.

A run with such a note is finished and scored, but its numbers must not confirm or contradict a published value.
"""

Subset = Literal["test", "pose", "expression", "illumination", "makeup", "occlusion", "blur"]
"""A subset of WFLW's test set; ``test`` is every face."""

SUBSETS: Final[tuple[Subset, ...]] = get_args(Subset)
"""WFLW's subsets in the order of every table: ``test``, then the attributes in the order of the official list."""


def in_table_order(subsets: Iterable[str]) -> list[str]:
    """Return names of subsets in the order of every table: ``test``, WFLW's, then those of other data sets as given.

    Example:
        >>> in_table_order(["challenging", "common", "blur", "test", "pose"])
        ['test', 'pose', 'blur', 'challenging', 'common']
    """
    given = list(dict.fromkeys(subsets))
    known: list[str] = [name for name in SUBSETS if name in given]
    return known + [name for name in given if name not in known]


ATTRIBUTES: Final = SUBSETS[1:]
"""WFLW's attributes in the order of its official list."""

LIST_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {name: "largepose" if name == "pose" else name for name in ATTRIBUTES}
)
"""The word that the official subset lists use for an attribute in their file names."""

THRESHOLD: Final = 10.0
"""The NME (percent) above which a face counts as a failure, and up to which AUC integrates, where neither a benchmark
nor the user says otherwise. ``nmebench.metric_names`` names metrics by their thresholds."""

Flip = Literal["none", "flip", "flip+shift", "flip+align", "flip-coords"]
"""The flip test, which also runs the network on the mirrored crop; docs/coordinates.md has the derivation.

``none``: one pass. ``flip``: the mean of the outputs and the mirrored pass's, mirrored back. ``flip+shift``: the latter
are moved right by one heatmap px first, as mmpose does. ``flip+align``: they are moved by exactly the displacement of
the grid, with linear interpolation. ``flip-coords``: both passes are decoded, and the mean is that of the landmarks.
"""

FLIPS: Final[tuple[Flip, ...]] = get_args(Flip)

CropConvention = Literal["stride", "udp", "half-pixel"]
"""The map from a box of side s, whose left edge is at l, to input px: ``stride`` (x - l) * W / s, ``udp``
(x - l) * (W - 1) / s, ``half-pixel`` (x - l + 0.5) * W / s - 0.5, where a resize of the box's pixels shows x."""

CROP_CONVENTIONS: Final[tuple[CropConvention, ...]] = get_args(CropConvention)

Sampling = Literal["affine", "resize", "resize-area", "pil-bilinear", "pil-bicubic"]
"""The resampling of a crop. ``affine``: one bilinear warp, as mmpose. The others cut out the box in whole pixels, with
zeros outside the photograph, and resize it: ``resize`` and ``resize-area`` by ``cv2.resize`` (``INTER_LINEAR``,
``INTER_AREA``), ``pil-bilinear`` and ``pil-bicubic`` by Pillow, which smooths when it makes an image smaller."""

SAMPLINGS: Final[tuple[Sampling, ...]] = get_args(Sampling)

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
