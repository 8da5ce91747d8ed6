"""From a network's raw output to the project's named outputs, as a card's ``[output]`` table describes it.

The raw output is a tensor, a tuple or list, or a mapping; the results are

=============  ====================  ==================================================
``heatmaps``   ``[N, K, h, w]``
``offsets``    ``[N, K, 2, h, w]``   (x, y), heatmap px; with ``heatmaps``
``landmarks``  ``[N, K, 2]``         (x, y), input px
``simcc_x``    ``[N, K, bins]``      with ``simcc_y``
=============  ====================  ==================================================

The steps, in this order: choose the outputs (``names``, ``stack``), read their layout (``layout``, ``offsets``), apply
the ``activation``, keep ``channels``, put the points in the scheme's ``order``, convert landmarks to input px
(``unit``, ``grid``). Shapes are checked, never guessed: what doesn't fit raises :class:`ModelError` in one line.

Where it is called:

* :func:`nmebench.models.adapted_network.adapted` wraps a network that :func:`nmebench.models.build_network.build` has
  made. A network of this package whose card sets no field of the adapter is returned unchanged.
* A network that reads its weights itself (``onnx``) declares the option ``output``, gets the table, and calls
  :class:`OutputAdapter` on its raw outputs.

No step depends on values, so an adapted network can be traced, exported and compiled. The adapter is code of
``nmebench.models`` and its settings are the card's ``[output]`` table; both are part of a network's cache key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nmebench.models.card_output import Output
from nmebench.models.errors import ModelError
from nmebench.models.landmark_layout import from_layout, order_note, to_input_px
from nmebench.models.logit_note import logit_note
from nmebench.models.offset_note import offset_note
from nmebench.models.output_choice import OutputChoice, listed

__all__ = ["OutputAdapter", "output_notes"]


class OutputAdapter(nn.Module):
    """Converts raw outputs to the project's named outputs.

    Example:
        >>> adapter = OutputAdapter(Output(kind="landmarks", unit="crop-centred", layout="xs-ys"), "my-net")
        >>> raw = torch.tensor([[-1.0, 0.0, 0.0, 1.0]])  # x0, x1, y0, y1 of one face
        >>> adapter(raw, torch.zeros(1, 3, 8, 8))["landmarks"].tolist()
        [[[0.0, 4.0], [4.0, 8.0]]]
    """

    _index: Tensor | None
    """Positions of the network's points in the scheme's order; None to keep the order."""
    _kept: Tensor | None
    """The network's points to keep where the card lists them."""

    def __init__(self, output: Output, owner: str) -> None:
        """Keep the settings.

        Args:
            output: the card's ``[output]`` table.
            owner: the network, for messages.
        """
        super().__init__()
        self.output = output
        self.owner = owner
        self._choice = OutputChoice(output, owner)
        index: list[int] | None = None
        if output.order is not None:
            index = sorted(range(len(output.order)), key=output.order.__getitem__)
        self.points = len(output.order) if output.order is not None else None
        self.register_buffer("_index", None if index is None else torch.tensor(index), persistent=False)
        kept = output.kept
        self.register_buffer("_kept", torch.tensor(kept) if isinstance(kept, tuple) else None, persistent=False)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the results, as far as the card decides them."""
        return self._choice.names

    def forward(self, raw: Any, images: Tensor) -> dict[str, Tensor]:
        """Convert the raw output of ``images``.

        Args:
            raw: a tensor, a tuple or list of tensors, or a mapping from names to tensors.
            images: ``[N, 3, H, W]``, the network's input; only its shape is read.

        Raises:
            ModelError: an output is missing or ambiguous, or has a shape that the settings don't describe.
        """
        chosen = self.chosen(raw, images)
        if self.output.kind == "landmarks":
            return {"landmarks": self._landmarks(chosen[0], images)}
        if self.output.kind == "simcc":
            axes = zip(self.outputs, chosen, strict=True)
            return {name: self._distributions(name, value, images) for name, value in axes}
        return self._heatmaps(chosen)

    def chosen(self, raw: Any, images: Tensor) -> list[Tensor]:
        """Return the raw outputs that the settings read, float32: one, or those of the offsets or of both axes too."""
        return [self._checked_tensor(value, images.shape[0]) for value in self._choice.choose(raw)]

    def _checked_tensor(self, value: Any, faces: int) -> Tensor:
        """An output as float32; its first dimension must be the batch."""
        if not isinstance(value, Tensor):
            raise ModelError(f"{self.owner} gives {listed({'': value})} where a tensor was expected")
        if value.is_complex() or value.is_quantized or value.layout != torch.strided:
            raise ModelError(f"{self.owner} gives a tensor of type {value.dtype} and layout {value.layout}")
        if value.ndim < 2 or value.shape[0] != faces:
            raise ModelError(
                f"{self.owner} gives {list(value.shape)} for {faces} images: the batch must be the first dimension, so"
                f" {self.output.kind} are {self._choice.expected}"
            )
        return value.to(torch.float32)

    # The layout of the raw outputs.

    def _landmarks(self, value: Tensor, images: Tensor) -> Tensor:
        """``[N, K, 2]`` in input px."""
        unit = self.output.unit
        if unit is None:
            raise ModelError(
                f'{self.owner}: unit in [output] must say what the landmarks are: "crop-fraction" (0 to 1),'
                ' "crop-centred" (-1 to 1) or "input-px"'
            )
        landmarks = self._scheme(from_layout(value, self.output.layout, self.owner))
        return to_input_px(landmarks, unit, self.output.grid or "stride", size=(images.shape[-1], images.shape[-2]))

    def _distributions(self, name: str, value: Tensor, images: Tensor) -> Tensor:
        if value.ndim != 3:
            raise ModelError(f"{self.owner} gives {name} {list(value.shape)}, not [N, K, bins]")
        split, side = self.output.split, images.shape[-1 if name == "simcc_x" else -2]
        if split is not None and value.shape[-1] != round(side * split):
            raise ModelError(
                f"{self.owner} gives {name} with {int(value.shape[-1])} bins, and split = {split:g} in [output] means"
                f" {round(side * split)} for {side} px"
            )
        return self._scheme(self._activated(value))

    def _heatmaps(self, chosen: Sequence[Tensor]) -> dict[str, Tensor]:
        if chosen[0].ndim not in (4, 5):
            raise ModelError(f"{self.owner} gives {list(chosen[0].shape)}, not heatmaps {self._choice.expected}")
        first, *others = (self._channels_first(value) for value in chosen)
        if self.output.offsets == "interleaved":
            if first.ndim == 4:
                first = self._grouped(first, 3, "a map, x and y of each landmark")
            if first.ndim != 5 or first.shape[2] != 3:
                raise ModelError(f"{self.owner} gives {list(first.shape)}, not [N, 3 K, h, w]: map, x and y of each")
            others = [first[:, :, 1:]]
            first = first[:, :, 0]
        maps = self._activated(first)
        if maps.ndim != 4:
            raise ModelError(
                f"{self.owner} gives heatmaps {list(first.shape)}, not [N, K, h, w]: stack in [output] chooses one of"
                " several stacks (-1 is the last one), activation reads two channels for each landmark"
            )
        if not others:
            return {"heatmaps": self._scheme(maps)}
        offsets = self._offsets(others, maps)
        if self.output.radius != 1.0:
            offsets = offsets * self.output.radius
        return {"heatmaps": self._scheme(maps), "offsets": self._scheme(offsets)}

    def _channels_first(self, value: Tensor) -> Tensor:
        if self.output.layout != "nhwc":
            return value
        if value.ndim != 4:
            raise ModelError(f'{self.owner} gives {list(value.shape)}, and layout = "nhwc" reads [N, h, w, K]')
        return value.permute(0, 3, 1, 2)

    def _offsets(self, values: Sequence[Tensor], maps: Tensor) -> Tensor:
        """``[N, K, 2, h, w]``."""
        if len(values) == 2:
            if values[0].shape != maps.shape or values[1].shape != maps.shape:
                shapes = " and ".join(str(list(value.shape)) for value in values)
                raise ModelError(
                    f"{self.owner} gives offsets {shapes} for heatmaps {list(maps.shape)}: they must agree"
                )
            return torch.stack(tuple(values), dim=2)
        offsets = values[0]
        if offsets.ndim == 4:
            if self.output.layout == "xs-ys":
                offsets = self._halves(offsets, "the x maps, then the y maps").transpose(1, 2)
            else:
                offsets = self._grouped(offsets, 2, "x and y of each landmark")
        expected = [*maps.shape[:2], 2, *maps.shape[2:]]
        if list(offsets.shape) != expected:
            raise ModelError(
                f"{self.owner} gives offsets {list(values[0].shape)} for heatmaps {list(maps.shape)}: they must be"
                f" {expected}"
            )
        return offsets

    def _grouped(self, value: Tensor, size: int, meaning: str) -> Tensor:
        """``[N, size K, h, w]`` as ``[N, K, size, h, w]``."""
        if value.shape[1] % size:
            raise ModelError(f"{self.owner} gives {list(value.shape)}: {value.shape[1]} channels aren't {meaning}")
        return torch.unflatten(value, 1, (-1, size))

    def _halves(self, value: Tensor, meaning: str) -> Tensor:
        """``[N, 2 K, h, w]`` as ``[N, 2, K, h, w]``."""
        if value.shape[1] % 2:
            raise ModelError(f"{self.owner} gives {list(value.shape)}: {value.shape[1]} channels aren't {meaning}")
        return torch.unflatten(value, 1, (2, -1))

    # Activation, points and their order.

    def _activated(self, value: Tensor) -> Tensor:
        activation = self.output.activation
        if activation is None:
            return value
        if activation == "sigmoid":
            return torch.sigmoid(value)
        if activation == "softmax":
            return torch.softmax(value, dim=-1) if value.ndim == 3 else _softmax_of_maps(value)
        if activation == "softmax-channels":
            return torch.softmax(value, dim=1)
        if activation == "softmax-pairs":
            pairs = value if value.ndim == 5 else self._grouped(value, 2, "two for each landmark")
        else:
            pairs = value if value.ndim == 5 else self._halves(value, "two for each landmark")
            pairs = pairs.transpose(1, 2)
        if pairs.shape[2] != 2:
            raise ModelError(f"{self.owner} gives {list(value.shape)}: {activation} reads two channels per landmark")
        return torch.softmax(pairs, dim=2)[:, :, 1]

    def _scheme(self, value: Tensor) -> Tensor:
        """Keep the chosen points of ``[N, K, ...]`` and put them in the scheme's order."""
        points = int(value.shape[1])
        kept = self.output.kept
        if isinstance(kept, tuple) and self._kept is not None:
            if max(kept) >= points:
                raise ModelError(
                    f"{self.owner} gives {points} points (0 to {points - 1}): [output] channels names {max(kept)}"
                )
            value = value.index_select(1, self._kept)
        elif isinstance(kept, slice) and kept != slice(None):
            start, stop, step = kept.indices(points)
            if not range(start, stop, step):
                raise ModelError(
                    f"{self.owner} gives {points} points: [output] channels = {self.output.channels!r} is none"
                )
            if (kept.stop or 0) > points or (kept.start or 0) < -points:
                raise ModelError(
                    f"{self.owner} gives {points} points: [output] channels = {self.output.channels!r} is more"
                )
            value = value[:, start:stop:step]
        if self._index is None:
            return value
        if value.shape[1] != self.points:
            raise ModelError(
                f"{self.owner} gives {int(value.shape[1])} points: [output] order has {self.points} entries"
            )
        return value.index_select(1, self._index)


def output_notes(output: Output, outputs: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return notes on named outputs whose values suggest another ``[output]`` table, for the results.

    Args:
        output: the card's table.
        outputs: the network's named outputs of some faces; of landmarks the first is read.
    """
    if "heatmaps" in outputs:
        of_offsets = offset_note(outputs["heatmaps"], outputs["offsets"]) if "offsets" in outputs else ()
        return (*logit_note(outputs["heatmaps"], output), *of_offsets)
    landmarks = outputs.get("landmarks")
    if landmarks is None or output.channels is not None or output.order is not None:
        return ()
    return order_note(landmarks[:1].detach().to("cpu"), output.layout)


def _softmax_of_maps(value: Tensor) -> Tensor:
    return torch.unflatten(torch.softmax(value.flatten(-2), dim=-1), -1, (value.shape[-2], value.shape[-1]))
