"""Checks the files that a command will write, before it does any work."""

from __future__ import annotations

import os
from pathlib import Path

from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = ["check_output"]


def check_output(path: Path | None, option: str) -> None:
    """Refuse an output file that can't be written.

    Args:
        path: the file; None when the option isn't given.
        option: the option's name, for the message.

    Raises:
        InputError: the file's folder is missing or can't be written, or the path is a folder.
    """
    if path is None:
        return
    try:
        is_folder, folder_exists = path.is_dir(), path.parent.is_dir()
    except (OSError, ValueError) as error:
        raise InputError(f"{option} {shown(path)}: can't be written ({error}); give another file") from error
    if is_folder:
        raise InputError(f"{option} {shown(path)}: is a folder; give the name of a file")
    if not folder_exists:
        raise InputError(f"{option} {shown(path)}: the folder {shown(path.parent)} is missing; create it first")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{option} {shown(path)}: the folder {shown(path.parent)} can't be written; give another file")
