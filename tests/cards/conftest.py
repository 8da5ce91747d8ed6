"""Fixtures: faces whose landmarks a tiny ONNX network finds with the right preprocessing only; small ONNX files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from nmebench import boxes, datasets
from nmebench.__main__ import main

LIST = Path("WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt")

BLUE_GREEN_RED = (200, 100, 50)
"""The colour of all photographs."""


@dataclass(frozen=True)
class CommandResult:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


@pytest.fixture
def nmebench(capsys: pytest.CaptureFixture[str]) -> Callable[..., CommandResult]:
    """A function that runs ``nmebench ARGUMENTS``."""

    def call(*arguments: object) -> CommandResult:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return CommandResult(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def template() -> np.ndarray:
    """98 points ``[98, 2]`` in 0..1; the first and the last touch the sides."""
    points = np.random.default_rng(1).uniform(0.05, 0.95, (98, 2))
    points[0], points[1] = 0.0, 1.0
    return points


@pytest.fixture(scope="session")
def plain_faces(tmp_path_factory: pytest.TempPathFactory, template: np.ndarray) -> Path:
    """Eight faces of one shape in eight photographs of one colour, in WFLW's layout."""
    root = tmp_path_factory.mktemp("plain-faces")
    (root / LIST).parent.mkdir(parents=True)
    (root / "WFLW_images").mkdir()
    lines = []
    for face in range(8):
        cv2.imwrite(str(root / f"WFLW_images/{face}.png"), np.full((400, 400, 3), BLUE_GREEN_RED, np.uint8))
        side = 140 + 5 * face
        points = template * (side - 1) + (120 + 2 * face, 110 + face)
        numbers = " ".join(f"{value:.6f}" for value in points.ravel())
        lines.append(f"{numbers} 120 110 {120 + side} {110 + side} 0 0 0 0 0 0 {face}.png")
    (root / LIST).write_text("\n".join(lines) + "\n")
    return root


Write = Callable[..., Path]


def save(
    path: Path, nodes: Sequence[object], inputs: Sequence[object], outputs: Sequence[object], **constants: object
) -> Path:
    """Write an ONNX file."""
    values = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, values)  # type: ignore[arg-type]
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def colour_check(expected: Sequence[float]) -> tuple[list[object], dict[str, object]]:
    """Nodes that compute ``deviation`` ``[N, 1]``: how far the mean of the image is from the expected values."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Sub", ["flat", "expected"], ["shifted"]),
        helper.make_node("Abs", ["shifted"], ["distance"]),
        helper.make_node("ReduceSum", ["distance", "axis"], ["deviation"]),
    ]
    return nodes, {"expected": np.asarray([expected], np.float32), "axis": np.asarray([1], np.int64)}


@pytest.fixture
def network(tmp_path: Path, plain_faces: Path, template: np.ndarray) -> Path:
    """A network of BGR images in -1 to 1 and the box ``pfld``, which gives fractions of the crop ``[N, 196]``.

    With another colour order or range its landmarks move away.
    """
    dataset = datasets.load(f"wflw:{plain_faces}")
    made = boxes.create("pfld")(dataset)
    corner = made.centre - made.size / 2
    fractions = ((dataset.landmarks - corner[:, None]) / made.size[:, None]).mean(axis=0)
    nodes, constants = colour_check([(value - 127.5) / 127.5 for value in BLUE_GREEN_RED])
    nodes.append(helper.make_node("Add", ["deviation", "points"], ["landmarks"]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 64, 64])
    output = helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["n", 196])
    points = fractions.reshape(1, -1).astype(np.float32)
    return save(tmp_path / "tiny.onnx", nodes, [image], [output], **constants, points=points)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """A function that writes a network which gives the same outputs for every image."""

    def make(
        outputs: Mapping[str, np.ndarray],
        *,
        shape: Sequence[int | str] = (1, 3, 16, 16),
        dtype: int = TensorProto.FLOAT,
        name: str = "net.onnx",
        used: bool = False,
    ) -> Path:
        nodes = [helper.make_node("Identity", [f"{output}_values"], [output]) for output in outputs]
        if used:  # a convolution that runs with channels first only
            nodes.append(helper.make_node("Conv", ["image", "weight"], ["unused"]))
        image = helper.make_tensor_value_info("image", dtype, list(shape))
        given = [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, list(v.shape)) for output, v in outputs.items()
        ]
        constants: dict[str, object] = {f"{output}_values": v.astype(np.float32) for output, v in outputs.items()}
        if used:
            given.append(helper.make_tensor_value_info("unused", TensorProto.FLOAT, None))
            constants["weight"] = np.ones((1, 3, 1, 1), np.float32)
        return save(tmp_path / name, nodes, [image], given, **constants)

    return make
