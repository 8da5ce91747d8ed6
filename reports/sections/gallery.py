"""The faces behind the numbers: worst, median and most improved faces of every cell, within a byte budget.

The section holds the data for the page's script: which faces to show where, ground truth and predictions in the frame
of the thumbnail, and the thumbnails. Headline cells have longer lists than the others, are compared with each other,
and share their faces, so that the page shows one face under all of them. The faces that most cells show come first;
once the budget is spent, the remaining faces have no picture.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from nmebench.geometry import Geometry
from nmebench.reports.render.text import adaptive_number, display
from nmebench.reports.view import CellView, RunView
from nmebench.runs.thumbnail import Thumbnail

__all__ = ["Gallery", "pack", "pack_offsets", "section"]

SIDE = 176
"""Longest side of a picture in the page, px."""
PICTURE_BUDGET = 380_000
"""Base64 characters of all pictures together."""
POINT_BUDGET = 270_000
"""Base64 characters of all predictions together."""


@dataclass(frozen=True)
class _Lengths:
    """Lengths of the lists of faces of a headline cell and of the other cells."""

    worst: int
    worst_of_subset: int
    median_and_improved: int
    worst_of_others: int
    worst_of_subset_of_others: int


_LENGTHS: Final = (
    _Lengths(7, 7, 7, 7, 7),
    _Lengths(7, 5, 6, 5, 3),
    _Lengths(7, 4, 5, 4, 2),
    _Lengths(7, 3, 4, 3, 1),
    _Lengths(6, 2, 3, 2, 1),
    _Lengths(4, 1, 2, 1, 1),
    _Lengths(2, 1, 1, 1, 0),
    _Lengths(1, 0, 1, 1, 0),
)
"""Lengths to try until the budget holds."""


@dataclass(frozen=True)
class Gallery:
    """The data for the page's script, and the numbers of faces and pictures in it."""

    data: Mapping[str, Any]
    faces: int
    pictures: int
    reason: str
    """A sentence on why there are no pictures; empty if there are some."""


def pack(points: NDArray[np.float64]) -> str:
    """Pack points ``[K, 2]``, given as fractions of the frame, as base64 of little-endian uint16.

    -0.5 becomes 0 and 1.5 becomes 65535; points farther outside are clipped.

    Example:
        >>> pack(np.array([[-0.5, 1.5]]))
        'AAD//w=='
    """
    inside = np.clip(np.nan_to_num(points, nan=-0.5), -0.5, 1.5)
    return base64.b64encode(np.round((inside + 0.5) * 32767.5).astype("<u2").tobytes()).decode("ascii")


def pack_offsets(points: NDArray[np.float64], truth: NDArray[np.float64]) -> tuple[float, str]:
    """Pack predictions ``[K, 2]`` as offsets from the ground truth, both given as fractions of the frame.

    Predictions are clipped to -0.5 to 1.5 before.

    Returns:
        The size of one step as a fraction of the frame, and base64 of int8 offsets in steps.

    Example:
        >>> pack_offsets(np.array([[0.5, 0.627]]), np.array([[0.5, 0.5]]))
        (0.001, 'AH8=')
    """
    offsets = np.clip(np.nan_to_num(points, nan=-0.5), -0.5, 1.5) - np.clip(np.nan_to_num(truth, nan=-0.5), -0.5, 1.5)
    step = float(f"{max(float(np.abs(offsets).max(initial=0)), 1e-9) / 127:.6g}")
    steps = np.clip(np.rint(offsets / step), -127, 127).astype(np.int8)
    return step, base64.b64encode(steps.tobytes()).decode("ascii")


def _lists(view: RunView, lengths: _Lengths) -> list[dict[str, Any]]:
    """For each cell the faces by kind: worst by subset, median, and most improved by the cell compared with."""
    headline = [head.cell for head in view.headline]
    cells: list[dict[str, Any]] = []
    for cell, base in zip(view.cells, view.baseline, strict=True):
        first = cell in headline
        nme = np.nan_to_num(view.nme[cell.index], nan=-1.0)
        of_test = lengths.worst if first else lengths.worst_of_others
        of_subset = lengths.worst_of_subset if first else lengths.worst_of_subset_of_others
        worst = {}
        for subset, mask in view.masks.items():
            members = np.flatnonzero(mask)
            order = members[np.argsort(-nme[members], kind="stable")]
            worst[subset] = order[: of_test if subset == "test" else of_subset].tolist()
        entry: dict[str, Any] = {"worst": worst, "median": [], "improved": {}, "base": base}
        if first:
            ranked = np.argsort(nme, kind="stable")
            start = max(0, len(ranked) // 2 - lengths.median_and_improved // 2)
            entry["median"] = ranked[start : start + lengths.median_and_improved].tolist()
        others = [] if base is None else [base]
        others += [other.index for other in headline if first and other is not cell and other.index != base]
        for other in others:
            improved = _improved(view, cell, other, lengths.median_and_improved if first else 2)
            if improved:
                entry["improved"][str(other)] = improved
        cells.append(entry)
    return cells


def _improved(view: RunView, cell: CellView, other: int, length: int) -> list[int]:
    """The faces whose NME is lowest compared with another cell's, the largest gain first."""
    gain = np.nan_to_num(view.nme[other] - view.nme[cell.index], nan=-np.inf)
    order = np.argsort(-gain, kind="stable")[:length]
    return [int(i) for i in order if gain[i] > 0]


def _needed(view: RunView, cells: list[dict[str, Any]]) -> list[list[int]]:
    """For each cell the faces whose predictions the page needs.

    They include the faces of cells compared with it; headline cells share those of their lists over all faces.
    """
    needed: list[set[int]] = [set() for _ in cells]
    for index, entry in enumerate(cells):
        needed[index] |= {face for faces in entry["worst"].values() for face in faces} | set(entry["median"])
        for other, faces in entry["improved"].items():
            needed[index] |= set(faces)
            needed[int(other)] |= set(faces)
    headline = [head.cell.index for head in view.headline]
    shared: set[int] = set()
    for index in headline:
        shared |= set(cells[index]["worst"]["test"]) | set(cells[index]["median"])
        shared |= {face for faces in cells[index]["improved"].values() for face in faces}
    for index in headline:
        needed[index] |= shared
    return [sorted(faces) for faces in needed]


def _frame(view: RunView, thumbnails: Mapping[int, Thumbnail], face: int) -> tuple[NDArray[np.float64], float, float]:
    """The map ``[2, 3]`` from image px to fractions of the frame, and the frame's width and height in px."""
    if face in thumbnails:
        (width, height), warp = thumbnails[face].size, np.asarray(thumbnails[face].warp, np.float64)
        # Pixel centres have integer coordinates, so the frame begins half a pixel before the first centre.
        inside = np.add(warp, [[0, 0, 0.5], [0, 0, 0.5]]) / [[width], [height]]
        return inside, float(width), float(height)
    centre, size = view.run.faces.centre[face], np.maximum(np.abs(view.run.faces.size[face]), 1e-6)
    fractions = Geometry(centre, size, input_size=(1, 1)).heatmap_matrix()
    return fractions, float(SIDE), float(SIDE * min(4.0, max(0.25, size[1] / size[0])))


def _shrink(jpeg: bytes) -> str | None:
    """Shrink a picture to at most :data:`SIDE` px and return it as base64 JPEG; None if the bytes are no picture."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR) if jpeg else None
    if image is None:
        return None
    scale = SIDE / max(image.shape[:2])
    if scale < 1:
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    done, coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 74])
    return base64.b64encode(coded.tobytes()).decode("ascii") if done else None


def section(view: RunView, *, pictures: bool = True, share: int = 1) -> Gallery | None:
    """Lists, points and pictures; None without faces or cells.

    Args:
        view: the run.
        pictures: False leaves the pictures out.
        share: number of runs that share the budgets.
    """
    faces = view.run.faces
    if not view.cells or not len(faces):
        return None
    bytes_per_face = 4 * ((faces.landmarks.shape[1] * 2 + 2) // 3)
    lists, needed = [], []
    for lengths in _LENGTHS:
        lists = _lists(view, lengths)
        needed = _needed(view, lists)
        if sum(map(len, needed)) * bytes_per_face <= POINT_BUDGET // share:
            break
    uses = Counter(face for members in needed for face in members)
    stored = view.run.thumbnails if pictures else None
    thumbnails = {} if stored is None else {face: stored[face] for face in sorted(uses) if face < len(stored)}
    subsets = list(view.masks)
    shown: dict[str, Any] = {}
    spent, with_picture = 0, 0
    warps = {}
    for face, _ in sorted(uses.items(), key=lambda item: (-item[1], item[0])):
        warps[face], width, height = _frame(view, thumbnails, face)
        picture = _shrink(thumbnails[face].jpeg) if face in thumbnails and spent < PICTURE_BUDGET // share else None
        spent, with_picture = spent + len(picture or ""), with_picture + (picture is not None)
        shown[str(face)] = {
            "image": display(faces.image[face], 120),
            "line": int(faces.line[face]),
            "in": [i for i, s in enumerate(subsets) if s != "test" and view.masks[s][face]],
            "w": round(width / max(width, height) * SIDE),
            "h": round(height / max(width, height) * SIDE),
            "truth": pack(_warped(faces.landmarks[face], warps[face])),
            "picture": picture,
        }
    for entry, members, cell in zip(lists, needed, view.cells, strict=True):
        # A landmark without ground truth is drawn nowhere: both its places are outside the frame.
        truth = faces.landmarks[members]
        predicted = np.where(np.isnan(truth), np.nan, view.run.landmarks_of(cell.id, members))
        entry["points"] = {
            str(face): pack_offsets(_warped(found, warps[face]), _warped(known, warps[face]))
            for face, found, known in zip(members, predicted, truth, strict=True)
        }
        entry["nme"] = {str(face): adaptive_number(float(view.nme[cell.index][face])) for face in members}
        entry["label"] = cell.label
    reason = ""
    if not pictures:
        reason = "Pictures were left out when this page was made."
    elif stored is None:
        reason = "The run has no stored pictures."
    elif not with_picture:
        reason = "No stored picture could be read."
    data = {
        "subsets": [display(s, 40) for s in subsets],
        "keys": subsets,
        "faces": shown,
        "cells": lists,
        "headline": [head.cell.index for head in view.headline],
    }
    return Gallery(data, len(shown), with_picture, reason)


def _warped(points: NDArray[Any], warp: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points ``[K, 2]`` under an affine map ``[2, 3]``."""
    warped: NDArray[np.float64] = points @ warp[:, :2].T + warp[:, 2]
    return warped
