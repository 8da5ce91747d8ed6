"""Real WFLW landmarks without photographs, from an npz: to measure what decoders do to perfect heatmaps.

Arrays: ``image`` [N] names, ``keypoints98`` [N, 98, 2] image px with NaN where unknown, ``full98`` [N] whether all 98
are known, ``attributes`` [N, 6] with ``attribute_names`` [6], and optionally ``hrnet_scale_cw_ch`` [N, 3]. Only the
faces with all 98 landmarks are used.
"""

from __future__ import annotations

import numpy as np

from nmebench.datasets import benchmark
from nmebench.datasets.dataset import Dataset
from nmebench.datasets.plausibility import suspect_notes
from nmebench.datasets.readers.arrays import NpzArchive
from nmebench.datasets.source import DatasetSource, check_single_format, existing_path
from nmebench.datasets.unlabelled import check_placeholders
from nmebench.errors import InputError
from nmebench.geometry.scheme import load as load_scheme
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES, LIST_NAMES

__all__ = ["FILE", "WFLW_GEOMETRY", "load"]

FILE = "wflw_test_landmarks.npz"

_REQUIRED = {"image": "U", "keypoints98": "f", "full98": "b", "attributes": "biu", "attribute_names": "U"}
_OPTIONAL = {"hrnet_scale_cw_ch": "f"}
"""Arrays and the numpy kinds that each may have."""


def load(place: str | None, *, spec: str, format: str | None = None, split: str = "test") -> Dataset:  # noqa: A002
    """Load the faces of the npz whose 98 landmarks are all known; ``image_root`` is None.

    Args:
        place: the npz, or the folder that holds ``wflw_test_landmarks.npz``.
        spec: as the user gave it, kept in the result.
        format: must be None.
        split: must be ``test``.

    Raises:
        InputError: the file is missing or is no such npz, or its arrays don't fit together.
    """
    check_single_format("wflw-geometry", format, split)
    path = existing_path(place, spec)
    file = path / FILE if path.is_dir() else path
    name = shown(file)
    archive = NpzArchive(file)
    missing = [key for key in _REQUIRED if key not in archive.names]
    if missing:
        raise InputError(f"{name} lacks {', '.join(missing)}: it is not a geometry archive")
    table = {key: archive.read(key) for key in (*_REQUIRED, *_OPTIONAL) if key in archive.names}
    scheme = load_scheme("wflw98")
    for key, kinds in {**_REQUIRED, **_OPTIONAL}.items():
        if key in table and table[key].dtype.kind not in kinds:
            raise InputError(f"{name}: {key} holds {table[key].dtype}, which is the wrong type: not a geometry archive")
    count = table["full98"].size
    shapes: dict[str, tuple[int, ...]] = {
        "image": (count,),
        "keypoints98": (count, scheme.points, 2),
        "full98": (count,),
        "attributes": (count, len(ATTRIBUTES)),
        "attribute_names": (len(ATTRIBUTES),),
        "hrnet_scale_cw_ch": (count, 3),
    }
    for key, shape in shapes.items():
        if key in table and table[key].shape != shape:
            raise InputError(f"{name}: {key} has the shape {table[key].shape}, expected {shape}")
    attribute_of = {word: attribute for attribute, word in LIST_NAMES.items()}
    columns = [attribute_of.get(text, text) for text in table["attribute_names"].tolist()]
    if sorted(columns) != sorted(ATTRIBUTES):
        raise InputError(f"{name}: attribute_names are {', '.join(columns)}, expected {', '.join(ATTRIBUTES)}")
    full = np.asarray(table["full98"], dtype=np.bool_)
    landmarks = np.asarray(table["keypoints98"], dtype=np.float64)[full]
    if not len(landmarks):
        raise InputError(f"{name} holds no face with all {scheme.points} landmarks")
    if not np.isfinite(landmarks).all():
        raise InputError(f"{name}: a face that full98 marks as complete has a landmark that is not finite")
    lines = np.flatnonzero(full) + 1
    check_placeholders(landmarks, lambda face: f"{name}: face {lines[face]}")
    attributes = np.asarray(table["attributes"])[full].astype(np.bool_)
    subsets = {"test": np.ones(len(landmarks), dtype=np.bool_)}
    subsets |= {subset: attributes[:, columns.index(subset)] for subset in ATTRIBUTES}
    scale = table.get("hrnet_scale_cw_ch")
    notes = suspect_notes(landmarks, file.name)
    if len(landmarks) < count:
        notes.append(f"{count - len(landmarks)} of {count} faces are left out: not all of their landmarks are known")
    return Dataset(
        name="wflw-geometry",
        spec=spec,
        root=file.parent,
        format="geometry-npz",
        scheme=scheme,
        images=tuple(str(image) for image in table["image"][full]),
        image_root=None,
        lines=lines,
        landmarks=landmarks,
        subsets=subsets,
        expected=benchmark.load("wflw").expected("test"),
        rect=None,
        centre_scale=None if scale is None else np.asarray(scale, dtype=np.float64)[full][:, [1, 2, 0]],
        files=(archive.hash,),
        notes=tuple(notes),
    )


WFLW_GEOMETRY = DatasetSource(summary="wflw-geometry:PATH, real WFLW landmarks without photographs (npz)", load=load)
