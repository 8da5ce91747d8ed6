"""Runs one face through each network in plain torch and checks the outputs, before any engine starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from nmebench.boxes import Boxes
from nmebench.datasets.dataset import Dataset
from nmebench.engines import Engine
from nmebench.errors import InputError
from nmebench.geometry import Geometry
from nmebench.geometry import crop as cropping
from nmebench.geometry.scheme import Scheme
from nmebench.models import Built
from nmebench.models.errors import ModelError
from nmebench.models.python_code import described, own_errors
from nmebench.sweep.batch_store import BatchStore
from nmebench.sweep.clock import Clock
from nmebench.sweep.crop_loader import CropLoader
from nmebench.sweep.network_scheme import mapping_hint

__all__ = ["check", "check_outputs", "engine_errors"]

#: Largest difference of a face's outputs alone and in the pair, relative to the largest output.
_TOLERANCE = 1e-3

#: Dimensions of each output, for messages; the first two are faces and landmarks.
_SHAPES = {
    "heatmaps": "[N, K, h, w]",
    "logits": "[N, K, h, w]",
    "landmarks": "[N, K, 2]",
    "offsets": "[N, K, 2, h, w]",
    "simcc_x": "[N, K, bins]",
    "simcc_y": "[N, K, bins]",
}


def check(
    built: Built, dataset: Dataset, boxes: Boxes, kept_crops: BatchStore | None = None, *, scheme: Scheme | None = None
) -> None:
    """Run the first face through a network, alone and beside its dark mirror image, and check both outputs.

    The pair shows what one face can't: a forward pass that only works for a batch of one, and outputs that depend on
    the other faces of the batch or on chance (BatchNorm in training mode, ``F.dropout`` that is always on).

    Args:
        built: the network.
        dataset: the faces.
        boxes: their boxes on the input's aspect ratio.
        kept_crops: crops of an earlier sweep; None reads the photograph.
        scheme: the scheme of the network's landmarks; None for the data set's.

    Raises:
        InputError: the network fails or its outputs can't be used; one line names the network and the reason.
    """
    card = built.card
    geometry = Geometry(boxes.centre, boxes.size, card.input.size, crop=card.input.convention, grid=built.grid)
    pair = _pair(built, dataset, boxes, geometry, kept_crops)
    who = f"model {card.name!r}"
    size = f"forward for {list(pair.shape)}"
    with torch.inference_mode():
        with own_errors(who, f"forward for {[1, *pair.shape[1:]]}"):
            alone: Any = built.module(pair[:1])
        check_outputs(built, dataset, alone, 1, scheme=scheme)
        with own_errors(who, size):
            both: Any = built.module(pair)
        check_outputs(built, dataset, both, 2, scheme=scheme)
    for name, value in alone.items():
        if both[name].shape[1:] != value.shape[1:]:
            raise InputError(
                f"{who}: gives {name} {list(value.shape)} of a face alone and {list(both[name].shape)} of two: all"
                " dimensions after the first must agree"
            )
        difference = float((both[name][:1].float() - value.float()).abs().max()) if value.numel() else 0.0
        if difference > _TOLERANCE * max(1.0, float(value.abs().max())):
            raise InputError(
                f"{who}: its {name} of a face differ by {difference:.2g} when another face is in the batch, or from"
                " pass to pass; is a BatchNorm in training mode, or a dropout always on, in its forward?"
            )


def check_outputs(built: Built, dataset: Dataset, outputs: Any, faces: int, *, scheme: Scheme | None = None) -> None:
    """Check names, dimensions, number of points and values of a network's outputs.

    Args:
        built: the network.
        dataset: the faces.
        outputs: what the network returned.
        faces: number of faces in the batch.
        scheme: the scheme of the network's landmarks, which has the number of points; None for the data set's.

    Raises:
        InputError: an output is missing or can't be used.
    """
    who, kind = f"model {built.card.name!r}", built.card.output.kind
    if not isinstance(outputs, Mapping) or not all(isinstance(value, torch.Tensor) for value in outputs.values()):
        raise InputError(f"{who}: gives {_listed(outputs)}, not a table of named tensors ({', '.join(_SHAPES)})")
    needed = built.outputs or (("simcc_x", "simcc_y") if kind == "simcc" else (kind,))
    missing = [name for name in needed if name not in outputs]
    if missing:
        raise InputError(f"{who}: gives {_listed(outputs)} and no {missing[0]}; correct kind or names in [output]")
    points = (scheme or dataset.scheme).points
    for name, value in outputs.items():
        shape = list(value.shape)
        wanted = _SHAPES.get(name)
        if wanted is None:
            continue
        if value.ndim != wanted.count(",") + 1 or ("2" in wanted and shape[2:3] != [2]) or 0 in shape:
            raise InputError(f"{who}: gives {name} {shape}, not {wanted}")
        if shape[0] != faces:
            raise InputError(f"{who}: gives {name} {shape} for {faces} faces; the first dimension must be the batch")
        if shape[1] != points:
            whose = dataset.spec
            if scheme is not None and scheme.name != dataset.scheme.name:
                whose = f"the scheme of its card, from which the mapping leads to {dataset.scheme.name},"
            raise InputError(
                f"{who}: outputs {shape[1]} landmarks, but {whose} has {points} ({(scheme or dataset.scheme).name});"
                f" {_points_hint(value, points, dataset)}"
            )
        if not bool(torch.isfinite(value).all()):
            raise InputError(
                f"{who}: its output {name!r} has values that aren't finite on the first face; the weights or the "
                "normalisation in the card are wrong"
            )


class engine_errors:  # noqa: N801 - used like a function
    """Turns whatever an engine raises inside a ``with`` block into one line that names the network and the engine.

    Errors of the user's input, of the file system and of memory pass unchanged.
    """

    def __init__(self, model: str, engine: str, running: Engine | None = None) -> None:
        """Keep the names for the message, and the engine if it exists already, for the way out."""
        self.model, self.engine, self.running = model, engine, running

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise the one-line error."""
        if isinstance(error, ModelError) or not isinstance(error, (Exception, SystemExit)):
            return
        if isinstance(error, InputError):
            if self.model in str(error):
                return
            raise InputError(f"model {self.model!r}: {error}") from error
        if isinstance(error, (MemoryError, OSError)) or "out of memory" in str(error):
            return
        way_out = f"; {self.running.way_out() if self.running else 'use --engine torch'}"
        if self.engine == "torch":
            way_out = ""
        if "view size is not compatible" in str(error):
            way_out = "; use .reshape instead of .view in its forward: the engines lay images out with channels last"
        raise InputError(f"model {self.model!r}: engine {self.engine} failed: {described(error)}{way_out}") from error


def _pair(
    built: Built, dataset: Dataset, boxes: Boxes, geometry: Geometry, kept_crops: BatchStore | None
) -> torch.Tensor:
    """The first face and its mirror image, darkened, as the network's input."""
    rows = np.zeros(1, np.int64)
    if built.reads != "images":
        landmarks = geometry.take(rows).image_to_input(dataset.landmarks[rows])
        mirrored = geometry.take(rows).mirror(landmarks, dataset.scheme.flip)
        return torch.from_numpy(np.concatenate([landmarks, mirrored]))
    kept = kept_crops.read(0) if kept_crops is not None else None
    if kept is not None:
        crop = kept["crops"][:1]  # the first face is the first one of the first batch
    else:
        crop = CropLoader(dataset, geometry, boxes.sampling, [rows], Clock()).crops(0)
    card = built.card.input
    pair = np.concatenate([crop, crop[:, :, ::-1] // 2])  # whole numbers, which networks of uint8 need
    return torch.from_numpy(cropping.normalise(pair, mean=card.mean, std=card.std, colour=card.colour))


def _points_hint(output: torch.Tensor, points: int, dataset: Dataset) -> str:
    """The way out for an output ``[N, K, ...]`` of another number of points."""
    if output.ndim == 4 and output.shape[-1] == points:
        return 'layout = "nhwc" in [output] reads heatmaps [N, h, w, K]'
    if output.shape[1] == dataset.scheme.points:
        return f'if it gives the landmarks of the data set, state scheme = "{dataset.scheme.name}" in the card'
    if hint := mapping_hint(output.shape[1], dataset):
        return hint
    if output.shape[1] > points:
        return f"channels in [output] chooses {points} of them, or use a network of that scheme"
    return "use a network of that scheme"


def _listed(outputs: object) -> str:
    """Names and dimensions of outputs, for messages."""
    if isinstance(outputs, torch.Tensor):
        return f"a tensor {list(outputs.shape)}"
    if isinstance(outputs, Mapping):
        parts = [
            f"{name} {list(v.shape) if isinstance(v, torch.Tensor) else type(v).__name__}"
            for name, v in outputs.items()
        ]
        return ", ".join(parts[:8]) or "an empty table"
    return f"a {type(outputs).__name__}"
