"""Maxima and the windows around them, at every pixel and in chunks of maps."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nmebench.decoders.maxima import find_maxima, windows


def slow_window(plane: np.ndarray, x: int, y: int, radius: int) -> np.ndarray:
    """One pixel at a time, with zeros outside the map."""
    side = range(-radius, radius + 1)
    height, width = plane.shape
    inside = [[0 <= y + dy < height and 0 <= x + dx < width for dx in side] for dy in side]
    return np.array(
        [
            [plane[y + dy, x + dx] if inside[dy + radius][dx + radius] else 0.0 for dx in side]
            for dy in side
        ]
    )  # fmt: skip


@pytest.mark.parametrize("radius", [0, 1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(7, 9), (9, 7), (5, 5), (3, 8), (8, 3), (1, 1), (2, 40)])
def test_windows_around_every_pixel(radius: int, height: int, width: int) -> None:
    """A maximum at each pixel in turn: the search, and windows around given pixels."""
    count = height * width
    maps = torch.rand(count, height, width, generator=torch.Generator().manual_seed(radius)) - 0.5
    maps.view(count, -1)[range(count), range(count)] = 2.0
    found = find_maxima(maps, radius)
    copied = windows(maps, found.x, found.y, radius)
    for number in range(count):
        y, x = divmod(number, width)
        assert (found.x[number], found.y[number], found.score[number]) == (x, y, 2.0)
        expected = slow_window(maps[number].numpy(), x, y, radius)
        np.testing.assert_array_equal(found.window[number], expected)
        np.testing.assert_array_equal(copied[number], expected)
    assert (found.xy.dtype, found.x.dtype) == (torch.float32, torch.int64)


def test_maxima_of_many_maps_are_found_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    maps = torch.rand(11, 6, 7, generator=torch.Generator().manual_seed(1))
    whole = find_maxima(maps, 2)
    for size in (1, 6 * 7 * 4 * 3):
        monkeypatch.setattr("nmebench.decoders.maxima.CHUNK_BYTES", size)
        part = find_maxima(maps, 2)
        for name in ("x", "y", "score", "window"):
            assert torch.equal(getattr(part, name), getattr(whole, name))


def test_valid_maxima_are_positive_and_finite() -> None:
    values = torch.tensor([0.0, 1e-30, -1.0, math.inf, float("nan"), -math.inf])
    assert (
        find_maxima(values[:, None, None].expand(-1, 2, 2).contiguous()).valid.tolist() == [False, True] + [False] * 4
    )
