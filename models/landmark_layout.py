"""Landmarks as networks give them: their layout and their unit."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nmebench.models.card_output import Layout, Unit
from nmebench.models.errors import ModelError
from nmebench.protocol import Grid

__all__ = ["MIN_SPREAD_POINTS", "from_layout", "order_note", "to_input_px"]

MIN_SPREAD_POINTS = 8
"""Number of landmarks from which the declared order is compared with the landmarks' spread."""

_ORDERS = {"xy": "x0, y0, x1, y1, ...", "xs-ys": "all x, then all y"}


def from_layout(value: Tensor, layout: Layout, owner: str) -> Tensor:
    """Return raw landmarks as ``[N, K, 2]``.

    With ``xs-ys`` the values are all x, then all y, whatever the shape. Otherwise the shape decides where it can:
    ``[N, K, 2]`` and ``[N, 2, K]`` are read as they are. Dimensions of size 1 after the batch don't matter.

    Args:
        value: ``[N, ...]``.
        layout: one of :data:`nmebench.models.card_output.LAYOUTS`, except ``nhwc``.
        owner: the network, for messages.

    Raises:
        ModelError: the shape can be read in two ways, or isn't that of landmarks in this layout.

    Example:
        >>> import torch
        >>> from_layout(torch.tensor([[1.0, 2.0, 0.9, 3.0, 4.0, 0.8]]), "xyz", "my-net").tolist()
        [[[1.0, 2.0], [3.0, 4.0]]]
    """
    given = value.shape
    sizes = [int(side) for side in given[1:]]
    if len(sizes) > 1:  # one landmark [N, 1, 2] and [N, 2, 1] are the same two numbers
        ones = [dim for dim in range(1, value.ndim) if value.shape[dim] == 1]
        value = value.squeeze(ones) if ones else value  # OpenVINO can't convert a squeeze of no dimension
        sizes = [size for size in sizes if size != 1] or [1]
    text = f"{owner} gives [N, {', '.join(map(str, given[1:]))}]"
    depth = 3 if layout == "xyz" else 2
    if layout == "xs-ys" and math.prod(sizes) % 2 == 0:
        pairs = torch.unflatten(value.flatten(1), 1, (2, -1)).transpose(1, 2)
    elif len(sizes) == 1:
        if sizes[0] % depth:
            third = sizes[0] % 3 == 0 and layout != "xyz"
            way_out = 'layout = "xyz" in [output] reads x, y and a third value; ' if third else ""
            raise ModelError(f"{text}, not landmarks [N, {depth} K]; {way_out}export (x, y) of each landmark")
        pairs = torch.unflatten(value, 1, (-1, depth))
    elif len(sizes) == 2:
        pairs = _from_table(value, sizes, layout, text)
    else:
        raise ModelError(f"{text}, not landmarks [N, K, 2], [N, 2, K] or [N, 2 K]; export (x, y) of each landmark")
    if layout == "yx":
        pairs = pairs.flip(-1)
    return (pairs if depth == 2 else pairs[..., :2]).contiguous()


def _from_table(value: Tensor, sizes: list[int], layout: Layout, text: str) -> Tensor:
    """``[N, K, depth]`` of a value with two dimensions after the batch."""
    if layout == "xyz":
        if 3 not in sizes:
            raise ModelError(f'{text}, and layout = "xyz" reads [N, K, 3] or [N, 3 K]')
        if sizes == [3, 3]:
            raise ModelError(f"{text}, which can be read in two ways; export (x, y) of each landmark")
        return value if sizes[1] == 3 else value.transpose(1, 2)
    if 2 in sizes:
        if sizes in ([2, 2], [2, 3]):
            raise ModelError(
                f'{text}, which can be read in two ways: [output] layout = "xs-ys" reads a row of x and a row of y;'
                " else export (x, y) of each landmark"
            )
        return value if sizes[1] == 2 else value.transpose(1, 2)
    if 3 in sizes:
        raise ModelError(
            f'{text}: x, y and a third value (a score or depth) per landmark; layout = "xyz" in [output] ignores it'
        )
    raise ModelError(f"{text}, not landmarks [N, K, 2], [N, 2, K] or [N, 2 K]; export (x, y) of each landmark")


def to_input_px(landmarks: Tensor, unit: Unit, grid: Grid, *, size: tuple[int, int]) -> Tensor:
    """Return landmarks in input px.

    Args:
        landmarks: ``[N, K, 2]`` in ``unit``.
        unit: ``crop-fraction`` (0 to 1), ``crop-centred`` (-1 to 1) or ``input-px``.
        grid: the map from fractions f to input px: ``stride`` f * W, ``udp`` f * (W - 1), ``half-pixel`` f * W - 0.5.
        size: (width, height) of the input, px.

    Example:
        >>> import torch
        >>> to_input_px(torch.tensor([[[0.5, 1.0]]]), "crop-fraction", "half-pixel", size=(256, 256)).tolist()
        [[[127.5, 255.5]]]
    """
    if unit == "input-px":
        return landmarks
    ends = 1 if grid == "udp" else 0
    scale = landmarks.new_tensor([float(size[0] - ends), float(size[1] - ends)])
    if unit == "crop-centred":
        landmarks = (landmarks + 1) * 0.5
    landmarks = landmarks * scale
    return landmarks - 0.5 if grid == "half-pixel" else landmarks


def order_note(landmarks: Tensor, layout: str) -> tuple[str, ...]:
    """A note if the landmarks' spread suggests the other order of a flat output.

    The path from landmark to landmark shows the order. On WFLW and synthface, read as ``xs-ys``, it is 4 to 11 times as
    long as read as ``xy`` if the values are ``xy``, and 0.5 to 0.6 times as long if they are ``xs-ys``.

    Args:
        landmarks: ``[N, K, 2]``, read with ``layout``.
        layout: ``xy`` or ``xs-ys``; any other layout gives no note.
    """
    if layout not in _ORDERS or landmarks.shape[1] < MIN_SPREAD_POINTS or not bool(landmarks.isfinite().all()):
        return ()
    given = landmarks.double()
    if layout == "xy":
        other = torch.unflatten(given.flatten(1), 1, (2, -1)).transpose(1, 2)
    else:
        other = torch.unflatten(given.transpose(1, 2).flatten(1), 1, (-1, 2))
    paths = {layout: _path_length(given), ("xs-ys" if layout == "xy" else "xy"): _path_length(other)}
    ratio = float((paths["xs-ys"] / paths["xy"].clamp_min(1e-12)).median())
    looks = "xy" if ratio > 2 else "xs-ys" if 0.25 < ratio < 1 else layout
    if looks == layout:
        return ()
    return (f'the landmarks spread as if the output held {_ORDERS[looks]}: try layout = "{looks}" in [output]',)


def _path_length(landmarks: Tensor) -> Tensor:
    """Length of the path from landmark to landmark, |dx| + |dy|, by face."""
    return landmarks.diff(dim=1).abs().sum(dim=(1, 2))
