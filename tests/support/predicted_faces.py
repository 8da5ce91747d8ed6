"""Sixty random faces with 98 landmarks and predictions with a known NME per face."""

from __future__ import annotations

import numpy as np

COUNT = 60

_RNG = np.random.default_rng(0)
TRUTH = _RNG.uniform(50, 200, (COUNT, 98, 2))
"""``[60, 98, 2]`` image px."""
EYES = np.hypot(*(TRUTH[:, 60] - TRUTH[:, 72]).T)
"""``[60]`` image px: the inter-ocular distance."""
PHOTOGRAPHS = [f"photo {number if number % 3 else number // 2}.jpg" for number in range(COUNT)]
SUBSETS = {"pose": np.arange(COUNT) % 4 == 0, "blur": np.arange(COUNT) % 3 == 0}


def predictions(seed: int = 2) -> np.ndarray:
    """``[60, 98, 2]`` image px: every landmark of a face is off by the same 1 to 16 % in its own direction."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, TRUTH.shape[:2])
    distance = rng.uniform(1, 16, COUNT) / 100 * EYES
    return TRUTH + distance[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
