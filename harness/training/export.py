"""The results of a training run: float16 weights and a model card with their origin."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import tomli_w
import torch
from torch import Tensor

from nmebench.errors import InputError
from nmebench.files import file_sha256, write_atomically
from nmebench.models.card import Card, Input, TestProtocol, Training
from nmebench.training import encodings
from nmebench.training.log import read
from nmebench.training.recipe import Recipe

__all__ = ["card", "weights"]


def weights(state: Mapping[str, Tensor], path: Path, made: Recipe) -> Path:
    """Write a network's state as safetensors.

    Kernels become float16, which halves the file; the last validation includes this rounding of 2^-11. Vectors (biases,
    BatchNorm) stay float32: they take 2 % of the bytes, and a variance may exceed float16's range. The batch
    counters of BatchNorm do not affect the output and are omitted.

    Raises:
        InputError: weights are not finite, or exceed float16's range.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in sorted(state.items()):
        if not value.is_floating_point():
            continue
        kept = value.detach().cpu().contiguous()
        tensors[name] = kept.to(torch.float16 if kept.dim() > 1 else torch.float32)
        if not torch.isfinite(tensors[name]).all():
            raise InputError(f"{made.name}: {name} is not finite as float16: the training diverged")
    # One key only: safetensors writes several keys in an order that differs between processes.
    metadata = {"nmebench": json.dumps({"name": made.name, "model": made.model, "seed": made.seed})}
    write_atomically(path, safetensors.torch.save(tensors, metadata))
    return path


def card(made: Recipe, out: Path, *, weights: Path, log: Path, command: str) -> Path:
    """Write the model card of a finished run beside its weights and return its path."""
    entries = read(log)
    size = made.stages[-1].size
    encoder = encodings.create(made)
    made_card = Card(
        name=made.name,
        architecture=made.model,
        options=made.options,
        weights=weights.name,
        licence=made.licence,
        source="trained by nmebench",
        notes=made.note or None,
        input=Input(
            size=(size, size), box=made.train.box, convention=encoder.crop_convention, mean=made.mean, std=made.std
        ),
        output=encoder.output(),
        test=TestProtocol(decoder=encoder.decoder(size)),
        training=Training(
            command=command,
            seed=made.seed,
            data=describe(made),
            sha256=file_sha256(weights),
            log=summary(made, entries),
        ),
    )
    path = out / f"{made.name}.toml"
    write_atomically(path, toml(made_card.model_dump(exclude_defaults=True)))
    return path


def describe(made: Recipe) -> str:
    """Describe the training faces in one line."""
    t = made.train
    seed = "" if t.seed is None else f", seed {t.seed}"
    # A path of the training machine does not help a reader.
    return f"{t.source.partition(':')[0]} {t.split}{seed}, faces {t.skip} to {t.skip + t.faces - 1}, box {t.box}"


def summary(made: Recipe, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Summarise the log: sizes, last loss, validation errors, time."""
    done = [e for e in entries if e["event"] == "step"]
    checks = [e for e in entries if e["event"] == "validation"]
    end: dict[str, Any] = next((e for e in reversed(entries) if e["event"] == "end"), {})
    found: dict[str, Any] = {
        "epochs": sum(stage.epochs for stage in made.stages),
        "steps": done[-1]["step"] if done else 0,
        "faces_seen": sum(s.epochs * ((s.faces or made.train.faces) // s.batch) * s.batch for s in made.stages),
        "last_loss": float(f"{done[-1]['loss']:.4g}") if done else None,
        "minutes": round(sum(e["seconds"] for e in done) / 60, 1),
        "interruptions": sum(e["event"] == "start" for e in entries) - 1,
        "device": next((e["device"] for e in reversed(entries) if e["event"] == "start"), None),
        "torch": torch.__version__.partition("+")[0],
    }
    if made.validation is not None and checks:
        found["validation_faces"] = made.validation.faces
        found["validation_nme_first_epoch"] = round(checks[0]["nme"], 3)
        found["validation_nme_float32"] = round(checks[-1]["nme"], 4)
        found["validation_nme_float16"] = round(end["nme"], 4)
    return {key: value for key, value in found.items() if value is not None}


def toml(table: Mapping[str, Any]) -> str:
    """Return a table as TOML text; entries that are None are omitted.

    Example:
        >>> print(toml({"name": "net", "weights": None, "input": {"size": (256, 256)}}), end="")
        name = "net"
        <BLANKLINE>
        [input]
        size = [
            256,
            256,
        ]
    """
    return tomli_w.dumps(_without_none(table))


def _without_none(table: Mapping[str, Any]) -> dict[str, Any]:
    """Drop None values and empty tables, which TOML can't hold or a card doesn't need."""
    kept = {key: _without_none(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    return {key: value for key, value in kept.items() if value is not None and value != {}}
