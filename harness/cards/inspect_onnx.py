"""Inspects an ONNX file: how its network reads images, and the outputs of some images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from nmebench.models import ModelError
from nmebench.models.card_input import ImageLayout
from nmebench.models.onnx_session import ImageInput, Value, image_input, open_session, values

__all__ = ["OnnxFacts", "inspect_onnx"]

USUAL_SIDES: Final = (256, 112, 128, 224, 192, 64)
"""Sizes of square inputs to try where a graph leaves its size open, px."""

IMAGES: Final = 2
"""Images that are run."""


@dataclass(frozen=True)
class OnnxFacts:
    """The facts of one file."""

    path: Path
    image: ImageInput
    input: Value
    """The image input as the graph states it."""
    size: tuple[int, int]
    """Width, height in px: the graph's, or the first usual size with which it runs."""
    layout_is_stated: bool
    """False where both layouts are possible and only this one runs."""
    outputs: Mapping[str, NDArray[np.float32]]
    """The tensors that the graph gives for random images, ``[N, ...]``."""
    others: Sequence[str]
    """Outputs that can't be read: no tensors, or without the batch as the first dimension."""

    @property
    def size_is_stated(self) -> bool:
        """True if the graph fixes the size of the images."""
        return self.image.size is not None


def inspect_onnx(path: Path) -> OnnxFacts:
    """Open an ONNX file and run it on two random images.

    Raises:
        ModelError: the graph doesn't read images, or runs at no usual size.
        CheckpointError: the file can't be read or is no ONNX network.
    """
    session = open_session(path, None)
    inputs = values(session.get_inputs())
    problem = ""
    for layout in _layouts(path, inputs):
        image = image_input(path, inputs, layout)
        for size in [image.size] if image.size else [(side, side) for side in USUAL_SIDES]:
            try:
                found = _run(session, image, size)
            except Exception as error:
                problem = problem or str(error).splitlines()[0][:200]
                continue
            outputs, others = found
            return OnnxFacts(path, image, inputs[0], size, layout is None, outputs, others)
    raise ModelError(f"{path} fails on images of every usual size: {problem}")


def _layouts(path: Path, inputs: Sequence[Value]) -> Sequence[ImageLayout | None]:
    """The layouts to try: None where the graph states it."""
    try:
        image_input(path, inputs)
    except ModelError:
        if len(inputs) == 1 and len(inputs[0].shape) == 4 and inputs[0].shape[1] is None and inputs[0].shape[3] is None:
            return ("nchw", "nhwc")
        raise
    return (None,)


def _run(session: Any, image: ImageInput, size: tuple[int, int]) -> tuple[dict[str, NDArray[np.float32]], list[str]]:
    """The outputs of random images by name, and the names of outputs that can't be read."""
    batch = _random_images(size)
    given = batch if image.dtype is np.uint8 else ((batch - 127.5) / 127.5).astype(image.dtype)
    if image.layout == "nchw":
        given = np.ascontiguousarray(given.transpose(0, 3, 1, 2))
    parts = np.split(given, len(given)) if image.batch == 1 else [given]
    names = [value.name for value in values(session.get_outputs())]
    results = [session.run(names, {image.name: part}) for part in parts]
    outputs: dict[str, NDArray[np.float32]] = {}
    others = []
    for name, arrays in zip(names, zip(*results, strict=True), strict=True):
        good = all(
            isinstance(array, np.ndarray) and array.ndim > 1 and len(array) == len(part) and array.dtype != object
            for array, part in zip(arrays, parts, strict=True)
        )
        if good:
            outputs[name] = np.concatenate(arrays).astype(np.float32)
        else:
            others.append(name)
    return outputs, others


def _random_images(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Smooth random images ``[N, H, W, 3]``."""
    coarse = np.random.default_rng(0).integers(0, 256, (IMAGES, 6, 6, 3), dtype=np.uint8)
    return np.stack([np.asarray(cv2.resize(one, size, interpolation=cv2.INTER_CUBIC), np.uint8) for one in coarse])
