"""Checks across files: counts, subsets, formats and the training list."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.readers.fields import with_slashes
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.verify.report import Collector

__all__ = ["check_counts", "check_formats", "check_leak", "check_subsets"]

TOLERANCE = 1e-5
"""px; the lists have six decimals, the json more."""

Masks = Mapping[str, NDArray[np.bool_]]


def check_counts(count: int, subsets: Masks, expected: Mapping[str, int], name: str, into: Collector) -> None:
    """Check the number of faces and, when all faces are present, the number in each subset.

    Args:
        count: the number of faces in the file.
        subsets: masks ``[N]`` by subset.
        expected: counts of the complete test set by subset.
        name: the file that the findings name.
        into: receives the findings.
    """
    total = expected["test"]
    if count < total:
        into.add("note", "partial", name, None, f"{count} of {total} faces: no published number can be compared")
    elif count > total:
        into.add("error", "count", name, None, f"{count} faces, the test set has {total}")
    else:
        for subset, mask in subsets.items():
            if subset in expected and int(mask.sum()) != expected[subset]:
                message = f"{subset} has {int(mask.sum())} faces, the test set {expected[subset]}"
                into.add("error", "subset-count", name, None, message)


def check_subsets(
    first: Masks, second: Masks, names: tuple[str, str], lines: NDArray[np.int64], into: Collector
) -> None:
    """Check that two files put the same faces into the subsets that both define.

    Args:
        first: masks ``[N]`` by subset, of the first file.
        second: the same, of the second file.
        names: the two files that the findings name.
        lines: ``[N]`` lines of the first file.
        into: receives the findings.
    """
    for subset, mask in first.items():
        if subset not in second or len(second[subset]) != len(mask):
            continue
        different = np.flatnonzero(mask != second[subset])
        if len(different):
            message = f"{len(different)} faces are in the subset {subset} here and not in {names[1]}, or the reverse"
            into.add("error", "subsets-disagree", names[0], int(lines[different[0]]), message)


def check_formats(first: AnnotatedFaces, second: AnnotatedFaces, names: tuple[str, str], into: Collector) -> None:
    """Check that two formats hold the same faces in the same order."""
    if len(first.images) != len(second.images):
        message = f"{len(second.images)} faces, {names[0]} has {len(first.images)}"
        into.add("error", "formats-disagree", names[1], None, message)
        return
    gap = second.landmarks - first.landmarks
    offset = np.median(gap.reshape(-1, 2), axis=0)
    if (np.abs(offset) > TOLERANCE).any() and (np.abs(gap - offset) <= TOLERANCE).all():
        message = (
            f"all landmarks are those of {names[0]} plus ({offset[0]:+.3g}, {offset[1]:+.3g}) px: "
            "one of the two is a shifted copy (counting from 1?)"
        )
        into.add("error", "one-based", names[1], None, message)
        return
    wrong = (np.abs(gap) > TOLERANCE).any(axis=(1, 2))
    wrong |= np.array([with_slashes(a) != with_slashes(b) for a, b in zip(first.images, second.images, strict=True)])
    if not wrong.any():
        return
    if sorted(_rounded_keys(first)) == sorted(_rounded_keys(second)):
        message = f"the same faces as {names[0]}, in another order"
        into.add("warning", "order-differs", names[1], int(second.lines[wrong][0]), message)
        return
    pairs = zip(second.lines[wrong].tolist(), first.lines[wrong].tolist(), strict=True)
    found = [(line, f"not the face that {names[0]} has at {other}") for line, other in pairs]
    into.add_lines("error", "formats-disagree", names[1], found)


def check_leak(test: AnnotatedFaces, train: AnnotatedFaces, names: tuple[str, str], into: Collector) -> None:
    """Find faces of the test list that the training list contains as well."""
    known = set(test.keys())
    found = [
        (line, f"this face is also in {names[0]}: training would see the test set")
        for key, line in zip(train.keys(), train.lines.tolist(), strict=True)
        if key in known
    ]
    into.add_lines("error", "train-test-overlap", names[1], found)


def _rounded_keys(faces: AnnotatedFaces) -> list[tuple[str, bytes]]:
    """Return keys that do not depend on the rounding to six decimals."""
    rounded = faces.landmarks.round(4) + 0.0
    return [(with_slashes(image), points.tobytes()) for image, points in zip(faces.images, rounded, strict=True)]
