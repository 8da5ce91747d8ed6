"""ONNX Runtime on the CPU, float32, exported from the torch module in memory."""

from __future__ import annotations

import io
import warnings
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from nmebench.engines.interface import Engine, TupleOutputs
from nmebench.errors import InputError

__all__ = ["OnnxRuntimeEngine"]

OPSET = 17


class OnnxRuntimeEngine(Engine):
    """The network as an ONNX graph with an open batch; it can be slow in a process that also uses torch."""

    name = "onnxruntime"

    def __init__(self, module: nn.Module, *, threads: int | None = None) -> None:
        """The network is exported with the first batch, when its input is known."""
        self._module = module
        self._threads = threads or torch.get_num_threads()
        self._sessions: dict[tuple[int, int], tuple[Any, tuple[str, ...]]] = {}
        self.details = {
            "onnxruntime": onnxruntime.__version__,
            "torch": torch.__version__,
            "threads": self._threads,
            "opset": OPSET,
        }

    def prepare(self, images: Tensor) -> None:
        """Export for this size."""
        size = (images.shape[-2], images.shape[-1])
        if size not in self._sessions:
            self._sessions[size] = self._export(size)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Outputs by name."""
        self.prepare(images)
        session, names = self._sessions[images.shape[-2], images.shape[-1]]
        found = session.run(list(names), {"images": images.detach().contiguous().numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(names, found, strict=True)}

    def _export(self, size: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
        wrapped = TupleOutputs(self._module)
        example = torch.zeros(2, 3, *size)
        graph: Any = io.BytesIO()  # the exporter takes a buffer, its annotation doesn't say so
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # the tracer warns about every constant size
                wrapped(example)
                names = wrapped.names
                torch.onnx.export(
                    wrapped,
                    (example,),
                    graph,
                    dynamo=False,
                    opset_version=OPSET,
                    input_names=["images"],
                    output_names=list(names),
                    dynamic_axes={name: {0: "n"} for name in ("images", *names)},
                )
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self._threads
            options.log_severity_level = 3
            session = onnxruntime.InferenceSession(graph.getvalue(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the exporter, each operator and the runtime fail in ways of their own
            line = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise InputError(
                f"onnxruntime can't run {type(self._module).__name__}: {line}; use --engine torch"
            ) from error
        return session, names
