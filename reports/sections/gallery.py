"""The faces behind the numbers: for every cell the worst, the median and the most improved faces, within a byte budget.

Everything the page's script needs: who is shown where, ground truth and predictions in the thumbnail's frame, and the
thumbnails themselves, shrunk, the most often shown first, until the budget is spent.
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

from nmebench.reports.render.text import fine, say
from nmebench.reports.view import RunView
from nmebench.runs.run_store import Thumbnail

__all__ = ["Gallery", "pack", "section"]

#: Longest side of a picture in the page, px.
SIDE = 176
#: Base64 characters of all pictures, and of all predictions; every cell's tables and curves take from the pictures.
PICTURE_BUDGET = 2_600_000
POINT_BUDGET = 1_200_000
PER_CELL = 12_000
_SIZES = ((12, 8, 6), (8, 6, 4), (6, 4, 3), (4, 2, 2), (2, 1, 1), (1, 0, 0))


@dataclass(frozen=True)
class Gallery:
    """The data for the page's script and what to say about it."""

    data: Mapping[str, Any]
    faces: int
    pictures: int
    reason: str
    """Why there are no pictures; empty when there are."""


def pack(points: NDArray[np.float64]) -> str:
    """Points ``[K, 2]`` as fractions of the frame, base64 of little-endian uint16: -0.5 is 0, 1.5 is 65535."""
    inside = np.clip(np.nan_to_num(points, nan=-0.5), -0.5, 1.5)
    return base64.b64encode(np.round((inside + 0.5) * 32767.5).astype("<u2").tobytes()).decode("ascii")


def _lists(view: RunView, sizes: tuple[int, int, int]) -> list[dict[str, Any]]:
    """For each cell: faces by kind and subset, worst first."""
    whole, part, rest = sizes
    cells: list[dict[str, Any]] = []
    for cell, base in zip(view.cells, view.baseline, strict=True):
        nme = np.nan_to_num(view.nme[cell.index], nan=-1.0)
        worst = {}
        for subset, mask in view.masks.items():
            members = np.flatnonzero(mask)
            order = members[np.argsort(-nme[members], kind="stable")]
            worst[subset] = order[: whole if subset == "test" else part].tolist()
        ranked = np.argsort(nme, kind="stable")
        first = max(0, len(ranked) // 2 - rest // 2)
        entry: dict[str, Any] = {
            "worst": worst,
            "median": {"test": ranked[first : first + rest].tolist()},
            "base": base,
        }
        if base is not None:
            gain = view.nme[base] - view.nme[cell.index]
            order = np.argsort(-np.nan_to_num(gain, nan=-np.inf), kind="stable")[:rest]
            entry["improved"] = {"test": [int(i) for i in order if gain[i] > 0]}
        cells.append(entry)
    return cells


def _needed(cells: list[dict[str, Any]]) -> list[list[int]]:
    """Faces whose predictions each cell has to bring; a baseline brings those of the cells compared with it."""
    needed: list[set[int]] = [set() for _ in cells]
    for index, entry in enumerate(cells):
        for kind in ("worst", "median", "improved"):
            shown = {face for faces in entry.get(kind, {}).values() for face in faces}
            needed[index] |= shown
            if kind == "improved" and shown:
                needed[entry["base"]] |= shown
    return [sorted(faces) for faces in needed]


def _frame(view: RunView, thumbnails: Mapping[int, Thumbnail], face: int) -> tuple[NDArray[np.float64], float, float]:
    """The map from image px to fractions of the frame, ``[2, 3]``, and the frame's width and height."""
    if face in thumbnails:
        (width, height), warp = thumbnails[face].size, np.asarray(thumbnails[face].warp, np.float64)
        # A pixel's centre has integer coordinates, so that the frame begins half a pixel before the first.
        inside = np.add(warp, [[0, 0, 0.5], [0, 0, 0.5]]) / [[width], [height]]
        return inside, float(width), float(height)
    centre, size = view.run.faces.centre[face], np.maximum(np.abs(view.run.faces.size[face]), 1e-6)
    warp = np.array([[1 / size[0], 0, 0.5 - centre[0] / size[0]], [0, 1 / size[1], 0.5 - centre[1] / size[1]]])
    return warp, float(SIDE), float(SIDE * min(4.0, max(0.25, size[1] / size[0])))


def _shrink(jpeg: bytes) -> str | None:
    """A thumbnail of at most :data:`SIDE` px as base64 JPEG; None when the bytes are no picture."""
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
    """Lists, points and pictures; None for a run without faces or cells."""
    faces = view.run.faces
    if not view.cells or not len(faces):
        return None
    points = faces.landmarks.shape[1]
    each = 4 * ((points * 4 + 2) // 3) + 8
    lists, needed = [], []
    for sizes in _SIZES:
        lists = _lists(view, sizes)
        needed = _needed(lists)
        if sum(map(len, needed)) * each <= POINT_BUDGET:
            break
    asked = Counter(face for members in needed for face in members)
    stored = view.run.thumbnails if pictures else None
    available = {} if stored is None else {face: stored[face] for face in asked if face < len(stored)}
    subsets = list(view.masks)
    shown: dict[str, Any] = {}
    spent, count = 0, 0
    budget = max(PICTURE_BUDGET // 10, PICTURE_BUDGET - PER_CELL * len(view.cells))
    frames = {}
    for face, _ in sorted(asked.items(), key=lambda item: (-item[1], item[0])):
        warp, width, height = frames[face] = _frame(view, available, face)
        picture = _shrink(available[face].jpeg) if face in available and spent < budget else None
        spent, count = spent + len(picture or ""), count + (picture is not None)
        truth = faces.landmarks[face] @ warp[:, :2].T + warp[:, 2]
        shown[str(face)] = {
            "image": say(faces.image[face], 120),
            "line": int(faces.line[face]),
            "in": [i for i, s in enumerate(subsets) if s != "test" and view.masks[s][face]],
            "w": round(width / max(width, height) * SIDE),
            "h": round(height / max(width, height) * SIDE),
            "truth": pack(truth),
            "picture": picture,
        }
    for entry, members, cell in zip(lists, needed, view.cells, strict=True):
        predicted = view.run.landmarks(cell.id)
        entry["points"] = {
            str(face): pack(predicted[face] @ frames[face][0][:, :2].T + frames[face][0][:, 2]) for face in members
        }
        entry["nme"] = {str(face): fine(float(view.nme[cell.index][face])) for face in members}
        entry["label"] = cell.label
    reason = ""
    if not pictures:
        reason = "they were left out when this page was made."
    elif stored is None:
        reason = "the run stored none."
    elif not count:
        reason = "no stored picture could be read."
    data = {"subsets": [say(s, 40) for s in subsets], "keys": subsets, "faces": shown, "cells": lists}
    return Gallery(data, len(shown), count, reason)
