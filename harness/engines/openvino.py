"""OpenVINO on the CPU, float32, converted from the torch module in memory."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import openvino
import torch
from torch import Tensor, nn

from nmebench.engines import model_cache
from nmebench.engines.interface import Engine, TraceableModule, class_name
from nmebench.engines.tracing import constants_of_tracing
from nmebench.errors import InputError

__all__ = ["OpenVinoEngine"]


@cache
def _core() -> Any:
    """The process's only ``Core``, which is never released.

    OpenVINO's CPU plugin replaces the alternate signal stack of the thread that loads it, and frees that stack when the
    last network that uses the plugin is deleted. If another thread deletes that network, the first thread keeps a freed
    signal stack, and its next signal ends the process.
    """
    return openvino.Core()


@dataclass
class _Compiled:
    """A compiled network for one size of images, and its idle inference requests."""

    network: Any
    names: tuple[str, ...]
    """Names of the outputs."""
    idle_requests: list[Any] = field(default_factory=list)

    def take_request(self) -> Any:
        """An idle request, or a new one."""
        return self.idle_requests.pop() if self.idle_requests else self.network.create_infer_request()


class OpenVinoEngine(Engine):
    """Runs the network as compiled by OpenVINO: float32 kernels, any batch size.

    A batch is split into one part per stream. The streams run in parallel on separate threads, so that no thread waits
    for the slowest one after every layer. The split depends only on the batch size and the number of threads.

    Converting and compiling take seconds, so the compiled network is stored in the cache folder under the hash of its
    weights, structure, source code, versions, options and processor. A network from the cache gives the same bits as a
    new one. If its outputs differ from plain torch, it is compiled again before that is an error. The
    converter's frontend is called directly, because OpenVINO's ``convert_model`` reports its use over the network.
    """

    name = "openvino"
    same_bits = True

    def __init__(self, module: nn.Module, *, threads: int | None = None) -> None:
        """Keep the network; the first batch converts it, because the conversion needs the size of the images.

        Args:
            module: the network in eval mode; not changed.
            threads: number of CPU threads; None takes torch's number.
        """
        self._module = module
        self._threads = threads or torch.get_num_threads()
        self._streams = next(streams for streams in (4, 3, 2, 1) if self._threads % streams == 0)
        self._compiled: dict[tuple[int, int], _Compiled] = {}
        self._cached_keys: list[str] = []
        self._compile_again = False
        self.details = {
            "openvino": openvino.__version__.split("-")[0],
            "torch": torch.__version__,
            "threads": self._threads,
            "streams": self._streams,
            "precision": "f32",
        }

    def prepare(self, images: Tensor) -> None:
        """Convert and compile the network for images of this size, once per size.

        Raises:
            InputError: OpenVINO can't convert the network.
        """
        size = (images.shape[-2], images.shape[-1])
        if size not in self._compiled:
            self._compiled[size] = self._compile(size)

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name."""
        return self.start(images)()

    def start(self, images: Tensor) -> Callable[[], dict[str, Tensor]]:
        """Start a forward pass with one request per part, and return a function that waits for the outputs."""
        self.prepare(images)
        compiled = self._compiled[images.shape[-2], images.shape[-1]]
        parts = [part.numpy() for part in images.detach().contiguous().tensor_split(self._streams) if len(part)]
        running = [(compiled.take_request(), part) for part in parts]
        for request, part in running:
            request.start_async([part], share_inputs=True)

        def outputs() -> dict[str, Tensor]:
            for request, _ in running:
                request.wait()
            # concatenate copies, because a request reuses its buffers in the next pass.
            found = {
                name: torch.from_numpy(np.concatenate([request.get_output_tensor(i).data for request, _ in running]))
                for i, name in enumerate(compiled.names)
            }
            compiled.idle_requests.extend(request for request, _ in running)
            return found

        return outputs

    def _compile(self, size: tuple[int, int]) -> _Compiled:
        core = _core()
        options = {
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": self._streams,
            # With pinning, the threads of two runs on one machine would share cores while other cores are idle.
            "ENABLE_CPU_PINNING": False,
        }
        processor = (core.get_property("CPU", "FULL_DEVICE_NAME"), torch.backends.cpu.get_cpu_capability())
        key = model_cache.cache_key(
            self._module, openvino.__version__, torch.__version__, size, sorted(options.items()), processor
        )
        found = model_cache.read(key) if key is not None and not self._compile_again else None
        if found is not None:
            try:
                compiled = core.import_model(io.BytesIO(found["compiled"]), "CPU", options)
            except RuntimeError:
                pass  # made by a build of OpenVINO with the same version; it is compiled again
            else:
                self.prepared = "read from the cache"
                self._cached_keys.append(str(key))
                self.constants = tuple(found["constants"].decode().splitlines())
                return _Compiled(compiled, tuple(found["outputs"].decode().split("\n")))
        network, names, self.constants = _convert(self._module, size)
        compiled = core.compile_model(network, "CPU", options)
        self.prepared = "converted and compiled" + (" again" if self._compile_again else "")
        self.prepared += _store(key, compiled, names, self.constants)
        return _Compiled(compiled, names)

    def discard_cached(self) -> bool:
        """Remove the compiled networks that came from the cache, so that the next pass compiles them again."""
        if not self._cached_keys:
            return False
        for key in self._cached_keys:
            model_cache.remove(key)
        self._cached_keys.clear()
        self._compiled.clear()
        self._compile_again = True
        return True


def _store(key: str | None, compiled: Any, names: tuple[str, ...], constants: tuple[str, ...]) -> str:
    """Store a compiled network in the cache; return the reason if that fails, which costs the next run seconds."""
    if key is None:
        return "; not kept, because a class of the network has no source file or its state has no hash"
    try:
        contents = {"outputs": "\n".join(names).encode(), "constants": "\n".join(constants).encode()}
        model_cache.write(key, {"compiled": bytes(compiled.export_model().getbuffer()), **contents})
    except (OSError, RuntimeError) as error:
        return f"; not kept in {model_cache.folder()}: {str(error).splitlines()[0][:200]}"
    return ""


def _reason(error: Exception) -> str:
    """The line of an error that tells the reason: the unknown operations, else the first line about the network."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip()]
    unknown = [line for line in lines if line.startswith("No conversion rule found")]
    unknown += [line for line in lines if line.startswith("Conversion is failed for")]
    about = [line for line in lines if not line.startswith(("Check '", "Exception from ", "FrontEnd API failed"))]
    return [*unknown, *about, *lines, type(error).__name__][0][:200]


def _convert(module: nn.Module, size: tuple[int, int]) -> tuple[Any, tuple[str, ...], tuple[str, ...]]:
    """The network as an OpenVINO model with an open batch size, the names of its outputs, and its constants."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    traceable = TraceableModule(module)
    example = torch.zeros(2, 3, *size)
    try:
        with constants_of_tracing() as constants, torch.no_grad():
            traced = torch.jit.trace(traceable, example, check_trace=False)  # type: ignore[no-untyped-call]
            frontend = FrontEndManager().load_by_framework("pytorch")
            decoder = TorchScriptPythonDecoder(traced, example_input=(example,))
            network = frontend.convert(frontend.load(decoder))
    except Exception as error:  # the tracer, the frontend and its operators raise errors of any class
        raise InputError(
            f"openvino can't convert {class_name(module)}: {_reason(error)}; use --engine torch"
        ) from error
    network.reshape({0: [-1, 3, *size]})
    return network, traceable.names, tuple(constants)
