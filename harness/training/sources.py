"""Sources of training faces: drawn by synthface, or read from a data set on disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nmebench import boxes, datasets
from nmebench.datasets.dataset import Dataset
from nmebench.errors import InputError
from nmebench.geometry import images, scheme
from nmebench.printable import counted
from nmebench.training.recipe import TrainingFaces, expand

__all__ = ["SourceFace", "faces", "identity"]


@dataclass(frozen=True)
class SourceFace:
    """One face: ``image`` [H, W, 3] uint8 BGR; ``landmarks`` [K, 2], ``centre`` [2] and ``side`` in its px.

    ``side`` is the side of the square padded box.
    """

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float64]
    centre: NDArray[np.float64]
    side: float


def identity(wanted: TrainingFaces) -> str:
    """Return the version of the source's pixels: the renderer's version, or the hashes of the annotation files."""
    if wanted.source == "synthface":
        from nmebench import synthface

        return f"synthface {synthface.RENDERER_VERSION}"
    dataset = _load(wanted)
    return " ".join([dataset.name, *(f"{file.name}:{file.sha256}" for file in dataset.files)])


def faces(wanted: TrainingFaces, first: int, last: int) -> Iterator[SourceFace]:
    """Yield the faces ``first .. last - 1`` of the split (``skip`` and ``faces`` are not applied here).

    Raises:
        InputError: an unreadable picture, or a list that ends before ``skip + faces``.
    """
    if wanted.source == "synthface":
        yield from _drawn(wanted, first, last)
        return
    dataset = _load(wanted)
    unlabelled = np.flatnonzero(~dataset.labelled.all(axis=1))
    if len(unlabelled):
        raise InputError(
            f"{dataset.spec}: landmarks of {counted(len(unlabelled), 'face')} are not labelled, the first on line "
            f"{dataset.lines[unlabelled[0]]}: training needs every landmark; leave these faces out"
        )
    box = boxes.create(wanted.box)(dataset)
    sides = box.size.max(axis=1)
    for i in range(first, min(last, len(dataset))):
        yield SourceFace(_image(dataset, i), dataset.landmarks[i], box.centre[i], float(sides[i]))


def _drawn(wanted: TrainingFaces, first: int, last: int) -> Iterator[SourceFace]:
    if wanted.seed is None:
        raise InputError("source = 'synthface' needs a seed")
    from nmebench import synthface

    for i in range(first, last):
        drawn = synthface.draw(wanted.seed, wanted.split, i)
        box = boxes.create(wanted.box)(_as_dataset(drawn.landmarks))
        yield SourceFace(drawn.image, drawn.landmarks, box.centre[0], float(box.size[0].max()))


def _as_dataset(landmarks: NDArray[np.float64]) -> Dataset:
    """One drawn face as a data set, so that a box rule can read it."""
    return Dataset(
        name="synthface",
        spec="synthface",
        root=Path(),
        format="official-attr",
        scheme=scheme.load("wflw98"),
        images=("",),
        image_root=None,
        lines=np.ones(1, dtype=np.int64),
        landmarks=landmarks[None].astype(np.float64),
        subsets={},
        expected={},
        rect=np.concatenate([landmarks.min(axis=0), landmarks.max(axis=0)])[None].astype(np.float64),
        centre_scale=None,
        files=(),
    )


def _load(wanted: TrainingFaces) -> Dataset:
    dataset = datasets.load(expand(wanted.source), split=wanted.split)
    if len(dataset) < wanted.skip + wanted.faces:
        raise InputError(
            f"{wanted.source} has {len(dataset)} {wanted.split} faces, not the {wanted.skip + wanted.faces} wanted"
        )
    return dataset


def _image(dataset: Dataset, position: int) -> NDArray[np.uint8]:
    if dataset.image_root is None:
        raise InputError(f"{dataset.spec} has no photographs: training needs them")
    return images.read(dataset.image_root / dataset.images[position])
