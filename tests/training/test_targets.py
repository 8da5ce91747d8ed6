"""Targets compared with a loop over the definition, and the loss compared with mmpose's formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nmebench.training.targets import gaussians, heatmap_loss


def slow_gaussian(x: float, y: float, width: int, height: int, sigma: float) -> np.ndarray:
    """Compute exp(-d^2 / 2 sigma^2) pixel by pixel, in float64."""
    out = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            out[row, column] = math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma**2))
    return out


@pytest.mark.parametrize(
    ("x", "y"),
    [
        pytest.param(20.0, 11.0, id="on-a-pixel"),
        pytest.param(20.31, 11.77, id="between-pixels"),
        pytest.param(0.4, 23.2, id="at-the-border"),
        pytest.param(-3.0, 12.0, id="outside-within-reach"),
    ],
)
@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_a_target_is_the_gaussian_at_the_exact_position(x: float, y: float, sigma: float) -> None:
    maps, weights = gaussians(torch.tensor([[[x, y], [5.0, 5.0]]]), size=(32, 24), sigma=sigma)
    seen = x >= -3 * sigma
    assert weights.tolist() == [[float(seen), 1.0]]
    if seen:
        np.testing.assert_allclose(maps[0, 0], slow_gaussian(x, y, 32, 24, sigma), atol=1e-6)
    np.testing.assert_allclose(maps[0, 1], slow_gaussian(5, 5, 32, 24, sigma), atol=1e-6)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -7.0, 70.5], ids=str)
def test_a_landmark_off_the_map_has_no_weight_and_harms_nothing(bad: float) -> None:
    maps, weights = gaussians(torch.tensor([[[bad, 5.0], [30.0, 30.0]]]), size=(64, 64), sigma=2.0)
    assert weights.tolist() == [[0.0, 1.0]]
    assert torch.isfinite(maps).all()
    heatmaps = torch.zeros_like(maps, requires_grad=True)
    heatmap_loss(heatmaps, maps, weights).backward()
    assert heatmaps.grad is not None
    assert float(heatmaps.grad[0, 0].abs().max()) == 0.0
    assert float(heatmaps.grad[0, 1].abs().max()) > 0.0


def test_targets_have_no_denormal_numbers() -> None:
    maps, _ = gaussians(torch.tensor([[[0.0, 0.0], [63.0, 63.0]]]), size=(64, 64), sigma=1.0)
    assert float(maps.min()) >= torch.finfo(torch.float32).tiny


@pytest.mark.parametrize("foreground", [0.0, 10.0])
def test_the_loss_is_the_weighted_mean_square(foreground: float) -> None:
    rng = torch.Generator().manual_seed(3)
    maps = torch.rand(2, 3, 8, 8, generator=rng)
    targets = torch.rand(2, 3, 8, 8, generator=rng)
    weights = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    total = 0.0
    for n in range(2):
        for k in range(3):
            for pixel in range(64):
                h, t = float(maps[n, k].flatten()[pixel]), float(targets[n, k].flatten()[pixel])
                total += float(weights[n, k]) * (1 + foreground * t) * (h - t) ** 2
    found = heatmap_loss(maps, targets, weights, foreground=foreground)
    assert float(found) == pytest.approx(total / maps.numel(), rel=1e-5)
