"""The outputs of ONNX files as people export them, read as their cards describe them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from nmebench import decoders, engines, models
from nmebench.models import card

Write = Callable[..., Path]

K = 98


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a card and a graph which returns constant outputs for one face."""

    def make(outputs: Mapping[str, np.ndarray], text: str, *, dtype: Any = np.float32) -> Path:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        graph = helper.make_graph(
            [helper.make_node("Identity", [f"{name}_values"], [name]) for name in outputs],
            "g",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 16, 16])],
            [helper.make_tensor_value_info(name, kind, list(value.shape)) for name, value in outputs.items()],
            [numpy_helper.from_array(value.astype(dtype), f"{name}_values") for name, value in outputs.items()],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, tmp_path / "x.onnx")
        (tmp_path / "x.toml").write_text(
            f'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n[input]\nsize = [16, 16]\n[output]\n{text}\n'
        )
        return tmp_path / "x.toml"

    return make


def _run(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = models.build(card.load(path)).module(torch.zeros(2, 3, 16, 16))
    return found


def _random(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_rtmpose_simcc_at_split_2(write: Write) -> None:
    """mmpose's SimCC label: the maximum's bin divided by simcc_split_ratio is the coordinate in input px."""
    x, y = np.zeros((1, K, 32), np.float32), np.zeros((1, K, 32), np.float32)
    at = np.random.default_rng(1).integers(0, 32, (K, 2))
    for point, (column, row) in enumerate(at):
        x[0, point, column], y[0, point, row] = 0.9, 0.8
    found = _run(write({"simcc_x": x, "simcc_y": y}, 'kind = "simcc"\nsplit = 2.0'))
    landmarks, scores = decoders.create("simcc", split=2)(found)
    assert torch.equal(landmarks, torch.from_numpy(at / 2).float().expand(2, K, 2))
    assert torch.allclose(scores, torch.tensor(0.8))


def test_simcc_outputs_with_other_names(write: Write) -> None:
    x, y = _random(1, K, 32), _random(1, K, 32, seed=1)
    found = _run(write({"out1": y, "out2": x}, 'kind = "simcc"\nnames = ["out2", "out1"]'))
    assert np.array_equal(found["simcc_x"][:1].numpy(), x)
    with pytest.raises(models.ModelError, match=r'gives out1 .*, out2 .*: names = \["x", "y"\] in \[output\] must say'):
        _run(write({"out1": y, "out2": x}, 'kind = "simcc"'))


def test_heatmaps_with_offsets(write: Write) -> None:
    heatmaps, offsets = _random(1, K, 4, 4), _random(1, 2 * K, 4, 4, seed=1)
    found = _run(write({"h": heatmaps, "o": offsets}, 'offsets = "separate"\nradius = 2.0'))
    assert np.array_equal(found["heatmaps"][0].numpy(), heatmaps[0])
    for point in range(K):
        assert np.array_equal(found["offsets"][0, point].numpy(), 2 * offsets[0, 2 * point : 2 * point + 2])


def test_udp_combined_maps(write: Write) -> None:
    raw = _random(1, 3 * K, 4, 4)
    found = _run(write({"output": raw}, 'offsets = "interleaved"\nradius = 3.5\ngrid = "udp"'))
    assert np.array_equal(found["heatmaps"][0].numpy(), raw[0, ::3])
    assert np.array_equal(found["offsets"][0, :, 0].numpy(), np.float32(3.5) * raw[0, 1::3])
    assert np.array_equal(found["offsets"][0, :, 1].numpy(), np.float32(3.5) * raw[0, 2::3])


@pytest.mark.parametrize("stack", [0, 1, 2, -1])
def test_one_of_several_stacks(write: Write, stack: int) -> None:
    stacks = [_random(1, K, 4, 4, seed=seed) for seed in range(3)]
    apart = {f"stack{number}": value for number, value in enumerate(stacks)}
    for outputs in (apart, {"stacks": np.stack(stacks, axis=1)}):
        found = _run(write(outputs, f"stack = {stack}"))["heatmaps"]
        assert np.array_equal(found[:1].numpy(), stacks[stack])
        with pytest.raises(models.ModelError, match=r"(names|stack)"):
            _run(write(outputs, 'kind = "heatmaps"'))


@pytest.mark.parametrize("activation", ["sigmoid", "softmax-pairs", "softmax-halves"])
def test_activations(write: Write, activation: str) -> None:
    raw = _random(1, K if activation == "sigmoid" else 2 * K, 4, 4)
    own, other = {
        "sigmoid": (raw, np.zeros_like(raw)),
        "softmax-pairs": (raw[:, 1::2], raw[:, ::2]),
        "softmax-halves": (raw[:, K:], raw[:, :K]),
    }[activation]
    found = _run(write({"output": raw}, f'activation = "{activation}"'))["heatmaps"]
    assert np.allclose(found[0].numpy(), 1 / (1 + np.exp(other - own))[0], atol=1e-6)


def test_98_of_99_maps(write: Write) -> None:
    raw = _random(1, K + 1, 4, 4)
    assert np.array_equal(_run(write({"output": raw}, 'channels = "0:98"'))["heatmaps"][0].numpy(), raw[0, :K])
    last = _run(write({"output": raw}, 'channels = "1:"'))["heatmaps"]
    assert np.array_equal(last[0].numpy(), raw[0, 1:])


def test_order_of_the_points(write: Write) -> None:
    """A network that gives 98 points in another numbering."""
    raw, order = _random(1, K, 2), np.random.default_rng(2).permutation(K)
    text = f'kind = "landmarks"\nunit = "crop-fraction"\norder = {order.tolist()}'
    found = _run(write({"output": raw}, text))["landmarks"][0].numpy()
    for network_point, scheme_point in enumerate(order):
        assert np.allclose(found[scheme_point], 16 * raw[0, network_point])


def test_a_part_of_the_points_is_refused(write: Write) -> None:
    order = [*range(60), *range(90, 98)]
    path = write({"output": _random(1, 68, 2)}, f'kind = "landmarks"\nunit = "input-px"\norder = {order}')
    with pytest.raises(
        models.CardError, match=r"point 97, but has 68 entries: .* part of the scheme's points"
    ) as error:
        card.load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("unit", "grid", "expected"),
    [
        ("crop-fraction", None, lambda f: f * 16),
        ("crop-centred", None, lambda f: (f + 1) / 2 * 16),
        ("crop-centred", "half-pixel", lambda f: ((f + 1) * 16 - 1) / 2),
        ("crop-centred", "udp", lambda f: (f + 1) / 2 * 15),
        ("input-px", None, lambda f: f),
    ],
    ids=["fraction", "-1 to 1", "STAR's denorm_points", "align_corners", "px"],
)
def test_units(write: Write, unit: str, grid: str | None, expected: Callable[[Any], Any]) -> None:
    raw = _random(1, 2 * K)
    text = f'kind = "landmarks"\nunit = "{unit}"' + (f'\ngrid = "{grid}"' if grid else "")
    found = _run(write({"output": raw}, text))["landmarks"][0].numpy()
    assert np.allclose(found.reshape(-1), expected(raw[0]), atol=1e-5)


def test_landmarks_beside_other_outputs(write: Write) -> None:
    outputs = {"pose": _random(1, 3), "points": _random(1, 2 * K), "features": _random(1, 8, 4, 4)}
    text = 'kind = "landmarks"\nunit = "input-px"'
    assert np.array_equal(_run(write(outputs, text))["landmarks"][0].numpy().ravel(), outputs["points"][0])
    outputs["shapes"] = _random(1, 40)
    with pytest.raises(models.ModelError, match=r"pose .*, shapes \[1, 40\] float: names = .* must say which"):
        _run(write(outputs, text))
    found = _run(write(outputs, f'{text}\nnames = ["points"]'))
    assert np.array_equal(found["landmarks"][0].numpy().ravel(), outputs["points"][0])
    outputs["landmarks"] = _random(1, 2 * K, seed=1)  # the project's own name
    assert np.array_equal(_run(write(outputs, text))["landmarks"][0].numpy().ravel(), outputs["landmarks"][0])


def test_heatmaps_channels_last(write: Write) -> None:
    raw = _random(1, 4, 4, K)
    found = _run(write({"output": raw}, 'layout = "nhwc"'))["heatmaps"]
    assert np.array_equal(found[0].numpy(), raw[0].transpose(2, 0, 1))


def test_float16_outputs(write: Write) -> None:
    raw = _random(1, K, 4, 4).astype(np.float16)
    found = _run(write({"output": raw}, 'kind = "heatmaps"', dtype=np.float16))["heatmaps"]
    assert found.dtype == torch.float32
    assert np.array_equal(found[0].numpy(), raw[0].astype(np.float32))


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnxruntime", "auto"])
def test_every_engine_leaves_onnx_to_its_runtime(write: Write, engine: str) -> None:
    raw = _random(1, K + 1, 4, 4)
    built = models.build(card.load(write({"output": raw}, 'channels = "0:98"\nactivation = "sigmoid"')))
    made = engines.create(engine, built.module, threads=1)
    images = torch.zeros(3, 3, 16, 16)
    assert made.name == "onnxruntime (card)"
    assert engines.check_engine(made, built.module, images) == 0
    assert torch.equal(made(images)["heatmaps"], built.module(images)["heatmaps"])


def test_output_of_a_sequence_is_no_candidate(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["image"], ["list"])],
        "g",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])],
        [helper.make_tensor_sequence_value_info("list", TensorProto.FLOAT, [1, 3, 8, 8])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "x.onnx")
    with pytest.raises(models.ModelError, match="must say which output holds the heatmaps"):
        models.create("onnx", tmp_path / "x.onnx")
    named = models.create("onnx", tmp_path / "x.onnx", output_name="list")
    with pytest.raises(models.ModelError, match="gives list list for 1 images"):
        named(torch.zeros(1, 3, 8, 8))
