"""SimCC: a coordinate as the maximum of a one-dimensional distribution on each axis."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import Decoded, Decoder, settle
from nmebench.decoders.maxima import find_peaks
from nmebench.decoders.options import Option, as_float

__all__ = ["Simcc"]


class Simcc(Decoder):
    """The maximum of one distribution for x and one for y, each with ``split`` bins a pixel of the network's input.

    There is no heatmap: landmarks are in input px, which is what the ``stride`` convention makes of them with a
    "heatmap" as large as the input. The score is the smaller of the two maxima. Where it is <= 0 the landmark is
    (-1, -1); mmpose divides that by ``split`` too.
    """

    name: ClassVar = "simcc"
    source: ClassVar = (
        "Li et al., SimCC, ECCV 2022, arXiv 2107.03332; mmpose 1.x mmpose/codecs/simcc_label.py, "
        "mmpose/codecs/utils/post_processing.py get_simcc_maximum"
    )
    needs: ClassVar = ("simcc_x", "simcc_y")
    bound: ClassVar = 0.36
    schema: ClassVar = {"split": Option(default=2.0, minimum=1e-2, maximum=1e2, doc="bins a pixel of the input")}

    def refine(self, bins: Tensor, at: Tensor, score: Tensor) -> Tensor:  # noqa: ARG002
        """Position ``[M]`` in bins, of distributions ``[M, L]`` with maximum ``score`` ``[M]`` at ``at`` ``[M]``."""
        return at.to(torch.float32)

    def decode(self, outputs: Mapping[str, Tensor]) -> Decoded:
        """Each axis by itself."""
        shapes = [outputs[name].shape for name in self.needs]
        for name, shape in zip(self.needs, shapes, strict=True):
            if len(shape) != 3 or shape[-1] == 0 or shape[:2] != shapes[0][:2]:
                raise DecoderError(
                    f"{self.name}: {name} has the shape {list(shape)}; simcc_x is [N, K, Lx] and simcc_y [N, K, Ly]"
                )
        faces, points = shapes[0][:2]
        counts: Counter[str] = Counter(dict.fromkeys(("empty", "invalid", *self.counted), 0))
        axes, scores = zip(*(self._axis(outputs[name]) for name in self.needs), strict=True)
        # A NaN on either axis must show: minimum() passes it on.
        landmarks, score = settle(torch.stack(axes, dim=-1), torch.minimum(*scores), counts)
        return Decoded(landmarks.view(faces, points, 2), score.view(faces, points), dict(counts))

    def _axis(self, distribution: Tensor) -> tuple[Tensor, Tensor]:
        length = distribution.shape[-1]
        bins = distribution.to(torch.float32).contiguous().view(-1, length)
        if bins.shape[0] == 0:
            return bins.new_zeros(0), bins.new_zeros(0)
        peaks = find_peaks(bins[:, None, :])
        # An infinite maximum is invalid on whichever axis it is, the other one's being smaller notwithstanding.
        score = peaks.score.masked_fill(torch.isinf(peaks.score) & (peaks.score > 0), torch.nan)
        return self.refine(bins, peaks.x, score) / as_float(self.options["split"]), score

    def draw(self, centres: Tensor, height: int, width: int, sigma: float = 2.0) -> dict[str, Tensor]:
        """One-dimensional Gaussians with peak 1, ``sigma`` input px wide."""
        split = as_float(self.options["split"])
        drawn = {}
        for name, axis, length in zip(self.needs, (0, 1), (width, height), strict=True):
            bins = torch.arange(round(length * split), dtype=torch.float64) / split
            away = bins - centres[..., axis, None].to(torch.float64)
            drawn[name] = torch.exp(-0.5 * (away / sigma) ** 2).to(torch.float32)
        return drawn

    def mirror(self, outputs: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """Only x is reversed."""
        flipped = {**outputs, "simcc_x": outputs["simcc_x"].flip(-1)}
        return flipped, (outputs["simcc_x"].shape[-1] - 1) / as_float(self.options["split"])
