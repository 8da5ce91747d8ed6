"""Sweeps of networks whose outputs a card describes: measured right, or refused in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nmebench.checks import check
from nmebench.errors import InputError
from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate

K = 98


def _sweep(
    data: Path, folder: Path, outputs: Mapping[str, np.ndarray], output: str, test: str = "", **options: Any
) -> Run:
    """Measure a network that gives the same outputs for every image of 16 px."""
    graph = helper.make_graph(
        [helper.make_node("Identity", [f"{name}_values"], [name]) for name in outputs],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(v.shape)) for name, v in outputs.items()],
        [numpy_helper.from_array(v.astype(np.float32), f"{name}_values") for name, v in outputs.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), folder / "x.onnx")
    (folder / "x.toml").write_text(
        f'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n[input]\nsize = [16, 16]\n[output]\n{output}\n{test}\n'
    )
    raw = {"data": f"wflw:{data}", "models": [str(folder / "x.toml")], "pictures": False, "limit": 2, **options}
    return execute(validate(raw, where="a test"), folder / "run")


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.9, shape)


def _in_input_px(run: Run) -> np.ndarray:
    """The landmarks of the first face in input px."""
    corner = run.faces.centre[0] - run.faces.size[0] / 2
    return np.asarray((run.landmarks(run.record.cells[0].id)[0] - corner) * 16 / run.faces.size[0])


@pytest.mark.parametrize("split", [2, 3])
def test_simcc(few_faces: Path, tmp_path: Path, split: int) -> None:
    x, y = _random(1, K, 16 * split), _random(1, K, 16 * split)
    run = _sweep(few_faces, tmp_path, {"simcc_x": x, "simcc_y": y}, f'kind = "simcc"\nsplit = {split}')
    assert [cell.decoder for cell in run.record.cells] == ["simcc" if split == 2 else "simcc:split=3"]
    expected = np.stack([x[0].argmax(axis=1), y[0].argmax(axis=1)], axis=1) / split
    assert _in_input_px(run) == pytest.approx(expected, abs=1e-4)


def test_offsets(few_faces: Path, tmp_path: Path) -> None:
    maps, offsets = _random(1, K, 4, 4), _random(1, 2 * K, 4, 4)
    text = 'offsets = "separate"\nradius = 2.0'
    run = _sweep(few_faces, tmp_path, {"h": maps, "o": offsets}, text, decoders=["heatmap-offset"])
    at = maps[0].reshape(K, -1).argmax(axis=1)
    for point in range(K):
        y, x = divmod(int(at[point]), 4)
        step = 2 * offsets[0, 2 * point : 2 * point + 2, y, x]
        assert _in_input_px(run)[point] == pytest.approx((np.array([x, y]) + step) * 4, abs=1e-3)


def test_offsets_that_no_training_gave(few_faces: Path, tmp_path: Path) -> None:
    """A note names them, and the decoder's number is compared with no reported one."""
    outputs = {"h": _random(1, K, 4, 4), "o": np.zeros((1, 2 * K, 4, 4))}
    table = '[test]\nflip = false\n[reported.wflw.paper]\nsource = "a test"\ntolerance = 0.01\nnme = { test = 9.0 }\n'
    for decoder in ("heatmap-offset", "argmax"):
        test = table.replace("[test]", f'[test]\ndecoder = "{decoder}"')
        folder = tmp_path / decoder
        folder.mkdir()
        run = _sweep(few_faces, folder, outputs, 'offsets = "separate"', test)
        (note,) = run.record.models[0].notes
        assert note.startswith("suspect: heatmap-offset: the median offset at the maxima is 0 heatmap px")
        (row,) = check(run).rows
        assert row.status == "not comparable"
        assert (note in row.reason) == (decoder == "heatmap-offset")


REFUSED = [
    pytest.param(
        {"simcc_x": _random(1, K, 48), "simcc_y": _random(1, K, 48)}, 'kind = "simcc"', {},
        r"outputs simcc_x with 48 bins for 16 px, but decoder 'simcc' reads 2 per px: set split = 3 in \[output\]",
        id="bins without split",
    ),
    pytest.param(
        {"simcc_x": _random(1, K, 48), "simcc_y": _random(1, K, 48)}, 'kind = "simcc"\nsplit = 2', {},
        "with 48 bins, and split = 2 in .output. means 32 for 16 px",
        id="another split",
    ),
    pytest.param(
        {"simcc_x": _random(1, K, 48), "simcc_y": _random(1, K, 48)}, 'kind = "simcc"\nsplit = 3',
        {"decoders": ["simcc-dark"]},
        "decoder 'simcc-dark' reads 2 bins per px, and card x has output.split = 3: use simcc-dark:split=3",
        id="decoder of another split",
    ),
    pytest.param(
        {"output": _random(1, 99, 4, 4)}, 'kind = "heatmaps"', {}, "outputs 99 landmarks.*channels in .* chooses 98",
        id="99 maps",
    ),
    pytest.param(
        {"output": _random(1, 4, 4, K)}, 'kind = "heatmaps"', {}, 'outputs 4 landmarks.*layout = "nhwc" in', id="NHWC",
    ),
    pytest.param(
        {"output": _random(1, 68, 4, 4)}, 'kind = "heatmaps"', {}, "outputs 68 landmarks.*network of that scheme",
        id="68 maps",
    ),
    pytest.param(
        {"output": _random(1, K, 3)}, 'kind = "landmarks"\nunit = "input-px"', {}, 'layout = "xyz" in .* ignores it',
        id="third value",
    ),
    pytest.param(
        {"output": _random(1, K, 4, 4)}, 'kind = "heatmaps"', {"decoders": ["simcc"]}, "needs simcc_x, simcc_y",
        id="decoder of another kind",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("outputs", "output", "options", "message"), REFUSED)
def test_refused_in_one_line(
    few_faces: Path,
    tmp_path: Path,
    outputs: Mapping[str, np.ndarray],
    output: str,
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message) as error:
        _sweep(few_faces, tmp_path, outputs, output, **options)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run/run.json").exists()


def test_note_on_the_order_of_landmarks(few_faces: Path, tmp_path: Path) -> None:
    angle = np.linspace(0, 2 * np.pi, K)
    points = np.stack([8 + 5 * np.cos(angle), 8 + 5 * np.sin(angle)])  # neighbours are near each other
    run = _sweep(few_faces, tmp_path, {"output": points.reshape(1, -1)}, 'kind = "landmarks"\nunit = "input-px"')
    assert any('try layout = "xs-ys" in [output]' in note for note in run.record.models[0].notes)


def test_an_impossible_nme_names_the_fields_of_the_card(few_faces: Path, tmp_path: Path) -> None:
    run = _sweep(few_faces, tmp_path, {"output": 1e4 * _random(1, 2 * K)}, 'kind = "landmarks"\nunit = "input-px"')
    (note,) = [note for note in run.record.dataset.notes if note.startswith("suspect: x__direct")]
    assert "[output]" in note
    assert "[input]" in note


def test_a_network_of_pixel_values(few_faces: Path, tmp_path: Path) -> None:
    """All images of a sweep have whole numbers, also those of the check before the engine."""
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean", "last"], ["column"]),
        helper.make_node("Add", ["column", "points"], ["landmarks"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 16, 16, 3])],
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["n", K, 2])],
        [
            numpy_helper.from_array(np.array([3]), "last"),
            numpy_helper.from_array(_random(1, K, 2).astype(np.float32), "points"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "x.onnx")
    (tmp_path / "x.toml").write_text(
        'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n[input]\nsize = [16, 16]\nmean = [0, 0, 0]\n'
        'std = [1, 1, 1]\n[output]\nkind = "landmarks"\nunit = "input-px"\n[test]\nflip = true\n'
    )
    raw = {"data": f"wflw:{few_faces}", "models": [str(tmp_path / "x.toml")], "pictures": False, "limit": 3}
    run = execute(validate(raw, where="a test"), tmp_path / "run")
    assert [cell.flip for cell in run.record.cells] == ["flip"]
