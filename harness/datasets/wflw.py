"""WFLW (Wu et al., CVPR 2018) from any of its four formats, and whatever else is laid out as WFLW is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.dataset import Dataset
from nmebench.datasets.locate import FORMATS, annotation_file, detect, image_folder, subset_files
from nmebench.datasets.readers import hrnet_csv, mmpose_json, official
from nmebench.datasets.readers.rows import AnnotatedFaces, Entry, gather
from nmebench.datasets.readers.text import read_text
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.geometry.scheme import Scheme, normaliser
from nmebench.geometry.scheme import load as load_scheme
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES

__all__ = ["EXPECTED", "entries", "load"]

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
"""Faces of the whole dataset, by split and subset. Source: WFLW's page; confirmed by spiga/data/annotations/wflw/
db_info.json of andresprados/SPIGA."""


def entries(text: str, name: str, format: str, points: int) -> Iterator[Entry]:  # noqa: A002
    """The rows of an annotation file, good and bad.

    :param name: the file, for messages.
    :param format: one of ``locate.FORMATS``.
    """
    if format == "hrnet-csv":
        return hrnet_csv.read(text, name, points)
    if format == "mmpose-json":
        return mmpose_json.read(text, name, points)
    return official.read(text, name, points, attributes=format == "official-attr")


def load(
    path: Path,
    *,
    spec: str,
    name: str = "wflw",
    format: str | None = None,  # noqa: A002
    split: str = "test",
    expected: Mapping[str, Mapping[str, int]] = EXPECTED,
) -> Dataset:
    """The faces of one list, in its order.

    :param path: the dataset's folder, the annotations' folder, or one annotation file.
    :param spec: as the user gave it, kept in the result.
    :param format: one of ``locate.FORMATS``; None to see it from the file.
    :param expected: the whole dataset's counts by split and subset.
    :raises InputError: for files that are missing or wrong, with file and line.
    """
    root = path if path.is_dir() else path.parent
    file, others = annotation_file(path, split=split, format=format)
    scheme = load_scheme("wflw98")
    text, digest = read_text(file, root)
    name_of_file = shown(file)
    kind = format or detect(text, name_of_file)
    faces = gather(entries(text, name_of_file, kind, scheme.points), name_of_file, scheme.points)
    notes = [f"read {digest.name} ({kind}); {', '.join(others)} lie beside it"] if others else []
    notes += _doubled(faces, digest.name)
    if split == "test":
        _check_normaliser(faces, scheme, kind, name_of_file)
    subsets: dict[str, NDArray[np.bool_]] = {split: np.ones(len(faces.images), dtype=np.bool_)}
    files = [digest]
    if faces.attributes is not None:
        subsets |= {subset: faces.attributes[:, column] for column, subset in enumerate(ATTRIBUTES)}
    elif split == "test":
        found, more_files, more_notes = _sibling_subsets(faces, file, root, kind, scheme.points)
        subsets |= found
        files += more_files
        notes += more_notes
    folder = image_folder(file, root, faces.images)
    if folder is None:
        notes.append("no folder of photographs found: geometry only")
    counts = expected.get(split, {})
    notes += [
        f"{subset} has {int(subsets[subset].sum())} faces, the whole set {count}"
        for subset, count in counts.items()
        if subset in subsets and len(faces.images) == counts.get(split) and int(subsets[subset].sum()) != count
    ]
    for array in (faces.landmarks, faces.lines, *subsets.values()):
        array.setflags(write=False)
    return Dataset(
        name=name,
        spec=spec,
        root=root,
        format=kind,
        scheme=scheme,
        images=faces.images,
        image_root=folder,
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


def match(keys: list[tuple[str, bytes]], wanted: list[tuple[str, bytes]]) -> tuple[NDArray[np.bool_], int]:
    """Which faces a subset's list names, and how many of its lines name none.

    Faces are matched by image and landmarks together: an image alone would take in every face that it shows. A face
    that stands several times in both lists is taken as often as the subset's list has it.
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


def _sibling_subsets(
    faces: AnnotatedFaces, file: Path, root: Path, kind: str, points: int
) -> tuple[dict[str, NDArray[np.bool_]], list[FileHash], list[str]]:
    """The subsets that sibling lists define, the files read, and notes on those that are missing or don't fit."""
    subsets: dict[str, NDArray[np.bool_]] = {}
    files: list[FileHash] = []
    notes: list[str] = []
    keys = faces.keys()
    for subset, sibling in subset_files(file).items():
        if not sibling.is_file():
            notes.append(f"{shown(sibling.name)} is missing: there is no subset {subset}")
            continue
        text, digest = read_text(sibling, root)
        listed = gather(entries(text, shown(sibling), kind, points), shown(sibling), points)
        mask, lost = match(keys, listed.keys())
        if lost == len(listed.images):
            notes.append(f"{digest.name} names none of these faces: there is no subset {subset}")
            continue
        if lost:
            notes.append(f"{digest.name}: {lost} of its {len(listed.images)} faces are not in {shown(file.name)}")
        subsets[subset] = mask
        files.append(digest)
    return subsets, files, notes


def _doubled(faces: AnnotatedFaces, name: str) -> list[str]:
    """A note when a face stands twice, for it then counts twice."""
    keys = faces.keys()
    count = len(keys) - len(set(keys))
    return [f"{name}: lines that repeat a face: {count}; each counts"] if count else []


def _check_normaliser(faces: AnnotatedFaces, scheme: Scheme, kind: str, name: str) -> None:
    """InputError for a face that no error can be normalised by."""
    lengths = normaliser(scheme, faces.landmarks)
    if not (lengths > 0).all():
        face = int(np.argmin(lengths))
        place = f": annotation {faces.lines[face]}" if kind == "mmpose-json" else f":{faces.lines[face]}"
        raise InputError(
            f"{name}{place}: the outer eye corners (landmarks 60 and 72) coincide: the NME of this face is undefined; "
            "correct or remove the line"
        )


def known_format(format: str | None) -> None:  # noqa: A002
    """InputError when ``format`` is given and is none of FORMATS."""
    if format is not None and format not in FORMATS:
        raise InputError(f"unknown format {format!r}: known are {', '.join(FORMATS)}")
