"""Ground truth from an npz of any scheme: for scoring landmarks that another program made.

``landmarks:FILE.npz`` reads the array ``landmarks``, ``landmarks:FILE.npz::NAME`` the array ``NAME``: ``[N, K, 2]``
image px, K being the number of points of a shipped scheme. Optional arrays: ``images`` ``[N]`` names, and
``subset_NAME`` bool ``[N]`` for each subset.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.files import FileHash, file_sha256
from nmebench.geometry import scheme as schemes
from nmebench.printable import shown

__all__ = ["KEY", "load"]

KEY = "landmarks"

_MAX_BYTES = 2**30
_SUBSET = "subset_"


def load(place: str, *, spec: str) -> Dataset:
    """The faces of the npz; ``image_root`` is None.

    Raises:
        InputError: the file is missing or no such npz, or no shipped scheme has that number of points.
    """
    text, _, key = place.partition("::")
    file, key = Path(text).expanduser(), key or KEY
    name = shown(file)
    table = _read(file, key)
    landmarks = table[key]
    if landmarks.ndim != 3 or landmarks.shape[2] != 2 or landmarks.dtype.kind != "f" or not len(landmarks):
        raise InputError(f"{name}: {key} is {landmarks.dtype} {list(landmarks.shape)}, expected floats of [N, K, 2]")
    if not np.isfinite(landmarks).all():
        face = int(np.argwhere(~np.isfinite(landmarks))[0][0])
        raise InputError(
            f"{name}: face {face} of {key} has a coordinate that is not finite; correct or remove the face"
        )
    by_points = {schemes.load(one).points: schemes.load(one) for one in schemes.names()}
    if landmarks.shape[1] not in by_points:
        allowed = ", ".join(f"{points} ({one.name})" for points, one in sorted(by_points.items()))
        raise InputError(f"{name}: {key} has {landmarks.shape[1]} points a face, known schemes have {allowed}")
    faces = len(landmarks)
    images = table.get("images", np.asarray([f"face {face}" for face in range(faces)]))
    subsets = {"test": np.ones(faces, np.bool_)}
    subsets |= {one.removeprefix(_SUBSET): mask for one, mask in table.items() if one.startswith(_SUBSET)}
    for one, array in {"images": images, **subsets}.items():
        if array.shape != (faces,) or (one != "images" and array.dtype != np.bool_):
            raise InputError(f"{name}: {one} is {array.dtype} {list(array.shape)}, expected [{faces}] to fit {key}")
    return Dataset(
        name="landmarks",
        spec=spec,
        root=file.parent,
        format="arrays-npz",
        scheme=by_points[landmarks.shape[1]],
        images=tuple(str(image) for image in images),
        image_root=None,
        lines=np.arange(1, faces + 1),
        landmarks=landmarks.astype(np.float64),
        subsets=subsets,
        expected={},
        rect=None,
        centre_scale=None,
        files=(FileHash(file.name, file_sha256(file), file.stat().st_size),),
    )


def _read(file: Path, key: str) -> dict[str, np.ndarray]:
    """The arrays that matter, none of which may be an object."""
    name = shown(file)
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > _MAX_BYTES:
            raise InputError(f"{name}: {size} bytes unpacked, at most {_MAX_BYTES} are read; is it the right file?")
        with np.load(file, allow_pickle=False) as table:
            if key not in table:
                raise InputError(f"{name}: no array {key!r}, there are {', '.join(table)}; name one with ::NAME")
            return {one: table[one] for one in table if one in (key, "images") or one.startswith(_SUBSET)}
    except OSError as error:
        raise InputError(f"{name}: can't be read ({error.strerror or error}); give an npz") from error
    except InputError:
        raise
    except Exception as error:  # damaged archives raise a dozen kinds, from zipfile, zlib, struct, ast and numpy
        raise InputError(f"{name}: not an npz of plain arrays ({error}); write it with numpy.savez") from error
