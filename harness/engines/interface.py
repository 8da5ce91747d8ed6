"""What an engine is: something that runs a network's forward pass and says how."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nmebench.errors import InputError

__all__ = ["AsIs", "Engine", "TupleOutputs", "check_engine", "check_outputs", "plain_outputs"]

TOLERANCE = 1e-4
"""Largest difference to plain float32 torch of an exact engine, as a part of the largest output (or of 1)."""


class Engine(abc.ABC):
    """Runs a network: images ``[N, 3, H, W]`` float32 -> its named outputs, float32.

    ``details`` names versions, threads and what was done to the network; it may grow with the first batch. An engine is
    called by one thread: it keeps buffers between calls.
    """

    name: str
    exact: bool = True
    """Whether the arithmetic is float32 throughout."""
    device: str = "cpu"
    """Where the outputs lie."""
    details: dict[str, Any]
    """What a result says of the engine: the same for two runs of the same thing."""
    prepared: str = ""
    """What ``prepare`` did this time, where that depends on an earlier run; for ``timings.json``."""

    def prepare(self, images: Tensor) -> None:  # noqa: B027 - most have nothing to prepare
        """Fold, convert or compile the network for images of this size, once; a call does it where it wasn't done."""

    @abc.abstractmethod
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Outputs by name, each contiguous; ``images`` is not changed."""

    def start(self, images: Tensor) -> Callable[[], dict[str, Tensor]]:
        """Begin a pass; what it returns is called once, and waits for the outputs.

        An engine with threads of its own computes meanwhile, passes in the order in which they were begun. Any other
        computes when the outputs are asked for.
        """
        return partial(self, images)


class TupleOutputs(nn.Module):
    """A network whose outputs are a tuple, in the order of ``names``: what tracers and exporters understand."""

    def __init__(self, module: nn.Module) -> None:
        """Around ``module``, in eval mode."""
        super().__init__()
        self.module = module
        self.names: tuple[str, ...] = ()
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The outputs; their names are kept from the call."""
        outputs: Mapping[str, Tensor] = self.module(images)
        self.names = tuple(outputs)
        return tuple(outputs.values())


class AsIs(Engine):
    """A network that brings its own runtime (an ONNX card's session): no engine can run it otherwise."""

    def __init__(self, module: nn.Module, *, runtime: str, threads: int | None) -> None:
        """``runtime`` is the module's own name for what runs it."""
        self.module = module
        self.name = f"{runtime} (card)"
        self.details = {"runtime": runtime}
        use_threads = getattr(module, "use_threads", None)
        if threads is not None and use_threads is not None:
            use_threads(threads)
            self.details["threads"] = threads

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """The module's own answer."""
        with torch.inference_mode():
            outputs: dict[str, Tensor] = self.module(images)
        return outputs


def plain_outputs(module: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """What the network gives on plain float32 torch: what every engine is held to."""
    with torch.inference_mode():
        return dict(module(images))


def check_engine(engine: Engine, module: nn.Module, images: Tensor) -> float:
    """Largest absolute difference between an engine's outputs and plain float32 torch's on ``images``.

    Args:
        engine: made from ``module``.
        module: the network itself, in eval mode, on the CPU.
        images: ``[N, 3, H, W]`` float32.

    Raises:
        InputError: as :func:`check_outputs`.
    """
    return check_outputs(engine, engine(images), plain_outputs(module, images))


def check_outputs(engine: Engine, outputs: Mapping[str, Tensor], plain: Mapping[str, Tensor]) -> float:
    """Largest absolute difference between what an engine gave and what plain float32 torch gave.

    Args:
        engine: says whether it means to be exact.
        outputs: the engine's, of the same images.
        plain: from :func:`plain_outputs`, of some faces.

    Raises:
        InputError: other outputs than the network's, or an exact engine that is not.
    """
    if set(outputs) != set(plain):
        raise InputError(f"engine {engine.name} gives {sorted(outputs)}, the network gives {sorted(plain)}")
    worst = 0.0
    for name, expected in plain.items():
        value = outputs[name].to("cpu", torch.float32)
        if value.shape != expected.shape:
            raise InputError(
                f"engine {engine.name} gives {name} {list(value.shape)}, the network gives {list(expected.shape)}"
            )
        difference = float((value - expected).abs().max()) if value.numel() else 0.0
        allowed = TOLERANCE * max(1.0, float(expected.abs().max()) if expected.numel() else 1.0)
        if engine.exact and not difference <= allowed:  # not <=: a NaN is no agreement
            raise InputError(
                f"engine {engine.name} differs from plain torch by {difference:.2g} in {name} on the first batch"
                f" (at most {allowed:.2g} is allowed): use --engine torch"
            )
        worst = max(worst, difference)
    return worst
