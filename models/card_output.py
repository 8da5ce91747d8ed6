"""A model card's output (``[output]``)."""

from __future__ import annotations

import math
import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from nmebench.models.card_table import CardTable, Positive
from nmebench.protocol import Grid

__all__ = ["ACTIVATIONS", "LAYOUTS", "UNITS", "Activation", "Layout", "Output", "OutputKind", "Unit"]

OutputKind = Literal["heatmaps", "landmarks", "simcc"]

Unit = Literal["crop-fraction", "crop-centred", "input-px"]
"""Unit of raw landmarks: ``crop-fraction`` is 0 to 1 and ``crop-centred`` -1 to 1 over a side of the crop."""

Layout = Literal["xy", "yx", "xs-ys", "xyz", "nhwc"]
"""Order of the values of a raw output.

Of landmarks: ``xy`` x0, y0, x1, y1, ...; ``yx`` y0, x0, y1, x1, ...; ``xs-ys`` all x, then all y; ``xyz`` x, y and a
third value (a score or a depth), which is ignored. Of separate offset maps: ``xy`` or ``xs-ys``. Of heatmaps: ``nhwc``
for ``[N, h, w, K]``.
"""

Activation = Literal["sigmoid", "softmax", "softmax-channels", "softmax-pairs", "softmax-halves"]
"""Function from a raw output to heatmaps or distributions.

``softmax``: over the pixels of each map, or over the bins of each distribution; ``softmax-channels``: over all
channels at each pixel; ``softmax-pairs``: over two channels for each landmark, background and landmark (channels 2 i
and 2 i + 1); ``softmax-halves``: the same where all K background channels come first.
"""

UNITS: tuple[Unit, ...] = get_args(Unit)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)

_SLICE = re.compile(r"(-?\d*):(-?\d*)(?::([1-9]\d*)?)?")

_OutputName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\s,]+$")]
_Index = Annotated[int, Field(ge=0, lt=10_000)]
_Slice = Annotated[str, StringConstraints(max_length=40, pattern=rf"^{_SLICE.pattern}$")]

_EMPTY_RULE = re.compile(r"never|max<=-?[0-9]{1,12}(\.[0-9]{1,12})?([eE]-?[0-9]{1,2})?", re.ASCII)


def _checked_empty_rule(rule: str) -> str:
    if _EMPTY_RULE.fullmatch(rule) is None:
        raise ValueError(f'{rule[:40]!r} is neither "never" nor "max<=NUMBER", such as "max<=0"')
    return rule


EmptyRule = Annotated[str, AfterValidator(_checked_empty_rule)]
"""Which maps have no landmark: ``never``, or ``max<=NUMBER``."""

#: Layouts of each kind.
_LAYOUTS_OF = {"heatmaps": ("xy", "xs-ys", "nhwc"), "landmarks": ("xy", "yx", "xs-ys", "xyz"), "simcc": ("xy",)}

#: Activations that are no function of a distribution.
_OF_CHANNELS = ("softmax-channels", "softmax-pairs", "softmax-halves")


class Output(CardTable):
    """The output that the network gives.

    The fields describe the network's raw output. The built network always gives ``heatmaps`` ``[N, K, h, w]`` (and
    ``offsets`` ``[N, K, 2, h, w]`` in heatmap px), ``landmarks`` ``[N, K, 2]`` in input px, or ``simcc_x`` and
    ``simcc_y`` ``[N, K, bins]``; see :mod:`nmebench.models.output_adapter`.
    """

    kind: OutputKind = "heatmaps"
    names: Annotated[tuple[_OutputName, ...], Field(max_length=3)] = ()
    """Names of the raw outputs where the network has several: one for heatmaps and landmarks, two for simcc (x, y), and
    with ``offsets = "separate"`` the heatmaps, then one output for both offsets or one for x and one for y. A name is a
    key, a position in a tuple (``"-1"``), or both along a path (``"stages.-1"``)."""
    unit: Unit | None = None
    """Unit of the raw landmarks."""
    layout: Layout = "xy"
    """Order of the raw values."""
    grid: Grid | None = None
    """Map with which the network was trained; None means ``stride``. From heatmap px to input px, or from landmarks in
    fractions of the crop to input px: ``stride`` f * W, ``udp`` f * (W - 1), ``half-pixel`` f * W - 0.5."""
    stack: Annotated[int, Field(ge=-64, le=63)] | None = None
    """Number of the stack or stage to read, where the network gives a list of them or ``[N, stacks, ...]``; -1 is the
    last one."""
    activation: Activation | None = None
    """Function that the network leaves out; applied before ``channels``."""
    channels: Annotated[tuple[_Index, ...], Field(min_length=1, max_length=5000)] | _Slice | None = None
    """The network's points to keep: their numbers, in the order of the scheme, or a slice such as ``"0:98"``."""
    order: Annotated[tuple[_Index, ...], Field(min_length=1, max_length=5000)] | None = None
    """Number of the scheme's point for each of the network's points (after ``channels``)."""
    offsets: Literal["interleaved", "separate"] | None = None
    """Offset maps: ``interleaved`` in one output ``[N, 3 K, h, w]`` (map, x and y of each landmark), ``separate`` in
    one or two further outputs."""
    radius: Positive = 1.0
    """Heatmap px of an offset of 1."""
    split: Positive | None = None
    """Bins per input px of simcc; checked against the outputs and the decoder."""
    empty: EmptyRule = "max<=0"
    """Which maps have no landmark: ``max<=0``, as in mmpose, another largest maximum such as ``max<=0.05``, or
    ``never`` for logits, which may be negative everywhere. A preset among the decoders keeps its own rule."""

    @model_validator(mode="after")
    def _fields_belong_to_the_kind(self) -> Output:
        kind = f"kind = {self.kind!r}"
        if self.grid is not None and (self.kind == "simcc" or (self.kind == "landmarks" and self.unit == "input-px")):
            raise ValueError(
                f"grid applies to heatmaps and to landmarks in fractions of the crop, not to {kind}; leave it out"
            )
        for name, of in (("unit", "landmarks"), ("offsets", "heatmaps"), ("split", "simcc")):
            if getattr(self, name) is not None and self.kind != of:
                raise ValueError(f"{name} applies to kind = {of!r}, not to {kind}; leave it out")
        if self.layout not in _LAYOUTS_OF[self.kind]:
            allowed = ", ".join(map(repr, _LAYOUTS_OF[self.kind]))
            raise ValueError(f"layout = {self.layout!r} doesn't apply to {kind}; allowed: {allowed}")
        if self.radius != 1.0 and self.offsets is None:
            raise ValueError("radius is the unit of offset maps: set offsets too, or leave it out")
        if self.activation is not None and self.kind == "landmarks":
            raise ValueError(f"activation applies to heatmaps and simcc, not to {kind}; leave it out")
        if self.activation in _OF_CHANNELS and self.kind == "simcc":
            raise ValueError(f"activation = {self.activation!r} applies to heatmaps, not to {kind}")
        if self.empty != "max<=0" and self.kind == "landmarks":
            raise ValueError(f"empty applies to heatmaps and simcc, not to {kind}; leave it out")
        if self.stack is not None and self.kind == "simcc":
            raise ValueError(f"stack applies to heatmaps and landmarks, not to {kind}; choose the outputs with names")
        return self

    @model_validator(mode="after")
    def _number_of_names(self) -> Output:
        allowed = (2,) if self.kind == "simcc" else (2, 3) if self.offsets == "separate" else (1,)
        if self.names and len(self.names) not in allowed:
            count = " or ".join(map(str, allowed))
            raise ValueError(f"names has {len(self.names)} entries, and this kind of output is read from {count}")
        return self

    @model_validator(mode="after")
    def _points_are_numbered(self) -> Output:
        if self.order is None:
            return self
        points = len(self.order)
        if isinstance(self.channels, tuple) and len(self.channels) != points:
            raise ValueError(f"order has {points} entries for the {len(self.channels)} points of channels")
        if len(set(self.order)) != points:
            twice = next(point for point in self.order if self.order.count(point) > 1)
            raise ValueError(f"order names the scheme's point {twice} twice; each point may occur once")
        if max(self.order) >= points:
            raise ValueError(
                f"order names the scheme's point {max(self.order)}, but has {points} entries: a network that gives a"
                " part of the scheme's points can't be scored, because its numbers would compare with nothing"
            )
        return self

    @property
    def largest_empty(self) -> float:
        """The largest maximum of an empty map; minus infinity if no map is empty.

        Example:
            >>> Output(empty="max<=0.05").largest_empty, Output(empty="never").largest_empty
            (0.05, -inf)
        """
        return -math.inf if self.empty == "never" else float(self.empty.removeprefix("max<="))

    @property
    def kept(self) -> slice | tuple[int, ...]:
        """The network's points to keep, ``channels`` as an index."""
        if isinstance(self.channels, tuple):
            return self.channels
        found = _SLICE.fullmatch(self.channels or ":")
        assert found is not None  # noqa: S101 - the field's pattern
        return slice(*(int(part) if part else None for part in found.groups()))
