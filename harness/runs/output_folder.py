"""The first checks of a folder that a run, a sweep or a shard is going to be written to."""

from __future__ import annotations

from pathlib import Path

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["is_folder"]


def is_folder(out: Path, what: str) -> bool:
    """Return True where ``out`` is a folder, and False where nothing exists there.

    Args:
        out: the folder.
        what: what is written there, such as ``run``; for the message.

    Raises:
        InputError: ``out`` is a file, or a path that can't be used.
    """
    try:
        exists = out.exists()
    except OSError as error:  # a name that is too long, or a loop of links
        raise InputError(f"{shown(out)}: can't be used ({error.strerror}); give another folder with -o") from error
    if exists and not out.is_dir():
        raise InputError(f"{shown(out)}: is a file, a {what} is a folder; give another name with -o")
    return exists
