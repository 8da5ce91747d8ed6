"""Targets, losses and decoders of the encodings, each against a slow loop that follows the definition."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nmebench import decoders, models, reproduction
from nmebench.errors import InputError
from nmebench.geometry import Geometry
from nmebench.training import encodings, recipe, train, validate
from nmebench.training.encodings.offset import combined, combined_loss
from nmebench.training.encodings.simcc import distributions, divergence
from nmebench.training.recipe import Recipe
from nmebench.training.targets import gaussians, heatmap_loss

NAMES = ("gaussian", "udp", "half-pixel", "offset", "simcc")
SIZE, MAPS = 64, 16


def encoder(**encoding: Any) -> encodings.Encoder:
    loss = {"sigma": 6.0} if encoding.get("kind") == "simcc" else {"sigma": 2.0}
    return encodings.create(recipe_of(encoding, loss))


def recipe_of(encoding: dict[str, Any], loss: dict[str, Any], model: str = "heatmap-mobilenetv3") -> Recipe:
    return Recipe.model_validate(
        {
            "name": "x",
            "model": model,
            "train": {"source": "synthface", "seed": 1, "faces": 10},
            "stages": [{"epochs": 1, "batch": 2, "size": SIZE}],
            "encoding": encoding,
            "loss": loss,
        }
    )


def landmarks(faces: int = 2, points: int = 5) -> torch.Tensor:
    """Positions well inside an input of SIZE px."""
    return 14 + 36 * torch.rand(faces, points, 2, generator=torch.Generator().manual_seed(7))


def slow_grid(x: float, grid: str) -> float:
    """Input px to heatmap px, written out for SIZE and MAPS."""
    return {
        "stride": x * MAPS / SIZE,
        "udp": x * (MAPS - 1) / (SIZE - 1),
        "half-pixel": (x + 0.5) * MAPS / SIZE - 0.5,
    }[grid]


def slow_gaussians(points: torch.Tensor, grid: str, sigma: float) -> np.ndarray:
    out = np.zeros((*points.shape[:2], MAPS, MAPS))
    for n, k, row, column in np.ndindex(out.shape):
        x, y = (slow_grid(float(v), grid) for v in points[n, k])
        out[n, k, row, column] = math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * sigma**2))
    return out


@pytest.mark.parametrize("grid", ["stride", "udp", "half-pixel"])
def test_gaussian_maps_are_on_their_grid(grid: str) -> None:
    """The loss is zero on the maps of the definition, and on no other grid's."""
    points = landmarks()
    made = encoder(grid=grid)
    for drawn in ("stride", "udp", "half-pixel"):
        maps = torch.from_numpy(slow_gaussians(points, drawn, 2.0)).float()
        loss = float(made.loss({"heatmaps": maps}, points, size=SIZE))
        assert (loss < 1e-12) == (drawn == grid), (drawn, loss)


def test_the_default_encoding_is_what_it_was() -> None:
    """The stride grid's loss has the bits of the formula that trained the shipped networks."""
    points = landmarks(4, 98)
    maps = torch.rand(4, 98, MAPS, MAPS, generator=torch.Generator().manual_seed(1))
    made = encodings.create(recipe_of({}, {"sigma": 2.0, "foreground": 10.0}))
    targets, weights = gaussians(points * torch.tensor([0.25, 0.25]), size=(MAPS, MAPS), sigma=2.0)
    expected = heatmap_loss(maps, targets, weights, foreground=10.0)
    assert torch.equal(made.loss({"heatmaps": maps}, points, size=SIZE), expected)
    assert made.decoder(256) == "dark"
    assert made.output() == models.card.Output()
    assert made.crop_convention == "stride"


@pytest.mark.parametrize("radius", [1.0, 3.5])
def test_the_combined_target_against_pixel_by_pixel(radius: float) -> None:
    points = torch.tensor([[[7.3, 5.9], [0.2, 15.4], [-2.0, 8.0], [float("nan"), 3.0]]])
    discs, offsets, weights = combined(points, size=(16, 18), radius=radius)
    assert discs.shape == (1, 4, 18, 16)
    for k, row, column in np.ndindex(3, 18, 16):
        x, y = (float(v) for v in points[0, k])
        step = ((x - column) / radius, (y - row) / radius)
        assert float(discs[0, k, row, column]) == float(math.hypot(*step) <= 1)
        np.testing.assert_allclose(offsets[0, k, :, row, column], step, atol=1e-5)
    assert weights.tolist() == [[1.0, 1.0, float(radius > 2), 0.0]]
    assert float(discs[0, 3].sum()) == 0
    assert torch.isfinite(offsets).all()


@pytest.mark.parametrize("foreground", [0.0, 10.0])
def test_the_combined_loss_against_mmposes_formula(foreground: float) -> None:
    """``0.5 * MSE`` of label, x and y, the offsets multiplied by the label, with target weights."""
    rng = torch.Generator().manual_seed(3)
    points = 2 + 4 * torch.rand(2, 3, 2, generator=rng)
    discs, steps, _ = combined(points, size=(8, 8), radius=2.0)
    maps, offsets = torch.rand(2, 3, 8, 8, generator=rng), torch.randn(2, 3, 2, 8, 8, generator=rng)
    weights = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    total = 0.0
    for n, k, row, column in np.ndindex(2, 3, 8, 8):
        label = float(discs[n, k, row, column])
        error = (float(maps[n, k, row, column]) - label) ** 2
        for axis in range(2):
            given, wanted = float(offsets[n, k, axis, row, column]), float(steps[n, k, axis, row, column])
            error += (label * given - label * wanted) ** 2
        total += 0.5 * float(weights[n, k]) * (1 + foreground * label) * error
    found = combined_loss(maps, offsets, discs, steps, weights, foreground=foreground)
    assert float(found) == pytest.approx(total / maps.numel(), rel=1e-5)


def test_the_network_gives_offsets_in_heatmap_px_and_the_loss_reads_radii() -> None:
    points = landmarks()
    made = encoder(kind="offset", grid="udp", radius=2.5)
    maps = torch.tensor([[[slow_grid(float(v), "udp") for v in point] for point in face] for face in points])
    discs, steps, _ = combined(maps, size=(MAPS, MAPS), radius=2.5)
    assert float(made.loss({"heatmaps": discs, "offsets": steps * 2.5}, points, size=SIZE)) < 1e-10
    assert float(made.loss({"heatmaps": discs, "offsets": steps}, points, size=SIZE)) > 1e-5


def test_distributions_against_bin_by_bin() -> None:
    positions = torch.tensor([[0.0, 12.4, 31.0, 40.0]])
    found = distributions(positions, bins=32, sigma=3.0)
    for k in range(4):
        weights = [math.exp(-((b - float(positions[0, k])) ** 2) / 18) for b in range(32)]
        np.testing.assert_allclose(found[0, k], np.array(weights) / sum(weights), atol=1e-6)
    np.testing.assert_allclose(distributions(torch.tensor([float("nan")]), bins=4, sigma=1.0), [[0.25] * 4])


def test_the_divergence_against_its_definition() -> None:
    rng = torch.Generator().manual_seed(5)
    logits, targets = torch.randn(2, 8, generator=rng), torch.softmax(torch.randn(2, 8, generator=rng), dim=-1)
    found = divergence(logits, targets)
    for n in range(2):
        total = sum(math.exp(float(v)) for v in logits[n])
        given = [math.exp(float(v)) / total for v in logits[n]]
        expected = sum(float(t) * math.log(float(t) / g) for t, g in zip(targets[n], given, strict=True))
        assert float(found[n]) == pytest.approx(expected, abs=1e-5)


def test_simccs_loss_sums_the_axes_and_leaves_out_what_is_off_the_bins() -> None:
    made = encodings.create(recipe_of({"kind": "simcc", "bins": 3 * SIZE}, {"sigma": 4.0}))
    points = torch.tensor([[[20.0, 31.25], [-6.5, 10.0]]])  # the second is more than 3 sigma left of bin 0
    logits = {name: torch.randn(1, 2, 3 * SIZE, generator=torch.Generator().manual_seed(2)) for name in made.needs}
    expected = 0.0
    for axis, name in enumerate(made.needs):
        target = distributions(3 * points[0, 0, axis], bins=3 * SIZE, sigma=4.0)
        expected += float(divergence(logits[name][0, 0], target))
    assert float(made.loss(logits, points, size=SIZE)) == pytest.approx(expected / 2, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_decoder_finds_the_landmarks_of_the_ideal_outputs(name: str) -> None:
    """Encoding and decoder agree on grid, radius, bins and crop: within a tenth of an input px."""
    made = recipe.load(f"synthface-mobilenetv3-{name}")
    encoder = encodings.create(made)
    points = 60 + 130 * torch.rand(2, 98, 2, generator=torch.Generator().manual_seed(4))
    geometry = Geometry.of_input((256, 256), grid=made.encoding.grid, heatmap_size=(64, 64))
    maps = torch.from_numpy(geometry.input_to_heatmap(points.numpy())).float()
    if made.encoding.kind == "simcc":
        outputs = {k: distributions(2 * points[..., i], bins=512, sigma=6.0) for i, k in enumerate(encoder.needs)}
        spec = "simcc-dark"  # `simcc` itself answers whole bins
    elif made.encoding.kind == "offset":
        discs, offsets, _ = combined(maps, size=(64, 64), radius=made.encoding.radius)
        outputs, spec = {"heatmaps": discs, "offsets": offsets * made.encoding.radius}, encoder.decoder(256)
    else:
        outputs, spec = {"heatmaps": gaussians(maps, size=(64, 64), sigma=2.0)[0]}, encoder.decoder(256)
    read = Geometry.of_input(
        (256, 256), grid=encoder.output().grid or "stride", heatmap_size=(64, 64) if "heatmaps" in outputs else None
    )
    found = read.heatmap_to_input(decoders.from_spec(spec)(outputs).landmarks.numpy())
    np.testing.assert_allclose(found, points, atol=0.1)


class _Ideal(torch.nn.Module):
    """Gives the same outputs for any image."""

    def __init__(self, outputs: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.outputs


@pytest.mark.parametrize("grid", ["stride", "udp", "half-pixel"])
def test_validation_reads_the_maps_on_their_grid(grid: str) -> None:
    points = landmarks()
    maps = torch.from_numpy(slow_gaussians(points, grid, 1.5)).float()
    images = torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8)
    mean = std = torch.ones(1, 3, 1, 1)
    found = validate.predict(_Ideal({"heatmaps": maps}), images, mean=mean, std=std, decoder="dark", grid=grid)
    np.testing.assert_allclose(found, points, atol=0.1)


@pytest.mark.parametrize(
    ("model", "encoding", "expected"),
    [
        pytest.param("heatmap-mobilenetv3", {}, {("dark", "stride")}, id="stride"),
        pytest.param("heatmap-mobilenetv3", {"grid": "udp"}, {("dark-udp", "udp")}, id="udp"),
        pytest.param(
            "simcc-mobilenetv3",
            {"kind": "simcc"},
            {("simcc:split=8", "stride"), ("simcc:split=4", "stride")},
            id="simcc",
        ),
    ],
)
def test_a_run_validates_with_the_decoder_of_its_encoding(
    recipe_file: Any,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    encoding: dict[str, Any],
    expected: set[tuple[str, str | None]],
) -> None:
    seen = set()

    def nme(*_: Any, decoder: str, grid: str | None, **__: Any) -> float:
        seen.add((decoder, grid))
        return 1.0

    monkeypatch.setattr(validate, "nme", nme)
    stages = [{"epochs": 1, "size": size, "batch": 4, "lr": 1e-3} for size in (64, 128)]
    path = recipe_file(model=model, options={}, encoding=encoding, loss={"sigma": 2.0}, stages=stages)
    train(path, tmp_path / "out", device="cpu")
    assert seen == expected


def test_simccs_decoder_follows_the_size() -> None:
    made = encoder(kind="simcc")
    assert made.decoder(256) == "simcc"
    assert made.decoder(128) == "simcc:split=4"


@pytest.mark.parametrize(
    ("encoding", "loss", "message"),
    [
        pytest.param({"kind": "simcc", "grid": "udp"}, {}, "grid = 'udp' is for heatmaps", id="simcc-grid"),
        pytest.param({"kind": "gaussian", "radius": 2.0}, {}, "radius is for kind = 'offset'", id="radius"),
        pytest.param({"kind": "offset", "bins": 64}, {}, "bins is for kind = 'simcc'", id="bins"),
        pytest.param({"kind": "simcc"}, {"foreground": 1.0}, "loss.foreground is for heatmaps", id="foreground"),
        pytest.param({"grid": "hrnet"}, {}, "'stride', 'udp' or 'half-pixel'", id="grid"),
    ],
)
def test_settings_that_mean_nothing_are_refused(encoding: dict[str, Any], loss: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe_of(encoding, loss)


@pytest.mark.parametrize(
    ("model", "encoding", "message"),
    [
        pytest.param(
            "timm:test_efficientnet", {"kind": "simcc"}, "outputs heatmaps, but this encoding trains", id="kind"
        ),
        pytest.param("simcc-mobilenetv3", {"kind": "simcc", "bins": 64}, r"outputs \[512, 512\] bins", id="bins"),
    ],
)
def test_a_network_of_another_encoding_is_one_line(
    recipe_file: Any, cache: Path, tmp_path: Path, model: str, encoding: dict[str, Any], message: str
) -> None:
    options = {} if model.startswith("simcc") else {"width": 8}
    path = recipe_file(model=model, options=options, encoding=encoding, loss={"sigma": 2.0})
    with pytest.raises(InputError, match=message) as caught:
        train(path, tmp_path / "out", device="cpu")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "encoding", "decoder"),
    [
        pytest.param("heatmap-mobilenetv3", {"grid": "half-pixel"}, "dark", id="half-pixel"),
        pytest.param("offset-mobilenetv3", {"kind": "offset", "grid": "udp"}, "heatmap-offset", id="offset"),
        pytest.param("simcc-mobilenetv3", {"kind": "simcc"}, "simcc:split=8", id="simcc"),
    ],
)
def test_a_run_writes_a_card_that_says_how_to_read_the_network(
    recipe_file: Any, cache: Path, tmp_path: Path, model: str, encoding: dict[str, Any], decoder: str
) -> None:
    path = recipe_file(
        model=model,
        options={},
        encoding=encoding,
        loss={"sigma": 2.0},
        stages=[{"epochs": 1, "size": 64, "batch": 4, "lr": 1e-3}],
    )
    card = models.card.load(train(path, tmp_path / "out", device="cpu"))
    assert card.test.decoder == decoder
    assert card.output.grid == encoding.get("grid")
    assert card.output.kind == ("simcc" if encoding.get("kind") == "simcc" else "heatmaps")
    assert card.input.convention == ("udp" if encoding.get("grid") == "udp" else "stride")
    assert models.build(card).weights is not None


def test_the_five_recipes_differ_in_the_encoding_only() -> None:
    own = {"name", "model", "note", "encoding", "loss"}
    tables = [recipe.load(f"synthface-mobilenetv3-{name}").model_dump(exclude=own) for name in NAMES]
    assert all(table == tables[0] for table in tables)
    control = recipe.load("synthface-mobilenetv3").model_dump(exclude=own | {"workers"})
    assert {k: v for k, v in tables[0].items() if k != "workers"} == control


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_networks_read_as_their_recipe_says(name: str) -> None:
    card = models.card.load(f"synthface-mobilenetv3-{name}")
    made = recipe.load(card.name)
    encoder = encodings.create(made)
    built = models.build(card)
    assert card.architecture == made.model
    assert card.output == encoder.output()
    assert card.test.decoder == encoder.decoder(256)
    assert card.input.convention == encoder.crop_convention
    assert built.weights is not None
    assert built.weights.stat().st_size < 2_250_000
    assert card.training is not None
    assert built.weights_sha256 == card.training.sha256


def test_the_embedded_benchmark_compares_them_in_a_sweep_of_their_own() -> None:
    assert reproduction.NETWORKS == ("synthface-hrnet-small", "synthface-mobilenetv3", "synthface-resnet10-deconv")
    assert tuple(f"synthface-mobilenetv3-{name}" for name in NAMES) == reproduction.ENCODINGS
