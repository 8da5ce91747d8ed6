"""Box rules: what part of the photograph a network is shown. The rule's name goes into every result."""

from __future__ import annotations

import math

from nmebench.boxes.box_rule import Boxes, BoxRule
from nmebench.errors import InputError
from nmebench.registry import Registry

__all__ = ["BoxRule", "Boxes", "create", "describe", "names"]

REGISTRY = Registry(
    "box",
    {
        "landmarks": "nmebench.boxes.landmarks:LandmarksBox",
        "rect": "nmebench.boxes.rect:RectBox",
        "annotation": "nmebench.boxes.annotation:AnnotationBox",
        "pfld": "nmebench.boxes.pfld:PfldBox",
    },
    group=None,
)


def names() -> tuple[str, ...]:
    """The box rules.

    >>> names()
    ('landmarks', 'rect', 'annotation', 'pfld')
    """
    return tuple(REGISTRY.names())


def describe(name: str) -> tuple[str, str]:
    """(summary, source) of a rule, one line each; InputError for an unknown one."""
    rule = create(name)
    return rule.summary, rule.source


def create(name: str, padding: float | None = None) -> BoxRule:
    """The rule of that name.

    :param padding: the factor on the box's side; None for the rule's own (1.25, or 1.2 for ``pfld``).
    :raises InputError: for an unknown name (with the near match) or a padding that is not in (0, 100].
    """
    kind = REGISTRY.load(name).value
    if padding is None:
        rule: BoxRule = kind()
        return rule
    if not (math.isfinite(padding) and 0 < padding <= 100):
        raise InputError(f"a padding of {padding} is not a factor above 0 and up to 100 (1.25 is usual)")
    padded: BoxRule = kind(padding=float(padding))
    return padded
