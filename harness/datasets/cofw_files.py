"""COFW's MATLAB files as annotations, and as the photographs of other annotations of the same faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.formats import COFW_MAT
from nmebench.datasets.locate import find_file
from nmebench.datasets.matlab_pictures import extracted
from nmebench.datasets.readers import cofw_mat
from nmebench.datasets.readers.cofw_numbers import spiga_picture
from nmebench.datasets.readers.rows import AnnotatedFaces, gather
from nmebench.files import FileHash, file_sha256
from nmebench.printable import shown

__all__ = ["StoredPictures", "edge_notes", "picture_file", "read_annotations"]


@dataclass(frozen=True)
class StoredPictures:
    """The photographs of a MATLAB file, for faces that another file annotates."""

    folder: Path
    images: tuple[str, ...]
    """[N]: each face's photograph in ``folder``."""
    file: FileHash


def read_annotations(file: Path, root: Path, split: str, points: int) -> tuple[AnnotatedFaces, FileHash, Path]:
    """Read the faces of a MATLAB file of COFW.

    Args:
        file: the MATLAB file.
        root: the dataset's root; the hash names the file relative to it.
        split: ``test`` or ``train``.
        points: the number of landmarks K.

    Returns:
        The faces, the file's hash, and the folder that their photographs are stored in.

    Raises:
        InputError: the file can't be read, or the cache can't be written; or h5py is missing.
    """
    name = shown(file)
    faces = gather(cofw_mat.read(file, split, points), name, points)
    digest = _hash(file, root)
    return faces, digest, extracted(file, digest.sha256)


def edge_notes(faces: AnnotatedFaces, name: str) -> list[str]:
    """Return a note when coordinates were outside the photograph, which the reader moves to 0."""
    moved = int((faces.landmarks == 0).sum())
    return (
        [f"{name}: {moved} coordinates at or beyond the left or upper edge are 0, as in mmpose's json"] if moved else []
    )


def picture_file(
    benchmark: Benchmark,
    root: Path,
    split: str,
    images: Sequence[str],
    format: str,  # noqa: A002
) -> StoredPictures | None:
    """Return the photographs of a benchmark whose annotations don't bring them; None without a MATLAB file of them.

    Args:
        benchmark: the definition of the data set.
        root: the dataset's folder; the MATLAB file is in it, in the folder above or in a folder ``cofw`` beside it.
        split: ``test`` or ``train``.
        images: ``[N]`` names as the annotation files have them.
        format: the annotations' format.

    Raises:
        InputError: the MATLAB file can't be read, or the cache can't be written; or h5py is missing.
    """
    if format == COFW_MAT:
        return None
    names = benchmark.picture_files.get(split, ())
    if not names:
        return None
    beside = [root.parent / name for name in names if (root.parent / name).is_file()]
    left_out = (*benchmark.image_folders, *benchmark.other_folders)
    others = [root, root.parent / "cofw"]
    searched = (find_file(folder, names, left_out) for folder in others if folder.is_dir())
    file = next((one for one in (*beside, *searched) if one is not None), None)
    if file is None:
        return None
    digest = _hash(file, root)
    folder = extracted(file, digest.sha256)
    pictures = tuple((spiga_picture(image) or image) if format == "spiga-json" else image for image in images)
    return StoredPictures(folder, pictures, digest)


def _hash(file: Path, root: Path) -> FileHash:
    inside = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
    return FileHash(name=inside, sha256=file_sha256(file), bytes=file.stat().st_size)
