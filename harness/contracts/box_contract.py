"""The contract of box rules: checks that every rule passes, run by tests and by ``nmebench contract box``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from nmebench import boxes, datasets
from nmebench.boxes.box_rule import Boxes, BoxRule
from nmebench.contracts.result import CheckFailedError, ContractResult, run
from nmebench.datasets.dataset import Dataset

__all__ = ["CHECKS", "run_checks"]


@dataclass(frozen=True)
class _Subject:
    rule: BoxRule
    dataset: Dataset


def run_checks(name: str, spec: str, scheme: str | None = None) -> list[ContractResult]:
    """Run every check of a box rule on a data set.

    Args:
        name: name of the rule.
        spec: the data set, as ``--data`` takes it; it must have the data that the rule needs.
        scheme: name or TOML file of the landmark scheme, for data sets that have none of their own.

    Returns:
        One result per check, in the order of :data:`CHECKS`.

    Raises:
        InputError: the rule is unknown, the data set can't be loaded or lacks what the rule needs, or the rule fails.
    """
    subject = _Subject(boxes.create(name), datasets.load(spec, scheme=scheme))
    boxes.boxes_of(subject.rule, subject.dataset, check=False)
    return run(CHECKS, subject)


def _boxes(subject: _Subject) -> Boxes:
    """Call the rule, and check the shapes and types that the other checks need."""
    found = boxes.boxes_of(subject.rule, subject.dataset, check=False)
    shape = (len(subject.dataset), 2)
    if found.centre.shape != shape or found.size.shape != shape:
        raise CheckFailedError(
            f"centre {list(found.centre.shape)} and size {list(found.size.shape)} must be {list(shape)}"
        )
    if found.centre.dtype != np.float64 or found.size.dtype != np.float64:
        raise CheckFailedError(f"centre is {found.centre.dtype} and size {found.size.dtype}, expected float64")
    return found


def _one_box_per_face(subject: _Subject) -> str:
    return f"{len(_boxes(subject).centre)} boxes"


def _not_empty(subject: _Subject) -> str:
    found = _boxes(subject)
    good = np.isfinite(found.centre).all(1) & np.isfinite(found.size).all(1) & (found.size > 0).all(1)
    if not good.all():
        raise CheckFailedError(f"the box of face {int(np.argmin(good))} is empty or not finite")
    return f"sides {found.size.min():.0f} to {found.size.max():.0f} px"


def _same_twice(subject: _Subject) -> str:
    first = _boxes(subject)
    second = boxes.boxes_of(boxes.create(subject.rule.name), subject.dataset, check=False)
    if not (np.array_equal(first.centre, second.centre) and np.array_equal(first.size, second.size)):
        raise CheckFailedError("two calls give different boxes")
    return ""


def _says_its_source(subject: _Subject) -> str:
    found = _boxes(subject)
    if (found.name, found.padding) != (subject.rule.name, subject.rule.padding):
        raise CheckFailedError(
            f"the boxes name {found.name!r} with padding {found.padding}, the rule is {subject.rule.name!r} with "
            f"{subject.rule.padding}"
        )
    if not found.source or not subject.rule.summary:
        raise CheckFailedError("source and summary must say what the box is made from; every result stores them")
    return found.source


def _padding_grows_the_box(subject: _Subject) -> str:
    plain = _boxes(subject)
    wider = boxes.create(subject.rule.name, padding=2 * subject.rule.padding)
    padded = boxes.boxes_of(wider, subject.dataset, check=False)
    ratio = padded.size / plain.size
    if np.abs(ratio - 2).max() > 0.1:
        raise CheckFailedError(
            f"with twice the padding the sides are {ratio.min():.3f} to {ratio.max():.3f} times as long"
        )
    return f"sides {ratio.min():.3f} to {ratio.max():.3f} times as long with twice the padding"


CHECKS: Final[Mapping[str, Callable[[_Subject], str]]] = MappingProxyType(
    {
        "one box per face": _one_box_per_face,
        "boxes are not empty": _not_empty,
        "two calls are equal": _same_twice,
        "the source is named": _says_its_source,
        "padding grows the box": _padding_grows_the_box,
    }
)
