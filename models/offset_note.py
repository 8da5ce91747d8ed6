"""A note on offset maps that can't be right, such as those of a network that was trained without offsets."""

from __future__ import annotations

import torch
from torch import Tensor

from nmebench.protocol import SUSPECT

__all__ = ["offset_note"]

_LEAST, _MOST = 0.5, 1.5
"""Range of the median change of the offsets from pixel to pixel in which they point to one landmark; 1 is exact."""

_SHORTEST, _LONGEST = 0.05, 2.0
"""Range in heatmap px of the median offset at the maxima. The position of a landmark in its pixel gives about 0.4."""


_START = f"{SUSPECT}heatmap-offset: "


def offset_note(heatmaps: Tensor, offsets: Tensor) -> tuple[str, ...]:
    """Return a note if the offsets at the maxima of the heatmaps can't lead to the landmarks.

    Offsets that are trained at every pixel near a landmark fall by 1 heatmap px from one column (x) or row (y) to the
    next. The medians of these changes over all landmarks are 0.97 and 0.93 for the shipped network with offsets. They
    show another unit, another sign, and x and y exchanged. Networks such as PIPNet train the offset at one pixel only,
    where no such change is expected; their offsets, and those of an untrained head, are judged by their length.

    Args:
        heatmaps: ``[N, K, h, w]`` of some faces.
        offsets: ``[N, K, 2, h, w]`` (x, y), heatmap px.

    Returns:
        One line that begins with :data:`nmebench.protocol.SUSPECT` and the decoder that it is about, or nothing.

    Example:
        >>> heatmaps, offsets = torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 2, 8, 8)
        >>> print(*offset_note(heatmaps, offsets))  # doctest: +ELLIPSIS
        suspect: heatmap-offset: the median offset at the maxima is 0 heatmap px: was the network trained with ...
        >>> x = torch.arange(8.0).expand(8, 8)
        >>> offset_note(heatmaps, (3.2 - torch.stack((x, x.T))).expand_as(offsets))
        ()
    """
    height, width = heatmaps.shape[-2:]
    if not heatmaps.numel() or offsets.shape != (*heatmaps.shape[:2], 2, height, width) or min(height, width) < 3:
        return ()  # the decoder refuses offsets of another shape
    peak = heatmaps.flatten(-2).argmax(dim=-1)
    x, y = (peak % width).clamp(1, width - 2), (peak // width).clamp(1, height - 2)
    face = torch.arange(len(heatmaps), device=peak.device)[:, None]
    point = torch.arange(heatmaps.shape[1], device=peak.device)
    along_x = (offsets[face, point, :, y, x - 1] - offsets[face, point, :, y, x + 1]).float() / 2
    along_y = (offsets[face, point, :, y - 1, x] - offsets[face, point, :, y + 1, x]).float() / 2
    x_by_x, y_by_x = along_x.flatten(0, 1).nanmedian(dim=0).values.tolist()
    x_by_y, y_by_y = along_y.flatten(0, 1).nanmedian(dim=0).values.tolist()
    if _LEAST <= x_by_x <= _MOST and _LEAST <= y_by_y <= _MOST:
        return ()
    changes = f"the offsets around the maxima change by {x_by_x:.2g} (x) and {y_by_y:.2g} (y) px per px, not by 1"
    if -_MOST <= x_by_x <= -_LEAST and -_MOST <= y_by_y <= -_LEAST:
        return (f"{_START}{changes}: they lead from the landmark to the pixel; change their sign",)
    if _LEAST <= y_by_x <= _MOST and _LEAST <= x_by_y <= _MOST:
        return (f"{_START}{changes}: x and y are exchanged; give the x maps first",)
    if min(x_by_x, y_by_y) > _SHORTEST and 0.8 < x_by_x / y_by_y < 1.25:
        factor = 2 / (x_by_x + y_by_y)
        return (f"{_START}{changes}: times {factor:.3g} they fit; set radius in [output] of the card",)
    length = float(offsets[face, point, :, peak // width, peak % width].float().norm(dim=-1).flatten().nanmedian())
    if _SHORTEST <= length <= _LONGEST:
        return ()
    return (
        f"{_START}the median offset at the maxima is {length:.2g} heatmap px: was the network trained with offsets, "
        "and do names, offsets and radius in [output] of the card describe them?",
    )
