"""A network that knows the ground truth: it draws ideal heatmaps, so that a decoder's own error can be measured."""

from __future__ import annotations

import hashlib
import math

import torch
from torch import Tensor, nn

from nmebench.grids import grid_map
from nmebench.models.errors import ModelError
from nmebench.protocol import GRIDS, Grid
from nmebench.suggest import unknown

__all__ = ["Oracle", "gaussians"]

CUTOFF = 3
"""A Gaussian is drawn only if the map begins within this many sigmas of its centre (as in mmpose)."""


def gaussians(points: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Draw Gaussians of peak 1 at sub-pixel positions.

    Each map is the outer product of two profiles, so the memory used is little more than the maps themselves. A point
    outside the map leaves the tail of its Gaussian. A point more than 3 sigma outside, or one that is not finite,
    leaves zeros. Source: mmpose ``codecs/utils/gaussian_heatmap.py`` (``generate_unbiased_gaussian_heatmaps``).

    Args:
        points: ``[..., 2]``, (x, y) in heatmap px.
        size: height and width of the maps in px.
        sigma: standard deviation in heatmap px.

    Returns:
        Maps ``[..., height, width]`` of the points' dtype.

    Example:
        >>> gaussians(torch.tensor([[1.0, 0.0]]), (2, 3), sigma=1.0)
        tensor([[[0.6065, 1.0000, 0.6065],
                 [0.3679, 0.6065, 0.3679]]])
    """
    height, width = size
    x, y = points[..., 0:1], points[..., 1:2]
    columns = torch.arange(width, dtype=points.dtype, device=points.device)
    rows = torch.arange(height, dtype=points.dtype, device=points.device)
    radius = CUTOFF * sigma
    # mmpose's box is half open on the far side: mu + radius + 1 >= 0 and mu - radius < size.
    inside = (x - radius < width) & (x + radius + 1 >= 0) & (y - radius < height) & (y + radius + 1 >= 0)
    across = torch.exp(-((columns - x) ** 2) / (2 * sigma**2)).masked_fill(~inside, 0)
    down = torch.exp(-((rows - y) ** 2) / (2 * sigma**2)).masked_fill(~inside, 0)
    return down.unsqueeze(-1) * across.unsqueeze(-2)


class Oracle(nn.Module):
    """Ideal heatmaps drawn from the ground truth, for measuring a decoder's own error.

    The input is the ground truth ``[N, K, 2]`` in input px instead of images. The noise comes from a generator seeded
    by ``seed`` and the face's own landmarks, so a face has the same noise in every batch.

    Source: unbiased Gaussians of Zhang et al., Distribution-Aware Coordinate Representation, 2020
    """

    reads = "landmarks"

    def __init__(
        self,
        *,
        sigma: float = 2.0,
        size: int = 64,
        input_size: int = 256,
        noise: float = 0.0,
        seed: int = 0,
        height: int | None = None,
        input_height: int | None = None,
        convention: Grid | None = None,
        grid: Grid | None = None,
    ) -> None:
        """Set the shape of the heatmaps and their noise.

        Args:
            sigma: standard deviation of the Gaussians in heatmap px.
            size: width of the heatmaps in px.
            input_size: width of the input in px.
            noise: standard deviation of the white noise that is added.
            seed: seed of the noise.
            height: height of the heatmaps in px; None for square ones.
            input_height: height of the input in px; None for a square one.
            convention: grid in which the maps are drawn, one of :data:`nmebench.protocol.GRIDS`; None for ``grid``.
            grid: the card's ``output.grid``; None for ``stride``.

        Raises:
            ModelError: a value is out of range, or ``convention`` and ``grid`` differ.
        """
        super().__init__()
        for name, value, least in (
            ("sigma", sigma, 0.0),
            ("size", size, 1),
            ("input_size", input_size, 1),
            ("height", height, 1),
            ("input_height", input_height, 1),
        ):
            if value is not None and (not math.isfinite(value) or value <= least):
                raise ModelError(f"oracle: {name}={value} must be more than {least:g}")
        if not math.isfinite(noise) or noise < 0:
            raise ModelError(f"oracle: noise={noise} must be 0 or more")
        for name, given in (("convention", convention), ("grid", grid)):
            if given is not None and given not in GRIDS:
                raise ModelError(f"oracle: {unknown(name, given, GRIDS)}")
        if convention is not None and grid is not None and convention != grid:
            raise ModelError(
                f"oracle: options.convention is {convention!r} and output.grid is {grid!r}; remove one of them"
            )
        self.sigma = float(sigma)
        self.size = (int(size), int(size if height is None else height))
        """Width, height of the heatmaps in px."""
        self.input_size = (int(input_size), int(input_size if input_height is None else input_height))
        self.noise = float(noise)
        self.seed = int(seed)
        self.grid: Grid = convention or grid or "stride"

    def forward(self, landmarks: Tensor) -> dict[str, Tensor]:
        """``[N, K, 2]`` in input px -> ``{"heatmaps": [N, K, height, width]}`` float32.

        Raises:
            ModelError: the landmarks have another shape.
        """
        if landmarks.ndim != 3 or landmarks.shape[-1] != 2:
            raise ModelError(f"oracle reads landmarks [N, K, 2] in input px, not {list(landmarks.shape)}")
        # float64 until the maps are drawn: a decoder's own error can be below float32's step at 256 px.
        scale, half = grid_map(self.grid, heatmap_size=self.size, input_size=self.input_size)
        points = (landmarks.to(torch.float64) + half) / landmarks.new_tensor(scale, dtype=torch.float64) - half
        width, height = self.size
        maps = torch.empty((*landmarks.shape[:2], height, width), dtype=torch.float32, device=landmarks.device)
        for face in range(len(landmarks)):  # one face at a time, so that memory never holds a batch of float64 maps
            maps[face] = gaussians(points[face], (height, width), self.sigma)
            if self.noise:
                generator = self._noise_generator(landmarks[face])
                maps[face] += self.noise * torch.randn(maps.shape[1:], generator=generator).to(maps.device)
        return {"heatmaps": maps}

    def _noise_generator(self, face: Tensor) -> torch.Generator:
        """A generator that is seeded by the oracle's seed and one face's landmarks ``[K, 2]``."""
        content = face.detach().to(torch.float32).cpu().contiguous().numpy().tobytes()
        digest = hashlib.blake2b(content, digest_size=8, salt=self.seed.to_bytes(16, "little", signed=True)).digest()
        return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)
