"""The ``[output]`` table of a card from the shapes and values of a network's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nmebench.errors import InputError
from nmebench.geometry import scheme
from nmebench.models.card_output import Output
from nmebench.models.output_choice import fits

__all__ = ["Entry", "OutputTable", "describe_output"]

Arrays = Mapping[str, NDArray[np.float32]]

MIN_POINTS = 5
"""Landmarks from which a vector of numbers is taken for landmarks."""


@dataclass(frozen=True)
class Entry:
    """A line of a card."""

    text: str
    comment: str = ""
    is_open: bool = False
    """True where the file doesn't decide the value."""
    is_choice: bool = False
    """True for a line that is commented out."""


@dataclass
class OutputTable:
    """The lines of ``[output]`` and ``[test]``."""

    output: list[Entry] = field(default_factory=list)
    test: list[Entry] = field(default_factory=list)


def describe_output(outputs: Arrays, size: tuple[int, int], owner: str) -> OutputTable:
    """Return the table that describes a network's outputs.

    Args:
        outputs: by name, ``[N, ...]`` for N random images.
        size: (width, height) of the images, px.
        owner: the network, for messages.

    Raises:
        InputError: no output can hold heatmaps, landmarks or SimCC's distributions.
    """
    landmarks = [name for name, value in outputs.items() if _may_be_landmarks(value)]
    maps = [name for name, value in outputs.items() if fits(Output(), value.shape)]
    axes = _axes(outputs, size)
    if axes:
        return _simcc(outputs, axes, size)
    if landmarks:
        return _landmarks(outputs, landmarks, maps)
    if maps:
        return _heatmaps(outputs, maps)
    shapes = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items()) or "nothing that can be read"
    raise InputError(
        f"{owner} gives {shapes}, neither landmarks [N, K, 2] or [N, 2 K], nor heatmaps [N, K, h, w], nor SimCC's two"
        " distributions [N, K, bins]"
    )


def _points() -> set[int]:
    """Numbers of points of the known schemes."""
    return {scheme.load(name).points for name in scheme.names()}


def _may_be_landmarks(value: NDArray[np.float32]) -> bool:
    sides: list[int] = [side for side in value.shape[1:] if side != 1]
    if len(sides) == 1:
        return sides[0] >= 2 * MIN_POINTS and (sides[0] % 2 == 0 or sides[0] % 3 == 0)
    return len(sides) == 2 and (min(sides) in (2, 3)) and max(sides) >= MIN_POINTS


def _axes(outputs: Arrays, size: tuple[int, int]) -> list[str]:
    """Names of SimCC's outputs for x and y; empty where there are none."""
    if {"simcc_x", "simcc_y"} <= set(outputs):
        return ["simcc_x", "simcc_y"]
    found = [name for name, value in outputs.items() if value.ndim == 3 and min(value.shape[1:]) > 3]
    if len(found) != 2 or len({outputs[name].shape[1] for name in found}) != 1:
        return []
    for x, y in (found, found[::-1]):
        across, down = outputs[x].shape[2] / size[0], outputs[y].shape[2] / size[1]
        if across == down and across >= 1:
            return [x, y]
    return []


def _range(value: NDArray[np.float32]) -> str:
    return f"between {value.min():.3g} and {value.max():.3g}"


def _simcc(outputs: Arrays, axes: list[str], size: tuple[int, int]) -> OutputTable:
    table = OutputTable([Entry('kind = "simcc"')])
    if axes != ["simcc_x", "simcc_y"]:
        is_open = size[0] == size[1]
        comment = "the output of x, then that of y; exchange them if the NME is very large" if is_open else "x, then y"
        table.output.append(Entry(f'names = ["{axes[0]}", "{axes[1]}"]', comment, is_open=is_open))
    split = outputs[axes[0]].shape[2] / size[0]
    table.output.append(Entry(f"split = {split:g}", f"bins per px: {outputs[axes[0]].shape[2]} for {size[0]} px"))
    low = float(outputs[axes[0]].min())
    if low < 0:
        table.output.append(
            Entry(
                'activation = "softmax"', f"the values go down to {low:.3g}; simcc-dark needs distributions", True, True
            )
        )
    table.test.append(Entry(f'decoder = "simcc{"" if split == 2 else f":split={split:g}"}"', 'or "simcc-dark"', True))
    return table


def _landmarks(outputs: Arrays, landmarks: list[str], maps: list[str]) -> OutputTable:
    known = _points()
    chosen = next((name for name in landmarks if _count(outputs[name]) in known), landmarks[0])
    value = outputs[chosen]
    table = OutputTable([Entry('kind = "landmarks"')])
    if len(outputs) > 1:
        listed = ", ".join(f"{name} {list(one.shape[1:])}" for name, one in outputs.items() if name != chosen)
        is_open = len(landmarks) > 1 or bool(maps)
        table.output.append(Entry(f'names = ["{chosen}"]', f"the file also gives {listed}", is_open=is_open))
    sides = [side for side in value.shape[1:] if side != 1]
    if 3 in sides or (len(sides) == 1 and sides[0] // 2 not in known and sides[0] / 3 in known):
        table.output.append(Entry('layout = "xyz"', "a third value of each landmark is ignored"))
    elif len(sides) == 1:
        table.output.append(Entry('layout = "xy"', 'x0, y0, x1, ...; or "xs-ys", "yx"', is_open=True))
    pairs = value.reshape(len(value), -1)
    if pairs.max() > 4:
        unit = "input-px"
    elif pairs.min() < -0.5:
        unit = "crop-centred"
    else:
        unit = "crop-fraction"
    others = ", ".join(f'"{one}"' for one in ("crop-fraction", "crop-centred", "input-px") if one != unit)
    comment = f"the values of random images are {_range(pairs)}; or {others}"
    table.output.append(Entry(f'unit = "{unit}"', comment, is_open=True))
    table.output += _superset(_count(value), known)
    if unit != "input-px":
        table.output.append(Entry('grid = "half-pixel"', 'or "udp"; without it a fraction f is f * W px', True, True))
    return table


def _count(value: NDArray[np.float32]) -> int:
    """Number of landmarks of an output."""
    sides: list[int] = [side for side in value.shape[1:] if side != 1]
    if len(sides) == 2:
        return max(sides)
    return sides[0] // (3 if sides[0] % 2 else 2)


def _superset(count: int, known: set[int]) -> list[Entry]:
    """The choice of points where a network gives one point more than a scheme has."""
    if count in known or count - 1 not in known:
        return []
    return [Entry(f'channels = "0:{count - 1}"', f'the first {count - 1} of {count}; or "1:{count}"', is_open=True)]


def _heatmaps(outputs: Arrays, maps: list[str]) -> OutputTable:
    known = _points()
    table = OutputTable([Entry('kind = "heatmaps"')])
    first, *others = maps
    shape = outputs[first].shape
    channels = shape[2] if len(shape) == 5 else shape[1]
    if len(shape) == 5:
        table.output.append(Entry("stack = -1", f"the last of {shape[1]} stacks", is_open=True))
    elif others and all(outputs[name].shape == shape for name in others):
        table.output.append(Entry("stack = -1", f"the last of {', '.join(maps)}", is_open=True))
    elif len(maps) == 2 and sorted(outputs[name].shape[1] for name in maps) == [channels, 2 * channels]:
        _offsets(table, first, others[0])
    elif len(maps) == 2 and outputs[others[0]].shape[1] * 2 == channels:
        channels //= 2
        _offsets(table, others[0], first)
        first = others[0]
    elif len(outputs) > 1:
        first = next((name for name in maps if outputs[name].shape[1] in known), first)
        channels = outputs[first].shape[1]
        listed = ", ".join(f"{name} {list(one.shape[1:])}" for name, one in outputs.items() if name != first)
        table.output.append(Entry(f'names = ["{first}"]', f"the file also gives {listed}", is_open=len(maps) > 1))
    if len(shape) == 4 and shape[3] in known and channels not in known:
        table.output.append(Entry('layout = "nhwc"', f"{shape[3]} maps come last"))
        channels = shape[3]
    if channels not in known:
        if channels % 3 == 0 and channels // 3 in known:
            table.output.append(Entry('offsets = "interleaved"', "map, x and y of each landmark", is_open=True))
            table.output.append(
                Entry("radius = 1.0", "heatmap px of an offset of 1; mmpose's UDP: 0.0546875 * w", True)
            )
        elif channels % 2 == 0 and channels // 2 in known:
            table.output.append(Entry('activation = "softmax-pairs"', 'two maps of each; or "softmax-halves"', True))
        table.output += _superset(channels, known)
    value = outputs[first]
    if not any("activation" in entry.text for entry in table.output):
        comment = f"or another one, if the network leaves it out: the values of random images are {_range(value)}"
        table.output.append(Entry('activation = "sigmoid"', comment, True, True))
    table.output.append(Entry('grid = "udp"', 'or "half-pixel"; "stride" is usual', True, True))
    if any("offsets" in entry.text for entry in table.output):
        table.test.append(Entry('decoder = "heatmap-offset"'))
    else:
        table.test.append(Entry('decoder = "dark"', 'without it: "argmax", "quarter-offset" and "dark"', True, True))
    return table


def _offsets(table: OutputTable, maps: str, offsets: str) -> None:
    table.output += [
        Entry('offsets = "separate"'),
        Entry(f'names = ["{maps}", "{offsets}"]'),
        Entry('layout = "xy"', 'x and y of each landmark; or "xs-ys": the x maps, then the y maps', is_open=True),
        Entry("radius = 1.0", "heatmap px of an offset of 1", is_open=True),
    ]
