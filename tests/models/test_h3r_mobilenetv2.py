"""H3R's MobileNetV2 against an independent slow reference, and against the authors' outputs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nmebench import decoders, models
from nmebench.geometry import crop, scheme
from nmebench.models.errors import ModelError
from nmebench.models.h3r_mobilenetv2 import H3RMobileNetV2
from nmebench.sweep import flip_test

CHECKPOINT = "weights/h3r_mobilenetv2_wflw_256x256_p2-b7e0b470.pth"

#: Number of each block -> its stride.
STRIDES = {1: 1, 2: 2, 3: 1, 4: 2, 5: 1, 6: 1, 7: 2, 8: 1, 9: 1, 10: 1, 11: 1, 12: 1, 13: 1}

#: Blocks that add their input to their output.
RESIDUAL = {3, 5, 6, 8, 9, 10, 12, 13}

Weights = dict[str, np.ndarray]


def seeded(points: int) -> H3RMobileNetV2:
    """A network with random weights and BatchNorm statistics that leave no layer without an effect."""
    torch.manual_seed(0)
    module = H3RMobileNetV2(points=points)
    generator = torch.Generator().manual_seed(1)
    for name, value in module.state_dict().items():
        if name.endswith("running_mean") or (name.endswith("bias") and value.ndim == 1):
            value.copy_(0.3 * torch.randn(value.shape, generator=generator))
        elif name.endswith("running_var"):  # small, so that values reach the limits of ReLU6
            value.copy_(0.08 + 0.08 * torch.rand(value.shape, generator=generator))
        elif value.ndim == 1:
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
    return module.eval()


def convolved(maps: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    """Convolve ``[C, h, w]`` with a full or depthwise kernel ``[O, C or 1, k, k]``, zero padded by ``k // 2``."""
    side = kernel.shape[-1]
    padded = np.pad(maps, [(0, 0), (side // 2, side // 2), (side // 2, side // 2)])
    rows, columns = ((length - 1) // stride + 1 for length in maps.shape[1:])
    found = np.empty((len(kernel), rows, columns))
    for row, column in np.ndindex(rows, columns):
        window = padded[:, row * stride : row * stride + side, column * stride : column * stride + side]
        depthwise = kernel.shape[1] == 1 and len(maps) > 1
        found[:, row, column] = (
            (kernel[:, 0] * window).sum(axis=(1, 2)) if depthwise else np.tensordot(kernel, window, axes=3)
        )
    return found


def normalised(maps: np.ndarray, weights: Weights, name: str) -> np.ndarray:
    scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + 1e-5)
    shifted = maps - weights[f"{name}.running_mean"][:, None, None]
    return shifted * scale[:, None, None] + weights[f"{name}.bias"][:, None, None]


def enlarged(maps: np.ndarray, side: int) -> np.ndarray:
    """Resize square maps ``[C, s, s]`` bilinearly with half-pixel centres, one pixel at a time."""
    own = maps.shape[-1]
    found = np.empty((len(maps), side, side))
    for row, column in np.ndindex(side, side):
        parts = []
        for at in (row, column):
            source = max((at + 0.5) * own / side - 0.5, 0.0)
            first = int(source)
            parts.append(((first, 1 - (source - first)), (min(first + 1, own - 1), source - first)))
        found[:, row, column] = sum(wy * wx * maps[:, y, x] for y, wy in parts[0] for x, wx in parts[1])
    return found


def slow_reference(image: np.ndarray, weights: Weights, points: int) -> tuple[np.ndarray, np.ndarray]:
    """Heatmaps and logits ``[K, h, w]`` of an image ``[3, H, W]``, from the layout in words."""
    features = "backbone.features."
    maps = convolved(image, weights[f"{features}0.0.weight"], 2)
    maps = np.clip(normalised(maps, weights, f"{features}0.1"), 0, 6)
    kept = []
    for number, stride in STRIDES.items():
        block = f"{features}{number}.conv."
        wide, at = maps, 0
        if number > 1:
            wide = convolved(wide, weights[f"{block}0.weight"])
            wide, at = np.clip(normalised(wide, weights, f"{block}1"), 0, 6), 3
        wide = convolved(wide, weights[f"{block}{at}.weight"], stride)
        wide = np.clip(normalised(wide, weights, f"{block}{at + 1}"), 0, 6)
        narrow = normalised(convolved(wide, weights[f"{block}{at + 3}.weight"]), weights, f"{block}{at + 4}")
        maps = maps + narrow if number in RESIDUAL else narrow
        if number in (3, 6, 13):
            kept.append(maps)
    stacked = np.concatenate([enlarged(one, kept[0].shape[-1]) for one in kept])
    hidden = np.maximum(normalised(convolved(stacked, weights["head.0.weight"]), weights, "head.1"), 0)
    raw = convolved(hidden, weights["head.3.weight"])
    absent, present = np.exp(raw[:points]), np.exp(raw[points:])
    return present / (absent + present), raw[points:]


def test_outputs_equal_a_slow_reference() -> None:
    module = seeded(points=5).double()
    weights = {name: value.numpy() for name, value in module.state_dict().items()}
    images = torch.randn(2, 3, 48, 48, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    with torch.inference_mode():
        found = module(images)
    assert found["heatmaps"].shape == found["logits"].shape == (2, 5, 12, 12)
    for face, image in enumerate(images.numpy()):
        heatmaps, logits = slow_reference(image, weights, 5)
        assert np.abs(logits).max() > 1
        np.testing.assert_allclose(found["logits"][face], logits, rtol=0, atol=1e-10)
        np.testing.assert_allclose(found["heatmaps"][face], heatmaps, rtol=0, atol=1e-10)


def test_layers_have_the_authors_sizes_and_names(tmp_path: Path) -> None:
    module = seeded(points=98)
    state = module.state_dict()
    assert sum(parameter.numel() for parameter in module.parameters()) == 595_728
    assert len(state) == 241
    theirs = {re.sub(r"^head\.", "heatmap_head.head.layers.", name): value for name, value in state.items()}
    torch.save(theirs, tmp_path / "h3r.pth")
    loaded = models.create("h3r-mobilenetv2", tmp_path / "h3r.pth")
    assert all(torch.equal(value, state[name]) for name, value in loaded.state_dict().items())


def test_no_points_are_refused() -> None:
    with pytest.raises(ModelError, match="points=0 must be at least 1"):
        models.create("h3r-mobilenetv2", points=0)


@pytest.mark.parametrize(
    ("side", "prefix", "nme"), [(256, "b7e0b470", 4.45), (160, "8ecf0f2a", 4.58), (128, "80af0478", 4.72)]
)
def test_cards_have_the_authors_protocol(side: int, prefix: str, nme: float) -> None:
    card = models.card.load(f"h3r-mobilenetv2-{side}")
    assert card.input.size == (side, side)
    (protocol,) = card.protocols("wflw").values()
    assert (protocol.decoder, protocol.flip, protocol.box) == ("top-k-logits", "flip-coords", "h3r-rect")
    assert card.output.largest_empty == -np.inf
    (table,) = card.reported["wflw"].values()
    assert dict(table.nme) == {"test": nme}
    assert isinstance(card.weights, models.card.Weights)
    assert (card.weights.hash_prefix, card.weights.url) == (prefix, None)


def test_missing_weights_are_downloaded_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NMEBENCH_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match=r"download h3r_.*b7e0b470\.pth from https://github\.com.*nmebench data add"):
        models.card.load("h3r-mobilenetv2-256").weights_path()


@pytest.fixture(scope="module")
def parity(shared: Path) -> dict[str, np.ndarray]:
    """The outputs and landmarks of four real faces: ours under the authors' names, theirs under ``authors/NAME``."""
    if not (shared / CHECKPOINT).is_file() or not (shared / "oracle/h3r").is_dir():
        pytest.skip("the authors' checkpoint and outputs (../shared/weights, ../shared/oracle/h3r) are missing")
    card = models.card.load("h3r-mobilenetv2-256")
    module = models.build(card, weights=shared / CHECKPOINT).module
    with np.load(shared / "oracle/preproc/faces4.npz") as stored:
        crops = stored["crops_bgr_u8"]
    images = torch.from_numpy(crop.normalise(crops, card.input.mean, card.input.std, card.input.colour))
    with torch.inference_mode():
        plain, mirrored = module(images), module(flip_test.mirror_images(images))
    decoder = decoders.create("top-k-logits").for_network(largest_empty=card.output.largest_empty)
    here, there = (decoder(outputs).landmarks.double().numpy() * 4 for outputs in (plain, mirrored))
    everywhere = np.ones(here.shape[:2], bool)
    with np.load(shared / "oracle/h3r/outputs.npz") as stored:
        authors = {f"authors/{name}": stored[name] for name in stored.files}
    return authors | {
        "logits_channel1": plain["logits"].numpy(),
        "heatmaps": plain["heatmaps"].numpy(),
        "native_landmarks_input_px": here,
        "native_flip_landmarks_input_px": flip_test.average_landmarks(
            here, there, scheme.load("wflw98").flip, width=256, found=everywhere, found_mirrored=everywhere
        ),
    }


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("logits_channel1", 1e-4),
        ("heatmaps", 5e-6),
        ("native_landmarks_input_px", 1e-3),
        ("native_flip_landmarks_input_px", 1e-3),
    ],
)
def test_four_real_faces_equal_the_authors_network(parity: dict[str, np.ndarray], name: str, tolerance: float) -> None:
    difference = np.abs(parity[name] - parity[f"authors/{name}"])
    assert difference.max() <= tolerance


def test_top_k_on_heatmaps_is_not_the_authors_decoder(parity: dict[str, np.ndarray]) -> None:
    landmarks = decoders.create("top-k")(torch.from_numpy(parity["authors/heatmaps"])).landmarks.double().numpy() * 4
    assert np.abs(landmarks - parity["authors/native_landmarks_input_px"]).max() > 1
