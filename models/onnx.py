"""Networks that come as ONNX files, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from nmebench.models.errors import CheckpointError, ModelError

__all__ = ["OnnxNetwork"]

_EXTERNAL_DATA = b"\x0a\x08location\x12"
"""Protobuf's encoding of the key ``location``, which names another file (``TensorProto.external_data``)."""


class OnnxNetwork(nn.Module):
    """An ONNX network that gives heatmaps or landmarks.

    The graph has one image input and gives heatmaps ``[N, K, h, w]`` or landmarks ``[N, K, 2]``. Landmarks become input
    px, whichever unit the graph gives. A graph that was exported for a batch of one runs one face at a time.

    Source: ONNX Runtime
    """

    reads = "images"
    runtime = "onnxruntime"
    """Tells the engines that this network brings its own runtime, so that they don't convert it."""

    def __init__(
        self,
        *,
        weights: str | Path | None,
        kind: Literal["heatmaps", "landmarks"] = "heatmaps",
        unit: Literal["crop-fraction", "input-px"] | None = None,
        output_name: str | None = None,
        threads: int | None = None,
    ) -> None:
        """Open the graph without running it.

        Args:
            weights: path of the ONNX file.
            kind: which output the network gives; a card's ``[output]`` table sets it.
            unit: unit of the graph's landmarks; required for landmarks, and set by a card's ``[output]`` table.
            output_name: name of the graph's output; None takes the only one with the dimensions of ``kind``.
            threads: number of CPU threads; None leaves it to ONNX Runtime.

        Raises:
            ModelError: an option is wrong, or the graph's input or output doesn't fit.
            CheckpointError: the file can't be read or is no ONNX network.
        """
        super().__init__()
        if weights is None:
            raise ModelError("onnx needs weights: the path of an .onnx file")
        if kind not in ("heatmaps", "landmarks"):
            raise ModelError(f"onnx: kind {kind!r} is unknown; 'heatmaps' or 'landmarks' is allowed")
        if kind == "landmarks" and unit not in ("crop-fraction", "input-px"):
            raise ModelError(f"onnx: landmarks need unit='crop-fraction' or 'input-px', not {unit!r}")
        if threads is not None and threads < 1:
            raise ModelError(f"onnx: threads={threads} must be at least 1")
        self.kind = kind
        self.unit = unit
        self.path = path = Path(weights)
        self.threads = threads
        self.session = _open_session(path, threads)
        inputs = self.session.get_inputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type != "tensor(float)":
            listed = ", ".join(f"{i.name} {i.shape} {i.type}" for i in inputs)
            raise ModelError(f"{path} must read one float image batch [N, 3, H, W]; it reads {listed}")
        batch, channels, height, width = inputs[0].shape
        if isinstance(channels, int) and channels != 3:
            raise ModelError(f"{path} reads {channels} channels, not 3")
        self.batch = batch if isinstance(batch, int) and batch > 0 else None
        if self.batch not in (None, 1):
            raise ModelError(
                f"{path} reads batches of exactly {self.batch}; export it with a batch of 1 or an open one"
            )
        fixed = isinstance(height, int) and isinstance(width, int)
        self.input_size: tuple[int, int] | None = (width, height) if fixed else None
        """Width and height in px; None where the graph leaves them open."""
        self.input_name: str = inputs[0].name
        self.output_name: str = self._choose_output(output_name)

    def use_threads(self, threads: int) -> None:
        """Reopen the graph with another number of threads."""
        if threads != self.threads:
            self.session = _open_session(self.path, threads)
            self.threads = threads

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """``[N, 3, H, W]`` float32 -> ``{"heatmaps": ...}`` or ``{"landmarks": [N, K, 2]}`` in input px.

        Raises:
            ModelError: the images have another size than the graph's input, or the output has an unexpected shape.
        """
        height, width = images.shape[-2:]
        if self.input_size not in (None, (width, height)):
            raise ModelError(f"{self.path} reads {self.input_size} (width, height), not {(width, height)}")
        given = images.detach().to("cpu", torch.float32).contiguous().numpy()
        parts = np.split(given, len(given)) if self.batch == 1 and len(given) > 1 else [given]
        found = np.concatenate([np.asarray(self._run(part)) for part in parts])
        output = torch.from_numpy(found.astype(np.float32, copy=False)).to(images.device)
        if self.kind == "heatmaps":
            if output.ndim != 4 or len(output) != len(given):
                raise ModelError(f"{self.path} gives {list(output.shape)}, not heatmaps [{len(given)}, K, h, w]")
            return {"heatmaps": output}
        if output.numel() % (2 * len(given)):
            raise ModelError(f"{self.path} gives {list(output.shape)}, not {len(given)} times K (x, y) pairs")
        landmarks = output.reshape(len(given), -1, 2)
        if self.unit == "crop-fraction":
            landmarks = landmarks * torch.tensor([width, height], dtype=torch.float32, device=output.device)
        return {"landmarks": landmarks}

    def _choose_output(self, wanted: str | None) -> str:
        """The name of the graph's output to read."""
        outputs = self.session.get_outputs()
        listed = ", ".join(f"{o.name} {o.shape}" for o in outputs)
        if wanted is not None:
            if wanted not in [o.name for o in outputs]:
                raise ModelError(f"{self.path} has no output {wanted!r}; it has {listed}")
            return wanted
        candidates = [o.name for o in outputs if (len(o.shape) == 4) == (self.kind == "heatmaps")]
        if len(candidates) != 1:
            raise ModelError(f"{self.path}: output_name must say which output holds the {self.kind}: {listed}")
        return str(candidates[0])

    def _run(self, batch: Any) -> Any:
        try:
            return self.session.run([self.output_name], {self.input_name: batch})[0]
        except Exception as error:  # onnxruntime's errors share no base class
            raise ModelError(f"{self.path} fails on {list(batch.shape)}: {str(error).splitlines()[0][:200]}") from error


def _open_session(path: Path, threads: int | None) -> Any:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error
    if not content:
        raise CheckpointError(f"{path} is empty (0 bytes); download it again")
    if _EXTERNAL_DATA in content:
        raise CheckpointError(
            f"{path} keeps its weights in another file; save it as one (onnx.save of the loaded model)"
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    if threads is not None:
        options.intra_op_num_threads = threads
    try:
        # From bytes, not from the path: a graph in memory can't name further files.
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no base class
        line = str(error).splitlines()[0][:200]
        raise CheckpointError(f"{path} is no ONNX network that can be run: {line}") from error
