"""Checks a WFLW folder: all annotation files, each other's consistency, and the photographs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.bounded_read import parse_json
from nmebench.datasets.benchmark import load
from nmebench.datasets.benchmark_files import match_faces
from nmebench.datasets.formats import check_format, detect_format, read_rows
from nmebench.datasets.locate import find_annotation_file, find_image_folder, subset_file
from nmebench.datasets.readers.rows import AnnotatedFaces, AnnotationRow, gather
from nmebench.datasets.readers.text import read_text
from nmebench.datasets.verify.across_files import check_counts, check_formats, check_leak, check_subsets
from nmebench.datasets.verify.geometry import check_boxes, check_faces
from nmebench.datasets.verify.photographs import check_photographs
from nmebench.datasets.verify.protocols import served_protocols
from nmebench.datasets.verify.report import Collector, Report
from nmebench.datasets.verify.text import check_text
from nmebench.errors import InputError
from nmebench.geometry.scheme import Scheme
from nmebench.geometry.scheme import load as load_scheme
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES

__all__ = ["verify"]

_WFLW = load("wflw")


@dataclass(frozen=True)
class _CheckedFile:
    """An annotation file whose rows were read."""

    name: str
    format: str
    text: str
    faces: AnnotatedFaces


def verify(path: str | Path, format: str | None = None, *, images: bool = True) -> Report:  # noqa: A002
    """Check all annotation files of a folder, compare them with each other, and read the photographs.

    Args:
        path: the dataset's folder, the annotations' folder or one annotation file.
        format: check only this format's files.
        images: whether to read every photograph (milliseconds each).

    Returns:
        A report with all findings; errors inside a file are findings, not exceptions.

    Raises:
        InputError: no annotation file is found, or the format is unknown.
    """
    place = Path(path).expanduser()
    check_format(format, _WFLW)
    root = place if place.is_dir() else place.parent
    scheme = load_scheme("wflw98")
    into = Collector()
    located = _test_files(place, format)
    checked: list[_CheckedFile] = []
    masks: list[dict[str, NDArray[np.bool_]]] = []
    files: dict[str, str] = {}
    for file in located:
        one = _check_file(file, root, format, scheme, into)
        files[_relative_name(file, root)] = one.format if one else "unreadable"
        if one is not None:
            checked.append(one)
            masks.append(_check_subset_lists(one, file, root, scheme, into))
    train = _check_training(place, root, format, scheme, into)
    if checked:
        first = checked[0]
        check_counts(len(first.faces.images), masks[0], _WFLW.expected("test"), first.name, into)
        for other, subsets in zip(checked[1:], masks[1:], strict=True):
            check_formats(first.faces, other.faces, (first.name, other.name), into)
            check_subsets(masks[0], subsets, (first.name, other.name), first.faces.lines, into)
        if train is not None:
            check_leak(first.faces, train.faces, (first.name, train.name), into)
        into.facts["faces"] = len(first.faces.images)
        if images:
            _check_images(checked, located[0], root, into)
    defined = {subset for subsets in masks for subset in subsets}
    return Report(
        path=shown(place),
        files=files,
        facts=dict(into.facts),
        findings=tuple(into.findings),
        protocols=served_protocols(
            faces=len(checked[0].faces.images) if checked else 0,
            total=_WFLW.counts["test"]["test"],
            missing_subsets=[subset for subset in ATTRIBUTES if subset not in defined],
            rect=any(one.faces.rect is not None for one in checked),
            scale=any(one.faces.centre_scale is not None for one in checked),
            train=0 if train is None else len(train.faces.images),
            findings=into.findings,
        ),
    )


def _test_files(place: Path, format: str | None) -> list[Path]:  # noqa: A002
    """Return the test list of every format that the folder holds."""
    first, others = find_annotation_file(place, _WFLW, split="test", format=format)
    return [first, *(find_annotation_file(place, _WFLW, split="test", format=other)[0] for other in others)]


def _check_file(
    file: Path,
    root: Path,
    format: str | None,  # noqa: A002
    scheme: Scheme,
    into: Collector,
) -> _CheckedFile | None:
    """Check one file on its own; return None when no face can be read."""
    name = _relative_name(file, root)
    try:
        text, _ = read_text(file, root)
        found_format = format or detect_format(text, name)
        faces = _collect_rows(text, name, found_format, scheme, into)
    except InputError as error:
        into.add("error", "unreadable", name, None, _strip_place(str(error), name, None))
        return None
    check_text(file, name, found_format, into)
    if found_format == "mmpose-json":
        _check_json(text, name, into)
    if faces is None:
        into.add("error", "no-faces", name, None, "no line of the file can be used")
        return None
    check_faces(faces, scheme, name, into)
    check_boxes(faces, name, into)
    return _CheckedFile(name, found_format, text, faces)


def _collect_rows(text: str, name: str, found_format: str, scheme: Scheme, into: Collector) -> AnnotatedFaces | None:
    """Return the faces of the good rows, and add a finding for each of the others."""
    good: list[AnnotationRow] = []
    bad: dict[str, list[tuple[int, str]]] = {}
    for entry in read_rows(text, name, found_format, scheme.points):
        if isinstance(entry, AnnotationRow):
            good.append(entry)
        else:
            line = entry.line or 0
            bad.setdefault(entry.code, []).append((line, _strip_place(str(entry), name, line)))
    for code, found in bad.items():
        into.add_lines("error", code, name, found)
    return gather(good, name, scheme.points) if good else None


def _check_subset_lists(
    one: _CheckedFile, file: Path, root: Path, scheme: Scheme, into: Collector
) -> dict[str, NDArray[np.bool_]]:
    """Return the subsets of a file: its own attributes, or the faces that the sibling lists name."""
    if one.faces.attributes is not None:
        return {subset: one.faces.attributes[:, column] for column, subset in enumerate(ATTRIBUTES)}
    subsets: dict[str, NDArray[np.bool_]] = {}
    for subset, word in _WFLW.lists.items():
        sibling = subset_file(file, word)
        name = _relative_name(sibling, root)
        if not sibling.is_file():
            into.add("warning", "subset-missing", name, None, f"is missing: there is no subset {subset}")
            continue
        try:
            text, _ = read_text(sibling, root)
            listed = _collect_rows(text, name, one.format, scheme, into)
        except InputError as error:
            into.add("error", "unreadable", name, None, _strip_place(str(error), name, None))
            continue
        check_text(sibling, name, one.format, into)
        if listed is None:
            continue
        keys = one.faces.keys()
        subsets[subset], _ = match_faces(keys, listed.keys())
        left = Counter(keys)
        foreign = []
        for key, line in zip(listed.keys(), listed.lines.tolist(), strict=True):
            left[key] -= 1
            if left[key] < 0:
                foreign.append((line, f"this face is not in {one.name}, or occurs here more often"))
        into.add_lines("error", "subset-foreign", name, foreign)
    return subsets


def _check_training(
    place: Path,
    root: Path,
    format: str | None,  # noqa: A002
    scheme: Scheme,
    into: Collector,
) -> _CheckedFile | None:
    """Check the training list, if there is one."""
    if not place.is_dir():
        return None
    names = [file for name, file in _WFLW.files["train"].items() if format in (None, name)]
    try:
        file, _ = find_annotation_file(place, _WFLW, split="train", format=format)
    except InputError:
        return None
    return _check_file(file, root, format, scheme, into) if file.name in names else None


def _check_images(checked: list[_CheckedFile], file: Path, root: Path, into: Collector) -> None:
    """Check the photographs once for all formats, against the sizes that the json declares."""
    first = checked[0]
    folder = find_image_folder(file, root, first.faces.images, _WFLW.image_folders)
    if folder is None:
        into.add("warning", "no-photographs", first.name, None, "no folder of photographs found beside the lists")
        return
    declared: dict[str, tuple[int, int]] = {}
    for one in checked:
        if one.format == "mmpose-json":
            declared = {
                str(entry["file_name"]): (entry["width"], entry["height"])
                for entry in parse_json(one.text, one.name, allow_nan=True)["images"]
                if isinstance(entry.get("width"), int) and isinstance(entry.get("height"), int)
            }
    check_photographs(first.faces, folder, first.name, into, declared=declared)


def _check_json(text: str, name: str, into: Collector) -> None:
    """Find properties of a json that mmpose fails on."""
    annotations = [entry for entry in parse_json(text, name, allow_nan=True)["annotations"] if isinstance(entry, dict)]
    missing = [place for place, entry in enumerate(annotations, start=1) if "iscrowd" not in entry]
    if missing:
        message = "annotations lack 'iscrowd', which mmpose's WFLWDataset reads (its own converter writes 'is_crowd')"
        into.add("warning", "iscrowd", name, missing[0], message)
    seen: dict[str, int] = {}
    repeated = []
    for place, entry in enumerate(annotations, start=1):
        number = str(entry.get("id"))
        if seen.setdefault(number, place) != place:
            repeated.append((place, f"annotation {seen[number]} has the id {number[:40]} as well"))
    into.add_lines("error", "annotation-id", name, repeated)


def _relative_name(file: Path, root: Path) -> str:
    """Return a file's name relative to the dataset's folder, printable."""
    return shown(file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name)


def _strip_place(message: str, name: str, line: int | None) -> str:
    """Remove file and line from a reader's message, because a finding has fields for them."""
    for place in (f"{name}:{line}:", f"{name}: annotation {line}:", f"{name}: annotation {line} ", f"{name}:", name):
        if message.startswith(place):
            return message.removeprefix(place).strip()
    return message
