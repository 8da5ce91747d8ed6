"""Memory that the allocator holds on to, given back."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache

__all__ = ["give_back_free_memory"]


@cache
def _trim() -> Callable[[int], int] | None:
    """glibc's ``malloc_trim``; None elsewhere."""
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no glibc, or Windows, where there is no such handle
        return None
    return trim


def give_back_free_memory() -> bool:
    """Give the free pages of every heap back to the system; False where the C library can't.

    Batches of tens of megabytes are taken and freed by several threads; glibc keeps a heap for each, which fragment:
    over a thousand faces a sweep would grow by some 300 MB that nothing uses.
    """
    trim = _trim()
    if trim is None:
        return False
    trim(0)
    return True
