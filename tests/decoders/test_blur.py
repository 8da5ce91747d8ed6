"""The blur of maps in chunks, against one sum per pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nmebench.decoders.blur import Blur


@pytest.mark.parametrize("size", [3, 5, 11])
def test_blur_of_maps_in_chunks(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """Against one sum per pixel; the chunks hold one map, two maps, or all."""
    maps = torch.rand(5, 6, 4, generator=torch.Generator().manual_seed(3))
    blur, half = Blur(size), size // 2
    kernel = blur.kernel.double().numpy()
    padded = np.pad(maps.double().numpy(), ((0, 0), (half, half), (half, half)))
    expected = np.zeros((5, 6, 4))
    for y, x in np.ndindex(6, 4):
        expected[:, y, x] = np.einsum("nij,i,j->n", padded[:, y : y + size, x : x + size], kernel, kernel)
    for chunk in (1, 6 * 4 * 4 * 2, 1 << 20):
        monkeypatch.setattr("nmebench.decoders.blur.CHUNK_BYTES", chunk)
        parts = [(part, values.clone()) for part, values in blur.complete_maps(maps)]
        assert [index for part, _ in parts for index in range(part.start, part.stop)] == list(range(5))
        np.testing.assert_allclose(torch.cat([values for _, values in parts]), expected, atol=1e-6)
    rows = [np.convolve(row, kernel, "full")[half : half + 4] for row in maps[0].numpy()]
    np.testing.assert_allclose(blur.rows(maps[0]), rows, atol=1e-6)
