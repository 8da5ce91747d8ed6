"""Matrices of numbers from small MATLAB files of version 5: a parser for untrusted files, bounded in size.

SciPy's reader of these files can crash the process on a damaged file, so this module reads what is needed itself: the
variables of a file, compressed or not, that are matrices of real numbers. Source: MathWorks, "MAT-File Format".
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import read_bounded
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["MAX_BYTES", "read_mat_numbers"]

MAX_BYTES: Final = 1 << 20
"""The largest file that is read, and the largest sum of its parts when they are unpacked."""

_HEADER: Final = 128
_MATRIX: Final = 14
_COMPRESSED: Final = 15
_COMPLEX: Final = 0x800

#: Types of stored numbers: NumPy's letters without the order of bytes.
_STORED: Final = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
#: Classes of matrices of numbers; the others hold text, cells, structures, objects and sparse matrices.
_NUMBERS: Final = range(6, 16)
_OTHER: Final = {1: "a cell array", 2: "a structure", 3: "an object", 4: "text", 5: "a sparse matrix"}

Order = Literal["<", ">"]


class _DamagedError(Exception):
    """The bytes are no MATLAB file of version 5."""


def read_mat_numbers(file: Path, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return matrices of numbers by name.

    Args:
        file: a MATLAB file of version 5 (``save -v6`` and ``-v7``).
        names: the variables to read.

    Returns:
        Arrays ``[rows, columns]`` float64, as MATLAB shows them.

    Raises:
        InputError: the file can't be read, is no such file, unpacks to more than MAX_BYTES, or a variable is missing or
            holds something else than real numbers.
    """
    name = shown(file)
    data = read_bounded(file, MAX_BYTES)
    if data.startswith(b"MATLAB 7.3"):
        raise InputError(f"{name} is a MATLAB file of version 7.3, expected version 5: save it with -v7")
    if not data.startswith(b"MATLAB 5.0"):
        raise InputError(f"{name} is not a MATLAB file of version 5 (it does not begin with 'MATLAB 5.0')")
    found: dict[str, NDArray[np.float64]] = {}
    others: list[str] = []
    try:
        order: Order = {b"IM": "<", b"MI": ">"}[data[126:128]]  # type: ignore[assignment]
        for body in _variables(data, order, name):
            variable, value = _variable(body, order, names, name)
            if value is None:
                others.append(variable)
            elif variable in found:
                raise InputError(f"{name} has the variable {shown(variable)[:40]!r} twice")
            else:
                found[variable] = value
    except (_DamagedError, KeyError, zlib.error) as error:
        reason = "the order of its bytes is unknown" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{name} is not a MATLAB file that can be read ({shown(reason)[:200]})") from error
    missing = next((one for one in names if one not in found), None)
    if missing is not None:
        has = ", ".join([*found, *others]) or "none"
        raise InputError(f"{name} has no variable {missing!r} (found: {shown(has)[:100]})")
    return found


def _variables(data: bytes, order: Order, name: str) -> Iterator[bytes]:
    """Yield the body of each variable of a file."""
    position, total = _HEADER, 0
    while position < len(data):
        kind, content, position = _element(data, position, order, padded=False)
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(content, MAX_BYTES - total + 1)
            total += len(content)
            if total > MAX_BYTES:
                raise InputError(f"{name} unpacks to more than {MAX_BYTES:,} bytes: is it the right file?")
            if not unpacker.eof:
                raise _DamagedError("compressed data is cut off")
            kind, content, _ = _element(content, 0, order, padded=False)
        if kind != _MATRIX:
            raise _DamagedError(f"an element of type {kind} in place of a variable")
        yield content


def _variable(body: bytes, order: Order, names: Sequence[str], file: str) -> tuple[str, NDArray[np.float64] | None]:
    """Return name and value of a variable; None for one that is not asked for."""
    _, flags, position = _element(body, 0, order)
    kind, sizes, position = _element(body, position, order)
    _, letters, position = _element(body, position, order)
    if len(flags) != 8 or kind != 5 or len(sizes) % 4 or not 2 <= len(sizes) // 4 <= 32:
        raise _DamagedError("the header of a variable is damaged")
    word = int(np.frombuffer(flags, f"{order}u4")[0])
    shape = [int(size) for size in np.frombuffer(sizes, f"{order}i4")]
    variable = letters.decode("latin-1")
    if variable not in names:
        return variable, None
    if word & 0xFF not in _NUMBERS or word & _COMPLEX or len(shape) != 2:
        what = _OTHER.get(word & 0xFF, f"an array of class {word & 0xFF}, {len(shape)} dimensions")
        raise InputError(f"{file}: {variable} is {what}, expected a matrix of real numbers")
    stored, content, _ = _element(body, position, order)
    if stored not in _STORED or min(shape) < 0:
        raise _DamagedError(f"numbers of type {stored}, shape {shape}")
    kind_of = np.dtype(f"{order}{_STORED[stored]}")
    if math.prod(shape) * kind_of.itemsize != len(content):
        raise _DamagedError(f"{len(content)} bytes for {shape[0]} x {shape[1]} numbers of {kind_of.itemsize} bytes")
    return variable, np.frombuffer(content, kind_of).reshape(shape, order="F").astype(np.float64)


def _element(data: bytes, position: int, order: Order, *, padded: bool = True) -> tuple[int, bytes, int]:
    """Return type and content of an element, and the position after it."""
    if position + 8 > len(data):
        raise _DamagedError("it is cut off")
    first, size = (int(value) for value in np.frombuffer(data, f"{order}u4", 2, position))
    if first >> 16:  # a small element: its type, its size and at most 4 bytes of content in one
        kind, size, start, end = first & 0xFFFF, first >> 16, position + 4, position + 8
        if size > 4:
            raise _DamagedError(f"a small element of {size} bytes")
    else:
        kind, start = first, position + 8
        end = start + (size + 7) // 8 * 8 if padded else start + size
    if start + size > len(data):
        raise _DamagedError("it is cut off")
    return kind, data[start : start + size], end
