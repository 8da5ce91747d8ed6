"""Box rules: what part of the photograph a network is shown. The rule's name goes into every result."""

from __future__ import annotations

import difflib
import math
from types import MappingProxyType
from typing import Any

from harness.boxes.annotation import AnnotationBox
from harness.boxes.boxes import Boxes, BoxRule, Sampling
from harness.boxes.landmarks import LandmarksBox
from harness.boxes.pfld import PfldBox
from harness.boxes.rect import RectBox
from harness.errors import InputError

__all__ = ["BoxRule", "Boxes", "Sampling", "create", "describe", "names"]

_RULES: MappingProxyType[str, Any] = MappingProxyType(
    {rule.name: rule for rule in (LandmarksBox, RectBox, AnnotationBox, PfldBox)}
)


def names() -> tuple[str, ...]:
    """The box rules.

    >>> names()
    ('landmarks', 'rect', 'annotation', 'pfld')
    """
    return tuple(_RULES)


def describe(name: str) -> tuple[str, str]:
    """(summary, source) of a rule, one line each; InputError for an unknown one."""
    rule = create(name)
    return rule.summary, rule.source


def create(name: str, padding: float | None = None) -> BoxRule:
    """The rule of that name.

    :param padding: the factor on the box's side; None for the rule's own (1.25, or 1.2 for ``pfld``).
    :raises InputError: for an unknown name (with the near match) or a padding that is not in (0, 100].
    """
    if name not in _RULES:
        near = difflib.get_close_matches(name, names(), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise InputError(f"unknown box {name!r}: known are {', '.join(names())}{hint}")
    if padding is None:
        rule: BoxRule = _RULES[name]()
        return rule
    if not (math.isfinite(padding) and 0 < padding <= 100):
        raise InputError(f"a padding of {padding} is not a factor above 0 and up to 100 (1.25 is usual)")
    padded: BoxRule = _RULES[name](padding=float(padding))
    return padded
