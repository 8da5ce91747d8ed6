"""Finding WFLW's files: which format, which annotation file, which sibling lists, where the photographs are."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nmebench.datasets.readers.official import leading_numbers
from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.protocol import LIST_NAMES

__all__ = ["FORMATS", "annotation_file", "detect", "image_folder", "subset_files"]

FORMATS = {
    "official-attr": "list_98pt_rect_attr_{split}.txt",
    "hrnet-csv": "face_landmarks_wflw_{split}.csv",
    "mmpose-json": "face_landmarks_wflw_{split}.json",
    "official-list": "list_98pt_{split}.txt",
}
"""Formats and the names that their files go by; the first that is found is read."""

_IMAGE_FOLDERS = ("WFLW_images", "images")
_DEPTH = 4
_ENTRIES = 20_000


def annotation_file(path: Path, *, split: str, format: str | None) -> tuple[Path, list[str]]:  # noqa: A002
    """The annotation file that ``path`` means, and the other formats that lie beside it.

    :param path: a file, or a folder that holds one under a usual name (four levels deep at most), or a single
        annotation file of any name directly in it.
    :param format: look only for this format's usual name.
    :raises InputError: when there is none, or several of one name equally deep.
    """
    if path.is_file():
        return path, []
    if not path.is_dir():
        raise InputError(f"{shown(path)} is neither a folder nor an annotation file")
    files = sorted(_walk(path, _DEPTH), key=lambda file: (len(file.parts), file.parts))
    found: dict[str, Path] = {}
    for kind, pattern in FORMATS.items():
        wanted = pattern.format(split=split)
        hits = [file for file in files if file.name == wanted]
        if len(hits) > 1 and len(hits[0].parts) == len(hits[1].parts):
            raise InputError(f"{shown(path)} holds {wanted} twice ({shown(hits[0])}, {shown(hits[1])}): name the file")
        if hits:
            found[kind] = hits[0]
    if format is not None and format in found:
        return found[format], []
    if found and format is None:
        chosen, *others = found
        return found[chosen], others
    if not found:
        # A list that names itself the other split's must not slip in: training would see the test set.
        other = re.compile(r"(?:^|[\W_])" + ("train" if split == "test" else "test") + r"(?:[\W_]|$)")
        near = [file for file in files if file.parent == path and not other.search(file.stem)]
        loose = [file for file in near if _is_annotation(file)]
        if len(loose) == 1:
            return loose[0], []
    wanted = FORMATS[format].format(split=split) if format else "a WFLW annotation file"
    usual = ", ".join(pattern.format(split=split) for pattern in FORMATS.values())
    raise InputError(f"{shown(path)} does not hold {wanted}: looked for {usual}")


def detect(text: str, name: str) -> str:
    """The format of an annotation file, from its content.

    :raises InputError: when it is none of FORMATS.
    """
    line = _first_line(text)
    if line.startswith(("{", "[")):
        return "mmpose-json"
    if line.startswith("image_name") or (line.count(",") > 1 and leading_numbers(line.replace(",", " ")) < 50):
        return "hrnet-csv"
    found = leading_numbers(line)
    if found == 0:
        # An image's name in front of the numbers: the official reader's message says so.
        found = leading_numbers(line.partition(" ")[2])
    if found >= 20:
        return "official-attr" if found > 200 else "official-list"
    raise InputError(f"{name} is no annotation file of a known format ({', '.join(FORMATS)})")


def subset_files(file: Path) -> dict[str, Path]:
    """Where the sibling list of each subset is expected: ``list_98pt_test.txt`` -> ``list_98pt_test_blur.txt``."""
    return {subset: file.with_name(f"{file.stem}_{word}{file.suffix}") for subset, word in LIST_NAMES.items()}


def image_folder(file: Path, root: Path, images: Sequence[str]) -> Path | None:
    """The folder that the images' names are relative to.

    Looked for beside the annotation file, up to three levels above it, and under the dataset's root: ``WFLW_images``,
    ``images``, or the level itself. The one that holds most of the first images wins; without any hit, a folder of
    a usual name; else None.
    """
    levels = list(dict.fromkeys([root, *file.parents[:4]]))
    candidates = [level / name for level in levels for name in _IMAGE_FOLDERS] + levels
    folders = [folder for folder in candidates if folder.is_dir()]
    sample = list(dict.fromkeys(images))[:20]
    hits = [sum(_exists(folder / image) for image in sample) for folder in folders]
    if hits and max(hits) > 0:
        return folders[hits.index(max(hits))]
    return next((folder for folder in folders if folder.name in _IMAGE_FOLDERS), None)


def _walk(folder: Path, depth: int) -> Iterator[Path]:
    """The text, csv and json files under a folder, without the folders of photographs; bounded."""
    left = _ENTRIES
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
            if entry.is_dir():
                if levels > 1 and entry.name not in _IMAGE_FOLDERS:
                    pending.append((Path(entry.path), levels - 1))
            elif entry.name.endswith((".txt", ".csv", ".json")):
                yield Path(entry.path)


def _is_annotation(file: Path) -> bool:
    """Whether a file's beginning looks like one of FORMATS."""
    try:
        with file.open("rb") as stream:
            head = stream.read(65536)
        detect(head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape"), shown(file))
    except (InputError, OSError):
        return False
    return True


def _first_line(text: str) -> str:
    """The first line with content that is no comment."""
    lines: Iterable[str] = (line.strip() for line in text[: 2**20].split("\n"))
    return next((line for line in lines if line and not line.startswith("#")), "")


def _exists(path: Path) -> bool:
    """Whether a file is there; False for names that no file can have."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False
