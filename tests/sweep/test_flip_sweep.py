"""The flip tests of a sweep: every one of them on ideal maps, and the average of landmarks against single passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from nmebench import decoders, models
from nmebench.protocol import GRIDS
from nmebench.runs.run_store import Run
from nmebench.sweep import execute, preflight
from nmebench.sweep.configuration import validate
from nmebench.sweep.plan import make

#: NME in percent of a decoder that finds an ideal map to a thousandth of a heatmap px, on these boxes.
EXACT = 5e-3


def configuration(data: Path, card: Path | str, chosen: list[str], flips: list[str], **options: Any) -> Any:
    """A sweep of one card."""
    fields = {"data": f"wflw:{data}", "models": [str(card)], "decoders": chosen, "flip": flips, **options}
    return validate({"engine": "torch", "pictures": False, **fields}, where="a test")


def nmes(run: Run) -> dict[tuple[str, str], float]:
    """NME over all faces by decoder and flip test."""
    return {(row["decoder"], row["flip"]): row["nme"] for row in run.score_rows() if row["subset"] == "test"}


def drawn(folder: Path, grid: str) -> Path:
    file = folder / "drawn.toml"
    file.write_text(
        'name = "drawn"\narchitecture = "oracle"\noptions = { size = 48, height = 72, input_size = 192, input_height = '
        f'256 }}\n[input]\nsize = [192, 256]\n[output]\ngrid = "{grid}"\n'
    )
    return file


@pytest.mark.parametrize("grid", GRIDS)
def test_alignment_and_averaged_landmarks_are_exact_on_ideal_maps(few_faces: Path, tmp_path: Path, grid: str) -> None:
    flips = ["none", "flip", "flip+align", "flip-coords"]
    run = execute(configuration(few_faces, drawn(tmp_path, grid), ["dark-udp"], flips), tmp_path / "run")
    found = nmes(run)
    assert found["dark-udp", "flip-coords"] < EXACT
    assert found["dark-udp", "flip+align"] < 0.03  # linear interpolation makes the Gaussians slightly asymmetric
    assert (found["dark-udp", "flip"] > 0.5) == (grid == "stride")


def test_averaged_landmarks_of_a_preset_with_its_own_grid_are_exact(few_faces: Path, tmp_path: Path) -> None:
    """The input px of mmpose's UDP codec are W / (W - 1) times as many as the crop's: x is mirrored to W - x."""
    card = drawn(tmp_path, "udp")
    card.write_text(card.read_text().replace("[output]", 'convention = "udp"\n[output]'))
    found = nmes(execute(configuration(few_faces, card, ["mmpose-udp"], ["none", "flip-coords"]), tmp_path / "run"))
    assert found["mmpose-udp", "none"] < EXACT
    assert found["mmpose-udp", "flip-coords"] < EXACT


class Ideal(nn.Module):
    """Reads landmarks and gives distributions with two bins per input px, or the landmarks themselves."""

    reads = "landmarks"

    def __init__(self, *outputs: str) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, landmarks: Tensor) -> dict[str, Tensor]:
        if self.outputs == ("landmarks",):
            return {"landmarks": landmarks.clone()}
        bins = torch.arange(512) / 2
        return {
            name: torch.exp(-((bins - landmarks[..., axis, None]) ** 2) / 8).float()
            for axis, name in enumerate(self.outputs)
        }


@pytest.mark.parametrize(
    ("outputs", "decoder", "kind"),
    [(("simcc_x", "simcc_y"), "simcc-dark", "simcc"), (("landmarks",), "direct", "landmarks")],
)
def test_networks_without_heatmaps(
    few_faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    outputs: tuple[str, ...],
    decoder: str,
    kind: str,
) -> None:
    monkeypatch.setattr(models, "build", lambda card, **_: models.Built(Ideal(*outputs), card))
    card = tmp_path / "ideal.toml"
    unit = '\nunit = "input-px"' if kind == "landmarks" else ""
    card.write_text(f'name = "ideal"\narchitecture = "oracle"\n[output]\nkind = "{kind}"{unit}\n')
    flips = ["none", "flip", "flip+align", "flip-coords"]
    chosen = [decoder] if kind == "simcc" else []
    found = nmes(execute(configuration(few_faces, card, chosen, flips), tmp_path / "run"))
    assert found[decoder, "none"] == pytest.approx(0, abs=EXACT)
    assert found[decoder, "flip+align"] == pytest.approx(found[decoder, "none"], abs=EXACT)
    assert found[decoder, "flip-coords"] == pytest.approx(found[decoder, "none"], abs=EXACT)
    assert found[decoder, "flip"] > 0.1


def test_averaged_landmarks_equal_two_single_passes(few_faces: Path, tmp_path: Path) -> None:
    """Slowly: point by point, through each decoder's own chain. Noise makes the two passes differ."""
    card = tmp_path / "noisy.toml"
    card.write_text('name = "noisy"\narchitecture = "oracle"\noptions = { noise = 0.05 }\n')
    names = ["dark", "top-k", "official-hrnet", "mmpose-udp"]
    sweep = configuration(few_faces, card, names, ["none", "flip-coords"])
    run = execute(sweep, tmp_path / "run")
    plan = make(sweep)
    (network,) = plan.networks
    flip, module = plan.dataset.scheme.flip, network.built.module
    geometry = network.geometry.with_heatmaps((64, 64))
    landmarks = geometry.image_to_input(plan.dataset.landmarks)
    passes = [torch.from_numpy(points) for points in (landmarks, geometry.mirror(landmarks, flip))]
    for name in names:
        decoder = decoders.from_spec(name)
        plain, mirrored = (decoder(module(points)) for points in passes)
        here, there = (
            geometry.heatmap_to_input(found.landmarks.double().numpy(), decoder.chain) for found in (plain, mirrored)
        )
        mean = np.empty_like(here)
        right = 256 if name == "mmpose-udp" else 255  # its codec multiplies by 256 / 63, so its px are 256 / 255 px
        for face, point in np.ndindex(here.shape[:2]):
            mean[face, point, 0] = (here[face, point, 0] + right - there[face, flip[point], 0]) / 2
            mean[face, point, 1] = (here[face, point, 1] + there[face, flip[point], 1]) / 2
        assert np.abs(mean - here).max() > 0.01
        cell = next(cell for cell in run.record.cells if (cell.decoder, cell.flip) == (name, "flip-coords"))
        found = run.landmarks(cell.id)
        np.testing.assert_allclose(found, geometry.input_to_image(mean, decoder.chain), rtol=0, atol=1e-4)
        scores = (plain.scores.numpy() + mirrored.scores.numpy()[:, flip]) / 2
        np.testing.assert_allclose(run.confidence(cell.id), scores, rtol=0, atol=1e-6)
        assert cell.counts["one_pass"] == 0


class HalfEmpty(nn.Module):
    """Ideal maps, of which those of the first points are empty in the plain pass, and the last ones' in both."""

    reads = "landmarks"

    def __init__(self) -> None:
        super().__init__()
        self.oracle = models.create("oracle")
        self.passes = 0

    def forward(self, landmarks: Tensor) -> Mapping[str, Tensor]:
        maps = self.oracle(landmarks)["heatmaps"]
        self.passes += 1
        if self.passes % 2:
            maps[:, :5] = 0
        maps[:, 95:] = 0  # points 96 and 97 are their own mirror images; 95 isn't one of them
        return {"heatmaps": maps}


def test_a_landmark_that_one_pass_misses_is_the_other_passes(
    few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "build", lambda card, **_: models.Built(HalfEmpty(), card))
    monkeypatch.setattr(preflight, "check", lambda *_, **__: None)  # refuses outputs that change from pass to pass
    card = tmp_path / "half.toml"
    card.write_text('name = "half"\narchitecture = "oracle"\n')
    sweep = configuration(few_faces, card, ["dark-udp"], ["flip-coords"], batch_size=11)
    run = execute(sweep, tmp_path / "run")
    (cell,) = run.record.cells
    dataset = make(sweep).dataset
    flip = dataset.scheme.flip
    errors = np.linalg.norm(run.landmarks(cell.id) - dataset.landmarks, axis=-1)
    lost = [point for point in range(98) if point >= 95 and flip[point] >= 95]
    assert (errors[:, [point for point in range(98) if point not in lost]] < 0.05).all()
    assert (errors[:, lost] > 1).all()
    assert cell.counts["empty"] == 11 * (5 + 3 + 3)
    once = [p for p in range(98) if (p < 5 or p >= 95) != (flip[p] >= 95)]
    assert cell.counts["one_pass"] == 11 * len(once)
