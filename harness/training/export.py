"""What a run leaves behind: float16 weights and the model card that says how they came about."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
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

    Kernels become float16: half the bytes, and a rounding of 2^-11 that the run's last validation includes. Vectors
    (biases, BatchNorm) stay float32: they are 2 % of the bytes and a variance may leave float16's range. BatchNorm's
    counters of batches have no part in the output and are left out.

    Raises:
        InputError: weights that are not finite, or leave float16's range.
    """
    tensors: dict[str, Tensor] = {}
    for name, value in sorted(state.items()):
        if not value.is_floating_point():
            continue
        kept = value.detach().cpu().contiguous()
        tensors[name] = kept.to(torch.float16 if kept.dim() > 1 else torch.float32)
        if not torch.isfinite(tensors[name]).all():
            raise InputError(f"{made.name}: {name} is not finite as float16: the training diverged")
    # One key: safetensors writes several in an order that changes from process to process, and the bytes with it.
    metadata = {"nmebench": json.dumps({"name": made.name, "model": made.model, "seed": made.seed})}
    write_atomically(path, safetensors.torch.save(tensors, metadata))
    return path


def card(made: Recipe, out: Path, *, weights: Path, log: Path, command: str) -> Path:
    """Write the model card of a finished run beside its weights; returns its path."""
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
    """The training faces in one line."""
    t = made.train
    seed = "" if t.seed is None else f", seed {t.seed}"
    # A path on the trainer's own machine says nothing to a reader.
    return f"{t.source.partition(':')[0]} {t.split}{seed}, faces {t.skip} to {t.skip + t.faces - 1}, box {t.box}"


def summary(made: Recipe, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """What the log comes to: sizes, the last loss, validation errors, time."""
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
    """Scalars, lists and tables as TOML, which the standard library reads and doesn't write."""
    return "".join(_lines(table, ())).lstrip("\n")


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping) and value}
    lines = [f"\n[{'.'.join(path)}]\n"] if path and plain else []
    lines += [f"{_key(key)} = {_value(value)}\n" for key, value in plain.items() if value is not None]
    for key, value in inner.items():
        lines += _lines(value, (*path, _key(key)))
    return lines


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else _quoted(key)


def _value(value: object) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(item) for item in value)}]"
    # JSON's numbers and booleans are TOML's.
    return json.dumps(value)


def _quoted(text: str) -> str:
    # A JSON string is a TOML basic string, but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
