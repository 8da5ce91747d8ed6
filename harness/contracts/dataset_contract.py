"""The contract of data sets: checks that every data set passes, run by tests and by ``nmebench contract dataset``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from nmebench import boxes, datasets
from nmebench.contracts.result import CheckFailedError, ContractResult, run
from nmebench.datasets.dataset import Dataset

__all__ = ["CHECKS", "run_checks"]


def run_checks(spec: str, scheme: str | None = None) -> list[ContractResult]:
    """Load the data set that a spec names and run every check on it.

    Args:
        spec: as ``--data`` takes it, such as ``wflw:PATH``.
        scheme: name or TOML file of the landmark scheme, for data sets that have none of their own.

    Returns:
        One result per check, in the order of :data:`CHECKS`.

    Raises:
        InputError: the data set can't be loaded.
    """
    return run(CHECKS, datasets.load(spec, scheme=scheme))


def _same_twice(dataset: Dataset) -> str:
    again = datasets.load(dataset.spec, scheme=dataset.scheme)
    if again.images != dataset.images or not np.array_equal(again.lines, dataset.lines):
        raise CheckFailedError("a second load gives the faces in another order; sort them by the annotation file")
    if not np.array_equal(again.landmarks, dataset.landmarks, equal_nan=True):
        raise CheckFailedError("a second load gives other landmarks")
    if {name: mask.tolist() for name, mask in again.subsets.items()} != {
        name: mask.tolist() for name, mask in dataset.subsets.items()
    }:
        raise CheckFailedError("a second load gives other subsets")
    return f"{len(dataset)} faces"


def _finite_landmarks(dataset: Dataset) -> str:
    shape = (len(dataset), dataset.scheme.points, 2)
    if dataset.landmarks.shape != shape:
        raise CheckFailedError(f"landmarks have the shape {list(dataset.landmarks.shape)}, expected {list(shape)}")
    if dataset.landmarks.dtype != np.float64:
        raise CheckFailedError(f"landmarks are {dataset.landmarks.dtype}, expected float64")
    half = np.isnan(dataset.landmarks).any(axis=2) != np.isnan(dataset.landmarks).all(axis=2)
    bad = np.flatnonzero(np.isinf(dataset.landmarks).any(axis=(1, 2)) | half.any(axis=1))
    if len(bad):
        raise CheckFailedError(
            f"face {bad[0]} has a coordinate that is not finite ({len(bad)} such faces); x and y of a landmark that is "
            "not labelled are both NaN"
        )
    empty = np.flatnonzero(~dataset.labelled.any(axis=1))
    if len(empty):
        raise CheckFailedError(f"face {empty[0]} has no landmark with a position ({len(empty)} such faces)")
    unlabelled = int((~dataset.labelled).sum())
    without = f", {unlabelled} not labelled (NaN)" if unlabelled else ""
    return f"{dataset.scheme.points} landmarks of {dataset.scheme.name}{without}"


def _occlusion_fits(dataset: Dataset) -> str:
    if dataset.occluded is None:
        return "not known"
    if dataset.occluded.shape != dataset.labelled.shape or dataset.occluded.dtype != np.bool_:
        raise CheckFailedError(
            f"occluded is {dataset.occluded.dtype} {list(dataset.occluded.shape)}, expected bool "
            f"{list(dataset.labelled.shape)}"
        )
    if (dataset.occluded & ~dataset.labelled).any():
        raise CheckFailedError("a landmark without a position is marked as occluded; only labelled ones can be")
    return f"{int(dataset.occluded.sum())} of {dataset.occluded.size} landmarks are occluded"


def _subsets_inside(dataset: Dataset) -> str:
    names = list(dataset.subsets)
    if not names or names[0] != dataset.split:
        raise CheckFailedError(f"the first subset is {names[:1]}, expected {dataset.split!r}, which is every face")
    for name, mask in dataset.subsets.items():
        if mask.shape != (len(dataset),) or mask.dtype != np.bool_:
            raise CheckFailedError(f"subset {name} is {mask.dtype} {list(mask.shape)}, expected bool [{len(dataset)}]")
    if not dataset.subsets[dataset.split].all():
        raise CheckFailedError(f"subset {dataset.split} leaves faces out")
    return ", ".join(f"{name} {int(mask.sum())}" for name, mask in dataset.subsets.items())


def _images_inside(dataset: Dataset) -> str:
    if dataset.image_root is None:
        return "no photographs"
    root = Path(dataset.image_root).resolve()
    for face, image in enumerate(dataset.images):
        path = root / image
        if Path(image).is_absolute() or not path.resolve().is_relative_to(root):
            raise CheckFailedError(f"face {face}: the image {image!r} is outside {root}")
        if not path.is_file():
            raise CheckFailedError(f"face {face}: there is no file {path}")
    return f"{len(set(dataset.images))} photographs"


def _boxes_not_empty(dataset: Dataset) -> str:
    sides = boxes.create("landmarks")(dataset).size
    return f"{sides.min():.0f} to {sides.max():.0f} px"


def _normaliser_positive(dataset: Dataset) -> str:
    lengths = dataset.normaliser()
    bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(bad):
        raise CheckFailedError(f"face {bad[0]}: the {dataset.default_normaliser} length is {lengths[bad[0]]:g}")
    return f"{dataset.default_normaliser}, {lengths.min():.1f} to {lengths.max():.1f} px"


def _flip_involution(dataset: Dataset) -> str:
    flip = dataset.scheme.flip
    if sorted(flip.tolist()) != list(range(dataset.scheme.points)) or not np.array_equal(
        flip[flip], np.arange(dataset.scheme.points)
    ):
        raise CheckFailedError("flipping twice doesn't restore the landmarks")
    return f"{int((flip != np.arange(len(flip))).sum()) // 2} pairs"


CHECKS: Final[Mapping[str, Callable[[Dataset], str]]] = MappingProxyType(
    {
        "two loads are equal": _same_twice,
        "landmarks are finite": _finite_landmarks,
        "occlusion fits the landmarks": _occlusion_fits,
        "subsets are inside the set": _subsets_inside,
        "images are inside the folder": _images_inside,
        "boxes are not empty": _boxes_not_empty,
        "the normaliser is positive": _normaliser_positive,
        "the flip is an involution": _flip_involution,
    }
)
