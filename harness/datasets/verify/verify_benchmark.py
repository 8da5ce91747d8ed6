"""Checks the files of a benchmark: each annotation file, each other's consistency, and the photographs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets import cofw_files
from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.benchmark_files import in_folders, match_faces
from nmebench.datasets.face_file_formats import FACE_FILES
from nmebench.datasets.formats import COFW_MAT, check_format, read_rows
from nmebench.datasets.locate import existing_name, find_image_folder, subset_file
from nmebench.datasets.readers.cofw_numbers import spiga_picture
from nmebench.datasets.readers.rows import AnnotatedFaces, AnnotationRow, Entry, gather
from nmebench.datasets.readers.text import read_text
from nmebench.datasets.spiga_subsets import spiga_subsets
from nmebench.datasets.unlabelled import decode_signs
from nmebench.datasets.verify.across_files import check_counts, check_formats, check_leak, check_subsets
from nmebench.datasets.verify.annotations import Annotations, find_annotations, relative_name
from nmebench.datasets.verify.content import check_content, check_name, declared_sizes
from nmebench.datasets.verify.geometry import check_boxes, check_faces
from nmebench.datasets.verify.order import check_order, check_scheme
from nmebench.datasets.verify.photographs import check_photographs
from nmebench.datasets.verify.protocols import served_protocols
from nmebench.datasets.verify.report import Collector, Report
from nmebench.datasets.verify.text import check_text
from nmebench.errors import InputError
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES

__all__ = ["verify_benchmark"]

ORDERED_FORMATS = frozenset({"official-attr", "official-list", "hrnet-csv", "mmpose-json"})
"""Formats that are made from each other, with the faces in one order and the same names of photographs."""

Masks = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class _Checked:
    """Annotations whose rows were read."""

    annotations: Annotations
    faces: AnnotatedFaces

    @property
    def name(self) -> str:
        return self.annotations.name


def verify_benchmark(
    benchmark: Benchmark,
    path: Path,
    format: str | None = None,  # noqa: A002
    *,
    images: bool = True,
) -> Report:
    """Check all annotation files of a folder, compare them with each other, and read the photographs.

    Args:
        benchmark: the definition of the data set.
        path: the dataset's folder, the annotations' folder or one annotation file.
        format: check only this format's files.
        images: whether to read every photograph (milliseconds each).

    Returns:
        A report with all findings; errors inside a file are findings, not exceptions.

    Raises:
        InputError: no annotation file is found, or the format is unknown.
    """
    check_format(format, benchmark)
    root = path if path.is_dir() else path.parent
    into = Collector()
    located = find_annotations(benchmark, path, split="test", format=format)
    check_scheme(benchmark.landmark_scheme, f"the scheme {benchmark.landmark_scheme.name}", into)
    checked: list[_Checked] = []
    masks: list[Masks] = []
    files: dict[str, str] = {}
    for name, opened in located:
        one = _check(benchmark, name, opened, into)
        files[name] = one.annotations.format if one else "unreadable"
        if one is not None:
            checked.append(one)
            masks.append(_subsets(benchmark, one, root, into))
    train = _check_training(benchmark, path, format, into)
    if checked:
        _compare(benchmark, checked, masks, train, into)
        if images:
            _check_images(benchmark, checked, root, into)
    defined = {subset for subsets in masks for subset in subsets}
    expected = benchmark.expected("test")
    return Report(
        path=shown(path),
        files=files,
        facts=dict(into.facts),
        findings=tuple(into.findings),
        protocols=served_protocols(
            name=benchmark.name,
            faces=len(checked[0].faces.images) if checked else 0,
            total=expected.get("test", 0),
            missing_subsets=[subset for subset in expected if subset != "test" and subset not in defined],
            rect=any(one.faces.rect is not None for one in checked),
            scale=any(one.faces.centre_scale is not None for one in checked),
            train=0 if train is None else len(train.faces.images),
            all_train=benchmark.expected("train").get("train", 0),
            findings=into.findings,
        ),
    )


def _check(benchmark: Benchmark, name: str, opened: Callable[[], Annotations], into: Collector) -> _Checked | None:
    """Check annotations on their own; return None when no face can be read."""
    scheme = benchmark.landmark_scheme
    try:
        annotations = opened()
        check_name(benchmark, annotations, into)
        for folder in annotations.empty:
            into.add("warning", "folder-missing", name, None, f"none of them is in {folder}: that part is missing")
        faces = _collect(annotations.rows(), name, scheme.points, into)
    except InputError as error:
        into.add("error", "unreadable", name, None, _strip_place(str(error), name, None))
        return None
    if annotations.is_text:
        check_text(annotations.path, name, annotations.format, into)
        check_content(annotations, into)
    if faces is None:
        into.add("error", "no-faces", name, None, "no line of the file can be used")
        return None
    if benchmark.signs:
        faces = decode_signs(faces)
    check_faces(faces, scheme, name, into, fractions=benchmark.fractions)
    check_order(faces, scheme, name, into)
    check_boxes(faces, name, into, landmark_boxes_only=benchmark.landmark_boxes)
    return _Checked(annotations, faces)


def _collect(rows: Iterator[Entry], name: str, points: int, into: Collector) -> AnnotatedFaces | None:
    """Return the faces of the good rows, and add a finding for each of the others."""
    good: list[AnnotationRow] = []
    bad: dict[str, list[tuple[int, str]]] = {}
    for entry in rows:
        if isinstance(entry, AnnotationRow):
            good.append(entry)
        else:
            line = entry.line or 0
            bad.setdefault(entry.code, []).append((line, _strip_place(str(entry), name, line)))
    for code, found in bad.items():
        into.add_lines("error", code, name, found)
    return gather(good, name, points) if good else None


def _subsets(benchmark: Benchmark, one: _Checked, root: Path, into: Collector) -> Masks:
    """Return the subsets of a file: those that it names, or the faces that sibling lists or folders name."""
    if one.faces.attributes is not None:
        return {subset: one.faces.attributes[:, column] for column, subset in enumerate(ATTRIBUTES)}
    if one.faces.subsets is not None:
        named = {name: mask for name, mask in one.faces.subsets.items() if name != "test"}
        _note_missing(benchmark, named, one.name, into)
        return named
    found: Masks = {}
    reported: set[str] = set()
    if one.annotations.format == "spiga-json":
        try:
            found, _ = spiga_subsets(benchmark, one.annotations.path, root, len(one.faces.images))
        except InputError as error:
            into.add("error", "subset-foreign", one.name, None, str(error))
    for subset in dict.fromkeys((*benchmark.lists, *benchmark.folders)):
        if subset in found:
            continue
        listed = one.annotations.is_text and one.annotations.format != "spiga-json" and subset in benchmark.lists
        sibling = subset_file(one.annotations.path, benchmark.lists[subset]) if listed else None
        if sibling is not None and sibling.is_file():
            mask = _listed(benchmark, one, sibling, root, into)
            reported.add(subset)
            if mask is not None:
                found[subset] = mask
            continue
        mask = in_folders(one.faces.images, benchmark.folders.get(subset, ()))
        if mask.any():
            found[subset] = mask
        elif sibling is not None:
            reported.add(subset)
            message = f"is missing: there is no subset {subset}"
            into.add("warning", "subset-missing", relative_name(sibling, root), None, message)
    _note_missing(benchmark, found, one.name, into, reported)
    return found


def _note_missing(
    benchmark: Benchmark, found: Masks, name: str, into: Collector, reported: Collection[str] = ()
) -> None:
    """Find subsets that no photograph or face belongs to, without those whose own list was looked for."""
    for subset in benchmark.expected("test"):
        absent = subset not in found or not found[subset].any()
        if subset not in ("test", *reported) and absent:
            places = benchmark.folders.get(subset, ())
            where = f": no photograph is in {' or '.join(places)}" if places else ""
            into.add("warning", "subset-missing", name, None, f"there is no subset {subset}{where}")


def _listed(
    benchmark: Benchmark, one: _Checked, sibling: Path, root: Path, into: Collector
) -> NDArray[np.bool_] | None:
    """Return the faces that a subset's own list names; None if it can't be read."""
    name, kind = relative_name(sibling, root), one.annotations.format
    points = benchmark.landmark_scheme.points
    try:
        text, _ = read_text(sibling, root)
        listed = _collect(read_rows(text, name, kind, points, **benchmark.row_options), name, points, into)
    except InputError as error:
        into.add("error", "unreadable", name, None, _strip_place(str(error), name, None))
        return None
    check_text(sibling, name, kind, into)
    if listed is None:
        return None
    keys = one.faces.keys()
    mask, _ = match_faces(keys, listed.keys())
    left = Counter(keys)
    foreign = []
    for key, line in zip(listed.keys(), listed.lines.tolist(), strict=True):
        left[key] -= 1
        if left[key] < 0:
            foreign.append((line, f"this face is not in {one.name}, or occurs here more often"))
    into.add_lines("error", "subset-foreign", name, foreign)
    return mask


def _check_training(
    benchmark: Benchmark,
    place: Path,
    format: str | None,  # noqa: A002
    into: Collector,
) -> _Checked | None:
    """Check the training list, if there is one under a usual name."""
    if not place.is_dir():
        return None
    try:
        located = find_annotations(benchmark, place, split="train", format=format)
    except InputError:
        return None
    usual = benchmark.files.get("train", {}).values()
    wanted = [(name, opened) for name, opened in located if Path(name).name in usual or name.endswith(" files")]
    return _check(benchmark, *wanted[0], into) if wanted else None


def _compare(
    benchmark: Benchmark, checked: list[_Checked], masks: list[Masks], train: _Checked | None, into: Collector
) -> None:
    """Check the counts of the first file, and the other files and the training list against it."""
    first = checked[0]
    check_counts(len(first.faces.images), masks[0], benchmark.expected("test"), first.name, into)
    for other, subsets in zip(checked[1:], masks[1:], strict=True):
        origins = [benchmark.origins.get(one.annotations.format) for one in (first, other)]
        faces = (_comparable(benchmark, first), _comparable(benchmark, other))
        check_formats(
            *faces,
            (first.name, other.name),
            into,
            offset=0 if None in origins else (origins[1] or 0) - (origins[0] or 0),
            ordered={first.annotations.format, other.annotations.format} <= ORDERED_FORMATS,
        )
        check_subsets((masks[0], subsets), (first.name, other.name), faces, into)
    if train is not None:
        check_leak(first.faces, train.faces, (first.name, train.name), into)
    into.facts["faces"] = len(first.faces.images)


def _comparable(benchmark: Benchmark, one: _Checked) -> AnnotatedFaces:
    """Return the faces with the names of photographs that the benchmark's other formats use."""
    if one.annotations.format != "spiga-json" or not benchmark.picture_files:
        return one.faces
    return replace(one.faces, images=tuple(spiga_picture(image) or image for image in one.faces.images))


def _check_images(benchmark: Benchmark, checked: list[_Checked], root: Path, into: Collector) -> None:
    """Check the photographs once for all formats, against the sizes that a json declares."""
    declared: dict[str, tuple[int, int]] = {}
    for one in checked:
        declared |= declared_sizes(one.annotations)
    for one in checked:
        images, folder = _photographs(benchmark, one, root)
        if folder is not None and any(
            (folder / existing_name(folder, image, benchmark.other_names)).is_file() for image in images
        ):
            check_photographs(
                replace(one.faces, images=images),
                folder,
                one.name,
                into,
                declared=declared,
                other_names=benchmark.other_names,
            )
            return
    into.add("warning", "no-photographs", checked[0].name, None, "no photograph found beside the annotations")


def _photographs(benchmark: Benchmark, one: _Checked, root: Path) -> tuple[tuple[str, ...], Path | None]:
    """Return the names of the faces' photographs and the folder that they are relative to."""
    kind, names = one.annotations.format, one.faces.images
    if kind == COFW_MAT:
        points = benchmark.landmark_scheme.points
        return names, cofw_files.read_annotations(one.annotations.path, root, "test", points)[2]
    place = root / "annotations" if kind in FACE_FILES else one.annotations.path
    folder = find_image_folder(place, root, names, benchmark.image_folders)
    stored = cofw_files.picture_file(benchmark, root, "test", names, kind)
    return (names, folder) if stored is None else (stored.images, stored.folder)


def _strip_place(message: str, name: str, line: int | None) -> str:
    """Remove file and line from a reader's message, because a finding has fields for them."""
    places = (f"{name}:{line}:", f"{name}: annotation {line}:", f"{name}: annotation {line} ")
    for place in (*places, f"{name}: face {line}:", f"{name}: face {line} ", f"{name}:", name):
        if message.startswith(place):
            return message.removeprefix(place).strip()
    return message
