"""Matrices of numbers from small MATLAB files (version 5, not 7.3): bounded in size, nothing is executed."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["MAX_BYTES", "read_mat_numbers"]

MAX_BYTES: Final = 1 << 20
"""The largest file that is read, and the largest size that its compressed parts may unpack to."""

_HEADER: Final = 128
_COMPRESSED: Final = 15

#: Exceptions of scipy's parser and zlib for damaged or foreign files.
_DAMAGED: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)


def read_mat_numbers(file: Path, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return matrices of numbers by name.

    Args:
        file: a MATLAB file of format 5 (``save -v6`` and ``-v7``).
        names: the variables to read.

    Returns:
        Arrays ``[rows, columns]`` float64, as MATLAB shows them.

    Raises:
        InputError: the file can't be read, is no such file, unpacks to more than MAX_BYTES, or a variable is missing or
            holds something else than real numbers.
    """
    from scipy.io import loadmat  # 60 ms that other data sets don't need

    name = shown(file)
    data = read_bounded(file, MAX_BYTES)
    if data[:19] == b"MATLAB 7.3 MAT-file":
        raise InputError(f"{name} is a MATLAB file of version 7.3, expected version 5: save it with -v7")
    if data[:10] != b"MATLAB 5.0":
        raise InputError(f"{name} is not a MATLAB file of version 5 (it does not begin with 'MATLAB 5.0')")
    try:
        _check_unpacked(data, name)
        table = loadmat(io.BytesIO(data), variable_names=list(names), struct_as_record=True)
    except InputError:
        raise
    except _DAMAGED as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise InputError(f"{name} is not a MATLAB file that can be read ({shown(reason)})") from error
    found: dict[str, NDArray[np.float64]] = {}
    for one in names:
        if one not in table:
            has = ", ".join(sorted(str(key) for key in table if not str(key).startswith("__"))) or "none"
            raise InputError(f"{name}: no variable {one!r} (found of those asked for: {shown(has)[:100]})")
        value = table[one]
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf" or value.ndim != 2:
            kind = f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
            raise InputError(f"{name}: {one} is {shown(kind)[:80]}, expected a matrix of real numbers")
        found[one] = value.astype(np.float64)
    return found


def _check_unpacked(data: bytes, name: str) -> None:
    """Raise an InputError when the compressed variables unpack to more than MAX_BYTES: a few bytes can claim GiB."""
    order = "<" if data[126:128] == b"IM" else ">"
    position, total = _HEADER, 0
    while position + 8 <= len(data):
        kind, size = struct.unpack_from(f"{order}II", data, position)
        if kind == _COMPRESSED:
            unpacked = zlib.decompressobj().decompress(data[position + 8 : position + 8 + size], MAX_BYTES - total + 1)
            total += len(unpacked)
            if total > MAX_BYTES:
                raise InputError(f"{name} unpacks to more than {MAX_BYTES:,} bytes: is it the right file?")
        position += 8 + size
