"""ONNX Runtime on the CPU, float32, exported from the torch module in memory."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import onnxruntime
import torch
from torch import Tensor, nn

from nmebench.engines.interface import Engine, TraceableModule, class_name
from nmebench.engines.tracing import constants_of_tracing
from nmebench.errors import InputError

__all__ = ["OnnxRuntimeEngine"]

OPSET = 17


class OnnxRuntimeEngine(Engine):
    """Runs the network as an ONNX graph with an open batch size.

    It can be slow in a process that also uses torch.
    """

    name = "onnxruntime"
    same_bits = True

    def __init__(self, module: nn.Module, *, threads: int | None = None) -> None:
        """Keep the network; the first batch exports it, because the export needs the size of the images.

        Args:
            module: the network in eval mode; not changed.
            threads: number of CPU threads; None takes torch's number.
        """
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
        """Export the network for images of this size, once per size.

        Raises:
            InputError: ONNX Runtime can't run the network.
        """
        size = (images.shape[-2], images.shape[-1])
        if size not in self._sessions:
            self._sessions[size] = self._export(size)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name."""
        self.prepare(images)
        session, names = self._sessions[images.shape[-2], images.shape[-1]]
        found = session.run(list(names), {"images": images.detach().contiguous().numpy()})
        return {name: torch.from_numpy(value) for name, value in zip(names, found, strict=True)}

    def _export(self, size: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
        """A session for images of ``size`` (height, width), and the names of its outputs."""
        traceable = TraceableModule(self._module)
        example = torch.zeros(2, 3, *size)
        graph: Any = io.BytesIO()  # Any, because the exporter's annotation leaves out buffers
        try:
            with constants_of_tracing() as constants, torch.no_grad(), _without_log():
                traceable(example)
                names = traceable.names
                torch.onnx.export(
                    traceable,
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
            options.log_severity_level = 4  # errors are raised too
            self.constants = tuple(constants)
            session = onnxruntime.InferenceSession(graph.getvalue(), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the exporter, its operators and the runtime raise errors of any class
            line = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
            raise InputError(f"onnxruntime can't run {class_name(self._module)}: {line}; use --engine torch") from error
        return session, names


@contextmanager
def _without_log() -> Iterator[None]:
    """Keep the exporter from printing the complete graph of a network that it can't export."""
    # torch's own switch has no effect: torch.onnx turns the log on for each export.
    log = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *_: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = log
