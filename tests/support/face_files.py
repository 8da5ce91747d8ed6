"""Small files of the benchmarks in their own formats, for tests and for the fuzzer."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPIGA_IDS = (
    *(101, 102, 103, 104, 105, 106, 107, 108, 24, 110, 111, 112, 113, 114, 115, 116, 117, 1, 119, 2, 121, 3, 4, 124),
    *(5, 126, 6, 128, 129, 130, 17, 16, 133, 134, 135, 18, 7, 138, 139, 8, 141, 142, 11, 144, 145, 12, 147, 148, 20),
    *(150, 151, 22, 153, 154, 21, 156, 157, 23, 159, 160, 161, 162, 163, 164, 165, 166, 167, 168),
)
"""SPIGA's ids of 68 landmarks, copied from its files and not from the reader."""


def random_points(faces: int, points: int, seed: int = 0) -> NDArray[np.float64]:
    """Faces ``[N, K, 2]`` whose landmarks are apart from each other, image px."""
    return np.random.default_rng(seed).uniform(20, 200, (faces, points, 2))


def spiga_faces(points: NDArray[np.float64], images: Sequence[str], visible: Any = None) -> list[dict[str, Any]]:
    """The faces of SPIGA's json, in its own order of landmarks."""
    shown = np.ones(points.shape[:2]) if visible is None else np.asarray(visible, float)
    return [
        {
            "imgpath": image,
            "bbox": [*face.min(0).tolist(), *np.ptp(face, axis=0).tolist()],
            "headpose": [0.0] * 6,
            "ids": list(SPIGA_IDS),
            "landmarks": face.tolist(),
            "visible": flags.tolist(),
        }
        for face, image, flags in zip(points, images, shown, strict=True)
    ]


def write_spiga(file: Path, faces: list[dict[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(faces))


def write_lapa(root: Path, points: NDArray[np.float64], names: Sequence[str], split: str = "test") -> None:
    """Write ``SPLIT/landmarks/NAME.txt`` in LaPa's layout."""
    folder = root / split / "landmarks"
    folder.mkdir(parents=True, exist_ok=True)
    for face, name in zip(points, names, strict=True):
        (folder / f"{name}.txt").write_text(f"{len(face)}\n" + "".join(f"{x!r} {y!r}\n" for x, y in face.tolist()))


def write_cofw68(
    root: Path, points: NDArray[np.float64], occluded: NDArray[np.bool_], boxes: NDArray[np.float64] | None
) -> None:
    """Write COFW-68's files, numbered from 1."""
    from scipy.io import savemat

    (root / "test_annotations").mkdir(parents=True, exist_ok=True)
    for number, (face, flags) in enumerate(zip(points, occluded, strict=True), start=1):
        savemat(
            root / "test_annotations" / f"{number}_points.mat",
            {"Points": face, "Occ": flags[None].astype(float)},
            do_compression=number % 2 == 0,
        )
    if boxes is not None:
        savemat(root / "cofw68_test_bboxes.mat", {"bboxes": boxes})


def cofw_content(
    points: NDArray[np.float64],
    occluded: NDArray[np.bool_],
    boxes: NDArray[np.float64],
    pictures: Sequence[NDArray[np.uint8]],
    split: str = "test",
    **change: Any,
) -> bytes:
    """A MATLAB file of COFW as HDF5 holds it: arrays transposed, photographs behind references, a header of 512 bytes.

    Args:
        points: ``[N, 29, 2]`` with the first pixel at (1, 1).
        occluded: ``[N, 29]``.
        boxes: ``[N, 4]``.
        pictures: RGB ``[H, W, 3]`` or grey ``[H, W]``.
        split: ``test`` or ``train``.
        change: arrays ``phis`` or ``bboxes`` in place of the right ones, as HDF5 holds them.
    """
    import h5py

    end = "T" if split == "test" else "Tr"
    phis = np.concatenate([points[..., 0], points[..., 1], occluded], axis=1).astype(float)
    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=512) as file:
        file.create_dataset(f"phis{end}", data=change.get("phis", phis.T), compression="gzip")
        file.create_dataset(f"bboxes{end}", data=change.get("bboxes", boxes.T))
        cells = file.create_dataset(f"Is{end}", (1, len(pictures)), dtype=h5py.ref_dtype)
        group = file.create_group("#refs#")
        for number, picture in enumerate(pictures):
            cells[0, number] = group.create_dataset(f"p{number}", data=picture.transpose(), compression="gzip").ref
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    return header.ljust(512, b"\0") + stream.getvalue()[512:]
