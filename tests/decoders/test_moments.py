"""Moments of maps in chunks, against sums over whole maps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nmebench.decoders.moments import moments


@pytest.mark.parametrize("size", [1, 6 * 5 * 4 * 2, 1 << 20])
def test_moments_are_summed_in_chunks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("nmebench.decoders.moments.CHUNK_BYTES", size)
    maps = torch.rand(5, 6, 5, generator=torch.Generator().manual_seed(6))
    y, x = np.mgrid[:6, :5]
    expected = [[plane.sum(), (plane * x).sum(), (plane * y).sum()] for plane in maps.double().numpy()]
    np.testing.assert_allclose(moments(maps), expected, rtol=1e-6)
    squared = moments(maps, lambda values, part, scratch: torch.mul(values, values, out=scratch))
    expected = [[(p * p).sum(), (p * p * x).sum(), (p * p * y).sum()] for p in maps.double().numpy()]
    np.testing.assert_allclose(squared, expected, rtol=1e-6)
