"""Returns free memory of glibc's heaps to the operating system."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

__all__ = ["release_free_memory"]


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """Return glibc's ``malloc_trim``, or None with another C library."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # another C library, or Windows, where CDLL(None) fails
        return None
    return trim


def release_free_memory() -> bool:
    """Return the free pages of every heap to the operating system.

    Several threads allocate and free batches of tens of megabytes. glibc keeps one heap per thread, and these heaps
    fragment: without this call a sweep of a thousand faces would hold about 300 MB that nothing uses.

    Returns:
        False where the C library has no ``malloc_trim``.
    """
    trim = _malloc_trim()
    if trim is None:
        return False
    trim(0)
    return True
