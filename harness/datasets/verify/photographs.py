"""Checks of the photographs that an annotation file names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from nmebench.bounded_read import read_bounded
from nmebench.datasets.locate import existing_name
from nmebench.datasets.readers.fields import with_slashes
from nmebench.datasets.readers.rows import AnnotatedFaces
from nmebench.datasets.verify.report import Collector
from nmebench.errors import InputError
from nmebench.geometry import images
from nmebench.printable import shown

__all__ = ["check_photographs"]

_EXIF_ORIENTATION = 0x0112
_MIRRORED = re.compile(r"_(mirror|flip(ped)?)\.\w+$", re.IGNORECASE)
"""Names of mirrored photographs, which older releases of 300-W hold beside the others."""


def check_photographs(
    faces: AnnotatedFaces,
    folder: Path,
    name: str,
    into: Collector,
    *,
    declared: Mapping[str, tuple[int, int]],
    other_names: Mapping[str, str],
) -> None:
    """Read every photograph once: find those that are missing, unreadable, turned, resized or without the face.

    Args:
        faces: the annotated faces.
        folder: the folder that image names are relative to.
        name: the annotation file that the findings name.
        into: receives the findings and facts.
        declared: (width, height) by image, where the annotation file declares them.
        other_names: known names on disk by the name in the annotation file.
    """
    places: dict[str, list[int]] = {}
    for index, image in enumerate(faces.images):
        places.setdefault(image, []).append(index)
    into.facts["images"] = len(places)
    rewritten: list[tuple[int, str]] = []
    mirrored = [(int(faces.lines[at[0]]), image) for image, at in places.items() if _MIRRORED.search(image)]
    into.add_lines(
        "warning",
        "mirrored-copy",
        name,
        [(line, f"image {shown(image)} is a mirrored copy by its name") for line, image in mirrored],
    )
    for image, indices in places.items():
        line = int(faces.lines[indices[0]])
        found = existing_name(folder, image, other_names)
        path = folder / found
        if found == with_slashes(image) != image:
            rewritten.append((line, f"image {shown(image)} is written with backslashes: other readers do not find it"))
        try:
            height, width = images.read(path).shape[:2]
        except InputError as error:
            code = "image-missing" if str(error).endswith(" is missing") else "image-unreadable"
            into.add("error", code, name, line, str(error).replace(shown(path), shown(image)))
            continue
        _check_end(path, image, name, line, into)
        _check_orientation(path, image, name, line, into)
        size = declared.get(image)
        if size is not None and size != (width, height):
            message = (
                f"image {shown(image)} has {width} x {height} px, the file declares {size[0]} x {size[1]}: resized?"
            )
            into.add("error", "image-size", name, line, message)
        points = faces.landmarks[indices]
        outside = np.any((points < 0) | (points > np.array([width - 1, height - 1])), axis=2)
        into.facts["faces reaching beyond their photograph"] += int(outside.any(axis=1).sum())
        for place in np.flatnonzero(outside.mean(axis=1) > 0.5):
            message = f"most of the face is outside its photograph ({width} x {height} px)"
            into.add("error", "outside", name, int(faces.lines[indices[place]]), message)
    into.add_lines("warning", "backslash", name, rewritten)


def _check_end(path: Path, image: str, name: str, line: int, into: Collector) -> None:
    """Find JPEGs without an end marker; their pictures are complete, or they would be unreadable."""
    if images.lacks_end_marker(read_bounded(path, images.MAX_BYTES, kind="image")):
        message = f"image {shown(image)} has no end marker: its picture is complete, but other readers may refuse it"
        into.add("warning", "image-end", name, line, message)


def _check_orientation(path: Path, image: str, name: str, line: int, into: Collector) -> None:
    """Find EXIF orientations: OpenCV and mmpose apply them, PIL and the official HRNet code don't."""
    try:
        with images.open_header(path) as picture:
            orientation = picture.getexif().get(_EXIF_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError) as error:
        message = f"image {shown(image)} can be read by OpenCV but not by PIL, which the HRNet code uses: {error}"
        into.add("warning", "image-kind", name, line, " ".join(message.split()))
        return
    if orientation not in (0, 1):
        message = f"image {shown(image)} has EXIF orientation {orientation}: mmpose turns it, HRNet's code doesn't"
        into.add("warning", "image-turned", name, line, message)
