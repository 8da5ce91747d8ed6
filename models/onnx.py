"""Networks that come as ONNX files, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from nmebench.models.errors import CheckpointError, ModelError
from nmebench.models.onnx_file import read_onnx

__all__ = ["OnnxNetwork"]

LAYOUTS = ("xy", "xs-ys")
"""Orders of landmarks ``[N, 2 K]``."""

_ORDERS = {"xy": "x0, y0, x1, y1, ...", "xs-ys": "all x, then all y"}

MIN_SPREAD_POINTS = 8
"""Number of landmarks from which the order of a flat output is compared with the landmarks' spread."""


class OnnxNetwork(nn.Module):
    """An ONNX network that gives heatmaps or landmarks.

    The graph has one image input and gives heatmaps ``[N, K, h, w]`` or landmarks: ``[N, K, 2]``, ``[N, 2, K]`` or
    ``[N, 2 K]``, whose order ``layout`` states; further dimensions of size 1 don't matter. Any other shape is refused.
    Landmarks become input px, whichever unit the graph gives. A graph that was exported for a batch of one runs one
    face at a time.

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
        layout: Literal["xy", "xs-ys"] = "xy",
        output_name: str | None = None,
        threads: int | None = None,
    ) -> None:
        """Open the graph without running it.

        Args:
            weights: path of the ONNX file.
            kind: which output the network gives; a card's ``[output]`` table sets it.
            unit: unit of the graph's landmarks; required for landmarks, and set by a card's ``[output]`` table.
            layout: order of landmarks ``[N, 2 K]``: ``xy`` (x0, y0, x1, y1, ...) or ``xs-ys`` (all x, then all y); a
                card's ``[output]`` table sets it.
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
        if layout not in LAYOUTS:
            raise ModelError(f"onnx: layout {layout!r} is unknown; {' or '.join(map(repr, LAYOUTS))} is allowed")
        if threads is not None and threads < 1:
            raise ModelError(f"onnx: threads={threads} must be at least 1")
        self.kind = kind
        self.unit = unit
        self.layout = layout
        self.notes: tuple[str, ...] = ()
        """Remarks about the outputs of the first face, for the results."""
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
        self._landmarks_checked = False

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
        landmarks = self._landmarks(output, len(given))
        if self.unit == "crop-fraction":
            landmarks = landmarks * torch.tensor([width, height], dtype=torch.float32, device=output.device)
        return {"landmarks": landmarks}

    def _landmarks(self, output: Tensor, faces: int) -> Tensor:
        """The graph's output as ``[N, K, 2]``, in its unit."""
        shape = list(output.shape)
        if output.ndim < 2 or len(output) != faces:
            raise ModelError(
                f"{self.path} gives {shape} for {faces} images, not landmarks [{faces}, K, 2]; export it with the batch"
                " as the first dimension"
            )
        kind = self._layout_of(shape)
        values = output.reshape(faces, *(size for size in shape[1:] if size != 1))
        if kind == "pairs":
            return values.reshape(faces, -1, 2)
        if kind == "rows":
            return values.reshape(faces, 2, -1).transpose(1, 2).contiguous()
        flat = values.reshape(faces, -1)
        if not self._landmarks_checked:
            self._landmarks_checked = True
            # One face, so that the note doesn't depend on the batch.
            self.notes = _order_note(flat[:1], self.layout)
        return _from_flat(flat, self.layout)

    def _layout_of(self, shape: Sequence[int]) -> str:
        """``pairs`` for ``[N, K, 2]``, ``rows`` for ``[N, 2, K]``, ``flat`` for ``[N, 2 K]``."""
        sizes = [size for size in shape[1:] if size != 1]
        text = f"{self.path} gives {list(shape)}"
        way_out = "export landmarks [N, K, 2]: (x, y) of each"
        if len(sizes) == 1 and sizes[0] % 2 == 0:
            # [N, K, 2] and [N, 2, K] with one landmark are the same two numbers.
            return "pairs" if sizes[0] == 2 else "flat"
        if len(sizes) == 1 and sizes[0] == 3:
            raise ModelError(f"{text}: x, y and a third value; {way_out}")
        if len(sizes) == 2 and 2 in sizes:
            if sizes in ([2, 2], [2, 3]):
                raise ModelError(f"{text}, which can be read in two ways; {way_out}")
            return "pairs" if sizes[1] == 2 else "rows"
        if len(sizes) == 2 and 3 in sizes:
            raise ModelError(f"{text}: x, y and a third value (a score or depth) per landmark; {way_out}")
        raise ModelError(f"{text}, not landmarks [N, K, 2], [N, 2, K] or [N, 2 K]; {way_out}")

    def _choose_output(self, wanted: str | None) -> str:
        """The name of the graph's output to read."""
        outputs = self.session.get_outputs()
        listed = ", ".join(f"{o.name} {o.shape}" for o in outputs)
        if wanted is not None:
            if wanted not in [o.name for o in outputs]:
                raise ModelError(f"{self.path} has no output {wanted!r}; it has {listed}")
            return wanted
        candidates = [o.name for o in outputs if self._fits(list(o.shape))]
        if len(candidates) != 1:
            raise ModelError(f"{self.path}: output_name must say which output holds the {self.kind}: {listed}")
        return str(candidates[0])

    def _fits(self, shape: Sequence[int | str | None]) -> bool:
        """Return True if an output can have the dimensions of ``kind``; open dimensions fit."""
        heatmaps = len(shape) == 4 and 1 not in shape[2:]
        return heatmaps == (self.kind == "heatmaps")

    def _run(self, batch: Any) -> Any:
        try:
            return self.session.run([self.output_name], {self.input_name: batch})[0]
        except Exception as error:  # onnxruntime's errors share no base class
            raise ModelError(f"{self.path} fails on {list(batch.shape)}: {str(error).splitlines()[0][:200]}") from error


def _open_session(path: Path, threads: int | None) -> Any:
    content = read_onnx(path)
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


def _from_flat(flat: Tensor, layout: str) -> Tensor:
    """``[N, 2 K]`` as ``[N, K, 2]``."""
    if layout == "xs-ys":
        return flat.reshape(len(flat), 2, -1).transpose(1, 2).contiguous()
    return flat.reshape(len(flat), -1, 2)


def _order_note(flat: Tensor, layout: str) -> tuple[str, ...]:
    """A note if the landmarks' spread suggests the other order of ``[N, 2 K]``.

    The path from landmark to landmark shows the order. On WFLW and synthface, read as ``xs-ys``, it is 4 to 11 times as
    long as read as ``xy`` if the values are ``xy``, and 0.5 to 0.6 times as long if they are ``xs-ys``.
    """
    if flat.shape[1] < 2 * MIN_SPREAD_POINTS or not bool(torch.isfinite(flat).all()):
        return ()
    paths = {one: _path_length(_from_flat(flat.double(), one)) for one in LAYOUTS}
    ratio = float((paths["xs-ys"] / paths["xy"].clamp_min(1e-12)).median())
    looks = "xy" if ratio > 2 else "xs-ys" if 0.25 < ratio < 1 else layout
    if looks == layout:
        return ()
    return (f'the landmarks spread as if the output held {_ORDERS[looks]}: try layout = "{looks}" in [output]',)


def _path_length(landmarks: Tensor) -> Tensor:
    """Length of the path from landmark to landmark, |dx| + |dy|, by face."""
    return landmarks.diff(dim=1).abs().sum(dim=(1, 2))
