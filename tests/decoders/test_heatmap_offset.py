"""Offsets at the maximum of a heatmap."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nmebench import decoders
from nmebench.decoders.errors import DecoderError


@pytest.mark.parametrize("radius", [1.0, 2.5])
def test_offsets_are_added_at_the_maximum(radius: float) -> None:
    """One landmark at a time: its own face, point and pixel; an offset that isn't finite is invalid."""
    generator = torch.Generator().manual_seed(7)
    maps = torch.rand(2, 3, 5, 6, generator=generator)
    offsets = torch.rand(2, 3, 2, 5, 6, generator=generator) - 0.5
    maps[1, 2] = 0.0
    bad = divmod(int(maps[0, 1].argmax()), 6)
    offsets[0, 1, 1, bad[0], bad[1]] = math.inf
    found = decoders.create("heatmap-offset", radius=radius)({"heatmaps": maps, "offsets": offsets})
    for face, point in np.ndindex(2, 3):
        y, x = divmod(int(maps[face, point].argmax()), 6)
        step = offsets[face, point, :, y, x].tolist()
        expected = [x + radius * step[0], y + radius * step[1]]
        if (face, point) in ((0, 1), (1, 2)):
            expected = [-1.0, -1.0]
        assert found.landmarks[face, point].tolist() == pytest.approx(expected, rel=1e-6)
    assert (found.counts["empty"], found.counts["invalid"]) == (1, 1)
    mirrored, span = decoders.create("heatmap-offset").mirror({"heatmaps": maps, "offsets": offsets})
    assert span == 5.0
    assert torch.equal(mirrored["offsets"][:, :, 0], -offsets[:, :, 0].flip(-1))
    assert torch.equal(mirrored["offsets"][:, :, 1], offsets[:, :, 1].flip(-1))
    for shape in ((2, 3, 2, 6, 5), (2, 3, 5, 6), (3, 2, 2, 5, 6)):
        with pytest.raises(DecoderError, match=r"offsets has the shape"):
            decoders.create("heatmap-offset")({"heatmaps": maps, "offsets": torch.zeros(shape)})
