"""Makes a :class:`~nmebench.datasets.dataset.Dataset` of the faces that a reader found: one set of checks for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets import cofw_files
from nmebench.datasets.benchmark import Benchmark
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.face_file_formats import FACE_FILES
from nmebench.datasets.locate import existing_name
from nmebench.datasets.plausibility import suspect_notes
from nmebench.datasets.readers.fields import with_slashes
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.unlabelled import (
    check_labelled,
    check_placeholders,
    decode_signs,
    keep_faces,
    leave_out_notes,
    measurable,
)
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.geometry.scheme import Scheme, normaliser
from nmebench.printable import shown

__all__ = ["FoundFaces", "assemble", "named_subsets"]

_ENTRY = {"mmpose-json": ": annotation ", "faces-json": ": face ", "spiga-json": ": face ", "python": ": face "}
"""Words before a face's number in messages; the other formats have lines."""


@dataclass
class FoundFaces:
    """The faces of a split, as its files give them."""

    faces: AnnotatedFaces
    format: str
    files: list[FileHash]
    subsets: dict[str, NDArray[np.bool_]]
    """The split's own name first, which is every face."""
    image_root: Path | None
    place: str
    """The file, or the folder, for messages."""
    notes: list[str]

    def where(self, face: int) -> str:
        """Return file and line of a face, for messages."""
        line = int(self.faces.lines[face])
        if self.format in FACE_FILES:
            return f"{self.place}/{shown(self.faces.images[face])}"
        return f"{self.place}{_ENTRY.get(self.format, ':')}{line}"


def assemble(benchmark: Benchmark, found: FoundFaces, *, root: Path, spec: str, split: str) -> Dataset:
    """Check the faces of a split and return them with their photographs' names, subsets and notes.

    Args:
        benchmark: the definition of the data set.
        found: the faces, as a reader gives them.
        root: the dataset's folder.
        spec: as the user gave it, kept in the result.
        split: ``test`` or ``train``.

    Raises:
        InputError: a face can't be scored.
    """
    image_root, name = found.image_root, found.files[0].name
    if benchmark.signs:
        found = replace(found, faces=decode_signs(found.faces))
    if benchmark.unlabelled == "refuse":
        check_labelled(found.faces.landmarks, found.where)
    check_placeholders(found.faces.landmarks, found.where)
    usual = benchmark.normaliser or benchmark.landmark_scheme.default_normaliser
    keep = measurable(found.faces.landmarks, benchmark.landmark_scheme, usual)
    if not keep.any():
        raise InputError(f"{found.place}: no face can be scored, because too few of its landmarks are labelled")
    faces, subsets = found.faces, found.subsets
    notes = [*found.notes, *leave_out_notes(faces.landmarks, keep, usual, name)]
    if not keep.all():
        faces, subsets = keep_faces(faces, keep), {subset: mask[keep] for subset, mask in subsets.items()}
    notes += _note_repeated_faces(faces, name)
    if split == "test":
        _check_normaliser(faces, benchmark.landmark_scheme, usual, replace(found, faces=faces).where)
    pictures = cofw_files.picture_file(benchmark, root, split, faces.images, found.format)
    if pictures is not None:
        image_root, faces = pictures.folder, replace(faces, images=pictures.images)
        found.files.append(pictures.file)
    if image_root is None:
        notes.append("no folder of photographs found: geometry only")
    origin = benchmark.origins.get(found.format)
    if origin == 1:
        notes.append(f"{name}: the landmarks count the first pixel as (1, 1), as the file does")
    images = tuple(existing_name(image_root, image, benchmark.other_names) for image in faces.images)
    rewritten = sum(found == with_slashes(image) != image for found, image in zip(images, faces.images, strict=True))
    if rewritten:
        notes.append(f"{name}: {rewritten} image names have backslashes, which were read as slashes")
    notes += suspect_notes(faces.landmarks, name)
    counts = benchmark.expected(split)
    notes += [
        f"{subset} has {int(subsets[subset].sum())} faces, the complete set {count}"
        for subset, count in counts.items()
        if subset in subsets and len(faces.images) == counts.get(split) and int(subsets[subset].sum()) != count
    ]
    for array in (faces.landmarks, faces.lines, *subsets.values()):
        array.setflags(write=False)
    return Dataset(
        name=benchmark.name,
        spec=spec,
        root=root,
        format=found.format,
        scheme=benchmark.landmark_scheme,
        images=images,
        image_root=image_root,
        lines=faces.lines,
        landmarks=faces.landmarks,
        subsets=subsets,
        expected=counts,
        rect=faces.rect,
        centre_scale=faces.centre_scale,
        occluded=faces.occluded,
        files=tuple(found.files),
        notes=tuple(notes),
        split=split,
        origin=origin,
        thresholds=benchmark.thresholds,
        usual_normaliser=benchmark.normaliser,
    )


def named_subsets(faces: AnnotatedFaces, split: str, place: str) -> dict[str, NDArray[np.bool_]]:
    """Return the subsets that the faces name, without that of all faces.

    Args:
        faces: the faces of a split.
        split: ``test`` or ``train``, the name of all faces.
        place: the file, for messages.

    Raises:
        InputError: some faces name the split and others don't.
    """
    named = dict(faces.subsets or {})
    if not named.pop(split, np.ones(1, np.bool_)).all():
        raise InputError(
            f"{place}: the subset {split!r} is every face of the file, but some faces don't name it; leave it out"
        )
    return named


def _note_repeated_faces(faces: AnnotatedFaces, name: str) -> list[str]:
    """Return a note when a face occurs more than once, because each occurrence counts in the scores."""
    keys = faces.keys()
    repeated = len(keys) - len(set(keys))
    return [f"{name}: lines that repeat a face: {repeated}; each counts"] if repeated else []


def _check_normaliser(faces: AnnotatedFaces, scheme: Scheme, usual: str, where: Callable[[int], str]) -> None:
    """Raise an InputError for a face whose usual normaliser is 0, unless the annotations give it."""
    rule = scheme.normalisers[usual]
    if rule.annotated:
        return
    lengths = normaliser(scheme, faces.landmarks, usual)
    if not (lengths > 0).all():
        face = int(np.argmin(lengths))
        first, second = (", ".join(map(str, points)) for points in (rule.first, rule.second))
        between = f" (between landmarks {first} and {second})" if rule.kind == "distance" else ""
        raise InputError(
            f"{where(face)}: the {usual} length{between} is 0: the NME of this face is undefined; correct or remove it"
        )
