"""Checks across files: counts, subsets, formats and the training list."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

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
        expected: counts of the complete test set by subset; empty where they are not known.
        name: the file that the findings name.
        into: receives the findings.
    """
    if not expected:
        return
    total = expected["test"]
    if count < total:
        parts = [f"{one} {int(mask.sum())} of {expected[one]}" for one, mask in subsets.items() if one in expected]
        of_subsets = f" ({', '.join(parts)})" if parts else ""
        message = f"{count} of {total} faces{of_subsets}: no published number can be compared"
        into.add("note", "partial", name, None, message)
    elif count > total:
        into.add("error", "count", name, None, f"{count} faces, the test set has {total}")
    else:
        for subset, mask in subsets.items():
            if subset in expected and int(mask.sum()) != expected[subset]:
                message = f"{subset} has {int(mask.sum())} faces, the test set {expected[subset]}"
                into.add("error", "subset-count", name, None, message)


def check_subsets(
    masks: tuple[Masks, Masks],
    names: tuple[str, str],
    faces: tuple[AnnotatedFaces, AnnotatedFaces],
    into: Collector,
) -> None:
    """Check that two files put the same faces into the subsets that both define.

    Args:
        masks: masks ``[N]`` by subset, of the two files.
        names: the two files that the findings name.
        faces: their faces.
        into: receives the findings.
    """
    pairs = _pairs(faces[0], faces[1])
    for subset, mask in masks[0].items():
        if subset not in masks[1] or len(pairs) < len(faces[0].images):
            continue
        different = pairs[mask[pairs[:, 0]] != masks[1][subset][pairs[:, 1]], 0]
        if len(different):
            message = f"{len(different)} faces are in the subset {subset} here and not in {names[1]}, or the reverse"
            into.add("error", "subsets-disagree", names[0], int(faces[0].lines[different[0]]), message)


def check_formats(
    first: AnnotatedFaces,
    second: AnnotatedFaces,
    names: tuple[str, str],
    into: Collector,
    *,
    offset: int = 0,
    ordered: bool = True,
) -> None:
    """Check that two formats hold the same faces.

    Args:
        first: the faces of one file.
        second: the faces of the other.
        names: the two files that the findings name.
        into: receives the findings.
        offset: how much larger the coordinates of the second format are, px: 1 if it alone counts from 1.
        ordered: whether both have the same order and the same names of photographs.
    """
    if len(first.images) != len(second.images):
        message = f"{len(second.images)} faces, {names[0]} has {len(first.images)}"
        into.add("error", "formats-disagree", names[1], None, message)
        return
    pairs = np.repeat(np.arange(len(first.images))[:, None], 2, axis=1) if ordered else _pairs(first, second)
    gap = second.landmarks[pairs[:, 1]] - first.landmarks[pairs[:, 0]] - offset
    shift = np.nanmedian(gap.reshape(-1, 2), axis=0) if len(pairs) else np.zeros(2)
    constant = np.asarray((np.abs(gap - shift) <= TOLERANCE) | np.isnan(gap)).all(axis=(1, 2))
    if (np.abs(shift) > TOLERANCE).any() and constant.all() and len(pairs) == len(first.images):
        known = f" (they should differ by {offset:+d})" if offset else ""
        message = (
            f"all landmarks are those of {names[0]} plus ({shift[0] + offset:+.3g}, {shift[1] + offset:+.3g}) px"
            f"{known}: one of the two is a shifted copy (counting from 1?)"
        )
        into.add("error", "one-based", names[1], None, message)
        return
    wrong = np.ones(len(second.images), np.bool_)
    # One is labelled where the other is not: the difference is NaN in one of the coordinates only if both aren't.
    unlabelled = np.isnan(second.landmarks[pairs[:, 1]]) != np.isnan(first.landmarks[pairs[:, 0]])
    wrong[pairs[:, 1]] = (np.abs(gap) > TOLERANCE).any(axis=(1, 2)) | unlabelled.any(axis=(1, 2))
    if ordered:
        wrong |= np.array(
            [with_slashes(a) != with_slashes(b) for a, b in zip(first.images, second.images, strict=True)], np.bool_
        )
    if not wrong.any():
        return
    if ordered and sorted(_rounded_keys(first)) == sorted(_rounded_keys(second)):
        message = f"the same faces as {names[0]}, in another order"
        into.add("warning", "order-differs", names[1], int(second.lines[wrong][0]), message)
        return
    line_of = dict(zip(pairs[:, 1].tolist(), first.lines[pairs[:, 0]].tolist(), strict=True))
    found = [
        (
            int(second.lines[row]),
            f"not the face that {names[0]} has at {line_of[row]}" if row in line_of else f"no such face in {names[0]}",
        )
        for row in np.flatnonzero(wrong).tolist()
    ]
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


def _pairs(first: AnnotatedFaces, second: AnnotatedFaces) -> NDArray[np.int64]:
    """Return the rows ``[P, 2]`` of the same faces in two files, by photograph and landmarks.

    Formats name the same photograph in different folders and with different endings, so only its stem is compared.
    """
    by_stem: dict[str, list[int]] = {}
    for row, image in enumerate(second.images):
        by_stem.setdefault(_stem(image), []).append(row)
    pairs = []
    for row, image in enumerate(first.images):
        candidates = by_stem.get(_stem(image), [])
        if candidates:
            distance = np.abs(second.landmarks[candidates] - first.landmarks[row])
            best = int(np.nanmean(distance.reshape(len(candidates), -1), axis=1).argmin())
            pairs.append((row, candidates.pop(best)))
    return np.array(pairs, np.int64).reshape(-1, 2)


def _stem(image: str) -> str:
    return PurePosixPath(with_slashes(image)).stem.replace(" ", "")
