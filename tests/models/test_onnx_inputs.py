"""The inputs of ONNX files: types, layouts, open and fixed dimensions; what can't be fed is refused with the names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from nmebench import models
from nmebench.models import card

Write = Callable[..., Path]

TYPES = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "uint8": TensorProto.UINT8,
    "int64": TensorProto.INT64,
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a graph whose ``maps`` are its image, channels first, as float32."""

    def make(shape: Sequence[int | str], dtype: str = "float32", *, last: bool = False, inputs: int = 1) -> Path:
        nodes = [helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT)]
        perm = [0, 3, 1, 2] if last else [0, 1, 2, 3]
        nodes.append(helper.make_node("Transpose", ["values"], ["maps"], perm=perm))
        given = [helper.make_tensor_value_info("image", TYPES[dtype], list(shape))]
        given += [helper.make_tensor_value_info(f"extra{n}", TensorProto.FLOAT, [1, 2]) for n in range(1, inputs)]
        out = [shape[axis] for axis in perm] if len(shape) == 4 else list(shape)
        graph = helper.make_graph(nodes, "g", given, [helper.make_tensor_value_info("maps", TensorProto.FLOAT, out)])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.save(model, tmp_path / "x.onnx")
        return tmp_path / "x.onnx"

    return make


IMAGES = torch.randint(0, 256, (3, 3, 8, 12), generator=torch.Generator().manual_seed(0)).float()


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64", "uint8"])
@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(("n", 3, 8, 12), id="NCHW"),
        pytest.param((1, 3, 8, 12), id="NCHW, batch of 1"),
        pytest.param(("n", 3, "h", "w"), id="NCHW, open size"),
        pytest.param(("n", 8, 12, 3), id="NHWC"),
        pytest.param((1, 8, 12, 3), id="NHWC, batch of 1"),
        pytest.param(("n", "h", "w", 3), id="NHWC, open size"),
        pytest.param((1, "h", "w", 3), id="NHWC, open size, batch of 1"),
    ],
)
def test_types_and_layouts(write: Write, dtype: str, shape: Sequence[int | str]) -> None:
    module = models.create("onnx", write(shape, dtype, last=shape[-1] == 3))
    assert torch.equal(module(IMAGES)["heatmaps"], IMAGES)  # whole numbers up to 255 are exact in every type
    assert module.input_size == (None if "h" in shape else (12, 8))


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_layout_that_the_file_leaves_open_must_be_declared(write: Write, layout: str) -> None:
    path = write(("n", "a", "b", "c"), last=layout == "nhwc")
    with pytest.raises(models.ModelError, match=r"doesn't show where the channels are: layout in \[input\] must be"):
        models.create("onnx", path)
    assert torch.equal(models.create("onnx", path, image_layout=layout)(IMAGES)["heatmaps"], IMAGES)


def test_declared_layout_must_agree_with_the_file(write: Write) -> None:
    with pytest.raises(models.ModelError, match='with layout = "nhwc" that is 12 channels, not 3'):
        models.create("onnx", write((1, 3, 8, 12)), image_layout="nhwc")


def test_card_declares_the_layout(write: Write, tmp_path: Path) -> None:
    write(("n", "a", "b", "c"), last=True)
    (tmp_path / "x.toml").write_text(
        'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n[input]\nsize = [12, 8]\nlayout = "nhwc"\n'
    )
    assert torch.equal(models.build(card.load(tmp_path / "x.toml")).module(IMAGES)["heatmaps"], IMAGES)


def test_uint8_network_needs_pixel_values(write: Write, tmp_path: Path) -> None:
    path = write((1, 3, 8, 12), "uint8")
    for value in (-1.0, 256.0, 0.5, float("nan")):
        images = IMAGES.clone()
        images[1, 2, 3, 4] = value
        with pytest.raises(models.ModelError, match=r"reads uint8 pixel values: set mean = \[0, 0, 0\]"):
            models.create("onnx", path)(images)
    text = 'name = "x"\narchitecture = "onnx"\nweights = "x.onnx"\n[input]\nsize = [12, 8]\n'
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(models.CardError, match=r"card x: the network reads uint8 pixel values: set mean"):
        models.build(card.load(tmp_path / "x.toml"))
    (tmp_path / "x.toml").write_text(text + "mean = [0, 0, 0]\nstd = [1, 1, 1]\n")
    built = models.build(card.load(tmp_path / "x.toml"))
    assert torch.equal(built.module(IMAGES)["heatmaps"], IMAGES)
    assert built.notes == ()  # std = 1 is right here


def test_float16_rounds_the_normalised_image(write: Write) -> None:
    images = torch.randn(2, 3, 8, 12)
    found = models.create("onnx", write((1, 3, 8, 12), "float16"))(images)["heatmaps"]
    assert torch.equal(found, images.half().float())


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        pytest.param((1, 3, 8, 12), {"inputs": 2}, r"reads 2 inputs \(image \[1, 3, 8, 12\] float, extra1", id="two"),
        pytest.param(
            (1, 3, 8, 12), {"dtype": "int64"}, r"reads image \[1, 3, 8, 12\] int64, not one batch", id="int64"
        ),
        pytest.param((4, 3, 8, 12), {}, "batches of exactly 4", id="batch of 4"),
        pytest.param((1, 4, 8, 12), {}, "neither dimension 1 nor dimension 3 is the 3 channels", id="four channels"),
        pytest.param((1, 3, 8, 3), {}, "doesn't show where the channels are", id="3 px wide"),
    ],
)
def test_what_cannot_be_fed_is_refused(
    write: Write, shape: Sequence[int | str], options: dict[str, object], message: str
) -> None:
    with pytest.raises(models.ModelError, match=message) as error:
        models.create("onnx", write(shape, **options))
    assert "\n" not in str(error.value)


def test_image_without_a_batch_is_refused(tmp_path: Path) -> None:
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [3, 8, 12])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, [3, 8, 12])
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["maps"])], "g", [image], [maps])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), tmp_path / "x.onnx")
    with pytest.raises(
        models.ModelError, match=r"reads image \[3, 8, 12\] float, not one batch of images \[N, 3, H, W\]"
    ):
        models.create("onnx", tmp_path / "x.onnx")


def test_layout_is_kept_when_the_number_of_threads_changes(write: Write) -> None:
    module = models.create("onnx", write((1, 8, 12, 3), "uint8", last=True), threads=1)
    module.use_threads(2)
    assert np.array_equal(module(IMAGES)["heatmaps"].numpy(), IMAGES.numpy())
