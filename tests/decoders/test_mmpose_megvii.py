"""The half pixel of Megvii's decoder at the border."""

from __future__ import annotations

import pytest
import torch

from nmebench import decoders


@pytest.mark.parametrize(("x", "y"), [(31, 12), (9, 23), (31, 23), (0, 12), (9, 0), (1, 12), (9, 1)])
def test_megvii_adds_no_half_pixel_at_the_border(x: int, y: int) -> None:
    """mmpose refines maxima that have two px to the first and one px to the last row and column."""
    maps = torch.zeros(1, 1, 24, 32)
    maps[0, 0, y, x] = 1.0
    found = decoders.create("mmpose-megvii")({"heatmaps": maps}).landmarks[0, 0].tolist()
    assert found == [x, y]
    maps = torch.zeros(1, 1, 24, 32)
    maps[0, 0, 22, 30] = 1.0
    found = decoders.create("mmpose-megvii")({"heatmaps": maps}).landmarks[0, 0]
    assert (found - torch.tensor([30.5, 22.5])).abs().max() <= 0.25
