"""The maximum of a heatmap plus the offset that the network predicts at that pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from nmebench.decoders.argmax import Argmax
from nmebench.decoders.errors import DecoderError
from nmebench.decoders.interface import Decoded, Decoder, check_heatmaps, gaussians
from nmebench.decoders.options import Option, as_float

__all__ = ["HeatmapOffset"]


class HeatmapOffset(Decoder):
    """The maximum plus the value of the offset maps at its pixel.

    Reads ``heatmaps`` ``[N, K, H, W]`` and ``offsets`` ``[N, K, 2, H, W]``: at each pixel the step (x, y) to the
    landmark, in units of ``radius`` heatmap px. Landmarks are ``[N, K, 2]`` in heatmap px.

    UDP's combined target interleaves three maps per landmark, (label, x, y), in one ``[N, 3K, H, W]``. To decode it,
    set ``maps = target.unflatten(1, (K, 3))``, ``heatmaps = maps[:, :, 0]``, ``offsets = maps[:, :, 1:]`` and a radius
    of 0.0546875 * max(H, W). mmpose blurs the three maps first; this decoder does not.

    Raises:
        DecoderError: a ``radius`` outside 1e-6 to 1e6; on a call, an output that is missing or not of its shape.

    Example:
        >>> import torch
        >>> from nmebench import decoders
        >>> heatmaps, offsets = torch.zeros(1, 1, 4, 5), torch.zeros(1, 1, 2, 4, 5)
        >>> heatmaps[0, 0, 2, 3] = 0.9
        >>> offsets[0, 0, :, 2, 3] = torch.tensor([0.25, -0.5])
        >>> decoders.create("heatmap-offset")({"heatmaps": heatmaps, "offsets": offsets}).landmarks
        tensor([[[3.2500, 1.5000]]])
    """

    name: ClassVar = "heatmap-offset"
    source: ClassVar = (
        "Papandreou et al. CVPR 2017, arXiv 1701.01779, section 3.2; Huang et al. CVPR 2020, arXiv 1911.07524, "
        "section 4 (combined); mmpose 1.x mmpose/codecs/udp_heatmap.py"
    )
    needs: ClassVar = ("heatmaps", "offsets")
    bound: ClassVar = 1e-3
    schema: ClassVar = {"radius": Option(default=1.0, minimum=1e-6, maximum=1e6, doc="heatmap px of an offset of 1")}

    def decode(self, outputs: Mapping[str, Tensor]) -> Decoded:
        """Find the maxima and add the offsets at their pixels.

        Raises:
            DecoderError: the heatmaps are not ``[N, K, H, W]``, or the offsets do not match them.
        """
        heatmaps, offsets = outputs["heatmaps"], outputs["offsets"]
        check_heatmaps(self.name, heatmaps)
        faces, points, height, width = heatmaps.shape
        if tuple(offsets.shape) != (faces, points, 2, height, width):
            raise DecoderError(
                f"{self.name}: offsets has the shape {list(offsets.shape)}; with these heatmaps it should be "
                f"{[faces, points, 2, height, width]}"
            )
        found = Argmax().for_network(largest_empty=self.largest_empty).decode({"heatmaps": heatmaps})
        x, y = found.landmarks.clamp_min(0).to(torch.int64).unbind(dim=-1)
        face = torch.arange(faces, device=heatmaps.device)[:, None]
        point = torch.arange(points, device=heatmaps.device)
        step = offsets[face, point, :, y, x].to(torch.float32) * as_float(self.options["radius"])
        landmarks = found.landmarks + step
        has_maximum = found.landmarks[..., 0] >= 0
        finite = torch.isfinite(landmarks).all(dim=-1)
        counts = dict(found.counts)
        counts["invalid"] += int((has_maximum & ~finite).sum())
        landmarks = landmarks.masked_fill(~(has_maximum & finite)[..., None], -1.0)
        return Decoded(landmarks, found.scores, counts)

    def draw(self, centres: Tensor, height: int, width: int, sigma: float = 2.0) -> dict[str, Tensor]:
        """Return Gaussians and the offsets to their centres."""
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        grid = torch.stack((x, y)).to(centres)
        offsets = (centres[..., None, None] - grid) / as_float(self.options["radius"])
        return {"heatmaps": gaussians(centres, height, width, sigma), "offsets": offsets.to(torch.float32)}

    def mirror(self, outputs: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], float]:
        """Reverse the columns of both outputs and negate the x offsets."""
        flipped, span = super().mirror(outputs)
        sign = torch.tensor([-1.0, 1.0]).to(flipped["offsets"])
        return {**flipped, "offsets": flipped["offsets"] * sign[:, None, None]}, span
