"""Data sets that a benchmark defines, read from its annotation files and their sibling lists."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets import benchmark_arrays, cofw_files
from nmebench.datasets.assemble import FoundFaces, assemble, named_subsets
from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.benchmark import load as load_benchmark
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.face_file_formats import FACE_FILES
from nmebench.datasets.formats import COFW_MAT, check_format, detect_format, read_rows
from nmebench.datasets.locate import (
    NoAnnotationFileError,
    find_annotation_file,
    find_image_folder,
    subset_file,
)
from nmebench.datasets.readers.fields import with_slashes
from nmebench.datasets.readers.rows import AnnotatedFaces, gather
from nmebench.datasets.readers.text import read_text
from nmebench.datasets.source import DatasetSource, existing_path
from nmebench.datasets.spiga_subsets import FILE as SUBSETS_OF_SPIGA
from nmebench.datasets.spiga_subsets import spiga_subsets
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES

__all__ = [
    "AFLW",
    "COFW",
    "COFW68",
    "LAPA",
    "W300",
    "W300_PRIVATE",
    "WFLW",
    "in_folders",
    "load",
    "match_faces",
]


def load(
    benchmark: Benchmark,
    place: str | None,
    *,
    spec: str,
    format: str | None = None,  # noqa: A002
    split: str = "test",
) -> Dataset:
    """Load the faces of one list, in its order.

    Args:
        benchmark: the definition of the data set.
        place: the dataset's folder, the annotations' folder, one annotation file, or an npz
            (:mod:`nmebench.datasets.benchmark_arrays`).
        spec: as the user gave it, kept in the result.
        format: one of the benchmark's formats; None to detect it from the file.
        split: ``test`` or ``train``.

    Raises:
        InputError: a file is missing or wrong; the message names file and line.
    """
    if place is not None and benchmark_arrays.is_arrays(place):
        return benchmark_arrays.load(benchmark, place, spec=spec, format=format, split=split)
    path = existing_path(place, spec)
    root = path if path.is_dir() else path.parent
    found = _points_files(benchmark, path, root, format, split) or _read_list(benchmark, path, root, format, split)
    return assemble(benchmark, found, root=root, spec=spec, split=split)


def _source(name: str, summary: str) -> DatasetSource:
    """Return the source of a shipped benchmark."""
    return DatasetSource(summary=summary, load=partial(load, load_benchmark(name)))


WFLW = _source("wflw", "wflw:PATH, WFLW in any of its formats (official lists, HRNet csv, mmpose json)")
W300 = _source("300w", "300w:PATH, 300-W's public test set (.pts files, HRNet csv, mmpose json, SPIGA json)")
W300_PRIVATE = _source(
    "300w-private", "300w-private:PATH, 300-W's private test set (.pts files, HRNet csv, mmpose json, SPIGA json)"
)
COFW = _source("cofw", "cofw:PATH, COFW with 29 landmarks (its MATLAB files, mmpose json, HRNet csv)")
AFLW = _source("aflw", "aflw:PATH, AFLW with 19 landmarks (HRNet csv, mmpose json)")
COFW68 = _source("cofw68", "cofw68:PATH, COFW's test faces with 68 landmarks (MATLAB files, SPIGA json)")
LAPA = _source("lapa", "lapa:PATH, LaPa with 106 landmarks (its .txt files, mmpose json)")


def match_faces(keys: list[tuple[str, bytes]], wanted: list[tuple[str, bytes]]) -> tuple[NDArray[np.bool_], int]:
    """Match the faces of a subset's list to the faces of the main list.

    Faces are matched by image and landmarks together: an image alone would select every face that it shows. A face
    that occurs several times in both lists is selected as often as the subset's list has it.

    Args:
        keys: :meth:`AnnotatedFaces.keys` of the main list, N of them.
        wanted: keys of the subset's list.

    Returns:
        The subset as a mask ``[N]``, and the number of wanted keys without a face.

    Example:
        >>> mask, lost = match_faces([("a.jpg", b"1"), ("a.jpg", b"2")], [("a.jpg", b"2"), ("b.jpg", b"3")])
        >>> mask.tolist(), lost
        ([False, True], 1)
    """
    places: dict[tuple[str, bytes], list[int]] = defaultdict(list)
    for place in reversed(range(len(keys))):
        places[keys[place]].append(place)
    mask = np.zeros(len(keys), dtype=np.bool_)
    lost = 0
    for key in wanted:
        if places.get(key):
            mask[places[key].pop()] = True
        else:
            lost += 1
    return mask, lost


def _read_subsets(
    benchmark: Benchmark, faces: AnnotatedFaces, file: Path, root: Path, found_format: str, points: int
) -> tuple[dict[str, NDArray[np.bool_]], list[FileHash], list[str]]:
    """Return the subsets that sibling lists or the photographs' folders define, the files read, and notes."""
    subsets: dict[str, NDArray[np.bool_]] = {}
    files: list[FileHash] = []
    notes: list[str] = []
    keys = faces.keys()
    if found_format == "spiga-json":
        subsets, files = spiga_subsets(benchmark, file, root, len(keys))
    for subset in dict.fromkeys((*benchmark.lists, *benchmark.folders)):
        if subset in subsets:
            continue
        listed_apart = subset in benchmark.lists and found_format != "spiga-json"
        sibling = subset_file(file, benchmark.lists[subset]) if listed_apart else None
        if sibling is None or not sibling.is_file():
            mask = in_folders(faces.images, benchmark.folders.get(subset, ()))
            if mask.any():
                subsets[subset] = mask
            elif sibling is not None:
                notes.append(f"{shown(sibling.name)} is missing: there is no subset {subset}")
            elif subset not in benchmark.folders:
                notes.append(f"{SUBSETS_OF_SPIGA} beside the json doesn't list it: there is no subset {subset}")
            else:
                folders = ", ".join(benchmark.folders[subset])
                notes.append(f"no photograph's path begins with {folders}: there is no subset {subset}")
            continue
        text, digest = read_text(sibling, root)
        listed = gather(
            read_rows(text, shown(sibling), found_format, points, **benchmark.row_options), shown(sibling), points
        )
        mask, lost = match_faces(keys, listed.keys())
        if lost == len(listed.images):
            notes.append(f"{digest.name} names none of these faces: there is no subset {subset}")
            continue
        if lost:
            notes.append(f"{digest.name}: {lost} of its {len(listed.images)} faces are not in {shown(file.name)}")
        subsets[subset] = mask
        files.append(digest)
    return subsets, files, notes


def _read_list(benchmark: Benchmark, path: Path, root: Path, format: str | None, split: str) -> FoundFaces:  # noqa: A002
    """Read one annotation file and the lists of its subsets."""
    check_format(format, benchmark)
    file, others = find_annotation_file(path, benchmark, split=split, format=format)
    points = benchmark.landmark_scheme.points
    place = shown(file)
    if format == COFW_MAT or (format is None and file.suffix == ".mat"):
        check_format(COFW_MAT, benchmark)
        stored, mat, pictures = cofw_files.read_annotations(file, root, split, points)
        everything = {split: np.ones(len(stored.images), np.bool_)}
        return FoundFaces(stored, COFW_MAT, [mat], everything, pictures, place, cofw_files.edge_notes(stored, mat.name))
    text, digest = read_text(file, root)
    found = format or detect_format(text, place)
    check_format(found, benchmark)
    faces = gather(read_rows(text, place, found, points, **benchmark.row_options), place, points)
    notes = [f"read {digest.name} ({found}); other formats in the folder: {', '.join(others)}"] if others else []
    subsets: dict[str, NDArray[np.bool_]] = {split: np.ones(len(faces.images), dtype=np.bool_)}
    files = [digest]
    if faces.subsets is not None:
        named = named_subsets(faces, split, place)
        subsets |= {name: named[name] for name in (*benchmark.expected(split), *named) if name in named}
    elif faces.attributes is not None:
        subsets |= {subset: faces.attributes[:, column] for column, subset in enumerate(ATTRIBUTES)}
    elif split == "test":
        sibling_subsets, sibling_files, sibling_notes = _read_subsets(benchmark, faces, file, root, found, points)
        subsets |= sibling_subsets
        files += sibling_files
        notes += sibling_notes
    image_root = find_image_folder(file, root, faces.images, benchmark.image_folders)
    return FoundFaces(faces, found, files, subsets, image_root, place, notes)


def _points_files(
    benchmark: Benchmark,
    path: Path,
    root: Path,
    format: str | None,  # noqa: A002
    split: str,
) -> FoundFaces | None:
    """Read the split's files of one face each; None if an annotation file is to be read instead."""
    folders = benchmark.points_folders(split)
    if format not in (None, benchmark.points_format) or not folders or not path.is_dir():
        return None
    kind = FACE_FILES[benchmark.points_format]
    files = kind.find(root, folders)
    if format is None:
        try:
            find_annotation_file(path, benchmark, split=split, format=None)
            return None
        except NoAnnotationFileError as error:
            if not files:
                looked = ", ".join(folders)
                raise NoAnnotationFileError(f"{error}; and for {kind.ending} files in {looked}") from error
    if not files:
        raise InputError(f"{shown(root)} holds no {kind.ending} file: looked in {', '.join(folders)}")
    points = benchmark.landmark_scheme.points
    faces = gather(kind.read(files, root, points), shown(root), points)
    subsets = {split: np.ones(len(files), np.bool_)}
    if split == "test":
        subsets |= {name: in_folders(faces.images, places) for name, places in benchmark.folders.items()}
    present = {name: mask for name, mask in subsets.items() if mask.any()}
    notes = [
        f"no {kind.ending} file belongs to it: there is no subset {name}" for name in subsets if name not in present
    ]
    notes += [f"there is no {kind.ending} file in {one}" for one in kind.empty_folders(files, root, folders)]
    digest = kind.hash_of(files, root)
    image_root = find_image_folder(root / "annotations", root, faces.images, benchmark.image_folders)
    return FoundFaces(faces, benchmark.points_format, [digest], present, image_root, shown(root), notes)


def in_folders(images: Sequence[str], folders: Sequence[str]) -> NDArray[np.bool_]:
    """Return which photographs ``[N]`` have one of the beginnings at some level of their path.

    Args:
        images: ``[N]`` names of the photographs.
        folders: the beginnings, such as ``ibug/``.

    Example:
        >>> in_folders(["ibug/a.jpg", "300w/ibug/b.jpg", "helen/c.jpg"], ["ibug/"]).tolist()
        [True, True, False]
    """
    return np.array([any(f"/{one}" in f"/{with_slashes(image)}" for one in folders) for image in images], np.bool_)
