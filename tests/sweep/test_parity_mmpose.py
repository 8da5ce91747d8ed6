"""End to end against mmpose: the same checkpoint and crops give the same landmarks in the photograph."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from nmebench import decoders, metrics, models
from nmebench.geometry import Geometry, crop, scheme
from nmebench.protocol import Flip
from nmebench.sweep import ModelRequest, SweepConfiguration, execute, flip_test

CASES = [
    pytest.param(flip, decoder, key, id=key)
    for flip, prefix in (("none", "flip0_shift0"), ("flip", "flip1_shift0"), ("flip+shift", "flip1_shift1"))
    for decoder, key in (("dark", f"{prefix}_dark"), ("quarter-offset", f"{prefix}_default"))
]

#: Largest number of ill-posed landmarks among the 392 of a case. The network's random weights cause ties in its maps.
MOST = 4


def _ill_posed(heatmaps: np.ndarray, decoder: str) -> np.ndarray:
    """Return the ill-posed landmarks, bool ``[N, K]``: 1e-6 in heatmaps ``[N, K, h, w]`` moves them by over 1e-3 px.

    Their two largest pixels differ by less than 2e-5, so that either may be the maximum. For the quarter offset, also
    those whose maximum has equal neighbours (to 2e-5). For DARK, also those that it moves by more than a pixel, because
    their Hessian is close to singular (the largest step here is 122 px, at a determinant of 1.3e-4).
    """
    flat = np.sort(heatmaps.reshape(*heatmaps.shape[:2], -1), axis=-1)
    tie = flat[..., -1] - flat[..., -2] < 2e-5
    maps = torch.from_numpy(heatmaps)
    peak = decoders.create("argmax")(maps).landmarks.numpy().astype(int)
    if decoder == "dark":
        step = decoders.create("dark")(maps).landmarks.numpy() - peak
        return tie | (np.abs(step).max(axis=-1) > 1)
    face, point = np.indices(peak.shape[:2])
    x, y = (peak[..., axis].clip(1, heatmaps.shape[-1 - axis] - 2) for axis in (0, 1))
    slope = (
        heatmaps[face, point, y, x + 1] - heatmaps[face, point, y, x - 1],
        heatmaps[face, point, y + 1, x] - heatmaps[face, point, y - 1, x],
    )
    return tie | (np.abs(slope).min(axis=0) < 2e-5)


pytestmark = pytest.mark.skipif(cv2.__version__.split(".")[0] != "4", reason="OpenCV 5 changed warpAffine")


@pytest.fixture(scope="module")
def faces(shared: Path) -> dict[str, np.ndarray]:
    stored = dict(np.load(shared / "oracle/preproc/faces4.npz"))
    boxes = json.loads((shared / "oracle/preproc/faces4.json").read_text())["faces"]
    stored["centre"] = np.array([face["input_center"] for face in boxes])
    stored["size"] = np.array([face["input_scale"] for face in boxes])
    return stored


@pytest.fixture(scope="module")
def variants(shared: Path, faces: dict[str, np.ndarray]) -> dict[str, dict[str, torch.Tensor]]:
    card = models.card.load("mmpose-hrnetv2-w18-dark")
    module = models.build(card, weights=shared / "oracle/model/hrnetv2_w18_wflw_mm0.pth").module
    images = crop.normalise(faces["crops_bgr_u8"], card.input.mean, card.input.std, card.input.colour)
    permutation = torch.tensor(scheme.load("wflw98").flip)
    with torch.inference_mode():
        plain = module(torch.from_numpy(images))
        mirrored = module(flip_test.mirror_images(torch.from_numpy(images)))
    result = {"none": plain}
    flips: tuple[Flip, ...] = ("flip", "flip+shift")
    for name in flips:
        back = flip_test.unflip(mirrored, permutation, flip=name, width=256)
        result[name] = flip_test.average(plain, back)
    return result


def test_heatmaps_equal_mmposes(shared: Path, variants: dict[str, dict[str, torch.Tensor]]) -> None:
    expected = np.load(shared / "oracle/model/outputs.npz")
    assert np.abs(variants["none"]["heatmaps"].numpy() - expected["heatmaps"]).max() < 5e-6
    assert np.abs(variants["flip+shift"]["heatmaps"].numpy() - expected["heatmaps_fliptest"]).max() < 5e-6


@pytest.mark.parametrize(("flip", "decoder", "key"), CASES)
def test_landmarks_in_the_photograph_equal_mmposes(
    shared: Path,
    faces: dict[str, np.ndarray],
    variants: dict[str, dict[str, torch.Tensor]],
    flip: str,
    decoder: str,
    key: str,
) -> None:
    chosen = decoders.create(decoder)
    landmarks, scores = chosen(variants[flip])
    geometry = Geometry(faces["centre"], faces["size"], (256, 256), heatmap_size=(64, 64))
    image = geometry.to_image(landmarks.numpy(), chosen.chain)
    expected = np.load(shared / "oracle/model/e2e_image_keypoints.npz")
    difference = np.abs(image - expected[key]).max(axis=-1)
    ill_posed = _ill_posed(variants[flip]["heatmaps"].numpy(), decoder)
    assert not np.argwhere((difference >= 1e-3) & ~ill_posed).tolist()
    assert (difference >= 1e-3).sum() <= MOST
    np.testing.assert_allclose(scores.numpy(), expected[f"{key}_score"], atol=1e-5)
    normaliser = scheme.normaliser(scheme.load("wflw98"), faces["keypoints"])
    nme = metrics.nme(metrics.point_errors(image, faces["keypoints"]), normaliser).mean()
    reported = json.loads((shared / "oracle/model/e2e_nme.json").read_text())[key]
    assert nme / 100 == pytest.approx(reported, abs=1e-2 if (difference >= 1e-3).any() else 1e-5)


def test_sweep_from_files_gives_mmposes_landmarks(
    shared: Path, faces: dict[str, np.ndarray], variants: dict[str, dict[str, torch.Tensor]], tmp_path: Path
) -> None:
    """A complete sweep on mmpose's crops: each is stored as a photograph, and its box covers the complete image.

    The crops are the latest bytes that both programs share: mmpose read one of the two photographs from another
    encoding, and the other isn't in the sample.
    """
    names = [f"{number}.png" for number in range(4)]
    (tmp_path / "WFLW_images").mkdir()
    for name, pixels in zip(names, faces["crops_bgr_u8"], strict=True):
        cv2.imwrite(str(tmp_path / "WFLW_images" / name), pixels)
    corner = (faces["centre"] - faces["size"] / 2)[:, None]
    truth = (faces["keypoints"] - corner) * (256 / faces["size"][:, None])
    header = ["image_name", "scale", "center_w", "center_h", *(f"original_{k}_{a}" for k in range(98) for a in "xy")]
    rows = [
        ",".join([name, repr(256 / 250), "128", "128", *(repr(float(v)) for v in points.ravel())])
        for name, points in zip(names, truth, strict=True)
    ]
    (tmp_path / "face_landmarks_wflw_test.csv").write_text("\n".join([",".join(header), *rows]) + "\n")
    configuration = SweepConfiguration(
        data=f"wflw:{tmp_path}",
        models=[
            ModelRequest(card="mmpose-hrnetv2-w18-dark", weights=str(shared / "oracle/model/hrnetv2_w18_wflw_mm0.pth"))
        ],
        decoders=("dark", "quarter-offset"),
        flip=("none", "flip", "flip+shift"),
        boxes=("annotation",),
        engine="torch",
        pictures=False,
    )
    run = execute(configuration, tmp_path / "run")
    expected = np.load(shared / "oracle/model/e2e_image_keypoints.npz")
    for case in CASES:
        flip, decoder, key = case.values
        cell = next(c.id for c in run.record.cells if (c.flip, c.decoder) == (flip, decoder))
        in_crop = (expected[key] - corner) * (256 / faces["size"][:, None])
        difference = np.abs(run.landmarks(cell) - in_crop).max(axis=-1) * (faces["size"][:, :1] / 256)
        ill_posed = _ill_posed(variants[flip]["heatmaps"].numpy(), decoder)
        assert not np.argwhere((difference >= 1e-3) & ~ill_posed).tolist()
        assert (difference >= 1e-3).sum() <= MOST
