"""Engines: how a network's forward pass is run.

``torch`` (channels last, BatchNorm folded), ``openvino`` and ``onnxruntime`` (float32, converted in memory), ``cuda``
(``cuda:precision=bf16,compile=true`` where asked for), and ``auto``, the fastest exact one that is installed.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from nmebench.engines.interface import AsIs, Engine, check_engine, check_outputs, plain_outputs
from nmebench.errors import InputError
from nmebench.registry import Registry
from nmebench.suggest import unknown

__all__ = ["Engine", "available", "check_engine", "check_outputs", "create", "device_of", "names", "plain_outputs"]

REGISTRY = Registry(
    "engine",
    {
        "torch": "nmebench.engines.torch_cpu:TorchEngine",
        "openvino": "nmebench.engines.openvino:OpenVinoEngine",
        "onnxruntime": "nmebench.engines.onnxruntime:OnnxRuntimeEngine",
        "cuda": "nmebench.engines.cuda:CudaEngine",
    },
    group=None,
)

#: Packages that an engine needs beside torch.
_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"openvino": ("openvino",), "onnxruntime": ("onnxruntime", "onnx")}
)


def names() -> list[str]:
    """Every name that ``create`` takes."""
    return ["auto", *REGISTRY.names()]


def available() -> dict[str, bool]:
    """Whether each engine can run here."""
    found = {
        name: all(importlib.util.find_spec(package) is not None for package in _NEEDS.get(name, ()))
        for name in REGISTRY.names()
    }
    found["cuda"] = torch.cuda.is_available()
    return found


def _fastest() -> str:
    """The fastest exact engine that is installed (figures: docs/engines.md)."""
    here = available()
    return next(name for name in ("cuda", "openvino", "torch") if here[name])


def device_of(name: str) -> str:
    """Where the engine of that name would run here: ``cuda`` or ``cpu``."""
    chosen = _parsed(name)[0]
    return "cuda" if (_fastest() if chosen == "auto" else chosen) == "cuda" else "cpu"


def _parsed(spec: str) -> tuple[str, dict[str, Any]]:
    """``cuda:precision=bf16,compile=true`` -> its name and options."""
    name, _, rest = spec.partition(":")
    options: dict[str, Any] = {}
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"engine {spec!r}: {part!r} is not key=value")
        options[key.strip()] = {"true": True, "false": False}.get(value.strip(), value.strip())
    return name.strip(), options


def create(name: str, module: nn.Module, *, threads: int | None = None, **options: Any) -> Engine:
    """Make the engine that runs ``module``.

    Args:
        name: an engine's name, with options as ``cuda:precision=bf16``; ``auto`` takes the fastest exact one that is
            installed, and ``engine.name`` says which.
        module: a network in eval mode on the CPU; not changed. One that brings its own runtime keeps it.
        threads: for the CPU engines; None takes torch's number.
        **options: the engine's own.

    Raises:
        InputError: an unknown name or option, or an engine that isn't installed.
    """
    name, given = _parsed(name)
    options = {**given, **options}
    if name not in names():
        raise InputError(unknown("engine", name, names()))
    if threads is not None and threads < 1:
        raise InputError(f"threads={threads} must be at least 1")
    runtime = getattr(module, "runtime", None)
    if runtime is not None:
        return AsIs(module, runtime=str(runtime), threads=threads)
    chosen = _fastest() if name == "auto" else name
    for package in _NEEDS.get(chosen, ()):
        if importlib.util.find_spec(package) is None:
            raise InputError(f"engine {chosen!r} needs the package {package}: pip install {package}")
    kind = REGISTRY.load(chosen).value
    known = [p for p in inspect.signature(kind).parameters if p not in ("module", "threads")]
    for option in options:
        if option not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InputError(f"engine {chosen!r} has no option {option!r}; {takes}")
    engine: Engine = kind(module, threads=threads, **options)
    if name == "auto":
        engine.details["chosen_by"] = "auto"
    return engine
