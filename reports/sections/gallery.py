"""The faces behind the numbers: worst, median and most improved faces of every cell, within a byte budget.

The section holds the data for the page's script: which faces to show where, ground truth and predictions in the frame
of the thumbnail, and the thumbnails. The faces that most cells show come first; once the budget is spent, the remaining
faces have no picture.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from nmebench.geometry import Geometry
from nmebench.reports.render.text import adaptive_number, display
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Thumbnail

__all__ = ["Gallery", "pack", "section"]

SIDE = 176
"""Longest side of a picture in the page, px."""
PICTURE_BUDGET = 2_600_000
"""Base64 characters of all pictures together, before :data:`PER_CELL` is subtracted."""
POINT_BUDGET = 1_200_000
"""Base64 characters of all predictions together."""
PER_CELL = 12_000
"""Characters subtracted from the picture budget per cell, for the cell's tables and curves."""
_LIST_LENGTHS = ((12, 8, 6), (8, 6, 4), (6, 4, 3), (4, 2, 2), (2, 1, 1), (1, 0, 0))
"""Lengths of the lists (worst of ``test``, worst of a subset, median and improved) to try, until the budget holds."""


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


def _lists(view: RunView, lengths: tuple[int, int, int]) -> list[dict[str, Any]]:
    """For each cell the faces by kind and subset, worst first."""
    of_test, of_subset, of_other = lengths
    cells: list[dict[str, Any]] = []
    for cell, base in zip(view.cells, view.baseline, strict=True):
        nme = np.nan_to_num(view.nme[cell.index], nan=-1.0)
        worst = {}
        for subset, mask in view.masks.items():
            members = np.flatnonzero(mask)
            order = members[np.argsort(-nme[members], kind="stable")]
            worst[subset] = order[: of_test if subset == "test" else of_subset].tolist()
        ranked = np.argsort(nme, kind="stable")
        first = max(0, len(ranked) // 2 - of_other // 2)
        entry: dict[str, Any] = {
            "worst": worst,
            "median": {"test": ranked[first : first + of_other].tolist()},
            "base": base,
        }
        if base is not None:
            gain = view.nme[base] - view.nme[cell.index]
            order = np.argsort(-np.nan_to_num(gain, nan=-np.inf), kind="stable")[:of_other]
            entry["improved"] = {"test": [int(i) for i in order if gain[i] > 0]}
        cells.append(entry)
    return cells


def _needed(cells: list[dict[str, Any]]) -> list[list[int]]:
    """For each cell the faces whose predictions the page needs, including those of cells compared with it."""
    needed: list[set[int]] = [set() for _ in cells]
    for index, entry in enumerate(cells):
        for kind in ("worst", "median", "improved"):
            shown = {face for faces in entry.get(kind, {}).values() for face in faces}
            needed[index] |= shown
            if kind == "improved" and shown:
                needed[entry["base"]] |= shown
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


def section(view: RunView, *, pictures: bool = True) -> Gallery | None:
    """Lists, points and pictures; None without faces or cells.

    Args:
        view: the run.
        pictures: False leaves the pictures out.
    """
    faces = view.run.faces
    if not view.cells or not len(faces):
        return None
    bytes_per_face = 4 * ((faces.landmarks.shape[1] * 4 + 2) // 3) + 8
    lists, needed = [], []
    for lengths in _LIST_LENGTHS:
        lists = _lists(view, lengths)
        needed = _needed(lists)
        if sum(map(len, needed)) * bytes_per_face <= POINT_BUDGET:
            break
    uses = Counter(face for members in needed for face in members)
    stored = view.run.thumbnails if pictures else None
    thumbnails = {} if stored is None else {face: stored[face] for face in uses if face < len(stored)}
    subsets = list(view.masks)
    shown: dict[str, Any] = {}
    spent, with_picture = 0, 0
    budget = max(PICTURE_BUDGET // 10, PICTURE_BUDGET - PER_CELL * len(view.cells))
    warps = {}
    for face, _ in sorted(uses.items(), key=lambda item: (-item[1], item[0])):
        warps[face], width, height = _frame(view, thumbnails, face)
        picture = _shrink(thumbnails[face].jpeg) if face in thumbnails and spent < budget else None
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
        predicted = view.run.landmarks(cell.id)
        entry["points"] = {str(face): pack(_warped(predicted[face], warps[face])) for face in members}
        entry["nme"] = {str(face): adaptive_number(float(view.nme[cell.index][face])) for face in members}
        entry["label"] = cell.label
    reason = ""
    if not pictures:
        reason = "Pictures were left out when this page was made."
    elif stored is None:
        reason = "The run has no stored pictures."
    elif not with_picture:
        reason = "No stored picture could be read."
    data = {"subsets": [display(s, 40) for s in subsets], "keys": subsets, "faces": shown, "cells": lists}
    return Gallery(data, len(shown), with_picture, reason)


def _warped(points: NDArray[Any], warp: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points ``[K, 2]`` under an affine map ``[2, 3]``."""
    warped: NDArray[np.float64] = points @ warp[:, :2].T + warp[:, 2]
    return warped
