"""Opens an ONNX file with ONNX Runtime and reads how it takes images: name, type, layout, batch and size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime

from nmebench.models.card_input import ImageLayout
from nmebench.models.errors import CheckpointError, ModelError
from nmebench.models.onnx_file import read_onnx

__all__ = ["ImageInput", "Value", "image_input", "open_session", "values"]

#: Types of an image input that pixel values fit in.
_TYPES: Mapping[str, Any] = MappingProxyType(
    {
        "tensor(float)": np.float32,
        "tensor(float16)": np.float16,
        "tensor(double)": np.float64,
        "tensor(uint8)": np.uint8,
    }
)


@dataclass(frozen=True, slots=True)
class Value:
    """An input or output of a graph."""

    name: str
    shape: tuple[int | None, ...]
    """None for an open dimension; empty where the graph doesn't state the number of dimensions."""
    type: str
    """ONNX Runtime's name of the type, such as ``tensor(float16)``."""

    def __str__(self) -> str:
        """Return name, dimensions and type."""
        sides = ", ".join("?" if side is None else str(side) for side in self.shape)
        return f"{self.name} [{sides}] {self.type.removeprefix('tensor(').removesuffix(')')}"


@dataclass(frozen=True, slots=True)
class ImageInput:
    """The image input of a graph."""

    name: str
    dtype: Any
    """NumPy type of the values."""
    layout: ImageLayout
    batch: int | None
    """1 for a graph that was exported for one face; None for an open batch."""
    size: tuple[int, int] | None
    """Width and height in px; None where the graph leaves them open."""


def open_session(path: Path, threads: int | None) -> Any:
    """Return an inference session on the CPU.

    Raises:
        CheckpointError: the file can't be read or is no ONNX network.
    """
    content = read_onnx(path)
    onnxruntime.set_default_logger_severity(4)  # messages name no file; the errors do
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        # From bytes, not from the path: a graph in memory can't name further files.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # onnxruntime's errors share no base class
        line = str(error).splitlines()[0][:200]
        raise CheckpointError(f"{path} is no ONNX network that can be run: {line}") from error


def values(nodes: Sequence[Any]) -> tuple[Value, ...]:
    """Return ONNX Runtime's inputs or outputs as :class:`Value`."""
    return tuple(
        Value(
            node.name,
            tuple(side if isinstance(side, int) and side > 0 else None for side in node.shape or ()),
            node.type,
        )
        for node in nodes
    )


def image_input(path: Path, inputs: Sequence[Value], layout: ImageLayout | None = None) -> ImageInput:
    """Return how a graph reads images.

    Args:
        path: the file, for messages.
        inputs: of the graph.
        layout: order of the dimensions; None takes it from the graph.

    Raises:
        ModelError: the graph doesn't read one batch of images, or its layout isn't clear.
    """
    listed = ", ".join(map(str, inputs)) or "nothing"
    if len(inputs) != 1:
        raise ModelError(
            f"{path} reads {len(inputs)} inputs ({listed}), and only one batch of images can be given to it: export it"
            " with one input, the others as constants"
        )
    image = inputs[0]
    if len(image.shape) != 4 or image.type not in _TYPES:
        raise ModelError(
            f"{path} reads {listed}, not one batch of images [N, 3, H, W] or [N, H, W, 3] of float32, float16, float64"
            " or uint8"
        )
    batch, height, width = image.shape[0], image.shape[2], image.shape[3]
    found = _layout_of(path, image, layout)
    if found == "nhwc":
        height, width = image.shape[1], image.shape[2]
    if batch not in (None, 1):
        raise ModelError(f"{path} reads batches of exactly {batch}; export it with a batch of 1 or an open one")
    size = None if height is None or width is None else (width, height)
    return ImageInput(image.name, _TYPES[image.type], found, batch, size)


def _layout_of(path: Path, image: Value, layout: ImageLayout | None) -> ImageLayout:
    """The declared layout, or the one whose dimension of channels is 3."""
    channels: dict[ImageLayout, int | None] = {"nchw": image.shape[1], "nhwc": image.shape[3]}
    if layout is not None:
        if channels[layout] not in (None, 3):
            raise ModelError(
                f'{path} reads {image}: with layout = "{layout}" that is {channels[layout]} channels, not 3'
            )
        return layout
    fitting: list[ImageLayout] = [name for name, count in channels.items() if count == 3]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting and None not in channels.values():
        raise ModelError(f"{path} reads {image}: neither dimension 1 nor dimension 3 is the 3 channels of an image")
    if not fitting and sum(count is None for count in channels.values()) == 1:
        return next(name for name, count in channels.items() if count is None)
    raise ModelError(
        f'{path} reads {image}, which doesn\'t show where the channels are: layout in [input] must be "nchw" or "nhwc"'
    )
