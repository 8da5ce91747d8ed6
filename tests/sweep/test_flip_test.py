"""The flip test equals a slow reference and keeps the geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nmebench.errors import InputError
from nmebench.geometry import mirror
from nmebench.sweep import flip_test

PERMUTATION = torch.tensor([1, 0, 2])


def test_unflip_reverses_the_mirror_of_heatmaps() -> None:
    maps = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
    mirrored = {"heatmaps": maps.flip(-1)[:, PERMUTATION]}
    back = flip_test.unflip(mirrored, PERMUTATION, shift=False, width=28)
    torch.testing.assert_close(back["heatmaps"], maps, rtol=0, atol=0)


def test_shift_moves_one_heatmap_pixel_right_and_keeps_the_first_column() -> None:
    maps = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(1))
    plain = flip_test.unflip({"heatmaps": maps}, PERMUTATION, shift=False, width=24)["heatmaps"].numpy()
    shifted = flip_test.unflip({"heatmaps": maps}, PERMUTATION, shift=True, width=24)["heatmaps"].numpy()
    slow = plain.copy()
    for column in range(1, plain.shape[-1]):
        slow[..., column] = plain[..., column - 1]
    np.testing.assert_array_equal(shifted, slow)


@pytest.mark.parametrize(
    ("shift", "expected"), [pytest.param(False, 1.0, id="mmpose 0.x"), pytest.param(True, 0.0, id="mmpose 1.x")]
)
def test_landmarks_are_one_pixel_off_without_the_shift(shift: bool, expected: float) -> None:
    landmarks = torch.tensor([[[3.25, 4.0], [20.0, 5.0], [11.0, 6.0]]], dtype=torch.float64)
    mirrored = torch.from_numpy(mirror(landmarks.numpy(), PERMUTATION.numpy(), 24))
    back = flip_test.unflip({"landmarks": mirrored}, PERMUTATION, shift=shift, width=24)["landmarks"]
    torch.testing.assert_close(back[..., 0] - landmarks[..., 0], torch.full((1, 3), expected, dtype=torch.float64))
    torch.testing.assert_close(back[..., 1], landmarks[..., 1])


def test_offsets_change_the_sign_of_x() -> None:
    offsets = torch.rand(1, 3, 2, 4, 6, generator=torch.Generator().manual_seed(2))
    back = flip_test.unflip({"offsets": offsets}, PERMUTATION, shift=False, width=24)["offsets"]
    mirrored = offsets.flip(-1)[:, PERMUTATION]
    torch.testing.assert_close(back[:, :, 0], -mirrored[:, :, 0])
    torch.testing.assert_close(back[:, :, 1], mirrored[:, :, 1])


def test_unknown_output_is_refused() -> None:
    with pytest.raises(InputError, match=r"boundary.*--no-flip"):
        flip_test.unflip({"boundary": torch.zeros(1, 3, 4, 4)}, PERMUTATION, shift=False, width=16)


def test_average_equals_mmposes() -> None:
    a, b = {"heatmaps": torch.tensor([1.0, 2.0])}, {"heatmaps": torch.tensor([2.0, 4.0])}
    assert flip_test.average(a, b)["heatmaps"].tolist() == [1.5, 3.0]
