"""Ours against the live mmpose, on freshly drawn seeds: decoders, crop, flip test, NME."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nmebench import decoders
from nmebench.decoders.interface import gaussians
from nmebench.geometry import crop as cropping
from nmebench.geometry.scheme import load
from nmebench.geometry.warp import warp_matrix
from nmebench.metrics.nme import pooled_nme
from nmebench.metrics.point_error import point_errors
from nmebench.protocol import Flip
from nmebench.sweep.flip_test import average, unflip

KINDS = ["clean", "border", "noisy", "two-peaks", "weak", "plateau"]


def drawn(kind: str, seed: int) -> np.ndarray:
    """``[4, 98, 64, 64]`` float32 heatmaps of one kind."""
    generator = torch.Generator().manual_seed(seed + KINDS.index(kind))

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(4, 98, 2, generator=generator, dtype=torch.float64) * (high - low) + low

    noise = torch.randn(4, 98, 64, 64, generator=generator)
    if kind == "clean":
        return gaussians(uniform(4, 59), 64, 64, 2.0).numpy()
    if kind == "border":
        return gaussians(uniform(-1, 64), 64, 64, 2.0).numpy()
    if kind == "noisy":
        return (gaussians(uniform(0, 63), 64, 64, 2.0) + 0.05 * noise).numpy()
    if kind == "two-peaks":
        first = uniform(6, 57)
        return (gaussians(first, 64, 64, 2.0) + 0.8 * gaussians(first + uniform(-6, 6), 64, 64, 2.0)).numpy()
    if kind == "weak":
        return (0.15 * gaussians(uniform(0, 63), 64, 64, 2.0) + 0.03 * noise).numpy()
    return gaussians(uniform(4, 59), 64, 64, 2.0).clamp_max(0.7).numpy()


def ours(spec: str, maps: np.ndarray) -> np.ndarray:
    return decoders.from_spec(spec)(torch.from_numpy(maps)).landmarks.numpy()


def theirs(refine, mmpose, maps: np.ndarray, **options: int) -> np.ndarray:
    """mmpose decodes one face at a time and changes what it is given."""
    found = []
    for face in maps:
        keypoints, _ = mmpose.codecs.get_heatmap_maximum(face)
        keypoints = keypoints[None]
        if refine is not None:
            keypoints = refine(keypoints, face.copy(), **options)
        found.append(keypoints[0])
    return np.stack(found)


@pytest.mark.parametrize("kind", KINDS)
def test_argmax_and_quarter_offset_are_equal(mmpose, differences, kind) -> None:
    maps = drawn(kind, differences.seed)
    for spec, refine in (("argmax", None), ("quarter-offset", mmpose.codecs.refine_keypoints)):
        found, expected = ours(spec, maps), theirs(refine, mmpose, maps)
        differences.add(spec, found.size, float(np.abs(found - expected).max()), "px")
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kernel", [7, 11, 17])
@pytest.mark.parametrize("name", ["dark", "dark-udp"])
def test_dark_is_within_1e5_px_apart_from_near_singular_hessians(mmpose, differences, name, kernel, kind) -> None:
    """mmpose takes float32 logarithms; their rounding, at most 4e-6 in a derivative, is divided by the Hessian's
    smaller eigenvalue. Maps where that is over 1e-5 px are listed with the determinant.
    """
    maps = drawn(kind, differences.seed)
    theirs_of = mmpose.codecs.refine_keypoints_dark if name == "dark" else mmpose.codecs.refine_keypoints_dark_udp
    found = ours(f"{name}:kernel={kernel}", maps)
    expected = theirs(theirs_of, mmpose, maps, blur_kernel_size=kernel)
    error = np.abs(found - expected).max(axis=-1)
    hessians = hessian(mmpose, name, maps, kernel)
    smallest = np.abs(np.linalg.eigvalsh(hessians)).min(axis=-1)
    step = np.abs(found - ours("argmax", maps)).max(axis=-1)
    allowed = np.maximum(1e-5, 4e-6 * (1 + step) / np.maximum(smallest, 1e-12))
    good = error <= 1e-5
    differences.add(f"{name}, kernel {kernel}", int(good.sum()), float(error[good].max()), "px")
    for face, point in np.argwhere(~good):
        differences.listed.setdefault(name, []).append(
            (
                float(error[face, point]),
                f"{error[face, point]:.2g} px: kernel {kernel}, {kind}, face {face}, landmark {point}, step "
                f"{step[face, point]:.2g} px, determinant {np.linalg.det(hessians[face, point]):.2g}",
            )
        )
    assert (error <= allowed).all()
    assert (~good).mean() < 0.15


def hessian(mmpose, name: str, maps: np.ndarray, kernel: int) -> np.ndarray:
    """``[N, K, 2, 2]`` at the maxima, from mmpose's own blurred maps."""
    low, high, gap = (1e-10, np.inf, 2) if name == "dark" else (1e-3, 50.0, 1)
    found = np.empty((*maps.shape[:2], 2, 2))
    for number, face in enumerate(maps):
        blurred = mmpose.codecs.gaussian_blur(face.copy(), kernel).astype(np.float64)
        logs = np.pad(np.log(np.clip(blurred, low, high)), ((0, 0), (2, 2), (2, 2)), mode="edge")
        (x, y), k = mmpose.codecs.get_heatmap_maximum(face)[0].astype(int).T + 2, np.arange(len(face))
        xx = (logs[k, y, x + gap] - 2 * logs[k, y, x] + logs[k, y, x - gap]) / gap**2
        yy = (logs[k, y + gap, x] - 2 * logs[k, y, x] + logs[k, y - gap, x]) / gap**2
        xy = (logs[k, y + 1, x + 1] - logs[k, y - 1, x + 1] - logs[k, y + 1, x - 1] + logs[k, y - 1, x - 1]) / 4
        found[number] = np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)
    return found


def test_crop_and_warp_are_equal(mmpose, differences) -> None:
    """The matrix is solved from the same three points; mmpose 0.x lays the first arm along y, 1.x along x."""
    random = np.random.default_rng(differences.seed)
    transform = mmpose.TopdownAffine(input_size=(256, 256))
    for _ in range(20):
        image = random.integers(0, 256, (*random.integers(80, 500, 2), 3), dtype=np.uint8)
        centre = (random.random(2) * image.shape[1::-1]).astype(np.float32)
        size = np.full(2, random.uniform(20, 600), dtype=np.float32)
        given = {
            "img": image, "bbox_center": centre[None], "bbox_scale": size[None],
            "bbox_rotation": np.zeros(1, dtype=np.float32), "input_size": (256, 256),
        }  # fmt: skip
        expected = transform.transform(given)["img"]
        found = cropping.crop(image, centre, size, (256, 256))
        away = np.abs(found.astype(int) - expected.astype(int))
        differences.add("crop", found.size, int(away.max()), "levels of 255")
        differences.add("crop, share of values that differ", found.size, float((away > 0).mean()), "")
        corners = np.array([[0, 0, 1], [image.shape[1], 0, 1], [0, image.shape[0], 1], [*image.shape[1::-1], 1]])
        moved = (
            corners @ (mmpose.get_warp_matrix(centre, size, 0.0, (256, 256)) - warp_matrix(centre, size, (256, 256))).T
        )
        differences.add("warp, at the photograph's corners", 8, float(np.abs(moved).max()), "input px")
        assert np.abs(moved).max() == 0
        assert away.max() == 0


@pytest.mark.parametrize("shift", [False, True])
def test_flip_test_is_equal(mmpose, differences, shift) -> None:
    generator = torch.Generator().manual_seed(differences.seed)
    plain, mirrored = torch.randn(2, 3, 98, 64, 64, generator=generator)
    permutation = torch.as_tensor(np.array(load("wflw98").flip))
    back = mmpose.flip_heatmaps(
        mirrored.clone(), flip_mode="heatmap", flip_indices=permutation.tolist(), shift_heatmap=shift
    )
    expected = (plain + back) * 0.5
    flip: Flip = "flip+shift" if shift else "flip"
    found = average({"heatmaps": plain}, unflip({"heatmaps": mirrored}, permutation, flip=flip, width=256))
    away = float((found["heatmaps"] - expected).abs().max())
    differences.add(f"flip test, shift {shift}".lower(), expected.numel(), away, "")
    assert away == 0


def test_nme_is_equal_to_1e6_percent(mmpose, differences) -> None:
    random = np.random.default_rng(differences.seed)
    truth = random.uniform(0, 256, (50, 98, 2))
    landmarks = truth + random.normal(0, 3, truth.shape)
    mask = random.random((50, 98)) < 0.9
    interocular = np.linalg.norm(truth[:, 60] - truth[:, 72], axis=-1)
    expected = 100 * mmpose.keypoint_nme(landmarks, truth, mask, np.tile(interocular[:, None], (1, 2)))
    found = pooled_nme(point_errors(landmarks, truth), interocular, mask)
    differences.add("NME, pooled over visible landmarks", 50, abs(found - expected), "percent points")
    assert found == pytest.approx(expected, abs=1e-6)
