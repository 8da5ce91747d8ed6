"""Heatmaps for the tests of decoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from nmebench.decoders.interface import gaussians

ORACLE_SETS = ("border_s2", "clean_s2", "flat_degenerate", "guard_positions", "plateau_ties", "two_peak")


@pytest.fixture(scope="session")
def oracle(shared: Path) -> Callable[[str], dict[str, np.ndarray]]:
    """A function that reads one set of heatmaps with the landmarks that mmpose, HRNet and DarkPose decode from them."""

    def read(name: str) -> dict[str, np.ndarray]:
        with np.load(shared / "oracle" / "decoders" / f"{name}.npz") as stored:
            return {key: stored[key] for key in stored.files}

    return read


@pytest.fixture
def noisy() -> torch.Tensor:
    """Heatmaps ``[3, 7, 40, 56]``: Gaussians with several sigmas, some beyond the border, plus noise."""
    generator = torch.Generator().manual_seed(11)
    size = torch.tensor([56.0, 40.0])
    centres = torch.rand(3, 7, 2, generator=generator, dtype=torch.float64) * (size + 1) - 1
    maps = torch.cat(
        [gaussians(centres[:, k : k + 1], 40, 56, sigma) for k, sigma in enumerate((0.6, 1, 1.5, 2, 2, 3, 4))], dim=1
    )
    return maps * 0.8 + 0.03 * torch.randn(maps.shape, generator=generator)
