"""Read landmarks that another program predicted from npz, npy, csv and SPIGA's json files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import read_bounded
from nmebench.datasets.readers import arrays
from nmebench.datasets.readers.fields import parse_numbers
from nmebench.datasets.readers.rows import coordinate_labels
from nmebench.datasets.readers.text import BYTE_ORDER_MARK
from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.scoring import spiga_predictions
from nmebench.scoring.photograph_names import components, end_alike

__all__ = ["MAX_COORDINATE", "Predictions", "import_predictions"]

Array = NDArray[np.float64]

MAX_COORDINATE: Final = 1e9
"""The largest absolute coordinate of a prediction, px; networks may diverge, but not that far."""

_SAME_BOX: Final = 0.01
"""Boxes of a face in two files differ by less, px: the files are copies that may round."""

_KEYS: Final = (("face",), ("image",), ("face", "image"), ("image", "face"))


class Predictions(NamedTuple):
    """Predicted landmarks as a file holds them."""

    landmarks: Array
    """``[N, K, 2]`` image px, in the order of the dataset's faces."""
    images: tuple[str, ...] | None
    """``[N]``: the image that the file names for each face; None where it names none."""
    rows: tuple[int, ...] | None
    """``[N]``: the line of the csv, or the position in the json, for each face; None for arrays."""
    dtype: np.dtype | None
    """The type of the stored numbers; None for text."""


def import_predictions(
    path: Path, *, images: Sequence[str] | None = None, rectangles: Array | None = None
) -> Predictions:
    """Read the landmarks that another program predicted.

    * ``FILE.npz`` with an array ``landmarks``, or ``FILE.npz::NAME`` for an array of another name, and ``FILE.npy``:
      shape ``[N, K, 2]`` or ``[N, 2 K]`` (x0, y0, x1, ...), in the order of the dataset's list. Pickles are refused.
    * ``FILE.csv`` with the header ``face,x0,y0,x1,y1,...``: faces are numbered from 0 in the order of the dataset's
      list; the rows may have any order.
    * ``FILE.csv`` with the header ``image,x0,y0,x1,y1,...``: one row per photograph, in any order. A photograph with
      several faces needs the column ``face``.
    * ``FILE.csv`` with both columns, ``face,image,x0,...`` or ``image,face,x0,...``: the numbers give the order, and
      the images are compared with the dataset's.
    * ``FILE.json``, the results file of SPIGA (:mod:`nmebench.scoring.spiga_predictions`), in any order. Several faces
      of a photograph are told apart by their boxes.

    An image matches the dataset's by its relative path with slashes or backslashes. A path that is longer or shorter at
    its beginning matches when it ends alike in one photograph only; the same file name in another folder never does.

    Args:
        path: the file.
        images: file names of the dataset's faces ``[N]``. Without them the rows of a csv without ``face`` keep the
            file's order.
        rectangles: the dataset's box of each face, ``[N, 4]`` x_min, y_min, x_max, y_max in image px, for SPIGA's
            results; None where it has none.

    Raises:
        InputError: the file can't be read, has another form, or its rows don't fit ``images``.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "predictions.csv"
        ...     _ = file.write_text("image,x0,y0\\nb.jpg,30.5,40\\na.jpg,10,20.25\\n")
        ...     found = import_predictions(file, images=["x/a.jpg", "x/b.jpg"])
        >>> found.landmarks.tolist(), found.images, found.rows
        ([[[10.0, 20.25]], [[30.5, 40.0]]], ('a.jpg', 'b.jpg'), (3, 2))
    """
    text, colons, key = str(path).partition("::")
    file = Path(text)
    kind = file.suffix.lower()
    if kind == ".csv" and not colons:
        return _read_csv(file, images)
    if kind == ".json" and not colons:
        return _read_spiga(file, images, rectangles)
    if kind == ".npz":
        array = arrays.NpzArchive(file).read(key if colons else "landmarks")
    elif kind == ".npy" and not colons:
        array = arrays.read_npy(file)
    elif kind in (".csv", ".json", ".npy"):
        raise InputError(f"{shown(path)}: ::{shown(key)[:40]} names an array of an npz; leave it out for a {kind} file")
    else:
        raise InputError(
            f"{shown(file)}: {shown(kind) or 'no'} suffix; predictions must be an npz, npy, csv or json file"
        )
    return Predictions(_as_landmarks(shown(file), array), None, None, array.dtype)


def _as_landmarks(name: str, array: NDArray[Any]) -> Array:
    """Check an array and return it as float64 ``[N, K, 2]``."""
    flat = array.ndim == 2 and array.shape[1] % 2 == 0 and array.shape[1] > 0
    if not (flat or (array.ndim == 3 and array.shape[2] == 2 and array.shape[1] > 0)):
        raise InputError(
            f"{name}: landmarks have shape {list(array.shape)}; it must be [N, K, 2] or [N, 2 K], in image px"
        )
    if not len(array):
        raise InputError(f"{name}: holds no faces; give one row per face of the dataset")
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name}: landmarks have type {shown(str(array.dtype))[:80]}; they must be numbers")
    landmarks = np.asarray(array, np.float64).reshape(len(array), -1, 2)
    finite = np.isfinite(landmarks)
    if not finite.all():
        face = int(np.argwhere(~finite)[0, 0])
        raise InputError(f"{name}: face {face} has a coordinate that is not a finite number; give all of its landmarks")
    far = np.argwhere(np.abs(landmarks) > MAX_COORDINATE)
    if len(far):
        value = landmarks[tuple(far[0])]
        raise InputError(f"{name}: face {int(far[0, 0])} has a coordinate of {value:g}, beyond {MAX_COORDINATE:g} px")
    return landmarks


def _read_csv(file: Path, images: Sequence[str] | None) -> Predictions:
    """Read a csv and put its rows into the order of the dataset's faces."""
    name = shown(file)
    data = read_bounded(file, arrays.MAX_BYTES).removeprefix(BYTE_ORDER_MARK)
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline=""))
        header = [cell.strip() for cell in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise InputError(f"{name}: can't be read as csv ({_first_line(error)})") from error
    keys = tuple(cell for cell in header[:2] if cell in ("face", "image"))
    points = (len(header) - len(keys)) // 2
    expected = [cell for k in range(points) for cell in (f"x{k}", f"y{k}")]
    if points < 1 or keys not in _KEYS or header != [*keys, *expected]:
        raise InputError(
            f"{name}: the header begins with {shown(','.join(header[:4]))[:80]!r}; it must be face,x0,y0,x1,y1,..., "
            "image,x0,y0,x1,y1,... or face,image,x0,y0,x1,y1,..."
        )
    if not rows:
        raise InputError(f"{name}: holds no faces; give one row per face of the dataset")
    values = np.empty((len(rows), 2 * points))
    labels = coordinate_labels(points)
    for place, (line, row) in enumerate(rows):
        if len(row) != len(header):
            raise InputError(f"{name}: row {line} has {len(row)} fields, the header has {len(header)}")
        values[place] = parse_numbers(row[len(keys) :], f"{name}: row {line}", labels, limit=MAX_COORDINATE)
    lines = [line for line, _ in rows]
    named = [row[keys.index("image")] for _, row in rows] if "image" in keys else None
    if "face" in keys:
        order = _order_by_face(name, [row[keys.index("face")].strip() for _, row in rows])
        if named is not None and images is not None and len(named) == len(images):
            _check_images(name, [named[place] for place in order], [lines[place] for place in order], images)
    elif named is not None and images is not None:
        order = _order_by_image(name, named, lines, images)
    else:
        order = list(range(len(rows)))
    return Predictions(
        values[order].reshape(len(rows), points, 2),
        None if named is None else tuple(named[place] for place in order),
        tuple(lines[place] for place in order),
        None,
    )


def _read_spiga(file: Path, images: Sequence[str] | None, rectangles: Array | None) -> Predictions:
    """Read SPIGA's results file and put its faces into the order of the dataset's."""
    found = spiga_predictions.read(file)
    rows = range(1, len(found.images) + 1)
    order = list(range(len(rows)))
    if images is not None:
        boxes = None if rectangles is None else (found.rectangles, rectangles)
        way = "give SPIGA's annotations to --data, whose boxes tell them apart, or write a csv with the column face"
        order = _order_by_image(shown(file), found.images, rows, images, way=way, boxes=boxes)
    return Predictions(
        found.landmarks[order],
        tuple(found.images[place] for place in order),
        tuple(rows[place] for place in order),
        None,
    )


def _order_by_face(name: str, column: Sequence[str]) -> list[int]:
    """Return the row of every face, from the column ``face``."""
    bad = next((value for value in column if not (value.isascii() and value.isdigit() and len(value) < 19)), None)
    if bad is not None:
        raise InputError(f"{name}: column face has {shown(bad)[:40]!r}; number the faces from 0")
    faces = np.array([int(value) for value in column], np.int64)
    order = np.argsort(faces, kind="stable")
    wrong = np.flatnonzero(faces[order] != np.arange(len(faces)))
    if len(wrong):
        raise InputError(
            f"{name}: face {int(wrong[0])} is missing or repeated; number the faces from 0 and give one row per face"
        )
    return [int(place) for place in order]


def _order_by_image(
    name: str,
    named: Sequence[str],
    lines: Sequence[int],
    images: Sequence[str],
    *,
    way: str = "add the column face with each face's position in the dataset's list, from 0",
    boxes: tuple[Array, Array] | None = None,
) -> list[int]:
    """Return the row of every face, from the images that the rows name and, in photographs of several faces, the boxes.

    Args:
        name: the file, for messages.
        named: the image of each row.
        lines: the number of each row, for messages.
        images: ``[N]`` images of the dataset's faces.
        way: the way out where the faces of a photograph can't be told apart, for the message.
        boxes: the box of each row and of each face, ``[N, 4]`` image px; None where they have none.
    """
    faces: dict[str, list[int]] = {}
    for face, image in enumerate(images):
        faces.setdefault(image, []).append(face)
    index = _ImageIndex(faces)
    row_of: dict[int, int] = {}
    for place, (cell, line) in enumerate(zip(named, lines, strict=True)):
        image = index.find(cell, f"{name}: row {line}")
        candidates = faces[image]
        if len(candidates) > 1 and boxes is not None:
            candidates = [one for one in candidates if np.abs(boxes[1][one] - boxes[0][place]).max() < _SAME_BOX]
        if len(candidates) != 1:
            known = "" if boxes is None else f", {len(candidates)} of them with the row's box"
            raise InputError(
                f"{name}: row {line} names {shown(cell)[:80]!r}, which has {len(faces[image])} faces in the "
                f"dataset{known}; {way}"
            )
        face = candidates[0]
        if face in row_of:
            raise InputError(
                f"{name}: rows {lines[row_of[face]]} and {line} name the same face in {shown(image)[:80]!r}; give one "
                "row per face"
            )
        row_of[face] = place
    missing = next((face for face in range(len(images)) if face not in row_of), None)
    if missing is not None:
        raise InputError(
            f"{name}: {len(named)} rows for {len(images)} faces of the dataset; face {missing} in "
            f"{shown(images[missing])[:80]!r} has no row"
        )
    return [row_of[face] for face in range(len(images))]


def _check_images(name: str, named: Sequence[str], lines: Sequence[int], images: Sequence[str]) -> None:
    """Raise an InputError for a face whose row names another photograph than the dataset."""
    index = _ImageIndex(images)
    for face, (cell, line, image) in enumerate(zip(named, lines, images, strict=True)):
        if index.find(cell, f"{name}: row {line}") != image:
            raise InputError(
                f"{name}: row {line} names {shown(cell)[:80]!r}, but face {face} of the dataset is in "
                f"{shown(image)[:80]!r}; number the faces by their position in the dataset's list, from 0"
            )


class _ImageIndex:
    """Finds a dataset's photograph by a name of another program's file."""

    def __init__(self, images: Iterable[str]) -> None:
        self._images = set(images)
        self._by_file: dict[str, list[str]] = {}
        for image in dict.fromkeys(images):
            self._by_file.setdefault(components(image)[-1], []).append(image)

    def find(self, cell: str, where: str) -> str:
        """Return the photograph that a cell names.

        Raises:
            InputError: no photograph of the dataset, or several, have that name.
        """
        if cell in self._images:
            return cell
        parts = components(cell)
        alike = self._by_file.get(parts[-1], [])
        hits = [image for image in alike if components(image) == parts] or [
            image for image in alike if end_alike(components(image), parts)
        ]
        if len(hits) == 1:
            return hits[0]
        if hits:
            raise InputError(
                f"{where} names {shown(cell)[:80]!r}, which may be {shown(hits[0])[:80]!r} or {shown(hits[1])[:80]!r}; "
                "give the path as the dataset's list has it"
            )
        other = f"; {shown(alike[0])[:80]!r} is in another folder" if alike else ""
        raise InputError(
            f"{where} names {shown(cell)[:80]!r}, which is not among the dataset's photographs{other}; give the path "
            "as the dataset's list has it"
        )


def _first_line(error: BaseException) -> str:
    return shown(str(error).splitlines()[0])[:200] if str(error) else type(error).__name__
