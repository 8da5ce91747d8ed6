"""COFW's own files, ``COFW_test_color.mat`` and ``COFW_train_color.mat``: landmarks, boxes and the photographs.

They are MATLAB files of version 7.3, which is HDF5; reading them needs h5py (``pip install 'nmebench[mat]'``). The test
file has ``phisT`` ``[507, 87]``: 29 x, then 29 y, then 29 flags (1 for an occluded landmark); ``bboxesT`` ``[507, 4]``:
x, y, width, height; and ``IsT``: 507 photographs, a few of them grey. In the training file the names end in ``Tr``.
HDF5 holds MATLAB's arrays transposed.

The landmarks are those of mmpose's json of COFW (``cofw_test.json``), whose first pixel is (0, 0):

* 1 is subtracted from x and y, because MATLAB counts from 1, and negative results become 0;
* the box is used as it is in the file, without that subtraction;
* pictures are numbered through both files from 1, so the first test picture is ``001346.png``. mmpose stores JPEGs.

Nothing in the file is executed: links to other files, data in other files and all filters but deflate, shuffle and
Fletcher's check sum are refused, and sizes are checked before memory is reserved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import check_regular
from nmebench.datasets.readers.cofw_numbers import FIRST_TEST_PICTURE, picture_name
from nmebench.datasets.readers.fields import parse_numbers
from nmebench.datasets.readers.row_error import RowError
from nmebench.datasets.readers.rows import AnnotationRow, Entry, coordinate_labels
from nmebench.errors import InputError
from nmebench.geometry.images import MAX_PIXELS
from nmebench.printable import shown

__all__ = ["MAX_BYTES", "MAX_PICTURE_BYTES", "pictures", "read", "split_of"]

MAX_BYTES: Final = 4 << 30
"""The largest file that is read."""

MAX_PICTURE_BYTES: Final = 4 << 30
"""The largest sum of all photographs of a file."""

_MAX_FACES: Final = 100_000

_BOX = ("box x", "box y", "box width", "box height")

#: Numbers of the HDF5 filters deflate, shuffle and fletcher32.
_FILTERS: Final = frozenset({1, 2, 3})

#: Exceptions of h5py for damaged or foreign files.
_DAMAGED: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SystemError,
    TypeError,
    ValueError,
)


class _Names(NamedTuple):
    """The variables of a split's file, and the number of its first picture."""

    landmarks: str
    boxes: str
    pictures: str
    first: int


_NAMES: Final = {
    "test": _Names("phisT", "bboxesT", "IsT", FIRST_TEST_PICTURE),
    "train": _Names("phisTr", "bboxesTr", "IsTr", 1),
}


def split_of(file: Path) -> str:
    """Return the split that a file holds: ``test`` or ``train``.

    Raises:
        InputError: the file can't be read, is no MATLAB file of version 7.3, or has neither split; or h5py is missing.
    """
    with _opened(file) as content:
        for split, names in _NAMES.items():
            if names.landmarks in content:
                return split
        found = ", ".join(sorted(map(str, content))[:8]) or "none"
    wanted = " or ".join(names.landmarks for names in _NAMES.values())
    raise InputError(f"{shown(file)} is no file of COFW: it needs {wanted} (found: {shown(found)[:200]})")


def read(file: Path, split: str, points: int) -> Iterator[Entry]:
    """Yield the faces of a file, in its order.

    Args:
        file: the MATLAB file.
        split: ``test`` or ``train``.
        points: the number of landmarks K.

    Yields:
        A row per face, or the error in it. Landmarks count the first pixel as (0, 0).

    Raises:
        InputError: the file can't be read, is no such file, or holds the other split; or h5py is missing.
    """
    name, held = shown(file), split_of(file)
    if held != split:
        raise InputError(
            f"{name} holds COFW's {held} faces ({_NAMES[held].landmarks}), not the {split} faces "
            f"({_NAMES[split].landmarks})"
        )
    names = _NAMES[split]
    with _opened(file) as content:
        faces = _numbers(content, names.landmarks, 3 * points, name)
        boxes = _numbers(content, names.boxes, len(_BOX), name)
        stored = _references(content, names.pictures, name).size
    if not len(faces) == len(boxes) == stored:
        raise InputError(
            f"{name}: {names.landmarks} has {len(faces)} faces, {names.boxes} has {len(boxes)} and {names.pictures} "
            f"{stored}"
        )
    for position, (face, box) in enumerate(zip(faces, boxes, strict=True), start=1):
        where = f"{name}: face {position}"
        try:
            yield _row(face, box, position, where, names.first + position - 1)
        except RowError as error:
            yield error.at(position)


def pictures(file: Path, split: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield name and pixels of every photograph, one at a time.

    Args:
        file: the MATLAB file.
        split: ``test`` or ``train``.

    Yields:
        The name, ``001346.png`` for the first test picture, and ``[H, W, 3]`` RGB or ``[H, W]`` grey.

    Raises:
        InputError: a photograph is missing, damaged, too large or no picture of 8 bits; or h5py is missing.
    """
    name, names = shown(file), _NAMES[split]
    total = 0
    with _opened(file) as content:
        for position, reference in enumerate(_references(content, names.pictures, name)):
            where = f"{name}: picture {position + 1}"
            data = content[reference] if reference else None
            if data is None or not hasattr(data, "dtype") or data.dtype != np.uint8:
                raise InputError(f"{where} is missing or holds no pixels of 8 bits")
            shape = data.shape
            if not (len(shape) == 2 or (len(shape) == 3 and shape[0] == 3)) or 0 in shape:
                raise InputError(f"{where}: its shape is {list(shape)[::-1]}, expected height, width and 3 colours")
            if shape[-1] * shape[-2] > MAX_PIXELS:
                raise InputError(f"{where} has {shape[-1]} x {shape[-2]} pixels: up to {MAX_PIXELS:,} are read")
            total += data.nbytes
            if total > MAX_PICTURE_BYTES:
                raise InputError(f"{name}: its photographs have more than {MAX_PICTURE_BYTES:,} bytes")
            pixels = np.asarray(_checked(data, where)[()]).transpose()
            yield picture_name(names.first + position), pixels


def _row(face: NDArray[np.float64], box: NDArray[np.float64], position: int, where: str, number: int) -> AnnotationRow:
    x, y, occluded = face.reshape(3, -1)
    if not np.isin(occluded, (0, 1)).all():
        raise RowError(
            "visibility", f"{where}: the last {len(occluded)} of its {len(face)} numbers are occlusions, not all 0 or 1"
        )
    raw = parse_numbers(np.stack([x, y], axis=1).reshape(-1).tolist(), where, coordinate_labels(len(x)))
    left, top, width, height = parse_numbers(box.tolist(), where, _BOX)
    return AnnotationRow(
        position,
        picture_name(number),
        [max(value - 1.0, 0.0) for value in raw],
        rect=[left, top, left + width, top + height],
        occluded=tuple(bool(flag) for flag in occluded),
    )


def _numbers(content: Any, variable: str, columns: int, name: str) -> NDArray[np.float64]:
    """Return a variable as MATLAB shows it, ``[faces, columns]``."""
    data = content.get(variable)
    if data is None:
        raise InputError(f"{name} has no variable {variable}")
    if not hasattr(data, "dtype") or data.dtype.kind not in "fiu" or len(data.shape) != 2:
        raise InputError(f"{name}: {variable} is no matrix of numbers")
    if data.shape[0] != columns or not 0 < data.shape[1] <= _MAX_FACES:
        raise InputError(
            f"{name}: {variable} is {list(data.shape)[::-1]} as MATLAB shows it, expected one row of {columns} numbers "
            "per face"
        )
    return np.asarray(_checked(data, f"{name}: {variable}")[()], dtype=np.float64).transpose()


def _references(content: Any, variable: str, name: str) -> NDArray[Any]:
    """Return the references of a cell array, in MATLAB's order."""
    import h5py

    data = content.get(variable)
    if data is None:
        raise InputError(f"{name} has no variable {variable}")
    if getattr(data, "dtype", None) is None or h5py.check_ref_dtype(data.dtype) is not h5py.Reference:
        raise InputError(f"{name}: {variable} is no cell array of photographs")
    if not 0 < data.size <= _MAX_FACES:
        raise InputError(f"{name}: {variable} has {data.size} photographs; 1 to {_MAX_FACES} are read")
    return np.asarray(_checked(data, f"{name}: {variable}")[()]).reshape(-1)


def _checked(data: Any, where: str) -> Any:
    """Return a data set of the file after checking that it is stored here, in a known way and size."""
    if data.external or data.is_virtual:
        raise InputError(f"{where} is stored in another file, which is not read")
    creation = data.id.get_create_plist()
    filters = {creation.get_filter(number)[0] for number in range(creation.get_nfilters())}
    if filters - _FILTERS:
        raise InputError(f"{where} is compressed by the HDF5 filter {min(filters - _FILTERS)}, which is not read")
    stored, size = data.id.get_storage_size(), data.nbytes
    if stored > 2 * size + (1 << 20) or (data.chunks and np.prod(data.chunks, dtype=float) > 2 * data.size + (1 << 20)):
        raise InputError(f"{where}: {stored:,} bytes are stored for {size:,}: the file is damaged")
    return data


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """Open a MATLAB file of version 7.3.

    Raises:
        InputError: h5py is missing, or the file can't be read.
    """
    name = shown(file)
    try:
        import h5py
    except ImportError as error:
        raise InputError(
            f"{name}: MATLAB files of version 7.3 are read with h5py: install it with pip install 'nmebench[mat]', or "
            "give the json that mmpose's converter makes"
        ) from error
    check_regular(file, MAX_BYTES)
    with file.open("rb") as stream:
        head = stream.read(19)
    if head[:10] == b"MATLAB 5.0":
        raise InputError(f"{name} is a MATLAB file of version 5, expected 7.3: save it with -v7.3")
    try:
        with h5py.File(file, "r", locking=False) as content:
            for variable in content:
                if not isinstance(content.get(variable, getlink=True), h5py.HardLink):
                    raise InputError(f"{name}: {shown(str(variable))[:40]} is a link, which is not followed")
            yield content
    except InputError:
        raise
    except _DAMAGED as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{name} is not a MATLAB file of version 7.3 that can be read ({shown(reason)})") from error
