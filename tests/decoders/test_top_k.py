"""The largest pixels of maps that are searched in chunks."""

from __future__ import annotations

import pytest
import torch

from nmebench.decoders.top_k import largest


@pytest.mark.parametrize("k", [1, 3, 5, 12, 100])
@pytest.mark.parametrize("size", [1, 200, 1 << 21])
def test_largest_pixels_are_found_in_chunks(monkeypatch: pytest.MonkeyPatch, k: int, size: int) -> None:
    monkeypatch.setattr("nmebench.decoders.top_k.CHUNK_BYTES", size)
    maps = torch.rand(5, 6, 7, generator=torch.Generator().manual_seed(2))
    values, index = largest(maps, k)
    for number in range(5):
        flat = maps[number].flatten()
        expected = sorted(range(42), key=lambda place, flat=flat: -float(flat[place]))[:k]
        assert sorted(index[number].tolist()) == sorted(expected)
        assert values[number].tolist() == [flat[place] for place in index[number]]
