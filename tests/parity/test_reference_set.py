"""Parity with mmpose 1.3.2 on the committed reference set; needs neither mmpose nor other files.

``nox -s parity -- --update`` writes the set (``tests/support/write_reference_set.py``); ``nox -s parity`` compares
with live mmpose on fresh seeds.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmpose_peer import seeded_weights

from nmebench import decoders, metrics, models
from nmebench.geometry import Geometry, crop, scheme
from nmebench.geometry.warp import warp_matrix
from nmebench.metrics import pooled_nme
from nmebench.models import checkpoint
from nmebench.models.oracle import gaussians as oracle_gaussians
from nmebench.sweep.flip_test import average, mirror_images, unflip
from nmebench.training.targets import gaussians as target_gaussians

FOLDER = Path(__file__).with_name("reference")
#: The reference set's heatmaps are 64 px wide, their input 256 px.
INPUT = Geometry.of_input((256, 256), heatmap_size=(64, 64))
KINDS = ("clean", "border", "noisy", "two-peaks", "weak", "plateau")
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def stored(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.npz", allow_pickle=False) as file:
        return dict(file)


def picture(png: np.ndarray) -> np.ndarray:
    return cv2.imdecode(png, cv2.IMREAD_COLOR)


@pytest.fixture(scope="module")
def crops() -> dict[str, np.ndarray]:
    return stored("crops")


@pytest.fixture(scope="module")
def heatmaps() -> dict[str, np.ndarray]:
    return stored("heatmaps")


@pytest.mark.parametrize("key", [f"crop{face}{box}" for face in (0, 1) for box in (0, 1, 2)])
def test_crop_and_warp_equal_topdown_affine(crops, key) -> None:
    image = picture(crops[f"photograph{key[4]}"])
    centre, size = crops[f"{key}_centre"], crops[f"{key}_size"]
    input_size = tuple(int(side) for side in crops[f"{key}_input"])
    np.testing.assert_array_equal(warp_matrix(centre, size, input_size), crops[f"{key}_warp"])
    np.testing.assert_array_equal(crop.crop(image, centre, size, input_size), picture(crops[key]))


@pytest.mark.parametrize("kind", KINDS)
def test_argmax_and_quarter_offset_are_equal(heatmaps, kind) -> None:
    maps = torch.from_numpy(heatmaps[f"{kind}/maps"])[None]
    argmax = decoders.create("argmax")(maps)
    np.testing.assert_array_equal(argmax.landmarks[0], heatmaps[f"{kind}/argmax"])
    np.testing.assert_array_equal(argmax.scores[0], heatmaps[f"{kind}/scores"])
    np.testing.assert_array_equal(
        decoders.create("quarter-offset")(maps).landmarks[0], heatmaps[f"{kind}/quarter-offset"]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kernel", [7, 11, 17])
@pytest.mark.parametrize("name", ["dark", "dark-udp"])
def test_dark_is_within_1e5_px(heatmaps, name, kernel, kind) -> None:
    maps = torch.from_numpy(heatmaps[f"{kind}/maps"])[None]
    found = decoders.create(name, kernel=kernel)(maps).landmarks[0].numpy()
    difference = np.abs(found - heatmaps[f"{kind}/{name}:kernel={kernel}"])
    assert difference.max() <= 1e-5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("dark", "dark"),
        ("quarter-offset", "quarter-offset"),
        ("mmpose-udp", "dark-udp"),
        ("mmpose-megvii", "megvii"),
    ],
)
def test_codecs_agree_in_input_px(heatmaps, name, key, kind) -> None:
    """The decoder gives what mmpose's codec decodes, in px of the 256 px input: presets by their chain."""
    decoder = decoders.create(name)
    found = INPUT.heatmap_to_input(
        decoder(torch.from_numpy(heatmaps[f"{kind}/maps"])[None]).landmarks[0], decoder.chain
    )
    np.testing.assert_allclose(found, heatmaps[f"{kind}/input/{key}"], rtol=0, atol=5e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_chains_give_mmposes_input_px_bit_for_bit(heatmaps, kind) -> None:
    """From the landmarks that mmpose itself refined."""
    for name, refined, key in (
        ("mmpose-udp", "dark-udp:kernel=11", "dark-udp"),
        ("quarter-offset", "quarter-offset", "quarter-offset"),
        ("dark", "dark:kernel=11", "dark"),
    ):
        found = INPUT.heatmap_to_input(heatmaps[f"{kind}/{refined}"], decoders.create(name).chain)
        expected = heatmaps[f"{kind}/input/{key}"]
        np.testing.assert_array_equal(found.astype(expected.dtype), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_megvii_preset_is_bit_identical_with_mmposes_codec(heatmaps, kind) -> None:
    decoder = decoders.create("mmpose-megvii")
    found = INPUT.heatmap_to_input(
        decoder(torch.from_numpy(heatmaps[f"{kind}/maps"])[None]).landmarks[0], decoder.chain
    )
    np.testing.assert_array_equal(found, heatmaps[f"{kind}/input/megvii"])


@pytest.fixture(scope="module")
def network() -> dict[str, np.ndarray]:
    return stored("network")


@pytest.fixture(scope="module")
def hrnet(network, tmp_path_factory) -> torch.nn.Module:
    """Our HRNetV2-W18 with the weights that mmpose's ran with, loaded under mmpose's parameter names."""
    shapes = {str(n): tuple(json.loads(str(s))) for n, s in zip(network["names"], network["shapes"], strict=True)}
    file = tmp_path_factory.mktemp("weights") / "seeded.pth"
    torch.save({"state_dict": seeded_weights(shapes)}, file)
    module = models.create("hrnetv2-w18")
    checkpoint.load(module, file)
    return module


@pytest.fixture(scope="module")
def inputs(crops) -> torch.Tensor:
    pixels = np.stack([picture(crops["crop00"]), picture(crops["crop10"])])
    return torch.from_numpy(crop.normalise(pixels, mean=MEAN, std=STD, colour="rgb"))


def test_normalised_input_is_equal(network, inputs) -> None:
    np.testing.assert_allclose(inputs[:, :, ::16, ::16], network["inputs"], rtol=0, atol=1e-6)


@pytest.mark.parametrize(("key", "flip"), [("plain", None), ("flip", "flip"), ("flip_shift", "flip+shift")])
def test_heatmaps_of_the_network_and_its_flip_test(network, hrnet, inputs, key, flip) -> None:
    with torch.inference_mode():
        outputs = hrnet(inputs)
        if flip is not None:
            permutation = torch.as_tensor(np.array(scheme.load("wflw98").flip))
            mirrored = hrnet(mirror_images(inputs))
            outputs = average(outputs, unflip(mirrored, permutation, flip=flip, width=256))
    found = outputs["heatmaps"][:, network["channels"].tolist()].numpy()
    largest = np.abs(network[key]).max()
    assert np.abs(found - network[key]).max() <= 5e-6 * max(1.0, largest)


def test_nme_is_equal_to_1e6_percent() -> None:
    kept = stored("nme")
    errors = metrics.point_errors(kept["landmarks"], kept["truth"])
    assert pooled_nme(errors, kept["interocular"]) == pytest.approx(100 * float(kept["all"]), abs=1e-6)
    assert pooled_nme(errors, kept["interocular"], kept["mask"]) == pytest.approx(100 * float(kept["masked"]), abs=1e-6)
    np.testing.assert_allclose(metrics.nme(errors, kept["interocular"]), 100 * kept["each"], rtol=0, atol=1e-5)


def test_target_heatmaps_are_equal() -> None:
    """The oracle's and the training's Gaussians are mmpose's unbiased encoding."""
    kept = stored("nme")
    points = torch.from_numpy(kept["target_landmarks"])[None] / 4
    np.testing.assert_allclose(oracle_gaussians(points[0], (64, 64), 2.0), kept["target_heatmaps"], rtol=0, atol=1e-6)
    maps, weights = target_gaussians(points, size=(64, 64), sigma=2.0)
    np.testing.assert_allclose(maps[0], kept["target_heatmaps"], rtol=0, atol=1e-6)
    assert weights.min() == 1


@pytest.mark.parametrize("name", ["wflw98", "ibug68"])
def test_flip_tables_are_mmposes(name) -> None:
    tables = json.loads((FOLDER / "flip.json").read_text(encoding="utf-8"))
    np.testing.assert_array_equal(scheme.load(name).flip, tables[name])
