"""Ground truth of any scheme from an npz, for scoring landmarks that another program predicted.

``landmarks:FILE.npz`` reads the array ``landmarks``, ``landmarks:FILE.npz::NAME`` the array ``NAME``: ``[N, K, 2]``
image px, where K is the number of points of a shipped scheme. Optional arrays: ``images`` or ``image`` ``[N]``
names, ``subset_NAME`` bool ``[N]`` for each subset but ``test``, which is every face, and bool ``[N, K]`` ``labelled``
(False for a landmark without a position) and ``occluded``, ``box`` ``[N, 4]`` (x_min, y_min, x_max, y_max in image px)
and ``centre_scale`` ``[N, 3]`` (centre x, y in image px, scale in units of 200 px).
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.dataset import Dataset
from nmebench.datasets.plausibility import suspect_notes
from nmebench.datasets.readers.arrays import NpzArchive
from nmebench.datasets.readers.fields import MAX_COORDINATE, image_name
from nmebench.datasets.source import DatasetSource, check_single_format, required_place
from nmebench.datasets.unlabelled import check_labelled, check_placeholders, leave_out_notes, measurable
from nmebench.errors import InputError
from nmebench.geometry import scheme as schemes
from nmebench.geometry.scheme import Scheme
from nmebench.printable import shown

__all__ = ["DEFAULT_ARRAY", "LANDMARKS", "load"]

DEFAULT_ARRAY = "landmarks"

_SUBSET = "subset_"

#: Names of arrays that change which landmarks count.
_MASKS = ("labelled", "occluded")

#: Other words for them: without the mask, landmarks that have no position would be scored as truth.
_OTHER_WORDS = ("visible", "visibility", "occlusion", "occlusions")


def load(
    place: str | None,
    *,
    spec: str,
    format: str | None = None,  # noqa: A002
    split: str = "test",
    scheme: Scheme | None = None,
    usual: str | None = None,
    complete: bool = False,
) -> Dataset:
    """Load the faces of an npz; ``image_root`` is None.

    Args:
        place: ``FILE.npz`` or ``FILE.npz::ARRAY``.
        spec: as the user gave it, kept in the result.
        format: must be None.
        split: must be ``test``.
        scheme: the landmark scheme; None for the known scheme with that number of points.
        usual: the usual normaliser, without which a face is left out; None for the scheme's default.
        complete: whether every landmark must be labelled.

    Raises:
        InputError: the file is missing or is no such npz, or the scheme, or every known scheme, has another number of
            points.
    """
    check_single_format("landmarks", format, split)
    text, _, key = required_place(place, spec).partition("::")
    file, key = Path(text).expanduser(), key or DEFAULT_ARRAY
    name = shown(file)
    archive = NpzArchive(file)
    _check_names(archive, name, key)
    landmarks = archive.read(key)
    if landmarks.ndim != 3 or landmarks.shape[2] != 2 or landmarks.dtype.kind != "f" or not len(landmarks):
        raise InputError(f"{name}: {key} is {landmarks.dtype} {list(landmarks.shape)}, expected floats of [N, K, 2]")
    flags = _flags(archive, landmarks, name, key)
    landmarks = landmarks.astype(np.float64, copy=False)
    if "labelled" in flags:
        landmarks[~flags["labelled"]] = np.nan
    bad = ~(np.isfinite(landmarks[..., 0]) & np.isfinite(landmarks[..., 1])) & flags.get(
        "labelled", np.ones(landmarks.shape[:2], np.bool_)
    )
    if bad.any():
        face = int(np.argwhere(bad)[0][0])
        raise InputError(
            f"{name}: face {face} of {key} has a coordinate that is not finite; correct or remove the face, or mark "
            f"its landmarks in the array labelled (bool [N, {landmarks.shape[1]}])"
        )
    far = np.argwhere((landmarks > MAX_COORDINATE) | (landmarks < -MAX_COORDINATE))
    if len(far):
        value = landmarks[tuple(far[0])]
        raise InputError(f"{name}: face {far[0, 0]} of {key} has {value:g}, beyond {MAX_COORDINATE:g} px")
    scheme = _scheme_of(landmarks, f"{name}: {key}", scheme)
    if complete:
        check_labelled(landmarks, lambda face: f"{name}: face {face} of {key}")
    check_placeholders(
        landmarks,
        lambda face: f"{name}: face {face} of {key}",
        f"mark it in the array labelled (bool [N, {scheme.points}])",
    )
    faces = len(landmarks)
    named = next((one for one in ("images", "image") if one in archive.names), None)
    images = archive.read(named) if named else np.array([f"face {face}" for face in range(faces)])
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
    for face, image in enumerate(images):
        image_name(str(image), f"{name}: face {face} of {key}")
    usual = usual or scheme.default_normaliser
    keep = measurable(landmarks, scheme, usual)
    if not keep.any():
        raise InputError(f"{name}: the landmarks that {usual} measures are not labelled on any face of {key}")
    notes = [
        *suspect_notes(landmarks, file.name),
        *leave_out_notes(landmarks, keep, usual, file.name),
    ]
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
        landmarks=landmarks if keep.all() else landmarks[keep],
        subsets={one: mask[keep] for one, mask in subsets.items()},
        expected={},
        rect=_boxes(archive, "box", (faces, 4), name, keep),
        centre_scale=_boxes(archive, "centre_scale", (faces, 3), name, keep),
        files=(archive.hash,),
        notes=tuple(notes),
        occluded=None if occluded is None else occluded[keep],
    )


def _check_names(archive: NpzArchive, name: str, key: str) -> None:
    """Check that no array has a name that is nearly one of those that are read.

    Raises:
        InputError: an array would be left out although it probably says which landmarks or faces count.
    """
    for one in archive.names:
        near = [] if one in (*_MASKS, key) else get_close_matches(one.lower(), _MASKS, n=1, cutoff=0.8)
        if near or one.lower() in _OTHER_WORDS:
            wanted = f"{near[0]!r}" if near else "'labelled' or 'occluded'"
            raise InputError(
                f"{name}: the array {shown(one)!r} would not be read: rename it to {wanted} (bool [N, K], "
                "docs/datasets.md), or leave it out"
            )
        if one == _SUBSET or one.startswith("subsets_"):
            raise InputError(f"{name}: the array {shown(one)!r} names no subset; write {_SUBSET}NAME")


def _scheme_of(landmarks: NDArray[Any], where: str, scheme: Scheme | None) -> Scheme:
    """Return the landmark scheme of an array; without a wish the known scheme with that number of points."""
    points = landmarks.shape[1]
    if scheme is not None:
        if scheme.points != points:
            raise InputError(f"{where} has {points} points per face, but the scheme {scheme.name} has {scheme.points}")
        return scheme
    by_points = {schemes.load(one).points: schemes.load(one) for one in schemes.names()}
    if points not in by_points:
        allowed = ", ".join(f"{points} ({one.name})" for points, one in sorted(by_points.items()))
        raise InputError(
            f"{where} has {points} points per face; known schemes have {allowed}; give the scheme of your own with "
            "--scheme FILE.toml"
        )
    return by_points[points]


def _boxes(
    archive: NpzArchive, key: str, shape: tuple[int, int], name: str, keep: NDArray[np.bool_]
) -> NDArray[np.float64] | None:
    """Return an optional array of boxes, for the faces that are kept.

    Raises:
        InputError: it has another shape or type, or a number that is not finite.
    """
    if key not in archive.names:
        return None
    array = archive.read(key)
    if array.dtype.kind not in "fiu" or array.shape != shape or not np.isfinite(array).all():
        raise InputError(f"{name}: {key} is {array.dtype} {list(array.shape)}, expected finite numbers {list(shape)}")
    return array.astype(np.float64)[keep]


def _flags(archive: NpzArchive, landmarks: NDArray[Any], name: str, key: str) -> dict[str, NDArray[np.bool_]]:
    """Return the arrays ``labelled`` and ``occluded``, where the archive has them.

    Raises:
        InputError: one is not bool ``[N, K]``.
    """
    flags: dict[str, NDArray[np.bool_]] = {
        one: archive.read(one) for one in ("labelled", "occluded") if one in archive.names
    }
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
    with_scheme=load,
)
