"""WFLW (Wu et al., CVPR 2018) in any of its four formats, and other datasets with the same layout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.dataset import Dataset
from nmebench.datasets.formats import check_format, detect_format, read_rows
from nmebench.datasets.locate import existing_name, find_annotation_file, find_image_folder, subset_files
from nmebench.datasets.plausibility import suspect_notes
from nmebench.datasets.readers.rows import AnnotatedFaces, gather
from nmebench.datasets.readers.text import read_text
from nmebench.datasets.source import DatasetSource, existing_path
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.geometry.scheme import Scheme, normaliser
from nmebench.geometry.scheme import load as load_scheme
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES

__all__ = ["EXPECTED", "WFLW", "load", "match_faces"]

EXPECTED: Mapping[str, Mapping[str, int]] = {
    "test": {
        "test": 2500,
        "pose": 326,
        "expression": 314,
        "illumination": 698,
        "makeup": 206,
        "occlusion": 736,
        "blur": 773,
    },
    "train": {"train": 7500},
}
"""Faces of the complete dataset, by split and subset.

Source: WFLW's page; confirmed by spiga/data/annotations/wflw/db_info.json of andresprados/SPIGA.
"""


def load(
    place: str | None,
    *,
    spec: str,
    format: str | None = None,  # noqa: A002
    split: str = "test",
    name: str = "wflw",
    expected: Mapping[str, Mapping[str, int]] = EXPECTED,
) -> Dataset:
    """Load the faces of one list, in its order.

    Args:
        place: the dataset's folder, the annotations' folder, or one annotation file.
        spec: as the user gave it, kept in the result.
        format: a key of ``formats.FORMATS``; None to detect it from the file.
        split: ``test`` or ``train``.
        name: the dataset's name in the result.
        expected: counts of the complete dataset by split and subset.

    Raises:
        InputError: a file is missing or wrong; the message names file and line.
    """
    check_format(format)
    path = existing_path(place, spec)
    root = path if path.is_dir() else path.parent
    file, others = find_annotation_file(path, split=split, format=format)
    scheme = load_scheme("wflw98")
    text, digest = read_text(file, root)
    file_name = shown(file)
    found_format = format or detect_format(text, file_name)
    faces = gather(read_rows(text, file_name, found_format, scheme.points), file_name, scheme.points)
    notes = [f"read {digest.name} ({found_format}); other formats in the folder: {', '.join(others)}"] if others else []
    notes += _note_repeated_faces(faces, digest.name)
    if split == "test":
        _check_normaliser(faces, scheme, found_format, file_name)
    subsets: dict[str, NDArray[np.bool_]] = {split: np.ones(len(faces.images), dtype=np.bool_)}
    files = [digest]
    if faces.attributes is not None:
        subsets |= {subset: faces.attributes[:, column] for column, subset in enumerate(ATTRIBUTES)}
    elif split == "test":
        sibling_subsets, sibling_files, sibling_notes = _read_sibling_lists(
            faces, file, root, found_format, scheme.points
        )
        subsets |= sibling_subsets
        files += sibling_files
        notes += sibling_notes
    image_root = find_image_folder(file, root, faces.images)
    if image_root is None:
        notes.append("no folder of photographs found: geometry only")
    images = tuple(existing_name(image_root, image) for image in faces.images)
    rewritten = sum(found != image for found, image in zip(images, faces.images, strict=True))
    if rewritten:
        notes.append(f"{digest.name}: {rewritten} image names have backslashes, which were read as slashes")
    notes += suspect_notes(faces.landmarks, digest.name)
    counts = expected.get(split, {})
    notes += [
        f"{subset} has {int(subsets[subset].sum())} faces, the complete set {count}"
        for subset, count in counts.items()
        if subset in subsets and len(faces.images) == counts.get(split) and int(subsets[subset].sum()) != count
    ]
    for array in (faces.landmarks, faces.lines, *subsets.values()):
        array.setflags(write=False)
    return Dataset(
        name=name,
        spec=spec,
        root=root,
        format=found_format,
        scheme=scheme,
        images=images,
        image_root=image_root,
        lines=faces.lines,
        landmarks=faces.landmarks,
        subsets=subsets,
        expected=dict(counts),
        rect=faces.rect,
        centre_scale=faces.centre_scale,
        files=tuple(files),
        notes=tuple(notes),
        split=split,
    )


WFLW = DatasetSource(
    summary="wflw:PATH, WFLW in any of its formats (official lists, HRNet csv, mmpose json)", load=load
)


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


def _read_sibling_lists(
    faces: AnnotatedFaces, file: Path, root: Path, found_format: str, points: int
) -> tuple[dict[str, NDArray[np.bool_]], list[FileHash], list[str]]:
    """Return the subsets that sibling lists define, the files read, and notes on lists that don't fit."""
    subsets: dict[str, NDArray[np.bool_]] = {}
    files: list[FileHash] = []
    notes: list[str] = []
    keys = faces.keys()
    for subset, sibling in subset_files(file).items():
        if not sibling.is_file():
            notes.append(f"{shown(sibling.name)} is missing: there is no subset {subset}")
            continue
        text, digest = read_text(sibling, root)
        listed = gather(read_rows(text, shown(sibling), found_format, points), shown(sibling), points)
        mask, lost = match_faces(keys, listed.keys())
        if lost == len(listed.images):
            notes.append(f"{digest.name} names none of these faces: there is no subset {subset}")
            continue
        if lost:
            notes.append(f"{digest.name}: {lost} of its {len(listed.images)} faces are not in {shown(file.name)}")
        subsets[subset] = mask
        files.append(digest)
    return subsets, files, notes


def _note_repeated_faces(faces: AnnotatedFaces, name: str) -> list[str]:
    """Return a note when a face occurs more than once, because each occurrence counts in the scores."""
    keys = faces.keys()
    repeated = len(keys) - len(set(keys))
    return [f"{name}: lines that repeat a face: {repeated}; each counts"] if repeated else []


def _check_normaliser(faces: AnnotatedFaces, scheme: Scheme, found_format: str, name: str) -> None:
    """Raise an InputError for a face whose inter-ocular distance is zero."""
    lengths = normaliser(scheme, faces.landmarks)
    if not (lengths > 0).all():
        face = int(np.argmin(lengths))
        place = f": annotation {faces.lines[face]}" if found_format == "mmpose-json" else f":{faces.lines[face]}"
        raise InputError(
            f"{name}{place}: the outer eye corners (landmarks 60 and 72) coincide: the NME of this face is undefined; "
            "correct or remove the line"
        )
