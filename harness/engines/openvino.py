"""OpenVINO on the CPU, float32, converted from the torch module in memory."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import openvino
import torch
from torch import Tensor, nn

from harness.engines import model_cache
from harness.engines.interface import Engine, TupleOutputs
from harness.errors import InputError

__all__ = ["OpenVinoEngine"]


class OpenVinoEngine(Engine):
    """The network as OpenVINO compiles it: float32 kernels, any batch size.

    Converting takes seconds, so the converted network is kept in the cache folder under the hash of its weights,
    structure and versions. The frontend is called directly: OpenVINO's ``convert_model`` reports its use over the
    network.
    """

    name = "openvino"

    def __init__(self, module: nn.Module, *, threads: int | None = None) -> None:
        """The network is converted with the first batch, when its input is known."""
        self._module = module
        self._threads = threads or torch.get_num_threads()
        self._compiled: dict[tuple[int, int], tuple[Any, tuple[str, ...]]] = {}
        self.details = {
            "openvino": openvino.__version__.split("-")[0],
            "torch": torch.__version__,
            "threads": self._threads,
            "precision": "f32",
        }

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Outputs by name."""
        size = (images.shape[-2], images.shape[-1])
        if size not in self._compiled:
            self._compiled[size] = self._compile(size)
        request, names = self._compiled[size]
        found = request.infer([images.detach().contiguous().numpy()], share_inputs=True)
        return {name: torch.from_numpy(found[i]) for i, name in enumerate(names)}

    def _compile(self, size: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
        key = model_cache.key(self._module, openvino.__version__, torch.__version__, size)
        core = openvino.Core()
        entry = model_cache.fetch(key)
        self.details["converted"] = "from the cache" if entry else "now"
        if entry is not None:
            network = core.read_model(entry / "network.xml")
            names = tuple((entry / "outputs").read_text().split("\n"))
        else:
            network, names = _convert(self._module, size)
            self._keep(key, network, names)
        compiled = core.compile_model(
            network,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "f32",
                "INFERENCE_NUM_THREADS": self._threads,
                "PERFORMANCE_HINT": "LATENCY",
                # Pinned threads of two runs on one machine would share cores while others idle.
                "ENABLE_CPU_PINNING": False,
            },
        )
        return compiled.create_infer_request(), names

    def _keep(self, key: str, network: Any, names: tuple[str, ...]) -> None:
        try:
            with model_cache.store(key) as entry:
                openvino.save_model(network, entry / "network.xml", compress_to_fp16=False)
                (entry / "outputs").write_text("\n".join(names))
        except (OSError, RuntimeError) as error:
            # A cache that can't be written costs seconds in the next run, and nothing in this one.
            self.details["cache"] = f"not written to {Path(model_cache.folder())}: {str(error).splitlines()[0][:200]}"


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
