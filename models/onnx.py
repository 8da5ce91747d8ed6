"""Networks that come as ONNX files, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from nmebench.field_problem import problems
from nmebench.models.card_input import ImageLayout
from nmebench.models.card_output import LAYOUTS, UNITS, Layout, Output, OutputKind, Unit
from nmebench.models.errors import ModelError
from nmebench.models.onnx_session import Value, image_input, open_session, values
from nmebench.models.output_adapter import OutputAdapter
from nmebench.models.output_choice import OutputChoice, fits

__all__ = ["OnnxNetwork"]

_KINDS = ("heatmaps", "landmarks", "simcc")


class OnnxNetwork(nn.Module):
    """An ONNX network that gives heatmaps, landmarks or SimCC's distributions.

    The graph has one image input, ``[N, 3, H, W]`` or ``[N, H, W, 3]``, of float32, float16, float64 or uint8 (pixel
    values). :class:`nmebench.models.output_adapter.OutputAdapter` reads its outputs. A graph that was exported for a
    batch of one runs one face at a time.

    Source: ONNX Runtime
    """

    reads = "images"
    runtime = "onnxruntime"
    """Tells the engines that this network brings its own runtime, so that they don't convert it."""

    def __init__(
        self,
        *,
        weights: str | Path | None,
        output: Output | None = None,
        image_layout: ImageLayout | None = None,
        kind: OutputKind = "heatmaps",
        unit: Unit | None = None,
        layout: Layout = "xy",
        output_name: str | None = None,
        threads: int | None = None,
    ) -> None:
        """Open the graph without running it.

        Args:
            weights: path of the ONNX file.
            output: a card's ``[output]`` table; None makes one of ``kind``, ``unit`` and ``layout``.
            image_layout: order of the input's dimensions, ``nchw`` or ``nhwc``; None takes it from the graph.
            kind: what the network gives.
            unit: unit of the graph's landmarks; required for landmarks.
            layout: order of landmarks.
            output_name: name of the graph's output, as ``names`` in the table.
            threads: number of CPU threads; None leaves it to ONNX Runtime.

        Raises:
            ModelError: an option is wrong, or the graph's input or output doesn't fit.
            CheckpointError: the file can't be read or is no ONNX network.
        """
        super().__init__()
        if weights is None:
            raise ModelError("onnx needs weights: the path of an .onnx file")
        table = output or _table(kind, unit, layout)
        if output_name is not None:
            table = table.model_copy(update={"names": (output_name,)})
        if table.kind == "landmarks" and table.unit is None:
            allowed = " or ".join(map(repr, UNITS))
            raise ModelError(f"onnx: landmarks need unit={allowed}, not None")
        if threads is not None and threads < 1:
            raise ModelError(f"onnx: threads={threads} must be at least 1")
        self.path = path = Path(weights)
        self.threads = threads
        self.session = open_session(path, threads)
        self.image = image_input(path, values(self.session.get_inputs()), image_layout)
        self.input_size = self.image.size
        """Width and height in px; None where the graph leaves them open."""
        self.adapter = OutputAdapter(table, str(path))
        self.outputs = self.adapter.outputs
        self.fetched = self._choose_outputs(values(self.session.get_outputs()))
        """Names of the graph's outputs that are computed."""

    @property
    def input_dtype(self) -> str:
        """Name of the type of the values that the graph reads, such as ``uint8``."""
        return str(np.dtype(self.image.dtype).name)

    def use_threads(self, threads: int) -> None:
        """Reopen the graph with another number of threads."""
        if threads != self.threads:
            self.session = open_session(self.path, threads)
            self.threads = threads

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` float32 -> the named outputs of the card's kind.

        Raises:
            ModelError: the images have another size or other values than the graph's input, or an output has an
                unexpected shape.
        """
        found: dict[str, Tensor] = self.adapter(self.raw(images), images)
        return found

    def raw(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` float32 -> the graph's own outputs by name, float32.

        Raises:
            ModelError: the images have another size or other values than the graph's input, or the graph fails.
        """
        height, width = images.shape[-2:]
        if self.input_size not in (None, (width, height)):
            raise ModelError(f"{self.path} reads {self.input_size} (width, height), not {(width, height)}")
        given = self._as_input(images)
        parts = np.split(given, len(given)) if self.image.batch == 1 and len(given) > 1 else [given]
        results = [self._run(part) for part in parts]
        return {
            name: torch.from_numpy(np.concatenate(arrays).astype(np.float32, copy=False)).to(images.device)
            for name, arrays in zip(self.fetched, zip(*results, strict=True), strict=True)
        }

    def _as_input(self, images: Tensor) -> Any:
        """Images in the graph's layout and type."""
        given = images.detach().to("cpu", torch.float32)
        if self.image.layout == "nhwc":
            given = given.permute(0, 2, 3, 1)
        array = given.contiguous().numpy()
        if self.image.dtype is np.uint8 and (
            (array < 0).any() or (array > 255).any() or (array != np.rint(array)).any()
        ):
            raise ModelError(
                f"{self.path} reads uint8 pixel values: set mean = [0, 0, 0] and std = [1, 1, 1] in [input]"
            )
        return array.astype(self.image.dtype, copy=False)

    def _run(self, batch: Any) -> list[Any]:
        try:
            arrays = self.session.run(list(self.fetched), {self.image.name: batch})
        except Exception as error:  # onnxruntime's errors share no base class
            raise ModelError(f"{self.path} fails on {list(batch.shape)}: {str(error).splitlines()[0][:200]}") from error
        for name, array in zip(self.fetched, arrays, strict=True):
            if isinstance(array, np.ndarray) and array.dtype.kind not in "fiub":
                raise ModelError(f"{self.path} gives {name} of type {array.dtype}, not numbers; name another output")
            if not isinstance(array, np.ndarray) or array.ndim == 0 or len(array) != len(batch):
                shape = list(array.shape) if isinstance(array, np.ndarray) else type(array).__name__
                raise ModelError(
                    f"{self.path} gives {name} {shape} for {len(batch)} images: export it with the batch as the first"
                    " dimension"
                )
        return list(arrays)

    def _choose_outputs(self, outputs: Sequence[Value]) -> tuple[str, ...]:
        """Names of the outputs to compute; the adapter chooses among them."""
        table, listed = self.adapter.output, ", ".join(map(str, outputs))
        names = [value.name for value in outputs]
        for name in table.names:
            if name not in names:
                raise ModelError(f"{self.path} has no output {name!r} (names in [output]); it gives {listed}")
        if table.names:
            return table.names
        tensors = [value for value in outputs if value.type.startswith("tensor(")]
        if len(tensors) == 1 and table.kind != "simcc":
            return (tensors[0].name,)  # the adapter says what is wrong with it
        fitting = [value.name for value in tensors if fits(table, value.shape)]
        if (
            set(self.outputs) <= set(fitting)  # the project's names
            or (table.stack is not None and fitting)
            or (len(fitting) in OutputChoice(table, str(self.path)).counts and table.kind != "simcc")
        ):
            return tuple(fitting)
        example = 'names = ["x", "y"]' if table.kind == "simcc" else 'names = ["..."]'
        raise ModelError(
            f"{self.path} gives {listed}: {example} in [output] must say which output holds the {table.kind}"
        )


def _table(kind: str, unit: str | None, layout: str) -> Output:
    """An ``[output]`` table of the options."""
    for name, value, allowed in (("kind", kind, _KINDS), ("layout", layout, LAYOUTS)):
        if value not in allowed:
            raise ModelError(f"onnx: {name} {value!r} is unknown; {' or '.join(map(repr, allowed))} is allowed")
    if kind == "landmarks" and unit not in UNITS:
        raise ModelError(f"onnx: landmarks need unit={' or '.join(map(repr, UNITS))}, not {unit!r}")
    try:
        return Output.model_validate({"kind": kind, "unit": unit if kind == "landmarks" else None, "layout": layout})
    except ValidationError as error:
        raise ModelError(f"onnx: {problems(error)}") from error
