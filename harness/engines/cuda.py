"""Torch on one CUDA device: channels last, BatchNorm folded, outputs left on the device."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from nmebench.engines.folding import fold_batch_norms
from nmebench.engines.interface import Engine
from nmebench.engines.pinned_copy import CudaCopies, CudaDevice
from nmebench.errors import InputError

__all__ = ["CudaEngine"]

PRECISIONS = ("float32", "tf32", "bf16")


class CudaEngine(Engine):
    """Runs a folded copy of the network on the GPU.

    With ``float32`` all arithmetic is float32: TF32, which cuDNN and cuBLAS can use without notice, is off during the
    pass. Options that are not the default are part of the engine's name in every result.
    """

    device = "cuda"
    same_bits = True

    def __init__(
        self,
        module: nn.Module,
        *,
        threads: int | None = None,
        precision: str = "float32",
        compile: bool = False,  # noqa: A002
    ) -> None:
        """Check the options; the first batch moves a folded copy of ``module`` to the device.

        Args:
            module: the network in eval mode on the CPU; not changed.
            threads: recorded in ``details`` only.
            precision: ``float32``, ``tf32`` or ``bf16`` (autocast).
            compile: whether to compile the network with ``torch.compile``.

        Raises:
            InputError: the precision is unknown, or torch finds no CUDA device.
        """
        if precision not in PRECISIONS:
            raise InputError(f"engine cuda: precision {precision!r} is unknown; one of {', '.join(PRECISIONS)}")
        if not torch.cuda.is_available():
            raise InputError("engine cuda: torch finds no CUDA device here; use --engine auto")
        options = [f"precision={precision}"] if precision != "float32" else []
        options += ["compile=true"] if compile else []
        self.name = "cuda" + (":" + ",".join(options) if options else "")
        self.exact = precision == "float32"
        self._precision = precision
        self._compile = compile
        self._module = module
        self._network: Any = None
        self._copies: CudaCopies | None = None
        self.details = {
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
            "gpu": torch.cuda.get_device_name(),
            "precision": precision,
            "compile": compile,
            "layout": "channels last",
            "threads": threads,
        }

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Return the outputs by name, float32, on the device."""
        return self.start(images)()

    def start(self, images: Tensor) -> Callable[[], dict[str, Tensor]]:
        """Start a forward pass; the returned function doesn't wait, because the device computes in the order of calls.

        The images are copied while the device computes the pass before.
        """
        outputs = self._outputs(images)
        return lambda: outputs

    def _outputs(self, images: Tensor) -> dict[str, Tensor]:
        self.prepare(images)
        tf32 = self._precision == "tf32"
        mixed = torch.autocast("cuda", torch.bfloat16) if self._precision == "bf16" else nullcontext()
        matmul = torch.backends.cuda.matmul
        before = matmul.allow_tf32
        matmul.allow_tf32 = tf32
        try:
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=tf32), mixed:
                outputs = self._network(self._to_device(images))
                return {name: value.float().contiguous() for name, value in outputs.items()}
        finally:
            matmul.allow_tf32 = before

    def prepare(self, images: Tensor) -> None:
        """Fold the network and move it to the device, once."""
        if self._network is not None:
            return
        folded, count, total = fold_batch_norms(copy.deepcopy(self._module).cpu(), images.cpu())
        self.details["batch_norms_folded"] = f"{count} of {total}"
        network: Any = folded.to("cuda").to(memory_format=torch.channels_last)
        self._network = torch.compile(network, dynamic=False) if self._compile else network

    def _to_device(self, images: Tensor) -> Tensor:
        """Copy images to the device, beside the pass before."""
        if images.is_cuda:
            return images.contiguous(memory_format=torch.channels_last)
        if self._copies is None:
            self._copies = CudaCopies(CudaDevice())
        return self._copies(images)
