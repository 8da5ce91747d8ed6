"""When glibc's heaps return free memory to the operating system."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import cache

__all__ = ["free_thresholds", "release_free_memory"]

#: glibc's numbers of two options of ``mallopt``, and the values up to which it raises them by itself (64 bits).
_THRESHOLDS = {"M_TRIM_THRESHOLD": (-1, 64 * 2**20), "M_MMAP_THRESHOLD": (-3, 32 * 2**20)}

#: Fixes the first threshold for a process, and by that keeps the second one at 128 KiB.
_VARIABLE = "MALLOC_TRIM_THRESHOLD_"


@cache
def _function(name: str) -> Callable[..., int] | None:
    """Return a function of glibc, or None with another C library."""
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError, TypeError):  # another C library, or Windows, where CDLL(None) fails
        return None
    return found


def free_thresholds() -> bool:
    """Let glibc keep freed memory as in a process whose environment doesn't set ``MALLOC_TRIM_THRESHOLD_``.

    Dask sets it to 64 KiB for its workers. Then every large tensor is new memory from the operating system, which
    clears each page when it is touched: a sweep of a small network took a tenth longer. Without the variable glibc
    raises both thresholds to the largest sizes that were freed; this sets them to the limits of that.

    Returns:
        True where the thresholds were set; False without the variable, or with another C library.
    """
    mallopt = _function("mallopt")
    if mallopt is None or _VARIABLE not in os.environ:
        return False
    done = [mallopt(option, value) for option, value in _THRESHOLDS.values()]
    return all(done)


def release_free_memory() -> bool:
    """Return the free pages of every heap to the operating system.

    Several threads allocate and free batches of tens of megabytes. glibc keeps one heap per thread, and these heaps
    fragment: without this call a sweep of a thousand faces would hold about 300 MB that nothing uses.

    Returns:
        False where the C library has no ``malloc_trim``.
    """
    trim = _function("malloc_trim")
    if trim is None:
        return False
    trim(0)
    return True
