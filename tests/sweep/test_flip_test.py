"""The flip test equals a slow reference and keeps the geometry."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nmebench.errors import InputError
from nmebench.geometry import Geometry, mirror
from nmebench.grids import mirror_displacement
from nmebench.models.oracle import gaussians
from nmebench.protocol import GRIDS, Flip, Grid
from nmebench.sweep import flip_test

PERMUTATION = torch.tensor([1, 0, 2])


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def moved_slowly(rows: np.ndarray, shift: float) -> np.ndarray:
    """Move the last axis right by ``shift`` px, one value at a time, with linear interpolation and a repeated edge."""
    length = rows.shape[-1]
    found = np.empty(rows.shape, np.float64)
    for column in range(length):
        at = column - shift
        left, part = math.floor(at), at - math.floor(at)
        before, after = min(max(left, 0), length - 1), min(max(left + 1, 0), length - 1)
        found[..., column] = (1 - part) * rows[..., before] + part * rows[..., after]
    return found


def test_unflip_reverses_the_mirror_of_heatmaps() -> None:
    maps = random(2, 3, 5, 7)
    mirrored = {"heatmaps": maps.flip(-1)[:, PERMUTATION]}
    back = flip_test.unflip(mirrored, PERMUTATION, flip="flip", width=28)
    torch.testing.assert_close(back["heatmaps"], maps, rtol=0, atol=0)


def test_crops_are_mirrored_left_to_right() -> None:
    images = random(2, 3, 4, 5)
    mirrored = flip_test.mirror_images(images)
    assert all(torch.equal(mirrored[..., 4 - column], images[..., column]) for column in range(5))


def test_shift_moves_one_heatmap_pixel_right_and_keeps_the_first_column() -> None:
    maps = random(1, 3, 4, 6, seed=1)
    plain = flip_test.unflip({"heatmaps": maps}, PERMUTATION, flip="flip", width=24)["heatmaps"].numpy()
    shifted = flip_test.unflip({"heatmaps": maps}, PERMUTATION, flip="flip+shift", width=24)["heatmaps"].numpy()
    slow = plain.copy()
    for column in range(1, plain.shape[-1]):
        slow[..., column] = plain[..., column - 1]
    np.testing.assert_array_equal(shifted, slow)


@pytest.mark.parametrize("name", ["heatmaps", "logits", "offsets", "simcc_x"])
@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("width", [6, 12, 24, 4, 3, 2])  # a map of the input's size, coarser maps, and finer bins
def test_alignment_equals_a_slow_reference(name: str, grid: Grid, width: int) -> None:
    shape = {"offsets": (2, 3, 2, 4, 6), "simcc_x": (2, 3, 6)}.get(name, (2, 3, 4, 6))
    outputs = {name: random(*shape, seed=3)}
    plain = flip_test.unflip(outputs, PERMUTATION, flip="flip", width=width)[name].numpy()
    aligned = flip_test.unflip(outputs, PERMUTATION, flip="flip+align", width=width, grid=grid)[name].numpy()
    shift = mirror_displacement("stride" if name == "simcc_x" else grid, 6, width)
    np.testing.assert_allclose(aligned, moved_slowly(plain, shift), rtol=0, atol=1e-6)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("sizes", [(64, 256), (52, 256), (64, 192), (128, 128), (96, 64)])
def test_the_displacement_of_a_grid_follows_from_its_geometry(grid: Grid, sizes: tuple[int, int]) -> None:
    heatmap, width = sizes
    geometry = Geometry.of_input((width, width), grid=grid, heatmap_size=(heatmap, heatmap))
    points = np.random.default_rng(0).uniform(0, width - 1, (20, 1, 2))
    plain = geometry.input_to_heatmap(points)
    back = mirror(geometry.input_to_heatmap(geometry.mirror(points, [0])), [0], heatmap)
    np.testing.assert_allclose(plain - back, [[[mirror_displacement(grid, heatmap, width), 0.0]]] * 20, atol=1e-11)


@pytest.mark.parametrize("grid", GRIDS)
def test_aligned_maps_of_the_ground_truth_keep_their_centre(grid: Grid) -> None:
    points = np.random.default_rng(1).uniform(60, 190, (4, 3, 2))
    geometry = Geometry.of_input((256, 256), grid=grid, heatmap_size=(64, 64))

    def draw(landmarks: np.ndarray) -> dict[str, torch.Tensor]:
        return {"heatmaps": gaussians(torch.from_numpy(geometry.input_to_heatmap(landmarks)), (64, 64), 2.0)}

    mirrored = draw(geometry.mirror(points, PERMUTATION))
    back = flip_test.unflip(mirrored, PERMUTATION, flip="flip+align", width=256, grid=grid)
    mean = flip_test.average(draw(points), back)["heatmaps"]
    centre = (mean.sum(dim=-2) @ torch.arange(64.0, dtype=mean.dtype)) / mean.sum(dim=(-2, -1))
    np.testing.assert_allclose(centre, geometry.input_to_heatmap(points)[..., 0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("split", [1, 2, 3])
def test_aligned_simcc_of_the_ground_truth_is_exact(split: int) -> None:
    x = torch.tensor([[5.0, 12.0, 20.0]], dtype=torch.float64)
    bins = torch.arange(32 * split, dtype=torch.float64) / split

    def draw(centres: torch.Tensor) -> torch.Tensor:
        return torch.exp(-0.5 * (bins - centres[..., None]) ** 2)

    mirrored = {"simcc_x": draw(31 - x[:, PERMUTATION])}
    back = flip_test.unflip(mirrored, PERMUTATION, flip="flip+align", width=32)["simcc_x"]
    inside = slice(0, bins.numel() - split)
    torch.testing.assert_close(back[..., inside], draw(x)[..., inside])


FLIPPED = [
    pytest.param("flip", 1.0, id="mmpose 0.x"),
    pytest.param("flip+shift", 0.0, id="mmpose 1.x"),
    pytest.param("flip+align", 0.0, id="exact"),
]


@pytest.mark.parametrize(("flip", "expected"), FLIPPED)
def test_landmarks_are_one_pixel_off_without_the_shift(flip: Flip, expected: float) -> None:
    landmarks = torch.tensor([[[3.25, 4.0], [20.0, 5.0], [11.0, 6.0]]], dtype=torch.float64)
    mirrored = torch.from_numpy(mirror(landmarks.numpy(), PERMUTATION.numpy(), 24))
    back = flip_test.unflip({"landmarks": mirrored}, PERMUTATION, flip=flip, width=24)["landmarks"]
    torch.testing.assert_close(back[..., 0] - landmarks[..., 0], torch.full((1, 3), expected, dtype=torch.float64))
    torch.testing.assert_close(back[..., 1], landmarks[..., 1])


def test_offsets_change_the_sign_of_x() -> None:
    offsets = random(1, 3, 2, 4, 6, seed=2)
    back = flip_test.unflip({"offsets": offsets}, PERMUTATION, flip="flip", width=24)["offsets"]
    mirrored = offsets.flip(-1)[:, PERMUTATION]
    torch.testing.assert_close(back[:, :, 0], -mirrored[:, :, 0])
    torch.testing.assert_close(back[:, :, 1], mirrored[:, :, 1])


@pytest.mark.parametrize("flip", ["flip", "flip+shift", "flip+align"])
def test_the_outputs_of_the_mirrored_pass_are_not_changed(flip: Flip) -> None:
    outputs = {"heatmaps": random(1, 3, 4, 6), "offsets": random(1, 3, 2, 4, 6), "simcc_x": random(1, 3, 9)}
    copies = {name: value.clone() for name, value in outputs.items()}
    flip_test.unflip(outputs, PERMUTATION, flip=flip, width=24)
    assert all(torch.equal(value, copies[name]) for name, value in outputs.items())


def test_unknown_output_is_refused() -> None:
    with pytest.raises(InputError, match=r"boundary.*--no-flip"):
        flip_test.unflip({"boundary": torch.zeros(1, 3, 4, 4)}, PERMUTATION, flip="flip", width=16)


def test_average_equals_mmposes() -> None:
    a, b = {"heatmaps": torch.tensor([1.0, 2.0])}, {"heatmaps": torch.tensor([2.0, 4.0])}
    assert flip_test.average(a, b)["heatmaps"].tolist() == [1.5, 3.0]


def test_averaged_landmarks_equal_a_slow_reference() -> None:
    generator = np.random.default_rng(4)
    plain, mirrored = generator.uniform(0, 255, (2, 5, 3, 2))
    found, found_mirrored = generator.random((2, 5, 3)) < 0.6
    swap = PERMUTATION.numpy()
    expected = np.empty_like(plain)
    for face, point in np.ndindex(5, 3):
        back = np.array([255 - mirrored[face, swap[point], 0], mirrored[face, swap[point], 1]])
        passes = [plain[face, point]] * int(found[face, point]) + [back] * int(found_mirrored[face, swap[point]])
        expected[face, point] = np.mean(passes or [plain[face, point]], axis=0)
    mean = flip_test.average_landmarks(plain, mirrored, swap, width=256, found=found, found_mirrored=found_mirrored)
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-12)


def test_averaged_landmarks_of_the_ground_truth_are_exact() -> None:
    points = np.random.default_rng(5).uniform(0, 255, (4, 3, 2))
    mirrored = mirror(points, PERMUTATION.numpy(), 256)
    everywhere = np.ones((4, 3), bool)
    mean = flip_test.average_landmarks(
        points, mirrored, PERMUTATION.numpy(), width=256, found=everywhere, found_mirrored=everywhere
    )
    np.testing.assert_allclose(mean, points, rtol=0, atol=1e-12)


def test_masks_of_numbers_are_masks() -> None:
    """Found in both passes, in one of them, in the other, in none; in float64 whatever is given."""
    plain = np.array([[[1.0, 2.0]] * 4], dtype=np.float32)
    mirrored = np.array([[[6.0, 4.0]] * 4], dtype=np.float32)
    mean = flip_test.average_landmarks(
        plain, mirrored, [0, 1, 2, 3], width=10, found=[[1, 1, 0, 0]], found_mirrored=[[1, 0, 1, 0]]
    )
    assert mean.tolist() == [[[2.0, 3.0], [1.0, 2.0], [3.0, 4.0], [1.0, 2.0]]]
    assert mean.dtype == np.float64


def test_simcc_y_keeps_its_values() -> None:
    outputs = {"simcc_y": random(1, 3, 9)}
    back = flip_test.unflip(outputs, PERMUTATION, flip="flip+shift", width=24)
    assert torch.equal(back["simcc_y"], outputs["simcc_y"][:, PERMUTATION])
