"""Paths of the cache folder, the downloaded weights and WFLW."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["cache_folder", "weights_folder", "wflw_folder"]


def cache_folder(cache: Path | None = None) -> Path:
    """Return the cache folder: ``cache``, else ``$NMEBENCH_CACHE``, else the user's cache folder (from platformdirs).

    Returns:
        An absolute path; the folder may not exist yet.

    Raises:
        InputError: the user has no home folder and ``NMEBENCH_CACHE`` is not set.
    """
    if cache is None:
        given = os.environ.get("NMEBENCH_CACHE")
        cache = Path(given) if given else platformdirs.user_cache_path("nmebench")
        if not given and not cache.is_absolute():
            raise InputError("this user has no home folder for the cache; set NMEBENCH_CACHE to a writable folder")
    return cache.absolute()


def weights_folder(cache: Path | None = None) -> Path:
    """Return the folder of downloaded weights, ``weights/`` in the cache folder."""
    return cache_folder(cache) / "weights"


def wflw_folder(cache: Path | None = None) -> Path:
    """Return the folder that contains ``WFLW_annotations/`` and ``WFLW_images/``, the PATH of ``wflw:PATH``.

    It is ``$NMEBENCH_WFLW`` if that is set, else ``wflw/`` in the cache folder, where ``nmebench data fetch wflw``
    unpacks the archives.

    Raises:
        InputError: one of the two is missing; the message describes how to get it.
    """
    own = os.environ.get("NMEBENCH_WFLW") if cache is None else None
    root = Path(own).absolute() if own else cache_folder(cache) / "wflw"
    for part in ("WFLW_annotations", "WFLW_images"):
        if not (root / part).is_dir():
            way_out = (
                "NMEBENCH_WFLW must name the folder that holds WFLW_annotations and WFLW_images"
                if own
                else "get it with `nmebench data fetch wflw --accept-licence`, or `nmebench data add ARCHIVE` for one "
                "downloaded by hand, or point NMEBENCH_WFLW at a copy"
            )
            raise InputError(f"{shown(root)}: no {part} here; {way_out}")
    return root
