"""Ground truth of any scheme from an npz, for scoring landmarks that another program predicted.

``landmarks:FILE.npz`` reads the array ``landmarks``, ``landmarks:FILE.npz::NAME`` the array ``NAME``: ``[N, K, 2]``
image px, where K is the number of points of a shipped scheme. Optional arrays: ``images`` ``[N]`` names,
``subset_NAME`` bool ``[N]`` for each subset but ``test``, which is every face, and bool ``[N, K]`` ``labelled`` (False
for a landmark without a position) and ``occluded``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.dataset import Dataset
from nmebench.datasets.plausibility import suspect_notes
from nmebench.datasets.readers.arrays import NpzArchive
from nmebench.datasets.source import DatasetSource, check_single_format, required_place
from nmebench.datasets.unlabelled import check_placeholders, leave_out_notes, measurable
from nmebench.errors import InputError
from nmebench.geometry import scheme as schemes
from nmebench.printable import shown

__all__ = ["DEFAULT_ARRAY", "LANDMARKS", "load"]

DEFAULT_ARRAY = "landmarks"

_SUBSET = "subset_"


def load(place: str | None, *, spec: str, format: str | None = None, split: str = "test") -> Dataset:  # noqa: A002
    """Load the faces of an npz; ``image_root`` is None.

    Args:
        place: ``FILE.npz`` or ``FILE.npz::ARRAY``.
        spec: as the user gave it, kept in the result.
        format: must be None.
        split: must be ``test``.

    Raises:
        InputError: the file is missing or is no such npz, or no shipped scheme has that number of points.
    """
    check_single_format("landmarks", format, split)
    text, _, key = required_place(place, spec).partition("::")
    file, key = Path(text).expanduser(), key or DEFAULT_ARRAY
    name = shown(file)
    archive = NpzArchive(file)
    landmarks = archive.read(key)
    if landmarks.ndim != 3 or landmarks.shape[2] != 2 or landmarks.dtype.kind != "f" or not len(landmarks):
        raise InputError(f"{name}: {key} is {landmarks.dtype} {list(landmarks.shape)}, expected floats of [N, K, 2]")
    flags = _flags(archive, landmarks, name, key)
    landmarks = landmarks.astype(np.float64)
    if "labelled" in flags:
        landmarks[~flags["labelled"]] = np.nan
    bad = ~np.isfinite(landmarks).all(axis=2) & flags.get("labelled", np.ones(landmarks.shape[:2], np.bool_))
    if bad.any():
        face = int(np.argwhere(bad)[0][0])
        raise InputError(
            f"{name}: face {face} of {key} has a coordinate that is not finite; correct or remove the face, or mark "
            f"its landmarks in the array labelled (bool [N, {landmarks.shape[1]}])"
        )
    by_points = {schemes.load(one).points: schemes.load(one) for one in schemes.names()}
    if landmarks.shape[1] not in by_points:
        allowed = ", ".join(f"{points} ({one.name})" for points, one in sorted(by_points.items()))
        raise InputError(f"{name}: {key} has {landmarks.shape[1]} points per face; known schemes have {allowed}")
    scheme = by_points[landmarks.shape[1]]
    check_placeholders(
        landmarks,
        lambda face: f"{name}: face {face} of {key}",
        f"mark it in the array labelled (bool [N, {scheme.points}])",
    )
    faces = len(landmarks)
    has_images = "images" in archive.names
    images = archive.read("images") if has_images else np.array([f"face {face}" for face in range(faces)])
    subsets = {"test": np.ones(faces, np.bool_)}
    if f"{_SUBSET}test" in archive.names:
        raise InputError(
            f"{name}: {_SUBSET}test would replace the test set, which is every face of {key}; rename the array, or "
            "leave out the faces that do not belong to it"
        )
    subsets |= {one.removeprefix(_SUBSET): archive.read(one) for one in archive.names if one.startswith(_SUBSET)}
    if images.dtype.kind != "U":
        raise InputError(f"{name}: images is {images.dtype}, expected text (numpy's U)")
    for one, array in {"images": images, **subsets}.items():
        if array.shape != (faces,) or (one != "images" and array.dtype != np.bool_):
            raise InputError(f"{name}: {one} is {array.dtype} {list(array.shape)}, expected [{faces}] to fit {key}")
    keep = measurable(landmarks, scheme)
    if not keep.any():
        raise InputError(
            f"{name}: the landmarks that {scheme.default_normaliser} measures are not labelled on any face of {key}"
        )
    notes = [*suspect_notes(landmarks, file.name), *leave_out_notes(landmarks, keep, scheme, file.name)]
    occluded = flags.get("occluded")
    return Dataset(
        name="landmarks",
        spec=spec,
        root=file.parent,
        format="arrays-npz",
        scheme=scheme,
        images=tuple(str(image) for image in images[keep]),
        image_root=None,
        lines=np.arange(1, faces + 1)[keep],
        landmarks=landmarks[keep],
        subsets={one: mask[keep] for one, mask in subsets.items()},
        expected={},
        rect=None,
        centre_scale=None,
        files=(archive.hash,),
        notes=tuple(notes),
        occluded=None if occluded is None else occluded[keep],
    )


def _flags(archive: NpzArchive, landmarks: NDArray[Any], name: str, key: str) -> dict[str, NDArray[np.bool_]]:
    """Return the arrays ``labelled`` and ``occluded``, where the archive has them.

    Raises:
        InputError: one is not bool ``[N, K]``.
    """
    flags = {one: archive.read(one) for one in ("labelled", "occluded") if one in archive.names}
    for one, array in flags.items():
        if array.dtype != np.bool_ or array.shape != landmarks.shape[:2]:
            expected = list(landmarks.shape[:2])
            raise InputError(
                f"{name}: {one} is {array.dtype} {list(array.shape)}, expected bool {expected} to fit {key}"
            )
    if set(flags) == {"labelled", "occluded"}:
        flags["occluded"] = flags["occluded"] & flags["labelled"]
    return flags


LANDMARKS = DatasetSource(
    summary="landmarks:FILE.npz[::ARRAY], ground truth of any scheme, for scoring other programs' landmarks",
    load=load,
)
