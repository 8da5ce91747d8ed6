"""SimCC: each coordinate is the maximum of a one-dimensional distribution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import Decoded, Decoder, mask_undecodable
from nmebench.decoders.maxima import find_maxima
from nmebench.decoders.options import Option, as_float

__all__ = ["Simcc"]


class Simcc(Decoder):
    """The maximum of one distribution for x and one for y, each with ``split`` bins per pixel of the network's input.

    Reads ``simcc_x`` ``[N, K, Lx]`` and ``simcc_y`` ``[N, K, Ly]``. Without a heatmap, landmarks ``[N, K, 2]`` are in
    input px. The score is the smaller of the two maxima. Where it is at most ``largest_empty``, 0 unless
    the network's card says otherwise, the landmark is (-1, -1); mmpose also divides that by ``split``.

    Raises:
        DecoderError: an option that is not allowed; on a call, an output that is missing or not of its shape.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> outputs = {"simcc_x": torch.zeros(1, 1, 8), "simcc_y": torch.zeros(1, 1, 6)}
        >>> outputs["simcc_x"][0, 0, 5], outputs["simcc_y"][0, 0, 2] = 0.9, 0.8
        >>> landmarks, scores = decoders.create("simcc", split=2)(outputs)
        >>> landmarks
        tensor([[[2.5000, 1.0000]]])
        >>> scores
        tensor([[0.8000]])
    """

    name: ClassVar = "simcc"
    source: ClassVar = (
        "Li et al., SimCC, ECCV 2022, arXiv 2107.03332; mmpose 1.x mmpose/codecs/simcc_label.py, "
        "mmpose/codecs/utils/post_processing.py get_simcc_maximum"
    )
    needs: ClassVar = ("simcc_x", "simcc_y")
    bound: ClassVar = 0.36
    schema: ClassVar = {"split": Option(default=2.0, minimum=1e-2, maximum=1e2, doc="bins per input px")}

    def refine(self, bins: Tensor, at: Tensor, score: Tensor) -> Tensor:  # noqa: ARG002
        """Return positions ``[M]`` in bins of distributions ``[M, L]`` whose maximum ``score`` ``[M]`` is at ``at``."""
        return at.to(torch.float32)

    def decode(self, outputs: Mapping[str, Tensor]) -> Decoded:
        """Decode each axis separately.

        Raises:
            DecoderError: an output is not ``[N, K, L]``, or the two differ in N or K.
        """
        shapes = [outputs[name].shape for name in self.needs]
        for name, shape in zip(self.needs, shapes, strict=True):
            if len(shape) != 3 or shape[-1] == 0 or shape[:2] != shapes[0][:2]:
                raise DecoderError(
                    f"{self.name}: {name} has the shape {list(shape)}; simcc_x is [N, K, Lx] and simcc_y [N, K, Ly]"
                )
        faces, points = shapes[0][:2]
        counts: Counter[str] = Counter(dict.fromkeys(("empty", "invalid", *self.count_names), 0))
        axes, scores = zip(*(self._decode_axis(outputs[name]) for name in self.needs), strict=True)
        # minimum() propagates a NaN from either axis, so that the landmark is counted as invalid.
        positions, score = torch.stack(axes, dim=-1), torch.minimum(*scores)
        landmarks, score = mask_undecodable(positions, score, counts, self.largest_empty)
        return Decoded(landmarks.view(faces, points, 2), score.view(faces, points), dict(counts))

    def _decode_axis(self, distribution: Tensor) -> tuple[Tensor, Tensor]:
        """Return coordinates ``[N * K]`` in input px and maxima ``[N * K]`` of distributions ``[N, K, L]``."""
        length = distribution.shape[-1]
        bins = distribution.to(torch.float32).contiguous().view(-1, length)
        if bins.shape[0] == 0:
            return bins.new_zeros(0), bins.new_zeros(0)
        maxima = find_maxima(bins[:, None, :])
        # An infinite maximum makes the landmark invalid even where the other axis has a smaller, finite one.
        score = maxima.score.masked_fill(torch.isinf(maxima.score) & (maxima.score > 0), torch.nan)
        return self.refine(bins, maxima.x, score) / as_float(self.options["split"]), score

    def draw(self, centres: Tensor, height: int, width: int, sigma: float = 2.0) -> dict[str, Tensor]:
        """Return one-dimensional Gaussians with peak 1 and ``sigma`` in input px."""
        split = as_float(self.options["split"])
        drawn = {}
        for name, axis, length in zip(self.needs, (0, 1), (width, height), strict=True):
            bins = torch.arange(round(length * split), dtype=torch.float64) / split
            distance = bins - centres[..., axis, None].to(torch.float64)
            drawn[name] = torch.exp(-0.5 * (distance / sigma) ** 2).to(torch.float32)
        return drawn

    def mirror(self, outputs: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """Reverse the bins of x only."""
        flipped = {**outputs, "simcc_x": outputs["simcc_x"].flip(-1)}
        return flipped, (outputs["simcc_x"].shape[-1] - 1) / as_float(self.options["split"])
