"""Real WFLW landmarks without photographs, from an npz: for measuring what decoders do to perfect heatmaps.

Keys: ``image`` [N] names, ``keypoints98`` [N, 98, 2] image px with NaN where unknown, ``full98`` [N] whether all 98
are known, ``attributes`` [N, 6] with ``attribute_names`` [6], and, where present, ``hrnet_scale_cw_ch`` [N, 3].
Only the faces with all 98 landmarks are taken.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench.datasets.dataset import Dataset
from nmebench.datasets.wflw import EXPECTED
from nmebench.errors import InputError
from nmebench.files import FileHash
from nmebench.geometry.scheme import load as load_scheme
from nmebench.printable import shown
from nmebench.protocol import ATTRIBUTES

__all__ = ["FILE", "load"]

FILE = "wflw_test_landmarks.npz"
_MAX_BYTES = 2**30
_KINDS = {
    "image": "U",
    "keypoints98": "f",
    "full98": "b",
    "attributes": "biu",
    "attribute_names": "U",
    "hrnet_scale_cw_ch": "f",
}


def load(path: Path, *, spec: str) -> Dataset:
    """The faces of the npz whose 98 landmarks are all known; ``image_root`` is None.

    :param path: the npz, or the folder that holds ``wflw_test_landmarks.npz``.
    :raises InputError: when it is missing, is no such npz, or its arrays don't fit together.
    """
    file = path / FILE if path.is_dir() else path
    name = shown(file)
    table, digest = _arrays(file, name)
    scheme = load_scheme("wflw98")
    for key, kinds in _KINDS.items():
        if key in table and table[key].dtype.kind not in kinds:
            raise InputError(f"{name}: {key} holds {table[key].dtype}, which is not what a geometry archive has there")
    count = table["full98"].size
    shapes: dict[str, tuple[int, ...]] = {
        "image": (count,),
        "keypoints98": (count, scheme.points, 2),
        "full98": (count,),
        "attributes": (count, len(ATTRIBUTES)),
        "attribute_names": (len(ATTRIBUTES),),
        **({"hrnet_scale_cw_ch": (count, 3)} if "hrnet_scale_cw_ch" in table else {}),
    }
    for key, shape in shapes.items():
        if table[key].shape != shape:
            raise InputError(f"{name}: {key} has the shape {table[key].shape}, expected {shape}")
    columns = ["pose" if text == "largepose" else str(text) for text in table["attribute_names"]]
    if sorted(columns) != sorted(ATTRIBUTES):
        raise InputError(f"{name}: attribute_names are {', '.join(columns)}, expected {', '.join(ATTRIBUTES)}")
    full = np.asarray(table["full98"], dtype=np.bool_)
    landmarks = np.asarray(table["keypoints98"], dtype=np.float64)[full]
    if not len(landmarks):
        raise InputError(f"{name} holds no face with all {scheme.points} landmarks")
    if not np.isfinite(landmarks).all():
        raise InputError(f"{name}: a face that full98 says is whole has a landmark that is not finite")
    attributes = np.asarray(table["attributes"])[full].astype(np.bool_)
    subsets = {"test": np.ones(len(landmarks), dtype=np.bool_)}
    subsets |= {subset: attributes[:, columns.index(subset)] for subset in ATTRIBUTES}
    scale = table.get("hrnet_scale_cw_ch")
    return Dataset(
        name="wflw-geometry",
        spec=spec,
        root=file.parent,
        format="geometry-npz",
        scheme=scheme,
        images=tuple(str(image) for image in table["image"][full]),
        image_root=None,
        lines=np.flatnonzero(full) + 1,
        landmarks=landmarks,
        subsets=subsets,
        expected=dict(EXPECTED["test"]),
        rect=None,
        centre_scale=None if scale is None else np.asarray(scale, dtype=np.float64)[full][:, [1, 2, 0]],
        files=(digest,),
        notes=(f"{count - len(landmarks)} of {count} faces are left out: not all of their landmarks are known",)
        if len(landmarks) < count
        else (),
    )


def _arrays(file: Path, name: str) -> tuple[dict[str, NDArray[np.generic]], FileHash]:
    """The npz's arrays; pickled objects are refused."""
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise InputError(f"{name} has {file.stat().st_size:,} bytes: up to {_MAX_BYTES:,} are read")
        data = file.read_bytes()
    except OSError as error:
        raise InputError(f"{name} can't be read: {error.strerror}") from error
    wanted = ("image", "keypoints98", "full98", "attributes", "attribute_names")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as members:
            if sum(member.file_size for member in members.infolist()) > _MAX_BYTES:
                raise InputError(f"{name} unpacks to more than {_MAX_BYTES:,} bytes")
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            missing = [key for key in wanted if key not in archive.files]
            if missing:
                raise InputError(f"{name} lacks {', '.join(missing)}: it is not a geometry archive")
            extra = [key for key in ("hrnet_scale_cw_ch",) if key in archive.files]
            table = {key: archive[key] for key in (*wanted, *extra)}
    except InputError:
        raise
    except Exception as error:  # damaged archives raise a dozen kinds, from zipfile, zlib, struct, ast and numpy
        raise InputError(f"{name} is not an npz archive that can be read") from error
    return table, FileHash(name=file.name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
