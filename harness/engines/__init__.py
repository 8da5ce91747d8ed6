"""Engines run a network's forward pass.

``torch`` (channels last, BatchNorm folded), ``openvino`` and ``onnxruntime`` (float32, converted in memory) run on the
CPU, ``cuda`` on a GPU (with options such as ``cuda:precision=bf16,compile=true``). ``auto`` selects the fastest exact
engine that is installed.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from nmebench.engines.interface import (
    Engine,
    OwnRuntimeEngine,
    check_batch,
    check_engine,
    check_outputs,
    checked_outputs,
    plain_outputs,
)
from nmebench.errors import InputError
from nmebench.registry import Registry
from nmebench.suggest import unknown

__all__ = [
    "Engine",
    "available",
    "check_batch",
    "check_engine",
    "check_outputs",
    "check_spec",
    "checked_outputs",
    "create",
    "device_of",
    "names",
    "plain_outputs",
    "same_bits_for_any_threads",
    "selected",
]

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
"""The engines; other distributions can't add any."""

#: Packages that an engine needs besides torch.
_REQUIRED_PACKAGES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"openvino": ("openvino",), "onnxruntime": ("onnxruntime", "onnx")}
)


def names() -> list[str]:
    """Return every name that :func:`create` takes."""
    return ["auto", *REGISTRY.names()]


def available() -> dict[str, bool]:
    """Return for each engine whether it can run on this machine."""
    found = {name: not _missing_packages(name) for name in REGISTRY.names()}
    found["cuda"] = torch.cuda.is_available()
    return found


def check_spec(spec: str) -> None:
    """Check an engine's name and options without creating it, also where no network of a sweep uses an engine.

    Raises:
        InputError: the name or an option is unknown.

    Example:
        >>> check_spec("tpu")
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: unknown engine 'tpu' (known: auto, torch, openvino, onnxruntime, cuda)
    """
    name, options = _parse_spec(spec)
    if not options:
        return  # importing the engine takes seconds
    chosen = _fastest_available() if name == "auto" else name
    if not _missing_packages(chosen):
        _check_options(chosen, options)


def device_of(spec: str) -> str:
    """Return the device on which an engine would run on this machine: ``cuda`` or ``cpu``.

    Raises:
        InputError: the name is unknown, or the options in ``spec`` are not of the form key=value.

    Example:
        >>> device_of("torch")
        'cpu'
    """
    return "cuda" if selected(spec) == "cuda" else "cpu"


def selected(spec: str) -> str:
    """Return the name of the engine that a spec gives on this machine; a network with its own runtime ignores it.

    Raises:
        InputError: the name is unknown, or the options in ``spec`` are not of the form key=value.

    Example:
        >>> selected("cuda:precision=bf16")
        'cuda'
    """
    name = _parse_spec(spec)[0]
    return _fastest_available() if name == "auto" else name


def same_bits_for_any_threads(spec: str, module: nn.Module) -> bool:
    """Return True if an engine gives the same bits with any number of threads (:attr:`Engine.same_bits`).

    Args:
        spec: the engine's name, with options.
        module: the network; one with its own runtime keeps it.

    Raises:
        InputError: as :func:`device_of`.
    """
    if getattr(module, "runtime", None) is not None:
        return OwnRuntimeEngine.same_bits
    name = selected(spec)
    return not _missing_packages(name) and bool(REGISTRY.load(name).value.same_bits)


def create(spec: str, module: nn.Module, *, threads: int | None = None, **options: Any) -> Engine:
    """Create the engine that runs a network.

    Args:
        spec: an engine's name, with options such as ``cuda:precision=bf16``. ``auto`` selects the fastest exact engine
            that is installed; ``engine.name`` is its name.
        module: a network in eval mode on the CPU; not changed. A network with its own runtime keeps it.
        threads: number of threads of the CPU engines; None takes torch's number.
        **options: further options of the engine; they replace those in ``spec``.

    Raises:
        InputError: the name or an option is unknown, or the engine isn't installed.

    Example:
        >>> network = nn.Sequential(nn.Conv2d(3, 2, 1)).eval()
        >>> create("torch", network).name
        'torch'
        >>> create("cuda:bf16", network)
        Traceback (most recent call last):
            ...
        nmebench.errors.InputError: engine 'cuda:bf16': 'bf16' is not key=value
    """
    name, spec_options = _parse_spec(spec)
    options = {**spec_options, **options}
    if threads is not None and threads < 1:
        raise InputError(f"threads={threads} must be at least 1")
    runtime = getattr(module, "runtime", None)
    if runtime is not None:
        check_spec(spec)
        return OwnRuntimeEngine(module, runtime=str(runtime), threads=threads)
    chosen = _fastest_available() if name == "auto" else name
    if missing := _missing_packages(chosen):
        raise InputError(f"engine {chosen!r} needs the package {missing[0]}: pip install {missing[0]}")
    kind = REGISTRY.load(chosen).value
    _check_options(chosen, options)
    engine: Engine = kind(module, threads=threads, **options)
    if name == "auto":
        engine.details["chosen_by"] = "auto"
    return engine


def _check_options(name: str, options: Iterable[str]) -> None:
    """Refuse options that an engine doesn't take; its packages must be installed."""
    known = [p for p in inspect.signature(REGISTRY.load(name).value).parameters if p not in ("module", "threads")]
    for option in options:
        if option not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InputError(f"engine {name!r} has no option {option!r}; {takes}")


def _missing_packages(name: str) -> list[str]:
    """The packages that an engine needs and that are not installed."""
    return [package for package in _REQUIRED_PACKAGES.get(name, ()) if importlib.util.find_spec(package) is None]


def _fastest_available() -> str:
    """The fastest exact engine that is installed (measurements: docs/engines.md)."""
    found = available()
    return next(name for name in ("cuda", "openvino", "torch") if found[name])


def _parse_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """Split ``cuda:precision=bf16,compile=true`` into its name and options; refuse an unknown name."""
    name, _, rest = spec.partition(":")
    if name.strip() not in names():
        raise InputError(unknown("engine", name.strip(), names()))
    options: dict[str, Any] = {}
    for part in rest.split(",") if rest else []:
        key, equals, value = part.partition("=")
        if not equals:
            raise InputError(f"engine {spec!r}: {part!r} is not key=value")
        options[key.strip()] = {"true": True, "false": False}.get(value.strip(), value.strip())
    return name.strip(), options
