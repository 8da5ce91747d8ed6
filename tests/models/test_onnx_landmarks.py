"""The shapes and orders in which ONNX networks give landmarks: read as they are, or refused with the shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor

from nmebench import datasets, models
from nmebench.models import card
from nmebench.models.card_output import Output
from nmebench.models.output_adapter import output_notes

Write = Callable[..., Path]


def _faces(count: int) -> np.ndarray:
    """Real face geometry ``[count, 98, 2]`` in px of a 256 px box."""
    points = np.asarray(datasets.load("synthface", limit=count).landmarks, np.float32)
    low = points.min(axis=1, keepdims=True)
    return 20 + (points - low) / np.ptp(points, axis=1, keepdims=True).max(axis=2, keepdims=True) * 200


@pytest.fixture(scope="module")
def landmarks() -> np.ndarray:
    return _faces(4)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a graph which returns the given values, whatever the images are."""

    def make(values: np.ndarray, *, batch: int | str = "n", shape: Sequence[int | str] | None = None) -> Path:
        graph = helper.make_graph(
            [helper.make_node("Identity", ["values"], ["landmarks"])],
            "g",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, 8, 8])],
            [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, shape)],
            [numpy_helper.from_array(values.astype(np.float32), "values")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, tmp_path / "x.onnx")
        return tmp_path / "x.onnx"

    return make


def _run(path: Path, faces: int = 4, **options: object) -> tuple[Tensor, tuple[str, ...]]:
    table = Output.model_validate({"kind": "landmarks", "unit": "input-px", **options})
    outputs = models.create("onnx", path, output=table)(torch.zeros(faces, 3, 8, 8))
    return outputs["landmarks"], output_notes(table, outputs)


@pytest.mark.parametrize(
    ("change", "layout"),
    [
        pytest.param(lambda p: p, "xy", id="[N, K, 2]"),
        pytest.param(lambda p: p.transpose(0, 2, 1), "xy", id="[N, 2, K]"),
        pytest.param(lambda p: p.transpose(0, 2, 1), "xs-ys", id="[N, 2, K] xs-ys"),
        pytest.param(lambda p: p.transpose(0, 2, 1).reshape(4, -1, 2), "xs-ys", id="[N, K, 2] xs-ys, reshaped"),
        pytest.param(lambda p: p[..., ::-1], "yx", id="[N, K, 2] yx"),
        pytest.param(lambda p: p[..., ::-1].reshape(4, -1), "yx", id="[N, 2K] yx"),
        pytest.param(lambda p: np.concatenate([p, p[..., :1] * 7], 2), "xyz", id="[N, K, 3]"),
        pytest.param(lambda p: np.concatenate([p, p[..., :1]], 2).transpose(0, 2, 1), "xyz", id="[N, 3, K]"),
        pytest.param(lambda p: np.concatenate([p, p[..., :1]], 2).reshape(4, -1), "xyz", id="[N, 3K]"),
        pytest.param(lambda p: p.reshape(4, -1), "xy", id="[N, 2K] xy"),
        pytest.param(lambda p: p.transpose(0, 2, 1).reshape(4, -1), "xs-ys", id="[N, 2K] xs-ys"),
        pytest.param(lambda p: p.reshape(4, 1, -1), "xy", id="[N, 1, 2K]"),
        pytest.param(lambda p: p.reshape(4, -1, 1, 1), "xy", id="[N, 2K, 1, 1]"),
        pytest.param(lambda p: p.reshape(4, 98, 1, 2), "xy", id="[N, K, 1, 2]"),
    ],
)
def test_layouts(write: Write, landmarks: np.ndarray, change: Callable[[np.ndarray], np.ndarray], layout: str) -> None:
    found, notes = _run(write(change(landmarks)), layout=layout)
    assert found.is_contiguous()
    assert torch.equal(found, torch.from_numpy(landmarks))
    assert notes == ()


@pytest.mark.parametrize("shape", [(4, 1, 2), (4, 2, 1), (4, 2)])
def test_one_landmark(write: Write, shape: tuple[int, ...]) -> None:
    values = np.arange(8, dtype=np.float32)
    assert torch.equal(_run(write(values.reshape(shape)))[0], torch.from_numpy(values.reshape(4, 1, 2)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        pytest.param(
            (4, 98, 3), r"gives \[N, 98, 3\]: x, y and a third value .* \"xyz\" in \[output\]", id="[N, K, 3]"
        ),
        pytest.param((4, 3, 98), r"gives \[N, 3, 98\]: x, y and a third value", id="[N, 3, K]"),
        pytest.param((4, 3), r"gives \[N, 3\], not landmarks .* \"xyz\"", id="[N, 3]"),
        pytest.param((4, 2, 2), r"gives \[N, 2, 2\], which can be read in two ways: .* \"xs-ys\"", id="[N, 2, 2]"),
        pytest.param((4, 2, 3), r"gives \[N, 2, 3\], which can be read in two ways", id="[N, 2, 3]"),
        pytest.param((4, 197), r"gives \[N, 197\], not landmarks", id="odd"),
        pytest.param((4, 98, 4), r"gives \[N, 98, 4\], not landmarks", id="[N, K, 4]"),
        pytest.param((4, 7, 14, 2), r"gives \[N, 7, 14, 2\], not landmarks", id="four dimensions"),
        pytest.param((98, 2), r"gives landmarks \[98, 2\] for 4 images", id="no batch"),
        pytest.param((4,), r"gives \[4\] for 4 images|gives landmarks \[4\]", id="one number"),
    ],
)
def test_other_shapes_are_refused(write: Write, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(models.ModelError, match=message) as error:
        _run(write(np.zeros(shape, np.float32)))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("declared", ["xy", "xs-ys"])
@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("unit", [1.0, 1 / 256], ids=["px", "fractions"])
def test_note_on_the_wrong_order(write: Write, landmarks: np.ndarray, declared: str, count: int, unit: float) -> None:
    real = {"xy": landmarks, "xs-ys": landmarks.transpose(0, 2, 1)}
    other = "xs-ys" if declared == "xy" else "xy"
    _, notes = _run(write(real[other][:count].reshape(count, -1) * unit), faces=count, layout=declared)
    assert len(notes) == 1
    assert f'layout = "{other}" in [output]' in notes[0]
    assert "\n" not in notes[0]


def test_no_note_on_constant_or_invalid_landmarks(write: Write) -> None:
    for value in (0.0, float("nan"), float("inf")):
        assert _run(write(np.full((4, 196), value, np.float32)))[1] == ()


CARD = (
    'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n[input]\nsize = [8, 8]\n'
    '[output]\nkind = "landmarks"\nunit = "input-px"\nlayout = "xs-ys"\n'
)


def test_card_sets_the_layout(write: Write, landmarks: np.ndarray, tmp_path: Path) -> None:
    write(landmarks.transpose(0, 2, 1).reshape(4, -1))
    (tmp_path / "x.toml").write_text(CARD)
    built = models.build(card.load(tmp_path / "x.toml"))
    assert torch.equal(built.module(torch.zeros(4, 3, 8, 8))["landmarks"], torch.from_numpy(landmarks))
    assert built.notes == ()


@pytest.mark.parametrize("layout", ["zx", "", "nhwc"])
def test_unknown_layout(write: Write, landmarks: np.ndarray, layout: str) -> None:
    with pytest.raises(models.ModelError, match=r"layout .* (is unknown|doesn't apply)"):
        models.create("onnx", write(landmarks), kind="landmarks", unit="input-px", layout=layout)
