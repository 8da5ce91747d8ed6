"""The grids of heatmaps: the one definition of the maps between heatmap px and input px."""

from __future__ import annotations

from nmebench.protocol import Grid

__all__ = ["grid_map", "mirror_displacement"]


def grid_map(
    grid: Grid, *, heatmap_size: tuple[int, int], input_size: tuple[int, int]
) -> tuple[tuple[float, float], float]:
    """Return the map of a grid: ``input = (heatmap + half) * scale - half``.

    Args:
        grid: one of :data:`nmebench.protocol.GRIDS`.
        heatmap_size: (width, height) of the heatmaps in px.
        input_size: (width, height) of the network's input in px.

    Returns:
        ``scale`` (x, y), input px per heatmap px, and ``half``, 0.5 for ``half-pixel`` and 0 for the others.

    Example:
        >>> grid_map("half-pixel", heatmap_size=(64, 32), input_size=(256, 256))
        ((4.0, 8.0), 0.5)
        >>> grid_map("udp", heatmap_size=(52, 52), input_size=(256, 256))
        ((5.0, 5.0), 0.0)
    """
    ends = 1 if grid == "udp" else 0
    scale = tuple((side - ends) / (pixels - ends) for side, pixels in zip(input_size, heatmap_size, strict=True))
    return (scale[0], scale[1]), 0.5 if grid == "half-pixel" else 0.0


def mirror_displacement(grid: Grid, heatmap_width: int, input_width: int) -> float:
    """Return how far left, in heatmap px, a landmark of the mirrored crop is after its map is mirrored back.

    Mirroring a crop is x -> W - 1 - x, mirroring a map is x -> w - 1 - x. In the grids ``udp`` and ``half-pixel`` one
    undoes the other. In the grid ``stride``, with r = W / w, the landmark at x / r comes back at x / r - (1 - 1 / r).

    Args:
        grid: one of :data:`nmebench.protocol.GRIDS`.
        heatmap_width: of the heatmaps in px, w.
        input_width: of the network's input in px, W.

    Example:
        >>> mirror_displacement("stride", 64, 256), mirror_displacement("udp", 64, 256)
        (0.75, 0.0)
    """
    return 1 - heatmap_width / input_width if grid == "stride" else 0.0
