"""OpenVINO on the CPU, float32, converted from the torch module in memory."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import openvino
import torch
from torch import Tensor, nn

from nmebench.engines import model_cache
from nmebench.engines.interface import Engine, TupleOutputs
from nmebench.errors import InputError

__all__ = ["OpenVinoEngine"]


@cache
def _core() -> Any:
    """The process's one ``Core``, never given up.

    OpenVINO's CPU plugin replaces the alternate signal stack of the thread that loads it, and frees it when the last
    network that holds the plugin is gone, in whatever thread that happens. In another one than the first, the first is
    left with a freed stack, and its next signal ends the process.
    """
    return openvino.Core()


@dataclass
class _Compiled:
    """A network for one size of images, and the requests that no pass is using."""

    network: Any
    names: tuple[str, ...]
    free: list[Any] = field(default_factory=list)

    def request(self) -> Any:
        return self.free.pop() if self.free else self.network.create_infer_request()


class OpenVinoEngine(Engine):
    """The network as OpenVINO compiles it: float32 kernels, any batch size.

    A batch is cut into as many parts as there are streams, which run side by side on threads of their own, so that no
    thread waits for the slowest one after every layer. The parts depend on the batch and the number of threads alone.

    Converting and compiling take seconds, so the compiled network is kept in the cache folder under the hash of its
    weights, structure, versions, options and processor; it gives the same bits as the one that was just compiled. The
    frontend is called directly: OpenVINO's ``convert_model`` reports its use over the network.
    """

    name = "openvino"

    def __init__(self, module: nn.Module, *, threads: int | None = None) -> None:
        """The network is converted with the first batch, when its input is known."""
        self._module = module
        self._threads = threads or torch.get_num_threads()
        self._streams = next(streams for streams in (4, 3, 2, 1) if self._threads % streams == 0)
        self._compiled: dict[tuple[int, int], _Compiled] = {}
        self.details = {
            "openvino": openvino.__version__.split("-")[0],
            "torch": torch.__version__,
            "threads": self._threads,
            "streams": self._streams,
            "precision": "f32",
        }

    def prepare(self, images: Tensor) -> None:
        """Convert and compile for this size."""
        size = (images.shape[-2], images.shape[-1])
        if size not in self._compiled:
            self._compiled[size] = self._compile(size)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Outputs by name."""
        return self.start(images)()

    def start(self, images: Tensor) -> Callable[[], dict[str, Tensor]]:
        """Begin a pass, one request for each part; OpenVINO's streams take requests in turn."""
        self.prepare(images)
        compiled = self._compiled[images.shape[-2], images.shape[-1]]
        parts = [part.numpy() for part in images.detach().contiguous().tensor_split(self._streams) if len(part)]
        running = [(compiled.request(), part) for part in parts]
        for request, part in running:
            request.start_async([part], share_inputs=True)

        def outputs() -> dict[str, Tensor]:
            for request, _ in running:
                request.wait()
            # A request keeps its buffers for the next pass, so what it found is copied.
            found = {
                name: torch.from_numpy(np.concatenate([request.get_output_tensor(i).data for request, _ in running]))
                for i, name in enumerate(compiled.names)
            }
            compiled.free.extend(request for request, _ in running)
            return found

        return outputs

    def _compile(self, size: tuple[int, int]) -> _Compiled:
        core = _core()
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": self._streams,
            # Pinned threads of two runs on one machine would share cores while others idle.
            "ENABLE_CPU_PINNING": False,
        }
        machine = (core.get_property("CPU", "FULL_DEVICE_NAME"), torch.backends.cpu.get_cpu_capability())
        key = model_cache.key(
            self._module, openvino.__version__, torch.__version__, size, sorted(options.items()), machine
        )
        entry = model_cache.fetch(key)
        if entry is not None:
            kept = io.BytesIO((entry / "compiled").read_bytes())
            try:
                compiled = core.import_model(kept, "CPU", options)
            except RuntimeError as error:
                line = str(error).strip().splitlines()[0][:200]
                raise InputError(
                    f"openvino can't load the compiled network {entry}: {line}; remove that folder and run again"
                ) from error
            names = tuple((entry / "outputs").read_text().split("\n"))
            self.prepared = "read from the cache"
        else:
            network, names = _convert(self._module, size)
            compiled = core.compile_model(network, "CPU", options)
            self.prepared = "converted and compiled" + self._keep(key, compiled, names)
        return _Compiled(compiled, names)

    def _keep(self, key: str, compiled: Any, names: tuple[str, ...]) -> str:
        """Keep a compiled network; what to add where that can't be done, which costs seconds in the next run."""
        try:
            with model_cache.store(key) as entry:
                (entry / "compiled").write_bytes(compiled.export_model().getbuffer())
                (entry / "outputs").write_text("\n".join(names))
        except (OSError, RuntimeError) as error:
            return f"; not kept in {Path(model_cache.folder())}: {str(error).splitlines()[0][:200]}"
        return ""


def _convert(module: nn.Module, size: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
    """The network as an OpenVINO model with an open batch, and the names of its outputs."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    wrapped = TupleOutputs(module)
    example = torch.zeros(2, 3, *size)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the tracer warns about every constant size
            traced = torch.jit.trace(wrapped, example, check_trace=False)  # type: ignore[no-untyped-call]
            frontend = FrontEndManager().load_by_framework("pytorch")
            decoder = TorchScriptPythonDecoder(traced, example_input=(example,))
            network = frontend.convert(frontend.load(decoder))
    except Exception as error:  # the tracer, the frontend and each operator fail in ways of their own
        line = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InputError(f"openvino can't convert {type(module).__name__}: {line}; use --engine torch") from error
    network.reshape({0: [-1, 3, *size]})
    return network, wrapped.names
