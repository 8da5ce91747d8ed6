"""Valid files of the benchmarks' own formats that seed the fuzzer, made from fixed seeds."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
from scipy.io import savemat

sys.path.append(str(Path(__file__).resolve().parents[1] / "support"))

import face_files  # isort: skip

__all__ = ["cofw68_files", "cofw_files", "lapa_files", "spiga_files"]


def spiga_files() -> dict[str, bytes]:
    """SPIGA's json and its ``db_info.json``."""
    faces = face_files.spiga_faces(face_files.random_points(3, 68), ["images/01345.jpg", "images/test/b.jpg", "c.jpg"])
    info = {"test_subsets": {"common": [0, 2], "ibug": [1]}, "norm": {"corners": 8}}
    return {"test.json": json.dumps(faces).encode(), "db_info.json": json.dumps(info).encode()}


def lapa_files() -> dict[str, bytes]:
    lines = "".join(f"{40 + 3 * (k % 9)} {30 + 5 * (k // 9)}\n" for k in range(106))
    return {"face.txt": f"106\n{lines}".encode()}


def cofw68_files() -> dict[str, bytes]:
    """A face of COFW-68, plain and compressed, and the file of the boxes."""
    found = {}
    for number in (1, 2):
        sink = io.BytesIO()
        occluded = np.arange(68)[None] % 3 == 0
        content = {"Points": face_files.random_points(1, 68)[0], "Occ": occluded.astype(float)}
        savemat(sink, content, do_compression=number == 2)
        found[f"{number}_points.mat"] = sink.getvalue()
    sink = io.BytesIO()
    savemat(sink, {"bboxes": np.arange(8.0).reshape(2, 4) + 1})
    return {**found, "cofw68_test_bboxes.mat": sink.getvalue()}


def cofw_files() -> dict[str, bytes]:
    """COFW's test and training files with two faces."""
    pictures = [np.random.default_rng(face).integers(0, 255, (9, 8, 3), dtype=np.uint8) for face in range(2)]
    pictures[1] = pictures[1][..., 0]
    occluded = np.arange(58).reshape(2, 29) % 3 == 0
    boxes = np.arange(8.0).reshape(2, 4) + 1
    points = face_files.random_points(2, 29)
    return {
        f"COFW_{split}_color.mat": face_files.cofw_content(points, occluded, boxes, pictures, split)
        for split in ("test", "train")
    }
