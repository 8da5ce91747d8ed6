"""The augmentation moves a dot drawn at a landmark to where it moves the landmark, to a fraction of a pixel."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from nmebench.geometry.crop import crop
from nmebench.geometry.scheme import load
from nmebench.training import augment
from nmebench.training.augment import AugmentedView
from nmebench.training.recipe import Augmentation

SIZE = 256


def dot(x: float, y: float, *, width: int = 400, height: int = 360, sigma: float = 4.0) -> np.ndarray:
    """A picture [height, width, 3] that is black except for a smooth dot at (x, y)."""
    columns, rows = np.arange(width), np.arange(height)
    profile = np.exp(-((columns[None] - x) ** 2 + (rows[:, None] - y) ** 2) / (2 * sigma**2))
    return np.repeat(np.rint(250 * profile)[..., None], 3, axis=2).astype(np.uint8)


def centroid(image: np.ndarray) -> np.ndarray:
    """Centre of brightness (x, y)."""
    grey = image[..., 0].astype(float)
    columns, rows = np.arange(image.shape[1]), np.arange(image.shape[0])
    return np.array([(grey * columns).sum(), (grey * rows[:, None]).sum()]) / grey.sum()


VIEWS = [
    pytest.param(AugmentedView(), id="plain"),
    pytest.param(AugmentedView(flip=True), id="flip"),
    pytest.param(AugmentedView(degrees=25.0), id="rotation"),
    pytest.param(AugmentedView(scale=1.25), id="scale"),
    pytest.param(AugmentedView(shift=(0.05, -0.08)), id="shift"),
    pytest.param(AugmentedView(flip=True, degrees=-31.0, scale=0.8, shift=(-0.04, 0.03)), id="all"),
]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(("x", "y"), [(180.3, 150.8), (231.0, 201.5)])
def test_landmarks_stay_on_the_picture(view: AugmentedView, x: float, y: float) -> None:
    image = dot(x, y)
    landmarks = np.array([[x, y], [x + 20, y]])
    got, points = augment.apply(
        image,
        landmarks,
        centre=np.array([205.5, 178.0]),
        side=211.0,
        input_size=SIZE,
        flip=np.array([1, 0]),
        view=view,
    )
    # The two landmarks swap in a mirrored face: the dot is then the second.
    expected = points[1] if view.flip else points[0]
    # OpenCV warps in steps of 1/32 px and rounds grey levels: a few hundredths of a pixel.
    np.testing.assert_allclose(centroid(got), expected, atol=0.04)


def test_without_augmentation_it_is_the_benchmarks_crop() -> None:
    rng = np.random.default_rng(1)
    image = cv2.GaussianBlur(rng.integers(0, 256, (300, 280, 3), dtype=np.uint8), (0, 0), 2.0)
    centre, side = np.array([150.5, 141.0]), 190.0
    got, _ = augment.apply(image, np.zeros((1, 2)), centre=centre, side=side, input_size=SIZE, flip=np.array([0]))
    wanted = crop(image, centre, np.array([side, side]), (SIZE, SIZE))
    assert np.abs(got.astype(int) - wanted).max() <= 1
    assert (got != wanted).mean() < 0.01


def test_a_flip_is_the_mirrored_crop_with_the_schemes_permutation() -> None:
    rng = np.random.default_rng(2)
    image = cv2.GaussianBlur(rng.integers(0, 256, (300, 280, 3), dtype=np.uint8), (0, 0), 2.0)
    flip = load("wflw98").flip
    landmarks = rng.uniform(60, 220, (98, 2))
    plain, points = augment.apply(
        image, landmarks, centre=np.array([150.0, 140.0]), side=192.0, input_size=SIZE, flip=flip
    )
    mirrored, moved = augment.apply(
        image,
        landmarks,
        centre=np.array([150.0, 140.0]),
        side=192.0,
        input_size=SIZE,
        flip=flip,
        view=AugmentedView(flip=True),
    )
    assert np.abs(mirrored.astype(int) - plain[:, ::-1]).max() <= 3
    left_eye_corner, right_eye_corner = 60, 72
    np.testing.assert_allclose(
        moved[right_eye_corner], [SIZE - 1 - points[left_eye_corner, 0], points[left_eye_corner, 1]], atol=1e-3
    )


def test_colour_is_a_gain_a_channel_and_an_offset() -> None:
    image = np.full((64, 64, 3), (100, 150, 200), dtype=np.uint8)
    got, _ = augment.apply(
        image,
        np.zeros((1, 2)),
        centre=np.array([32.0, 32.0]),
        side=32.0,
        input_size=32,
        flip=np.array([0]),
        view=AugmentedView(gain=(1.1, 1.0, 1.5), offset=-10.0),
    )
    assert got[16, 16].tolist() == [100, 140, 255]


def test_views_have_mmposes_distributions() -> None:
    rng = np.random.default_rng(7)
    views = [augment.sample(Augmentation(), rng) for _ in range(4000)]
    degrees = np.array([v.degrees for v in views])
    scales = np.array([v.scale for v in views])
    assert np.mean([v.flip for v in views]) == pytest.approx(0.5, abs=0.03)
    assert np.mean(degrees != 0) == pytest.approx(0.6, abs=0.03)
    assert np.abs(degrees).max() == pytest.approx(60.0)
    # A standard normal clipped at two has a standard deviation of 0.98.
    assert degrees[degrees != 0].std() == pytest.approx(0.98 * 30, abs=1.0)
    assert (scales.min(), scales.max()) == (0.75, 1.25)
    assert np.mean(np.isin(scales, [0.75, 1.25])) == pytest.approx(0.317, abs=0.03)
    assert all(v.shift == (0, 0) and v.gain == (1, 1, 1) and v.offset == 0 for v in views)


def test_a_view_is_a_function_of_its_seed() -> None:
    loud = Augmentation(shift=0.03, colour=0.3)
    first, again = (augment.sample(loud, np.random.default_rng([1, 2, 3])) for _ in range(2))
    other = augment.sample(loud, np.random.default_rng([1, 2, 4]))
    assert first == again
    assert first != other
