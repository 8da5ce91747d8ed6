"""ONNX networks; most graphs are made with the onnx package to cover every kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from nmebench import models
from nmebench.models import card


def _write_graph(
    path: Path,
    *,
    shape: Sequence[int | str] = ("n", 3, 8, 8),
    outputs: Sequence[str] = ("landmarks",),
    channels: int = 3,
) -> Path:
    """Write a graph whose ``landmarks`` ``[N, 8]`` are the input's first row and whose ``maps`` are the input."""
    batch = shape[0]
    nodes = [
        helper.make_node("Slice", ["image", "start", "end", "axes"], ["row"]),
        helper.make_node("Flatten", ["row"], ["landmarks"]),
        helper.make_node("Identity", ["image"], ["maps"]),
    ]
    constants = [
        numpy_helper.from_array(np.array([0, 0]), "start"),
        numpy_helper.from_array(np.array([1, 1]), "end"),
        numpy_helper.from_array(np.array([1, 2]), "axes"),
    ]
    values = {
        "landmarks": helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, [batch, 8]),
        "maps": helper.make_tensor_value_info("maps", TensorProto.FLOAT, list(shape)),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))],
        [values[o] for o in outputs],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("batch", ["n", 1], ids=["open batch", "batch of 1"])
@pytest.mark.parametrize(("unit", "scale"), [("crop-fraction", 8.0), ("input-px", 1.0)])
def test_landmarks_in_input_px(tmp_path: Path, batch: int | str, unit: str, scale: float) -> None:
    path = _write_graph(tmp_path / "x.onnx", shape=(batch, 3, 8, 8))
    module = models.create("onnx", path, kind="landmarks", unit=unit, threads=1)
    images = torch.rand(3, 3, 8, 8)
    found = module(images)["landmarks"]
    assert found.shape == (3, 4, 2)
    assert torch.allclose(found, images[:, 0, 0].reshape(3, 4, 2) * scale)


def test_landmarks_of_a_non_square_crop(tmp_path: Path) -> None:
    path = _write_graph(tmp_path / "x.onnx", shape=(1, 3, 4, 8))
    images = torch.rand(1, 3, 4, 8)
    found = models.create("onnx", path, kind="landmarks", unit="crop-fraction")(images)["landmarks"]
    assert torch.allclose(found, images[:, 0, 0].reshape(1, 4, 2) * torch.tensor([8.0, 4.0]))


def test_heatmaps_and_choice_of_output(tmp_path: Path) -> None:
    path = _write_graph(tmp_path / "x.onnx", outputs=("landmarks", "maps"))
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(models.create("onnx", path, kind="heatmaps")(images)["heatmaps"], images)
    named = models.create("onnx", path, kind="landmarks", unit="input-px", output_name="landmarks")
    assert named(images)["landmarks"].shape == (2, 4, 2)
    with pytest.raises(models.ModelError, match=r"has no output 'x' \(names in \[output\]\); it gives landmarks"):
        models.create("onnx", path, output_name="x")


def test_ambiguous_output_is_refused(tmp_path: Path) -> None:
    path = _write_graph(tmp_path / "x.onnx", outputs=("landmarks", "maps"))
    with pytest.raises(models.ModelError, match=r"names = .* in \[output\] must say which output holds the simcc"):
        models.create("onnx", path, kind="simcc")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"kind": "landmarks"}, "landmarks need unit=", id="no unit"),
        pytest.param({"kind": "points"}, "kind 'points' is unknown", id="kind"),
        pytest.param({"kind": "heatmaps", "threads": 0}, "threads=0 must be at least 1", id="no threads"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, object], message: str) -> None:
    with pytest.raises(models.ModelError, match=message):
        models.create("onnx", _write_graph(tmp_path / "x.onnx"), **options)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        pytest.param((4, 3, 8, 8), "batches of exactly 4", id="batch of 4"),
        pytest.param(("n", 1, 8, 8), r"reads image \[\?, 1, 8, 8\] float: neither dimension", id="grey"),
    ],
)
def test_graphs_with_another_input(tmp_path: Path, shape: tuple[int | str, ...], message: str) -> None:
    with pytest.raises(models.ModelError, match=message):
        models.create("onnx", _write_graph(tmp_path / "x.onnx", shape=shape), kind="landmarks", unit="input-px")


def test_error_for_a_wrong_input_size_names_both_sizes(tmp_path: Path) -> None:
    module = models.create("onnx", _write_graph(tmp_path / "x.onnx"), kind="landmarks", unit="input-px")
    with pytest.raises(models.ModelError, match=r"reads \(8, 8\) \(width, height\), not \(16, 8\)"):
        module(torch.zeros(1, 3, 8, 16))


def test_outputs_that_are_not_landmarks(tmp_path: Path) -> None:
    module = models.create(
        "onnx", _write_graph(tmp_path / "x.onnx", shape=("n", 3, 1, 7)), kind="landmarks", unit="input-px"
    )
    with pytest.raises(models.ModelError, match=r"gives \[N, 7\], not landmarks"):
        module(torch.zeros(2, 3, 1, 7))


def test_outputs_that_are_not_heatmaps(tmp_path: Path) -> None:
    path = _write_graph(tmp_path / "x.onnx")
    module = models.create("onnx", path, kind="heatmaps", output_name="landmarks")
    with pytest.raises(models.ModelError, match=r"gives \[2, 8\], not heatmaps \[N, K, h, w\]"):
        module(torch.zeros(2, 3, 8, 8))


def test_failing_graph_gives_a_one_line_error(tmp_path: Path) -> None:
    module = models.create(
        "onnx", _write_graph(tmp_path / "x.onnx", shape=("n", 3, "h", "w")), kind="landmarks", unit="input-px"
    )
    with pytest.raises(models.ModelError, match=r"fails on \[1, 1, 8, 8\]") as error:
        module(torch.zeros(1, 1, 8, 8))
    assert "\n" not in str(error.value)


def test_missing_and_truncated_file(tmp_path: Path) -> None:
    with pytest.raises(models.CheckpointError, match="can't be read: No such file"):
        models.create("onnx", tmp_path / "absent.onnx")
    complete = _write_graph(tmp_path / "x.onnx").read_bytes()
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(complete[: len(complete) // 2])
    with pytest.raises(models.CheckpointError, match="no ONNX network"):
        models.create("onnx", cut)


def test_weights_in_another_file_are_refused(tmp_path: Path) -> None:
    model = onnx.load(_write_graph(tmp_path / "x.onnx"))
    path = tmp_path / "external.onnx"
    onnx.save(model, path, save_as_external_data=True, size_threshold=0, location="weights.bin")
    with pytest.raises(models.CheckpointError, match="keeps its weights in another file"):
        models.create("onnx", path)


def test_card_sets_kind_and_unit(tmp_path: Path) -> None:
    _write_graph(tmp_path / "x.onnx")
    text = (
        'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n[input]\nsize = [8, 8]\n'
        '[output]\nkind = "landmarks"\nunit = "crop-fraction"\n'
    )
    (tmp_path / "x.toml").write_text(text)
    built = models.build(card.load(tmp_path / "x.toml"))
    assert built.weights_sha256 is not None
    assert list(built.module(torch.zeros(1, 3, 8, 8))) == ["landmarks"]
    (tmp_path / "y.toml").write_text(text.replace("[8, 8]", "[16, 8]"))
    with pytest.raises(models.ModelError, match=r"input\.size is \[16, 8\], and the network reads \[8, 8\]"):
        models.build(card.load(tmp_path / "y.toml"))


def test_real_network_equals_a_plain_session(shared: Path) -> None:
    path = shared / "weights/PFLD_GhostNet_Slim_112_1_opt_sim.onnx"
    module = models.create("onnx", path, kind="landmarks", unit="crop-fraction", threads=1)
    assert module.input_size == (112, 112)
    images = np.random.default_rng(0).standard_normal((3, 3, 112, 112)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    expected = np.concatenate(
        [np.asarray(session.run(None, {name: image[None]})[0]).reshape(1, 98, 2) for image in images]
    )
    found = module(torch.from_numpy(images))["landmarks"].numpy()
    assert np.abs(found - expected * 112).max() < 1e-4
