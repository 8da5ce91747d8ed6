"""Box rules: which part of the photograph the network sees. Every result names the rule."""

from __future__ import annotations

import math

from nmebench.boxes.box_rule import Boxes, BoxRule, check_boxes
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.own_code import plugin_errors
from nmebench.registry import Registry

__all__ = ["REGISTRY", "BoxRule", "Boxes", "boxes_of", "create", "describe", "names"]

REGISTRY = Registry(
    "box",
    {
        "landmarks": "nmebench.boxes.landmarks:LandmarksBox",
        "rect": "nmebench.boxes.rect:RectBox",
        "annotation": "nmebench.boxes.annotation:AnnotationBox",
        "pfld": "nmebench.boxes.pfld:PfldBox",
        "h3r-landmarks": "nmebench.boxes.h3r:H3RLandmarksBox",
        "h3r-rect": "nmebench.boxes.h3r:H3RRectBox",
    },
    group="nmebench.boxes",
)
"""The box rules: those of nmebench, and the entry points of the group ``nmebench.boxes``."""


def names() -> tuple[str, ...]:
    """Return the names of the box rules.

    Example:
        >>> names()
        ('landmarks', 'rect', 'annotation', 'pfld', 'h3r-landmarks', 'h3r-rect')
    """
    return tuple(REGISTRY.names())


def describe(name: str) -> tuple[str, str]:
    """Return (summary, source) of a rule, one line each.

    Raises:
        InputError: the name is unknown.

    Example:
        >>> describe("landmarks")[1]
        'ground-truth landmarks'
    """
    rule = create(name)
    return rule.summary, rule.source


def create(name: str, padding: float | None = None) -> BoxRule:
    """Return the rule of that name.

    Args:
        name: one of :func:`names`.
        padding: the factor on the box's side; None for the rule's default (1.25, or 1.2 for ``pfld``).

    Raises:
        InputError: the name is unknown (the message has the nearest match), or the padding is not in (0, 100].

    Example:
        >>> create("landmarks").padding
        1.25
    """
    kind = REGISTRY.load(name).value
    if padding is None:
        rule: BoxRule = kind()
        return rule
    if not (math.isfinite(padding) and 0 < padding <= 100):
        raise InputError(f"a padding of {padding} is not a factor above 0 and up to 100 (1.25 is usual)")
    padded: BoxRule = kind(padding=float(padding))
    return padded


def boxes_of(rule: BoxRule, dataset: Dataset, *, check: bool = True) -> Boxes:
    """Return the boxes of a rule. An exception in a rule of another distribution becomes a line that names the rule.

    Args:
        rule: from :func:`create`.
        dataset: the faces.
        check: refuse boxes that are empty or not finite.

    Raises:
        InputError: the dataset lacks data that the rule needs, a face's box is empty, or the rule's code failed.

    Example:
        >>> from nmebench import datasets
        >>> boxes_of(create("landmarks"), datasets.load("synthface", limit=3)).centre.shape
        (3, 2)
    """
    with plugin_errors(f"box {rule.name!r}", "its call", type(rule)):
        boxes = rule(dataset)
        if check:
            check_boxes(boxes, dataset)
    return boxes
