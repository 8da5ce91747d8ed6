"""Soft-argmax on maps with a wide range of values, such as those of untrained networks."""

from __future__ import annotations

import pytest
import torch

from nmebench import decoders


@pytest.mark.parametrize("spread", [1.0, 3.0, 30.0, 1e4])
def test_equals_the_softmax_in_float64(spread: float) -> None:
    maps = torch.randn(2, 5, 24, 32, generator=torch.Generator().manual_seed(0)) * spread
    weights = torch.softmax(maps.double().flatten(2) * 16.0, dim=2).view_as(maps)
    x = (weights.sum(2) * torch.arange(32)).sum(2)
    y = (weights.sum(3) * torch.arange(24)).sum(2)
    found = decoders.create("soft-argmax")(maps).landmarks.double()
    assert float((found - torch.stack([x, y], dim=-1)).abs().max()) < 2e-4
