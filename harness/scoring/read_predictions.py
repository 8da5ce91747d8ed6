"""Read landmarks that another program predicted from npz, npy and csv files."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import read_bounded
from nmebench.datasets.readers import arrays
from nmebench.datasets.readers.fields import parse_numbers
from nmebench.datasets.readers.rows import coordinate_labels
from nmebench.datasets.readers.text import BYTE_ORDER_MARK
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["import_predictions"]

Array = NDArray[np.float64]


def import_predictions(path: Path, *, images: Sequence[str] | None = None) -> tuple[Array, tuple[str, ...] | None]:
    """Read the landmarks that another program predicted.

    * ``FILE.npz`` with an array ``landmarks``, or ``FILE.npz::NAME`` for an array of another name, and ``FILE.npy``:
      shape ``[N, K, 2]`` or ``[N, 2 K]`` (x0, y0, x1, ...), in the order of the dataset's list. Pickles are refused.
    * ``FILE.csv`` with the header ``face,x0,y0,x1,y1,...``: faces are numbered from 0, in any order.
    * ``FILE.csv`` with the header ``image,x0,y0,x1,y1,...``: rows are in the order of the dataset's list, because
      several faces may share a photograph.

    Args:
        path: the file.
        images: file names of the dataset's faces. If the file names images, they must be these, in this order.

    Returns:
        Landmarks, float64 ``[N, K, 2]`` image px, and the image names if the file has them.

    Raises:
        InputError: the file can't be read, has another form, or has another order than ``images``.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "predictions.csv"
        ...     _ = file.write_text("face,x0,y0\\n1,30.5,40\\n0,10,20.25\\n")
        ...     landmarks, images = import_predictions(file)
        >>> landmarks.tolist(), images
        ([[[10.0, 20.25]], [[30.5, 40.0]]], None)
    """
    text, colons, key = str(path).partition("::")
    file = Path(text)
    kind = file.suffix.lower()
    names: tuple[str, ...] | None = None
    if kind == ".npz":
        array = arrays.NpzArchive(file).read(key if colons else "landmarks")
    elif kind == ".npy":
        array = arrays.read_npy(file)
    elif kind == ".csv":
        array, names = _read_csv(file)
    else:
        raise InputError(f"{file}: {kind or 'no'} suffix; predictions must be an npz, npy or csv file")
    landmarks = _as_landmarks(file, array)
    if names is not None and images is not None:
        _check_order(file, names, images)
    return landmarks, names


def _as_landmarks(file: Path, array: NDArray[Any]) -> Array:
    """Check an array and return it as float64 ``[N, K, 2]``."""
    flat = array.ndim == 2 and array.shape[1] % 2 == 0 and array.shape[1] > 0
    if not (flat or (array.ndim == 3 and array.shape[2] == 2 and array.shape[1] > 0)):
        raise InputError(
            f"{file}: landmarks have shape {list(array.shape)}; it must be [N, K, 2] or [N, 2 K], in image px"
        )
    if array.dtype.kind not in "fiu":
        raise InputError(f"{file}: landmarks have type {array.dtype}; they must be numbers")
    landmarks = np.asarray(array, np.float64).reshape(len(array), -1, 2)
    if not np.isfinite(landmarks).all():
        face = int(np.argwhere(~np.isfinite(landmarks))[0, 0])
        raise InputError(f"{file}: face {face} has a coordinate that is not a finite number; give all of its landmarks")
    return landmarks


def _read_csv(file: Path) -> tuple[Array, tuple[str, ...] | None]:
    """Coordinates ``[N, 2 K]`` by face number, or in file order together with the image names."""
    data = read_bounded(file, arrays.MAX_BYTES).removeprefix(BYTE_ORDER_MARK)
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline=""))
        header = [name.strip() for name in next(reader, [])]
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{file}: can't be read as csv ({_first_line(error)})") from error
    points = (len(header) - 1) // 2
    expected = [name for k in range(points) for name in (f"x{k}", f"y{k}")]
    if points < 1 or header[0] not in ("face", "image") or header[1:] != expected:
        raise InputError(
            f"{file}: the header begins with {','.join(header[:4])[:80]!r}; it must be face,x0,y0,x1,y1,... or "
            "image,x0,y0,x1,y1,..."
        )
    values = np.empty((len(rows), 2 * points))
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise InputError(f"{file}: row {number + 2} has {len(row)} fields, the header has {len(header)}")
        values[number] = parse_numbers(row[1:], f"{file}: row {number + 2}", coordinate_labels(points), limit=math.inf)
    if header[0] == "image":
        return values, tuple(row[0] for row in rows)
    column = [row[0].strip() for row in rows]
    bad = next((value for value in column if not (value.isascii() and value.isdigit() and len(value) < 19)), None)
    if bad is not None:
        raise InputError(f"{file}: column face has {shown(bad)[:40]!r}; number the faces from 0")
    faces = np.array([int(value) for value in column], np.int64)
    order = np.argsort(faces, kind="stable")
    wrong = np.flatnonzero(faces[order] != np.arange(len(faces)))
    if len(wrong):
        raise InputError(
            f"{file}: face {int(wrong[0])} is missing or repeated; number the faces from 0 and give one row per face"
        )
    return values[order], None


def _check_order(file: Path, names: Sequence[str], images: Sequence[str]) -> None:
    if len(names) != len(images):
        raise InputError(f"{file}: {len(names)} rows for {len(images)} faces of the dataset; give one row per face")
    for number, (name, image) in enumerate(zip(names, images, strict=True)):
        if name != image and Path(name).name != Path(image).name:
            raise InputError(
                f"{file}: row {number + 2} names {name!r}, but face {number} of the dataset is in {image!r}; "
                "give the rows in the order of the dataset's list"
            )


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
