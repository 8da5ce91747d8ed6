"""The geometry of a sweep: maps are drawn, decoded and mapped to the photograph in the network's own grid and crop."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from nmebench import models
from nmebench.errors import InputError
from nmebench.geometry import Geometry, images
from nmebench.protocol import CROP_CONVENTIONS, GRIDS
from nmebench.reports.sections import scores
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.clock import Clocks
from nmebench.sweep.configuration import validate
from nmebench.sweep.forward import Forward
from nmebench.sweep.plan import make

#: NME in percent. Decoders that refine to a thousandth of a heatmap px find ideal maps to this on the sample's boxes.
EXACT = 5e-3


def sweep(data: Path, folder: Path, card: str, decoders: list[str], **options: Any) -> Run:
    """Run the decoders on a card's text."""
    file = folder / "drawn.toml"
    file.write_text(card)
    configuration = {"data": f"wflw:{data}", "models": [str(file)], "decoders": decoders, "flip": ["none"], **options}
    return execute(validate({"engine": "torch", "pictures": False, **configuration}, where="a test"), folder / "run")


def nmes(run: Run) -> dict[str, float]:
    """NME over all faces by decoder."""
    return {row["decoder"]: row["nme"] for row in run.score_rows() if row["subset"] == "test"}


@pytest.mark.parametrize(
    "card",
    [
        pytest.param('[input]\nconvention = "udp"\n[options]\nconvention = "udp"\n', id="option of the oracle"),
        pytest.param('[input]\nconvention = "udp"\n[output]\ngrid = "udp"\n', id="grid of the card"),
    ],
)
def test_consistent_udp_oracle_has_no_error(few_faces: Path, tmp_path: Path, card: str) -> None:
    found = nmes(sweep(few_faces, tmp_path, f'name = "drawn"\narchitecture = "oracle"\n{card}', ["dark-udp", "dark"]))
    assert found["dark-udp"] < 5e-4
    assert found["dark"] < EXACT


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("crop", CROP_CONVENTIONS)
def test_every_grid_and_crop_is_exact_for_inputs_that_are_not_square(
    few_faces: Path, tmp_path: Path, grid: str, crop: str
) -> None:
    """Exchanging width and height, or any convention by another, moves the landmarks by more than 0.1 % NME."""
    card = (
        'name = "drawn"\narchitecture = "oracle"\n'
        "options = { size = 48, height = 72, input_size = 192, input_height = 256 }\n"
        f'[input]\nsize = [192, 256]\nconvention = "{crop}"\n[output]\ngrid = "{grid}"\n'
    )
    run = sweep(few_faces, tmp_path, card, ["dark-udp", "local-soft-argmax"])
    assert nmes(run)["dark-udp"] < EXACT
    assert {cell.convention for cell in run.record.cells} == {grid}
    assert not any(cell.mixed for cell in run.record.cells)
    assert run.record.models[0].heatmap_size == (48, 72)


class Echo(nn.Module):
    """A network that outputs the landmarks that it reads."""

    reads = "landmarks"
    outputs = ("landmarks",)

    def forward(self, landmarks: Tensor) -> dict[str, Tensor]:
        """``[N, K, 2]`` in input px -> the same."""
        return {"landmarks": landmarks.clone()}


@pytest.mark.parametrize("crop", CROP_CONVENTIONS)
def test_landmarks_of_direct_networks_are_mapped_by_the_crop(
    few_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crop: str
) -> None:
    monkeypatch.setattr(models, "build", lambda card, **_: models.Built(Echo(), card))
    card = (
        'name = "drawn"\narchitecture = "oracle"\n[output]\nkind = "landmarks"\nunit = "input-px"\n'
        f'[input]\nsize = [192, 256]\nconvention = "{crop}"\n'
    )
    forced = sweep(few_faces, tmp_path, card, [])
    assert nmes(forced)["direct"] < 1e-5  # landmarks are stored as float32
    assert (forced.confidence(forced.record.cells[0].id) == 1).all(), "the network states no confidence"


def test_confidence_is_the_maximum_of_each_map(few_faces: Path, tmp_path: Path) -> None:
    """The value of a Gaussian of sigma 2 at the pixel that is nearest to its centre."""
    card = 'name = "drawn"\narchitecture = "oracle"\noptions = { sigma = 2.0 }\n'
    run = sweep(few_faces, tmp_path, card, ["argmax", "dark"], limit=3)
    model = run.record.models[0]
    geometry = Geometry(run.faces.centre, run.faces.size, model.input_size, heatmap_size=model.heatmap_size)
    centres = geometry.image_to_heatmap(run.faces.landmarks)
    inside = ((centres > 0) & (centres < np.array(model.heatmap_size) - 1)).all(axis=-1)
    expected = np.exp(-((centres - np.rint(centres)) ** 2).sum(axis=-1) / (2 * 2.0**2))
    assert inside.mean() > 0.9
    for cell in run.record.cells:
        np.testing.assert_allclose(run.confidence(cell.id)[inside], expected[inside], atol=2e-3)


def test_all_means_every_refinement_rule_and_no_preset(few_faces: Path, tmp_path: Path) -> None:
    run = sweep(few_faces, tmp_path, 'name = "drawn"\narchitecture = "oracle"\n', ["all"], limit=2)
    names = {cell.decoder for cell in run.record.cells}
    assert {"argmax", "dark", "dark-udp"} <= names
    assert not {"mmpose-udp", "mmpose-megvii", "face-alignment", "official-hrnet"} & names


def test_presets_on_another_grid_are_labelled_and_never_ranked(few_faces: Path, tmp_path: Path) -> None:
    presets = ["mmpose-udp", "mmpose-megvii", "face-alignment", "official-hrnet"]
    run = sweep(few_faces, tmp_path, 'name = "drawn"\narchitecture = "oracle"\n', [*presets, "argmax", "dark"])
    assert {cell.decoder for cell in run.record.cells if cell.mixed} == set(presets)
    view = RunView(run)
    tables = scores.section(view)
    for table in tables:
        for row in table.rows:
            assert row.cell.names[1] == row.cell.decoder + (" (other grid)" if row.cell.mixed else "")
            assert not (row.cell.mixed and any(value.mark for value in row.values))
        assert any(value.mark == "best" for row in table.rows for value in row.values)
    best = scores.best(tables)
    assert best is not None
    assert best.cell.decoder == "dark"
    plain = next(cell.index for cell in view.cells if cell.decoder == "argmax")
    compared = [view.cells[index].decoder for index, base in enumerate(view.baseline) if base is not None]
    assert compared == ["dark"]
    assert set(view.baseline) == {None, plain}


def test_preset_in_the_grid_of_the_network_is_no_mix(few_faces: Path, tmp_path: Path) -> None:
    card = 'name = "drawn"\narchitecture = "oracle"\n[input]\nconvention = "udp"\n[output]\ngrid = "udp"\n'
    run = sweep(few_faces, tmp_path, card, ["mmpose-udp", "dark-udp"])
    assert not any(cell.mixed for cell in run.record.cells)
    assert nmes(run)["mmpose-udp"] == pytest.approx(nmes(run)["dark-udp"], abs=1e-4)
    assert {cell.decoder: cell.convention for cell in run.record.cells} == {
        "mmpose-udp": "mmpose-udp",
        "dark-udp": "udp",
    }


def test_preset_that_the_card_names_is_no_mix(few_faces: Path, tmp_path: Path) -> None:
    card = 'name = "drawn"\narchitecture = "oracle"\n[test]\ndecoder = "official-hrnet"\n'
    run = sweep(few_faces, tmp_path, card, [])
    assert [(cell.decoder, cell.mixed) for cell in run.record.cells] == [("official-hrnet", False)]


def test_card_whose_preset_has_another_grid_is_refused(few_faces: Path, tmp_path: Path) -> None:
    (tmp_path / "drawn.toml").write_text('name = "drawn"\narchitecture = "oracle"\n[test]\ndecoder = "mmpose-udp"\n')
    raw = {"data": f"wflw:{few_faces}", "models": [str(tmp_path / "drawn.toml")]}
    with pytest.raises(
        InputError, match=r"decoder 'mmpose-udp' reads heatmaps in the grid 'udp', but output\.grid is"
    ) as error:
        make(validate(raw, where="a test"))
    assert "\n" not in str(error.value)


def test_oracle_refuses_two_grids(tmp_path: Path) -> None:
    file = tmp_path / "drawn.toml"
    file.write_text(
        'name = "drawn"\narchitecture = "oracle"\noptions = { convention = "stride" }\n[output]\ngrid = "udp"\n'
    )
    with pytest.raises(models.ModelError, match=r"options\.convention is 'stride' and output\.grid is 'udp'"):
        models.build(models.card.load(file))


def test_heatmaps_of_the_oracle_have_the_given_shape() -> None:
    module = models.create("oracle", size=48, height=72, input_size=192, input_height=256)
    maps = module(torch.tensor([[[100.0, 30.0]]]))["heatmaps"]
    assert maps.shape == (1, 1, 72, 48)
    y, x = divmod(int(maps.flatten().argmax()), 48)
    assert (x, y) == (25, 8)


@pytest.mark.parametrize("convention", CROP_CONVENTIONS)
def test_crops_of_a_sweep_have_the_convention_of_the_card(few_faces: Path, tmp_path: Path, convention: str) -> None:
    """The pixels that a sweep loads are those at which its landmarks are mapped to the input."""
    (tmp_path / "card.toml").write_text(
        'name = "untrained"\narchitecture = "heatmap-mobilenetv3"\n'
        f'[input]\nsize = [192, 256]\nconvention = "{convention}"\n'
    )
    weights = tmp_path / "random.safetensors"
    safetensors.torch.save_file(models.create("heatmap-mobilenetv3").state_dict(), weights)
    raw = {"data": f"wflw:{few_faces}", "models": [{"card": str(tmp_path / "card.toml"), "weights": str(weights)}]}
    plan = make(validate({"engine": "torch", **raw}, where="a test"))
    network = plan.networks[0]
    with ThreadPoolExecutor(1) as pool:
        loader = Forward(plan, network, tmp_path, Clocks(), pool, None).crop_loader
    geometry = network.geometry
    for row, found in zip(network.batches[0][:2], loader.crops(0), strict=False):
        assert plan.dataset.image_root is not None
        photograph = images.read(plan.dataset.image_root / plan.dataset.images[row])
        matrix = geometry.heatmap_matrix(int(row))  # without heatmaps: to the input
        expected = cv2.warpAffine(photograph, matrix, (192, 256), flags=cv2.INTER_LINEAR)
        away = np.abs(found.astype(int) - expected.astype(int))
        assert away.mean() < 0.2, away.mean()
