"""DARK in its UDP form at the borders, against the slow reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nmebench import decoders

from . import reference


@pytest.mark.parametrize("spec", ["dark-udp", "dark-udp:path=local", "dark-udp:path=whole"])
def test_dark_udp_repeats_the_edge_at_every_border(spec: str) -> None:
    """Maxima on the four borders and corners of maps that are not square, against the slow reference."""
    places = [(y, x) for y in (0, 3, 8) for x in (0, 5, 11)]
    generator = torch.Generator().manual_seed(8)
    maps = 0.2 + 0.3 * torch.rand(1, len(places), 9, 12, generator=generator)
    for number, (y, x) in enumerate(places):
        maps[0, number, y, x] = 1.0
    found = decoders.from_spec(spec)(maps).landmarks[0].numpy()
    expected = [reference.dark_udp(plane) for plane in maps[0].numpy().astype(np.float64)]
    np.testing.assert_allclose(found, expected, atol=2e-3)
