"""The oracle's heatmaps against mmpose's encoder and a loop over pixels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from nmebench import models
from nmebench.models.oracle import gaussians


def _loop_over_pixels(points: NDArray[np.float64], size: int, sigma: float) -> NDArray[np.float64]:
    maps = np.zeros((len(points), size, size))
    for k, (px, py) in enumerate(points):
        reach = 3 * sigma
        if not (px - reach < size and py - reach < size and px + reach + 1 >= 0 and py + reach + 1 >= 0):
            continue
        for y in range(size):
            for x in range(size):
                maps[k, y, x] = math.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * sigma**2))
    return maps


POINTS = [[31.3, 7.77], [0.0, 0.0], [-2.4, 70.1], [63.0, 30.5], [-7.0, 5.0], [-7.01, 5.0], [69.99, 5.0], [70.0, 5.0]]


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.5])
def test_maps_equal_a_loop_over_pixels(sigma: float) -> None:
    points = np.array([*POINTS, [np.nan, 3.0], [np.inf, 3.0]])
    found = gaussians(torch.from_numpy(points), (64, 64), sigma).numpy()
    assert np.abs(found - _loop_over_pixels(points, 64, sigma)).max() < 1e-15


def test_maps_equal_mmposes_encoder(shared: Path) -> None:
    with np.load(shared / "oracle/preproc/faces4.npz") as file:
        landmarks, expected = file["transformed_keypoints"], file["enc_msra_unbiased"]
    found = models.create("oracle")(torch.from_numpy(landmarks))["heatmaps"].numpy()
    assert np.abs(found - expected).max() < 2e-7


def test_udp_convention_equals_mmposes_encoder(shared: Path) -> None:
    with np.load(shared / "oracle/preproc/faces4.npz") as file:
        landmarks, expected = file["transformed_keypoints"], file["enc_udp"]
    found = models.create("oracle", convention="udp")(torch.from_numpy(landmarks))["heatmaps"].numpy()
    # mmpose's UDP targets are zero beyond 3 sigma from the centre; within that they are the same Gaussians.
    inside = expected > 0
    assert inside.mean() > 0.005
    assert np.abs(found - expected)[inside].max() < 2e-6


def test_points_outside_the_map_leave_a_tail_or_nothing() -> None:
    landmarks = torch.tensor([[[-8.0, 128.0], [-29.0, 128.0], [float("nan"), 1.0]]])
    maps = models.create("oracle")(landmarks)["heatmaps"][0]
    assert maps[0].amax() == pytest.approx(math.exp(-(2**2) / 8))
    assert maps[1].count_nonzero() == 0
    assert maps[2].count_nonzero() == 0


def _random_faces(seed: int, count: int) -> Tensor:
    return torch.rand(count, 98, 2, generator=torch.Generator().manual_seed(seed)) * 256


def test_noise_depends_on_the_face_and_not_on_the_batch() -> None:
    faces = _random_faces(0, 3)
    module = models.create("oracle", noise=0.1, seed=7)
    together = module(faces)["heatmaps"]
    alone = torch.cat([module(face[None])["heatmaps"] for face in faces.flip(0)]).flip(0)
    assert torch.equal(together, alone)
    clean = models.create("oracle")(faces)["heatmaps"]
    residual = together - clean
    assert float(residual.std()) == pytest.approx(0.1, rel=0.01)
    assert float(residual[0].flatten() @ residual[1].flatten()) / residual[0].numel() < 1e-3
    assert not torch.equal(together, models.create("oracle", noise=0.1, seed=8)(faces)["heatmaps"])


def test_global_random_generator_is_not_used() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    models.create("oracle", noise=0.5)(_random_faces(0, 2))
    assert torch.equal(torch.rand(4), expected)


def test_size_and_input_size() -> None:
    maps = models.create("oracle", size=32, input_size=128)(torch.tensor([[[40.0, 80.0]]]))["heatmaps"]
    assert maps.shape == (1, 1, 32, 32)
    assert maps.dtype == torch.float32
    assert divmod(int(maps.argmax()), 32) == (20, 10)


def test_input_is_not_changed_and_wrong_shapes_are_refused() -> None:
    faces = _random_faces(1, 2)
    copy = faces.clone()
    module = models.create("oracle", noise=0.1)
    assert module.reads == "landmarks"
    module(faces)
    assert torch.equal(faces, copy)
    with pytest.raises(models.ModelError, match=r"not \[2, 3, 256, 256\]"):
        module(torch.zeros(2, 3, 256, 256))
