"""Wraps a network whose outputs a card's ``[output]`` table describes, so that it gives the project's named outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from nmebench.models.card_input import ImageLayout
from nmebench.models.card_output import Output
from nmebench.models.output_adapter import OutputAdapter

__all__ = ["AdaptedNetwork", "adapted"]

OUTPUTS = ("heatmaps", "landmarks", "logits", "offsets", "simcc_x", "simcc_y")
"""Names of the project's outputs."""

#: Attributes of a network that the wrapper has too (:mod:`nmebench.models`).
_ATTRIBUTES = ("grid", "input_dtype", "input_size", "namings", "runtime", "use_threads")


class AdaptedNetwork(nn.Module):
    """A network and the conversion of its outputs: images ``[N, 3, H, W]`` -> the project's named outputs."""

    def __init__(
        self,
        module: nn.Module,
        adapter: OutputAdapter,
        image_layout: ImageLayout | None = None,
        *,
        own_code: bool = False,
    ) -> None:
        """Wrap ``module``; its attributes that the project reads are those of the wrapper too.

        Args:
            module: the network.
            adapter: converts its outputs.
            image_layout: order of the dimensions that it reads; None means ``nchw``.
            own_code: True for a user's own code, whose attributes ``grid``, ``input_size`` or ``outputs`` may mean
                anything; the card alone describes such a network.
        """
        super().__init__()
        self.module = module
        self.adapter = adapter
        self.image_layout = image_layout or "nchw"
        self.own_code = own_code
        self.reads = "images" if own_code else getattr(module, "reads", "images")
        for name in () if own_code else _ATTRIBUTES:
            if hasattr(module, name):
                setattr(self, name, getattr(module, name))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        own = None if self.own_code else getattr(self.module, "outputs", None)
        return tuple(own) if own and _follows_the_interface(self.adapter.output) else self.adapter.outputs

    @property
    def notes(self) -> tuple[str, ...]:
        """The network's own remarks."""
        return () if self.own_code else tuple(getattr(self.module, "notes", ()))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Run the network and convert its output."""
        raw = self.raw(images)
        # A mapping with the project's names is already what the project reads.
        if isinstance(raw, Mapping) and self._is_converted(raw):
            return dict(raw)
        found: dict[str, Tensor] = self.adapter(raw, images)
        return found

    def raw(self, images: Tensor) -> Any:
        """Run the network: ``[N, 3, H, W]`` -> its own output."""
        return self.module(images.permute(0, 2, 3, 1).contiguous() if self.image_layout == "nhwc" else images)

    def _is_converted(self, raw: Mapping[str, Any]) -> bool:
        output = self.adapter.output
        return _follows_the_interface(output) and set(self.adapter.outputs) <= set(raw) <= set(OUTPUTS)


def adapted(
    module: nn.Module,
    output: Output,
    owner: str,
    *,
    image_layout: ImageLayout | None = None,
    own_code: bool = False,
) -> nn.Module:
    """Return a network that reads ``[N, 3, H, W]`` and gives the project's named outputs.

    A network of this package is returned unchanged if the card sets no field of the adapter.

    Args:
        module: the network.
        output: the card's ``[output]`` table, without the fields that the network has already applied.
        owner: the network, for messages: ``card NAME``.
        image_layout: order of the dimensions that the network reads; None means ``nchw``.
        own_code: True for a user's own code, see :class:`AdaptedNetwork`.
    """
    own = type(module).__module__.startswith("nmebench.models.")
    if own and _follows_the_interface(output) and image_layout in (None, "nchw"):
        return module
    network = AdaptedNetwork(module, OutputAdapter(output, owner), image_layout, own_code=own_code)
    return network.train(module.training)


def _follows_the_interface(output: Output) -> bool:
    """Return True if a table sets nothing but ``kind``, ``grid``, ``split`` and ``empty``, which change no output."""
    grid = output.grid if output.unit is None else None
    usual = Output(kind=output.kind, grid=grid, split=output.split, empty=output.empty)
    return output == usual
