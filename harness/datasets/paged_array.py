"""Large arrays in a temporary file, so that a sweep over many faces doesn't hold what it rarely reads."""

from __future__ import annotations

import mmap
import tempfile
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAST", "paged", "release_pages"]

LEAST: Final = 16 << 20
"""Bytes of an array from which on it is moved; 10,000 faces of 98 landmarks take 15 MiB."""


def paged(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array, read-only and in a temporary file without a name if it is large.

    The file ends with the array. Where it can't be written, the array stays in memory.

    Args:
        array: the array.

    Example:
        >>> small = np.arange(3.0)
        >>> paged(small) is small
        True
        >>> large = np.zeros(LEAST, np.uint8)
        >>> moved = paged(large)
        >>> np.array_equal(moved, large), moved is large, moved.flags.writeable
        (True, False, False)
    """
    if array.nbytes < LEAST or array.dtype.hasobject:
        return array
    contiguous = np.ascontiguousarray(array)
    try:
        with tempfile.TemporaryFile() as file:
            file.write(contiguous.reshape(-1).view(np.uint8).data)
            file.flush()
            pages = mmap.mmap(file.fileno(), contiguous.nbytes, access=mmap.ACCESS_READ)
    except OSError:  # the disk is full
        return array
    return np.frombuffer(pages, array.dtype).reshape(array.shape)


def release_pages(array: NDArray[Any]) -> None:
    """Return the memory of an array of :func:`paged` to the operating system; it is read again when it is needed.

    Args:
        array: any array; one that is in memory stays as it is.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    pages = base.obj if isinstance(base, memoryview) else base
    if isinstance(pages, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        pages.madvise(mmap.MADV_DONTNEED)
