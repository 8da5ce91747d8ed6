"""Every command of the command line, and one call of each that prints a result.

A new command needs one line in :data:`CASES`; without ``--json`` it needs one in :data:`WITHOUT_JSON`, with the reason.
The calls run in a copy of the folder that :func:`make_folder` makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import cv2
import numpy as np
import onnx
import typer
from onnx import TensorProto, helper, numpy_helper

from nmebench.cli.entry import app
from nmebench.gates import make_baseline
from nmebench.runs.run_store import Run

__all__ = ["CASES", "PREPARE", "RECIPE", "WITHOUT_JSON", "commands", "make_folder", "write_wflw"]

CASES: Mapping[str, str] = MappingProxyType(
    {
        "run": "run --data wflw:wflw --model oracle --decoder argmax --decoder dark --no-pictures -o new",
        "score": "score run --normaliser box-size --threshold 7",
        "merge": "merge shard-1 shard-2 -o merged",
        "report": "report run -o page.html",
        "check": "check run --no-explain",
        "reproduce": "reproduce -o reproduced",
        "compare": "compare run other",
        "train": "train recipe.toml -o trained -q",
        "gate": "gate other --baseline baseline.json",
        "bench": "bench",
        "contract": "contract scheme cofw29",
        "tables": "tables run",
        "list models": "list models",
        "list decoders": "list decoders",
        "list boxes": "list boxes",
        "list datasets": "list datasets",
        "list benchmarks": "list benchmarks",
        "list formats": "list formats",
        "list schemes": "list schemes",
        "list mappings": "list mappings",
        "list normalisers": "list normalisers --scheme wflw98",
        "list engines": "list engines",
        "list recipes": "list recipes",
        "list downloads": "list downloads",
        "list published": "list published --method SPIGA",
        "data make": "data make synthface -o drawn --faces 1 --workers 1 -q",
        "data fetch": "data fetch wflw",
        "data add": "data add net.pth --name net --cache cache",
        "data verify": "data verify wflw:wflw",
        "data convert": "data convert wflw:wflw -o converted --name mine",
        "card new": "card new net.onnx -o new.toml",
        "card probe": "card probe card.toml --data wflw:wflw --limit 2 --engine onnxruntime",
        "history add": f"history add run --commit {'3' * 40} --time 1700172800 --machine ci",
        "history report": "history report -o trend.html",
        "history bisect": "history bisect net* --subset pose",
    }
)
"""By the words of a command: one call of it."""

_SHARD = "run --data wflw:wflw --model oracle --decoder argmax --no-pictures"

PREPARE = (
    f"history add run --commit {'1' * 40} --time 1700000000 --machine ci",
    f"history add other --commit {'2' * 40} --time 1700086400 --machine ci",
    "card new net.onnx -o card.toml",
    f"{_SHARD} --shard 1/2 -o shard-1",
    f"{_SHARD} --shard 2/2 -o shard-2",
    CASES["train"],
)
"""Calls that make further files which the calls above read."""

WITHOUT_JSON: Mapping[str, str] = MappingProxyType({})
"""Commands that have no ``--json``, with the reason."""

LIST = Path("WFLW_annotations/list_98pt_rect_attr_train_test/list_98pt_rect_attr_test.txt")

_ANGLES = np.linspace(0, 2 * np.pi, 98, endpoint=False)

SOURCES = """
[sources.net]
file = "net.pth"
url = "https://example.org/net.pth"
max_bytes = 1000
licence = "none"
"""

RECIPE = """
name = "tiny"
model = "timm:test_efficientnet"
threads = 1
workers = 0
[options]
width = 8
[train]
source = "wflw:wflw"
faces = 3
[validation]
source = "wflw:wflw"
faces = 1
skip = 3
[[stages]]
epochs = 1
size = 64
batch = 3
lr = 2e-3
"""

CARD = {
    "name": "net",
    "input": {"box": "landmarks"},
    "output": {"kind": "heatmaps"},
    "test": {"decoder": "dark", "flip": True, "shift": True},
    "reported": {
        "wflw": {"paper": {"nme": {"test": 4.0, "pose": 4.9}, "source": "a table, for a test", "tolerance": 0.01}}
    },
}


def commands() -> Iterator[tuple[str, Any]]:
    """Yield the words of each command and its click command."""

    def walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        for name, inner in getattr(command, "commands", {}).items():
            yield from walk(inner, (*words, name))
        if not hasattr(command, "commands"):
            yield " ".join(words), command

    return walk(typer.main.get_command(app), ())


def make_folder(folder: Path, write_run: Callable[..., Run], table: Any) -> None:
    """Make the files that the calls read.

    Args:
        folder: an empty folder.
        write_run: the function of ``tests/conftest.py``.
        table: the faces of the runs.
    """
    write_wflw(folder / "wflw")
    rng = np.random.default_rng(5)
    nme = rng.uniform(2, 6, len(table))
    cells = ("argmax", 1.1), ("dark", 1.0), ("dark-udp", 1.001)
    for name, worse in (("run", 0.0), ("other", rng.normal(0.1, 0.4, len(table)))):
        found = {
            ("net", decoder, "flip+shift", "landmarks"): table.landmarks + _moved(table, nme * factor + worse)
            for decoder, factor in cells
        }
        run = write_run(folder / name, table, found, cards={"net": CARD}, weights={"net": "1" * 64})
        if name == "run":
            make_baseline(run).write(folder / "baseline.json")
    (folder / "net.pth").write_bytes(b"x" * 100)
    (folder / "sources.toml").write_text(SOURCES)
    (folder / "recipe.toml").write_text(RECIPE)
    _write_network(folder / "net.onnx")


def _moved(table: Any, nme: np.ndarray) -> np.ndarray:
    """Displacements ``[N, 98, 2]`` that give an NME of ``nme`` ``[N]`` percent."""
    angle = np.random.default_rng(6).uniform(0, 2 * np.pi, table.landmarks.shape[:2])
    return (nme / 100 * table.normaliser)[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def write_wflw(root: Path) -> None:
    """Four faces in WFLW's layout, in the list for the test and in the one for training."""
    (root / LIST).parent.mkdir(parents=True)
    (root / "WFLW_images").mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for face in range(4):
        pixels = rng.integers(0, 255, (150, 160, 3), np.uint8)
        cv2.imwrite(str(root / f"WFLW_images/{face}.png"), cv2.GaussianBlur(pixels, (9, 9), 0))
        points = 70 + 30 * np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1) + face
        attributes = [(face >> bit) & 1 for bit in range(6)]
        tokens = [*(f"{v:.6f}" for v in points.ravel()), "28", "27", "115", "113", *map(str, attributes), f"{face}.png"]
        lines.append(" ".join(tokens))
    for name in ("test", "train"):
        (root / LIST).with_name(LIST.name.replace("test.txt", f"{name}.txt")).write_text("\n".join(lines) + "\n")


def _write_network(path: Path) -> None:
    """An ONNX network that gives the same landmarks, as fractions ``[1, 196]`` of the crop, for every image."""
    points = np.random.default_rng(1).uniform(0.2, 0.8, (1, 196)).astype(np.float32)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 64, 64])
    output = helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, [1, 196])
    nodes = [helper.make_node("Identity", ["points"], ["landmarks"])]
    graph = helper.make_graph(nodes, "g", [image], [output], [numpy_helper.from_array(points, "points")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
