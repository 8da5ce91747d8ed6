"""``nmebench data verify``: everything that can be seen to be wrong with a folder of WFLW, with line numbers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.locate import FORMATS, annotation_file, detect, image_folder, subset_files
from nmebench.datasets.readers.rows import AnnotatedFaces, AnnotationRow, gather
from nmebench.datasets.readers.text import read_text
from nmebench.datasets.verify.across_files import check_counts, check_formats, check_leak, check_subsets
from nmebench.datasets.verify.geometry import check_boxes, check_faces
from nmebench.datasets.verify.photographs import check_photographs
from nmebench.datasets.verify.protocols import protocols
from nmebench.datasets.verify.report import Collector, Report, ServedProtocol, VerifyFinding
from nmebench.datasets.verify.text import check_text
from nmebench.datasets.wflw import EXPECTED, entries, known_format, match
from nmebench.errors import InputError
from nmebench.geometry.scheme import Scheme
from nmebench.geometry.scheme import load as load_scheme
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES

__all__ = ["Report", "ServedProtocol", "VerifyFinding", "verify"]


@dataclass(frozen=True)
class _Checked:
    """A file whose rows were read."""

    name: str
    format: str
    text: str
    faces: AnnotatedFaces


def verify(path: str | Path, format: str | None = None, *, images: bool = True) -> Report:  # noqa: A002
    """Checks all annotation files of a folder, against each other too, and the photographs.

    :param path: the dataset's folder, the annotations' folder or one annotation file.
    :param format: check only this format's files.
    :param images: whether to read every photograph (milliseconds each).
    :raises InputError: when no annotation file is found at all; whatever is wrong inside one is a finding.
    """
    place = Path(path).expanduser()
    known_format(format)
    root = place if place.is_dir() else place.parent
    scheme = load_scheme("wflw98")
    into = Collector()
    located = _locate(place, format)
    checked: list[_Checked] = []
    masks: list[dict[str, NDArray[np.bool_]]] = []
    files: dict[str, str] = {}
    for file in located:
        one = _check_file(file, root, format, scheme, into)
        files[_inside(file, root)] = one.format if one else "unreadable"
        if one is not None:
            checked.append(one)
            masks.append(_check_siblings(one, file, root, scheme, into))
    train = _check_training(place, root, format, scheme, into)
    if checked:
        first = checked[0]
        check_counts(len(first.faces.images), masks[0], EXPECTED["test"], first.name, into)
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
        protocols=protocols(
            faces=len(checked[0].faces.images) if checked else 0,
            whole=EXPECTED["test"]["test"],
            missing_subsets=[subset for subset in ATTRIBUTES if subset not in defined],
            rect=any(one.faces.rect is not None for one in checked),
            scale=any(one.faces.centre_scale is not None for one in checked),
            train=0 if train is None else len(train.faces.images),
            findings=into.findings,
        ),
    )


def _locate(place: Path, format: str | None) -> list[Path]:  # noqa: A002
    """The test list of every format that is there."""
    first, others = annotation_file(place, split="test", format=format)
    return [first, *(annotation_file(place, split="test", format=other)[0] for other in others)]


def _check_file(
    file: Path,
    root: Path,
    format: str | None,  # noqa: A002
    scheme: Scheme,
    into: Collector,
) -> _Checked | None:
    """The checks of one file by itself; None when no face of it can be read."""
    name = _inside(file, root)
    try:
        text, _ = read_text(file, root)
        kind = format or detect(text, name)
        faces = _rows(text, name, kind, scheme, into)
    except InputError as error:
        into.add("error", "unreadable", name, None, _without_place(str(error), name, None))
        return None
    check_text(file, name, kind, into)
    if kind == "mmpose-json":
        _check_json(text, name, into)
    if faces is None:
        into.add("error", "no-faces", name, None, "no line of the file can be used")
        return None
    check_faces(faces, scheme, name, into)
    check_boxes(faces, name, into)
    return _Checked(name, kind, text, faces)


def _rows(text: str, name: str, kind: str, scheme: Scheme, into: Collector) -> AnnotatedFaces | None:
    """The faces of the good rows; the others become findings."""
    good: list[AnnotationRow] = []
    bad: dict[str, list[tuple[int, str]]] = {}
    for entry in entries(text, name, kind, scheme.points):
        if isinstance(entry, AnnotationRow):
            good.append(entry)
        else:
            line = entry.line or 0
            bad.setdefault(entry.code, []).append((line, _without_place(str(entry), name, line)))
    for code, found in bad.items():
        into.each("error", code, name, found)
    return gather(good, name, scheme.points) if good else None


def _check_siblings(
    one: _Checked, file: Path, root: Path, scheme: Scheme, into: Collector
) -> dict[str, NDArray[np.bool_]]:
    """The subsets of a file: its own attributes, or what the sibling lists name."""
    if one.faces.attributes is not None:
        return {subset: one.faces.attributes[:, column] for column, subset in enumerate(ATTRIBUTES)}
    subsets: dict[str, NDArray[np.bool_]] = {}
    for subset, sibling in subset_files(file).items():
        name = _inside(sibling, root)
        if not sibling.is_file():
            into.add("warning", "subset-missing", name, None, f"is missing: there is no subset {subset}")
            continue
        try:
            text, _ = read_text(sibling, root)
            listed = _rows(text, name, one.format, scheme, into)
        except InputError as error:
            into.add("error", "unreadable", name, None, _without_place(str(error), name, None))
            continue
        check_text(sibling, name, one.format, into)
        if listed is None:
            continue
        keys = one.faces.keys()
        subsets[subset], _ = match(keys, listed.keys())
        left = Counter(keys)
        strangers = []
        for key, line in zip(listed.keys(), listed.lines.tolist(), strict=True):
            left[key] -= 1
            if left[key] < 0:
                strangers.append((line, f"this face is not in {one.name}, or stands here more often"))
        into.each("error", "subset-foreign", name, strangers)
    return subsets


def _check_training(
    place: Path,
    root: Path,
    format: str | None,  # noqa: A002
    scheme: Scheme,
    into: Collector,
) -> _Checked | None:
    """The training list, where there is one."""
    if not place.is_dir():
        return None
    names = [pattern.format(split="train") for kind, pattern in FORMATS.items() if format in (None, kind)]
    try:
        file, _ = annotation_file(place, split="train", format=format)
    except InputError:
        return None
    return _check_file(file, root, format, scheme, into) if file.name in names else None


def _check_images(checked: list[_Checked], file: Path, root: Path, into: Collector) -> None:
    """The photographs, once for all formats; the json's sizes are held to them."""
    first = checked[0]
    folder = image_folder(file, root, first.faces.images)
    if folder is None:
        into.add("warning", "no-photographs", first.name, None, "no folder of photographs found beside the lists")
        return
    declared: dict[str, tuple[int, int]] = {}
    for one in checked:
        if one.format == "mmpose-json":
            declared = {
                str(entry["file_name"]): (entry["width"], entry["height"])
                for entry in json.loads(one.text)["images"]
                if isinstance(entry.get("width"), int) and isinstance(entry.get("height"), int)
            }
    check_photographs(first.faces, folder, first.name, into, declared=declared)


def _check_json(text: str, name: str, into: Collector) -> None:
    """What mmpose itself stumbles over."""
    annotations = [entry for entry in json.loads(text)["annotations"] if isinstance(entry, dict)]
    missing = [place for place, entry in enumerate(annotations, start=1) if "iscrowd" not in entry]
    if missing:
        message = "annotations lack 'iscrowd', which mmpose's WFLWDataset reads (its own converter writes 'is_crowd')"
        into.add("warning", "iscrowd", name, missing[0], message)
    seen: dict[str, int] = {}
    doubled = []
    for place, entry in enumerate(annotations, start=1):
        number = str(entry.get("id"))
        if seen.setdefault(number, place) != place:
            doubled.append((place, f"the id {number[:40]} is annotation {seen[number]}'s as well"))
    into.each("error", "annotation-id", name, doubled)


def _inside(file: Path, root: Path) -> str:
    """A file's name relative to the dataset's folder, printable."""
    return shown(file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name)


def _without_place(message: str, name: str, line: int | None) -> str:
    """A reader's message without the file and line that the finding has in fields of their own."""
    for place in (f"{name}:{line}:", f"{name}: annotation {line}:", f"{name}: annotation {line} ", f"{name}:", name):
        if message.startswith(place):
            return message.removeprefix(place).strip()
    return message
