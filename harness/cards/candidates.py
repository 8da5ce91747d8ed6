"""The settings of a card that its network's file doesn't tell, as changed cards to try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from nmebench import boxes
from nmebench.datasets.dataset import Dataset
from nmebench.models.card import Card
from nmebench.models.card_input import IMAGENET_MEAN, IMAGENET_STD
from nmebench.protocol import GRIDS, SAMPLINGS, Sampling

__all__ = [
    "PIXEL_VALUES",
    "Candidate",
    "box_rules",
    "changed",
    "crops",
    "decoder_of",
    "paddings",
    "pixel_values",
    "reading",
    "readings",
]

PIXEL_VALUES: Final[Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]] = MappingProxyType(
    {
        "-1 to 1": ((127.5,) * 3, (127.5,) * 3),
        "0 to 1": ((0.0,) * 3, (255.0,) * 3),
        "ImageNet": (IMAGENET_MEAN, IMAGENET_STD),
        "0 to 255": ((0.0,) * 3, (1.0,) * 3),
    }
)
"""Mean and std of the usual ranges, in the order RGB."""

PADDINGS: Final = (1.0, 1.1, 1.2, 1.25, 1.3, 1.4, 1.5)

_DECODERS: Final = ("argmax", "quarter-offset", "dark", "local-soft-argmax")
_SIMCC: Final = ("simcc", "simcc-dark")


@dataclass(frozen=True)
class Candidate:
    """A card with a changed setting."""

    value: str
    """The setting's value, for the table."""
    card: Card


def changed(card: Card, **tables: Mapping[str, Any]) -> Card:
    """Return a card with changed fields of its tables ``input``, ``output`` or ``test``."""
    update = {name: getattr(card, name).model_copy(update=dict(fields)) for name, fields in tables.items()}
    return card.model_copy(update=update)


def pixel_values(card: Card, *, whole: bool) -> list[Candidate]:
    """Colour orders with the usual ranges of the values.

    Args:
        card: the card; its own values come first.
        whole: the network reads uint8, so only the colour order can differ.
    """
    found = [Candidate(_values(card), card)]
    for colour, (name, (mean, std)) in product(("rgb", "bgr"), PIXEL_VALUES.items()):
        if whole and name != "0 to 255":
            continue
        if colour == "bgr":
            mean, std = mean[::-1], std[::-1]
        other = changed(card, input={"colour": colour, "mean": mean, "std": std})
        if other.input != card.input:
            found.append(Candidate(_values(other), other))
    return found


def _values(card: Card) -> str:
    mean, std = ("/".join(f"{v:g}" for v in dict.fromkeys(values)) for values in (card.input.mean, card.input.std))
    return f"{card.input.colour}, mean {mean}, std {std}"


def box_rules(card: Card, dataset: Dataset) -> list[Candidate]:
    """The box rules for which the dataset has the data, each with its own padding and resampling.

    A rule that gives the boxes of an earlier one is left out, such as ``annotation`` where the file has the landmarks'
    boxes.
    """
    found = [Candidate(_box(card), card)]
    seen = [] if card.input.resample else [boxes.create(card.input.box, card.input.padding)(dataset)]
    for name in boxes.names():
        if (name == "annotation" and dataset.centre_scale is None) or ("rect" in name and dataset.rect is None):
            continue
        other = changed(card, input={"box": name, "padding": None, "resample": None})
        made = boxes.create(name)(dataset)
        if name == card.input.box or any(_equal(made, one) for one in seen):
            continue
        seen.append(made)
        found.append(Candidate(_box(other), other))
    return found


def _equal(one: boxes.Boxes, other: boxes.Boxes) -> bool:
    """Return True for the same boxes, up to the arithmetic."""
    same = np.allclose(one.centre, other.centre, atol=1e-6) and np.allclose(one.size, other.size, atol=1e-6)
    return bool(same) and one.sampling == other.sampling


def paddings(card: Card) -> list[Candidate]:
    """The card's box rule with other paddings."""
    own = _padding(card)
    others = [changed(card, input={"padding": padding}) for padding in PADDINGS if padding != own]
    return [Candidate(_box(one), one) for one in (card, *others)]


def _padding(card: Card) -> float:
    return card.input.padding or boxes.create(card.input.box).padding


def _box(card: Card) -> str:
    return f"{card.input.box} x {_padding(card):g}"


def crops(card: Card, own: Sampling) -> list[Candidate]:
    """Resamplings and crop conventions.

    Args:
        card: the card; its own come first.
        own: the resampling of the card, which its box rule may decide.
    """
    found = [Candidate(f"{own}, {card.input.convention}", card)]
    for sampling, convention in product(SAMPLINGS, ("stride", "udp", "half-pixel")):
        if convention == "udp" and sampling != "affine":
            continue
        resample = card.input.resample if sampling == own else sampling
        other = changed(card, input={"resample": resample, "convention": convention})
        if other.input != card.input:
            found.append(Candidate(f"{sampling}, {convention}", other))
    return found


def readings(card: Card, *, adapter: bool, flat: bool) -> list[Candidate]:
    """Readings of the same raw outputs: units and layouts of landmarks, grids and decoders of heatmaps.

    Args:
        card: the card; its own reading comes first.
        adapter: the raw outputs can be converted again.
        flat: the raw landmarks have one dimension, so that their order is open.
    """
    found = [Candidate(reading(card), card)]
    for other in _other_readings(card, adapter=adapter, flat=flat):
        if reading(other) not in [one.value for one in found]:
            found.append(Candidate(reading(other), other))
    return found


def _other_readings(card: Card, *, adapter: bool, flat: bool) -> Sequence[Card]:
    kind = card.output.kind
    if kind == "simcc":
        return [changed(card, test={"decoder": _with_split(card, name)}) for name in _SIMCC]
    if kind == "heatmaps":
        names = (*_DECODERS, *(("heatmap-offset",) if card.output.offsets else ()))
        return [
            changed(card, output={"grid": None if grid == "stride" else grid}, test={"decoder": name})
            for grid, name in product(GRIDS, names)
        ]
    if not adapter:
        return []
    layouts = ("xy", "xs-ys", "yx") if flat else (card.output.layout,)
    units = [("input-px", None)] + [
        (unit, None if grid == "stride" else grid) for unit in ("crop-fraction", "crop-centred") for grid in GRIDS
    ]
    return [
        changed(card, output={"unit": unit, "grid": grid, "layout": layout})
        for (unit, grid), layout in product(units, layouts)
    ]


def _with_split(card: Card, name: str) -> str:
    split = card.output.split
    return name if split is None or split == 2 else f"{name}:split={split:g}"


def decoder_of(card: Card) -> str:
    """The spec of the decoder with which a card is measured."""
    return card.test.decoder or (_with_split(card, "simcc") if card.output.kind == "simcc" else "argmax")


def reading(card: Card) -> str:
    """How the outputs are read, as text."""
    if card.output.kind == "landmarks":
        grid = f", {card.output.grid}" if card.output.grid else ""
        return f"{card.output.unit}{grid}, {card.output.layout}"
    if card.output.kind == "simcc":
        return decoder_of(card)
    return f"{decoder_of(card)}, {card.output.grid or 'stride'}"
