"""Cards and outputs that are likely to be wrong: the sweep finishes, with one line about it in the run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nmebench.runs.run_store import Run
from nmebench.sweep import execute
from nmebench.sweep.configuration import validate


def _run(few_faces: Path, card: Path, out: Path, *, stop: bool = False) -> Run:
    raw = {
        "data": f"wflw:{few_faces}", "models": [str(card)], "flip": ["none"], "engine": "torch", "threads": 1,
        "batch_size": 4, "pictures": False,
    }  # fmt: skip

    def interrupt(label: str, done: int, total: int) -> None:
        if stop and done:
            raise KeyboardInterrupt

    return execute(validate(raw, where="a test"), out, progress=interrupt)


@pytest.mark.parametrize(
    ("mean", "std", "noted"),
    [
        pytest.param([0.485, 0.456, 0.406], [0.229, 0.224, 0.225], True, id="ImageNet in 0..1"),
        pytest.param([0.5, 0.5, 0.5], [0.5, 0.5, 0.5], True, id="halves"),
        pytest.param([0.0, 0.0, 0.0], [1.0, 1.0, 1.0], True, id="values in 0..1"),
        pytest.param([104.0, 117.0, 123.0], [1.0, 1.0, 1.0], False, id="Caffe"),
        pytest.param([0.0, 0.0, 0.0], [255.0, 255.0, 255.0], False, id="divided by 255"),
        pytest.param([123.675, 116.28, 103.53], [58.395, 57.12, 57.375], False, id="ImageNet"),
    ],
)
def test_normalisation_in_0_to_1(
    few_faces: Path, small_card: Path, tmp_path: Path, mean: list[float], std: list[float], noted: bool
) -> None:
    text = small_card.read_text().replace('"small.safetensors"', f'"{small_card.parent}/small.safetensors"')
    card = tmp_path / "card.toml"
    card.write_text(text.replace("size = [64, 64]", f"size = [64, 64]\nmean = {mean}\nstd = {std}"))
    run = _run(few_faces, card, tmp_path / "run")
    notes = run.record.models[0].notes
    assert len(notes) == noted
    if noted:
        assert f"input.std is {std}, but pixel values are 0..255" in notes[0]
        assert f"std = [{', '.join(f'{value * 255:g}' for value in std)}]" in notes[0]
        assert "\n" not in notes[0]


@pytest.mark.parametrize("resumed", [False, True])
def test_landmarks_in_the_other_order(few_faces: Path, tmp_path: Path, resumed: bool) -> None:
    """The note is part of a resumed run too, which doesn't run the first batch again."""
    steps = np.linspace(0, 2 * np.pi, 98, endpoint=False)
    circle = np.stack([32 + 20 * np.cos(steps), 32 + 20 * np.sin(steps)]).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=1),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
            helper.make_node("Squeeze", ["nothing", "axes"], ["none"]),
            helper.make_node("Add", ["none", "circle"], ["landmarks"]),
        ],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 64, 64])],
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["n", 196])],
        [
            numpy_helper.from_array(np.zeros(1, np.float32), "zero"),
            numpy_helper.from_array(np.array([2, 3]), "axes"),
            numpy_helper.from_array(circle.reshape(1, -1), "circle"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "x.onnx")
    text = (
        'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n[input]\nsize = [64, 64]\n'
        '[output]\nkind = "landmarks"\nunit = "input-px"\n'
    )
    (tmp_path / "wrong.toml").write_text(text)
    (tmp_path / "right.toml").write_text(text + 'layout = "xs-ys"\n')
    if resumed:
        with pytest.raises(KeyboardInterrupt):
            _run(few_faces, tmp_path / "wrong.toml", tmp_path / "wrong", stop=True)
    wrong = _run(few_faces, tmp_path / "wrong.toml", tmp_path / "wrong")
    (note,) = wrong.record.models[0].notes
    assert 'layout = "xs-ys" in [output]' in note
    right = _run(few_faces, tmp_path / "right.toml", tmp_path / "right")
    assert right.record.models[0].notes == []
    cell = right.record.cells[0].id
    assert np.abs(right.landmarks(cell) - wrong.landmarks(cell)).max() > 5
