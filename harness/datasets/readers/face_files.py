"""Formats with one small file per face: how the files of a data set are found, hashed and read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nmebench.bounded_read import read_bounded
from nmebench.datasets.readers.rows import Entry
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.printable import shown

__all__ = ["MAX_BYTES", "MAX_FILES", "FaceFiles"]

MAX_FILES = 50_000
MAX_BYTES = 1 << 20
"""The largest file of one face."""


@dataclass(frozen=True)
class FaceFiles:
    """A format with one file per face."""

    ending: str
    """End of the files' names, such as ``.pts``."""
    read: Callable[[Sequence[Path], Path, int], Iterator[Entry]]
    """``read(files, root, points)`` yields the face of each file, or the error in it."""
    key: Callable[[Path], object] = Path.as_posix
    """Sort key of a file, given relative to the data set's folder."""
    skip: Callable[[Path], bool] = lambda _: False
    """True for a file with the ending that is left out."""
    also: tuple[str, ...] = ()
    """Further files in the data set's folder that the reader uses where they exist."""

    def find(self, root: Path, folders: Sequence[str]) -> list[Path]:
        """Return the files of some folders, sorted.

        Args:
            root: the dataset's folder, or a folder that holds it alone, as an archive does.
            folders: folders relative to ``root``, such as ``helen/testset``.

        Raises:
            InputError: there are more than MAX_FILES, or several folders of ``root`` hold the data set.
        """
        found: list[Path] = []
        inner = _data_folder(root, folders)
        for folder in folders:
            place = inner / folder
            if place.is_dir():
                found += [file for file in place.rglob(f"*{self.ending}") if not self.skip(file) and file.is_file()]
            if len(found) > MAX_FILES:
                raise InputError(
                    f"{shown(root)} holds more than {MAX_FILES} {self.ending} files: name the folder of the data set"
                )
        return sorted(found, key=lambda file: self.key(file.relative_to(root)))  # type: ignore[arg-type,return-value]

    def empty_folders(self, files: Sequence[Path], root: Path, folders: Sequence[str]) -> list[str]:
        """Return the folders that hold none of the files and have no other usual place.

        Args:
            files: from :meth:`find`.
            root: the dataset's folder.
            folders: folders relative to ``root``; if one ends like another, both are places of the same part.

        Example:
            >>> pts = FaceFiles(".pts", lambda files, root, points: iter(()))
            >>> pts.empty_folders([Path("d/01_Indoor/a.pts")], Path("d"), ["Test/01_Indoor", "01_Indoor", "ibug"])
            ['ibug']
        """
        inner = _data_folder(root, folders)
        filled = [folder for folder in folders if any(file.is_relative_to(inner / folder) for file in files)]
        return [
            folder
            for folder in folders
            if not any(f"/{one}".endswith(f"/{folder}") or f"/{folder}".endswith(f"/{one}") for one in filled)
        ]

    def also_there(self, files: Sequence[Path]) -> list[Path]:
        """Return the files of :attr:`also` that exist in the folder above the faces' one.

        Args:
            files: from :meth:`find`.
        """
        places = [files[0].parent.parent / name for name in self.also] if files else []
        return [place for place in places if place.is_file()]

    def hash_of(self, files: Sequence[Path], root: Path) -> FileHash:
        """Return one hash over the names and contents of all files, those of :attr:`also` included.

        Raises:
            InputError: a file can't be read.
        """
        digest, size = hashlib.sha256(), 0
        for file in (*files, *self.also_there(files)):
            data = read_bounded(file, MAX_BYTES)
            name = file.relative_to(root).as_posix()
            digest.update(f"{name}\0{len(data)}\0".encode("utf-8", "surrogateescape") + data)
            size += len(data)
        return FileHash(name=f"{len(files)} {self.ending} files", sha256=digest.hexdigest(), bytes=size)


def _data_folder(root: Path, folders: Sequence[str]) -> Path:
    """Return the folder that has some of ``folders``: ``root``, or the only such folder directly in it.

    Raises:
        InputError: several folders of ``root`` have them.
    """
    if not root.is_dir() or any((root / folder).is_dir() for folder in folders):
        return root
    inside = [one for one in sorted(root.iterdir()) if any((one / folder).is_dir() for folder in folders)]
    if len(inside) > 1:
        raise InputError(f"{shown(root)} holds the data set twice ({shown(inside[0])}, {shown(inside[1])}): name one")
    return inside[0] if inside else root
