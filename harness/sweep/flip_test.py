"""The flip test: averages a network's outputs, or its landmarks, with those of the mirrored crop.

Source: mmpose, ``mmpose/models/utils/tta.py`` (``flip_heatmaps``, ``flip_coordinates``); the one-pixel shift is
``shift_heatmap`` / ``shift_coords`` there. The average of landmarks is the flip test of baoshengyu/H3R.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from nmebench.errors import InputError
from nmebench.geometry import mirror
from nmebench.grids import mirror_displacement
from nmebench.protocol import Flip, Grid

__all__ = ["average", "average_landmarks", "mirror_images", "unflip"]

#: Names of the outputs that the flip test averages.
_MIRRORED = ("heatmaps", "landmarks", "logits", "offsets", "simcc_x", "simcc_y")


def mirror_images(images: torch.Tensor) -> torch.Tensor:
    """Return crops ``[N, 3, H, W]`` with left and right exchanged."""
    return images.flip(-1)


def unflip(
    outputs: Mapping[str, torch.Tensor],
    permutation: torch.Tensor,
    *,
    flip: Flip,
    width: int,
    grid: Grid = "stride",
) -> dict[str, torch.Tensor]:
    """Map the outputs of the mirrored crop to the frame of the original crop.

    * ``heatmaps`` and ``logits`` ``[N, K, h, w]`` are mirrored. With ``flip+shift`` they also move one px to the right,
      and the first column stays. With ``flip+align`` they move by the displacement of the grid
      (:func:`nmebench.grids.mirror_displacement`): values between two pixels are interpolated linearly, and the values
      at the border continue outside the map.
    * ``simcc_x`` ``[N, K, L]`` is treated like a map of width L in the grid ``stride``: with ``split`` bins per input
      px, ``flip+align`` moves it left by ``split - 1`` bins. ``simcc_y`` keeps its values.
    * ``offsets`` ``[N, K, 2, h, w]`` are mirrored like heatmaps, and x changes its sign.
    * ``landmarks`` ``[N, K, 2]`` in input px: with ``flip``, x becomes ``width - x`` (mmpose 0.x), else
      ``width - 1 - x``, which is exact (mmpose 1.x with ``shift_coords``).

    In all of them left and right points swap.

    Args:
        outputs: named outputs; they are not changed.
        permutation: int ``[K]``, the scheme's flip permutation.
        flip: ``flip``, ``flip+shift`` or ``flip+align``.
        width: width of the crop in input px.
        grid: grid of the heatmaps, which ``flip+align`` reads.

    Raises:
        InputError: an output of another name.

    Example:
        >>> maps = torch.tensor([[[[0.0, 1.0, 2.0]]]])
        >>> unflip({"heatmaps": maps}, torch.tensor([0]), flip="flip+shift", width=12)["heatmaps"].tolist()
        [[[[2.0, 2.0, 1.0]]]]
        >>> unflip({"heatmaps": maps}, torch.tensor([0]), flip="flip+align", width=12)["heatmaps"].tolist()
        [[[[2.0, 1.75, 0.75]]]]
    """
    back: dict[str, torch.Tensor] = {}
    for name, value in outputs.items():
        sided = value.index_select(1, permutation.to(value.device))
        if name == "landmarks":
            x = width - (0 if flip == "flip" else 1) - sided[..., 0]
            back[name] = torch.stack([x, sided[..., 1]], dim=-1)
        elif name == "simcc_y":
            back[name] = sided
        elif name in _MIRRORED:
            if name == "offsets":
                sided[:, :, 0].neg_()
            # The bins of SimCC have one map to input px, whatever the grid of a network's heatmaps.
            own_grid: Grid = "stride" if name == "simcc_x" else grid
            back[name] = _mirror_maps(sided, _shift(flip, own_grid, value.shape[-1], width))
        else:
            raise InputError(
                f"output {name!r}: the flip test can't mirror it, allowed: {', '.join(_MIRRORED)}; use --no-flip, or "
                "--test-time flip-coords, which averages landmarks"
            )
    return back


def _shift(flip: Flip, grid: Grid, map_width: int, width: int) -> float:
    """The number of px by which maps that were mirrored back move to the right."""
    if flip == "flip+align":
        return mirror_displacement(grid, map_width, width)
    return 1.0 if flip == "flip+shift" else 0.0


def _mirror_maps(maps: torch.Tensor, shift: float) -> torch.Tensor:
    """Mirror maps in place and move them right by ``shift`` px, left where it is negative."""
    whole = math.floor(shift)
    columns = torch.arange(maps.shape[-1], device=maps.device) - whole
    near, far = (index.clamp(0, maps.shape[-1] - 1) for index in (columns, columns - 1))
    for face in maps:  # one face at a time, whose maps fit in the processor's cache
        mirrored = face.flip(-1)
        if shift == 0:
            face.copy_(mirrored)
        elif shift == 1:
            face[..., 1:] = mirrored[..., :-1]
            face[..., :1] = mirrored[..., :1]
        elif 0 < shift < 1:
            torch.lerp(mirrored[..., 1:], mirrored[..., :-1], shift, out=face[..., 1:])
            face[..., :1] = mirrored[..., :1]
        else:
            torch.lerp(mirrored.index_select(-1, near), mirrored.index_select(-1, far), shift - whole, out=face)
    return maps


def average(plain: Mapping[str, torch.Tensor], back: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the mean of two sets of outputs, computed like mmpose's: ``(a + b) * 0.5``.

    Args:
        plain: outputs of the original crop.
        back: outputs of the mirrored crop from :func:`unflip`; they are overwritten with the mean.

    Example:
        >>> average({"heatmaps": torch.tensor([[1.0]])}, {"heatmaps": torch.tensor([[2.0]])})["heatmaps"].item()
        1.5
    """
    for name, value in plain.items():
        for mean, original in zip(back[name], value, strict=True):  # one face at a time, as in _mirror_maps
            mean.add_(original).mul_(0.5)
    return dict(back)


def average_landmarks(
    plain: ArrayLike,
    mirrored: ArrayLike,
    permutation: ArrayLike,
    *,
    width: int,
    found: ArrayLike,
    found_mirrored: ArrayLike,
) -> NDArray[np.float64]:
    """Return the mean of the landmarks of both passes (``flip-coords``), in input px of the original crop.

    A landmark that only one pass found, because the other pass's map is empty or invalid, is that pass's alone.

    Args:
        plain: ``[N, K, 2]`` input px, from the original crop.
        mirrored: ``[N, K, 2]`` input px, from the mirrored crop; x becomes ``width - 1 - x``, and left and right swap.
        permutation: int ``[K]``, the scheme's flip permutation.
        width: of the mirror, in these input px (:meth:`nmebench.geometry.Geometry.mirror_width`).
        found: bool ``[N, K]``, the landmarks that the plain pass found.
        found_mirrored: bool ``[N, K]``, those that the mirrored pass found, in its own order of points.

    Returns:
        ``[N, K, 2]`` input px; the plain pass's where neither found the landmark.

    Example:
        >>> yes = np.array([[True]])
        >>> average_landmarks([[[3.0, 5.0]]], [[[5.0, 6.0]]], [0], width=10, found=yes, found_mirrored=yes).tolist()
        [[[3.5, 5.5]]]
    """
    back = mirror(mirrored, permutation, width)
    here = np.asarray(found, dtype=bool)[..., None]
    there = np.asarray(found_mirrored, dtype=bool)[:, np.asarray(permutation), None]
    first = np.asarray(plain, dtype=np.float64)
    return np.where(here & there, (first + back) / 2, np.where(there & ~here, back, first))
