"""Readers of model cards, weights, ONNX graphs and the files of a training."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch

from nmebench import models
from nmebench.models import card, checkpoint
from nmebench.models.onnx import OnnxNetwork
from nmebench.training import log, recipe, state

from onnx_graphs import onnx_seeds  # isort: skip
from seeds import LOG, ORACLE, checkpoints, small_network  # isort: skip
from reader import Reader, call_each, configurations  # isort: skip

__all__ = ["NETWORK_READERS"]


def _read_card(file: Path, _name: str) -> None:
    found = card.load(file)
    repr(found)


def _build_card(file: Path, _name: str) -> None:
    found = card.load(file)
    if found.architecture in ("oracle", "onnx") and max(found.input.size) < 4096:
        models.build(found)


def _read_checkpoint(file: Path, name: str) -> None:
    suffix = Path(name).suffix
    named = file.with_suffix(suffix)
    if named != file:
        file.rename(named)
    try:
        call_each(lambda: checkpoint.read(named), lambda: checkpoint.load(small_network(), named))
    finally:
        if named != file:
            named.rename(file)


def _training_state() -> dict[str, bytes]:
    network = small_network()
    optimiser = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    file = Path(os.environ["FUZZ_FOLDER"]) / "state.pt"
    state.save(
        file, recipe="recipe", step=3, module=network, average=state.Average(network, decay=0.9), optimiser=optimiser
    )
    return {"checkpoint.pth": file.read_bytes()}


def _read_training_state(file: Path, _name: str) -> None:
    network = small_network()
    state.load(
        file,
        recipe="recipe",
        module=network,
        average=state.Average(network, decay=0.9),
        optimiser=torch.optim.AdamW(network.parameters()),
        device=torch.device("cpu"),
    )


def _read_onnx(file: Path, name: str) -> None:
    kind = {"kind": "landmarks", "unit": "input-px"} if name.startswith("landmarks") else {}
    network = OnnxNetwork(weights=file, threads=1, **kind)  # type: ignore[arg-type]
    width, height = network.input_size or (8, 8)
    if width * height < 10_000:
        network(torch.zeros(1, 3, height, width))


def _read_log(file: Path, _name: str) -> None:
    log.read(file)
    log.Log(file.with_name("copy.jsonl"))
    shutil.copyfile(file, file.with_name("copy.jsonl"))
    log.Log(file.with_name("copy.jsonl")).cut(1)


NETWORK_READERS: dict[str, Reader] = {
    "cards": Reader(configurations("models/cards"), _read_card),
    "cards-built": Reader(lambda: {"oracle.toml": ORACLE}, _build_card),
    "checkpoints": Reader(checkpoints, _read_checkpoint),
    "onnx": Reader(lambda: {f"{name}.onnx": data for name, data in onnx_seeds().items()}, _read_onnx),
    "training-recipes": Reader(configurations("harness/training/recipes"), lambda file, _: recipe.load(file)),
    "training-logs": Reader(lambda: {"log.jsonl": LOG}, _read_log),
    "training-checkpoints": Reader(_training_state, _read_training_state),
}
