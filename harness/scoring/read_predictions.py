"""Read landmarks that another program predicted: npz, npy and csv files."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmebench.errors import InputError

__all__ = ["import_predictions"]

Array = NDArray[np.float64]

_LIMIT = 2**30
"""Largest predictions file in bytes, unpacked; 2500 faces of 98 landmarks take 4 MB."""


def import_predictions(path: Path, *, images: Sequence[str] | None = None) -> tuple[Array, tuple[str, ...] | None]:
    """Read landmarks that some other program made.

    * ``FILE.npz`` with an array ``landmarks``, or ``FILE.npz::NAME`` for another name; ``FILE.npy``. Shape
      ``[N, K, 2]`` or ``[N, 2 K]`` (x0, y0, x1, ...), in the order of the dataset's list.
    * ``FILE.csv``: a header ``face,x0,y0,x1,y1,...`` (faces numbered from 0, in any order) or
    ``image,x0,y0,...`` (in
      the order of the dataset's list, as several faces may share a photograph).

    Args:
        path: the file.
        images: file names of the dataset's faces; names in the file are held against them.

    Returns:
        Landmarks, image px, float64 ``[N, K, 2]``, and the images' names where the file gives them.

    Raises:
        InputError: the file can't be read, isn't of these forms, or is of another order than ``images``.
    """
    text, colons, key = str(path).partition("::")
    file = Path(text)
    kind = file.suffix.lower()
    try:
        size = file.stat().st_size
    except OSError as error:
        raise InputError(f"{file}: can't be read ({error.strerror}); give an npz, npy or csv file") from error
    if size > _LIMIT:
        raise InputError(f"{file}: {size} bytes, at most {_LIMIT} are read; is this a predictions file?")
    names: tuple[str, ...] | None = None
    if kind in (".npz", ".npy"):
        array = _read_npz(file, key if colons else "landmarks") if kind == ".npz" else _read_npy(file)
    elif kind == ".csv":
        array, names = _read_csv(file)
    else:
        raise InputError(f"{file}: {kind or 'no'} suffix; predictions are npz, npy or csv files")
    landmarks = _as_landmarks(file, array)
    if names is not None and images is not None:
        _same_order(file, names, images)
    return landmarks, names


def _as_landmarks(file: Path, array: NDArray[Any]) -> Array:
    flat = array.ndim == 2 and array.shape[1] % 2 == 0 and array.shape[1] > 0
    if not (flat or (array.ndim == 3 and array.shape[2] == 2 and array.shape[1] > 0)):
        raise InputError(f"{file}: landmarks {list(array.shape)}, they must be [N, K, 2] or [N, 2 K], image px")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{file}: landmarks of type {array.dtype}, they must be numbers")
    landmarks = np.asarray(array, np.float64).reshape(len(array), -1, 2)
    if not np.isfinite(landmarks).all():
        face = int(np.argwhere(~np.isfinite(landmarks))[0, 0])
        raise InputError(f"{file}: face {face} has a coordinate that isn't a finite number; give all its landmarks")
    return landmarks


def _read_npy(file: Path) -> NDArray[Any]:
    try:
        with file.open("rb") as stream:
            return np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        raise InputError(f"{file}: not an array of numbers ({_first_line(error)}); save it with numpy.save") from error


def _read_npz(file: Path, key: str) -> NDArray[Any]:
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = {i.filename.removesuffix(".npy"): i.file_size for i in archive.infolist()}
            if key not in unpacked:
                raise InputError(
                    f"{file}: no array {key!r}, there are: {', '.join(unpacked) or 'none'}; name one as {file}::NAME"
                )
            if unpacked[key] > _LIMIT:
                raise InputError(f"{file}: {key!r} unpacks to {unpacked[key]} bytes, at most {_LIMIT} are read")
            with archive.open(f"{key}.npy") as stream:
                return np.lib.format.read_array(stream, allow_pickle=False)
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError, MemoryError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: {key!r} can't be read ({_first_line(error)}); save it with numpy.savez") from error


def _read_csv(file: Path) -> tuple[Array, tuple[str, ...] | None]:
    try:
        with file.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as stream:
            reader = csv.reader(stream)
            header = [name.strip() for name in next(reader, [])]
            rows = [row for row in reader if row]
    except (OSError, csv.Error) as error:
        raise InputError(f"{file}: can't be read as csv ({_first_line(error)})") from error
    points = (len(header) - 1) // 2
    expected = [name for k in range(points) for name in (f"x{k}", f"y{k}")]
    if points < 1 or header[0] not in ("face", "image") or header[1:] != expected:
        raise InputError(
            f"{file}: the header begins {','.join(header[:4])[:80]!r}, it must be face,x0,y0,x1,y1,... or "
            "image,x0,y0,x1,y1,..."
        )
    values = np.empty((len(rows), 2 * points))
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise InputError(f"{file}: row {number + 2} has {len(row)} fields, the header {len(header)}")
        try:
            values[number] = [float(field) for field in row[1:]]
        except ValueError as error:
            raise InputError(f"{file}: row {number + 2}: {_first_line(error)}; coordinates must be numbers") from error
    if header[0] == "image":
        return values, tuple(row[0] for row in rows)
    try:
        faces = np.array([int(row[0]) for row in rows], np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{file}: column face: {_first_line(error)}; number the faces from 0") from error
    order = np.argsort(faces, kind="stable")
    wrong = np.flatnonzero(faces[order] != np.arange(len(faces)))
    if len(wrong):
        raise InputError(
            f"{file}: face {int(wrong[0])} is missing or given twice; number the faces from 0, one row each"
        )
    return values[order], None


def _same_order(file: Path, names: Sequence[str], images: Sequence[str]) -> None:
    if len(names) != len(images):
        raise InputError(f"{file}: {len(names)} rows, the dataset has {len(images)} faces; give one row a face")
    for number, (name, image) in enumerate(zip(names, images, strict=True)):
        if name != image and Path(name).name != Path(image).name:
            raise InputError(
                f"{file}: row {number + 2} is of {name!r}, but face {number} of the dataset is in {image!r}; "
                "give the rows in the order of the dataset's list"
            )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
