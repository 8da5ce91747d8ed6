"""Where the files are on this machine. Opens no connection."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from harness.errors import InputError
from harness.fetch.sources import Source
from harness.quoting import shown

__all__ = ["cache_path", "place_of", "wflw_root"]


def cache_path(cache: Path | None = None) -> Path:
    """The cache: as given, else ``NMEBENCH_CACHE``, else the user's cache folder (by `platformdirs`).

    Raises:
        InputError: there is no home folder to put it in.
    """
    if cache is None:
        given = os.environ.get("NMEBENCH_CACHE")
        cache = Path(given) if given else platformdirs.user_cache_path("nmebench")
        if not given and not cache.is_absolute():
            raise InputError(
                "this user has no home folder to keep downloads in; set NMEBENCH_CACHE to a folder that can be written"
            )
    return cache.absolute()


def place_of(source: Source, cache: Path) -> Path:
    """Where a source's file (or the folder it unpacks to) belongs in the cache, whether it is there or not."""
    return cache / source.unpacks_to if source.unpacks_to else cache / "weights" / source.file


def wflw_root(cache: Path | None = None) -> Path:
    """A folder with ``WFLW_annotations/`` and ``WFLW_images/``, for ``wflw:PATH``.

    ``NMEBENCH_WFLW`` names one of the user's own; else it is the cache's ``wflw/``, where `fetch` unpacks to.

    Raises:
        InputError: a part is missing; says how to get it.
    """
    own = os.environ.get("NMEBENCH_WFLW") if cache is None else None
    root = Path(own).absolute() if own else cache_path(cache) / "wflw"
    for part in ("WFLW_annotations", "WFLW_images"):
        if not (root / part).is_dir():
            way = (
                "NMEBENCH_WFLW must name the folder that holds WFLW_annotations and WFLW_images"
                if own
                else "get it with `nmebench data fetch wflw --accept-licence`, or `nmebench data add ARCHIVE` for one "
                "downloaded by hand, or point NMEBENCH_WFLW at a copy"
            )
            raise InputError(f"{shown(root)}: no {part} here; {way}")
    return root
