"""The interface of engines, and the check of an engine against plain torch."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from nmebench.errors import InputError
from nmebench.models.adapted_network import AdaptedNetwork
from nmebench.printable import counted

__all__ = [
    "Engine",
    "OwnRuntimeEngine",
    "TraceableModule",
    "check_batch",
    "check_engine",
    "check_outputs",
    "checked_outputs",
    "class_name",
    "plain_outputs",
]

TOLERANCE = 1e-4
"""Allowed difference of an exact engine to plain float32 torch, relative to the largest output (or to 1 if larger)."""


class Engine(abc.ABC):
    """Runs a network's forward pass: images ``[N, 3, H, W]`` float32 -> named outputs, float32.

    Only one thread may call an engine, because it keeps buffers between calls.
    """

    name: str
    """The engine and its options, as stored in a run."""
    exact: bool = True
    """True if all arithmetic is float32."""
    same_bits: bool = False
    """True if the outputs are the same bits for any number of threads, so that workers may divide the threads."""
    device: str = "cpu"
    """Device of the outputs: ``cpu`` or ``cuda``."""
    details: dict[str, Any]
    """Versions, threads and changes to the network, which a run stores; equal for two equal runs.

    Preparing the engine can add entries.
    """
    constants: tuple[str, ...] = ()
    """Python values of the network's own code that the conversion made constants, such as ``len(...) in net.py:8``."""
    prepared: str = ""
    """The action of ``prepare``, if it depends on the cache; stored in ``timings.json``."""

    def prepare(self, images: Tensor) -> None:  # noqa: B027 - most engines have nothing to prepare
        """Fold, convert or compile the network for images of this size.

        Calling the engine prepares it if necessary.
        """

    def discard_cached(self) -> bool:
        """Discard what ``prepare`` read from a cache, so that the next pass prepares it again.

        Returns:
            Whether anything had come from a cache.
        """
        return False

    def way_out(self) -> str:
        """Return what to do about outputs that the engine gets wrong or can't compute, for messages."""
        if self.name == "torch":
            return "do the outputs of a face depend on the other faces of its batch? If not, please report this fault"
        if self.constants:
            more = f" and {len(self.constants) - 3} more" if len(self.constants) > 3 else ""
            return (
                f"the conversion made {', '.join(self.constants[:3])}{more} a constant; use x.shape[0] and tensor "
                "operations there, or --engine torch"
            )
        return "use --engine torch"

    @abc.abstractmethod
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name, each contiguous; ``images`` is not changed."""

    def start(self, images: Tensor) -> Callable[[], dict[str, Tensor]]:
        """Start a forward pass and return a function that waits for its outputs; call the function once.

        An engine with its own threads computes in the background, in the order of the calls. Any other engine computes
        when the returned function is called.
        """
        return partial(self, images)


def class_name(module: nn.Module) -> str:
    """Return the name of a network's own class, without the wrapper that converts its outputs, for messages."""
    return type(module.module if isinstance(module, AdaptedNetwork) else module).__name__


class TraceableModule(nn.Module):
    """A network that returns its outputs as a tuple, because tracers and exporters don't understand dictionaries."""

    def __init__(self, module: nn.Module) -> None:
        """Wrap ``module`` and switch to eval mode."""
        super().__init__()
        self.module = module
        self.names: tuple[str, ...] = ()
        """Names of the outputs, in the tuple's order; known after the first call."""
        self.eval()

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of ``images`` and remember their names."""
        outputs: Mapping[str, Tensor] = self.module(images)
        self.names = tuple(outputs)
        return tuple(outputs.values())


class OwnRuntimeEngine(Engine):
    """Calls a network that brings its own runtime, such as an ONNX session, which no other engine can run."""

    def __init__(self, module: nn.Module, *, runtime: str, threads: int | None) -> None:
        """Set the module's number of threads, if it has a method ``use_threads``.

        Args:
            module: the network.
            runtime: name of the module's runtime.
            threads: number of CPU threads; None leaves it as it is.
        """
        self.module = module
        self.name = f"{runtime} (card)"
        self.details = {"runtime": runtime}
        use_threads = getattr(module, "use_threads", None)
        if threads is not None and use_threads is not None:
            use_threads(threads)
            self.details["threads"] = threads

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return the module's outputs."""
        with torch.inference_mode():
            outputs: dict[str, Tensor] = self.module(images)
        return outputs


def plain_outputs(module: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """Return the network's outputs on plain float32 torch, the reference for every engine."""
    with torch.inference_mode():
        return dict(module(images))


def check_engine(engine: Engine, module: nn.Module, images: Tensor) -> float:
    """Compare an engine's outputs for ``images`` with plain float32 torch.

    Args:
        engine: made from ``module``.
        module: the network in eval mode on the CPU.
        images: ``[N, 3, H, W]`` float32.

    Returns:
        The largest absolute difference over all outputs.

    Raises:
        InputError: as :func:`checked_outputs`.
    """
    return checked_outputs(engine, images, lambda: plain_outputs(module, images))[1]


def checked_outputs(
    engine: Engine,
    images: Tensor,
    plain: Callable[[], Mapping[str, Tensor]],
    faces: Sequence[int] | None = None,
) -> tuple[dict[str, Tensor], float]:
    """Return an engine's outputs after comparing them with plain float32 torch.

    A network that the engine has read from a cache and whose outputs differ is prepared again, once. So a cache entry
    that doesn't belong to the network costs time, and neither a wrong number nor an error.

    Args:
        engine: the engine.
        images: ``[N, 3, H, W]`` float32.
        plain: returns the outputs of plain torch for ``faces``; it is called after the engine.
        faces: positions in the batch to compare; None compares all of them.

    Returns:
        The outputs of all images by name, and the largest absolute difference over the compared faces.

    Raises:
        InputError: as :func:`check_outputs`.
    """

    def compared(outputs: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        return outputs if faces is None else {name: value[list(faces)] for name, value in outputs.items()}

    outputs = engine.start(images)()
    expected = plain()
    try:
        check_batch(engine, outputs, len(images))
        return outputs, check_outputs(engine, compared(outputs), expected)
    except InputError:
        if not engine.discard_cached():
            raise
    outputs = engine.start(images)()
    check_batch(engine, outputs, len(images))
    return outputs, check_outputs(engine, compared(outputs), expected)


def check_batch(engine: Engine, outputs: Mapping[str, Tensor], faces: int) -> None:
    """Check that an engine gives every output for every face of a batch.

    Args:
        engine: the engine.
        outputs: its outputs.
        faces: the number of images in the batch.

    Raises:
        InputError: the first dimension of an output isn't the batch: the conversion made the batch size a constant.
    """
    for name, value in outputs.items():
        if value.shape[:1] != (faces,):
            way_out = engine.way_out()
            if not engine.constants:
                way_out = (
                    "the conversion made the batch size a constant; use x.shape[0] and no Python loop over faces in "
                    "its forward, or --engine torch"
                )
            raise InputError(
                f"engine {engine.name} gives {name} {list(value.shape)} for {counted(faces, 'face')}: {way_out}"
            )


def check_outputs(engine: Engine, outputs: Mapping[str, Tensor], plain: Mapping[str, Tensor]) -> float:
    """Compare outputs of an engine with the outputs of plain float32 torch.

    Args:
        engine: the engine; ``engine.exact`` decides whether a difference is an error.
        outputs: the engine's outputs.
        plain: outputs of the same images from :func:`plain_outputs`.

    Returns:
        The largest absolute difference over all outputs.

    Raises:
        InputError: the names or shapes of the outputs differ, or an exact engine exceeds :data:`TOLERANCE`.
    """
    if set(outputs) != set(plain):
        raise InputError(f"engine {engine.name} gives {sorted(outputs)}, the network gives {sorted(plain)}")
    worst = 0.0
    for name, expected in plain.items():
        value = outputs[name].to("cpu", torch.float32)
        if value.shape != expected.shape:
            raise InputError(
                f"engine {engine.name} gives {name} {list(value.shape)}, the network gives {list(expected.shape)}: "
                f"{engine.way_out()}"
            )
        difference = float((value - expected).abs().max()) if value.numel() else 0.0
        allowed = TOLERANCE * max(1.0, float(expected.abs().max()) if expected.numel() else 1.0)
        if engine.exact and not difference <= allowed:  # "not <=" also refuses NaN
            raise InputError(
                f"engine {engine.name} differs from plain torch by {difference:.2g} in {name} on the first batch"
                f" (at most {allowed:.2g} is allowed): {engine.way_out()}"
            )
        worst = max(worst, difference)
    return worst
