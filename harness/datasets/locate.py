"""Locates a benchmark's files: the annotation file, the sibling lists of subsets, the folder of photographs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.formats import COFW_MAT, detect_format
from nmebench.datasets.readers.fields import with_slashes
from nmebench.datasets.readers.text import BYTE_ORDER_MARK
from nmebench.errors import InputError
from nmebench.printable import shown

__all__ = [
    "NoAnnotationFileError",
    "existing_name",
    "find_annotation_file",
    "find_file",
    "find_image_folder",
    "subset_file",
]

MAX_DEPTH = 4
"""Levels of folders that are searched for annotation files."""

MAX_DEPTH_OF_COFW = 7
"""The same for COFW, whose archive has its MATLAB files five folders deep."""

MAX_ENTRIES = 20_000
"""Files and folders that are examined before the search stops."""


class NoAnnotationFileError(InputError):
    """Raised for a folder without an annotation file."""


def find_annotation_file(
    path: Path,
    benchmark: Benchmark,
    *,
    split: str,
    format: str | None,  # noqa: A002
) -> tuple[Path, list[str]]:
    """Return the annotation file that ``path`` names, and the other formats that the folder holds.

    Args:
        path: a file; a folder that holds one under a usual name (four levels deep at most); or a folder with a single
            annotation file of any name directly in it.
        benchmark: the definition of the data set, which has the usual names.
        split: ``test`` or ``train``.
        format: search only for this format's usual name.

    Raises:
        NoAnnotationFileError: there is no such file.
        InputError: there are several of one name at the same depth.
    """
    if path.is_file():
        return path, []
    if not path.is_dir():
        raise InputError(f"{shown(path)} is neither a folder nor an annotation file")
    usual = benchmark.files.get(split, {})
    left_out = (*benchmark.image_folders, *benchmark.other_folders)
    depth = MAX_DEPTH_OF_COFW if COFW_MAT in usual else MAX_DEPTH
    files = sorted(_annotation_files(path, left_out, depth), key=lambda file: (len(file.parts), file.parts))
    found: dict[str, Path] = {}
    for name, wanted in usual.items():
        hits = [file for file in files if file.name == wanted]
        if len(hits) > 1 and len(hits[0].parts) == len(hits[1].parts):
            raise InputError(f"{shown(path)} holds {wanted} twice ({shown(hits[0])}, {shown(hits[1])}): name the file")
        if hits:
            found[name] = hits[0]
    if format is not None and format in found:
        return found[format], []
    if found and format is None:
        chosen, *others = found
        return found[chosen], others
    if not found:
        # A list whose name mentions the other split is not used: training would see the test set.
        other = re.compile(r"(?:^|[\W_])" + ("train" if split == "test" else "test") + r"(?:[\W_]|$)")
        listed = {name for one, names in benchmark.files.items() if one != split for name in names.values()}
        candidates = [file for file in files if file.parent == path and not other.search(file.stem)]
        candidates = [file for file in candidates if file.name not in listed]
        # Nor is the list of a subset, which would pass for the whole set.
        words = tuple(f"_{word}" for word in benchmark.lists.values())
        candidates = [file for file in candidates if not (words and file.stem.endswith(words))]
        candidates = [file for file in candidates if _is_annotation_file(file)]
        if len(candidates) == 1:
            return candidates[0], []
    missing = usual.get(format, format) if format else f"a {benchmark.title} annotation file"
    looked_for = ", ".join(usual.values()) or "nothing, because that split has no usual names; name the file"
    raise NoAnnotationFileError(f"{shown(path)} does not hold {missing}: looked for {looked_for}")


def subset_file(file: Path, word: str) -> Path:
    """Return where the list of a subset is expected, beside the list of all faces.

    Args:
        file: the annotation file of all faces.
        word: the word at the end of the subset's file name.

    Example:
        >>> subset_file(Path("list_98pt_test.txt"), "largepose").name
        'list_98pt_test_largepose.txt'
    """
    return file.with_name(f"{file.stem}_{word}{file.suffix}")


def find_image_folder(file: Path, root: Path, images: Sequence[str], usual: Sequence[str]) -> Path | None:
    """Return the folder that the images' names are relative to, or None.

    The search covers the annotation file's folder, three levels above it, and the dataset's root; in each of them
    the folders with a usual name and the level itself. The folder that holds most of the first 20 images wins. If none
    holds any, the first folder with a usual name is returned.

    Args:
        file: the annotation file.
        root: the dataset's root.
        images: image names as the annotation file has them.
        usual: usual names of the folder.
    """
    levels = list(dict.fromkeys([root, *file.parents[:4]]))
    candidates = [level / name for level in levels for name in usual] + levels
    folders = [folder for folder in candidates if folder.is_dir()]
    sample = list(dict.fromkeys(images))[:20]
    hits = [sum(_is_file(folder / existing_name(folder, image)) for image in sample) for folder in folders]
    if hits and max(hits) > 0:
        return folders[hits.index(max(hits))]
    return next((folder for folder in folders if folder.name in usual), None)


def existing_name(folder: Path | None, image: str, other_names: Mapping[str, str] | None = None) -> str:
    """Return an image's name as it is on disk.

    Lists that Windows wrote separate folders by backslashes; elsewhere a backslash may be part of a file's name. So a
    name with backslashes gets slashes where no file of the literal name exists.

    Args:
        folder: the folder that the name is relative to; None where there are no photographs.
        image: the name as the annotation file has it.
        other_names: known names on disk by the name in the annotation file.
    """
    other = (other_names or {}).get(with_slashes(image))
    if "\\" not in image and other is None:
        return image
    if folder is not None and _is_file(folder / image):
        return image
    if other is not None and folder is not None and _is_file(folder / other):
        return other
    return with_slashes(image)


def find_file(folder: Path, names: Sequence[str], left_out: Sequence[str]) -> Path | None:
    """Return the file in a folder that has one of the names, the least deep first; None without one.

    Args:
        folder: a folder.
        names: names of files, the preferred one first.
        left_out: names of folders that are not searched.
    """
    try:
        files = sorted(_annotation_files(folder, left_out, MAX_DEPTH_OF_COFW), key=lambda file: (len(file.parts), file))
    except InputError:  # too many files, or one that can't be listed
        files = [folder / name for name in names if (folder / name).is_file()]
    return next((file for name in names for file in files if file.name == name), None)


def _annotation_files(folder: Path, left_out: Sequence[str], depth: int) -> Iterator[Path]:
    """Yield the text, csv, json and MATLAB files under a folder, without hidden files and the folders left out.

    ``nmebench data fetch`` leaves a hidden json in each folder that it unpacks.
    """
    left = MAX_ENTRIES
    pending = [(folder, depth)]
    while pending:
        here, levels = pending.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"{shown(here)} can't be listed: {error.strerror}") from error
        left -= len(entries)
        if left < 0:
            raise InputError(f"{shown(folder)} holds too many files to search: name the annotation file")
        for entry in entries:
            if entry.name.startswith("."):
                continue
            place = Path(entry.path)  # its questions answer False for a loop of links, those of the entry raise
            if place.is_dir():
                if levels > 1 and entry.name not in left_out:
                    pending.append((place, levels - 1))
            elif entry.name.endswith((".txt", ".csv", ".json", ".mat")) and place.is_file():  # a named pipe would wait
                yield place


def _is_annotation_file(file: Path) -> bool:
    """Return whether the beginning of a file has one of FORMATS."""
    try:
        with file.open("rb") as stream:
            head = stream.read(65536)
        detect_format(head.removeprefix(BYTE_ORDER_MARK).decode("utf-8", "surrogateescape"), shown(file))
    except (InputError, OSError):
        return False
    return True


def _is_file(path: Path) -> bool:
    """Return whether a file exists; False for names that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
